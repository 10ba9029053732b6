/** The client's key: an Ed25519 private key in a PKCS#8 PEM file that nobody else can read, and what is done with it. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  sign,
  verify,
  X509Certificate,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { bytesToHex, digestToBytes } from '../core/bytes.ts';
import type { Hash } from '../core/types.ts';
import { createLinkCertificate } from '../crypto/link-certificate.ts';
import type { Signer } from '../crypto/port.ts';
import { ClientError } from './errors.ts';

/** SHA-256 of the operating system's library. */
export const nodeHash: Hash = (bytes) =>
  typeof hash === 'function'
    ? new Uint8Array(hash('sha256', bytes, 'buffer'))
    : new Uint8Array(createHash('sha256').update(bytes).digest());

/** The raw 32 bytes of an Ed25519 key (public part). */
export function rawPublicKey(key: KeyObject): Uint8Array {
  const jwk = (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'jwk' });
  return new Uint8Array(Buffer.from(jwk.x ?? '', 'base64url'));
}

/** PEM of the certificate in which TLS shows the client's key (decision D7). One key, one certificate. */
export function clientCertificate(privateKey: KeyObject): string {
  const signBytes = (bytes: Uint8Array): Uint8Array => sign(null, bytes, privateKey);
  return new X509Certificate(
    createLinkCertificate(rawPublicKey(privateKey), 'moiety client', signBytes),
  ).toString();
}

/** A signer over an Ed25519 private key. */
export function createKeySigner(privateKey: KeyObject): Signer {
  return {
    publicKey: rawPublicKey(privateKey),
    sign: (digest) => new Uint8Array(sign(null, digestToBytes(digest), privateKey)),
  };
}

/** Key object of a raw Ed25519 public key; throws if it is none. */
export function publicKeyOf(raw: Uint8Array): KeyObject {
  const x = Buffer.from(raw).toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
}

/**
 * A check of Ed25519 signatures over raw keys, with the key objects kept. Clients judge only for themselves, so the
 * one rule of decision B5 is not needed here.
 */
export function createSignatureCheck(
  rawKeys: readonly Uint8Array[],
): (index: number, message: Uint8Array, signature: Uint8Array) => boolean {
  const keys = rawKeys.map(publicKeyOf);
  return (index, message, signature) => {
    const key = keys[index];
    return key !== undefined && signature.length === 64 && verify(null, message, key, signature);
  };
}

/** Keys that are kept ready for checks, at most: a cluster has far fewer. */
const READY_KEYS_MAX = 1024;

/** The same for keys that come with each call; they are kept ready. Bytes that are no key verify nothing. */
export function createOpenSignatureCheck(): (
  rawKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
) => boolean {
  const ready = new Map<string, KeyObject>();
  return (rawKey, message, signature) => {
    if (rawKey.length !== 32 || signature.length !== 64) return false;
    const name = bytesToHex(rawKey);
    const key = ready.get(name) ?? publicKeyOf(rawKey);
    if (ready.size < READY_KEYS_MAX) ready.set(name, key);
    return verify(null, message, key, signature);
  };
}

/** Reads a private key. Refuses a file that others may read. */
export function readKeyFile(path: string): KeyObject {
  let pem: string;
  try {
    if (process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0)
      throw new ClientError('invalid', `key file ${path} can be read by others: run chmod 600 on it`);
    pem = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof ClientError) throw error;
    throw new ClientError('invalid', `cannot read key file ${path}: ${(error as Error).message}`);
  }
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Falls through: one message for everything that is no such key.
  }
  throw new ClientError('invalid', `${path} holds no Ed25519 private key in PEM form`);
}

/** Reads the key file, or makes a key and the file (mode 0600, durable before it is used). */
export function openKeyFile(path: string): KeyObject {
  let file: number;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    file = openSync(path, 'wx', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return readKeyFile(path);
    throw new ClientError('invalid', `cannot make key file ${path}: ${(error as Error).message}`);
  }
  const { privateKey } = generateKeyPairSync('ed25519');
  try {
    writeSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  chmodSync(path, 0o600);
  return privateKey;
}

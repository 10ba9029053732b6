/** The client's key: an Ed25519 private key in a PKCS#8 PEM file that nobody else can read, and what is done with it. */
import { createPrivateKey, generateKeyPairSync, sign, X509Certificate } from 'node:crypto';
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
import { createLinkCertificate } from '../crypto/link-certificate.ts';
import type { Signer } from '../crypto/port.ts';
import { ED25519, rawPublicKeyOf } from '../platform/ed25519.ts';
import { ClientError } from './errors.ts';

/** PEM of the certificate in which TLS shows the client's key (decision D7). One key, one certificate. */
export function clientCertificate(privateKey: KeyObject): string {
  const signBytes = (bytes: Uint8Array): Uint8Array => sign(null, bytes, privateKey);
  return new X509Certificate(
    createLinkCertificate(rawPublicKeyOf(privateKey)!, 'moiety client', signBytes),
  ).toString();
}

/** A signer over an Ed25519 private key. */
export function createKeySigner(privateKey: KeyObject): Signer {
  return ED25519.signer(privateKey);
}

/** A check of signatures under one of these raw keys. */
export function createSignatureCheck(
  rawKeys: readonly Uint8Array[],
): (index: number, message: Uint8Array, signature: Uint8Array) => boolean {
  return (index, message, signature) => {
    const key = rawKeys[index];
    return key !== undefined && ED25519.verify(key, message, signature);
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

/**
 * Keys of both ends of a trusted service: Ed25519, in a file of mode 0600, wrapped for TLS in a certificate that nobody
 * judges. Both ends compare the key that TLS has proven with the one that they expect (decision D7); there is no
 * authority and no expiry.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign as signWith,
  X509Certificate,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import type { TLSSocket } from 'node:tls';
import { bytesToHex } from '../../core/bytes.ts';
import { createLinkCertificate } from '../../crypto/link-certificate.ts';

/** The service, or the way to it, cannot be used; the message says why, for the operator. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  /** Nobody answered: a moment later somebody may. */
  readonly unreachable: boolean;

  constructor(message: string, unreachable = false) {
    super(message);
    this.unreachable = unreachable;
  }
}

/** What TLS needs to prove a key. */
export interface ServiceIdentity {
  /** PEM. */
  readonly key: string;
  /** PEM. */
  readonly certificate: string;
  /** Raw public key, 64 hexadecimal digits. */
  readonly publicKey: string;
}

function rawKeyOf(key: KeyObject): Uint8Array | undefined {
  if (key.asymmetricKeyType !== 'ed25519') return undefined;
  return new Uint8Array(key.export({ format: 'der', type: 'spki' }).subarray(-32));
}

function readKey(file: string): KeyObject {
  const mode = statSync(file).mode & 0o777;
  if (process.platform !== 'win32' && (mode & 0o077) !== 0)
    throw new ServiceError(
      `${file} can be read by others (mode ${mode.toString(8)}); run: chmod 600 ${file}`,
    );
  try {
    const key = createPrivateKey(readFileSync(file, 'utf8'));
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Told below, without the content.
  }
  throw new ServiceError(
    `${file} does not hold an Ed25519 private key in PKCS8 PEM; restore it from its backup`,
  );
}

function makeKey(file: string): KeyObject {
  const { privateKey } = generateKeyPairSync('ed25519');
  const descriptor = openSync(file, 'wx', 0o600);
  try {
    writeFileSync(descriptor, privateKey.export({ format: 'pem', type: 'pkcs8' }));
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  return privateKey;
}

/** The identity in a key file; `make`: a new one if there is none. `name` is only informative. Throws ServiceError. */
export function identityOf(file: string, name: string, make: boolean): ServiceIdentity {
  if (!make && !existsSync(file)) throw new ServiceError(`there is no key file ${file}`);
  const key = existsSync(file) ? readKey(file) : makeKey(file);
  const raw = rawKeyOf(createPublicKey(key))!;
  const certificate = createLinkCertificate(raw, name, (bytes) => signWith(null, bytes, key));
  return {
    key: key.export({ format: 'pem', type: 'pkcs8' }).toString(),
    certificate: new X509Certificate(certificate).toString(),
    publicKey: bytesToHex(raw),
  };
}

/** The raw key, hexadecimal, that the other side of a finished handshake has proven; undefined for anything else. */
export function provenKeyOf(socket: TLSSocket): string | undefined {
  // A resumed session proves nothing anew; neither side offers tickets.
  if (socket.isSessionReused()) return undefined;
  const certificate = socket.getPeerX509Certificate();
  const raw = certificate === undefined ? undefined : rawKeyOf(certificate.publicKey);
  return raw === undefined ? undefined : bytesToHex(raw);
}

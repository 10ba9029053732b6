/**
 * Keys on disk (decision D7): Ed25519 private keys as PKCS8 PEM, readable by their owner alone. A replica has a host
 * key (signs replies, block headers, RECOVER) and a link key (proves itself in TLS); nothing else ever reads them.
 */
import { createPrivateKey, generateKeyPairSync, sign as signWith, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { createLinkCertificate } from '../crypto/link-certificate.ts';
import { rawPublicKeyOf } from '../platform/ed25519.ts';

/** A key file that cannot be used; `message` is a sentence for the operator. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError';
}

/** Makes a new key file (mode 0600, folder 0700). Throws `KeyFileError` if the file exists: keys are never replaced. */
export function createKeyFile(file: string): KeyObject {
  const { privateKey } = generateKeyPairSync('ed25519');
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  try {
    const descriptor = fs.openSync(file, 'wx', 0o600);
    try {
      fs.writeFileSync(descriptor, privateKey.export({ format: 'pem', type: 'pkcs8' }));
      fs.fsyncSync(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new KeyFileError(`The key file ${file} exists already; keys are never overwritten.`);
  }
  return privateKey;
}

/** Reads a key file; throws `KeyFileError` if it is missing, readable by others or not an Ed25519 private key. */
export function readKeyFile(file: string): KeyObject {
  let text: string;
  try {
    const mode = fs.statSync(file).mode & 0o777;
    if (process.platform !== 'win32' && (mode & 0o077) !== 0)
      throw new KeyFileError(
        `The key file ${file} can be read by others (mode ${mode.toString(8)}): chmod 600 ${file}`,
      );
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof KeyFileError) throw error;
    throw new KeyFileError(
      `The key file ${file} cannot be read: ${(error as Error).message}. A lost key means that the member is ` +
        'replaced by reconfiguration; restore the file from the backup if there is one.',
    );
  }
  try {
    const key = createPrivateKey(text);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Told below, without the content.
  }
  throw new KeyFileError(`The key file ${file} does not hold an Ed25519 private key in PKCS8 PEM.`);
}

/** What TLS needs to prove a link key: both in PEM. */
export interface LinkIdentity {
  readonly key: string;
  readonly certificate: string;
}

/** Wraps a link key for TLS. `name` is ASCII and only informative. */
export function linkIdentityOf(linkKey: KeyObject, name: string): LinkIdentity {
  const raw = rawPublicKeyOf(linkKey);
  if (raw === undefined) throw new KeyFileError('A link key is an Ed25519 key.');
  const certificate = createLinkCertificate(raw, name, (bytes) => signWith(null, bytes, linkKey));
  return {
    key: linkKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    certificate: new X509Certificate(certificate).toString(),
  };
}

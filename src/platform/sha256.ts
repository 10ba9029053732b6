/** SHA-256 of the system's library. */
import * as crypto from 'node:crypto';
import type { Hash } from '../core/types.ts';

type OneShotHash = (algorithm: string, data: Uint8Array, encoding: 'binary' | 'hex') => string;

const oneShot: OneShotHash =
  (crypto as { hash?: OneShotHash }).hash ??
  ((algorithm, data, encoding) => crypto.createHash(algorithm).update(data).digest(encoding));

/**
 * The digest comes back as text, one character for a byte: making a Buffer for it costs more than hashing a message of
 * a few hundred bytes (docs/benchmarks.md, "Hashing").
 */
function into(bytes: Uint8Array, out: Uint8Array, at: number): void {
  const text = oneShot('sha256', bytes, 'binary');
  for (let index = 0; index < 32; index += 1) out[at + index] = text.charCodeAt(index);
}

function sha256(bytes: Uint8Array): Uint8Array {
  const digest = new Uint8Array(32);
  into(bytes, digest, 0);
  return digest;
}

/** See the top of this file. */
export const nodeHash: Hash = Object.assign(sha256, {
  hex: (bytes: Uint8Array): string => oneShot('sha256', bytes, 'hex'),
  into,
  joined: (first: Uint8Array, second: Uint8Array): string =>
    crypto.createHash('sha256').update(first).update(second).digest('hex'),
});

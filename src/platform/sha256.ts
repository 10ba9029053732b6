/** SHA-256 of the system's library. */
import * as crypto from 'node:crypto';
import { bytesToDigest } from '../core/bytes.ts';
import type { Digest, Hash } from '../core/types.ts';

type OneShotHash = (algorithm: string, data: Uint8Array, encoding: 'binary' | 'hex') => string;

/**
 * The digest comes back as text, one character for a byte: making a Buffer for it costs more than hashing a message of
 * a few hundred bytes (docs/benchmarks.md, "Hashing").
 */
function fromBinary(text: string): Uint8Array {
  const bytes = new Uint8Array(32);
  for (let index = 0; index < 32; index += 1) bytes[index] = text.charCodeAt(index);
  return bytes;
}

const oneShot = (crypto as { hash?: OneShotHash }).hash;

function selectHash(): Hash {
  if (oneShot !== undefined) return (bytes) => fromBinary(oneShot('sha256', bytes, 'binary'));
  return (bytes) => fromBinary(crypto.createHash('sha256').update(bytes).digest('binary'));
}

/** See the top of this file. */
export const nodeHash: Hash = selectHash();

/** The same as text: cheaper than to make text of bytes. */
export const nodeDigest: (bytes: Uint8Array) => Digest =
  oneShot === undefined
    ? (bytes) => bytesToDigest(nodeHash(bytes))
    : (bytes) => oneShot('sha256', bytes, 'hex') as Digest;

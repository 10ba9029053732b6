/** SHA-256 of the system's library. */
import * as crypto from 'node:crypto';
import type { Hash } from '../core/types.ts';

type OneShotHash = (algorithm: string, data: Uint8Array, encoding: 'binary') => string;

/**
 * The digest comes back as text, one character for a byte: making a Buffer for it costs more than hashing a message of
 * a few hundred bytes (docs/benchmarks.md, "Hashing").
 */
function fromBinary(text: string): Uint8Array {
  const bytes = new Uint8Array(32);
  for (let index = 0; index < 32; index += 1) bytes[index] = text.charCodeAt(index);
  return bytes;
}

function selectHash(): Hash {
  const oneShot = (crypto as { hash?: OneShotHash }).hash;
  if (oneShot !== undefined) return (bytes) => fromBinary(oneShot('sha256', bytes, 'binary'));
  return (bytes) => fromBinary(crypto.createHash('sha256').update(bytes).digest('binary'));
}

/** See the top of this file. */
export const nodeHash: Hash = selectHash();

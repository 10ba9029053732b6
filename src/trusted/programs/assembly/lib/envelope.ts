// @ts-nocheck AssemblyScript has other types; its own compiler checks them.
// Envelopes: 40 bytes from somebody outside that this component alone can read, by X25519 with a key that follows from
// the component's own and its tcEpoch.
//   public key of the sender, drawn for this envelope (32) | content, enciphered (40) | MAC (32)
import { macUnderKey, ownSecret, putName } from './secret';
import { equal32 } from './sha256';
import { x25519, x25519Public } from './x25519';

export const CONTENT_BYTES: i32 = 40;
export const ENVELOPE_BYTES: i32 = 32 + 40 + 32;

const SECRET: usize = memory.data(32);
const SHARED: usize = memory.data(32);
const KEY: usize = memory.data(32);
const STREAM: usize = memory.data(64);
const WORK: usize = memory.data(128);

/** The key to which envelopes are made, to `to` (32 bytes). */
export function envelopeKey(to: usize): void {
  ownSecret('tc-envelope-agreement-v1', SECRET);
  x25519Public(SECRET, to);
  memory.fill(SECRET, 0, 32);
}

/** HMAC under KEY of a number and `length` bytes to `to`. */
function derive(number: u8, at: usize, length: i32, to: usize): void {
  store<u8>(WORK, number);
  memory.copy(WORK + 1, at, length);
  macUnderKey(KEY, WORK, 1 + length, to);
}

/** Opens an envelope: its content to `out` (64 bytes of room). False: it is damaged, or not for this component. */
export function openEnvelope(envelope: usize, out: usize): bool {
  ownSecret('tc-envelope-agreement-v1', SECRET);
  let good = x25519(SECRET, envelope, SHARED);
  const at = WORK + putName('tc-envelope-v1', WORK);
  memory.copy(at, envelope, 32);
  x25519Public(SECRET, at + 32);
  macUnderKey(SHARED, WORK, <i32>(at + 64 - WORK), KEY);
  derive(3, envelope, 32 + CONTENT_BYTES, STREAM);
  good = equal32(STREAM, envelope + 32 + CONTENT_BYTES) && good;
  derive(1, 0, 0, STREAM);
  derive(2, 0, 0, STREAM + 32);
  for (let i: usize = 0; good && i < <usize>CONTENT_BYTES; i++)
    store<u8>(out + i, load<u8>(envelope + 32 + i) ^ load<u8>(STREAM + i));
  memory.fill(SECRET, 0, 32);
  memory.fill(SHARED, 0, 32);
  memory.fill(KEY, 0, 32);
  memory.fill(STREAM, 0, 64);
  return good;
}

// @ts-nocheck AssemblyScript has other types; its own compiler checks them.
// Secrets that follow from the component's own key, so that none is ever kept in a record, and MACs under them.
import { authenticateTo, epochAt, tcIdAt } from './component';
import { loadMacKey, mac, saveMacKey, setMacKey, sha256 } from './sha256';

const OWN: usize = memory.data(64);
const LABEL: usize = memory.data(64);
const SEAL: usize = memory.data(64);

/** HMAC-SHA-256 under a key of 32 bytes to `to`; the key in force stays in force. */
export function macUnderKey(key: usize, at: usize, length: i32, to: usize): void {
  saveMacKey(OWN);
  setMacKey(key, 32);
  mac(at, length, to);
  loadMacKey(OWN);
  memory.fill(OWN, 0, 64);
}

/** Writes the characters of a name (ASCII) to `to`; gives their number. */
export function putName(name: string, to: usize): i32 {
  const length = name.length;
  for (let index: i32 = 0; index < length; index++) store<u8>(to + index, name.charCodeAt(index));
  return length;
}

/**
 * A secret of this component and tcEpoch to `to` (32 bytes): the digest of its own seal over a name. Seals are a function
 * of what they seal (HMAC, Ed25519), so it is the same after a restart. Nobody else has that seal: a statement has 136
 * bytes and evidence 32, this has neither. At most 40 characters.
 */
export function ownSecret(name: string, to: usize): void {
  const length = putName(name, LABEL);
  memory.copy(LABEL + length, tcIdAt(), 16);
  memory.copy(LABEL + length + 16, epochAt(), 8);
  sealedSecret(length + 24, to);
}

/** HMAC suite: a secret that all members of the group have, and nobody else, to `to` (32 bytes). */
export function groupSecret(name: string, to: usize): void {
  sealedSecret(putName(name, LABEL), to);
}

function sealedSecret(length: i32, to: usize): void {
  sha256(SEAL, authenticateTo(LABEL, length, SEAL), to);
  memory.fill(SEAL, 0, 64);
}

// @ts-nocheck AssemblyScript has other types; its own compiler checks them.
// Who a group of components is: ids, tcEpochs and keys, what two of them share in secret, and whose certificate one is.
// The list comes from the host, who may make one up: then it has another digest, and with it other session keys and
// other statements, so that components with the true list have nothing to do with it.
import { epochAt, statementAt, tcIdAt } from './component';
import { readBytes, readU32, readU8, STATEMENT_BYTES, take, takenLength } from './frames';
import { check } from './host';
import { groupSecret, ownSecret, putName } from './secret';
import { equal32, mac, sha256 } from './sha256';
import { x25519, x25519Public } from './x25519';

/** Members of a group, at most. */
export const MEMBERS_MAX: i32 = 25;

/** A member: tcId (16) | tcEpoch (8) | public key (32) | what it and this component alone can compute (32). */
const MEMBER_BYTES: usize = 88;
const AT_KEY: usize = 24;
const AT_PAIR: usize = 56;
const MEMBERS: usize = memory.data(25 * 88);
const NEXT: usize = memory.data(25 * 88);
/** What the digest of a group is made from: name (17) | version (4) | members (1) | their ids, tcEpochs and keys. */
const LIST: usize = memory.data(17 + 5 + 25 * 56);
const GROUP: usize = memory.data(32);
const NEXT_GROUP: usize = memory.data(32);
const SECRET: usize = memory.data(32);
const WORK: usize = memory.data(64);
const DIGEST: usize = memory.data(32);
/** The statement by which a member certifies its agreement key. */
const PROOF: usize = memory.data(136);
const TAG: usize = memory.data(32);

const SUITE_HMAC: u8 = 1;
const KIND_PLAIN: u8 = 4;

let count: i32 = 0;
let own: i32 = 0;
let version: u32 = 0;
let nextCount: i32 = 0;
let nextOwn: i32 = -1;
let nextVersion: u32 = 0;

/** Members in force; 0: none were enrolled. */
export function memberCount(): i32 {
  return count;
}

/** Place of this component among them. */
export function ownPlace(): i32 {
  return own;
}

/** More than half of the members. */
export function quorum(): i32 {
  return (count >> 1) + 1;
}

/** Digest of the group in force (32 bytes). */
export function groupAt(): usize {
  return GROUP;
}

/** tcId of a member. */
export function memberAt(place: i32): usize {
  return MEMBERS + <usize>place * MEMBER_BYTES;
}

/** What a member and this component alone can compute (32 bytes). */
export function pairAt(place: i32): usize {
  return memberAt(place) + AT_PAIR;
}

/** True: all members have the key of the group. */
export function isHmacGroup(): bool {
  return load<u8>(statementAt() + 5) == SUITE_HMAC;
}

/** The digest that certifies an agreement key, to `to`. */
export function agreementDigest(key: usize, to: usize): void {
  const length = putName('tc-share-key-v1', WORK);
  memory.copy(WORK + length, key, 32);
  sha256(WORK, length + 32, to);
}

/** The own agreement key to `to`. */
export function ownAgreementKey(to: usize): void {
  ownSecret('tc-share-agreement-v1', SECRET);
  x25519Public(SECRET, to);
  memory.fill(SECRET, 0, 32);
}

/** Whether a key is the one that its id is made of. */
function isIdOf(member: usize): bool {
  const length = putName('tc-id-v1', WORK);
  store<u8>(WORK + length, load<u8>(statementAt() + 5));
  memory.copy(WORK + length + 1, member + AT_KEY, 32);
  sha256(WORK, length + 33, DIGEST);
  return load<u64>(DIGEST) == load<u64>(member) && load<u64>(DIGEST + 8) == load<u64>(member + 8);
}

/** Reads keys of a member; true if it has certified its agreement key for this object and the keys agree. */
function readKeys(member: usize, object: u64): bool {
  const publicKey = take(32);
  const agreementKey = take(32);
  const authenticator = take(64);
  memory.copy(member + AT_KEY, publicKey, 32);
  memory.copy(PROOF, statementAt(), 8);
  store<u8>(PROOF + 4, KIND_PLAIN);
  store<u8>(PROOF + 6, 0);
  memory.copy(PROOF + 8, member, 24);
  memory.fill(PROOF + 32, 0, 104);
  store<u64>(PROOF + 32, object);
  agreementDigest(agreementKey, PROOF + 56);
  if (!isIdOf(member) || check(publicKey, PROOF, STATEMENT_BYTES, authenticator) == 0) return false;
  ownSecret('tc-share-agreement-v1', SECRET);
  const agrees = x25519(SECRET, agreementKey, member + AT_PAIR);
  memory.fill(SECRET, 0, 32);
  return agrees;
}

function isTwice(place: i32): bool {
  const member = NEXT + <usize>place * MEMBER_BYTES;
  for (let other = NEXT; other < member; other += MEMBER_BYTES)
    if (load<u64>(other) == load<u64>(member) && load<u64>(other + 8) == load<u64>(member + 8)) return true;
  return false;
}

/**
 * Reads a list of members, aside: version (4) | members (1) | of each tcId (16) | tcEpoch (8), and with signatures
 * public key (32) | agreement key (32) | signature (64). True: it is a later version, right, and this component is in it.
 */
export function readMembers(object: u64): bool {
  nextVersion = readU32();
  nextCount = readU8();
  nextOwn = -1;
  if (nextVersion <= version || nextCount < 1 || nextCount > MEMBERS_MAX) return false;
  let at = LIST + putName('tc-share-group-v1', LIST);
  store<u32>(at, bswap<u32>(nextVersion));
  store<u8>(at + 4, nextCount);
  at += 5;
  for (let place: i32 = 0; place < nextCount; place++) {
    const member = NEXT + <usize>place * MEMBER_BYTES;
    memory.fill(member, 0, MEMBER_BYTES);
    memory.copy(member, take(24), 24);
    if (isHmacGroup()) groupSecret('tc-share-group-key-v1', member + AT_PAIR);
    else if (!readKeys(member, object)) return false;
    if (isTwice(place)) return false;
    const isOwn = load<u64>(member) == load<u64>(tcIdAt()) && load<u64>(member + 8) == load<u64>(tcIdAt() + 8);
    if (isOwn && load<u64>(member + 16) == load<u64>(epochAt())) nextOwn = place;
    memory.copy(at, member, AT_PAIR);
    at += AT_PAIR;
  }
  sha256(LIST, <i32>(at - LIST), NEXT_GROUP);
  return nextOwn >= 0;
}

/** Puts the list in force that was read last. */
export function adoptMembers(): void {
  memory.copy(MEMBERS, NEXT, 25 * 88);
  memory.copy(GROUP, NEXT_GROUP, 32);
  count = nextCount;
  own = nextOwn;
  version = nextVersion;
}

/** Forgets all members. */
export function forgetMembers(): void {
  memory.fill(MEMBERS, 0, 25 * 88);
  memory.fill(NEXT, 0, 25 * 88);
  count = 0;
  version = 0;
}

/** Reads statement (136) and authenticator; gives the member whose certificate it is, -1 if it is none of this object. */
export function readCertificate(statement: usize, object: u64, kind: i32): i32 {
  memory.copy(statement, take(STATEMENT_BYTES), STATEMENT_BYTES);
  const authenticator = readBytes(64);
  const length = takenLength();
  const isOfKind =
    load<u32>(statement) == load<u32>(statementAt()) &&
    load<u8>(statement + 4) == <u8>kind &&
    load<u8>(statement + 5) == load<u8>(statementAt() + 5) &&
    load<u8>(statement + 7) == 0 &&
    load<u64>(statement + 32) == object;
  if (!isOfKind) return -1;
  for (let place: i32 = 0; place < count; place++) {
    const member = memberAt(place);
    let difference: u64 = 0;
    for (let i: usize = 0; i < 24; i += 8) difference |= load<u64>(member + i) ^ load<u64>(statement + 8 + i);
    if (difference != 0) continue;
    if (isHmacGroup()) {
      mac(statement, STATEMENT_BYTES, TAG);
      const isRight = length == 32 && equal32(TAG, authenticator);
      memory.fill(TAG, 0, 32);
      return isRight ? place : -1;
    }
    return length == 64 && check(member + AT_KEY, statement, STATEMENT_BYTES, authenticator) != 0 ? place : -1;
  }
  return -1;
}

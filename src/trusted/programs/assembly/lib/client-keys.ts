// @ts-nocheck AssemblyScript has other types; its own compiler checks them.
// Trusted MACs of requests (src/crypto/request-mac.ts). The component gives a client the key that follows from the root
// for the client's own id, to a one-time key that the client signed, and says whether tags are right. It makes no tag and
// shows none, so its host can neither make nor learn what a client did not send.
import {
  BAD_AUTH,
  BAD_REQUEST,
  MODE,
  OP_EXPORT_CLIENT_KEY,
  OP_VERIFY_TAGS,
  readDone,
  readU32,
  fail,
  reserve,
  take,
  writeError,
  writeRaw,
  writeU32,
  writeU8,
} from './frames';
import { check, clientRoot } from './host';
import { macUnderKey, putName } from './secret';
import { equal32, loadMacKey, mac, saveMacKey, setMacKey, sha256 } from './sha256';
import { x25519, x25519Public } from './x25519';

/** Claims of one request. */
const CLAIMS_MAX: u32 = 256;
/** client id (32) | version (4) | digest (32) | tag (32) */
const CLAIM_BYTES: i32 = 100;
/** client id and version: whom a key is for. */
const NAME_BYTES: i32 = 36;

const ROOT: usize = memory.data(32);
/** Whose key was used last, and that key in force. */
const KEPT: usize = memory.data(40);
const KEPT_KEY: usize = memory.data(64);
const OWN: usize = memory.data(64);
const WORK: usize = memory.data(256);
const NAME: usize = memory.data(36);
const KEY: usize = memory.data(32);
const SECRET: usize = memory.data(32);
const SHARED: usize = memory.data(32);
const SEALED: usize = memory.data(64);
const TAG: usize = memory.data(32);
const ONE: usize = memory.data(1);

let hasRoot: bool = false;
let isKept: bool = false;

/** Takes the root from the footprint, if there is one. */
export function adoptClientRoot(): void {
  hasRoot = clientRoot(ROOT) == 32;
}

/** The key for whom `name` says, to `to`. */
function clientKey(name: usize, to: usize): void {
  const at = WORK + putName('req', WORK);
  memory.copy(at, name, NAME_BYTES);
  store<u8>(at + NAME_BYTES, 1);
  macUnderKey(ROOT, WORK, <i32>(at + NAME_BYTES + 1 - WORK), to);
}

/** Puts the key for whom `name` says in force; claims of one client mostly come together. */
function putInForce(name: usize): void {
  if (isKept && memory.compare(KEPT, name, NAME_BYTES) == 0) return;
  clientKey(name, KEY);
  setMacKey(KEY, 32);
  memory.fill(KEY, 0, 32);
  memory.copy(KEPT, name, NAME_BYTES);
  saveMacKey(KEPT_KEY);
  isKept = true;
}

/** Answers `verifyTags`. The right tag of what the caller made up stays in here. */
export function answerVerifyTags(): void {
  const count = readU32();
  if (count == 0 || count > CLAIMS_MAX) fail();
  const claims = take(<i32>count * CLAIM_BYTES);
  if (!readDone()) return writeError(BAD_REQUEST, 'not a canonical TCS1 request');
  if (!hasRoot) return writeError(MODE, 'this component belongs to no group that has keys of clients');
  writeU8(OP_VERIFY_TAGS);
  writeU32(count);
  const length = <i32>((count + 7) >> 3);
  const bits = reserve(length);
  memory.fill(bits, 0, length);
  saveMacKey(OWN);
  if (isKept) loadMacKey(KEPT_KEY);
  for (let index: u32 = 0; index < count; index++) {
    const claim = claims + <usize>index * <usize>CLAIM_BYTES;
    putInForce(claim);
    mac(claim + NAME_BYTES, 32, TAG);
    const byte = bits + <usize>(index >> 3);
    const bit: i32 = 1 << <i32>(index & 7);
    if (equal32(TAG, claim + NAME_BYTES + 32)) store<u8>(byte, load<u8>(byte) | <u8>bit);
  }
  memory.fill(TAG, 0, 32);
  loadMacKey(OWN);
  memory.fill(OWN, 0, 64);
}

/** Digest that the client signed to `to`: u32 length | domain tag | cluster, membership (40) | key (32) | version (4). */
function queryDigest(scope: usize, agreement: usize, version: usize, to: usize): void {
  const length = putName('moiety/client/ENVELOPE-KEY/v1', WORK + 4);
  store<u32>(WORK, bswap<u32>(length));
  const at = WORK + 4 + length;
  memory.copy(at, scope, 40);
  memory.copy(at + 40, agreement, 32);
  memory.copy(at + 72, version, 4);
  sha256(WORK, <i32>(at + 76 - WORK), to);
}

/** Writes the name of envelopes, the keys and whom it is for to WORK; gives the length. */
function putContext(first: usize, second: usize): i32 {
  let at = WORK + putName('moiety-client-envelope-v1', WORK);
  if (first != 0) {
    memory.copy(at, first, 32);
    at += 32;
  }
  memory.copy(at, second, 32);
  memory.copy(at + 32, NAME, NAME_BYTES);
  return <i32>(at + 32 + NAME_BYTES - WORK);
}

/** The envelope of the key for NAME to `agreement`: public key and content to SEALED, its MAC to TAG. */
function seal(agreement: usize): bool {
  macUnderKey(ROOT, WORK, putContext(0, agreement), SECRET);
  x25519Public(SECRET, SEALED);
  const good = x25519(SECRET, agreement, SHARED);
  macUnderKey(SHARED, WORK, putContext(SEALED, agreement), KEY);
  clientKey(NAME, SEALED + 32);
  store<u8>(ONE, 1);
  macUnderKey(KEY, ONE, 1, TAG);
  for (let i: usize = 0; i < 32; i++) store<u8>(SEALED + 32 + i, load<u8>(SEALED + 32 + i) ^ load<u8>(TAG + i));
  store<u8>(WORK, 2);
  memory.copy(WORK + 1, SEALED, 64);
  macUnderKey(KEY, WORK, 65, TAG);
  memory.fill(SECRET, 0, 32);
  memory.fill(SHARED, 0, 32);
  memory.fill(KEY, 0, 32);
  return good;
}

/** Answers `exportClientKey`. */
export function answerExportClientKey(): void {
  const publicKey = take(32);
  const version = take(4);
  const scope = take(40);
  const agreement = take(32);
  const signature = take(64);
  // The membership is a safe integer (2^53 and above are refused everywhere).
  if (!readDone() || bswap<u64>(load<u64>(scope + 32)) >= 1 << 53)
    return writeError(BAD_REQUEST, 'not a canonical TCS1 request');
  if (!hasRoot) return writeError(MODE, 'this component belongs to no group that has keys of clients');
  queryDigest(scope, agreement, version, TAG);
  if (check(publicKey, TAG, 32, signature) == 0) return writeError(BAD_AUTH, 'the client did not sign this');
  sha256(publicKey, 32, NAME);
  memory.copy(NAME + 32, version, 4);
  if (!seal(agreement)) return writeError(BAD_AUTH, 'no key to which anything can be sealed');
  writeU8(OP_EXPORT_CLIENT_KEY);
  writeRaw(SEALED, 64);
  writeRaw(TAG, 32);
}

// @ts-nocheck AssemblyScript has other types; its own compiler checks them.
// USIG (MinBFT): one counter. Each certificate is the next value, each value goes to one digest, and the last 64 can be
// had again after a crash of the replica. The caller is the host: it may call anything in any order. It cannot get a
// second statement for a value, as `certify` is the only way to an ADVANCE, and it counts first.
import {
  adoptKey,
  answerAttest,
  answerVerify,
  epochAt,
  keepsRecords,
  KIND_ADVANCE,
  replaceOwnKey,
  setStatement,
  writeAuthenticator,
  writeIdentity,
} from './lib/component';
import { adoptClientRoot, answerExportClientKey, answerVerifyTags } from './lib/client-keys';
import {
  BAD_REQUEST,
  CORE_BYTES_MAX,
  NOT_READY,
  NO_OBJECT,
  OP_ATTEST,
  OP_CERTIFY,
  OP_EXPORT_CLIENT_KEY,
  OP_IDENTIFY,
  OP_RECENT,
  OP_RENEW,
  OP_VERIFY,
  OP_VERIFY_TAGS,
  OVERFLOW,
  readBytes,
  readDone,
  readFrom,
  readObject,
  readU32,
  readU8,
  readValue,
  RECENT_DEPTH,
  SAFE_INTEGER_END,
  STORAGE,
  take,
  takenLength,
  writeBytes,
  writeError,
  writeRaw,
  writeTo,
  written,
  writeU32,
  writeU64,
  writeU8,
} from './lib/frames';
import { persist } from './lib/host';

const INPUT_BYTES: i32 = 26624;
const INPUT: usize = memory.data(26624);
const OUTPUT: usize = memory.data(280 * 1024);

/** A record: tcEpoch (8) | counter (8) | digest (32) | length (4) | core. The slots of `recent` hold the same. */
const RECORD_HEAD: i32 = 52;
const SLOT_BYTES: usize = 52 + 4096;
const RECENT: usize = memory.data(64 * 4148);

/** 01 01 00 00 00 00 00 00 as it lies in memory. */
const OBJECT: u64 = 0x0101;
const NAME = 'usig';
const NOT_CANONICAL = 'not a canonical TCS1 request';

let counter: u64 = 0;
/** Records kept since the tcEpoch began or the start, at most as many as there are slots. */
let known: i32 = 0;
let ready: bool = false;
let started: bool = false;

/** Where the footprint puts bytes, and how many may be put there. */
export function input(): usize {
  return INPUT;
}
export function inputBytes(): i32 {
  return INPUT_BYTES;
}
/** Where answers are. */
export function output(): usize {
  return OUTPUT;
}

/** Takes the key block at INPUT, once. 1: started. */
export function start(length: i32): i32 {
  if (started) return 0;
  started = true;
  ready = adoptKey(INPUT, length);
  memory.fill(INPUT, 0, INPUT_BYTES);
  adoptClientRoot();
  return ready ? 1 : 0;
}

function slotOf(value: u64): usize {
  return RECENT + <usize>((value - 1) % RECENT_DEPTH) * SLOT_BYTES;
}

/** These records are not its own: it says no more than who it is until it is renewed, not even what it read so far. */
function refuseRecords(): void {
  ready = false;
  counter = 0;
  known = 0;
}

/** Takes one record of the own tcEpoch at INPUT, oldest first, before anything is handled. 0: it is not the next one. */
export function restore(length: i32): i32 {
  readFrom(INPUT, length);
  const epoch = take(8);
  const value = readValue();
  take(32);
  readBytes(CORE_BYTES_MAX);
  const isNext = ready && readDone() && value > 0 && load<u64>(epoch) == load<u64>(epochAt());
  if (!isNext || (known > 0 && value != counter + 1)) {
    refuseRecords();
    return 0;
  }
  memory.copy(slotOf(value), INPUT, length);
  counter = value;
  if (known < RECENT_DEPTH) known++;
  return 1;
}

/** All records are in. A run of them that neither begins at 1 nor fills `recent` is not of this component. */
function checkRestored(): void {
  if (known > 0 && known < RECENT_DEPTH && counter != <u64>known) refuseRecords();
  restored = true;
}
let restored: bool = false;

function certify(): void {
  const object = readObject();
  const digest = take(32);
  const core = readBytes(CORE_BYTES_MAX);
  const coreLength = takenLength();
  if (!readDone()) return writeError(BAD_REQUEST, NOT_CANONICAL);
  if (!ready) return writeError(NOT_READY, 'the stored records are not of this component');
  if (object != OBJECT) return writeError(NO_OBJECT, 'a USIG has one counter only');
  const previous = counter;
  const value = previous + 1;
  if (value >= SAFE_INTEGER_END) return writeError(OVERFLOW, 'the counter is used up');
  // The slot of the value 64 below is given up only when the new record is kept: it is built aside in OUTPUT.
  store<u64>(OUTPUT, load<u64>(epochAt()));
  store<u64>(OUTPUT + 8, bswap<u64>(value));
  memory.copy(OUTPUT + 16, digest, 32);
  store<u32>(OUTPUT + 48, bswap<u32>(coreLength));
  memory.copy(OUTPUT + RECORD_HEAD, core, coreLength);
  if (keepsRecords() && persist(OUTPUT, RECORD_HEAD + coreLength) == 0)
    return writeError(STORAGE, 'cannot keep a record');
  // From here on the value is used, whatever happens to the answer.
  counter = value;
  if (known < RECENT_DEPTH) known++;
  memory.copy(slotOf(value), OUTPUT, RECORD_HEAD + coreLength);
  setStatement(KIND_ADVANCE, OBJECT, previous, value, digest);
  writeU8(OP_CERTIFY);
  writeRaw(epochAt(), 8);
  writeU64(previous);
  writeU64(value);
  writeRaw(digest, 32);
  writeAuthenticator();
}

function recent(): void {
  const object = readObject();
  const count = readU32();
  if (!readDone()) return writeError(BAD_REQUEST, NOT_CANONICAL);
  if (object != OBJECT) return writeError(NO_OBJECT, 'a USIG has one counter only');
  const shown: u64 = count < <u32>known ? count : known;
  writeU8(OP_RECENT);
  writeU32(<u32>shown);
  // The same statement under the same key: the same certificate again, never a second one for its value.
  for (let value = counter - shown + 1; value <= counter; value++) {
    const slot = slotOf(value);
    setStatement(KIND_ADVANCE, OBJECT, value - 1, value, slot + 16);
    writeU64(value);
    writeRaw(slot + 16, 32);
    writeAuthenticator();
    writeBytes(slot + RECORD_HEAD, bswap<u32>(load<u32>(slot + 48)));
  }
}

function renew(): void {
  if (!readDone()) return writeError(BAD_REQUEST, NOT_CANONICAL);
  if (!replaceOwnKey()) return;
  counter = 0;
  known = 0;
  ready = true;
  writeIdentity(OP_RENEW, NAME, 0);
}

/** Answers the request of `length` bytes at INPUT; gives the length of the answer at OUTPUT. */
export function handle(length: i32): i32 {
  if (!restored) checkRestored();
  readFrom(INPUT, length);
  writeTo(OUTPUT);
  const op = length > INPUT_BYTES ? 0 : readU8();
  if (op == OP_CERTIFY) certify();
  else if (op == OP_RECENT) recent();
  else if (op == OP_RENEW) renew();
  else if (op == OP_VERIFY) answerVerify();
  else if (op == OP_ATTEST) answerAttest();
  else if (op == OP_VERIFY_TAGS) answerVerifyTags();
  else if (op == OP_EXPORT_CLIENT_KEY) answerExportClientKey();
  else if (op == OP_IDENTIFY && readDone()) writeIdentity(OP_IDENTIFY, NAME, counter);
  else writeError(BAD_REQUEST, NOT_CANONICAL);
  return written();
}

// @ts-nocheck AssemblyScript has other types; its own compiler checks them.
// A2M: attested append-only memory. Logs whose slots are given once: to an entry, or, by being skipped, to nothing. The
// caller is the host. It may ask for anything in any order and never gets two answers about one slot that contradict
// each other, save "not yet assigned", which carries the asker's nonce. A slot is written before its certificate exists.
import {
  adoptKey,
  answerAttest,
  answerVerify,
  beginCertificates,
  epochAt,
  keepsRecords,
  KIND_LOG_END,
  KIND_LOG_ENTRY,
  KIND_LOG_FORGOTTEN,
  KIND_LOG_GAP,
  KIND_LOG_UNASSIGNED,
  replaceOwnKey,
  setAux,
  setNonce,
  setStatement,
  statementAt,
  writeCertificate,
  writeDone,
  writeIdentity,
} from './lib/component';
import {
  BAD_REQUEST,
  EXISTS,
  MODE,
  NOT_MONOTONIC,
  NOT_READY,
  NO_OBJECT,
  OP_ADVANCE_LOG,
  OP_APPEND,
  OP_ATTEST,
  OP_CREATE,
  OP_END,
  OP_IDENTIFY,
  OP_LOOKUP,
  OP_RENEW,
  OP_TRUNCATE,
  OP_VERIFY,
  OVERFLOW,
  QUOTA,
  readDone,
  readFrom,
  readObject,
  readU8,
  readValue,
  SAFE_INTEGER_END,
  STORAGE,
  take,
  writeError,
  writeRaw,
  writeTo,
  written,
  writeU64,
  writeU8,
} from './lib/frames';
import { persist } from './lib/host';
import { sha256 } from './lib/sha256';

/** Logs of a component, and slots that a log keeps; a full log refuses to grow until it is truncated. */
const LOGS_MAX: i32 = 8;
const SLOTS_MAX: u32 = 256;

/** A slot: number (8) | assigned slot before it (8) | entry (32) | history digest (32). */
const SLOT_BYTES: usize = 80;
/** A log: object (8) | mode (8) | lowest kept slot (8) | its last slot as a slot (80) | slots kept (4) | first (4). */
const HEAD_BYTES: usize = 112;
const AT_MODE: usize = 8;
const AT_LOWEST: usize = 16;
const AT_LAST: usize = 24;
const AT_COUNT: usize = 104;
const AT_FIRST: usize = 108;
const LOG_BYTES: usize = 112 + 256 * 80;
const LOGS: usize = memory.data(8 * (112 + 256 * 80));

/** An image: tag (1) | tcEpoch (8) | changes (8) | logs (1), then for each log its head and its slots. */
const IMAGE_HEAD: i32 = 18;
const INPUT_BYTES: i32 = 18 + 8 * (112 + 256 * 80);
const REQUEST_BYTES: i32 = 4352;
const INPUT: usize = memory.data(18 + 8 * (112 + 256 * 80));
const OUTPUT: usize = memory.data(18 + 8 * (112 + 256 * 80));

/** Records: tag (1) | tcEpoch (8) | number of the change (8) | object (8) | mode, slot, or slot, entry and digest. */
const TAG_IMAGE: u8 = 0;
const TAG_SLOT: u8 = 1;
const TAG_CREATE: u8 = 2;
const TAG_TRUNCATE: u8 = 3;
const RECORD: usize = memory.data(104);
/** What a history digest is made from: slot (8) | entry (32) | digest before (32). */
const STEP: usize = memory.data(72);
const HISTORY: usize = memory.data(32);
const ZERO: usize = memory.data(32);

const CLASS_LOG: u64 = 2;
const MODE_JUMP: i32 = 2;
const MODE_STRICT: i32 = 3;
const FLAG_STRICT: u8 = 8;
const NAME = 'a2m';
const NOT_CANONICAL = 'not a canonical TCS1 request';
const NO_LOG = 'no such log';
const NOT_KEPT = 'cannot keep a record';

let logs: i32 = 0;
/** Changes under this tcEpoch: each one is a record. */
let changes: u64 = 0;
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
  memory.fill(INPUT, 0, 160);
  return ready ? 1 : 0;
}

function logAt(index: i32): usize {
  return LOGS + <usize>index * LOG_BYTES;
}

function findLog(object: u64): usize {
  for (let index: i32 = 0; index < logs; index++) if (load<u64>(logAt(index)) == object) return logAt(index);
  return 0;
}

function isStrict(log: usize): bool {
  return load<u64>(log + AT_MODE) == MODE_STRICT;
}

function lastSlot(log: usize): u64 {
  return load<u64>(log + AT_LAST);
}

/** The kept slot of this position, oldest first. */
function slotAt(log: usize, position: u32): usize {
  const index = (load<u32>(log + AT_FIRST) + position) % SLOTS_MAX;
  return log + HEAD_BYTES + <usize>index * SLOT_BYTES;
}

function makeLog(object: u64, mode: u64): void {
  const log = logAt(logs);
  memory.fill(log, 0, LOG_BYTES);
  store<u64>(log, object);
  store<u64>(log + AT_MODE, mode);
  store<u64>(log + AT_LOWEST, 1);
  logs++;
}

function writeSlot(log: usize, slot: u64, entry: usize, history: usize): void {
  const last = log + AT_LAST;
  store<u64>(last + 8, load<u64>(last));
  store<u64>(last, slot);
  memory.copy(last + 16, entry, 32);
  memory.copy(last + 48, history, 32);
  const count = load<u32>(log + AT_COUNT);
  memory.copy(slotAt(log, count), last, SLOT_BYTES);
  store<u32>(log + AT_COUNT, count + 1);
}

function forgetBelow(log: usize, slot: u64): void {
  while (load<u32>(log + AT_COUNT) > 0 && load<u64>(slotAt(log, 0)) < slot) {
    store<u32>(log + AT_FIRST, (load<u32>(log + AT_FIRST) + 1) % SLOTS_MAX);
    store<u32>(log + AT_COUNT, load<u32>(log + AT_COUNT) - 1);
  }
  store<u64>(log + AT_LOWEST, slot);
}

/** Takes an image that the reader stands in: its logs as they are in memory. */
function restoreImage(): bool {
  if (changes > 0 || logs > 0) return false;
  const number = readValue();
  const count = readU8();
  if (count > LOGS_MAX) return false;
  for (let index: i32 = 0; index < count; index++) {
    const head = take(<i32>HEAD_BYTES);
    const slots = load<u32>(head + AT_COUNT);
    if (slots > SLOTS_MAX || load<u32>(head + AT_FIRST) != 0) return false;
    const body = take(<i32>(slots * <u32>SLOT_BYTES));
    memory.copy(logAt(index), head, HEAD_BYTES);
    memory.copy(logAt(index) + HEAD_BYTES, body, slots * <u32>SLOT_BYTES);
  }
  if (!readDone()) return false;
  logs = count;
  changes = number;
  return true;
}

/** Takes the record of one change that the reader stands in. */
function restoreChange(tag: i32): bool {
  if (readValue() != changes + 1) return false;
  const object = readObject();
  const log = findLog(object);
  if (tag == TAG_CREATE) {
    const mode = readU8();
    if (!readDone() || log != 0 || logs == LOGS_MAX) return false;
    makeLog(object, mode);
  } else if (tag == TAG_TRUNCATE) {
    const slot = readValue();
    if (!readDone() || log == 0 || slot > lastSlot(log) + 1) return false;
    forgetBelow(log, slot);
  } else {
    const slot = readValue();
    const entry = take(32);
    const history = take(32);
    if (tag != TAG_SLOT || !readDone() || log == 0) return false;
    if (slot <= lastSlot(log) || load<u32>(log + AT_COUNT) == SLOTS_MAX) return false;
    writeSlot(log, slot, entry, history);
  }
  changes++;
  return true;
}

/** Takes one record of the own tcEpoch at INPUT, oldest first, before anything is handled. 0: it is not the next one. */
export function restore(length: i32): i32 {
  readFrom(INPUT, length);
  const tag = readU8();
  const epoch = take(8);
  const isOwn = ready && length >= IMAGE_HEAD && load<u64>(epoch) == load<u64>(epochAt());
  ready = isOwn && (tag == TAG_IMAGE ? restoreImage() : restoreChange(tag));
  return ready ? 1 : 0;
}

/** All logs as one record at OUTPUT; gives its length. */
export function image(): i32 {
  if (!ready) return 0;
  writeTo(OUTPUT);
  writeU8(TAG_IMAGE);
  writeRaw(epochAt(), 8);
  writeU64(changes);
  writeU8(logs);
  for (let index: i32 = 0; index < logs; index++) {
    const log = logAt(index);
    const count = load<u32>(log + AT_COUNT);
    writeRaw(log, <i32>AT_FIRST);
    writeRaw(ZERO, 4);
    for (let position: u32 = 0; position < count; position++)
      writeRaw(slotAt(log, position), <i32>SLOT_BYTES);
  }
  return written();
}

/** Keeps the record of a change: its head, and what is at RECORD + 25 already. */
function keep(tag: u8, object: u64, length: i32): bool {
  store<u8>(RECORD, tag);
  store<u64>(RECORD + 1, load<u64>(epochAt()));
  store<u64>(RECORD + 9, bswap<u64>(changes + 1));
  store<u64>(RECORD + 17, object);
  if (keepsRecords() && persist(RECORD, 25 + length) == 0) {
    writeError(STORAGE, NOT_KEPT);
    return false;
  }
  // From here on it has happened, whatever becomes of the answer.
  changes++;
  return true;
}

/** The log of a request that was read to its end; 0 after having written the error. */
function logOf(object: u64): usize {
  if (!readDone()) {
    writeError(BAD_REQUEST, NOT_CANONICAL);
    return 0;
  }
  if (!ready) {
    writeError(NOT_READY, 'the stored records are not of this component');
    return 0;
  }
  const log = findLog(object);
  if (log == 0) writeError(NO_OBJECT, NO_LOG);
  return log;
}

/** Answers with one statement about a log. */
function say(log: usize, kind: i32, previous: u64, value: u64, digest: usize, history: usize, nonce: usize): void {
  setStatement(kind, load<u64>(log), previous, value, digest);
  if (history != 0) setAux(history);
  // A statement without a nonce is the same each time: what is final needs none.
  if (load<u64>(nonce) != 0 || load<u64>(nonce + 8) != 0) setNonce(nonce);
  if (isStrict(log)) store<u8>(statementAt() + 6, load<u8>(statementAt() + 6) | FLAG_STRICT);
  beginCertificates(1);
  writeCertificate();
}

function saySlot(log: usize, kind: i32, slot: usize, nonce: usize): void {
  say(log, kind, load<u64>(slot + 8), load<u64>(slot), slot + 16, slot + 48, nonce);
}

function create(): void {
  const object = readObject();
  const mode = readU8();
  if (!readDone() || mode < 1 || mode > MODE_STRICT) return writeError(BAD_REQUEST, NOT_CANONICAL);
  if (!ready) return writeError(NOT_READY, 'the stored records are not of this component');
  if ((object & 255) != CLASS_LOG || mode < MODE_JUMP) return writeError(MODE, 'logs have class 2, jump or strict');
  if (findLog(object) != 0) return writeError(EXISTS, 'a log is made once');
  if (logs == LOGS_MAX) return writeError(QUOTA, 'no room for another log');
  store<u8>(RECORD + 25, mode);
  if (!keep(TAG_CREATE, object, 1)) return;
  makeLog(object, mode);
  writeDone();
}

/** Gives a slot above all others to an entry; its history goes on from the digest at `base`. */
function assign(log: usize, slot: u64, base: usize, entry: usize): void {
  if (slot >= SAFE_INTEGER_END) return writeError(OVERFLOW, 'the log is used up');
  if (load<u32>(log + AT_COUNT) == SLOTS_MAX) return writeError(QUOTA, 'the log is full: truncate it');
  store<u64>(STEP, bswap<u64>(slot));
  memory.copy(STEP + 8, entry, 32);
  memory.copy(STEP + 40, base, 32);
  sha256(STEP, 72, HISTORY);
  store<u64>(RECORD + 25, bswap<u64>(slot));
  memory.copy(RECORD + 33, entry, 32);
  memory.copy(RECORD + 65, HISTORY, 32);
  if (!keep(TAG_SLOT, load<u64>(log), 72)) return;
  writeSlot(log, slot, entry, HISTORY);
  saySlot(log, KIND_LOG_ENTRY, log + AT_LAST, ZERO);
}

function append(): void {
  const object = readObject();
  const entry = take(32);
  const log = logOf(object);
  if (log != 0) assign(log, lastSlot(log) + 1, log + AT_LAST + 48, entry);
}

function advanceLog(): void {
  const object = readObject();
  const slot = readValue();
  const base = take(32);
  const entry = take(32);
  const log = logOf(object);
  if (log == 0) return;
  // Its base digest is the host's word: a strict log promises that its history has none of that.
  if (isStrict(log)) return writeError(MODE, 'a strict log has no gaps');
  if (slot <= lastSlot(log)) return writeError(NOT_MONOTONIC, 'the slot is given');
  assign(log, slot, base, entry);
}

/** The kept slot with the smallest number from `slot` on; there is one unless `slot` is above the last or forgotten. */
function firstFrom(log: usize, slot: u64): usize {
  let low: u32 = 0;
  let high: u32 = load<u32>(log + AT_COUNT) - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<u64>(slotAt(log, middle)) < slot) low = middle + 1;
    else high = middle;
  }
  return slotAt(log, low);
}

function lookup(): void {
  const object = readObject();
  const slot = readValue();
  const nonce = take(16);
  const log = logOf(object);
  if (log == 0) return;
  if (slot == 0) return writeError(BAD_REQUEST, 'slots begin at 1');
  const lowest = load<u64>(log + AT_LOWEST);
  const last = lastSlot(log);
  if (slot < lowest) return say(log, KIND_LOG_FORGOTTEN, slot, lowest, ZERO, 0, nonce);
  if (slot > last) return say(log, KIND_LOG_UNASSIGNED, last, slot, ZERO, 0, nonce);
  const found = firstFrom(log, slot);
  if (load<u64>(found) == slot) return saySlot(log, KIND_LOG_ENTRY, found, nonce);
  say(log, KIND_LOG_GAP, load<u64>(found + 8), load<u64>(found), ZERO, 0, nonce);
}

function end(): void {
  const object = readObject();
  const nonce = take(16);
  const log = logOf(object);
  if (log == 0) return;
  if (lastSlot(log) == 0) return say(log, KIND_LOG_END, 0, 0, ZERO, 0, nonce);
  saySlot(log, KIND_LOG_END, log + AT_LAST, nonce);
}

function truncate(): void {
  const object = readObject();
  const slot = readValue();
  const log = logOf(object);
  if (log == 0) return;
  if (slot > lastSlot(log) + 1) return writeError(NOT_MONOTONIC, 'slots that are not given cannot be forgotten');
  if (slot > load<u64>(log + AT_LOWEST)) {
    store<u64>(RECORD + 25, bswap<u64>(slot));
    if (!keep(TAG_TRUNCATE, object, 8)) return;
    forgetBelow(log, slot);
  }
  writeDone();
}

function renew(): void {
  if (!readDone()) return writeError(BAD_REQUEST, NOT_CANONICAL);
  if (!replaceOwnKey()) return;
  logs = 0;
  changes = 0;
  ready = true;
  writeIdentity(OP_RENEW, NAME, 0);
}

/** Answers the request of `length` bytes at INPUT; gives the length of the answer at OUTPUT. */
export function handle(length: i32): i32 {
  readFrom(INPUT, length);
  writeTo(OUTPUT);
  const op = length > REQUEST_BYTES ? 0 : readU8();
  if (op == OP_APPEND) append();
  else if (op == OP_LOOKUP) lookup();
  else if (op == OP_END) end();
  else if (op == OP_ADVANCE_LOG) advanceLog();
  else if (op == OP_TRUNCATE) truncate();
  else if (op == OP_CREATE) create();
  else if (op == OP_RENEW) renew();
  else if (op == OP_VERIFY) answerVerify();
  else if (op == OP_ATTEST) answerAttest();
  else if (op == OP_IDENTIFY && readDone()) writeIdentity(OP_IDENTIFY, NAME, changes);
  else writeError(BAD_REQUEST, NOT_CANONICAL);
  return written();
}

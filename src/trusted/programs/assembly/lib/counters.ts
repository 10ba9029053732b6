// @ts-nocheck AssemblyScript has other types; its own compiler checks them.
// Counters of TrInc, TrInX and CASH: up to 256 of them, named by the caller, and a queue of the last 64 certificates of
// all of them. Every change is one record, kept before anything changes; a certificate is made from its entry in the
// queue, at once and whenever it is asked for again, so it cannot come out different. The caller is the host: it may
// call anything in any order.
//
// STATE, which as it lies in memory is also the image:
//   0 program (1) | 1 type (1) | 2 zero (6) | 8 tcEpoch (8) | 16 records (8) | 24 counters ever created (8) |
//   32 certificates (8) | 40 counters (8) | 48 counters of 24 bytes | queue entries of 96 bytes
// A counter: id (8) | value (8) | mode (1) | closed (1) | session key (1) | zero (5).
// An entry: kind (1) | has aux (1) | session key (1) | zero (5) | id (8) | previous (8) | value (8) | digest (32) | aux (32).
// A record: program (1) | type (1) | tcEpoch (8) | its number (8) | what changed.
import {
  adoptKey,
  answerAttest,
  answerVerify,
  beginCertificates,
  epochAt,
  keepsRecords,
  KIND_ADVANCE,
  KIND_ADVANCE_NOPREV,
  KIND_CLOSED,
  KIND_STATUS,
  replaceOwnKey,
  setAux,
  setNonce,
  setStatement,
  statementAt,
  writeCertificate,
  writeDone,
  writeIdentity,
} from './component';
import {
  BAD_REQUEST,
  CLOSED,
  EXISTS,
  fail,
  MODE,
  NOT_MONOTONIC,
  NOT_READY,
  NO_OBJECT,
  OP_ATTEST,
  OP_IDENTIFY,
  OP_RENEW,
  OP_VERIFY,
  OVERFLOW,
  QUOTA,
  readDone,
  readFrom,
  readObject,
  readU32,
  readU8,
  readValue,
  reserve,
  SAFE_INTEGER_END,
  SENTINEL,
  STATEMENT_BYTES,
  STORAGE,
  take,
  writeError,
  writeRaw,
  writeTo,
  written,
  writeU32,
  writeU64,
  writeU8,
} from './frames';
import { persist } from './host';
import { loadMacKey, mac, saveMacKey, sha256 } from './sha256';

/** Counters of one tcEpoch, at most. */
const COUNTERS_MAX: u64 = 256;
/** Certificates in the queue. */
const QUEUE_DEPTH: u64 = 64;
const COUNTER_BYTES: usize = 24;
const ENTRY_BYTES: usize = 96;
const COUNTERS: usize = 48;
const QUEUE: usize = 48 + 256 * 24;
/** Bytes of the image of a program that adds nothing to it. */
export const STATE_BYTES: i32 = 48 + 256 * 24 + 64 * 96;

/** Room for an image of STATE and 4,096 bytes of the program's own; every request is shorter. */
const INPUT_BYTES: i32 = 48 + 256 * 24 + 64 * 96 + 4096;
const INPUT: usize = memory.data(48 + 256 * 24 + 64 * 96 + 4096);
const OUTPUT: usize = memory.data(20 * 1024);
const STATE: usize = memory.data(48 + 256 * 24 + 64 * 96);

const RECORD_HEAD: i32 = 18;
const RECORD_CREATE: i32 = 1;
const RECORD_MOVES: i32 = 2;
/** Type of records that only one program makes. */
export const RECORD_OWN: i32 = 3;
const RECORD_IMAGE: i32 = 4;

/** A list of moves: u32 count, then id (8) | previous (8) | value (8) of each. Its bytes are what `aux` is the digest of. */
const MOVES_MAX: u32 = 16;
const MOVE_BYTES: usize = 24;
const MOVES: usize = memory.data(4 + 16 * 24);
const AUX: usize = memory.data(32);
const OWN_MAC_KEY: usize = memory.data(64);

/** Modes of a counter, as bits of what a program allows. */
export const STEP: i32 = 1;
export const JUMP: i32 = 2;
/** 01 00 00 00 00 00 00 00: how many counters were ever created; the queue of all of them. */
const META: u64 = 1;

export const NOT_CANONICAL: string = 'not a canonical TCS1 request';

let program: i32 = 0;
let ready: bool = false;
let started: bool = false;
/** Session keys, 64 bytes each as `saveMacKey` lays them; none unless the program has some. */
let sessions: usize = 0;
let sessionsMax: i32 = 0;

export function input(): usize {
  return INPUT;
}
export function inputBytes(): i32 {
  return INPUT_BYTES;
}
export function output(): usize {
  return OUTPUT;
}

/** Takes the key block at INPUT, once. `number` stands for the program in its records. */
export function begin(length: i32, number: i32): i32 {
  if (started) return 0;
  started = true;
  program = number;
  ready = adoptKey(INPUT, length);
  memory.fill(INPUT, 0, INPUT_BYTES);
  reset();
  return ready ? 1 : 0;
}

/** Session keys that counters can have. */
export function useSessions(at: usize, count: i32): void {
  sessions = at;
  sessionsMax = count;
}

function reset(): void {
  memory.fill(STATE, 0, STATE_BYTES);
  store<u8>(STATE, program);
  store<u8>(STATE + 1, RECORD_IMAGE);
  store<u64>(STATE + 8, load<u64>(epochAt()));
}

/** Whether nothing was kept under this tcEpoch so far. */
export function isNew(): bool {
  return load<u64>(STATE + 16) == 0;
}

/** Answers what is not about counters; false if it is something else. */
export function answerOther(op: i32, name: string): bool {
  if (op == OP_VERIFY) answerVerify();
  else if (op == OP_ATTEST) answerAttest();
  else if (op == OP_IDENTIFY && readDone()) writeIdentity(OP_IDENTIFY, name, load<u64>(STATE + 24));
  else if (op == OP_RENEW && readDone()) {
    if (!replaceOwnKey()) return true;
    reset();
    ready = true;
    writeIdentity(OP_RENEW, name, 0);
  } else return false;
  return true;
}

/** False, and the error is written, if the request was not canonical or the stored records are not of this component. */
export function mayAnswer(canonical: bool): bool {
  if (!canonical) writeError(BAD_REQUEST, NOT_CANONICAL);
  else if (!ready) writeError(NOT_READY, 'the stored records are not of this component');
  else return true;
  return false;
}

/** Begins the request of `length` bytes at INPUT; gives its operation. */
export function beginRequest(length: i32): i32 {
  readFrom(INPUT, length);
  writeTo(OUTPUT);
  return length > INPUT_BYTES ? 0 : readU8();
}

// Counters in memory

function counterAt(index: u64): usize {
  return STATE + COUNTERS + <usize>index * COUNTER_BYTES;
}

function counters(): u64 {
  return load<u64>(STATE + 40);
}

/** Address of a counter, or 0. */
export function find(id: u64): usize {
  const end = counterAt(counters());
  for (let at = STATE + COUNTERS; at < end; at += COUNTER_BYTES) if (load<u64>(at) == id) return at;
  return 0;
}

/** Its value. */
export function valueOf(counter: usize): u64 {
  return load<u64>(counter + 8);
}

/** Number of its session key, the first one is 1; 0: the component's own key. */
export function sessionOf(counter: usize): i32 {
  return load<u8>(counter + 18);
}
export function setSession(counter: usize, session: i32): void {
  store<u8>(counter + 18, session);
}

/** The highest number of a session key that a counter has. */
export function lastSession(): i32 {
  let last: i32 = 0;
  for (let index: u64 = 0; index < counters(); index++) last = max<i32>(last, sessionOf(counterAt(index)));
  return last;
}

/** Id of the counter with this session key, or 0. */
export function idOfSession(session: i32): u64 {
  for (let index: u64 = 0; index < counters(); index++)
    if (sessionOf(counterAt(index)) == session) return load<u64>(counterAt(index));
  return 0;
}

/** Address of a counter that can be used, or 0 and the error is written. */
export function findOpen(id: u64): usize {
  const counter = find(id);
  if (counter == 0) writeError(NO_OBJECT, 'no such counter');
  else if (load<u8>(counter + 17) != 0) writeError(CLOSED, 'the counter is closed');
  else return counter;
  return 0;
}

/** Keeps counters whose instance (last four bytes of the id) is at least `least`; forgets the others. */
export function forgetBelow(least: u32): void {
  let kept: u64 = 0;
  for (let index: u64 = 0; index < counters(); index++) {
    if (instanceOf(load<u64>(counterAt(index))) < least) continue;
    if (kept != index) memory.copy(counterAt(kept), counterAt(index), COUNTER_BYTES);
    kept++;
  }
  memory.fill(counterAt(kept), 0, <usize>(counters() - kept) * COUNTER_BYTES);
  store<u64>(STATE + 40, kept);
}

function instanceOf(id: u64): u32 {
  return bswap<u32>(<u32>(id >> 32));
}

/** The highest instance of all counters. */
export function lastInstance(): u32 {
  let last: u32 = 0;
  for (let index: u64 = 0; index < counters(); index++)
    last = max<u32>(last, instanceOf(load<u64>(counterAt(index))));
  return last;
}

function applyCreate(id: u64, mode: i32): void {
  const counter = counterAt(counters());
  store<u64>(counter, id);
  store<u8>(counter + 16, mode);
  store<u64>(STATE + 24, load<u64>(STATE + 24) + 1);
  store<u64>(STATE + 40, counters() + 1);
}

/** Makes the `index`-th of MOVES happen and puts its certificate into the queue. AUX is that of the list. */
function applyMove(index: u32, kind: i32, many: i32, digest: usize): void {
  const move = MOVES + 4 + <usize>index * MOVE_BYTES;
  const counter = find(load<u64>(move));
  const certificates = load<u64>(STATE + 32);
  const entry = STATE + QUEUE + <usize>(certificates % QUEUE_DEPTH) * ENTRY_BYTES;
  memory.fill(entry, 0, ENTRY_BYTES);
  store<u8>(entry, kind);
  store<u8>(entry + 1, many);
  store<u8>(entry + 2, sessionOf(counter));
  store<u64>(entry + 8, load<u64>(move));
  store<u64>(entry + 16, valueOf(counter));
  store<u64>(entry + 24, bswap<u64>(load<u64>(move + 16)));
  memory.copy(entry + 32, digest, 32);
  if (many) memory.copy(entry + 64, AUX, 32);
  store<u64>(STATE + 32, certificates + 1);
  if (kind == KIND_CLOSED) store<u8>(counter + 17, 1);
  else store<u64>(counter + 8, load<u64>(entry + 24));
}

// Records

/** Begins a record in OUTPUT. */
export function beginRecord(type: i32): void {
  writeTo(OUTPUT);
  writeU8(program);
  writeU8(type);
  writeRaw(epochAt(), 8);
  writeU64(load<u64>(STATE + 16) + 1);
}

/** Keeps the record in OUTPUT; false, and the error is written, if it cannot be kept. Nothing has changed so far. */
export function keepRecord(): bool {
  const kept = !keepsRecords() || persist(OUTPUT, written()) != 0;
  writeTo(OUTPUT);
  if (!kept) writeError(STORAGE, 'cannot keep a record');
  else store<u64>(STATE + 16, load<u64>(STATE + 16) + 1);
  return kept;
}

/** What `restoreRecord` found. */
export const RESTORE_REFUSED: i32 = 0;
export const RESTORE_DONE: i32 = 1;
/** A record of the program's own: it reads on and then calls `restored`. */
export const RESTORE_OWN: i32 = 2;
/** An image: the program's own bytes follow at INPUT + STATE_BYTES. */
export const RESTORE_IMAGE: i32 = 3;

/** Counts a restored record; one that is refused makes the component NOT_READY until it is renewed. */
export function restored(good: bool): i32 {
  if (good) store<u64>(STATE + 16, load<u64>(STATE + 16) + 1);
  else {
    ready = false;
    reset();
  }
  return good ? RESTORE_DONE : RESTORE_REFUSED;
}

/** Takes the record of `length` bytes at INPUT, whose image has `ownBytes` of the program's own. */
export function restoreRecord(length: i32, ownBytes: i32): i32 {
  readFrom(INPUT, length);
  const isOwn = readU8() == program;
  const type = readU8();
  if (!ready || !isOwn) return restored(false);
  if (type == RECORD_IMAGE) return restoreImage(length, ownBytes);
  const epoch = take(8);
  const number = readValue();
  if (load<u64>(epoch) != load<u64>(epochAt()) || number != load<u64>(STATE + 16) + 1) return restored(false);
  if (type == RECORD_CREATE) return restored(restoreCreate());
  if (type == RECORD_MOVES) return restored(restoreMoves());
  return type == RECORD_OWN ? RESTORE_OWN : restored(false);
}

function restoreCreate(): bool {
  const id = readObject();
  const mode = readU8();
  const good = readDone() && (mode == STEP || mode == JUMP) && find(id) == 0 && counters() < COUNTERS_MAX;
  if (good) applyCreate(id, mode);
  return good;
}

function restoreMoves(): bool {
  const kind = readU8();
  const many = readU8();
  const digest = take(32);
  const list = take(4);
  const count = bswap<u32>(load<u32>(list));
  if (count == 0 || count > MOVES_MAX || many > 1 || (!many && count > 1)) return false;
  if (kind != KIND_ADVANCE && kind != KIND_ADVANCE_NOPREV && kind != KIND_CLOSED) return false;
  take(<i32>count * <i32>MOVE_BYTES);
  if (!readDone()) return false;
  memory.copy(MOVES, list, 4 + <usize>count * MOVE_BYTES);
  sha256(MOVES, 4 + <i32>count * <i32>MOVE_BYTES, AUX);
  for (let index: u32 = 0; index < count; index++) {
    const move = MOVES + 4 + <usize>index * MOVE_BYTES;
    const counter = find(load<u64>(move));
    const value = bswap<u64>(load<u64>(move + 16));
    if (counter == 0 || load<u8>(counter + 17) != 0) return false;
    if (bswap<u64>(load<u64>(move + 8)) != valueOf(counter)) return false;
    if (kind == KIND_CLOSED ? value != SENTINEL : value >= SAFE_INTEGER_END || value <= valueOf(counter)) return false;
    applyMove(index, kind, many, digest);
  }
  return true;
}

/** An image stands for all records before it, so it may not be older than what is known already. */
function restoreImage(length: i32, ownBytes: i32): i32 {
  if (length != STATE_BYTES + ownBytes || load<u64>(INPUT + 8) != load<u64>(epochAt())) return restored(false);
  if (load<u64>(INPUT + 16) < load<u64>(STATE + 16) || load<u64>(INPUT + 40) > COUNTERS_MAX) return restored(false);
  for (let at = INPUT + COUNTERS; at < INPUT + QUEUE; at += COUNTER_BYTES) {
    if (load<u64>(at + 8) >= SAFE_INTEGER_END || load<u8>(at + 18) > <u8>sessionsMax) return restored(false);
  }
  for (let at = INPUT + QUEUE; at < INPUT + <usize>STATE_BYTES; at += ENTRY_BYTES) {
    if (load<u8>(at + 2) > <u8>sessionsMax) return restored(false);
  }
  memory.copy(STATE, INPUT, STATE_BYTES);
  return RESTORE_IMAGE;
}

/** Writes the image to OUTPUT, with `ownBytes` of the program's own; gives its length, 0 if there is none to give. */
export function writeImage(own: usize, ownBytes: i32): i32 {
  // What was made of strange records is no state: an image of it would pass for a good one after the next restart.
  if (!ready) return 0;
  memory.copy(OUTPUT, STATE, STATE_BYTES);
  memory.copy(OUTPUT + <usize>STATE_BYTES, own, ownBytes);
  return STATE_BYTES + ownBytes;
}

// Certificates

/** Writes the statement under the component's key, or under a session key as a statement of the HMAC suite. */
function writeSealed(session: i32): void {
  if (session == 0) return writeCertificate();
  const suite = load<u8>(statementAt() + 5);
  store<u8>(statementAt() + 5, 1);
  writeRaw(statementAt(), STATEMENT_BYTES);
  writeU32(32);
  macUnder(session, statementAt(), reserve(32));
  store<u8>(statementAt() + 5, suite);
}

/** HMAC of 136 bytes under a session key. */
export function macUnder(session: i32, statement: usize, to: usize): void {
  saveMacKey(OWN_MAC_KEY);
  loadMacKey(sessions + 64 * <usize>(session - 1));
  mac(statement, STATEMENT_BYTES, to);
  loadMacKey(OWN_MAC_KEY);
  memory.fill(OWN_MAC_KEY, 0, 64);
}

/** Writes the certificate of the `number`-th entry that the queue ever had, the first one is 0. */
function writeEntry(number: u64): void {
  const entry = STATE + QUEUE + <usize>(number % QUEUE_DEPTH) * ENTRY_BYTES;
  const kind = <i32>load<u8>(entry);
  const previous = kind == KIND_ADVANCE_NOPREV ? SENTINEL : load<u64>(entry + 16);
  setStatement(kind, load<u64>(entry + 8), previous, load<u64>(entry + 24), entry + 32);
  if (load<u8>(entry + 1) != 0) setAux(entry + 64);
  writeSealed(load<u8>(entry + 2));
}

/** Answers one STATUS: previous and value are the same, so it can never be taken for a move. `nonce` 0: none. */
function writeStatus(id: u64, value: u64, session: i32, digest: usize, nonce: usize): void {
  setStatement(KIND_STATUS, id, value, value, digest);
  if (nonce != 0) setNonce(nonce);
  beginCertificates(1);
  writeSealed(session);
}

// Requests

/**
 * `create`: once in a tcEpoch, also after `close`. `modes`: those that the program allows. `least`: instances below it
 * are closed for ever.
 */
export function answerCreate(modes: i32, least: u32): void {
  const id = readObject();
  const mode = readU8();
  if (!mayAnswer(readDone() && mode >= 1 && mode <= 3)) return;
  if (id == META || find(id) != 0) return writeError(EXISTS, 'the counter exists or existed');
  if ((id & 0xff) != 1 || mode > 2 || (modes & mode) == 0) return writeError(MODE, 'no counter of this class and mode');
  if (instanceOf(id) < least) return writeError(CLOSED, 'counters of this instance are closed');
  if (counters() >= COUNTERS_MAX) return writeError(QUOTA, 'no room for another counter');
  beginRecord(RECORD_CREATE);
  store<u64>(reserve(8), id);
  writeU8(mode);
  if (!keepRecord()) return;
  applyCreate(id, mode);
  writeDone();
}

/** Puts a move into MOVES; false, and the error is written, if the counter cannot move so. */
function addMove(index: u32, id: u64, wanted: u64): bool {
  const counter = findOpen(id);
  if (counter == 0) return false;
  for (let before: u32 = 0; before < index; before++) {
    if (load<u64>(MOVES + 4 + <usize>before * MOVE_BYTES) == id) wanted = 0;
  }
  const current = valueOf(counter);
  const value = wanted == SENTINEL ? current + 1 : wanted;
  if (value >= SAFE_INTEGER_END) writeError(OVERFLOW, 'the counter is used up');
  else if (value <= current || (load<u8>(counter + 16) == STEP && value != current + 1))
    writeError(NOT_MONOTONIC, 'a counter only goes up, by one where it steps, and once in a request');
  else {
    putMove(index, id, current, value);
    return true;
  }
  return false;
}

function putMove(index: u32, id: u64, previous: u64, value: u64): void {
  const move = MOVES + 4 + <usize>index * MOVE_BYTES;
  store<u64>(move, id);
  store<u64>(move + 8, bswap<u64>(previous));
  store<u64>(move + 16, bswap<u64>(value));
}

/** Makes the `count` moves in MOVES happen, all or none, and answers their certificates. */
function commit(count: u32, kind: i32, many: i32, digest: usize): void {
  store<u32>(MOVES, bswap<u32>(count));
  const listBytes = 4 + <i32>count * <i32>MOVE_BYTES;
  beginRecord(RECORD_MOVES);
  writeU8(kind);
  writeU8(many);
  writeRaw(digest, 32);
  writeRaw(MOVES, listBytes);
  if (!keepRecord()) return;
  // From here on the values are used, whatever happens to the answer.
  sha256(MOVES, listBytes, AUX);
  const first = load<u64>(STATE + 32);
  for (let index: u32 = 0; index < count; index++) applyMove(index, kind, many, digest);
  beginCertificates(<i32>count);
  for (let index: u32 = 0; index < count; index++) writeEntry(first + index);
}

/**
 * `advance`. `mayHide`: an independent certificate does not disclose the value before. `mayStand`: a move to the same
 * value is answered, too, by a STATUS.
 */
export function answerAdvance(mayHide: bool, mayStand: bool): void {
  const id = readObject();
  const wanted = readValue(true);
  const independent = readU8();
  const digest = take(32);
  if (!mayAnswer(readDone() && independent <= 1)) return;
  const counter = findOpen(id);
  if (counter == 0) return;
  if (independent && !mayHide) return writeError(MODE, 'every certificate discloses the value before');
  if (mayStand && !independent && wanted == valueOf(counter))
    return writeStatus(id, wanted, sessionOf(counter), digest, 0);
  if (addMove(0, id, wanted)) commit(1, independent ? KIND_ADVANCE_NOPREV : KIND_ADVANCE, 0, digest);
}

/** `advanceMany`: all or none; aux is the digest of the list of all moves. */
export function answerAdvanceMany(): void {
  const count = readU32();
  if (count == 0 || count > MOVES_MAX) fail();
  const list = take(<i32>count * 16);
  const digest = take(32);
  let canonical = readDone();
  for (let index: u32 = 0; canonical && index < count; index++) {
    const wanted = bswap<u64>(load<u64>(list + <usize>index * 16 + 8));
    canonical = wanted < SAFE_INTEGER_END || wanted == SENTINEL;
  }
  if (!mayAnswer(canonical)) return;
  for (let index: u32 = 0; index < count; index++) {
    const at = list + <usize>index * 16;
    if (!addMove(index, load<u64>(at), bswap<u64>(load<u64>(at + 8)))) return;
  }
  commit(count, KIND_ADVANCE, 1, digest);
}

/** `status`: where a counter stands, or how many there ever were; fresh by the caller's nonce. */
export function answerStatus(): void {
  const id = readObject();
  const nonce = take(16);
  const digest = take(32);
  if (!mayAnswer(readDone())) return;
  if (id == META) return writeStatus(id, load<u64>(STATE + 24), 0, digest, nonce);
  const counter = findOpen(id);
  if (counter != 0) writeStatus(id, valueOf(counter), sessionOf(counter), digest, nonce);
}

/** `close`: nothing can follow, and the id is used up. */
export function answerClose(): void {
  const id = readObject();
  const digest = take(32);
  if (!mayAnswer(readDone())) return;
  const counter = findOpen(id);
  if (counter == 0) return;
  putMove(0, id, valueOf(counter), SENTINEL);
  commit(1, KIND_CLOSED, 0, digest);
}

/** `replay`: what the queue has of a counter, or of all of them, oldest first. */
export function answerReplay(): void {
  const id = readObject();
  const wanted = readU32();
  if (!mayAnswer(readDone())) return;
  if (id != META && find(id) == 0) return writeError(NO_OBJECT, 'no such counter');
  const end = load<u64>(STATE + 32);
  const depth = end < QUEUE_DEPTH ? end : QUEUE_DEPTH;
  let first = end;
  let found: u32 = 0;
  while (found < wanted && first > end - depth) {
    first--;
    if (isOf(first, id)) found++;
  }
  beginCertificates(<i32>found);
  for (let number = first; number < end; number++) if (isOf(number, id)) writeEntry(number);
}

function isOf(number: u64, id: u64): bool {
  const entry = STATE + QUEUE + <usize>(number % QUEUE_DEPTH) * ENTRY_BYTES;
  return id == META || load<u64>(entry + 8) == id;
}

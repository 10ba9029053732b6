// @ts-nocheck AssemblyScript has other types; its own compiler checks them.
// Wait certificates (PoET): who may lead next is who has waited out a time that was drawn for him. The draw follows from
// the own key and the certificate before, so asking again gives the same; there is one timer at a time; a certificate
// comes neither early nor late, and once a timer. The clock is the footprint's: out of the host's reach, or worthless.
import {
  adoptKey,
  answerAttest,
  answerVerify,
  beginCertificates,
  epochAt,
  keepsRecords,
  KIND_WAIT,
  replaceOwnKey,
  setAux,
  setStatement,
  writeCertificate,
  writeIdentity,
} from './lib/component';
import {
  BAD_AUTH,
  BAD_REQUEST,
  CLOSED,
  NOT_READY,
  OP_ATTEST,
  OP_EXTENSION,
  OP_IDENTIFY,
  OP_RENEW,
  OP_VERIFY,
  OVERFLOW,
  readBytes,
  readDone,
  readFrom,
  readU8,
  readValue,
  SAFE_INTEGER_END,
  STORAGE,
  take,
  takenLength,
  writeBytes,
  writeError,
  writeTo,
  written,
  writeU8,
} from './lib/frames';
import { now, persist } from './lib/host';
import { macUnderKey, ownSecret, putName } from './lib/secret';
import { equal32, sha256 } from './lib/sha256';

const INPUT_BYTES: i32 = 4352;
const INPUT: usize = memory.data(4352);
const OUTPUT: usize = memory.data(1024);

/** 05 01 00 00 00 00 00 00 as it lies in memory. */
const OBJECT: u64 = 0x0105;
const START: i32 = 1;
const FINISH: i32 = 2;

/** Milliseconds that everybody waits, and after which an unused certificate is lost. */
const MINIMUM_MS: u64 = 1000;
const GRACE_MS: u64 = 30000;
/** Mean of the drawn part, in milliseconds: less than this. */
const MEAN_END: u64 = 1 << 32;
/** ln 2 in 2^-32. */
const LN2: u64 = 2977044472;

/** A token: sequence (8) | start (8) | duration (8) | mean (8) | previous (32), then its MAC (32). */
const TOKEN_BODY: i32 = 64;
const TOKEN_BYTES: i32 = 96;
const TOKEN: usize = memory.data(96);
const TAG: usize = memory.data(32);
/** A record or image: tag (1) | tcEpoch (8) | sequence (8). The tag of an image is 0. */
const RECORD: usize = memory.data(17);
const WORK: usize = memory.data(128);
const DRAW_KEY: usize = memory.data(32);
const TOKEN_KEY: usize = memory.data(32);
const AUX: usize = memory.data(32);

const NAME = 'wait';
const NOT_CANONICAL = 'not a canonical TCS1 request';

/** Goes up by one with each start and each finish. */
let sequence: u64 = 0;
/** The sequence of the timer that runs; 0: none. Timers do not survive a restart: the clock may not have. */
let running: u64 = 0;
let hasKeys: bool = false;
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
  return ready ? 1 : 0;
}

/** Takes one record of the own tcEpoch at INPUT, oldest first, before anything is handled. 0: it is not the next one. */
export function restore(length: i32): i32 {
  readFrom(INPUT, length);
  const tag = readU8();
  const epoch = take(8);
  const value = readValue();
  const isNext = tag == 0 ? sequence == 0 : tag == 1 && value == sequence + 1;
  ready = ready && readDone() && isNext && load<u64>(epoch) == load<u64>(epochAt());
  if (ready) sequence = value;
  return ready ? 1 : 0;
}

function putRecord(to: usize, tag: u8, value: u64): void {
  store<u8>(to, tag);
  store<u64>(to + 1, load<u64>(epochAt()));
  store<u64>(to + 9, bswap<u64>(value));
}

/** The sequence as one record at OUTPUT; gives its length. */
export function image(): i32 {
  if (!ready) return 0;
  putRecord(OUTPUT, 0, sequence);
  return 17;
}

/** Uses up the next value of the sequence; false after having written the error. */
function count(): bool {
  if (sequence + 1 >= SAFE_INTEGER_END) {
    writeError(OVERFLOW, 'the sequence is used up');
    return false;
  }
  putRecord(RECORD, 1, sequence + 1);
  if (keepsRecords() && persist(RECORD, 17) == 0) {
    writeError(STORAGE, 'cannot keep a record');
    return false;
  }
  sequence++;
  return true;
}

function prepareKeys(): void {
  if (hasKeys) return;
  ownSecret('tc-wait-draw-v1', DRAW_KEY);
  ownSecret('tc-wait-token-v1', TOKEN_KEY);
  hasKeys = true;
}

/** Milliseconds of the footprint's clock; 2^53 if it shows none. */
function readClock(): u64 {
  const time = now();
  return time >= 0 && time < <f64>SAFE_INTEGER_END ? <u64>time : SAFE_INTEGER_END;
}

/**
 * -ln(drawn / 2^64) in 2^-24, by integers alone: the same on every machine. The integer part of the binary logarithm is
 * the highest bit; squaring the rest shows one bit of the fraction after the other.
 */
function negativeLogarithm(drawn: u64): u64 {
  const value = drawn == 0 ? 1 : drawn;
  const zeros = clz<u64>(value);
  let rest: u64 = (value << zeros) >> 32;
  let binary: u64 = 63 - zeros;
  for (let bit: i32 = 0; bit < 24; bit++) {
    rest = (rest * rest) >> 31;
    binary <<= 1;
    if (rest >= 1 << 32) {
      rest >>= 1;
      binary |= 1;
    }
  }
  return (((<u64>64 << 24) - binary) * LN2) >> 32;
}

/** Milliseconds to wait after the certificate `previous`: minimum - mean * ln(u), with u drawn by the own key. */
function durationAfter(previous: usize, mean: u64): u64 {
  macUnderKey(DRAW_KEY, previous, 32, TAG);
  const drawn = bswap<u64>(load<u64>(TAG));
  memory.fill(TAG, 0, 32);
  return MINIMUM_MS + ((mean * negativeLogarithm(drawn)) >> 24);
}

function waitStart(): void {
  const previous = take(32);
  const mean = readValue();
  if (!readDone() || mean == 0 || mean >= MEAN_END) return writeError(BAD_REQUEST, NOT_CANONICAL);
  const time = readClock();
  if (time == SAFE_INTEGER_END) return writeError(NOT_READY, 'the footprint shows no time');
  prepareKeys();
  if (!count()) return;
  running = sequence;
  store<u64>(TOKEN, bswap<u64>(sequence));
  store<u64>(TOKEN + 8, bswap<u64>(time));
  store<u64>(TOKEN + 16, bswap<u64>(durationAfter(previous, mean)));
  store<u64>(TOKEN + 24, bswap<u64>(mean));
  memory.copy(TOKEN + 32, previous, 32);
  macUnderKey(TOKEN_KEY, TOKEN, TOKEN_BODY, TOKEN + TOKEN_BODY);
  writeU8(OP_EXTENSION);
  writeU8(START);
  writeBytes(TOKEN, TOKEN_BYTES);
}

function waitFinish(): void {
  const token = take(TOKEN_BYTES);
  const digest = take(32);
  if (!readDone()) return writeError(BAD_REQUEST, NOT_CANONICAL);
  prepareKeys();
  macUnderKey(TOKEN_KEY, token, TOKEN_BODY, TAG);
  const isOwn = equal32(TAG, token + TOKEN_BODY);
  memory.fill(TAG, 0, 32);
  if (!isOwn) return writeError(BAD_AUTH, 'not a token of this component');
  const duration = bswap<u64>(load<u64>(token + 16));
  const due = bswap<u64>(load<u64>(token + 8)) + duration;
  if (running == 0 || bswap<u64>(load<u64>(token)) != running)
    return writeError(CLOSED, 'this timer was used, or another one was started after it');
  const time = readClock();
  if (time == SAFE_INTEGER_END) return writeError(NOT_READY, 'the footprint shows no time');
  if (time < due) return writeError(NOT_READY, 'not yet');
  if (time > due + GRACE_MS) return writeError(CLOSED, 'too late: start again');
  if (!count()) return;
  running = 0;
  // What the time was drawn for: mean and the certificate before.
  const length = putName('tc-wait-v1', WORK);
  memory.copy(WORK + length, token + 24, 40);
  sha256(WORK, length + 40, AUX);
  setStatement(KIND_WAIT, OBJECT, sequence, duration, digest);
  setAux(AUX);
  beginCertificates(1);
  writeCertificate();
}

function extension(): void {
  const code = readU8();
  const body = readBytes(TOKEN_BYTES + 32);
  const length = takenLength();
  if (!readDone()) return writeError(BAD_REQUEST, NOT_CANONICAL);
  if (!ready) return writeError(NOT_READY, 'the stored records are not of this component');
  readFrom(body, length);
  if (code == START) waitStart();
  else if (code == FINISH) waitFinish();
  else writeError(BAD_REQUEST, NOT_CANONICAL);
}

function renew(): void {
  if (!readDone()) return writeError(BAD_REQUEST, NOT_CANONICAL);
  if (!replaceOwnKey()) return;
  sequence = 0;
  running = 0;
  hasKeys = false;
  ready = true;
  writeIdentity(OP_RENEW, NAME, 0);
}

/** Answers the request of `length` bytes at INPUT; gives the length of the answer at OUTPUT. */
export function handle(length: i32): i32 {
  readFrom(INPUT, length);
  writeTo(OUTPUT);
  const op = length > INPUT_BYTES ? 0 : readU8();
  if (op == OP_EXTENSION) extension();
  else if (op == OP_RENEW) renew();
  else if (op == OP_VERIFY) answerVerify();
  else if (op == OP_ATTEST) answerAttest();
  else if (op == OP_IDENTIFY && readDone()) writeIdentity(OP_IDENTIFY, NAME, sequence);
  else writeError(BAD_REQUEST, NOT_CANONICAL);
  return written();
}

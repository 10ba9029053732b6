// @ts-nocheck AssemblyScript has other types; its own compiler checks them.
// Secret sharing (FastBFT): for each counter value of a view the component of the primary has a secret, known to nobody,
// and splits it among the components of other members. Each of these gives its share out for one digest only, the one
// that the primary's component has bound to that value. So whoever shows the secret shows that all of them accepted it.
// Positions are (view, counter), as view * 2^40 + counter. Durable first: what is accepted is kept before a share leaves.
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
  KIND_PLAIN,
  KIND_SHARE_SET,
  KIND_STATUS,
  replaceOwnKey,
  setAux,
  setNonce,
  setStatement,
  writeCertificate,
  writeDone,
  writeIdentity,
} from './lib/component';
import {
  BAD_AUTH,
  BAD_REQUEST,
  CLOSED,
  MODE,
  NOT_MONOTONIC,
  NOT_READY,
  NO_OBJECT,
  OP_ATTEST,
  OP_EXTENSION,
  OP_IDENTIFY,
  OP_RENEW,
  OP_STATUS,
  OP_VERIFY,
  OVERFLOW,
  readBytes,
  readDone,
  readFrom,
  readObject,
  readU8,
  readValue,
  reserve,
  SENTINEL,
  STORAGE,
  take,
  takenLength,
  writeError,
  writeRaw,
  writeTo,
  written,
  writeU8,
} from './lib/frames';
import { persist, random } from './lib/host';
import {
  adoptMembers,
  agreementDigest,
  forgetMembers,
  groupAt,
  isHmacGroup,
  memberCount,
  ownAgreementKey,
  ownPlace,
  quorum,
  readCertificate,
  readMembers,
} from './lib/members';
import { equal32 } from './lib/sha256';
import {
  BOX_BYTES_MAX,
  commitment,
  CONTENT,
  HOLDERS,
  makeSecret,
  openBox,
  splitForAll,
  splitForSome,
  writeBoxes,
} from './lib/sharing';

/** 04 01 00 00 00 00 00 00 as it lies in memory. */
const OBJECT: u64 = 0x0104;

/** Codes of `extension`. */
const ANNOUNCE: i32 = 1;
const ENROL: i32 = 2;
const LEAD: i32 = 3;
const ENTER: i32 = 4;
const SPLIT: i32 = 5;
const ORDER: i32 = 6;
const ACCEPT: i32 = 7;
const FOLLOW: i32 = 8;
const VERIFY_SECRET: i32 = 9;
const CLOSE: i32 = 10;
const RESET: i32 = 11;

const BODY_BYTES: i32 = 4096;
const VIEW_SHIFT: u64 = 40;
const VIEW_END: u64 = 1 << 13;
const COUNTER_END: u64 = 1 << 40;

/** State: first view that may be entered (8) | view (8) | counter (8) | flags (8) | last digest (32) | salt (32). */
const STATE_BYTES: i32 = 96;
const STATE: usize = memory.data(96);
const NEXT: usize = memory.data(96);
const AT_FLOOR: usize = 0;
const AT_VIEW: usize = 8;
const AT_COUNTER: usize = 16;
const AT_FLAGS: usize = 24;
const AT_LAST: usize = 32;
const AT_SALT: usize = 64;
/** Shares are given out. */
const OPEN: u64 = 1;
/** The last digest is known: its share may be had again. */
const HAS_LAST: u64 = 2;
/** This component leads the view. */
const LEADS: u64 = 4;

/** Records: tag (1) | tcEpoch (8) | number (8) | state (96); then the members, in an image and where they are new. */
const TAG_IMAGE: i32 = 0;
const TAG_MEMBERS: i32 = 1;
const TAG_STATE: i32 = 2;
const HEAD_BYTES: i32 = 17 + 96;
const RECORD: usize = memory.data(17 + 96 + 4096);
const MEMBERS: usize = memory.data(4096);
const INPUT_BYTES: i32 = 4352;
const INPUT: usize = memory.data(4352);
const OUTPUT: usize = memory.data(8192);

const STATEMENT: usize = memory.data(136);
const FIRST: usize = memory.data(136);
const SUM: usize = memory.data(32);
const KEY: usize = memory.data(32);

const NAME = 'share';
const NOT_CANONICAL = 'not a canonical TCS1 request';
const NO_VIEW = 'closed: enter a later view';
const VIEWS_USED = 'views are used up';
const VALUES_USED = 'counter values are used up';
const NOT_MEMBER = 'not a certificate of the primary of this view';

let changes: u64 = 0;
let membersLength: i32 = 0;
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

function view(): u64 {
  return load<u64>(STATE + AT_VIEW);
}

function counter(): u64 {
  return load<u64>(STATE + AT_COUNTER);
}

function has(flag: u64): bool {
  return (load<u64>(STATE + AT_FLAGS) & flag) != 0;
}

function positionOf(ofView: u64, value: u64): u64 {
  return (ofView << VIEW_SHIFT) | value;
}

function primary(ofView: u64): i32 {
  return <i32>(ofView % <u64>memberCount());
}

function valueAt(statement: usize): u64 {
  return bswap<u64>(load<u64>(statement + 48));
}

/** Takes the members at `at`. */
function takeMembers(at: usize, length: i32): bool {
  readFrom(at, length);
  if (length > BODY_BYTES || !readMembers(OBJECT) || !readDone()) return false;
  adoptMembers();
  memory.copy(MEMBERS, at, length);
  membersLength = length;
  return true;
}

/** Takes one record of the own tcEpoch at INPUT, oldest first, before anything is handled. 0: it is not the next one. */
export function restore(length: i32): i32 {
  readFrom(INPUT, length);
  const tag = readU8();
  const epoch = take(8);
  const number = readValue();
  const state = take(STATE_BYTES);
  const rest = length - HEAD_BYTES;
  const isNext = tag == TAG_IMAGE ? changes == 0 : number == changes + 1;
  const isRecord = tag == TAG_IMAGE || (tag == TAG_MEMBERS ? rest > 0 : tag == TAG_STATE && rest == 0);
  ready = ready && rest >= 0 && isRecord && isNext && load<u64>(epoch) == load<u64>(epochAt());
  if (!ready) return 0;
  memory.copy(STATE, state, STATE_BYTES);
  if (rest > 0) ready = takeMembers(INPUT + HEAD_BYTES, rest);
  changes = number;
  return ready ? 1 : 0;
}

function putHead(to: usize, tag: u8, number: u64, state: usize): void {
  store<u8>(to, tag);
  store<u64>(to + 1, load<u64>(epochAt()));
  store<u64>(to + 9, bswap<u64>(number));
  memory.copy(to + 17, state, STATE_BYTES);
}

/** State and members as one record at OUTPUT; gives its length. */
export function image(): i32 {
  if (!ready) return 0;
  putHead(OUTPUT, <u8>TAG_IMAGE, changes, STATE);
  memory.copy(OUTPUT + HEAD_BYTES, MEMBERS, membersLength);
  return HEAD_BYTES + membersLength;
}

/** NEXT begins as a copy of the state. */
function beginChange(): void {
  memory.copy(NEXT, STATE, STATE_BYTES);
}

function setFlags(flags: u64): void {
  store<u64>(NEXT + AT_FLAGS, flags);
}

/** Keeps NEXT and puts it in force; false after having written the error. `members`: bytes of new ones in the record. */
function change(members: i32): bool {
  putHead(RECORD, <u8>(members > 0 ? TAG_MEMBERS : TAG_STATE), changes + 1, NEXT);
  if (keepsRecords() && persist(RECORD, HEAD_BYTES + members) == 0) {
    writeError(STORAGE, 'cannot keep a record');
    return false;
  }
  // From here on it has happened, whatever becomes of the answer.
  changes++;
  memory.copy(STATE, NEXT, STATE_BYTES);
  return true;
}

/** NEXT enters a view: nothing was accepted in it. */
function enterView(next: u64, flags: u64): void {
  memory.fill(NEXT, 0, STATE_BYTES);
  store<u64>(NEXT + AT_FLOOR, next + 1);
  store<u64>(NEXT + AT_VIEW, next);
  setFlags(flags);
}

/** NEXT accepts a digest as that of a counter value. */
function acceptAt(value: u64, digest: usize): void {
  store<u64>(NEXT + AT_COUNTER, value);
  setFlags(load<u64>(STATE + AT_FLAGS) | HAS_LAST);
  memory.copy(NEXT + AT_LAST, digest, 32);
}

function say(kind: i32, previous: u64, value: u64, digest: usize): void {
  setStatement(kind, OBJECT, previous, value, digest);
  beginCertificates(1);
  writeCertificate();
}

/** Begins an answer of an own form; `endAnswer` takes what this gives. */
function beginAnswer(code: i32): usize {
  writeU8(OP_EXTENSION);
  writeU8(code);
  return reserve(4);
}

function endAnswer(length: usize): void {
  store<u32>(length, bswap<u32>(<u32>(reserve(0) - length - 4)));
}

function announce(): void {
  if (!readDone()) return writeError(BAD_REQUEST, NOT_CANONICAL);
  if (isHmacGroup()) return writeError(MODE, 'members of an HMAC group have a key in common');
  ownAgreementKey(KEY);
  agreementDigest(KEY, SUM);
  const length = beginAnswer(ANNOUNCE);
  writeRaw(KEY, 32);
  setStatement(KIND_PLAIN, OBJECT, 0, 0, SUM);
  writeCertificate();
  endAnswer(length);
}

function enrol(body: usize, length: i32): void {
  if (!readMembers(OBJECT)) return writeError(BAD_AUTH, 'not a later list of members with this one in it');
  if (!readDone()) return writeError(BAD_REQUEST, NOT_CANONICAL);
  beginChange();
  // What was shared among others is over.
  setFlags(0);
  memory.fill(NEXT + AT_SALT, 0, 32);
  memory.copy(RECORD + HEAD_BYTES, body, length);
  if (!change(length)) return;
  adoptMembers();
  memory.copy(MEMBERS, body, length);
  membersLength = length;
  writeDone();
}

function lead(): void {
  const next = readValue();
  const digest = take(32);
  if (!readDone()) return writeError(BAD_REQUEST, NOT_CANONICAL);
  if (next >= VIEW_END) return writeError(OVERFLOW, VIEWS_USED);
  if (primary(next) != ownPlace()) return writeError(MODE, 'another member leads this view');
  if (next < load<u64>(STATE + AT_FLOOR)) return writeError(NOT_MONOTONIC, 'not a later view');
  enterView(next, OPEN | LEADS);
  random(NEXT + AT_SALT, 32);
  if (change(0)) say(KIND_ADVANCE_NOPREV, SENTINEL, positionOf(next, 0), digest);
}

function enter(): void {
  const signer = readCertificate(STATEMENT, OBJECT, KIND_ADVANCE_NOPREV);
  if (!readDone()) return writeError(BAD_REQUEST, NOT_CANONICAL);
  const next = valueAt(STATEMENT) >> VIEW_SHIFT;
  if (signer < 0 || signer != primary(next)) return writeError(BAD_AUTH, NOT_MEMBER);
  if (next >= VIEW_END) return writeError(OVERFLOW, VIEWS_USED);
  if (next < load<u64>(STATE + AT_FLOOR)) return writeError(NOT_MONOTONIC, 'not a later view');
  enterView(next, OPEN);
  if (change(0)) writeDone();
}

/** Reads who is to hold the shares, as a tree; false: it is none of just enough different members with this one on top. */
function readTree(count: i32): bool {
  let good = count == quorum();
  let seen: u64 = 0;
  for (let index: i32 = 0; good && index < count; index++) {
    const place = readU8();
    const parent = readU8();
    good = place < memberCount() && ((seen >> place) & 1) == 0;
    good = good && (index == 0 ? place == ownPlace() && parent == 0 : parent < index);
    seen |= <u64>1 << place;
    store<u8>(HOLDERS + 2 * index, place);
    store<u8>(HOLDERS + 2 * index + 1, parent);
  }
  return good;
}

function split(): void {
  const value = readValue();
  const count = readU8();
  const isTree = count > 0;
  const isRight = !isTree || readTree(count);
  if (!readDone() || !isRight || value == 0) return writeError(BAD_REQUEST, 'not a set of holders');
  if (value >= COUNTER_END) return writeError(OVERFLOW, VALUES_USED);
  if (!has(OPEN)) return writeError(CLOSED, NO_VIEW);
  if (!has(LEADS)) return writeError(MODE, 'another member leads this view');
  const position = positionOf(view(), value);
  makeSecret(OBJECT, position, STATE + AT_SALT, SUM);
  if (isTree) splitForAll(position, count);
  else splitForSome(position, memberCount(), quorum());
  const length = beginAnswer(SPLIT);
  setStatement(KIND_SHARE_SET, OBJECT, 0, position, SUM);
  setAux(groupAt());
  writeCertificate();
  writeBoxes(position, view(), SUM, isTree ? count : memberCount(), isTree);
  endAnswer(length);
}

function order(): void {
  const digest = take(32);
  if (!readDone()) return writeError(BAD_REQUEST, NOT_CANONICAL);
  if (!has(OPEN)) return writeError(CLOSED, NO_VIEW);
  if (!has(LEADS)) return writeError(MODE, 'another member leads this view');
  const before = counter();
  if (before + 1 >= COUNTER_END) return writeError(OVERFLOW, VALUES_USED);
  beginChange();
  acceptAt(before + 1, digest);
  if (!change(0)) return;
  say(KIND_ADVANCE, positionOf(view(), before), positionOf(view(), before + 1), digest);
}

function accept(): void {
  const signer = readCertificate(STATEMENT, OBJECT, KIND_ADVANCE);
  const sum = take(32);
  const box = readBytes(BOX_BYTES_MAX);
  const boxLength = takenLength();
  if (!readDone()) return writeError(BAD_REQUEST, NOT_CANONICAL);
  if (!has(OPEN)) return writeError(CLOSED, NO_VIEW);
  if (signer < 0 || signer != primary(view())) return writeError(BAD_AUTH, NOT_MEMBER);
  const position = valueAt(STATEMENT);
  const value = position & (COUNTER_END - 1);
  const digest = STATEMENT + 56;
  const isNext = value == counter() + 1;
  const isAgain = value == counter() && has(HAS_LAST) && equal32(digest, STATE + AT_LAST);
  if (position >> VIEW_SHIFT != view() || !(isNext || isAgain))
    return writeError(NOT_MONOTONIC, 'not the next value of this view, nor the last one for its digest');
  const length = openBox(signer, position, view(), sum, box, boxLength);
  if (length < 0) return writeError(BAD_AUTH, 'not a box of this value for this component');
  beginChange();
  acceptAt(value, digest);
  if (isAgain || change(0)) {
    const answer = beginAnswer(ACCEPT);
    writeRaw(CONTENT, length);
    endAnswer(answer);
  }
  memory.fill(CONTENT, 0, length);
}

/** Whether the secret is that of the SHARE_SET statement at FIRST, of this group, by the primary of its view. */
function isSecretOf(secret: usize, signer: i32): bool {
  const position = valueAt(FIRST);
  commitment(OBJECT, position, secret, SUM);
  const isOfGroup = signer >= 0 && signer == primary(position >> VIEW_SHIFT) && equal32(groupAt(), FIRST + 88);
  return isOfGroup && equal32(SUM, FIRST + 56);
}

function follow(): void {
  const secret = take(32);
  const splitter = readCertificate(FIRST, OBJECT, KIND_SHARE_SET);
  const signer = readCertificate(STATEMENT, OBJECT, KIND_ADVANCE);
  if (!readDone()) return writeError(BAD_REQUEST, NOT_CANONICAL);
  if (!has(OPEN)) return writeError(CLOSED, NO_VIEW);
  const position = valueAt(STATEMENT);
  if (signer < 0 || signer != primary(view())) return writeError(BAD_AUTH, NOT_MEMBER);
  // The position after the last one is the first of the next view, where this component does not stand.
  if (counter() + 1 >= COUNTER_END) return writeError(OVERFLOW, VALUES_USED);
  if (position != positionOf(view(), counter() + 1)) return writeError(NOT_MONOTONIC, 'not the next value of this view');
  if (valueAt(FIRST) != position || !isSecretOf(secret, splitter))
    return writeError(BAD_AUTH, 'not the secret of this value');
  beginChange();
  acceptAt(counter() + 1, STATEMENT + 56);
  if (change(0)) writeDone();
}

function verifySecret(): void {
  const secret = take(32);
  const splitter = readCertificate(FIRST, OBJECT, KIND_SHARE_SET);
  if (!readDone()) return writeError(BAD_REQUEST, NOT_CANONICAL);
  const answer = beginAnswer(VERIFY_SECRET);
  writeU8(isSecretOf(secret, splitter) ? 1 : 0);
  endAnswer(answer);
}

function close(): void {
  const digest = take(32);
  if (!readDone()) return writeError(BAD_REQUEST, NOT_CANONICAL);
  if (has(OPEN)) {
    beginChange();
    setFlags(load<u64>(STATE + AT_FLAGS) & ~OPEN);
    if (!change(0)) return;
  }
  say(KIND_CLOSED, positionOf(view(), counter()), SENTINEL, digest);
}

/** Reads a quorum of equal statements of different members about where they stand; false: it is none. */
function readPositions(): bool {
  const count = readU8();
  let good = count == quorum();
  let seen: u64 = 0;
  for (let index: i32 = 0; good && index < count; index++) {
    const signer = readCertificate(STATEMENT, OBJECT, KIND_STATUS);
    good = signer >= 0 && ((seen >> signer) & 1) == 0;
    if (index == 0) memory.copy(FIRST, STATEMENT, 136);
    good = good && load<u64>(STATEMENT + 48) == load<u64>(FIRST + 48) && equal32(STATEMENT + 56, FIRST + 56);
    seen |= <u64>1 << signer;
  }
  return good;
}

function reset(): void {
  const isRight = readPositions();
  if (!isRight || !readDone()) return writeError(BAD_AUTH, 'not equal statements of more than half of the members');
  const position = valueAt(FIRST);
  const next = position >> VIEW_SHIFT;
  const value = position & (COUNTER_END - 1);
  if (next >= VIEW_END) return writeError(OVERFLOW, VIEWS_USED);
  beginChange();
  if (next >= load<u64>(STATE + AT_FLOOR)) enterView(next, OPEN);
  else if (next != view() || value <= counter()) return writeError(NOT_MONOTONIC, 'not ahead of this component');
  // Inside a view what is closed stays closed: it was reported as left.
  else setFlags(load<u64>(STATE + AT_FLAGS) & ~HAS_LAST);
  store<u64>(NEXT + AT_COUNTER, value);
  if (change(0)) writeDone();
}

function extension(): void {
  const code = readU8();
  const body = readBytes(BODY_BYTES);
  const length = takenLength();
  if (!readDone() || code < ANNOUNCE || code > RESET) return writeError(BAD_REQUEST, NOT_CANONICAL);
  if (!ready) return writeError(NOT_READY, 'the stored records are not of this component');
  if (memberCount() == 0 && code > ENROL) return writeError(NOT_READY, 'no members are enrolled');
  readFrom(body, length);
  if (code == ACCEPT) accept();
  else if (code == ORDER) order();
  else if (code == SPLIT) split();
  else if (code == FOLLOW) follow();
  else if (code == VERIFY_SECRET) verifySecret();
  else if (code == CLOSE) close();
  else if (code == ENTER) enter();
  else if (code == LEAD) lead();
  else if (code == RESET) reset();
  else if (code == ENROL) enrol(body, length);
  else announce();
}

/** Says where the component stands, for whoever drew the nonce; without one, for `reset` of another. */
function status(): void {
  const object = readObject();
  const nonce = take(16);
  const digest = take(32);
  if (!readDone()) return writeError(BAD_REQUEST, NOT_CANONICAL);
  if (!ready) return writeError(NOT_READY, 'the stored records are not of this component');
  if (object != OBJECT) return writeError(NO_OBJECT, 'there is one share set only');
  const position = positionOf(view(), counter());
  setStatement(KIND_STATUS, OBJECT, position, position, digest);
  if (load<u64>(nonce) != 0 || load<u64>(nonce + 8) != 0) setNonce(nonce);
  beginCertificates(1);
  writeCertificate();
}

function renew(): void {
  if (!readDone()) return writeError(BAD_REQUEST, NOT_CANONICAL);
  if (!replaceOwnKey()) return;
  memory.fill(STATE, 0, STATE_BYTES);
  forgetMembers();
  membersLength = 0;
  changes = 0;
  ready = true;
  writeIdentity(OP_RENEW, NAME, 0);
}

/** Answers the request of `length` bytes at INPUT; gives the length of the answer at OUTPUT. */
export function handle(length: i32): i32 {
  readFrom(INPUT, length);
  writeTo(OUTPUT);
  const op = length > INPUT_BYTES ? 0 : readU8();
  if (op == OP_EXTENSION) extension();
  else if (op == OP_STATUS) status();
  else if (op == OP_RENEW) renew();
  else if (op == OP_VERIFY) answerVerify();
  else if (op == OP_ATTEST) answerAttest();
  else if (op == OP_IDENTIFY && readDone()) writeIdentity(OP_IDENTIFY, NAME, changes);
  else writeError(BAD_REQUEST, NOT_CANONICAL);
  return written();
}

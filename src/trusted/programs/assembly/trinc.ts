// @ts-nocheck AssemblyScript has other types; its own compiler checks them.
// TrInc: counters that go to any greater value. Each certificate shows the value before, so intervals tile and a gap
// shows. A counter can be given the key of a session before it first moves: its certificates are MACs under that key
// then, which other members of the session have checked inside their own components. The key comes in an envelope that
// was encrypted to this component; the envelope is what is kept, so the key itself is never outside of this memory.
import { epochAt, writeDone } from './lib/component';
import {
  answerAdvance,
  answerClose,
  answerCreate,
  answerOther,
  answerReplay,
  answerStatus,
  begin,
  beginRecord,
  beginRequest,
  find,
  findOpen,
  idOfSession,
  input,
  isNew,
  JUMP,
  keepRecord,
  lastSession,
  macUnder,
  mayAnswer,
  NOT_CANONICAL,
  RECORD_OWN,
  RESTORE_DONE,
  RESTORE_IMAGE,
  RESTORE_OWN,
  restored,
  restoreRecord,
  sessionOf,
  setSession,
  STATE_BYTES,
  STEP,
  useSessions,
  valueOf,
  writeImage,
} from './lib/counters';
import {
  BAD_AUTH,
  BAD_REQUEST,
  EXISTS,
  fail,
  MODE,
  OP_ADVANCE,
  OP_CLOSE,
  OP_CREATE,
  OP_EXTENSION,
  OP_RENEW,
  OP_REPLAY,
  OP_STATUS,
  QUOTA,
  readBytes,
  readDone,
  readObject,
  readU8,
  reserve,
  STATEMENT_BYTES,
  take,
  takenLength,
  writeBytes,
  writeError,
  written,
  writeU32,
  writeU8,
} from './lib/frames';
import { unseal } from './lib/host';
import { equal32, loadMacKey, saveMacKey, setMacKey } from './lib/sha256';

export { input, inputBytes, output } from './lib/counters';

const NUMBER: i32 = 1;

/** Codes of `extension`. */
const IMPORT_SESSION: i32 = 1;
const CHECK_SESSION: i32 = 2;

/** Envelopes as they are kept: count (8), then length (8) | envelope (192) of each. They follow the image. */
const SESSIONS_MAX: i32 = 16;
const ENVELOPE_BYTES_MAX: i32 = 192;
const SLOT_BYTES: usize = 8 + 192;
const ENVELOPES_BYTES: i32 = 8 + 16 * 200;
const ENVELOPES: usize = memory.data(8 + 16 * 200);
/** Keys of the sessions as they are used. */
const KEYS: usize = memory.data(16 * 64);
const OWN_KEY: usize = memory.data(64);
const TAG: usize = memory.data(32);

/** Content of an envelope: "tc-session-v1" (13) | tcEpoch (8) | id of the counter (8) | key (32). */
const CONTENT_BYTES: i32 = 61;
const CONTENT: usize = memory.data(192);
const CONTENT_NAME: string = 'tc-session-v1';

export function start(length: i32): i32 {
  useSessions(KEYS, SESSIONS_MAX);
  return begin(length, NUMBER);
}

/** Opens an envelope for a counter and lays its key as that of the `session`-th session. */
function adoptSession(id: u64, envelope: usize, length: i32, session: i32): bool {
  let good = unseal(envelope, length, CONTENT) == CONTENT_BYTES;
  for (let index: i32 = 0; index < 13; index++)
    good = good && <i32>load<u8>(CONTENT + index) == CONTENT_NAME.charCodeAt(index);
  good = good && load<u64>(CONTENT + 13) == load<u64>(epochAt()) && load<u64>(CONTENT + 21) == id;
  if (good) {
    saveMacKey(OWN_KEY);
    setMacKey(CONTENT + 29, 32);
    saveMacKey(KEYS + 64 * <usize>(session - 1));
    loadMacKey(OWN_KEY);
    memory.fill(OWN_KEY, 0, 64);
  }
  memory.fill(CONTENT, 0, 192);
  return good;
}

/** Keeps an envelope in memory and gives its counter the key. */
function applySession(counter: usize, envelope: usize, length: i32, session: i32): void {
  const slot = ENVELOPES + 8 + <usize>(session - 1) * SLOT_BYTES;
  store<u64>(ENVELOPES, <u64>session);
  store<u64>(slot, <u64>length);
  memory.copy(slot + 8, envelope, length);
  setSession(counter, session);
}

export function restore(length: i32): i32 {
  const found = restoreRecord(length, ENVELOPES_BYTES);
  if (found == RESTORE_OWN) return restored(restoreSession());
  if (found != RESTORE_IMAGE) return found;
  memory.copy(ENVELOPES, input() + STATE_BYTES, ENVELOPES_BYTES);
  return restoreSessions() ? RESTORE_DONE : restored(false);
}

function restoreSession(): bool {
  const id = readObject();
  const envelope = readBytes(ENVELOPE_BYTES_MAX);
  const length = takenLength();
  const session = <i32>load<u64>(ENVELOPES) + 1;
  const counter = find(id);
  if (!readDone() || counter == 0 || session > SESSIONS_MAX) return false;
  if (!adoptSession(id, envelope, length, session)) return false;
  applySession(counter, envelope, length, session);
  return true;
}

/** The keys of an image: each envelope is opened again. */
function restoreSessions(): bool {
  const count = load<u64>(ENVELOPES);
  if (count > <u64>SESSIONS_MAX || lastSession() != <i32>count) return false;
  for (let session: i32 = 1; session <= <i32>count; session++) {
    const slot = ENVELOPES + 8 + <usize>(session - 1) * SLOT_BYTES;
    const length = load<u64>(slot);
    if (length > <u64>ENVELOPE_BYTES_MAX) return false;
    if (!adoptSession(idOfSession(session), slot + 8, <i32>length, session)) return false;
  }
  return true;
}

export function image(): i32 {
  return writeImage(ENVELOPES, ENVELOPES_BYTES);
}

/** Body: id of the counter (8) | envelope. Once for a counter, before it moves. */
function importSession(body: usize, length: i32): void {
  const id = load<u64>(body);
  const envelope = body + 8;
  const counter = findOpen(id);
  if (counter == 0) return;
  if (sessionOf(counter) != 0) return writeError(EXISTS, 'the counter has a session key');
  if (valueOf(counter) != 0) return writeError(MODE, 'the counter has moved under its own key');
  const session = <i32>load<u64>(ENVELOPES) + 1;
  if (session > SESSIONS_MAX) return writeError(QUOTA, 'no room for another session key');
  if (length - 8 > ENVELOPE_BYTES_MAX || !adoptSession(id, envelope, length - 8, session))
    return writeError(BAD_AUTH, 'no session key for this counter and tcEpoch is in the envelope');
  beginRecord(RECORD_OWN);
  store<u64>(reserve(8), id);
  writeBytes(envelope, length - 8);
  if (!keepRecord()) return;
  applySession(counter, envelope, length - 8, session);
  writeDone();
}

/** Body: id of an own counter (8) | statement (136) | MAC (32). The right MAC stays in here. */
function checkSession(body: usize): void {
  const counter = findOpen(load<u64>(body));
  if (counter == 0) return;
  const session = sessionOf(counter);
  if (session == 0) return writeError(MODE, 'the counter has no session key');
  macUnder(session, body + 8, TAG);
  const valid = equal32(TAG, body + 8 + STATEMENT_BYTES);
  memory.fill(TAG, 0, 32);
  writeU8(OP_EXTENSION);
  writeU8(CHECK_SESSION);
  writeU32(1);
  writeU8(valid ? 1 : 0);
}

function extension(): void {
  const code = readU8();
  const body = readBytes(4096);
  const length = takenLength();
  if (code == IMPORT_SESSION ? length <= 8 : code != CHECK_SESSION || length != 8 + STATEMENT_BYTES + 32) fail();
  if (!mayAnswer(readDone())) return;
  if (code == IMPORT_SESSION) importSession(body, length);
  else checkSession(body);
}

/** Answers the request of `length` bytes at INPUT; gives the length of the answer at OUTPUT. */
export function handle(length: i32): i32 {
  const op = beginRequest(length);
  if (op == OP_ADVANCE) answerAdvance(false, false);
  else if (op == OP_STATUS) answerStatus();
  else if (op == OP_CREATE) answerCreate(STEP | JUMP, 0);
  else if (op == OP_CLOSE) answerClose();
  else if (op == OP_REPLAY) answerReplay();
  else if (op == OP_EXTENSION) extension();
  else if (!answerOther(op, 'trinc')) writeError(BAD_REQUEST, NOT_CANONICAL);
  if (op == OP_RENEW && isNew()) memory.fill(ENVELOPES, 0, ENVELOPES_BYTES);
  return written();
}

// @ts-nocheck AssemblyScript has other types; its own compiler checks them.
// TrInc: counters that go to any greater value. Each certificate shows the value before, so intervals tile and a gap
// shows. A counter can be given the key of a session before it first moves: its certificates are MACs under that key
// then, which other members of the session have checked inside their own components. The key comes in an envelope to
// this component; the envelope is what is kept, so the key itself is never outside of this memory.
import { authenticateTo, KIND_PLAIN, setStatement, statementAt, writeDone } from './lib/component';
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
import { envelopeKey, ENVELOPE_BYTES, openEnvelope } from './lib/envelope';
import {
  BAD_AUTH,
  BAD_REQUEST,
  EXISTS,
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
  writeError,
  writeRaw,
  written,
  writeU32,
  writeU8,
} from './lib/frames';
import { putName } from './lib/secret';
import { equal32, loadMacKey, saveMacKey, setMacKey, sha256 } from './lib/sha256';

export { input, inputBytes, output } from './lib/counters';

const NUMBER: i32 = 1;

/** Codes of `extension`. */
const IMPORT_SESSION: i32 = 1;
const CHECK_SESSION: i32 = 2;
const ENVELOPE_KEY: i32 = 3;

/** Envelopes as they are kept: count (8), then the envelopes. They follow the image. */
const SESSIONS_MAX: i32 = 16;
const ENVELOPES_BYTES: i32 = 8 + 16 * 104;
const ENVELOPES: usize = memory.data(8 + 16 * 104);
/** Keys of the sessions as they are used. */
const KEYS: usize = memory.data(16 * 64);
const OWN_KEY: usize = memory.data(64);
const TAG: usize = memory.data(32);
/** Content of an envelope: id of the counter (8) | key (32). */
const CONTENT: usize = memory.data(64);
const WORK: usize = memory.data(64);

export function start(length: i32): i32 {
  useSessions(KEYS, SESSIONS_MAX);
  return begin(length, NUMBER);
}

function slotOf(session: i32): usize {
  return ENVELOPES + 8 + <usize>(session - 1) * <usize>ENVELOPE_BYTES;
}

/** Opens an envelope for a counter and lays its key as that of the `session`-th session. */
function adoptSession(id: u64, envelope: usize, session: i32): bool {
  const good = openEnvelope(envelope, CONTENT) && load<u64>(CONTENT) == id;
  if (good) {
    saveMacKey(OWN_KEY);
    setMacKey(CONTENT + 8, 32);
    saveMacKey(KEYS + 64 * <usize>(session - 1));
    loadMacKey(OWN_KEY);
    memory.fill(OWN_KEY, 0, 64);
  }
  memory.fill(CONTENT, 0, 64);
  return good;
}

/** Keeps an envelope in memory and gives its counter the key. */
function applySession(counter: usize, envelope: usize, session: i32): void {
  store<u64>(ENVELOPES, <u64>session);
  memory.copy(slotOf(session), envelope, ENVELOPE_BYTES);
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
  const envelope = take(ENVELOPE_BYTES);
  const session = <i32>load<u64>(ENVELOPES) + 1;
  const counter = find(id);
  if (!readDone() || counter == 0 || session > SESSIONS_MAX) return false;
  if (!adoptSession(id, envelope, session)) return false;
  applySession(counter, envelope, session);
  return true;
}

/** The keys of an image: each envelope is opened again. */
function restoreSessions(): bool {
  const count = load<u64>(ENVELOPES);
  if (count > <u64>SESSIONS_MAX || lastSession() != <i32>count) return false;
  for (let session: i32 = 1; session <= <i32>count; session++)
    if (!adoptSession(idOfSession(session), slotOf(session), session)) return false;
  return true;
}

export function image(): i32 {
  return writeImage(ENVELOPES, ENVELOPES_BYTES);
}

/** Body: id of the counter (8) | envelope (104). Once for a counter, before it moves. */
function importSession(body: usize): void {
  const id = load<u64>(body);
  const envelope = body + 8;
  const counter = findOpen(id);
  if (counter == 0) return;
  if (sessionOf(counter) != 0) return writeError(EXISTS, 'the counter has a session key');
  if (valueOf(counter) != 0) return writeError(MODE, 'the counter has moved under its own key');
  const session = <i32>load<u64>(ENVELOPES) + 1;
  if (session > SESSIONS_MAX) return writeError(QUOTA, 'no room for another session key');
  if (!adoptSession(id, envelope, session))
    return writeError(BAD_AUTH, 'the envelope has no session key for this component and counter');
  beginRecord(RECORD_OWN);
  writeRaw(body, 8 + ENVELOPE_BYTES);
  if (!keepRecord()) return;
  applySession(counter, envelope, session);
  writeDone();
}

/** The key to which envelopes are made, and a PLAIN statement about SHA-256("tc-envelope-key-v1" | key). */
function answerEnvelopeKey(): void {
  writeU8(OP_EXTENSION);
  writeU8(ENVELOPE_KEY);
  const length = reserve(4);
  const start = reserve(32);
  envelopeKey(start);
  const named = putName('tc-envelope-key-v1', WORK);
  memory.copy(WORK + named, start, 32);
  sha256(WORK, named + 32, TAG);
  setStatement(KIND_PLAIN, 0, 0, 0, TAG);
  writeRaw(statementAt(), STATEMENT_BYTES);
  reserve(authenticateTo(statementAt(), STATEMENT_BYTES, reserve(0)));
  store<u32>(length, bswap<u32>(<u32>(reserve(0) - start)));
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
  const body = readBytes(256);
  const length = takenLength();
  if (code == IMPORT_SESSION) {
    if (mayAnswer(readDone() && length == 8 + ENVELOPE_BYTES)) importSession(body);
  } else if (code == CHECK_SESSION) {
    if (mayAnswer(readDone() && length == 8 + STATEMENT_BYTES + 32)) checkSession(body);
  } else if (mayAnswer(readDone() && code == ENVELOPE_KEY && length == 0)) answerEnvelopeKey();
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

// @ts-nocheck AssemblyScript has other types; its own compiler checks them.
// TrInX (Hybster): counters that go to any greater value. A continuing certificate discloses the value before, an
// independent one does not; several counters can move at once; a trusted MAC moves none. Instances and lanes are in
// the ids of the counters.
import { beginCertificates, KIND_PLAIN, setStatement, writeCertificate } from './lib/component';
import {
  answerAdvance,
  answerAdvanceMany,
  answerClose,
  answerCreate,
  answerOther,
  answerReplay,
  answerStatus,
  begin,
  beginRequest,
  JUMP,
  mayAnswer,
  NOT_CANONICAL,
  RESTORE_OWN,
  RESTORE_REFUSED,
  restored,
  restoreRecord,
  STEP,
  writeImage,
} from './lib/counters';
import {
  BAD_REQUEST,
  OP_ADVANCE,
  OP_ADVANCE_MANY,
  OP_CLOSE,
  OP_CREATE,
  OP_PLAIN,
  OP_REPLAY,
  OP_STATUS,
  readDone,
  take,
  writeError,
  written,
} from './lib/frames';

export { input, inputBytes, output } from './lib/counters';

const NUMBER: i32 = 2;

export function start(length: i32): i32 {
  return begin(length, NUMBER);
}

export function restore(length: i32): i32 {
  const found = restoreRecord(length, 0);
  if (found == RESTORE_OWN) return restored(false);
  return found == RESTORE_REFUSED ? 0 : 1;
}

export function image(): i32 {
  return writeImage(0, 0);
}

/** The trusted MAC: a digest under the component's key, without object and values. */
function plain(): void {
  const digest = take(32);
  if (!mayAnswer(readDone())) return;
  setStatement(KIND_PLAIN, 0, 0, 0, digest);
  beginCertificates(1);
  writeCertificate();
}

/** Answers the request of `length` bytes at INPUT; gives the length of the answer at OUTPUT. */
export function handle(length: i32): i32 {
  const op = beginRequest(length);
  if (op == OP_ADVANCE) answerAdvance(true, true);
  else if (op == OP_ADVANCE_MANY) answerAdvanceMany();
  else if (op == OP_PLAIN) plain();
  else if (op == OP_STATUS) answerStatus();
  else if (op == OP_CREATE) answerCreate(STEP | JUMP, 0);
  else if (op == OP_CLOSE) answerClose();
  else if (op == OP_REPLAY) answerReplay();
  else if (!answerOther(op, 'trinx')) writeError(BAD_REQUEST, NOT_CANONICAL);
  return written();
}

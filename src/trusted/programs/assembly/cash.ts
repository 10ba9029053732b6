// @ts-nocheck AssemblyScript has other types; its own compiler checks them.
// CASH (CheapBFT): counters by label, each of which only steps. The last four bytes of a label are the protocol
// instance it belongs to. Making a label of instance e closes those below e - 1 for ever, so the component never runs
// out of room and never has to remember which labels there were: labels below are simply refused.
import {
  answerAdvance,
  answerCreate,
  answerOther,
  answerReplay,
  begin,
  beginRequest,
  forgetBelow,
  lastInstance,
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
  OP_CREATE,
  OP_REPLAY,
  writeError,
  written,
} from './lib/frames';

export { input, inputBytes, output } from './lib/counters';

const NUMBER: i32 = 3;

export function start(length: i32): i32 {
  return begin(length, NUMBER);
}

/** Instances below this one are closed. */
function leastInstance(): u32 {
  const last = lastInstance();
  return last > 0 ? last - 1 : 0;
}

export function restore(length: i32): i32 {
  const found = restoreRecord(length, 0);
  if (found == RESTORE_OWN) return restored(false);
  forgetBelow(leastInstance());
  return found == RESTORE_REFUSED ? 0 : 1;
}

export function image(): i32 {
  return writeImage(0, 0);
}

/** Answers the request of `length` bytes at INPUT; gives the length of the answer at OUTPUT. */
export function handle(length: i32): i32 {
  const op = beginRequest(length);
  if (op == OP_CREATE) {
    answerCreate(STEP, leastInstance());
    forgetBelow(leastInstance());
  } else if (op == OP_ADVANCE) answerAdvance(false, false);
  else if (op == OP_REPLAY) answerReplay();
  else if (!answerOther(op, 'cash')) writeError(BAD_REQUEST, NOT_CANONICAL);
  return written();
}

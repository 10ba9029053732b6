/** What a trusted log (A2M) must do on every footprint. Checks are named after what they attack. */
import { assert } from '../../core/assert.ts';
import { equalBytes } from '../../core/bytes.ts';
import type { Prng } from '../../core/prng.ts';
import { portableHash } from '../../crypto/portable.ts';
import type { CounterValue, Digest } from '../../core/types.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import { STATEMENT_KIND } from '../contract.ts';
import type { ObjectMode, TrustedCertificate, TrustedIdentity, TrustedRequest } from '../contract.ts';
import type { AssignedSlot, LogPlace, SlotAnswer } from '../programs/a2m/answers.ts';
import { endAnswerOf, historyAfter, isWholeChain, slotAnswerOf } from '../programs/a2m/answers.ts';
import { encodeStatement, ZERO_NONCE } from '../statement.ts';
import { garbageCheck } from './garbage.ts';
import type { ConformanceCheck, ConformanceContext, NamedCheck, Part } from './harness.ts';
import {
  ask,
  askOne,
  certificatesOf,
  isValid,
  randomDigest,
  randomNonce,
  refused,
  renew,
} from './harness.ts';

const LOG = '0201000000000000';
const OTHER_LOG = '0202000000000000';
/** Slots that a log keeps, and logs that a component has (docs/trusted/a2m.md). */
const SLOTS_MAX = 256;
const LOGS_MAX = 8;

function placeOf({ tcId, suite, tcEpoch }: TrustedIdentity, objectId = LOG): LogPlace {
  return { tcId, suite, tcEpoch, objectId };
}

function* createLog(mode: ObjectMode, objectId = LOG): Part<void> {
  const answer = yield* askOne({ op: 'create', objectId, mode });
  assert(answer.op === 'done', 'a log is made');
}

function* only(request: Parameters<typeof certificatesOf>[0]): Part<TrustedCertificate> {
  const certificates = yield* certificatesOf(request);
  assert(certificates.length === 1, `${request.op} gives one certificate`);
  return certificates[0]!;
}

function* append(entry: Digest, objectId = LOG): Part<TrustedCertificate> {
  return yield* only({ op: 'append', objectId, entry });
}

function* advance(slot: CounterValue, base: Digest, entry: Digest): Part<TrustedCertificate> {
  return yield* only({ op: 'advanceLog', objectId: LOG, slot, base, entry });
}

function* truncate(slot: CounterValue, objectId = LOG): Part<void> {
  const answer = yield* askOne({ op: 'truncate', objectId, slot });
  assert(answer.op === 'done', 'truncate is done');
}

/** A lookup, its certificate checked. */
function* lookup(
  context: ConformanceContext,
  identity: TrustedIdentity,
  slot: CounterValue,
): Part<SlotAnswer> {
  const nonce = randomNonce(context.prng);
  const certificate = yield* only({ op: 'lookup', objectId: LOG, slot, nonce });
  assert(yield* isValid(context, identity, certificate), 'the certificate of a lookup holds');
  const answer = slotAnswerOf(placeOf(identity), slot, nonce, certificate.statement);
  assert(answer !== undefined, `a lookup of ${slot} answers about ${slot}`);
  return answer;
}

function* end(identity: TrustedIdentity, prng: Prng): Part<AssignedSlot> {
  const nonce = randomNonce(prng);
  const { statement } = yield* only({ op: 'end', objectId: LOG, nonce });
  const answer = endAnswerOf(placeOf(identity), nonce, statement);
  assert(answer !== undefined, 'end answers with the nonce');
  return answer;
}

function assigned(identity: TrustedIdentity, slot: CounterValue, { statement }: TrustedCertificate): AssignedSlot {
  const answer = slotAnswerOf(placeOf(identity), slot, ZERO_NONCE, statement);
  assert(answer?.kind === 'assigned', `slot ${slot} is assigned`);
  return answer;
}

/** Appends fill slot after slot, whatever is under way together; the history digest covers all of them. */
function* longRun(context: ConformanceContext): ConformanceCheck {
  const { prng, calls } = context;
  const identity = yield* renew();
  yield* createLog('strict');
  let [slot, history] = [0, ZERO_DIGEST];
  for (let done = 0; done < calls;) {
    const entries = Array.from({ length: Math.min(prng.between(1, 32), calls - done) }, () =>
      randomDigest(prng),
    );
    const answers = yield* ask(entries.map((entry) => ({ op: 'append', objectId: LOG, entry })));
    for (const [index, answer] of answers.entries()) {
      assert(answer.op === 'certificates', 'append is answered');
      slot += 1;
      const given = assigned(identity, slot, answer.certificates[0]!);
      assert(given.entry === entries[index] && given.previous === slot - 1, 'the next slot for this entry');
      history = historyAfter(portableHash, slot, given.entry, history);
      assert(given.history === history && given.strict, 'the digest of the whole history, of a strict log');
    }
    done += entries.length;
    yield* truncate(slot);
  }
  const last = yield* end(identity, prng);
  assert(last.slot === slot && last.history === history, 'end shows the last slot');
}

/** Every kind of answer, each about the slot that was asked. */
function* allAnswers(context: ConformanceContext): ConformanceCheck {
  const { prng } = context;
  const identity = yield* renew();
  yield* createLog('jump');
  const empty = yield* end(identity, prng);
  assert(empty.slot === 0 && empty.entry === ZERO_DIGEST, 'an empty log ends at 0');
  const [first, second, third] = [randomDigest(prng), randomDigest(prng), randomDigest(prng)];
  yield* append(first);
  const base = randomDigest(prng);
  const jumped = assigned(identity, 10, yield* advance(10, base, second));
  assert(jumped.history === historyAfter(portableHash, 10, second, base), 'the history goes on from the base');
  const next = assigned(identity, 11, yield* append(third));
  assert(next.previous === 10 && !next.strict, 'append follows the jump');
  assert(next.history === historyAfter(portableHash, 11, third, jumped.history), 'and so does its history');

  const kinds: string[] = [];
  for (const slot of [1, 2, 9, 10, 11, 12, 2 ** 53 - 1])
    kinds.push((yield* lookup(context, identity, slot)).kind);
  assert(
    kinds.join() === 'assigned,skipped,skipped,assigned,assigned,unassigned,unassigned',
    `kinds: ${kinds.join()}`,
  );
  const gap = yield* lookup(context, identity, 5);
  assert(gap.kind === 'skipped' && gap.below === 1 && gap.above === 10, 'a gap names its neighbours');
  const above = yield* lookup(context, identity, 12);
  assert(above.kind === 'unassigned' && above.last === 11, 'what is not given yet names the last slot');

  yield* truncate(4);
  const forgotten = yield* lookup(context, identity, 1);
  assert(forgotten.kind === 'forgotten' && forgotten.lowest === 4, 'forgotten names the lowest kept slot');
  const kept = yield* lookup(context, identity, 5);
  assert(kept.kind === 'skipped' && kept.below === 1, 'the rest of a gap stays skipped');
  yield* truncate(12);
  const last = yield* end(identity, prng);
  assert(last.slot === 11 && last.entry === third && last.previous === 10, 'the end outlives its slot');
  yield* refused({ op: 'truncate', objectId: LOG, slot: 13 }, 'NOT_MONOTONIC');
  yield* truncate(3);
  assert((yield* lookup(context, identity, 11)).kind === 'forgotten', 'truncating further down does nothing');
}

/** A host leaves out a slot that it has used, or asks about a skipped one: neither can look unused. */
function* omission(context: ConformanceContext): ConformanceCheck {
  const { prng } = context;
  const identity = yield* renew();
  yield* createLog('jump');
  const chain = [assigned(identity, 1, yield* append(randomDigest(prng)))];
  chain.push(assigned(identity, 5, yield* advance(5, ZERO_DIGEST, randomDigest(prng))));
  chain.push(assigned(identity, 6, yield* append(randomDigest(prng))));
  assert(isWholeChain(chain, 0), 'the whole chain is one');
  assert(!isWholeChain([chain[0]!, chain[2]!], 0), 'a slot in the middle is missing');
  assert(!isWholeChain(chain.slice(1), 0), 'the first slot is missing');
  yield* refused({ op: 'advanceLog', objectId: LOG, slot: 3, base: ZERO_DIGEST, entry: ZERO_DIGEST }, 'NOT_MONOTONIC');
  assert((yield* lookup(context, identity, 3)).kind === 'skipped', 'what was skipped stays so');
  const nonce = randomNonce(prng);
  const { statement } = yield* only({ op: 'lookup', objectId: LOG, slot: 3, nonce });
  assert(slotAnswerOf(placeOf(identity), 5, nonce, statement) === undefined, 'a gap says nothing about its edge');
  assert(slotAnswerOf(placeOf(identity), 7, nonce, statement) === undefined, 'nor about what is beyond');
}

/** An answer of the past: the end, or "not yet assigned", with the nonce of another question or none. */
function* staleAnswers({ prng }: ConformanceContext): ConformanceCheck {
  const identity = yield* renew();
  const place = placeOf(identity);
  yield* createLog('jump');
  yield* append(randomDigest(prng));
  const [old, fresh] = [randomNonce(prng), randomNonce(prng)];
  const oldEnd = yield* only({ op: 'end', objectId: LOG, nonce: old });
  const oldLookup = yield* only({ op: 'lookup', objectId: LOG, slot: 2, nonce: old });
  const withoutEnd = yield* only({ op: 'end', objectId: LOG, nonce: ZERO_NONCE });
  yield* append(randomDigest(prng));
  assert(endAnswerOf(place, old, oldEnd.statement)?.slot === 1, 'it was the end');
  assert(endAnswerOf(place, fresh, oldEnd.statement) === undefined, 'an end of the past is refused');
  assert(endAnswerOf(place, fresh, withoutEnd.statement) === undefined, 'an end without nonce is refused');
  assert(endAnswerOf(place, ZERO_NONCE, withoutEnd.statement) === undefined, 'also by who asks without');
  assert(slotAnswerOf(place, 2, fresh, oldLookup.statement) === undefined, '"unassigned" of the past is refused');
}

/** With an invented base a host attests two histories; a strict log does not take one, and only it says STRICT. */
function* freeBase({ prng }: ConformanceContext): ConformanceCheck {
  const identity = yield* renew();
  yield* createLog('strict');
  yield* createLog('jump', OTHER_LOG);
  const [entry, base] = [randomDigest(prng), randomDigest(prng)];
  const jump = { op: 'advanceLog', slot: 1, base, entry } as const;
  yield* refused({ ...jump, objectId: LOG }, 'MODE');
  const free = yield* only({ ...jump, objectId: OTHER_LOG });
  const answer = slotAnswerOf(placeOf(identity, OTHER_LOG), 1, ZERO_NONCE, free.statement);
  assert(answer?.kind === 'assigned' && !answer.strict, 'a history from a free base is not called strict');
  const first = assigned(identity, 1, yield* append(entry));
  assert(first.strict && first.history === historyAfter(portableHash, 1, entry, ZERO_DIGEST), 'a strict one is');
}

/** Two entries for one slot, slots going down, a log made twice: refused, and nothing has changed. */
function* equivocation(context: ConformanceContext): ConformanceCheck {
  const { prng } = context;
  const identity = yield* renew();
  yield* createLog('jump');
  yield* refused({ op: 'create', objectId: LOG, mode: 'strict' }, 'EXISTS');
  yield* refused({ op: 'create', objectId: OTHER_LOG, mode: 'step' }, 'MODE');
  yield* refused({ op: 'create', objectId: '0101000000000000', mode: 'jump' }, 'MODE');
  yield* refused({ op: 'append', objectId: OTHER_LOG, entry: ZERO_DIGEST }, 'NO_OBJECT');
  const entry = randomDigest(prng);
  const certificate = yield* advance(7, ZERO_DIGEST, entry);
  for (const slot of [0, 1, 7])
    yield* refused({ op: 'advanceLog', objectId: LOG, slot, base: ZERO_DIGEST, entry: randomDigest(prng) }, 'NOT_MONOTONIC');
  const highest = 2 ** 53 - 1;
  yield* refused({ op: 'lookup', objectId: LOG, slot: 0, nonce: ZERO_NONCE }, 'BAD_REQUEST');
  const again = yield* only({ op: 'lookup', objectId: LOG, slot: 7, nonce: ZERO_NONCE });
  assert(equalBytes(again.statement, certificate.statement), 'the same statement again');
  assert(equalBytes(again.authenticator, certificate.authenticator), 'the same certificate again');
  yield* advance(highest, ZERO_DIGEST, entry);
  yield* refused({ op: 'append', objectId: LOG, entry }, 'OVERFLOW');
  assert((yield* end(identity, prng)).slot === highest, 'the log ended at the highest value');
}

/** A host fills logs until nothing fits: refused, never dropped; truncating makes room, logs are never made again. */
function* exhaustion(context: ConformanceContext): ConformanceCheck {
  const { prng } = context;
  const identity = yield* renew();
  for (let index = 0; index < LOGS_MAX; index += 1)
    yield* createLog('jump', `02010000000000${index.toString(16).padStart(2, '0')}`);
  yield* refused({ op: 'create', objectId: OTHER_LOG, mode: 'jump' }, 'QUOTA');
  for (let slot = 1; slot <= SLOTS_MAX; slot += 1) yield* append(randomDigest(prng));
  yield* refused({ op: 'append', objectId: LOG, entry: ZERO_DIGEST }, 'QUOTA');
  yield* refused({ op: 'advanceLog', objectId: LOG, slot: 1000, base: ZERO_DIGEST, entry: ZERO_DIGEST }, 'QUOTA');
  assert((yield* end(identity, prng)).slot === SLOTS_MAX, 'what was refused is not there');
  yield* truncate(100);
  yield* append(randomDigest(prng));
  const first = yield* lookup(context, identity, 100);
  const last = yield* lookup(context, identity, SLOTS_MAX + 1);
  assert(first.kind === 'assigned' && last.kind === 'assigned', 'the kept ones are there');
}

/** No bit of a certificate can change, and no other kind can be read into it. */
function* bitFlips(context: ConformanceContext): ConformanceCheck {
  const identity = yield* renew();
  yield* createLog('strict');
  const { statement, authenticator } = yield* append(randomDigest(context.prng));
  assert(yield* isValid(context, identity, { statement, authenticator }), 'the certificate itself holds');
  for (let index = 0; index < statement.length; index += 1) {
    const flipped = statement.slice();
    flipped[index]! ^= 1 << context.prng.between(0, 7);
    const holds = yield* isValid(context, identity, { statement: flipped, authenticator });
    assert(!holds, `a flip of byte ${index} must not hold`);
  }
}

/** Certificates of other objects and programs under the same key do not answer for a log. */
function* crossProgramReplay({ prng }: ConformanceContext): ConformanceCheck {
  const identity = yield* renew();
  const place = placeOf(identity);
  yield* createLog('jump');
  yield* createLog('jump', OTHER_LOG);
  const other = yield* append(randomDigest(prng), OTHER_LOG);
  assert(slotAnswerOf(place, 1, ZERO_NONCE, other.statement) === undefined, 'an entry of another log');
  const { tcId, suite, tcEpoch, objectId } = place;
  for (const kind of Object.values(STATEMENT_KIND)) {
    if (kind === STATEMENT_KIND.logEntry) continue;
    const fields = { kind, flags: 0, suite, tcId, tcEpoch, objectId, previous: 0, value: 1 };
    const answer = slotAnswerOf(place, 1, ZERO_NONCE, encodeStatement({ ...fields, digest: randomDigest(prng) }));
    assert(answer?.kind !== 'assigned', `kind ${kind} is no entry`);
  }
  yield* refused({ op: 'certify', objectId: LOG, digest: ZERO_DIGEST, core: new Uint8Array(0) }, 'BAD_REQUEST');
  yield* refused({ op: 'plain', digest: ZERO_DIGEST }, 'BAD_REQUEST');
}

/** A restart goes on exactly (persistent) or is a new component without logs (volatile). */
function* restart(context: ConformanceContext): ConformanceCheck {
  const { prng } = context;
  const before = yield* renew();
  yield* createLog('strict');
  for (let slot = 1; slot <= 5; slot += 1) yield* append(randomDigest(prng));
  yield* truncate(3);
  const last = yield* end(before, prng);
  yield { kind: 'restart' };
  if (!before.persistent) {
    yield* refused({ op: 'append', objectId: LOG, entry: ZERO_DIGEST }, 'NO_OBJECT');
    return;
  }
  const same = yield* end(before, prng);
  assert(same.slot === 5 && same.history === last.history && same.entry === last.entry, 'the same end');
  assert((yield* lookup(context, before, 2)).kind === 'forgotten', 'the same slots are forgotten');
  assert((yield* lookup(context, before, 3)).kind === 'assigned', 'the others are kept');
  const next = assigned(before, 6, yield* append(randomDigest(prng)));
  assert(next.history === historyAfter(portableHash, 6, next.entry, last.history), 'the history goes on');
}

/** `renew` forgets every log, and what they said is void. */
function* renewal(context: ConformanceContext): ConformanceCheck {
  const before = yield* renew();
  yield* createLog('jump');
  const certificate = yield* append(randomDigest(context.prng));
  const after = yield* renew();
  assert(after.tcEpoch !== before.tcEpoch && after.counter === 0, 'a new tcEpoch');
  assert(slotAnswerOf(placeOf(after), 1, ZERO_NONCE, certificate.statement) === undefined, 'the old entry is void');
  yield* refused({ op: 'end', objectId: LOG, nonce: ZERO_NONCE }, 'NO_OBJECT');
  yield* createLog('jump');
  assigned(after, 1, yield* append(randomDigest(context.prng)));
}

const TEMPLATES: readonly TrustedRequest[] = [
  { op: 'create', objectId: LOG, mode: 'jump' },
  { op: 'append', objectId: LOG, entry: ZERO_DIGEST },
  { op: 'advanceLog', objectId: LOG, slot: 9, base: ZERO_DIGEST, entry: ZERO_DIGEST },
  { op: 'lookup', objectId: LOG, slot: 1, nonce: ZERO_NONCE },
  { op: 'end', objectId: LOG, nonce: ZERO_NONCE },
  { op: 'truncate', objectId: LOG, slot: 1 },
];

/** Checks of `a2m`, in an order in which they can be run on one component. */
export const LOG_CHECKS: readonly NamedCheck[] = [
  { name: 'slots follow each other and the history digest covers them', run: longRun },
  { name: 'a lookup gives each of its answers', run: allAnswers },
  { name: 'attack: omission of a slot, lookup of a skipped slot', run: omission },
  { name: 'attack: an end of the past is shown again', run: staleAnswers },
  { name: 'attack: a free base digest in a strict log', run: freeBase },
  { name: 'attack: two entries for one slot', run: equivocation },
  { name: 'attack: memory is exhausted by logs and slots', run: exhaustion },
  garbageCheck(TEMPLATES),
  { name: 'attack: a bit of a certificate is changed', run: bitFlips },
  { name: 'attack: cross-program and cross-log replay', run: crossProgramReplay },
  { name: 'a restart continues or starts anew', run: restart },
  { name: 'renew makes a new component', run: renewal },
];

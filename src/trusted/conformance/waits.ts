/** What a wait program (PoET) must do on every footprint with a clock. Checks are named after what they attack. */
import { assert } from '../../core/assert.ts';
import { equalBytes } from '../../core/bytes.ts';
import type { Digest } from '../../core/types.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import { portableHash } from '../../crypto/portable.ts';
import type { TrustedCertificate } from '../contract.ts';
import {
  certifiedWaitOf,
  MEAN_WAIT_END_MS,
  MINIMUM_WAIT_MS,
  WAIT_OBJECT_ID,
  WAIT_TOKEN_BYTES,
  waitFinishRequest,
  waitStartRequest,
  waitTokenDuration,
} from '../programs/wait/frames.ts';
import { garbageCheck } from './garbage.ts';
import type { ConformanceCheck, ConformanceContext, NamedCheck, Part } from './harness.ts';
import { askOne, identify, isValid, randomDigest, refused, renew } from './harness.ts';

/** Short, so that the one timer that a check waits for is due soon. */
const MEAN_MS = 1;
/** Far more than fit into the second of a clock that runs. */
const ATTEMPTS_MAX = 10_000_000;

function* startWait(previous: Digest, meanMs = MEAN_MS): Part<Uint8Array> {
  const answer = yield* askOne(waitStartRequest(previous, meanMs));
  assert(answer.op === 'extension' && answer.code === 1, 'a start is answered by a token');
  assert(answer.body.length === WAIT_TOKEN_BYTES, 'a token has its size');
  return answer.body;
}

function durationOf(token: Uint8Array): number {
  const duration = waitTokenDuration(token);
  assert(duration !== undefined, 'a token says how long to wait');
  return duration;
}

/** Asks until the timer is due: a footprint's clock goes on by itself. */
function* finishWhenDue(token: Uint8Array, digest: Digest): Part<TrustedCertificate> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const answer = yield* askOne(waitFinishRequest(token, digest));
    if (answer.op === 'error' && answer.code === 'NOT_READY') continue;
    assert(answer.op === 'certificates' && answer.certificates.length === 1, 'a due timer gives a certificate');
    return answer.certificates[0]!;
  }
  assert(false, 'the clock of the footprint stands still');
}

/** Asking again gives the same time, whatever was asked in between; another certificate before, another time. */
function* sameDraw({ prng }: ConformanceContext): ConformanceCheck {
  const before = yield* renew();
  const mean = 1_000_000;
  const [one, two] = [randomDigest(prng), randomDigest(prng)];
  const first = durationOf(yield* startWait(one, mean));
  const second = durationOf(yield* startWait(two, mean));
  assert(first >= MINIMUM_WAIT_MS && second >= MINIMUM_WAIT_MS, 'nobody waits less than the minimum');
  assert(first !== second, 'each certificate before has its own draw');
  for (let again = 0; again < 3; again += 1)
    assert(durationOf(yield* startWait(one, mean)) === first, 'asking again draws the same');
  const doubled = durationOf(yield* startWait(one, 2 * mean)) - MINIMUM_WAIT_MS;
  assert(Math.abs(doubled - 2 * (first - MINIMUM_WAIT_MS)) <= 1, 'the mean only stretches the draw');
  assert((yield* identify()).counter === before.counter + 6, 'each start is counted');
  for (const wrong of [0, MEAN_WAIT_END_MS]) yield* refused(waitStartRequest(one, wrong), 'BAD_REQUEST');
}

/** One timer from its start to its certificate, and all that a host tries with its token on the way. */
function* oneTimer(context: ConformanceContext): ConformanceCheck {
  const { prng } = context;
  const identity = yield* renew();
  const [previous, digest, other] = [randomDigest(prng), randomDigest(prng), randomDigest(prng)];
  const older = yield* startWait(previous);
  const token = yield* startWait(previous);
  yield* refused(waitFinishRequest(older, digest), 'CLOSED');
  yield* refused(waitFinishRequest(token, digest), 'NOT_READY');
  const certificate = yield* finishWhenDue(token, digest);
  yield* refused(waitFinishRequest(older, digest), 'CLOSED');
  yield* refused(waitFinishRequest(token, digest), 'CLOSED');
  yield* refused(waitFinishRequest(token, other), 'CLOSED');

  assert(yield* isValid(context, identity, certificate), 'the certificate holds');
  const expected = { identity, previous, meanMs: MEAN_MS, digest };
  const wait = certifiedWaitOf(portableHash, expected, certificate.statement);
  assert(wait?.durationMs === durationOf(token) && wait.sequence === 3, 'it says how long, and which one it is');
  for (const wrong of [
    { ...expected, previous: other },
    { ...expected, meanMs: MEAN_MS + 1 },
    { ...expected, digest: other },
    { ...expected, identity: { ...identity, tcEpoch: '0000000000000000' as typeof identity.tcEpoch } },
  ])
    assert(certifiedWaitOf(portableHash, wrong, certificate.statement) === undefined, 'it says nothing else');
  const again = yield* startWait(previous);
  assert(!equalBytes(again, token), 'a new start is a new token');
  yield* refused(waitFinishRequest(again, digest), 'NOT_READY');
}

/** Tokens that the component did not give, or not like that. */
function* forgedTokens({ prng }: ConformanceContext): ConformanceCheck {
  yield* renew();
  const token = yield* startWait(randomDigest(prng));
  const before = yield* identify();
  for (let index = 0; index < token.length; index += 1) {
    const forged = token.slice();
    forged[index]! ^= 1 << prng.between(0, 7);
    yield* refused(waitFinishRequest(forged, ZERO_DIGEST), 'BAD_AUTH');
  }
  for (const cut of [0, 95]) yield* refused(waitFinishRequest(token.slice(0, cut), ZERO_DIGEST), 'BAD_REQUEST');
  yield* refused({ op: 'extension', code: 3, body: token }, 'BAD_REQUEST');
  yield* refused({ op: 'extension', code: 1, body: new Uint8Array(2000) }, 'BAD_REQUEST');
  assert((yield* identify()).counter === before.counter, 'errors change nothing');
  yield* refused(waitFinishRequest(token, ZERO_DIGEST), 'NOT_READY');
}

/** What other programs are asked is not answered: a wait certificate comes from waiting alone. */
function* crossProgram({ prng }: ConformanceContext): ConformanceCheck {
  const objectId = WAIT_OBJECT_ID;
  const digest = randomDigest(prng);
  yield* refused({ op: 'certify', objectId, digest, core: new Uint8Array(0) }, 'BAD_REQUEST');
  yield* refused({ op: 'advance', objectId, value: 1, independent: false, digest }, 'BAD_REQUEST');
  yield* refused({ op: 'create', objectId, mode: 'jump' }, 'BAD_REQUEST');
  yield* refused({ op: 'plain', digest }, 'BAD_REQUEST');
}

/** A restart ends the timer that ran: its clock may not be the one of before. The sequence goes on, the draw stays. */
function* restart({ prng }: ConformanceContext): ConformanceCheck {
  const before = yield* renew();
  const previous = randomDigest(prng);
  const token = yield* startWait(previous, 1_000_000);
  yield { kind: 'restart' };
  yield* refused(waitFinishRequest(token, ZERO_DIGEST), before.persistent ? 'CLOSED' : 'BAD_AUTH');
  const after = yield* identify();
  assert(after.counter === (before.persistent ? 1 : 0), 'the sequence goes on where the component does');
  const again = durationOf(yield* startWait(previous, 1_000_000));
  if (before.persistent) assert(again === durationOf(token), 'the same draw after a restart');
}

/** `renew` is another participant: other draws, no timer, tokens of before are nothing. */
function* renewal({ prng }: ConformanceContext): ConformanceCheck {
  yield* renew();
  const previous = randomDigest(prng);
  const token = yield* startWait(previous, 1_000_000);
  const after = yield* renew();
  assert(after.counter === 0, 'nothing was counted');
  yield* refused(waitFinishRequest(token, ZERO_DIGEST), 'BAD_AUTH');
  assert(durationOf(yield* startWait(previous, 1_000_000)) !== durationOf(token), 'another key, another draw');
}

/** Checks of `wait`, in an order in which they can be run on one component. One of them waits for about a second. */
export const WAIT_CHECKS: readonly NamedCheck[] = [
  { name: 'attack: asking again until the time is short', run: sameDraw },
  { name: 'attack: early finish, two live timers, a replayed token', run: oneTimer },
  { name: 'attack: forged tokens', run: forgedTokens },
  garbageCheck([
    waitStartRequest(ZERO_DIGEST, MEAN_MS),
    waitFinishRequest(new Uint8Array(WAIT_TOKEN_BYTES), ZERO_DIGEST),
  ]),
  { name: 'attack: a certificate without waiting, from what other programs answer', run: crossProgram },
  { name: 'a restart ends the timer', run: restart },
  { name: 'renew makes a new component', run: renewal },
];

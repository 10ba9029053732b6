/** A log on two counters of a TrInc component must be one on every footprint. Checks are named after what they attack. */
import { assert } from '../../core/assert.ts';
import type { CounterValue, Digest } from '../../core/types.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import { portableHash } from '../../crypto/portable.ts';
import type { TrustedCertificate, TrustedIdentity, TrustedRequest } from '../contract.ts';
import type { AssignedSlot, SlotAnswer } from '../programs/a2m/answers.ts';
import { isWholeChain } from '../programs/a2m/answers.ts';
import type { EndProof, LogIntent, LogReader, SlotProof } from '../programs/a2m-on-trinc.ts';
import {
  createRequests,
  endClaimOf,
  HostLog,
  isWholeHistory,
  slotClaimOf,
} from '../programs/a2m-on-trinc.ts';
import type { ConformanceCheck, ConformanceContext, NamedCheck, Part } from './harness.ts';
import { askOne, certificatesOf, isValid, randomDigest, randomNonce, refused, renew } from './harness.ts';

const COUNTERS = { slots: '0101000000000001', floor: '0101000000000002' } as const;

/** A log, who reads it, and the check that is under way. */
interface Scene {
  readonly context: ConformanceContext;
  readonly identity: TrustedIdentity;
  readonly host: HostLog;
  readonly reader: LogReader;
}

function* begin(context: ConformanceContext): Part<Scene> {
  const identity = yield* renew();
  for (const request of createRequests(COUNTERS)) {
    const answer = yield* askOne(request);
    assert(answer.op === 'done', 'a counter is made');
  }
  const host = new HostLog(portableHash, COUNTERS);
  // Seals are checked where the certificates come in: with MACs only a component can.
  const reader = { hash: portableHash, pin: identity, log: COUNTERS, checkSeal: () => true };
  return { context, identity, host, reader };
}

function* only({ context, identity }: Scene, request: TrustedRequest): Part<TrustedCertificate> {
  const certificates = yield* certificatesOf(request);
  assert(certificates.length === 1, 'one certificate');
  assert(yield* isValid(context, identity, certificates[0]!), 'the certificate holds');
  return certificates[0]!;
}

function* log(scene: Scene, intent: LogIntent | undefined): Part<void> {
  assert(intent !== undefined, 'there is room');
  const certificate = yield* only(scene, scene.host.requestOf(intent));
  assert(scene.host.absorb(intent, certificate), 'the certificate is that of the intent');
}

function* append(scene: Scene, entry: Digest): Part<void> {
  yield* log(scene, scene.host.append(entry));
}

function* proofOf(scene: Scene, slot: CounterValue, nonce: string): Part<SlotProof> {
  const found = scene.host.lookup(slot, nonce);
  if (found.op === 'shown') return found.proof;
  return { kind: found.kind, status: yield* only(scene, found.request) };
}

function* lookup(scene: Scene, slot: CounterValue): Part<SlotAnswer> {
  const nonce = randomNonce(scene.context.prng);
  const claim = slotClaimOf(scene.reader, slot, nonce, yield* proofOf(scene, slot, nonce));
  assert(claim.ok, claim.ok ? '' : claim.problem);
  return claim.claim;
}

function* end(scene: Scene, nonce: string): Part<EndProof> {
  return scene.host.endProof(yield* only(scene, scene.host.endRequest(nonce)));
}

/** All answers of a log, each shown to somebody who trusts the counters alone. */
function* allAnswers(context: ConformanceContext): ConformanceCheck {
  const scene = yield* begin(context);
  const { host, reader } = scene;
  const nonce = randomNonce(context.prng);
  const empty = endClaimOf(reader, nonce, yield* end(scene, nonce));
  assert(empty.ok && empty.claim.slot === 0, 'an empty log ends at 0');
  for (let slot = 1; slot <= 3; slot += 1) yield* append(scene, randomDigest(context.prng));
  yield* log(scene, host.advance(10, randomDigest(context.prng), randomDigest(context.prng)));
  const kinds: string[] = [];
  for (const slot of [1, 3, 4, 9, 10, 11]) kinds.push((yield* lookup(scene, slot)).kind);
  assert(kinds.join() === 'assigned,assigned,skipped,skipped,assigned,unassigned', `kinds: ${kinds.join()}`);
  const truncate = host.truncateRequest(3);
  assert(truncate !== undefined, 'slots below 3 can be forgotten');
  yield* only(scene, truncate);
  host.dropBelow(3);
  const forgotten = yield* lookup(scene, 2);
  assert(forgotten.kind === 'forgotten' && forgotten.lowest === 3, 'forgotten names the lowest kept slot');
  assert((yield* lookup(scene, 3)).kind === 'assigned', 'the others are kept');
  const last = endClaimOf(reader, nonce, yield* end(scene, nonce));
  assert(last.ok && last.claim.slot === 10, 'the end is shown');
}

/** Two entries for one slot: the counter does not move twice to one value, and a STATUS is no move. */
function* equivocation(context: ConformanceContext): ConformanceCheck {
  const scene = yield* begin(context);
  const { host, reader } = scene;
  const one = host.append(randomDigest(context.prng))!;
  const two = host.append(randomDigest(context.prng))!;
  yield* log(scene, one);
  yield* refused(host.requestOf(two), 'NOT_MONOTONIC');
  const request = host.requestOf(two);
  assert(request.op === 'advance', 'an entry is a move');
  const nonce = randomNonce(context.prng);
  const status = yield* only(scene, { op: 'status', objectId: COUNTERS.slots, nonce, digest: request.digest });
  assert(!host.absorb(two, status), 'a status is not the next entry');
  const row = { entry: two.entry, history: two.history };
  for (const certificate of [status, host.rows[0]!.certificate]) {
    const shown = slotClaimOf(reader, 1, nonce, { kind: 'move', row: { ...row, certificate } });
    assert(!shown.ok, 'neither a status nor the move of another entry shows the second one');
  }
  const floor = { op: 'advance', objectId: COUNTERS.floor, value: 1, independent: false } as const;
  const other = yield* only(scene, { ...floor, digest: request.digest });
  const shown = slotClaimOf(reader, 1, nonce, { kind: 'move', row: { ...row, certificate: other } });
  assert(!shown.ok, 'a move of the other counter does not either');
}

/** A skipped slot shown as unassigned or forgotten, an old end, a slot that is left out. */
function* omission(context: ConformanceContext): ConformanceCheck {
  const { prng } = context;
  const scene = yield* begin(context);
  const { host, reader } = scene;
  const [old, fresh] = [randomNonce(prng), randomNonce(prng)];
  const oldEnd = yield* end(scene, old);
  yield* append(scene, randomDigest(prng));
  yield* log(scene, host.advance(6, ZERO_DIGEST, randomDigest(prng)));
  assert(endClaimOf(reader, old, oldEnd).ok, 'it was the end');
  assert(!endClaimOf(reader, fresh, oldEnd).ok, 'an end of the past is refused');
  const now = yield* end(scene, fresh);
  assert(!endClaimOf(reader, fresh, { ...now, row: host.rows[0]! }).ok, 'an earlier row is not the last one');
  assert(!endClaimOf(reader, fresh, { status: now.status }).ok, 'nor is none');
  const { status } = now;
  assert(!slotClaimOf(reader, 3, fresh, { kind: 'above', status }).ok, 'a skipped slot is not unassigned');
  assert(!slotClaimOf(reader, 3, fresh, { kind: 'below', status }).ok, 'nor forgotten by the other counter');
  assert(slotClaimOf(reader, 7, fresh, { kind: 'above', status }).ok, 'what is above is');
  const slots: AssignedSlot[] = [];
  for (const row of host.rows) {
    const claim = slotClaimOf(reader, row.slot, fresh, { kind: 'move', row });
    assert(claim.ok && claim.claim.kind === 'assigned', 'each row is shown');
    slots.push(claim.claim);
  }
  assert(isWholeChain(slots, 0) && !isWholeChain(slots.slice(1), 0), 'a slot that is left out shows');
  assert(!isWholeHistory(portableHash, slots), 'a history from an invented base is found by walking it');
  assert(isWholeHistory(portableHash, slots.slice(0, 1)), 'a whole one holds');
}

/** Crash of the host between asking and keeping: `replay` gives the certificate again, for the intent that was kept. */
function* hostCrash(context: ConformanceContext): ConformanceCheck {
  const scene = yield* begin(context);
  yield* append(scene, randomDigest(context.prng));
  const intent = scene.host.append(randomDigest(context.prng))!;
  yield* only(scene, scene.host.requestOf(intent));
  const host = new HostLog(portableHash, COUNTERS, scene.host.rows);
  const again = yield* certificatesOf({ op: 'replay', objectId: COUNTERS.slots, count: 2 });
  assert(again.length === 2 && !host.absorb(intent, again[0]!), 'the first one is not it');
  assert(host.absorb(intent, again[1]!) && host.last === 2, 'the second one is');
  yield* append({ ...scene, host }, randomDigest(context.prng));
  assert(host.rows.length === 3, 'the log goes on');
}

/** Checks of a log on TrInc; they run on a `trinc` component. */
export const LOG_ON_TRINC_CHECKS: readonly NamedCheck[] = [
  { name: 'a log on TrInc gives each of its answers', run: allAnswers },
  { name: 'a log on TrInc, attack: two entries for one slot', run: equivocation },
  { name: 'a log on TrInc, attack: omission, an end of the past', run: omission },
  { name: 'a log on TrInc outlives a crash of its host', run: hostCrash },
];

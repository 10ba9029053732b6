/** Normal case: what a primary proposes and what a backup commits to. */
import type { Batch, RecoverRequest } from '../../core/request.ts';
import { BATCH_RECOVERS_MAX, writeRecover } from '../../core/request.ts';
import { Writer } from '../../core/codec.ts';
import { equalBytes } from '../../core/bytes.ts';
import type { SequenceNumber } from '../../core/types.ts';
import { BATCH_FRAME_BYTES, buildBatch, decideBatch, inFlightMaxOf, TIME_AHEAD_MAX_MS } from '../batcher.ts';
import { currentEntry, isEffectiveRecover } from '../registry.ts';
import type { Prepare, PrepareContent } from '../usig-stream/messages.ts';
import { makeBodyDurable, wantBody } from './execution.ts';
import type { ReplicaState } from './state.ts';
import { requestViewChangeTo } from './suspicion.ts';

/**
 * B7: whether the own log has room for more PREPAREs, COMMITs and CHECKPOINTs. It fills up while nobody vouches for this
 * stream; what is left then is for view changes.
 */
export function logHasRoom(s: ReplicaState, windowsLeft = 2): boolean {
  return s.own.log.length < s.limits.logEntriesMax - windowsLeft * s.window;
}

// ---- Primary

/** RECOVERs that would be effective at `n` and are in no proposal yet; those that come too early are held. */
export function readyRecovers(s: ReplicaState, n: SequenceNumber): RecoverRequest[] {
  const ready: RecoverRequest[] = [];
  let bytes = BATCH_FRAME_BYTES;
  for (const request of s.recovers) {
    if (request === undefined || ready.length === BATCH_RECOVERS_MAX || isProposed(s, request)) continue;
    const effective = isEffectiveRecover(s.registry, request, true, n, s.limits.checkpointInterval);
    if (!s.rule('MinBFT.LEADER.5', effective, `replica ${request.replica}`)) continue;
    // Evidence may be long: what does not fit any more goes into the next batch.
    bytes += recoverBytes(request).length;
    if (bytes > s.limits.batchBytesMax) break;
    ready.push(request);
  }
  return ready;
}

function isProposed(s: ReplicaState, request: RecoverRequest): boolean {
  for (const entry of unexecutedEntries(s))
    if (entry.recovers.some((other) => other.replica === request.replica)) return true;
  return false;
}

/** Entries of the own view that are not executed here: base and proposals. */
function unexecutedEntries(s: ReplicaState): Prepare[] {
  const { newView } = s.own.state;
  const group = s.groups.of(newView);
  const proposals = [...group.proposals.values()].filter((entry) => entry.sequence > s.executed);
  const base = newView.end > s.executed ? (s.knowledge.contentOf(newView)?.base ?? []) : [];
  return [...base.filter((entry) => entry.sequence > s.executed), ...proposals];
}

/** The boundary up to which a RECOVER still has to be covered; undefined if none has. */
export function coverageBoundary(s: ReplicaState): SequenceNumber | undefined {
  const cp = s.limits.checkpointInterval;
  const { newView } = s.own.state;
  let latest = 0;
  for (const entries of s.registry.members) latest = Math.max(latest, entries.at(-1)!.since);
  const { proposals } = s.groups.of(newView);
  if (proposals.recovering > 0) latest = latestRecover(s, proposals.withRecovers(), latest);
  if (newView.end > s.executed) latest = latestRecover(s, s.knowledge.contentOf(newView)?.base ?? [], latest);
  if (latest <= s.stableSequence) return undefined;
  return Math.ceil(latest / cp) * cp;
}

/** Highest of `latest` and the orders that are not executed here and hold a RECOVER. */
function latestRecover(s: ReplicaState, entries: Iterable<Prepare>, latest: SequenceNumber): SequenceNumber {
  let highest = latest;
  for (const { recovers, sequence } of entries)
    if (recovers.length > 0 && sequence > s.executed && sequence > highest) highest = sequence;
  return highest;
}

/** Whether a RECOVER waits until 2cp orders have passed (rule 8). */
function holdsRecover(s: ReplicaState): boolean {
  return s.recovers.some((request) => {
    if (request === undefined) return false;
    const current = currentEntry(s.registry, request.replica);
    return (
      request.expectedIncarnation === current.incarnation &&
      current.incarnation > 0 &&
      s.executed + 1 <= current.since + 2 * s.limits.checkpointInterval
    );
  });
}

/** The next PREPARE, if it is time for one. Takes what it proposes from the waiting requests. */
export function nextPrepare(s: ReplicaState): PrepareContent | undefined {
  const { state } = s.own;
  const n = state.lastSequence + 1;
  if (!s.rule('MinBFT.LEADER.1', n <= s.covered + s.window)) return undefined;
  if (!s.rule('MinBFT.LEADER.3', logHasRoom(s))) return undefined;
  const inFlight = Math.max(0, n - 1 - s.reached);
  if (!s.rule('MinBFT.LEADER.2', inFlight < inFlightMaxOf(s.limits))) return undefined;
  return propose(s, n, inFlight, readyRecovers(s, n));
}

/** PREPARE for an order, if it is time for one. */
export function propose(
  s: ReplicaState,
  n: SequenceNumber,
  inFlight: number,
  recovers: readonly RecoverRequest[],
): PrepareContent | undefined {
  const { state } = s.own;
  if (recovers.length === 0 && !mayProposeNow(s, inFlight, n)) return undefined;
  const batch = takeBatch(s, recovers);
  makeBodyDurable(s, batch, n);
  s.bodies.keep(batch);
  s.emit({ kind: 'shareBody', batch });
  return {
    kind: 'PREPARE',
    view: state.newView.view,
    configurationVersion: s.streamContext.domain.configurationVersion,
    newViewCounter: state.newView.counter,
    sequence: n,
    batchDigest: batch.digest,
    recovers,
  };
}

function mayProposeNow(s: ReplicaState, inFlight: number, n: SequenceNumber): boolean {
  const decision = decideBatch(s.limits, s.timers.batchDelayMs, {
    now: s.now,
    inFlight,
    unproposedRequests: s.pending.unproposedRequests,
    unproposedBytes: s.pending.unproposedBytes,
    oldestSince: s.pending.oldestUnproposedSince(),
  });
  if (decision.kind === 'propose') return true;
  if (decision.kind === 'waitUntil') s.wakeAt('batch', decision.at);
  const boundary = coverageBoundary(s);
  if (s.rule('MinBFT.LEADER.4', boundary !== undefined && n <= boundary)) return true;
  if (!holdsRecover(s) || inFlight > 0) return false;
  const due = s.lastIdleBatchMs + s.timers.idleBatchMs;
  if (due > s.now) {
    s.wakeAt('batch', due);
    return false;
  }
  s.lastIdleBatchMs = s.now;
  return true;
}

function takeBatch(s: ReplicaState, recovers: readonly RecoverRequest[]): Batch {
  const { view } = s.own.state.newView;
  const used = recovers.reduce((sum, request) => sum + recoverBytes(request).length, BATCH_FRAME_BYTES);
  const room = { requests: s.limits.batchRequestsMax, bytes: Math.max(0, s.limits.batchBytesMax - used) };
  const bundles = s.pending.take(room, view, s.isDone);
  const { hash, domain } = s.context;
  let time = Math.floor(s.wallMs);
  if (bundles.length === 0 && recovers.length === 0) {
    // Two empty batches must not be one body: what is executed is released by its digest.
    time = Math.max(time, s.lastEmptyBatchTime + 1);
    s.lastEmptyBatchTime = time;
  }
  return buildBatch(hash, domain, { proposedInView: view, time, recovers, bundles });
}

function recoverBytes(request: RecoverRequest): Uint8Array {
  const writer = new Writer(512);
  writeRecover(writer, request);
  return writer.finish();
}

// ---- Backup

/** The primary's proposal for the next order, if it may be voted for. */
export function nextVote(s: ReplicaState): Prepare | undefined {
  const { state } = s.own;
  const n = Math.max(state.lastSequence, s.covered) + 1;
  const group = s.groups.of(state.newView);
  const prepare = group.proposals.get(n);
  if (prepare === undefined) {
    if (group.proposals.size > 0) group.proposals.dropThrough(n - 1);
    return undefined;
  }
  if (!s.rule('MinBFT.BACKUP.2', prepare.ui.counter > state.lastPrimaryCounter)) return undefined;
  if (!s.rule('MinBFT.BACKUP.4', n <= s.covered + s.window)) return undefined;
  if (!s.rule('MinBFT.LEADER.3', logHasRoom(s))) return undefined;
  const ready = n <= s.executed && s.bodies.isDurable(prepare.batchDigest) ? true : bodyAllows(s, prepare);
  return ready ? prepare : undefined;
}

/** Conditions on the body. Stores it if they hold. */
export function bodyAllows(s: ReplicaState, prepare: Prepare): boolean {
  const batch = s.bodies.get(prepare.batchDigest);
  if (batch === undefined) {
    wantBody(s, prepare, prepare.sequence);
    return false;
  }
  const authentic = isAuthentic(s, batch);
  const fits = authentic && s.rule('MinBFT.BACKUP.6', sameRecovers(batch.recovers, prepare.recovers));
  if (!fits) {
    s.rule('MinBFT.BACKUP.3', authentic, `order ${prepare.sequence}`);
    s.rule('MinBFT.VC.3', false, `order ${prepare.sequence}`);
    if (s.requested <= s.view)
      s.note('badBatch', { primary: prepare.ui.replica, sequence: prepare.sequence });
    s.part.onBadBatch?.(prepare);
    requestViewChangeTo(s, s.view + 1);
    return false;
  }
  s.rule('MinBFT.BACKUP.3', true);
  const ahead = batch.time - (s.wallMs + TIME_AHEAD_MAX_MS);
  if (!s.rule('MinBFT.BACKUP.5', ahead <= 0)) {
    s.wakeAt('batch', s.now + Math.min(ahead, 60_000));
    return false;
  }
  for (const bundle of batch.bundles) s.pending.markProposed(bundle.digest, prepare.view);
  makeBodyDurable(s, batch, prepare.sequence);
  return true;
}

function isAuthentic(s: ReplicaState, batch: Batch): boolean {
  if (batch.bundleAuthentic.includes(false) || batch.recoverAuthentic.includes(false)) return false;
  if (batch.bytes.length > s.limits.batchBytesMax) return false;
  let requests = 0;
  for (const bundle of batch.bundles) requests += bundle.requestCount;
  // One bundle may exceed the number alone (it is bounded by itself).
  return requests <= s.limits.batchRequestsMax || batch.bundles.length === 1;
}

function sameRecovers(body: readonly RecoverRequest[], header: readonly RecoverRequest[]): boolean {
  return (
    body.length === header.length &&
    body.every((request, index) => equalBytes(recoverBytes(request), recoverBytes(header[index]!)))
  );
}

/**
 * Decide and execute: in the highest view that f+1 replicas committed to, order by
 * order, on explicit votes, counted by incarnation when deciding.
 */
import type { CheckpointState } from '../../core/protocol.ts';
import type { Batch, RecoverRequest } from '../../core/request.ts';
import type { ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import type { Registry } from '../registry.ts';
import { applyRecover, currentEntry, encodeRegistry, isEffectiveRecover } from '../registry.ts';
import { registryDigest } from '../usig-stream/context.ts';
import type { Prepare } from '../usig-stream/messages.ts';
import type { ValidNewView } from '../usig-stream/validation.ts';
import { distinctReplicas } from '../vote-keeper.ts';
import { dropKnownRecovers, onBoundary, setRegistry } from './checkpoints.ts';
import { encodeFlags, encodeLast, STORE_KEY } from './durable.ts';
import { registryAfter } from './knowledge.ts';
import type { Executing, ReplicaState } from './state.ts';
import { renewStreams } from './streams.ts';
import type { ViewGroup } from './view-groups.ts';

/** The registry after a batch with these RECOVERs was executed at `n`. */
function registryWith(
  s: ReplicaState,
  registry: Registry,
  recovers: readonly RecoverRequest[],
  n: SequenceNumber,
  view: View,
): Registry {
  let after = registry;
  for (const request of recovers) {
    const effective = isEffectiveRecover(after, request, true, n, s.limits.checkpointInterval);
    s.rule('MinBFT.RECOVER.1', effective, `replica ${request.replica}`);
    if (effective) after = applyRecover(after, request, n, view);
  }
  return after;
}

/** Raises execView as far as the votes allow. */
export function updateExecutingView(s: ReplicaState): void {
  for (const group of s.groups.above(s.groups.executing.reference.view)) {
    if (!s.rule('MinBFT.EXEC.2', distinctReplicas(group.entrants) >= s.quorum)) continue;
    const content = s.knowledge.contentOf(group.reference);
    if (content === undefined || (content.base === undefined && content.header.end > s.executed)) continue;
    // What it starts from is not here yet: state transfer comes first, and the registry at nLow with it.
    if (content.header.low > s.executed) continue;
    if (!s.rule('MinBFT.EXEC.6', entrantsCount(s, group, content), `view ${group.reference.view}`)) continue;
    s.groups.executing = group;
    s.note('executingView', { view: group.reference.view });
    return;
  }
}

/** Whether f+1 entrants count: their incarnation is the one in the registry at nLow with the base applied. */
function entrantsCount(s: ReplicaState, group: ViewGroup, content: ValidNewView): boolean {
  let registry = registryAfter(s.registry, content.header.low);
  for (const entry of content.base ?? []) {
    if (entry.recovers.length === 0) continue;
    registry = registryWith(s, registry, entry.recovers, entry.sequence, entry.view);
  }
  if (content.base === undefined) registry = registryAfter(s.registry, content.header.end);
  const counted = group.entrants.filter(
    (voter) => currentEntry(registry, voter.replica).incarnation === voter.incarnation,
  );
  return distinctReplicas(counted) >= s.quorum;
}

/** What is decided for an order; undefined if nothing is (yet). */
function decidedEntry(s: ReplicaState, n: SequenceNumber): Prepare | undefined {
  const group = s.groups.executing;
  const { view, end } = group.reference;
  if (!s.rule('MinBFT.EXEC.5', view >= s.executionFloor)) return undefined;
  if (n <= end) {
    const content = s.knowledge.contentOf(group.reference);
    if (content?.base === undefined || n <= content.header.low) return undefined;
    return content.base[n - content.header.low - 1];
  }
  if (!group.votes.hasVoters(n, s.quorum)) return undefined;
  return decidedByVotes(s, group, n);
}

/** Who counts is judged now: neither a retired incarnation nor one that this very proposal would retire. */
function decidedByVotes(s: ReplicaState, group: ViewGroup, n: SequenceNumber): Prepare | undefined {
  return group.votes.decided(n, s.quorum, (voter, proposal) => {
    if (s.part.isVoid?.(proposal) === true) return false;
    const current = currentEntry(s.registry, voter.replica).incarnation === voter.incarnation;
    if (!s.rule('MinBFT.EXEC.3', current)) return false;
    const retired = proposal.recovers.some(
      (request) =>
        request.replica === voter.replica &&
        isEffectiveRecover(s.registry, request, true, n, s.limits.checkpointInterval),
    );
    return s.rule('MinBFT.EXEC.4', !retired);
  });
}

/** Emits the next execution, if there is something decided whose body is here. True if it did. */
export function advanceExecution(s: ReplicaState): boolean {
  if (s.executing !== undefined || s.transferring !== undefined) return false;
  const entry = nextDecided(s);
  const ready = entry === undefined ? undefined : readyToExecute(s, s.executed + 1, entry, s.registry);
  if (ready === undefined) return false;
  executeDecided(s, ready, {});
  return true;
}

/** What is decided for the order after the last one that was executed for good. */
export function nextDecided(s: ReplicaState): Prepare | undefined {
  updateExecutingView(s);
  const n = s.executed + 1;
  const entry = decidedEntry(s, n);
  if (entry !== undefined) return entry;
  const { votes } = s.groups.executing;
  if (votes.hasVoters(n, 1) && !votes.hasVoters(n, s.quorum)) s.rule('MinBFT.EXEC.1', false);
  return undefined;
}

/** The body of an entry, if it is here or need not be sent. */
export function bodyOf(s: ReplicaState, entry: Prepare): Batch | undefined {
  return s.bodies.get(entry.batchDigest) ?? s.part.impliedBody?.(entry);
}

/** What the execution of an entry needs, if its body is here; durable from now on. Otherwise the body is asked for. */
export function readyToExecute(
  s: ReplicaState,
  n: SequenceNumber,
  entry: Prepare,
  before: Registry,
): Executing | undefined {
  const batch = bodyOf(s, entry);
  if (batch === undefined) {
    wantBody(s, entry, n);
    return undefined;
  }
  const registry =
    entry.recovers.length === 0 ? before : registryWith(s, before, entry.recovers, n, entry.view);
  makeBodyDurable(s, batch, n);
  return { sequence: n, entry, batch, registry };
}

/** Has a decided order executed. `protocolState`: where it is more than the registry; `mode`: as in the effect. */
export function executeDecided(
  s: ReplicaState,
  ready: Executing,
  how: { readonly protocolState?: Uint8Array; readonly mode?: 'held' },
): void {
  const { sequence, batch, registry } = ready;
  s.rule('MinBFT.EXEC.1', true);
  s.executing = ready;
  if (sequence % s.limits.checkpointInterval === 0) announceBoundary(s, ready);
  const protocolState =
    how.protocolState ?? (registry === s.registry ? s.registryBytes : encodeRegistry(registry));
  const mode = how.mode === undefined ? {} : { mode: how.mode };
  s.emit({ kind: 'execute', sequence, batch, protocolState, ...mode });
}

/**
 * What the CHECKPOINT of this boundary must name is durable before its execution is. Power may go between the two, and
 * nobody could seal that CHECKPOINT any more: with a narrow window the cluster would wait for it for ever.
 */
export function announceBoundary(s: ReplicaState, { sequence, entry, registry }: Executing): void {
  const boundary = {
    checkpoint: { sequence, stateDigest: ZERO_DIGEST },
    last: { view: entry.view, primaryCounter: entry.ui.counter },
    registryDigest: registry === s.registry ? s.registryDigest : registryDigest(s.streamContext, registry),
  };
  s.store([{ key: STORE_KEY.next, value: encodeLast(sequence, boundary) }]);
}

/** W1: the body is in the durable map before anything that rests on it is sealed or executed. */
export function makeBodyDurable(s: ReplicaState, batch: Batch, sequence: SequenceNumber): void {
  const known = s.bodies.isDurable(batch.digest);
  s.bodies.markDurable(batch.digest, sequence);
  if (known) return;
  const entries = [{ key: STORE_KEY.body + batch.digest, value: batch.bytes }];
  const flagged = [...batch.bundleAuthentic, ...batch.recoverAuthentic].includes(false);
  if (flagged) {
    s.flaggedBodies.add(batch.digest);
    const value = encodeFlags(batch.bundleAuthentic, batch.recoverAuthentic);
    entries.push({ key: STORE_KEY.bodyFlags + batch.digest, value });
  }
  s.store(entries);
}

/** Asks for a body: first of who proposed it, then of everybody who voted for it, then of all others. */
export function wantBody(s: ReplicaState, entry: Prepare, n: SequenceNumber): void {
  // All sources were named the first time.
  if (s.bodies.isWanted(entry.batchDigest)) return;
  const sources: ReplicaId[] = [entry.ui.replica];
  for (const candidate of s.groups.executing.votes.candidates(n))
    for (const { replica } of candidate.voters) if (!sources.includes(replica)) sources.push(replica);
  for (const replica of s.peers.keys()) if (!sources.includes(replica)) sources.push(replica);
  s.bodies.want(
    entry.batchDigest,
    sources.filter((replica) => replica !== s.self),
    s.now,
  );
}

/** The service has executed the batch. */
export function onExecuted(
  s: ReplicaState,
  sequence: SequenceNumber,
  checkpoint: CheckpointState | undefined,
): void {
  const done = s.executing;
  s.executing = undefined;
  if (done === undefined || done.sequence !== sequence) return;
  finishOrder(s, done, checkpoint);
}

/** An order was executed for good. */
export function finishOrder(s: ReplicaState, done: Executing, checkpoint: CheckpointState | undefined): void {
  const { sequence } = done;
  s.executed = sequence;
  s.executionTimes.note(sequence, s.now);
  const retiredPrimary = done.registry !== s.registry;
  setRegistry(s, done.registry);
  for (const bundle of done.batch.bundles) s.pending.remove(bundle.digest);
  s.groups.executing.votes.drop(sequence);
  s.bodies.release(done.batch.digest);
  if (s.backoff.onExecuted(sequence)) s.pending.restartDeadlines(s.now, requestDelay(s));
  if (checkpoint !== undefined) {
    onBoundary(s, {
      checkpoint,
      last: { view: done.entry.view, primaryCounter: done.entry.ui.counter },
      registryDigest: s.registryDigest,
    });
  }
  if (retiredPrimary) {
    renewStreams(s);
    dropKnownRecovers(s);
  }
}

/** Request deadline as it is now. */
export function requestDelay(s: ReplicaState): number {
  return s.backoff.delay(s.timers.requestMs);
}

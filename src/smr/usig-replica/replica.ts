/**
 * A replica on USIG streams. Every input is taken in by the part that it concerns; then `settle` draws all conclusions
 * until nothing moves: streams, stable checkpoints, execution, view changes, the next own message, timers.
 */
import type { Effect, Input, Replica, ReplicaContext, ReplicaInspection } from '../../core/protocol.ts';
import type { Bundle } from '../../core/request.ts';
import type { Milliseconds, ReplicaId } from '../../core/types.ts';
import type { UsigMessage } from '../usig-stream/messages.ts';
import {
  considerTransfer,
  intakeCheckpointProof,
  onInstalled,
  onTransferFailed,
  updateStable,
} from './checkpoints.ts';
import { noteHeard, noteLack } from './conduct.ts';
import { requestDelay } from './execution.ts';
import {
  armGapTimer,
  askForGaps,
  askForViews,
  onFetchLinks,
  onFetchNewView,
  onLinkUp,
  onResendRequest,
  onStatus,
  onStatusTick,
} from './gossip.ts';
import { inspectReplica } from './inspection.ts';
import { coverageBoundary } from './ordering.ts';
import type { UsigProtocol } from './part.ts';
import { onRecover, onStart, refreshRecover } from './recovery.ts';
import { onSealed, sealNext } from './sealing.ts';
import { ReplicaState } from './state.ts';
import {
  drainStreams,
  intakeCheckpoint,
  intakeCommitNewView,
  intakeNewView,
  intakeNewViewCertificate,
  intakePrepare,
  intakeStreamSync,
  intakeViewChange,
  intakeVote,
  isRepeated,
  noteRequestViewChange,
} from './streams.ts';
import { requestViewChangeTo } from './suspicion.ts';
import { considerViewChange, onNewViewTimeout } from './view-change.ts';

/** Rounds of `settle`; each moves a counter, an order or a view, so this many mean a bug of ours. */
const SETTLE_ROUNDS_MAX = 100_000;

/** A replica with its inside, which judges and tests look at and nobody else changes. */
export interface UsigReplica extends Replica<UsigMessage> {
  readonly state: ReplicaState;
  /** One step whose input only the protocol's own part understands. */
  take(now: Milliseconds, takeIn: () => void): readonly Effect<UsigMessage>[];
}

/** Makes a replica. Its first input must be `start`. */
export function createUsigReplica(context: ReplicaContext, protocol: UsigProtocol): UsigReplica {
  const s = new ReplicaState(context, protocol);
  return {
    state: s,
    step: (input, now) => (s.started || input.kind === 'start' ? step(s, now, () => takeIn(s, input)) : []),
    take: (now, take) => (s.started ? step(s, now, take) : []),
    inspect: (now, brief = false): ReplicaInspection => inspectReplica(s, now, brief),
  };
}

function step(s: ReplicaState, now: Milliseconds, take: () => void): readonly Effect<UsigMessage>[] {
  s.passTo(now);
  if (s.halted) return [];
  take();
  settle(s);
  const effects = s.take();
  // Nothing may be sealed or sent any more once the own component is known to be an old one.
  return s.halted ? effects.filter(({ kind }) => kind === 'halt' || kind === 'note') : effects;
}

function takeIn(s: ReplicaState, input: Input<UsigMessage>): void {
  switch (input.kind) {
    case 'start':
      if (!s.started) onStart(s, input.recovery);
      break;
    case 'bundle':
      onBundle(s, input.bundle);
      break;
    case 'message':
      onMessage(s, input.from, input.message);
      break;
    case 'body':
      if (s.bodies.put(input.batch)) s.viewChangesChanged = true;
      break;
    case 'sealed':
      onSealed(s, input.ui);
      break;
    case 'timeout':
      s.onTimerFired(input.timer);
      onTimeout(s, input.timer);
      break;
    case 'executed':
      s.part.onExecuted(input.sequence, input.checkpoint);
      break;
    case 'asked':
      s.part.onAsked?.(input.sequence, input.bundle);
      break;
    case 'installed':
      onInstalled(s, input.checkpoint, input.protocolState);
      break;
    case 'transferFailed':
      onTransferFailed(s);
      break;
    case 'linkUp':
      onLinkUp(s, input.peer);
      break;
  }
}

function onBundle(s: ReplicaState, bundle: Bundle): void {
  if (s.pending.has(bundle.digest) || s.isDone(bundle)) return;
  if (s.pending.add(bundle, s.now, requestDelay(s))) s.part.onBundle?.(bundle);
}

function onMessage(s: ReplicaState, from: ReplicaId, message: UsigMessage): void {
  const peer = s.peers[from];
  if (peer === undefined) return;
  noteHeard(s, peer);
  if (isRepeated(s, from, message)) peer.repeated += 1;
  switch (message.kind) {
    case 'PREPARE':
      intakePrepare(s, message);
      break;
    case 'COMMIT':
    case 'SPEC':
    case 'COMMIT-VECTOR':
      intakeVote(s, message);
      break;
    case 'STREAM-BATCH':
      for (const vote of message.votes) intakeVote(s, vote);
      break;
    case 'CHECKPOINT':
      intakeCheckpoint(s, message);
      break;
    case 'VIEW-CHANGE':
      intakeViewChange(s, message);
      break;
    case 'NEW-VIEW':
      intakeNewView(s, message);
      break;
    case 'NEW-VIEW-CERTIFICATE':
      intakeNewViewCertificate(s, message);
      break;
    case 'COMMIT-NEW-VIEW':
      intakeCommitNewView(s, message);
      break;
    case 'REQUEST-VIEW-CHANGE':
      noteRequestViewChange(s, message);
      break;
    case 'RECOVER':
      onRecover(s, message);
      break;
    case 'STATUS':
      onStatus(s, from, message);
      break;
    case 'RESEND-REQUEST':
      onResendRequest(s, from, message);
      break;
    case 'STREAM-SYNC':
      intakeStreamSync(s, message);
      break;
    case 'CHECKPOINT-PROOF':
      intakeCheckpointProof(s, from, message);
      break;
    case 'FETCH-LINKS':
      onFetchLinks(s, from, message);
      break;
    case 'FETCH-NEW-VIEW':
      onFetchNewView(s, from, message);
      break;
  }
}

function onTimeout(s: ReplicaState, timer: string): void {
  switch (timer) {
    case 'status':
      onStatusTick(s);
      askForViews(s);
      break;
    case 'gap':
      askForGaps(s);
      break;
    case 'newView':
      onNewViewTimeout(s);
      break;
    // `request`, `batch`, `bodies`, `lag`: what is due is found by `settle`.
    default:
      s.part.onTimeout?.(timer);
      break;
  }
}

/** Draws conclusions until nothing moves. */
function settle(s: ReplicaState): void {
  for (let round = 0; round < SETTLE_ROUNDS_MAX; round += 1) {
    const streams = drainStreams(s);
    const stable = updateStable(s);
    const executes = s.part.advance();
    considerViewChange(s);
    const seals = sealNext(s);
    if (!streams && !stable && !executes && !seals) break;
  }
  refreshRecover(s);
  considerTransfer(s);
  considerRequests(s);
  considerCoverage(s);
  fetchBodies(s);
  armGapTimer(s);
}

/** Deadlines of waiting requests (trigger 1), and what is passed on before they expire. */
function considerRequests(s: ReplicaState): void {
  if (!s.active) return;
  const wake = s.pending.nextWake();
  if (wake === undefined) return;
  if (wake > s.now) {
    s.wakeAt('request', wake);
    return;
  }
  const primary = s.primaryOf(s.view);
  const { toPrimary, toAll } = s.pending.dueForwards(s.now);
  for (const bundle of toPrimary) if (primary !== s.self) s.emit({ kind: 'forward', bundle, to: primary });
  for (const bundle of toAll) s.emit({ kind: 'forward', bundle });
  if (toAll.length > 0) s.part.onWaiting?.();
  if (!s.rule('MinBFT.VC.2', !s.pending.isOverdue(s.now, s.isDone))) {
    requestViewChangeTo(s, s.view + 1);
    s.pending.restartDeadlines(s.now, requestDelay(s));
  }
  const next = s.pending.nextWake();
  if (next !== undefined) s.wakeAt('request', Math.max(next, s.now + 1));
}

/**
 * While a RECOVER waits, is held or is not covered, orders must go on; the same deadline as
 * for a request, anew for every order.
 */
function considerCoverage(s: ReplicaState): void {
  if (!s.active || !isCoverageDue(s)) {
    s.coverageDeadline = undefined;
    return;
  }
  if (s.coverageDeadline === undefined || s.coverageExecuted !== s.executed) {
    s.coverageDeadline = s.now + requestDelay(s);
    s.coverageExecuted = s.executed;
  }
  if (s.coverageDeadline > s.now) {
    s.wakeAt('request', s.coverageDeadline);
    return;
  }
  requestViewChangeTo(s, s.view + 1);
  s.coverageDeadline = s.now + requestDelay(s);
  s.wakeAt('request', s.coverageDeadline);
}

/** Whether orders must go on although no request waits. A RECOVER that is held waits, too. */
function isCoverageDue(s: ReplicaState): boolean {
  if (s.recovers.some((request) => request !== undefined)) return true;
  const boundary = coverageBoundary(s);
  return boundary !== undefined && s.executed < boundary;
}

/** Bodies that are lacking are asked for, of one source after the other. */
function fetchBodies(s: ReplicaState): void {
  if (s.bodies.wantedCount === 0) return;
  for (const { digest, from, lacking } of s.bodies.dueFetches(s.now, 2 * s.timers.gapMs)) {
    if (lacking !== undefined) noteLack(s, lacking);
    s.emit({ kind: 'fetchBody', digest, from });
  }
  const next = s.bodies.nextFetch();
  if (next !== undefined) s.wakeAt('bodies', Math.max(next, s.now + 1));
}

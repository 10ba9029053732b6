/** What a replica on USIG streams waits for: which quorum lacks whose messages. For people; nothing is decided by it. */
import type { Lack } from '../../core/live.ts';
import type { Milliseconds, ReplicaId, SequenceNumber } from '../../core/types.ts';
import { stableSequence } from '../checkpoint-keeper.ts';
import { oneLack, quorumLack, SILENT_PERIODS } from '../lack.ts';
import { currentEntry } from '../registry.ts';
import type { Prepare } from '../usig-stream/messages.ts';
import { logHasRoom } from './ordering.ts';
import { agreeingPeers } from './sealing.ts';
import type { ReplicaState } from './state.ts';
import { viewChangersOf } from './view-change.ts';

/** A trusted component that takes longer over one seal does not answer. */
const SEAL_MS: Milliseconds = 500;

/** What nothing goes on without, if anything: the most fundamental first. `now`: as `s.now`. */
export function lackOf(s: ReplicaState, now: Milliseconds): Lack | undefined {
  return (
    finalHalt(s, now) ??
    fetching(s, now) ??
    readmission(s, now) ??
    ownComponent(s, now) ??
    wordsAtStart(s, now) ??
    (s.own.state.mode === 'changing' ? newView(s, now) : order(s, now)) ??
    silence(s, now)
  );
}

function everybody(s: ReplicaState): ReplicaId[] {
  return [...s.peers.keys()];
}

function others(s: ReplicaState): ReplicaId[] {
  return everybody(s).filter((replica) => replica !== s.self);
}

/** Replicas whose counter or log is lost and whose RECOVER is not covered yet. */
function unregistered(s: ReplicaState): ReplicaId[] {
  return everybody(s).filter(
    (replica) =>
      s.recovers[replica] !== undefined || currentEntry(s.registry, replica).since > s.stableSequence,
  );
}

/** Whose messages count: a replica that must be re-admitted has no voice before it is. */
function keepers(s: ReplicaState): ReplicaId[] {
  return everybody(s).filter((replica) => s.recovers[replica] === undefined);
}

function finalHalt(s: ReplicaState, now: Milliseconds): Lack | undefined {
  const lost = unregistered(s);
  if (s.n - lost.length >= s.quorum) return undefined;
  const has = everybody(s).filter((replica) => !lost.includes(replica));
  return quorumLack('keepers', {}, { needs: s.quorum, has, among: everybody(s) }, now - lastProgress(s));
}

function fetching(s: ReplicaState, now: Milliseconds): Lack | undefined {
  if (s.transferring === undefined) return undefined;
  const sequence = stableSequence(s.transferring);
  return oneLack('state', { sequence }, others(s), now - (s.transferringSince ?? now));
}

/** RECOVER.3: the own RECOVER is ordered by the others, and then covered by a stable checkpoint. */
function readmission(s: ReplicaState, now: Milliseconds): Lack | undefined {
  if (s.maySeal) return undefined;
  const entry = currentEntry(s.registry, s.self);
  const ordered = entry.tcEpoch === s.tcEpoch && entry.since > s.stableSequence;
  return ordered
    ? stability(s, now)
    : oneLack('RECOVER', {}, [], now - Math.max(s.startedAtMs, lastProgress(s)));
}

function ownComponent(s: ReplicaState, now: Milliseconds): Lack | undefined {
  const since = s.sealing?.since;
  return since === undefined || now - since < SEAL_MS
    ? undefined
    : oneLack('component', {}, [s.self], now - since);
}

/** RECOVER.4: nothing is sealed before peers have said what they hold of the own stream. */
function wordsAtStart(s: ReplicaState, now: Milliseconds): Lack | undefined {
  if (s.peersAsked || !s.maySeal) return undefined;
  const has = [s.self, ...agreeingPeers(s)];
  return quorumLack('STATUS', {}, { needs: s.quorum, has, among: keepers(s) }, now - s.startedAtMs);
}

// ---- Views

function newView(s: ReplicaState, now: Milliseconds): Lack | undefined {
  const view = Math.max(0, s.view);
  const { log } = s.own;
  const forMs = waitingFor(s, now, log.get(log.last)?.at ?? s.startedAtMs);
  const has = viewChangersOf(s, s.view);
  if (has.length < s.quorum)
    return quorumLack('VIEW-CHANGE', { view }, { needs: s.quorum, has, among: keepers(s) }, forMs);
  const primary = s.primaryOf(s.view);
  if (primary !== s.self) return body(s, now) ?? oneLack('NEW-VIEW', { view }, [primary], forMs);
  const shown = everybody(s).filter(
    (replica) =>
      replica === s.self || s.peers[replica]!.viewChanges.some((viewChange) => viewChange.view === s.view),
  );
  return shown.length < s.quorum
    ? quorumLack('VIEW-CHANGE', { view }, { needs: s.quorum, has: shown, among: keepers(s) }, forMs)
    : body(s, now);
}

/** A view that too few have entered executes nothing. */
function entrants(s: ReplicaState, now: Milliseconds): Lack | undefined {
  const group = s.groups.of(s.own.state.newView);
  if (group === s.groups.executing) return undefined;
  const has = group.entrants.map(({ replica }) => replica);
  if (new Set(has).size >= s.quorum) return body(s, now);
  const { view } = group.reference;
  return quorumLack(
    'COMMIT-NEW-VIEW',
    { view },
    { needs: s.quorum, has, among: keepers(s) },
    waitingFor(s, now),
  );
}

// ---- Orders

function order(s: ReplicaState, now: Milliseconds): Lack | undefined {
  const late = entrants(s, now);
  if (late !== undefined || s.executing !== undefined) return late;
  const n = s.executed + 1;
  const wanted = body(s, now);
  if (wanted !== undefined) return wanted;
  const isFull = s.own.state.lastSequence >= s.covered + s.window && waitsForOrder(s, n);
  const full = isFull || !logHasRoom(s) ? stability(s, now) : undefined;
  return full ?? votes(s, n, now) ?? wishes(s, now) ?? proposal(s, n, now);
}

/** When the last order was executed here, or the present view was entered. */
function lastProgress(s: ReplicaState): Milliseconds {
  return Math.max(lastExecution(s), s.viewEnteredAtMs);
}

function lastExecution(s: ReplicaState): Milliseconds {
  return Math.max(s.startedAtMs, s.executionTimes.of(s.executed) ?? 0);
}

/** For how long requests wait, however many views are tried meanwhile; if none does, since something else happened. */
function waitingFor(s: ReplicaState, now: Milliseconds, otherwise = lastProgress(s)): Milliseconds {
  const asked = s.pending.oldestSince();
  return now - (asked === undefined ? otherwise : Math.max(lastExecution(s), asked));
}

function waitsForOrder(s: ReplicaState, n: SequenceNumber): boolean {
  if (s.pending.size > 0) return true;
  // What was executed speculatively waits for votes until somebody asks for them.
  return s.reached === s.executed && proposed(s, n) !== undefined;
}

function proposed(s: ReplicaState, n: SequenceNumber): Prepare | undefined {
  const { newView } = s.own.state;
  return s.groups.of(newView).proposals.get(n) ?? s.groups.executing.votes.proposalsAt(n)[0];
}

/** Votes for the next order: of its candidates the one with most voters. */
function votes(s: ReplicaState, n: SequenceNumber, now: Milliseconds): Lack | undefined {
  const entry = proposed(s, n);
  if (entry === undefined || !waitsForOrder(s, n)) return undefined;
  const voters = s.groups.executing.votes
    .candidates(n)
    .map((candidate) => new Set(candidate.voters.map(({ replica }) => replica)))
    .sort((a, b) => b.size - a.size)[0];
  const has = voters ?? new Set<ReplicaId>();
  if (has.size >= s.quorum) return undefined;
  const { view } = s.groups.executing.reference;
  const shownAt = s.slots[entry.ui.replica]?.log.get(entry.ui.counter)?.at ?? 0;
  return quorumLack(
    s.streamContext.vote,
    { view, sequence: n },
    { needs: s.quorum, has, among: keepers(s) },
    waitingFor(s, now, Math.max(lastProgress(s), shownAt)),
  );
}

/** This replica has asked for another view, and too few with it. */
function wishes(s: ReplicaState, now: Milliseconds): Lack | undefined {
  if (s.requested <= s.view || !waitsForOrder(s, s.executed + 1)) return undefined;
  const has = everybody(s).filter((replica) => (s.peers[replica]!.request?.target ?? -1) >= s.requested);
  if (has.length >= s.quorum) return undefined;
  const quorum = { needs: s.quorum, has, among: keepers(s) };
  return quorumLack('REQUEST-VIEW-CHANGE', { view: s.requested }, quorum, waitingFor(s, now));
}

function proposal(s: ReplicaState, n: SequenceNumber, now: Milliseconds): Lack | undefined {
  if (!waitsForOrder(s, n)) return undefined;
  const { view } = s.own.state.newView;
  const owner = s.part.ownerOf?.(n) ?? s.primaryOf(view);
  return owner === s.self
    ? undefined
    : oneLack('PREPARE', { view, sequence: n }, [owner], waitingFor(s, now));
}

/** A body that was asked for: of its proposer first, then of everybody. */
function body(s: ReplicaState, now: Milliseconds): Lack | undefined {
  const wanted = s.bodies.oldestWanted();
  if (wanted === undefined) return undefined;
  const entry = proposed(s, s.executed + 1);
  const place = entry?.batchDigest === wanted.digest ? { view: entry.view, sequence: entry.sequence } : {};
  const from = entry?.batchDigest === wanted.digest ? [entry.ui.replica] : wanted.sources;
  return oneLack('body', place, from, now - wanted.since);
}

// ---- Checkpoints

/** The next stable checkpoint: without it window and log stay full, and nobody is re-admitted. */
function stability(s: ReplicaState, now: Milliseconds): Lack | undefined {
  const sequence = s.stableSequence + s.limits.checkpointInterval;
  const has = s.keeper.votersFrom(sequence, s.self);
  // Who has not come so far by itself lacks something else.
  if (has.length >= s.quorum || (s.maySeal && s.executed < sequence)) return undefined;
  const quorum = { needs: s.quorum, has, among: keepers(s) };
  return quorumLack('CHECKPOINT', { sequence }, quorum, waitingFor(s, now));
}

// ---- Silence

/** Nothing is asked for, but nothing could be ordered either: too few are heard. */
function silence(s: ReplicaState, now: Milliseconds): Lack | undefined {
  const since = now - SILENT_PERIODS * s.timers.statusMs;
  const heardAt = (replica: ReplicaId): Milliseconds => s.peers[replica]!.lastHeardMs ?? s.startedAtMs;
  const isQuiet = (replica: ReplicaId): boolean =>
    replica !== s.self && (s.slots[replica]!.state.dead || heardAt(replica) < since);
  const among = keepers(s);
  const has = among.filter((replica) => !isQuiet(replica));
  if (has.length >= s.quorum) return undefined;
  const lastHeard = Math.max(...among.filter(isQuiet).map(heardAt));
  return quorumLack('messages', {}, { needs: s.quorum, has, among }, now - lastHeard);
}

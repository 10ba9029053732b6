/**
 * What a peer's conduct looks like from here, for `status` alone: how late its votes come and how often what it should
 * have sent had to be asked for. Suspicion, never proof: a slow machine or a bad line looks the same.
 */
import type { Milliseconds, ReplicaId, SequenceNumber } from '../../core/types.ts';
import type { Prepare } from '../usig-stream/messages.ts';
import type { PeerState, ReplicaState } from './state.ts';

/** Executions whose time is remembered. */
const EXECUTIONS_MAX = 64;
/** Weight of the newest vote in the average. */
const WEIGHT = 0.2;
/** What was lacking is forgotten after this time without another lack. */
const LACK_MS: Milliseconds = 30_000;

/** Lateness is forgotten after this time without any vote: while nothing is asked for nobody can be in time again. */
const LATE_MS: Milliseconds = 60_000;

/** So long after its own start a replica asks everybody for what it missed: that says nothing about them. */
const CATCH_UP_MS: Milliseconds = 20_000;

/**
 * A peer of which nothing came for longer was out of hearing, and was suspected of that: what it said meanwhile comes
 * later. After a shorter silence its votes are as late as they are, or a liar would be excused by falling silent.
 */
const UNHEARD_MS: Milliseconds = 3_000;

/** Conduct of one peer. */
export interface Conduct {
  /** By how much its votes came later than this replica could execute, on average. */
  lateMs: Milliseconds;
  /** When the last vote was measured. */
  votedAtMs: Milliseconds;
  /** How often its messages or bodies had to be asked for again, lately. */
  lacks: number;
  lackedAtMs: Milliseconds;
  /** Since when it is heard without such a silence: a cut link, or the fault of a third one, is not its own. */
  heardSinceMs: Milliseconds;
}

/** Nothing is known. */
export function freshConduct(): Conduct {
  return { lateMs: 0, votedAtMs: 0, lacks: 0, lackedAtMs: 0, heardSinceMs: 0 };
}

/** When the last sequence numbers were executed here. */
export class ExecutionTimes {
  readonly #slots: { sequence: SequenceNumber; atMs: Milliseconds }[] = [];

  /** Executed now. */
  note(sequence: SequenceNumber, atMs: Milliseconds): void {
    this.#slots[sequence % EXECUTIONS_MAX] = { sequence, atMs };
  }

  /** When it was executed; undefined if that was too long ago. */
  of(sequence: SequenceNumber): Milliseconds | undefined {
    const slot = this.#slots[sequence % EXECUTIONS_MAX];
    return slot?.sequence === sequence ? slot.atMs : undefined;
  }
}

/** Something came from a peer. */
export function noteHeard(s: ReplicaState, peer: PeerState): void {
  const { lastHeardMs = -Infinity } = peer;
  if (s.now - lastHeardMs > UNHEARD_MS) peer.conduct.heardSinceMs = s.now;
  peer.lastHeardMs = s.now;
}

/**
 * A vote of a peer was counted, or came too late to count. A backup is late by what this replica could have executed
 * earlier; a primary by how long the requests that it proposes were waiting here. Nobody is later than one could hear him.
 */
export function noteVote(s: ReplicaState, voter: ReplicaId, prepare: Prepare): void {
  const conduct = s.peers[voter]?.conduct;
  const { sequence } = prepare;
  const executedAt = sequence > s.executed ? s.now : s.executionTimes.of(sequence);
  // A primary that proposes what nobody waited for here is not late.
  const dueAt = voter === prepare.ui.replica ? (waitingSince(s, prepare) ?? s.now) : executedAt;
  if (conduct === undefined || dueAt === undefined) return;
  conduct.votedAtMs = s.now;
  conduct.lateMs += WEIGHT * (s.now - Math.max(dueAt, conduct.heardSinceMs) - conduct.lateMs);
}

function waitingSince(s: ReplicaState, prepare: Prepare): Milliseconds | undefined {
  let oldest: Milliseconds | undefined;
  for (const bundle of s.bodies.get(prepare.batchDigest)?.bundles ?? []) {
    const since = s.pending.waitingSince(bundle.digest);
    if (since !== undefined && (oldest === undefined || since < oldest)) oldest = since;
  }
  // What waited through a view change did not wait for the primary of the new view.
  return oldest === undefined ? undefined : Math.max(oldest, s.viewEnteredAtMs);
}

/** Something of a peer had to be asked for a second time. */
export function noteLack(s: ReplicaState, author: ReplicaId): void {
  const conduct = s.peers[author]?.conduct;
  if (conduct === undefined || s.now - s.startedAtMs < CATCH_UP_MS) return;
  conduct.lacks = s.now - conduct.lackedAtMs > LACK_MS ? 1 : conduct.lacks + 1;
  conduct.lackedAtMs = s.now;
}

/** For inspection. */
export function conductOf(
  { conduct }: PeerState,
  now: Milliseconds,
): { readonly lateMs: Milliseconds; readonly lacks: number } {
  const recent = now - conduct.lackedAtMs <= LACK_MS;
  const lateMs = now - conduct.votedAtMs <= LATE_MS ? Math.round(conduct.lateMs) : 0;
  return { lateMs, lacks: recent ? conduct.lacks : 0 };
}

/** What `status` shows: plain data, and in words what is being waited for. */
import type { Milliseconds, ReplicaId } from '../../core/types.ts';
import type { PeerInspection, ReplicaInspection } from '../../core/protocol.ts';
import { currentEntry } from '../registry.ts';
import { namesOf, SILENT_PERIODS } from '../waiting-words.ts';
import { conductOf } from './conduct.ts';
import { logHasRoom } from './ordering.ts';
import type { ReplicaState } from './state.ts';
import { viewChangersOf } from './view-change.ts';

/** See `Replica.inspect`. */
export function inspectReplica(s: ReplicaState, wallMs: Milliseconds, brief: boolean): ReplicaInspection {
  const now = s.now + Math.max(0, wallMs - s.wallMs);
  const { state, log } = s.own;
  const waitsFor = brief ? undefined : waiting(s, now);
  const peers: PeerInspection[] = [];
  for (let replica = 0; replica < s.n; replica += 1)
    if (!brief || s.slots[replica]!.state.dead) peers.push(inspectPeer(s, replica, now, wallMs - now));
  return {
    view: Math.max(0, s.view),
    mode: s.mode,
    primary: s.primaryOf(s.view),
    executed: s.reached,
    ...(s.part.reached === undefined ? {} : { confirmed: s.executed }),
    stable: s.stableSequence,
    ownCounter: state.counter,
    pendingBundles: s.pending.size,
    ownLogEntries: log.length,
    peers,
    ...(waitsFor === undefined ? {} : { waitsFor }),
  };
}

/** `offset`: of the host's clock, from the time that has passed here. */
function inspectPeer(
  s: ReplicaState,
  replica: ReplicaId,
  now: Milliseconds,
  offset: Milliseconds,
): PeerInspection {
  const { state } = s.slots[replica]!;
  const peer = s.peers[replica]!;
  const heard = replica === s.self ? now : peer.lastHeardMs;
  const { lateMs, lacks } = conductOf(peer, now);
  const { measurement, footprint } = currentEntry(s.registry, replica);
  const base = {
    replica,
    incarnation: state.incarnation,
    measurement,
    footprint,
    counter: state.counter,
    dead: state.dead,
    repeated: peer.repeated,
    lateMs,
    lacks,
    executed: replica === s.self ? s.executed : (peer.status?.executed ?? 0),
  };
  return heard === undefined ? base : { ...base, lastHeardMs: heard + offset };
}

/** Replicas whose counter or log is lost and whose RECOVER is not covered yet. */
function unregistered(s: ReplicaState): ReplicaId[] {
  const found: ReplicaId[] = [];
  for (const replica of s.peers.keys()) {
    const waits = s.recovers[replica] !== undefined;
    const uncovered = currentEntry(s.registry, replica).since > s.stableSequence;
    if (waits || uncovered) found.push(replica);
  }
  return found;
}

function silent(s: ReplicaState, now: Milliseconds): ReplicaId[] {
  const since = now - SILENT_PERIODS * s.timers.statusMs;
  return s.slots.flatMap((slot, replica) => {
    if (replica === s.self) return [];
    const { lastHeardMs } = s.peers[replica]!;
    return slot.state.dead || lastHeardMs === undefined || lastHeardMs < since ? [replica] : [];
  });
}

function waiting(s: ReplicaState, now: Milliseconds): string | undefined {
  const lost = unregistered(s);
  const quiet = silent(s, now);
  if (s.n - lost.length < s.quorum)
    return (
      `final halt: ${namesOf(lost)} lost counter or log, fewer than ${s.quorum} replicas have theirs; no RECOVER can ` +
      'be decided any more (see the operator procedure)'
    );
  const keepers = s.n - lost.filter((replica) => s.recovers[replica] !== undefined).length;
  const lacking = quiet.filter((replica) => s.recovers[replica] === undefined);
  if (keepers - lacking.length < s.quorum)
    return (
      `waits for messages of ${namesOf(lacking)}: ${s.quorum} replicas with counter and log are needed` +
      (lost.length > 0 ? `, ${namesOf(lost)} must be re-admitted` : '')
    );
  if (s.transferring !== undefined) return 'fetches the state of a stable checkpoint';
  if (!s.maySeal) return 'its RECOVER must be ordered and covered by a stable checkpoint';
  if (!logHasRoom(s))
    return 'the own log is full: a stable checkpoint and vouchers of f others are needed (B7)';
  if (s.own.state.mode !== 'changing') return undefined;
  const there = viewChangersOf(s, s.view);
  if (there.length < s.quorum) {
    const others = s.slots.map((_, replica) => replica).filter((replica) => !there.includes(replica));
    return `changes to view ${s.view}: waits for VIEW-CHANGEs of ${namesOf(others)}`;
  }
  return `changes to view ${s.view}: waits for the NEW-VIEW of replica ${s.primaryOf(s.view)}`;
}

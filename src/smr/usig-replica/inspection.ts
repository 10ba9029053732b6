/** What `status` shows: plain data, and in words what is being waited for. */
import type { Milliseconds, ReplicaId } from '../../core/types.ts';
import type { PeerInspection, ReplicaInspection } from '../../core/protocol.ts';
import { currentEntry } from '../registry.ts';
import { waitingSentence } from '../lack.ts';
import { conductOf } from './conduct.ts';
import { lackOf } from './lack.ts';
import type { ReplicaState } from './state.ts';

/** See `Replica.inspect`. */
export function inspectReplica(s: ReplicaState, wallMs: Milliseconds, brief: boolean): ReplicaInspection {
  const now = s.now + Math.max(0, wallMs - s.wallMs);
  const { state, log } = s.own;
  const lack = brief ? undefined : lackOf(s, now);
  const waitsFor = waitingSentence(lack, s.timers);
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
    ...(lack === undefined ? {} : { lack }),
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

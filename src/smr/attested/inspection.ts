/** What `status` and judges may look at. */
import type { ReplicaInspection } from '../../core/protocol.ts';
import type { Milliseconds } from '../../core/types.ts';
import { namesOf, SILENT_PERIODS } from '../lack.ts';
import type { AttestedReplica } from './replica.ts';
import type { Content } from './sealed.ts';

/** Plain data about a replica. `brief`: without its peers, whose streams are never stopped here, and what it waits for. */
export function inspectAttested<C extends Content>(
  replica: AttestedReplica<C>,
  now: Milliseconds,
  transferring: boolean,
  brief: boolean,
): ReplicaInspection {
  const { desk, own, self } = replica;
  const offset = now - desk.now;
  const waitsFor = brief ? undefined : waiting(replica, transferring);
  const { role } = replica;
  return {
    view: replica.view,
    mode: replica.mode,
    primary: replica.primary,
    executed: replica.executed,
    confirmed: replica.confirmed,
    ...(role === undefined ? {} : { role }),
    stable: replica.stableSequence,
    ownCounter: own.last,
    pendingBundles: replica.requests.pending.size,
    ownLogEntries: own.size,
    peers: brief
      ? []
      : replica.peers.map((peer, id) =>
          id === self
            ? { ...peer.inspect(id, offset), counter: own.last, executed: replica.executed, lastHeardMs: now }
            : peer.inspect(id, offset),
        ),
    ...(waitsFor === undefined ? {} : { waitsFor }),
  };
}

function waiting<C extends Content>(replica: AttestedReplica<C>, transferring: boolean): string | undefined {
  const { desk, peers, self, timers, n, f } = replica;
  const since = desk.now - SILENT_PERIODS * timers.statusMs;
  const quiet = [...peers.keys()].filter((id) => id !== self && (peers[id]!.lastHeardMs ?? -1) < since);
  if (quiet.length > f) return `waits for messages of ${namesOf(quiet)}: ${n - f} replicas are needed`;
  if (transferring) return 'fetches the state of a stable checkpoint';
  if (replica.mode !== 'changing') return undefined;
  return `changes to view ${replica.view}, whose primary is replica ${replica.primary}`;
}

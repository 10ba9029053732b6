/** What `status` and judges may look at. */
import type { ReplicaInspection } from '../../core/protocol.ts';
import type { Milliseconds } from '../../core/types.ts';
import { waitingSentence } from '../lack.ts';
import { lackOfAttested } from './lack.ts';
import type { AttestedReplica } from './replica.ts';
import type { Content } from './sealed.ts';

/** Plain data about a replica. `brief`: without its peers, whose streams are never stopped here, and what it waits for. */
export function inspectAttested<C extends Content>(
  replica: AttestedReplica<C>,
  now: Milliseconds,
  brief: boolean,
): ReplicaInspection {
  const { desk, own, self } = replica;
  const offset = now - desk.now;
  const lack = brief ? undefined : lackOfAttested(replica, desk.now + Math.max(0, now - desk.wallMs));
  const waitsFor = waitingSentence(lack, replica.timers);
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
    ...(lack === undefined ? {} : { lack }),
    ...(waitsFor === undefined ? {} : { waitsFor }),
  };
}

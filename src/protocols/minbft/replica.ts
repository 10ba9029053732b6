/** A MinBFT replica: ordered by PREPARE and COMMIT, executed once f+1 stand for an order, final from then on. */
import type { ReplicaContext } from '../../core/protocol.ts';
import { advanceExecution, onExecuted } from '../../smr/usig-replica/execution.ts';
import { nextPrepare, nextVote } from '../../smr/usig-replica/ordering.ts';
import type { UsigProtocol } from '../../smr/usig-replica/part.ts';
import { createUsigReplica } from '../../smr/usig-replica/replica.ts';
import type { UsigReplica } from '../../smr/usig-replica/replica.ts';

/** See `UsigProtocol`. */
export const MINBFT: UsigProtocol = {
  name: 'minbft',
  vote: 'COMMIT',
  part: (s) => ({
    nextOrder: () => {
      if (s.primaryOf(s.own.state.newView.view) === s.self) return nextPrepare(s);
      const prepare = nextVote(s);
      return prepare === undefined ? undefined : { kind: 'COMMIT', prepare };
    },
    advance: () => advanceExecution(s),
    onExecuted: (sequence, checkpoint) => onExecuted(s, sequence, checkpoint),
    publish: (message) => s.broadcast(message),
  }),
};

/** Makes a replica. Its first input must be `start`. */
export function createMinbftReplica(context: ReplicaContext): UsigReplica {
  return createUsigReplica(context, MINBFT);
}

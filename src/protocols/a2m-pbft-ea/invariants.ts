/** What holds between correct A2M-PBFT-EA replicas at any moment: what chains of slots promise, and that q2 holds prepared batches. */
import type { Replica } from '../../core/protocol.ts';
import { checkChains } from '../../smr/slot-chain/invariants.ts';
import { attestorOf, voteOf } from './messages.ts';
import { EaReplica } from './replica.ts';

/** A sentence if something is wrong among these replicas. */
export function checkA2mPbftEa(replicas: readonly Replica<object>[]): string | undefined {
  for (const replica of replicas as readonly unknown[])
    if (replica instanceof EaReplica) {
      const wrong = checkPrepared(replica);
      if (wrong !== undefined) return wrong;
    }
  return checkChains(replicas);
}

/** Each own COMMIT can be shown to have been due. */
function checkPrepared(replica: EaReplica): string | undefined {
  const { quorum, self } = replica;
  const rules = { quorum, primaryOf: (view: number) => replica.primaryOf(view), attestorOf };
  for (const message of replica.chain) {
    if (message.content.kind !== 'COMMIT') continue;
    if (voteOf(rules, { message, proof: replica.preparedBy(message) }) === undefined)
      return `replica ${self} cannot show why it committed to ${message.content.sequence}`;
  }
  return undefined;
}

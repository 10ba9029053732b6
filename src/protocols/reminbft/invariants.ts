/** What holds between correct ReMinBFT replicas at any moment: what chains of slots promise, and what modes do. */
import type { Replica } from '../../core/protocol.ts';
import type { ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import { checkChains } from '../../smr/slot-chain/invariants.ts';
import { ReMinbftReplica } from './replica.ts';

/** A sentence if something is wrong among these replicas. */
export function checkReminbft(replicas: readonly Replica<object>[]): string | undefined {
  const inside = (replicas as readonly unknown[]).filter((one) => one instanceof ReMinbftReplica);
  return checkModes(inside) ?? checkPassive(inside) ?? checkChains(replicas);
}

/** R2, R7, R8: one mode and one active set of f+1 with its primary for each view; quorums are the same in every mode. */
function checkModes(replicas: readonly ReMinbftReplica[]): string | undefined {
  const known = new Map<View, SequenceNumber>();
  const sets = new Map<View, readonly ReplicaId[]>();
  for (const replica of replicas) {
    const { terms, since, active, self, f, commitQuorum, quorum } = replica;
    const { view } = terms;
    if (commitQuorum !== f || quorum !== f + 1) return `the quorums of replica ${self} depend on its mode`;
    if (active.length !== f + 1 || !active.includes(replica.primaryOf(view)))
      return `the active replicas of view ${view} are ${active.join()} at replica ${self}`;
    if ((sets.get(view) ?? active).join() !== active.join()) return `two active sets of view ${view}`;
    sets.set(view, active);
    if (since === undefined) continue;
    if ((known.get(view) ?? since) !== since) return `view ${view} came to normal-case mode at two orders`;
    known.set(view, since);
  }
  return undefined;
}

/** R3: whoever is passive votes for nothing. */
function checkPassive(replicas: readonly ReMinbftReplica[]): string | undefined {
  for (const { chain, terms, since, active, self } of replicas) {
    if (since === undefined || active.includes(self)) continue;
    for (const { content } of chain)
      if (content.kind === 'COMMIT' && content.view === terms.view && content.sequence > since)
        return `replica ${self} is passive and voted for ${content.sequence}`;
  }
  return undefined;
}

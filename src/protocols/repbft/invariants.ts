/** What holds between correct RePBFT replicas at any moment: what three phases promise, and what modes and updates do. */
import type { Replica } from '../../core/protocol.ts';
import type { Digest, SequenceNumber, View } from '../../core/types.ts';
import { checkThreePhase } from '../../smr/three-phase/invariants.ts';
import { RepbftReplica } from './replica.ts';

/** A sentence if something is wrong among these replicas. */
export function checkRepbft(replicas: readonly Replica<object>[]): string | undefined {
  const inside = (replicas as readonly unknown[]).filter((one) => one instanceof RepbftReplica);
  return (
    checkThreePhase(replicas) ??
    checkQuorums(inside) ??
    checkPassive(inside) ??
    checkStates(inside) ??
    checkModes(inside)
  );
}

/** R2, R8: quorums are those of PBFT, and as many replicas are active as make one, the primary among them. */
function checkQuorums(replicas: readonly RepbftReplica[]): string | undefined {
  for (const replica of replicas) {
    const { quorum, n, f, self, entered } = replica;
    if (quorum !== n - f) return `the quorums of replica ${self} depend on its mode`;
    const active = replica.activeAt(replica.executed + 1);
    if (active === undefined) continue;
    if (new Set(active).size !== quorum || !active.includes(replica.primaryOf(entered)))
      return `the active replicas of view ${entered} are ${active.join()} at replica ${self}`;
  }
  return undefined;
}

/** R3: whoever is passive commits to nothing. */
function checkPassive(replicas: readonly RepbftReplica[]): string | undefined {
  for (const replica of replicas) {
    const { slots, self, mode } = replica;
    if (mode !== 'active') continue;
    for (const sequence of slots.sequences()) {
      const active = replica.activeAt(sequence);
      if (active === undefined || active.includes(self)) continue;
      if (slots.find(sequence)!.saidCommit !== undefined)
        return `replica ${self} is passive and committed to ${sequence}`;
    }
  }
  return undefined;
}

/** R1, R4: what was executed and what was applied leads to the same states. */
function checkStates(replicas: readonly RepbftReplica[]): string | undefined {
  const states = new Map<SequenceNumber, Digest>();
  for (const { boundaries, self } of replicas)
    for (const [sequence, { stateDigest }] of boundaries) {
      if ((states.get(sequence) ?? stateDigest) !== stateDigest)
        return `replica ${self} has another state after ${sequence}`;
      states.set(sequence, stateDigest);
    }
  return undefined;
}

/** R7: one MODE, for one sequence number, in each view. */
function checkModes(replicas: readonly RepbftReplica[]): string | undefined {
  const known = new Map<View, string>();
  for (const { schedule, self } of replicas) {
    const { record } = schedule;
    if (record === undefined) continue;
    const told = `${record.sequence}: ${record.active.join()}`;
    if ((known.get(record.view) ?? told) !== told)
      return `replica ${self} came to normal-case mode in view ${record.view} with ${told}`;
    known.set(record.view, told);
  }
  return undefined;
}

/** What holds between correct CheapBFT replicas at any moment (agreement, switches, and the turns). */
import type { Replica } from '../../core/protocol.ts';
import type { Digest } from '../../core/types.ts';
import { encodeInstance, isTiny } from './instances.ts';
import { CheapReplica } from './replica.ts';

/** A sentence if something is wrong among these replicas. */
export function checkCheapbft(replicas: readonly Replica<object>[]): string | undefined {
  const cheap = replicas.filter((replica): replica is CheapReplica & Replica<object> => isCheap(replica));
  return checkTurns(cheap) ?? checkHistories(cheap);
}

function isCheap(replica: unknown): replica is CheapReplica {
  return replica instanceof CheapReplica;
}

/** One beginning for each instance; nobody is behind the state that it has, or beyond the end of its instance. */
function checkTurns(replicas: readonly CheapReplica[]): string | undefined {
  const begins = new Map<number, string>();
  for (const replica of replicas) {
    const { instance, self, executed, stableSequence } = replica;
    const end = replica.endOfTurn();
    const begin = encodeInstance(instance).join();
    if ((begins.get(instance.number) ?? begin) !== begin)
      return `replica ${self} began instance ${instance.number} elsewhere`;
    begins.set(instance.number, begin);
    if (stableSequence < instance.low) return `replica ${self} began an instance without a certificate`;
    if (end !== undefined && executed > end && stableSequence < end)
      return `replica ${self} executed ${executed} beyond the end ${end} of its instance`;
  }
  return undefined;
}

/** One history for each instance, and what was committed to in CheapTiny is in it. */
function checkHistories(replicas: readonly CheapReplica[]): string | undefined {
  const chosen = new Map<number, Digest>();
  for (const { instance, self, chosen: history } of replicas) {
    if (history === undefined) continue;
    const { digest } = history.message;
    if ((chosen.get(instance.number) ?? digest) !== digest)
      return `replica ${self} ends instance ${instance.number} with another history`;
    chosen.set(instance.number, digest);
    for (const other of replicas) {
      if (other.instance.number !== instance.number || !isTiny(instance)) continue;
      for (const [sequence, decision] of other.decisions)
        if (sequence > history.low && history.batches[sequence - history.low - 1] !== decision.digest)
          return `the history of instance ${instance.number} lacks what was committed to as ${sequence}`;
    }
  }
  return undefined;
}

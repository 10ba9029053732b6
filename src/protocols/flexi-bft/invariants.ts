/** What holds between correct Flexi-BFT replicas at any moment (what the README argues with). */
import type { Replica } from '../../core/protocol.ts';
import type { Digest, View } from '../../core/types.ts';
import type { Prepare } from './messages.ts';
import { endOf } from './messages.ts';
import { FlexiViews } from './views.ts';

/** A sentence if something is wrong among these replicas. */
export function checkFlexi(replicas: readonly Replica<object>[]): string | undefined {
  const flexi = replicas.filter((replica): replica is FlexiViews & Replica<object> => isFlexi(replica));
  return checkStarts(flexi) ?? checkProposals(flexi) ?? checkDecisions(flexi);
}

function isFlexi(replica: unknown): replica is FlexiViews {
  return replica instanceof FlexiViews;
}

/** One start for each view. */
function checkStarts(replicas: readonly FlexiViews[]): string | undefined {
  const starts = new Map<View, Digest>();
  for (const { base, judge, self } of replicas) {
    const digest = judge.digestOf(base.start);
    if ((starts.get(base.start.view) ?? digest) !== digest)
      return `replica ${self} entered view ${base.start.view} with another start`;
    starts.set(base.start.view, digest);
  }
  return undefined;
}

/** One proposal for each value of a view's counter; what is vouched for is of the last view and beyond its start. */
function checkProposals(replicas: readonly FlexiViews[]): string | undefined {
  const proposals = new Map<string, Digest>();
  for (const { vouched, base, self } of replicas)
    for (const { content } of vouched.values()) {
      const { view, sequence, batch } = content;
      if (view !== base.start.view) return `replica ${self} holds on to a proposal of view ${view}`;
      const key = `${view}/${sequence}`;
      if ((proposals.get(key) ?? batch) !== batch)
        return `two proposals for sequence number ${sequence} of view ${view}`;
      proposals.set(key, batch);
    }
  return undefined;
}

/** What was decided in an older view is in the start of every later one. */
function checkDecisions(replicas: readonly FlexiViews[]): string | undefined {
  for (const { base, self } of replicas) {
    const { start } = base;
    for (const { decisions } of replicas)
      for (const [sequence, { digest, proof }] of decisions) {
        const { view } = proof[0]!.content as Prepare;
        if (view >= start.view || sequence <= start.low) continue;
        const kept = sequence <= endOf(start) && start.batches[sequence - start.low - 1] === digest;
        if (!kept)
          return `view ${start.view} of replica ${self} starts without what was decided as ${sequence}`;
      }
  }
  return undefined;
}

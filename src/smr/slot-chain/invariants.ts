/**
 * What holds between correct replicas on chains of slots at any moment (the pages of
 * A2M-PBFT-EA and ReMinBFT list it). Looked at by the simulator, not by the product.
 */
import type { Replica } from '../../core/protocol.ts';
import type { Digest, View } from '../../core/types.ts';
import type { OrderContent, Terms } from './messages.ts';
import { ChainReplica } from './replica.ts';
import { slotOf } from './slots.ts';
import { areEqualTerms, obligation, orderIn, topOf } from './view-change.ts';

type Inside = ChainReplica<OrderContent>;

/** A sentence if something is wrong among these replicas. */
export function checkChains(replicas: readonly Replica<object>[]): string | undefined {
  const inside = replicas.filter((replica): replica is Inside & Replica<object> => isInside(replica));
  return checkTerms(inside) ?? checkProposals(inside) ?? checkOwnChains(inside) ?? checkDecisions(inside);
}

function isInside(replica: unknown): replica is Inside {
  return replica instanceof ChainReplica;
}

/** A view starts with the same everywhere. */
function checkTerms(replicas: readonly Inside[]): string | undefined {
  const known = new Map<View, Terms>();
  for (const { terms, self } of replicas) {
    const other = known.get(terms.view);
    if (other !== undefined && !areEqualTerms(terms, other))
      return `replica ${self} entered view ${terms.view} with other terms`;
    known.set(terms.view, terms);
  }
  return undefined;
}

/** I3: one proposal for each order of a view. */
function checkProposals(replicas: readonly Inside[]): string | undefined {
  const known = new Map<string, Digest>();
  for (const { proposals } of replicas)
    for (const { order } of proposals.values()) {
      const key = `${order.view}/${order.sequence}`;
      if ((known.get(key) ?? order.digest) !== order.digest) return `two proposals for ${key}`;
      known.set(key, order.digest);
    }
  return undefined;
}

/** I1, I5, R5: own slots rise, each says what it stands for, and votes are of views that were entered. */
function checkOwnChains(replicas: readonly Inside[]): string | undefined {
  for (const { chain, terms, self } of replicas) {
    let last = 0;
    for (const { attestation, content } of chain) {
      const { view = 0, sequence = 0 } = content as { readonly view?: View; readonly sequence?: number };
      const value = attestation.kind === 'object' ? attestation.value : 0;
      if (value <= last || value !== slotOf(view, sequence))
        return `the chain of replica ${self} does not rise`;
      if (content.kind !== 'BARRIER' && view > terms.view)
        return `replica ${self} voted in view ${view}, which it has not entered`;
      last = value;
    }
  }
  return undefined;
}

/** I4, R6: what a quorum voted for in a view is in the terms of every later one. */
function checkDecisions(replicas: readonly Inside[]): string | undefined {
  for (const { commits, commitQuorum } of replicas)
    for (const { content } of commits.quorums(commitQuorum)) {
      const order = orderIn(content);
      if (order === undefined) continue;
      const { view, sequence, digest } = order;
      for (const { terms, self } of replicas) {
        if (terms.view <= view || sequence <= terms.base) continue;
        if (sequence > topOf(terms) || obligation(terms, sequence) !== digest)
          return `view ${terms.view} of replica ${self} starts without what was decided as ${sequence} in view ${view}`;
      }
    }
  return undefined;
}

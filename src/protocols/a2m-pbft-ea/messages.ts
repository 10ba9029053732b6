/**
 * Messages of A2M-PBFT-EA and the logs that vouch for them. Each statement about an order sits in the slot of its view
 * and sequence number, so no replica can make two different ones.
 */
import type { Attestor } from '../../core/attestation.ts';
import type { CounterValue } from '../../core/types.ts';
import { isQuorum } from '../../smr/attested/quorums.ts';
import type { ChainContent, ChainEntry, OrderCodec } from '../../smr/slot-chain/messages.ts';
import { chainCodec } from '../../smr/slot-chain/messages.ts';
import { slotOf } from '../../smr/slot-chain/slots.ts';
import type { ChainRules, Vote } from '../../smr/slot-chain/view-change.ts';
import { fitsAttestor } from '../../smr/slot-chain/view-change.ts';

/** Name in settings, on the command line and in digests. */
export const PROTOCOL_NAME = 'a2m-pbft-ea';

/** What one replica says about one order: PRE-PREPARE proposes it, PREPARE and COMMIT agree. */
export interface EaOrder extends Vote {
  readonly kind: 'PRE-PREPARE' | 'PREPARE' | 'COMMIT';
}

/** Everything that a replica says. */
export type EaContent = ChainContent<EaOrder>;

/** The five logs (8 bytes, hexadecimal; class 2: log): q1 proposals, q2 commits, q3 checkpoints, q4 and q5 the view change. */
export const LOG = {
  prepare: '0201000000000001',
  commit: '0201000000000002',
  checkpoint: '0201000000000003',
  viewChange: '0201000000000004',
  newView: '0201000000000005',
} as const;

function entry(object: string, value: CounterValue): Attestor {
  return { kind: 'object', object, form: 'log', mode: 'jump', value };
}

/** Log and slot of a content; the host key vouches for what may be said twice. */
export function attestorOf(content: EaContent): Attestor {
  switch (content.kind) {
    case 'PRE-PREPARE':
    case 'PREPARE':
      return entry(LOG.prepare, slotOf(content.view, content.sequence));
    case 'COMMIT':
      return entry(LOG.commit, slotOf(content.view, content.sequence));
    case 'BARRIER':
      return entry(LOG.commit, slotOf(content.view, 0));
    case 'CHECKPOINT':
      return entry(LOG.checkpoint, content.sequence);
    case 'VIEW-CHANGE':
      return entry(LOG.viewChange, content.view);
    case 'NEW-VIEW':
      return entry(LOG.newView, content.view);
    case 'REQ-VIEW-CHANGE':
    case 'NV-ACK':
      return { kind: 'host' };
  }
}

/** The COMMIT that a slot of q2 holds, if its proof shows that the batch was prepared: PRE-PREPARE and f PREPAREs. */
export function voteOf(
  rules: Pick<ChainRules<EaOrder>, 'quorum' | 'primaryOf' | 'attestorOf'>,
  { message, proof }: ChainEntry<EaOrder>,
): Vote | undefined {
  const { content } = message;
  if (content.kind !== 'COMMIT') return undefined;
  const { view, sequence, digest } = content;
  const primary = rules.primaryOf(view);
  const isOf = (one: EaContent): boolean =>
    (one.kind === 'PRE-PREPARE' || one.kind === 'PREPARE') &&
    one.view === view &&
    one.sequence === sequence &&
    one.digest === digest;
  const holds = proof.every(
    (one) =>
      isOf(one.content) &&
      (one.author === primary) === (one.kind === 'PRE-PREPARE') &&
      fitsAttestor<EaOrder>(rules, one),
  );
  // With the primary's own word these are f+1 different replicas.
  const enough = isQuorum(rules.quorum, proof) && proof.some(({ author }) => author === primary);
  return holds && enough ? { view, sequence, digest } : undefined;
}

const ORDERS: OrderCodec<EaOrder> = {
  protocol: PROTOCOL_NAME,
  kinds: ['PRE-PREPARE', 'PREPARE', 'COMMIT'],
  write: (writer, { view, sequence, digest }) => {
    writer.u64(view).u64(sequence).digest(digest);
  },
  read: (kind, reader) => ({ kind, view: reader.u64(), sequence: reader.u64(), digest: reader.digest() }),
  quoted: () => [],
};

/** How these messages travel. */
export const EA_MESSAGES = chainCodec(ORDERS);

/** Scenes for A2M-PBFT-EA, and VIEW-CHANGEs as a test wants them. */
import type { Digest, ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import type { Sealed } from '../../smr/attested/sealed.ts';
import type { ChainEntry, Terms, ViewChange, ViewProof } from '../../smr/slot-chain/messages.ts';
import { slotOf } from '../../smr/slot-chain/slots.ts';
import { ChainStage } from '../../smr/slot-chain/stage.testing.ts';
import type { Vote } from '../../smr/slot-chain/view-change.ts';
import { digestOfTerms } from '../../smr/slot-chain/view-change.ts';
import { a2mPbftEa } from './definition.ts';
import { checkA2mPbftEa } from './invariants.ts';
import type { EaContent, EaOrder } from './messages.ts';
import { attestorOf, EA_MESSAGES } from './messages.ts';
import { EaReplica } from './replica.ts';

type Message = Sealed<EaContent>;

/** What a VIEW-CHANGE shows; what is left out is as in a replica that has done nothing. */
export interface Shown {
  readonly stable?: SequenceNumber;
  readonly terms?: Terms;
  readonly votes?: readonly Vote[];
  /** Barriers of earlier attempts, after the votes. */
  readonly barriers?: readonly View[];
}

/** See the top of this file. */
export class EaStage extends ChainStage<EaOrder> {
  constructor(f = 1) {
    super({ definition: a2mPbftEa, messages: EA_MESSAGES, attestorOf, check: checkA2mPbftEa }, { f });
  }

  /** PRE-PREPARE and PREPAREs of the next f backups. */
  prepared({ view, sequence, digest }: Vote): Message[] {
    const said = (author: ReplicaId, kind: EaOrder['kind']): Message =>
      this.made(author % this.n, order(kind, view, sequence, digest), slotOf(view, sequence) - 1);
    const primary = view % this.n;
    const backups = Array.from({ length: this.settings.f }, (_, index) => primary + 1 + index);
    return [said(primary, 'PRE-PREPARE'), ...backups.map((backup) => said(backup, 'PREPARE'))];
  }

  /** What a replica itself can show for an own COMMIT. */
  preparedAt(id: ReplicaId, own: Message): readonly Message[] {
    const replica: unknown = this.at(id);
    return replica instanceof EaReplica ? replica.preparedBy(own) : [];
  }

  /** CHECKPOINTs of f+1 replicas. */
  checkpoints(sequence: SequenceNumber, stateDigest: Digest = A): Message[] {
    const replicas = Array.from({ length: this.settings.f + 1 }, (_, id) => id);
    return replicas.map((id) => this.made(id, { kind: 'CHECKPOINT', sequence, stateDigest }, sequence - 1));
  }

  /** NV-ACKs of f+1 replicas. */
  acks(terms: Terms): Message[] {
    const digest = digestOfTerms(this.rules, terms);
    const replicas = Array.from({ length: this.settings.f + 1 }, (_, id) => id);
    return replicas.map((id) => this.made(id, { kind: 'NV-ACK', view: terms.view, digest }));
  }

  /** The proof that a view was entered. */
  entered(terms: Terms): ViewProof<EaOrder> {
    return { terms, acks: this.acks(terms) };
  }

  /** The whole chain of a replica that leaves for `view`. */
  chain(author: ReplicaId, view: View, { votes = [], barriers = [] }: Shown): ChainEntry<EaOrder>[] {
    let previous = 0;
    const add = (content: EaContent, proof: Message[]): ChainEntry<EaOrder> => {
      const message = this.made(author, content, previous);
      previous = message.attestation.kind === 'object' ? message.attestation.value : 0;
      return { message, proof };
    };
    return [
      ...votes.map((vote) =>
        add(order('COMMIT', vote.view, vote.sequence, vote.digest), this.prepared(vote)),
      ),
      ...[...barriers, view].map((barrier) => add({ kind: 'BARRIER', view: barrier }, [])),
    ];
  }

  /** The VIEW-CHANGE of a replica, as it should be but for `lie`. */
  leaving(author: ReplicaId, view: View, shown: Shown, lie: Partial<ViewChange<EaOrder>> = {}): Message {
    const { stable = 0, terms } = shown;
    const content = {
      kind: 'VIEW-CHANGE',
      view,
      checkpoints: stable === 0 ? [] : this.checkpoints(stable),
      entered: terms && this.entered(terms),
      chain: this.chain(author, view, shown),
      ...lie,
    } as const;
    return this.made(author, content);
  }
}

/** What a replica says about an order. */
export function order(kind: EaOrder['kind'], view: View, sequence: SequenceNumber, digest: Digest): EaOrder {
  return { kind, view, sequence, digest };
}

/** A vote. */
export function vote(view: View, sequence: SequenceNumber, digest: Digest): Vote {
  return { view, sequence, digest };
}

/** Digests that stand for batches which nobody has. */
export const A = 'a'.repeat(64) as Digest;
export const B = 'b'.repeat(64) as Digest;
export const C = 'c'.repeat(64) as Digest;

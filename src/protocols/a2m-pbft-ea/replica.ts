/** An A2M-PBFT-EA replica: three phases, each statement in a slot of one of five logs. */
import type { Replica, ReplicaContext } from '../../core/protocol.ts';
import type { Digest, ReplicaId, SequenceNumber } from '../../core/types.ts';
import type { Decision, Intake } from '../../smr/attested/hooks.ts';
import type { AttestedMessage, Sealed } from '../../smr/attested/sealed.ts';
import type { Lacking } from '../../smr/lack.ts';
import type { Proposal } from '../../smr/slot-chain/replica.ts';
import { ChainReplica } from '../../smr/slot-chain/replica.ts';
import type { EaContent, EaOrder } from './messages.ts';
import { attestorOf, EA_MESSAGES, voteOf } from './messages.ts';
import type { EaRule } from './rules.ts';

/** Prefix of keys of the durable map: PRE-PREPARE and PREPAREs that show that a batch was prepared, by order. */
const PREPARED_KEY = 'prepared/';

/** See the top of this file. */
export class EaReplica extends ChainReplica<EaOrder> {
  protected override readonly proposalKind = 'PRE-PREPARE';
  /** PREPAREs of the present view, by order and author. */
  readonly #prepares = new Map<SequenceNumber, Map<ReplicaId, Sealed<EaContent>>>();
  /** pc: what shows that a batch was prepared here, in the view in which it was last. */
  readonly #prepared = new Map<SequenceNumber, readonly Sealed<EaContent>[]>();
  /** lastCommit: up to here COMMITs of this view were said. */
  #committed: SequenceNumber = 0;

  constructor(context: ReplicaContext) {
    const quorum = context.settings.f + 1;
    const primaryOf = (view: number): ReplicaId => view % context.settings.members.length;
    super(
      context,
      EA_MESSAGES,
      {
        attestorOf,
        voteOf: (entry) => voteOf({ quorum, primaryOf, attestorOf }, entry),
        genesis: { view: 0, base: 0, orders: [], carried: 0 },
        carry: () => 0,
      },
      quorum,
    );
  }

  override rule(rule: EaRule, passed: boolean, about?: string): boolean {
    return super.rule(rule, passed, about);
  }

  protected override onOrder(message: Sealed<EaContent>, content: EaOrder, from: ReplicaId): Intake {
    switch (content.kind) {
      case 'PRE-PREPARE':
        return this.takeProposal(message, content, from);
      case 'PREPARE':
        return this.#onPrepare(message, content, from);
      case 'COMMIT':
        return this.#onCommit(message, content, from);
    }
  }

  #onPrepare(message: Sealed<EaContent>, content: EaOrder, from: ReplicaId): Intake {
    const { author } = message;
    const { view, sequence } = content;
    const turn = this.turnOf(content);
    if (turn !== 'now') return turn;
    if (!this.rule('A2M-PBFT-EA.N3.backup', author !== this.primaryOf(view), 'PREPARE')) return 'taken';
    if (from === this.self) this.accepted = Math.max(this.accepted, sequence);
    let prepares = this.#prepares.get(sequence);
    if (prepares === undefined) this.#prepares.set(sequence, (prepares = new Map()));
    prepares.set(author, message);
    return 'taken';
  }

  /** Step 5: COMMITs of whatever view count, also those that others pass on. */
  #onCommit(message: Sealed<EaContent>, content: EaOrder, from: ReplicaId): Intake {
    const { view, sequence, digest } = content;
    if (from === this.self) {
      this.extendChain(message);
      if (view === this.terms.view) this.#committed = Math.max(this.#committed, sequence);
    }
    if (sequence <= this.stableSequence) return 'taken';
    if (!this.inWindow(sequence)) return 'later';
    this.takeVote(message, sequence, `${view}/${digest}`);
    return 'taken';
  }

  // ---- normal case -------------------------------------------------------------------------------------------------

  protected override proposalOf(sequence: SequenceNumber, digest: Digest): EaOrder {
    return { kind: 'PRE-PREPARE', view: this.view, sequence, digest };
  }

  /** Step 2. */
  protected override onAccepted({ order }: Proposal<EaOrder>): void {
    this.speak({ ...order, kind: 'PREPARE' });
  }

  /** Step 4: what is prepared is committed to, one order after the other. */
  protected override considerVotes(): boolean {
    let moved = false;
    for (;;) {
      const next = Math.max(this.#committed, this.terms.base, this.stableSequence) + 1;
      if (!this.rule('A2M-PBFT-EA.N4.order', next <= this.accepted)) return moved;
      const proof = this.#proofOf(next);
      if (!this.rule('A2M-PBFT-EA.N3', proof !== undefined)) return moved;
      this.#committed = next;
      this.#prepared.set(next, proof!);
      const value = this.codec.encodeList(proof!);
      const { digest } = proof![0]!.content as EaOrder;
      this.speak({ kind: 'COMMIT', view: this.view, sequence: next, digest }, [
        { key: PREPARED_KEY + String(next), value },
      ]);
      moved = true;
    }
  }

  /** A proposal is prepared before anybody commits to it. */
  override orderLack(sequence: SequenceNumber, isAsked: boolean): Lacking | undefined {
    const lack = super.orderLack(sequence, isAsked);
    const proposal = this.proposals.get(sequence);
    if (lack === undefined || proposal === undefined || this.#prepared.has(sequence)) return lack;
    const has = [proposal.message, ...this.#equalPrepares(sequence, proposal.order.digest)];
    return { ...lack, what: 'PREPARE', needs: this.quorum, has: has.map(({ author }) => author) };
  }

  #equalPrepares(sequence: SequenceNumber, digest: Digest): readonly Sealed<EaContent>[] {
    return [...(this.#prepares.get(sequence)?.values() ?? [])].filter(
      ({ content }) => (content as EaOrder).digest === digest,
    );
  }

  /** Step 3: the proposal and equal PREPAREs, f+1 replicas together. */
  #proofOf(sequence: SequenceNumber): readonly Sealed<EaContent>[] | undefined {
    const proposal = this.proposals.get(sequence);
    if (proposal === undefined) return undefined;
    const prepares = this.#equalPrepares(sequence, proposal.order.digest);
    const proof = [proposal.message, ...prepares.slice(0, this.quorum - 1)];
    return proof.length >= this.quorum ? proof : undefined;
  }

  /** What shows that an own COMMIT was due. */
  preparedBy({ content }: Sealed<EaContent>): readonly Sealed<EaContent>[] {
    return content.kind === 'COMMIT' ? (this.#prepared.get(content.sequence) ?? []) : [];
  }

  protected override proofOf(own: Sealed<EaContent>): readonly Sealed<EaContent>[] {
    return this.preparedBy(own);
  }

  protected override decisionOf(commits: readonly Sealed<EaContent>[]): Decision<EaContent> {
    const { digest } = commits[0]!.content as EaOrder;
    return { digest, proof: commits.slice(0, this.quorum), sources: commits.map(({ author }) => author) };
  }

  /** After a restart, too: it is stored with what shows that it was prepared. */
  protected override acceptedProposal(sequence: SequenceNumber): Sealed<EaContent> | undefined {
    return super.acceptedProposal(sequence) ?? this.#prepared.get(sequence)?.[0];
  }

  // ---- what passes -------------------------------------------------------------------------------------------------

  protected override onEntered(): void {
    super.onEntered();
    this.#prepares.clear();
    this.#committed = this.terms.base;
  }

  protected override onStable(sequence: SequenceNumber): void {
    super.onStable(sequence);
    for (const known of [...this.#prepares.keys()]) if (known <= sequence) this.#prepares.delete(known);
    const past = [...this.#prepared.keys()].filter((known) => known <= sequence);
    for (const known of past) this.#prepared.delete(known);
    this.desk.store(past.map((known) => ({ key: PREPARED_KEY + String(known), value: undefined })));
  }

  protected override restore(stored: ReadonlyMap<string, Uint8Array>): void {
    super.restore(stored);
    for (const [key, value] of stored) {
      if (!key.startsWith(PREPARED_KEY)) continue;
      const proof = this.codec.decodeList(value);
      const first = proof?.[0]?.content;
      if (first?.kind === 'PRE-PREPARE') this.#prepared.set(first.sequence, proof!);
    }
  }
}

/** Makes a replica. Its first input must be `start`. */
export function createA2mPbftEaReplica(context: ReplicaContext): Replica<AttestedMessage<EaContent>> {
  return new EaReplica(context);
}

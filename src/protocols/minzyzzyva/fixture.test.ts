/** The tiny cluster of `smr/usig-replica` with MinZyzzyva replicas, and clients that follow the rules of `client.ts`. */
import assert from 'node:assert/strict';
import type { Bundle } from '../../core/request.ts';
import type { Digest, ReplicaId } from '../../core/types.ts';
import { UsigCluster, sha256 } from '../../smr/usig-replica/cluster.testing.ts';
import type { Answer, HarnessOptions } from '../../smr/usig-replica/cluster.testing.ts';
import { minzyzzyva } from './definition.ts';
import type { MinzyzzyvaMessage } from './messages.ts';
import { MINZYZZYVA } from './replica.ts';

/** What a client has of one bundle. */
export interface Waiting {
  readonly bundle: Bundle;
  /** Newest answer of each replica, by standing. */
  readonly speculative: Map<ReplicaId, Answer & { readonly key: string }>;
  readonly final: Map<ReplicaId, Answer>;
  accepted: { readonly how: 'fast' | 'final'; readonly answer: Answer; readonly at: number } | undefined;
  certificates: number;
  delayMs: number;
  readonly since: number;
}

export interface ClientOptions {
  /** Whether it turns f+1 speculative answers into a certificate. */
  readonly certificates?: boolean;
  readonly to?: readonly ReplicaId[];
  readonly retries?: boolean;
}

const rules = minzyzzyva.client!;

export class Cluster extends UsigCluster<MinzyzzyvaMessage> {
  readonly waiting = new Map<Digest, Waiting>();
  readonly #context: Parameters<NonNullable<typeof rules.readProof>>[2];

  constructor(options: HarnessOptions = {}) {
    super(minzyzzyva, options, MINZYZZYVA);
    this.#context = { settings: this.settings, domain: this.domain, hash: sha256 };
    this.onAnswer = (replica, bundle, answer) =>
      this.at(this.prng.between(1, 3), () => this.#take(replica, bundle, answer));
  }

  /** A client sends a bundle and does what the rules say until it believes an answer (MinZyzzyva.CLI.1). */
  ask(bundle: Bundle, options: ClientOptions = {}): Waiting {
    const waiting: Waiting = {
      bundle,
      speculative: new Map(),
      final: new Map(),
      accepted: undefined,
      certificates: 0,
      delayMs: 100,
      since: this.now,
    };
    this.waiting.set(bundle.digest, waiting);
    const send = (): void => {
      for (const id of options.to ?? this.members.map((member) => member.id))
        this.at(this.prng.between(1, 3), () => this.bring(id, bundle));
    };
    const again = (): void => {
      if (waiting.accepted !== undefined) return;
      if (options.certificates !== false) this.#certify(waiting);
      send();
      waiting.delayMs *= 2;
      this.at(waiting.delayMs, again);
    };
    send();
    if (options.retries !== false) this.at(waiting.delayMs, again);
    return waiting;
  }

  #take(replica: ReplicaId, bundle: Bundle, answer: Answer): void {
    const waiting = this.waiting.get(bundle.digest);
    if (waiting === undefined) return;
    const proof = rules.readProof!(answer.proof, replica, this.#context, answer.standing);
    assert.ok(proof !== undefined, 'what a correct replica says with an answer can be read');
    if (answer.standing === 'final') waiting.final.set(replica, answer);
    else if (answer.view >= (waiting.speculative.get(replica)?.view ?? 0))
      waiting.speculative.set(replica, { ...answer, key: proof.key });
    this.#judge(waiting);
  }

  #judge(waiting: Waiting): void {
    const fast = largest(waiting.speculative, ({ key, result }) => `${key}/${result}`);
    const final = largest(waiting.final, ({ sequence, result }) => `${sequence}/${result}`);
    const accept = (how: 'fast' | 'final', answer: Answer): void => {
      const { accepted } = waiting;
      assert.ok(
        accepted === undefined || accepted.answer.result === answer.result,
        'one result for one request',
      );
      waiting.accepted ??= { how, answer, at: this.now };
    };
    if (fast.length >= rules.needed('speculative', this.n, this.f)!) accept('fast', fast[0]![1]);
    if (final.length >= rules.needed('final', this.n, this.f)!) accept('final', final[0]![1]);
  }

  #certify(waiting: Waiting): void {
    const agreeing = largest(waiting.speculative, ({ key, result }) => `${key}/${result}`);
    const needed = rules.certificate!.needed(this.n, this.f);
    if (agreeing.length < needed) return;
    const proofs = agreeing.slice(0, needed).map(([replica, { proof }]) => ({ replica, proof }));
    const bytes = rules.certificate!.make(proofs);
    waiting.certificates += 1;
    for (const { id } of this.members) this.at(this.prng.between(1, 3), () => this.bringMessage(id, bytes));
  }

  /** Every accepted answer is what correct replicas have finally executed. */
  judgeAccepted(): void {
    for (const { accepted, bundle } of this.waiting.values()) {
      if (accepted === undefined) continue;
      for (const id of this.correct()) {
        const member = this.members[id]!;
        const sequence = member.doneAt.get(bundle.digest);
        if (sequence === undefined || sequence > member.confirmed) continue;
        assert.equal(sequence, accepted.answer.sequence, `replica ${id} executed it elsewhere`);
      }
    }
  }

  accepted(): number {
    return [...this.waiting.values()].filter(({ accepted }) => accepted !== undefined).length;
  }

  /** All correct running replicas have all these bundles finally executed. */
  allFinal(bundles: readonly Bundle[]): boolean {
    return this.correct().every((id) => {
      const { doneAt, confirmed, history } = this.members[id]!;
      return (
        confirmed === history.length &&
        bundles.every(({ digest }) => (doneAt.get(digest) ?? Infinity) <= confirmed)
      );
    });
  }
}

function largest<A>(answers: Map<ReplicaId, A>, keyOf: (answer: A) => string): (readonly [ReplicaId, A])[] {
  const groups = new Map<string, [ReplicaId, A][]>();
  for (const [replica, answer] of answers) {
    const key = keyOf(answer);
    groups.set(key, [...(groups.get(key) ?? []), [replica, answer]]);
  }
  return [...groups.values()].sort((a, b) => b.length - a.length)[0] ?? [];
}

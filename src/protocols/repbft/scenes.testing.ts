/** Scenes for RePBFT: a cluster of which parts can be cut off, and the messages that faulty replicas make. */
import assert from 'node:assert/strict';
import type { Digest, ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import { sha256, TestCluster } from '../../smr/attested/cluster.testing.ts';
import type { AttestedMessage, Sealed } from '../../smr/attested/sealed.ts';
import { isSealed, SealedCodec } from '../../smr/attested/sealed.ts';
import { isUpdateContent } from '../../smr/passive/messages.ts';
import { repbft } from './definition.ts';
import { checkRepbft } from './invariants.ts';
import type { RepbftContent } from './messages.ts';
import { REPBFT_MESSAGES } from './messages.ts';
import { RepbftReplica } from './replica.ts';
import type { RepbftRule } from './rules.ts';

/** Checkpoint interval of the scenes; X_min is twice that. */
export const INTERVAL = 4;

type Filter = (from: ReplicaId, to: ReplicaId, message: AttestedMessage<RepbftContent>) => boolean;

/** See the top of this file. */
export class Scene extends TestCluster<RepbftContent> {
  readonly #codec: SealedCodec<RepbftContent>;
  /** Rules that were cited, with their outcome. */
  readonly #outcomes: Set<string>;
  readonly #cut = new Set<ReplicaId>();
  /** A test's own filter beside those that are cut off. */
  filter: Filter = () => true;
  #requests = 0;

  constructor(f = 1) {
    const outcomes = new Set<string>();
    super(repbft, { f, trace: ({ rule, passed }) => outcomes.add(`${rule} ${passed}`) });
    this.#outcomes = outcomes;
    const { domain } = this.contexts[0]!;
    this.#codec = new SealedCodec({ hash: sha256, domain }, REPBFT_MESSAGES);
    this.passes = (from, to, message) =>
      !this.#cut.has(from) && !this.#cut.has(to) && this.filter(from, to, message);
  }

  at(id: ReplicaId): RepbftReplica {
    const { replica } = this.machines[id]!;
    assert.ok(replica instanceof RepbftReplica);
    return replica;
  }

  /** Nothing reaches these replicas any more, and nothing leaves them; others are reached again. */
  cut(...ids: readonly ReplicaId[]): void {
    this.#cut.clear();
    for (const id of ids) this.#cut.add(id);
  }

  /** So many requests, one after the other, each a batch; bodies reach those that are not cut off by themselves. */
  order(count: number, to?: readonly ReplicaId[]): void {
    for (let index = 0; index < count; index += 1) {
      this.#requests += 1;
      const all = [...this.machines.keys()].filter((id) => !this.#cut.has(id));
      this.submit(`request ${this.#requests}`, to ?? all);
      this.settle(20);
    }
  }

  /** Runs; then nothing may contradict. */
  settle(ms: number): void {
    this.run(ms);
    this.histories();
    assert.equal(checkRepbft(this.machines.map(({ replica }) => replica)), undefined);
  }

  /** Whether a rule has passed, or refused, so far. */
  saw(rule: RepbftRule, passed: boolean): boolean {
    return this.#outcomes.has(`${rule} ${passed}`);
  }

  /** A message that an author says, whatever it is. */
  by(author: ReplicaId, content: RepbftContent): Sealed<RepbftContent> {
    const kind = isUpdateContent(content) ? 'link' : 'host';
    const encoded = this.#codec.encodeContent(author, content);
    const word = this.vouch(author, { kind }, encoded.digest);
    return this.#codec.complete(0, author, content, encoded, word!);
  }

  /** Proposes something as the primary of a view, to these replicas. */
  propose(view: View, sequence: SequenceNumber, digest: Digest, to: readonly ReplicaId[]): void {
    const author = view % this.n;
    const message = this.by(author, { kind: 'PRE-PREPARE', view, sequence, digest });
    for (const id of to) this.deliver(author, id, message);
  }

  /** Brings everybody into view 1, in fault-handling mode: replica 2 is cut off for a while. */
  toViewOne(): void {
    this.cut(2);
    this.order(1);
    this.settle(2_500);
    this.assertFaultHandling(1, [0, 1, 3]);
  }

  /** With the same effect as a crash of the active replica 2: view 1 comes to normal-case mode without it. */
  toReturn(): void {
    this.toViewOne();
    this.order(2 * INTERVAL);
    this.settle(1_000);
    this.assertNormal(1, [0, 1, 3], [0, 1, 3]);
  }

  /** These replicas take part in the view, everybody does. */
  assertFaultHandling(view: View, ids: readonly ReplicaId[]): void {
    for (const id of ids) {
      const replica = this.at(id);
      assert.deepEqual([replica.mode, replica.view, replica.role], ['active', view, 'fault-handling mode']);
    }
  }

  /** These replicas are in the view, in normal-case mode with this active set. */
  assertNormal(view: View, active: readonly ReplicaId[], ids: readonly ReplicaId[]): void {
    for (const id of ids) {
      const replica = this.at(id);
      assert.deepEqual([replica.mode, replica.view], ['active', view], `replica ${id}`);
      assert.deepEqual(replica.activeAt(replica.executed + 1), active, `replica ${id}`);
    }
  }

  /** How many orders each of these replicas has executed or applied, at least. */
  assertExecuted(count: number, ids: readonly ReplicaId[] = [...this.machines.keys()]): void {
    for (const id of ids) assert.ok(this.at(id).executed >= count, `replica ${id}: ${this.at(id).executed}`);
  }

  /** Messages of a kind that a replica has sent. */
  sentBy(from: ReplicaId, ...kinds: readonly string[]): number {
    return this.sent.filter((one) => one.from === from && kinds.includes(one.kind)).length;
  }
}

/** A filter that lets everything pass but messages of one kind; `where` narrows it down. */
export function without(
  kind: RepbftContent['kind'],
  where: (content: RepbftContent, from: ReplicaId, to: ReplicaId) => boolean = () => true,
): Filter {
  return (from, to, message) =>
    !isSealed(message) || message.content.kind !== kind || !where(message.content, from, to);
}

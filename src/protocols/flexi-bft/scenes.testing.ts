/** Scenes for Flexi-BFT: a cluster, messages that faulty replicas make, rules seen to pass or to refuse. */
import assert from 'node:assert/strict';
import type { RuleTrace } from '../../core/protocol.ts';
import type { Digest, ReplicaId, View } from '../../core/types.ts';
import { sha256, TestCluster } from '../../smr/attested/cluster.testing.ts';
import type { TestClusterOptions } from '../../smr/attested/cluster.testing.ts';
import { SealedCodec } from '../../smr/attested/sealed.ts';
import { flexiBft } from './definition.ts';
import { checkFlexi } from './invariants.ts';
import type { FlexiContent, FlexiSealed, ViewStart } from './messages.ts';
import { counterFor, FLEXI_MESSAGES, startDigest } from './messages.ts';
import type { FlexiRule } from './rules.ts';
import { FlexiViews } from './views.ts';

/** See the top of this file. */
export class Scene extends TestCluster<FlexiContent> {
  readonly #seen: RuleTrace[];
  readonly #codec: SealedCodec<FlexiContent>;

  constructor(options: TestClusterOptions = {}) {
    const seen: RuleTrace[] = [];
    super(flexiBft, { ...options, trace: (event) => seen.push(event) });
    this.#seen = seen;
    const { domain } = this.contexts[0]!;
    this.#codec = new SealedCodec({ hash: sha256, domain }, FLEXI_MESSAGES);
  }

  at(id: ReplicaId): FlexiViews {
    const { replica } = this.machines[id]!;
    assert.ok(replica instanceof FlexiViews);
    return replica;
  }

  /** A message of an author that says whatever it is told; proposals get the word of its component. */
  by<C extends FlexiContent>(author: ReplicaId, content: C): FlexiSealed<C> {
    const encoded = this.#codec.encodeContent(author, content);
    const isProposal = content.kind === 'PREPREPARE';
    const by = isProposal ? counterFor(content.view, content.sequence, this.n)! : ({ kind: 'host' } as const);
    const word = this.vouch(author, by, encoded.digest);
    assert.ok(word !== undefined, 'the component gives each value once');
    return this.#codec.complete(0, author, content, encoded, word);
  }

  digestOf(start: ViewStart): Digest {
    return startDigest(sha256, this.contexts[0]!.domain, start);
  }

  /** How often a rule passed or refused so far. */
  outcomes(rule: FlexiRule, passed: boolean): number {
    return this.#seen.filter((event) => event.rule === rule && event.passed === passed).length;
  }

  /** Runs; then nothing may contradict. */
  settle(ms: number): void {
    this.run(ms);
    this.histories();
    assert.equal(checkFlexi(this.machines.map(({ replica }) => replica)), undefined);
  }

  /** Everybody that runs takes part in this view or a later one. */
  assertViewFrom(view: View, ids: readonly ReplicaId[]): void {
    for (const id of ids) {
      assert.equal(this.at(id).mode, 'active', `replica ${id}`);
      assert.ok(this.at(id).view >= view, `replica ${id} is in view ${this.at(id).view}`);
    }
  }
}

/** A digest that stands for a batch which nobody has. */
export const NOWHERE = 'e'.repeat(64) as Digest;

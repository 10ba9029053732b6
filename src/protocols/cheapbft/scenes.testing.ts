/** Scenes for CheapBFT: a cluster, messages that faulty replicas make, rules seen to pass or to refuse. */
import assert from 'node:assert/strict';
import type { ProtocolDefinition, RuleTrace } from '../../core/protocol.ts';
import type { ReplicaId } from '../../core/types.ts';
import { sha256, TestCluster } from '../../smr/attested/cluster.testing.ts';
import type { TestClusterOptions } from '../../smr/attested/cluster.testing.ts';
import type { AttestedMessage } from '../../smr/attested/sealed.ts';
import { protocolNamed } from '../catalogue.ts';
import { counterAt } from './instances.ts';
import { checkCheapbft } from './invariants.ts';
import type { CheapContent, CheapSealed } from './messages.ts';
import { CHEAP_MESSAGES, CheapCodec } from './messages.ts';
import { CheapReplica } from './replica.ts';
import type { CheapRule } from './rules.ts';

/** CheapBFT over its fallback, as it is shipped. */
export const cheapbft = protocolNamed('cheapbft') as ProtocolDefinition<unknown> as ProtocolDefinition<
  AttestedMessage<CheapContent>
>;

/** See the top of this file. */
export class Scene extends TestCluster<CheapContent> {
  readonly #seen: RuleTrace[];
  readonly #codec: CheapCodec;

  constructor(options: TestClusterOptions = {}) {
    const seen: RuleTrace[] = [];
    super(cheapbft, { ...options, trace: (event) => seen.push(event) });
    this.#seen = seen;
    const { domain } = this.contexts[0]!;
    this.#codec = new CheapCodec({ hash: sha256, domain }, CHEAP_MESSAGES);
  }

  at(id: ReplicaId): CheapReplica {
    const { replica } = this.machines[id]!;
    assert.ok(replica instanceof CheapReplica);
    return replica;
  }

  /** A message of an author that says whatever it is told; `value`: the word of its agreement counter. */
  by(author: ReplicaId, content: CheapContent, value?: number): CheapSealed {
    const encoded = this.#codec.encodeContent(author, content);
    const instance = 'instance' in content ? content.instance : 0;
    const by = value === undefined ? ({ kind: 'host' } as const) : counterAt('tiny', instance, value);
    const word = this.vouch(author, by, encoded.digest);
    assert.ok(word !== undefined, 'the component gives each value once, one after the other');
    return this.#codec.complete(0, author, content, encoded, word);
  }

  /** A message that only its link vouches for. */
  told(author: ReplicaId, content: CheapContent): CheapSealed {
    const encoded = this.#codec.encodeContent(author, content);
    return this.#codec.complete(0, author, content, encoded, { kind: 'link', replica: author });
  }

  /** How often a rule passed or refused so far. */
  outcomes(rule: CheapRule, passed: boolean): number {
    return this.#seen.filter((event) => event.rule === rule && event.passed === passed).length;
  }

  /** Runs; then nothing may contradict. */
  settle(ms: number): void {
    this.run(ms);
    this.histories();
    assert.equal(checkCheapbft(this.machines.map(({ replica }) => replica)), undefined);
  }

  /** Numbers of the instances that run. */
  instances(): number[] {
    return [...this.machines.keys()].map((id) => this.at(id).instance.number);
  }

  lengths(): number[] {
    return this.machines.map(({ history }) => history.length);
  }
}

/** Scenes for protocols on chains of slots: a cluster, what its rules said, and messages of replicas that lie. */
import assert from 'node:assert/strict';
import type { Attestor } from '../../core/attestation.ts';
import type { ProtocolDefinition, Replica, RuleTrace } from '../../core/protocol.ts';
import type { ReplicaId, View } from '../../core/types.ts';
import type { TestClusterOptions } from '../attested/cluster.testing.ts';
import { epochOf, sha256, TestCluster } from '../attested/cluster.testing.ts';
import type { AttestedMessage, Sealed, SealedCodecOptions } from '../attested/sealed.ts';
import { SealedCodec } from '../attested/sealed.ts';
import type { ChainContent, OrderContent } from './messages.ts';
import { ChainReplica } from './replica.ts';
import type { ChainRules } from './view-change.ts';

const NO_BYTES = new Uint8Array(0);

/** What a stage is made for. */
export interface StageProtocol<P extends OrderContent> {
  readonly definition: ProtocolDefinition<AttestedMessage<ChainContent<P>>>;
  readonly messages: SealedCodecOptions<ChainContent<P>>;
  readonly attestorOf: (content: ChainContent<P>) => Attestor;
  readonly check: (replicas: readonly Replica<object>[]) => string | undefined;
}

/** See the top of this file. */
export class ChainStage<P extends OrderContent> extends TestCluster<ChainContent<P>> {
  readonly #protocol: StageProtocol<P>;
  readonly #seen: RuleTrace[];
  readonly #codec: SealedCodec<ChainContent<P>>;

  constructor(protocol: StageProtocol<P>, options: TestClusterOptions = {}) {
    const seen: RuleTrace[] = [];
    super(protocol.definition, { ...options, trace: (event) => seen.push(event) });
    this.#seen = seen;
    this.#protocol = protocol;
    this.#codec = new SealedCodec({ hash: sha256, domain: this.contexts[0]!.domain }, protocol.messages);
  }

  /** The inside of a replica. */
  at(id: ReplicaId): ChainReplica<P> {
    const { replica } = this.machines[id]!;
    assert.ok(replica instanceof ChainReplica);
    return replica as ChainReplica<P>;
  }

  /** What everybody judges by. */
  get rules(): ChainRules<P> {
    return this.at(0).chainRules;
  }

  /** The replica does nothing by itself any more: the test speaks for it, and its component goes on. */
  takeOver(...ids: readonly ReplicaId[]): void {
    for (const id of ids) this.machines[id]!.halted = 'taken over';
  }

  /** A message of an author that says what it is told to; undefined if its component refuses the slot. */
  tryBy(author: ReplicaId, content: ChainContent<P>): Sealed<ChainContent<P>> | undefined {
    const encoded = this.#codec.encodeContent(author, content);
    const word = this.vouch(author, this.#protocol.attestorOf(content), encoded.digest);
    return word && this.#codec.complete(0, author, content, encoded, word);
  }

  /** A message of an author whose component has nothing against it. */
  by(author: ReplicaId, content: ChainContent<P>): Sealed<ChainContent<P>> {
    const message = this.tryBy(author, content);
    assert.ok(message !== undefined, 'the component gives each slot once, in ascending order');
    return message;
  }

  /** A message with a word that fits it, as if its component stood at `previous`: to be judged for its meaning alone. */
  made(author: ReplicaId, content: ChainContent<P>, previous = 0): Sealed<ChainContent<P>> {
    const by = this.#protocol.attestorOf(content);
    const encoded = this.#codec.encodeContent(author, content);
    const word =
      by.kind === 'object'
        ? ({ ...by, replica: author, tcEpoch: epochOf(author), previous, authenticator: NO_BYTES } as const)
        : by.kind === 'host'
          ? ({ kind: 'host', replica: author, signature: NO_BYTES } as const)
          : ({ kind: 'link', replica: author } as const);
    return this.#codec.complete(0, author, content, encoded, word);
  }

  /** To all that run. */
  toAll(message: Sealed<ChainContent<P>>): void {
    for (const id of this.machines.keys())
      if (id !== message.author) this.deliver(message.author, id, message);
  }

  /** How often a rule refused so far. */
  refused(rule: string): number {
    return this.#seen.filter((event) => event.rule === rule && !event.passed).length;
  }

  /** Whether a rule refuses something while `act` happens. */
  refuses(rule: string, act: () => void): boolean {
    const before = this.refused(rule);
    act();
    return this.refused(rule) > before;
  }

  /** Runs; then nothing may contradict among those that were not taken over. */
  settle(ms: number): void {
    this.run(ms);
    this.histories();
    const running = this.machines.filter(({ halted }) => halted === undefined);
    assert.equal(this.#protocol.check(running.map(({ replica }) => replica)), undefined);
  }

  /** How many batches each replica has executed. */
  get executed(): readonly number[] {
    return this.machines.map(({ history }) => history.length);
  }

  /** Views in which the replicas are; of one that is changing the view that it asks for, negative. */
  get views(): readonly View[] {
    return this.machines.map((_, id) =>
      this.at(id).mode === 'active' ? this.at(id).view : -this.at(id).view,
    );
  }
}

/**
 * Scenes for tests of Zyzzyva: a small cluster whose links a test opens and cuts, words that a Byzantine replica might
 * say, and a client that counts answers as `ZYZZYVA_CLIENT` says.
 */
import assert from 'node:assert/strict';
import type { ClusterLimits } from '../../core/config.ts';
import type { ReplicaContext, Standing } from '../../core/protocol.ts';
import type { Batch, Bundle } from '../../core/request.ts';
import type { Digest, ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import { markVerified } from '../../core/types.ts';
import { sha256, TestCluster } from '../../smr/attested/cluster.testing.ts';
import type { TestAnswer } from '../../smr/attested/cluster.testing.ts';
import type { AttestedMessage, Proof, Sealed } from '../../smr/attested/sealed.ts';
import { isOf, isSealed, SealedCodec } from '../../smr/attested/sealed.ts';
import { buildBatch } from '../../smr/batcher.ts';
import { ZYZZYVA_CLIENT } from './client.ts';
import { zyzzyva } from './definition.ts';
import type { Link, Position } from './history.ts';
import { GENESIS, History, linkOf } from './history.ts';
import type { Message, ZyzzyvaContent } from './messages.ts';
import { coreKey, encodeSpecProof, ZYZZYVA_MESSAGES } from './messages.ts';
import { ZyzzyvaReplica } from './replica.ts';
import type { ZyzzyvaSwitches } from './views.ts';

export interface SceneOptions {
  readonly f?: number;
  readonly limits?: Partial<ClusterLimits>;
  readonly switches?: ZyzzyvaSwitches;
}

interface Sent {
  readonly from: ReplicaId;
  readonly to: ReplicaId;
  readonly message: AttestedMessage<ZyzzyvaContent>;
}

/** A replica whose state a test may look at. */
type Opened = Pick<
  ZyzzyvaReplica,
  'view' | 'label' | 'mode' | 'history' | 'certificate' | 'executed' | 'confirmed' | 'base' | 'stableProof'
>;

/** See the top of this file. */
export class Scene {
  readonly cluster: TestCluster<ZyzzyvaContent>;
  readonly codec: SealedCodec<ZyzzyvaContent>;
  readonly link: Link;
  readonly sent: Sent[] = [];
  /** Outcomes of rules, as `Zyzzyva.ACC.1.CHAIN:false`. */
  readonly rules = new Set<string>();
  /** Replicas that nobody hears and that hear nobody: a test speaks for them. */
  readonly cut = new Set<ReplicaId>();
  /** Whether a message between replicas that are not cut off passes. */
  passes: (sent: Sent) => boolean = () => true;
  #batches = 0;

  constructor({ f = 1, limits = {}, switches }: SceneOptions = {}) {
    const createReplica = (context: ReplicaContext): ZyzzyvaReplica => new ZyzzyvaReplica(context, switches);
    this.cluster = new TestCluster(
      { ...zyzzyva, createReplica },
      { f, limits, trace: ({ rule, passed }) => this.rules.add(`${rule}:${passed}`) },
    );
    const { domain } = this.cluster.contexts[0]!;
    this.codec = new SealedCodec({ hash: sha256, domain }, ZYZZYVA_MESSAGES);
    this.link = linkOf(sha256, domain);
    this.cluster.passes = (from, to, message) => {
      const sent = { from, to, message };
      this.sent.push(sent);
      return !this.cut.has(from) && !this.cut.has(to) && this.passes(sent);
    };
  }

  replica(id: ReplicaId): Opened {
    return this.cluster.machines[id]!.replica as unknown as Opened;
  }

  run(ms = 20): void {
    this.cluster.run(ms);
  }

  /** Whether a rule was seen to pass or to refuse. */
  saw(rule: string, passed: boolean): boolean {
    return this.rules.has(`${rule}:${passed}`);
  }

  /** Everything of a kind that a replica has sent, each message once. */
  said<K extends ZyzzyvaContent['kind']>(
    from: ReplicaId,
    kind: K,
  ): Message<Extract<ZyzzyvaContent, { readonly kind: K }>>[] {
    const found = new Map<string, Message<Extract<ZyzzyvaContent, { readonly kind: K }>>>();
    for (const { from: sender, message } of this.sent)
      if (sender === from && isSealed(message) && isOf(message, kind) && message.author === from)
        found.set(message.digest, message);
    return [...found.values()];
  }

  // ---- words -------------------------------------------------------------------------------------------------------

  /** A message signed by a replica, whatever it says. */
  word<C extends ZyzzyvaContent>(author: ReplicaId, content: C): Message<C> {
    const encoded = this.codec.encodeContent(author, content);
    const attestation = this.cluster.vouch(author, { kind: 'host' }, encoded.digest)!;
    return this.codec.complete(0, author, content, encoded, attestation) as Message<C>;
  }

  /** Gives messages to replicas as if `from` had sent them, and runs what is due at once. */
  tell(from: ReplicaId, to: readonly ReplicaId[], ...messages: readonly Sealed<ZyzzyvaContent>[]): void {
    for (const replica of to) for (const message of messages) this.cluster.deliver(from, replica, message);
    this.run(0);
  }

  /** A batch that nobody has yet. */
  batch(name = ''): Batch {
    this.#batches += 1;
    const bundle = this.cluster.submit(`${name}${this.#batches}`, []);
    this.run(0);
    const content = { proposedInView: 0, time: 0, recovers: [], bundles: [bundle] };
    return buildBatch(sha256, this.cluster.contexts[0]!.domain, content);
  }

  /** Gives bodies to all. */
  share(...batches: readonly Batch[]): void {
    for (const id of this.cluster.machines.keys())
      for (const batch of batches) {
        this.cluster.machines[id]!.bodies.set(batch.digest, batch);
        this.cluster.input(id, { kind: 'body', batch });
      }
  }

  history(batches: readonly Batch[], after: Position = GENESIS): History {
    return History.after(
      this.link,
      after,
      batches.map(({ digest }) => digest),
    );
  }

  /** ORDER-REQs of a primary for batches that follow on a history. */
  orders(view: View, batches: readonly Batch[], after: Position = GENESIS): Message[] {
    const whole = this.history(batches, after);
    return batches.map(({ digest }, index) => {
      const sequence = after.length + index + 1;
      const history = whole.hashAt(sequence)!;
      return this.word(view % this.cluster.n, { kind: 'ORDER-REQ', view, sequence, history, digest });
    });
  }

  /** SPEC-RESPONSEs of some replicas at the end of a history. */
  cores(of: readonly ReplicaId[], view: View, end: Position, base: Position = GENESIS): Message[] {
    const { length: sequence, history } = end;
    return of.map((author) => this.word(author, { kind: 'SPEC-RESPONSE', view, base, sequence, history }));
  }

  hates(of: readonly ReplicaId[], view: View): Message[] {
    return of.map((author) => this.word(author, { kind: 'I-HATE-THE-PRIMARY', view }));
  }

  confirms(of: readonly ReplicaId[], view: View, base: Position): Message[] {
    return of.map((author) => this.word(author, { kind: 'VIEW-CONFIRM', view, base }));
  }

  /** A VIEW-CHANGE that says what it is given; by default it hides everything. */
  viewChange(
    author: ReplicaId,
    view: View,
    {
      history = this.history([]),
      label = 0,
      certificate = [] as readonly Sealed<ZyzzyvaContent>[],
      checkpoints = [] as readonly Sealed<ZyzzyvaContent>[],
      reason = this.hates([0, 3], view - 1) as readonly Sealed<ZyzzyvaContent>[],
    } = {},
  ): Message {
    const { digests, end } = history;
    const content = { kind: 'VIEW-CHANGE', view, label, certificate, checkpoints, reason } as const;
    return this.word(author, { ...content, digests, history: end.history });
  }

  /** A client's message with these. */
  show(to: readonly ReplicaId[], messages: readonly Sealed<ZyzzyvaContent>[]): void {
    const message: Proof<ZyzzyvaContent> = { kind: 'PROOF', messages };
    for (const id of to) this.cluster.input(id, { kind: 'clientMessage', message: markVerified(message) });
    this.run(0);
  }

  // ---- clients -----------------------------------------------------------------------------------------------------

  /** What replicas have answered as a sequence number so far, with the given standing. */
  answers(sequence: SequenceNumber, standing: Standing): TestAnswer[] {
    return this.cluster.answers.filter((one) => one.sequence === sequence && one.standing === standing);
  }

  /** Equal answers of distinct replicas by what their proofs say; lies of replicas that are cut off may be added. */
  #counted(
    bundle: Bundle,
    standing: Standing,
    lies: readonly Message[],
  ): Map<string, Map<ReplicaId, TestAnswer>> {
    const counted = new Map<string, Map<ReplicaId, TestAnswer>>();
    const { settings, domain, hash } = this.cluster.contexts[0]!;
    const keyOf = ({ proof, replica, standing: of }: TestAnswer): string | undefined =>
      ZYZZYVA_CLIENT.readProof!(proof, replica, { settings, domain, hash }, of)?.key;
    // A liar gives the result that correct replicas with the same core give.
    const told = lies.flatMap((core): TestAnswer[] => {
      if (!isOf(core, 'SPEC-RESPONSE')) return [];
      const { author: replica, content } = core;
      const like = this.answers(content.sequence, 'speculative').find(
        (one) => keyOf(one) === coreKey(content),
      );
      return like === undefined ? [] : [{ ...like, replica, proof: encodeSpecProof(core) }];
    });
    for (const answer of [...this.cluster.answers, ...told]) {
      if (answer.standing !== standing || !this.#isAbout(answer, bundle)) continue;
      const read = keyOf(answer);
      if (read === undefined) continue;
      const key = `${answer.sequence}/${answer.batch}/${read}`;
      const same = counted.get(key) ?? new Map<ReplicaId, TestAnswer>();
      counted.set(key, same.set(answer.replica, answer));
    }
    return counted;
  }

  #isAbout({ batch }: TestAnswer, { digest }: Bundle): boolean {
    const found = this.cluster.machines.find((machine) => machine.bodies.has(batch))!.bodies.get(batch)!;
    return found.bundles.some((bundle) => bundle.digest === digest);
  }

  /** Whether a client believes that its bundle is done, by answers of this standing. */
  believes(bundle: Bundle, standing: Standing, lies: readonly Message[] = []): boolean {
    const { n, settings } = this.cluster;
    const needed = ZYZZYVA_CLIENT.needed(standing, n, settings.f)!;
    return [...this.#counted(bundle, standing, lies).values()].some(({ size }) => size >= needed);
  }

  /** CLI.3: makes a certificate of 2f+1 equal speculative answers and shows it to replicas. */
  certify(
    bundle: Bundle,
    to: readonly ReplicaId[] = [...this.cluster.machines.keys()],
    lies: readonly Message[] = [],
  ): Proof<ZyzzyvaContent> {
    const { n, settings, contexts } = this.cluster;
    const { needed, make } = ZYZZYVA_CLIENT.certificate!;
    const enough = [...this.#counted(bundle, 'speculative', lies).values()].find(
      ({ size }) => size >= needed(n, settings.f),
    );
    assert.notEqual(enough, undefined, 'there are 2f+1 equal answers');
    const answers = [...enough!.values()].slice(0, needed(n, settings.f));
    const { domain, hash } = contexts[0]!;
    const message = zyzzyva.decode(make(answers), { settings, domain, hash }) as Proof<ZyzzyvaContent>;
    this.show(to, message.messages);
    this.run();
    return message;
  }

  // ---- views -------------------------------------------------------------------------------------------------------

  /** Sequence of executed batches of a replica. */
  executed(id: ReplicaId): readonly Digest[] {
    return this.cluster.machines[id]!.history;
  }
}

/**
 * A tiny cluster in memory for the tests of protocols on USIG streams: virtual time, seeded network, modelled trusted counters, a
 * service that only chains batch digests, crashes with the durable part kept. The simulator proper is in `sim/`.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { bytesToDigest, bytesToHex, digestToBytes } from '../../core/bytes.ts';
import { Writer } from '../../core/codec.ts';
import type { ClusterLimits, ClusterSettings, ClusterTimers, MemberSettings } from '../../core/config.ts';
import { DEFAULT_TIMERS } from '../../core/config.ts';
import type { Domain } from '../../core/domain.ts';
import { Prng } from '../../core/prng.ts';
import type {
  CheckpointState,
  Effect,
  Input,
  ProtocolDefinition,
  Recovery,
  Replica,
  Seal,
  Standing,
  UniqueIdentifier,
} from '../../core/protocol.ts';
import type { Batch, Bundle } from '../../core/request.ts';
import {
  bundleDigest,
  decodeBatch,
  decodeBundle,
  encodeBundle,
  recoverDigest,
  writeRecover,
} from '../../core/request.ts';
import type { Digest, Hash, ReplicaId, TcEpoch } from '../../core/types.ts';
import { markVerified, ZERO_DIGEST } from '../../core/types.ts';
import { decodeRegistry } from '../registry.ts';
import type { UsigMessage } from '../usig-stream/messages.ts';
import type { UsigForm } from './part.ts';
import { verifyEvidence } from './evidence.ts';

export const sha256: Hash = (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest());

export interface HarnessOptions {
  readonly f?: number;
  readonly seed?: number;
  readonly loss?: number;
  readonly duplication?: number;
  readonly delayMs?: readonly [number, number];
  readonly sealMs?: readonly [number, number];
  readonly limits?: Partial<ClusterLimits>;
  readonly timers?: Partial<ClusterTimers>;
}

/** What was given out for an order: its standing, and what the protocol said. */
export interface Answer {
  readonly sequence: number;
  readonly view: number;
  readonly standing: Standing;
  readonly proof: Uint8Array;
  /** What the answer says: the batch, and the state it was executed on. */
  readonly result: Digest;
}

interface Frozen {
  readonly digest: Digest;
  readonly protocolState: Uint8Array;
  /** Batch digests of all orders up to it. */
  readonly history: readonly Digest[];
  /** Bundles, and where they were executed. */
  readonly doneAt: readonly (readonly [Digest, number])[];
}

/** A message hook: what really goes over the link instead (Byzantine senders, partitions). Empty: dropped. */
export type LinkHook<M = UsigMessage> = (from: ReplicaId, to: ReplicaId, message: M) => readonly M[];

export interface Member<M = UsigMessage> {
  readonly id: ReplicaId;
  replica: Replica<M> | undefined;
  generation: number;
  tcEpoch: TcEpoch;
  incarnation: number;
  tcCounter: number;
  stored: Map<string, Uint8Array>;
  ownLog: { draft: Uint8Array; ui: UniqueIdentifier }[];
  standing: 'keeper' | 'recovering';
  recover: Uint8Array | undefined;
  known: Set<string>;
  history: Digest[];
  /** Orders that can never be undone. */
  confirmed: number;
  /** Answers by bundle, latest last, and who wants to know. */
  answers: Map<Digest, Answer[]>;
  batches: Map<number, Batch>;
  rollbacks: number;
  states: Map<number, Uint8Array>;
  done: Set<Digest>;
  doneAt: Map<Digest, number>;
  frozen: Map<number, Frozen>;
  sealedCheckpoint: number;
  pendingSeal: { digest: Digest; draft: Uint8Array; counter: number } | undefined;
  timers: Map<string, number>;
  notes: { name: string; detail: Readonly<Record<string, string | number | boolean>> }[];
  traces: Map<string, { passed: number; failed: number }>;
  byzantine: boolean;
  /** The test put an old copy back: it must find out. */
  rolledBack: boolean;
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export class UsigCluster<M extends { readonly kind: string } = UsigMessage> {
  readonly settings: ClusterSettings;
  readonly domain: Domain;
  readonly n: number;
  readonly f: number;
  readonly members: Member<M>[];
  readonly definition: ProtocolDefinition<M>;
  readonly form: UsigForm;
  onAnswer: (replica: ReplicaId, bundle: Bundle, answer: Answer) => void = () => undefined;
  readonly prng: Prng;
  readonly accusations: { by: ReplicaId; replica: ReplicaId; rule: string; evidence: Uint8Array }[] = [];
  readonly agreed = new Map<number, Digest>();
  now = 1_000;
  loss: number;
  duplication: number;
  delayMs: readonly [number, number];
  sealMs: readonly [number, number];
  hook: LinkHook<M> = (_from, _to, message) => [message];
  /** Called for every seal before it is given: a Byzantine host may seal something else first. */
  steps = 0;
  #heap: Event[] = [];
  #order = 0;
  #partition: (a: ReplicaId, b: ReplicaId) => boolean = () => false;
  readonly #decodeContext: { settings: ClusterSettings; domain: Domain; hash: Hash };

  constructor(
    definition: ProtocolDefinition<M>,
    options: HarnessOptions = {},
    form: UsigForm = { vote: 'COMMIT' },
  ) {
    this.definition = definition;
    this.form = form;
    this.f = options.f ?? 1;
    this.n = 2 * this.f + 1;
    this.prng = new Prng(options.seed ?? 1);
    this.loss = options.loss ?? 0;
    this.duplication = options.duplication ?? 0;
    this.delayMs = options.delayMs ?? [1, 3];
    this.sealMs = options.sealMs ?? [0, 1];
    this.settings = settingsOf(this.f, options, definition.name);
    this.domain = { clusterId: ZERO_DIGEST, configurationVersion: 0 };
    this.#decodeContext = { settings: this.settings, domain: this.domain, hash: sha256 };
    this.members = this.settings.members.map((_, id) => freshMember<M>(id, epochOf(id, 0)));
  }

  // ---- World

  at(delay: number, run: () => void): void {
    this.#heap.push({ at: this.now + delay, order: (this.#order += 1), run });
    let index = this.#heap.length - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!before(this.#heap[index]!, this.#heap[parent]!)) break;
      [this.#heap[index], this.#heap[parent]] = [this.#heap[parent]!, this.#heap[index]!];
      index = parent;
    }
  }

  #pop(): Event | undefined {
    const top = this.#heap[0];
    const last = this.#heap.pop();
    if (top === undefined || last === undefined) return undefined;
    if (this.#heap.length > 0) {
      this.#heap[0] = last;
      let index = 0;
      for (;;) {
        const left = 2 * index + 1;
        let least = index;
        for (const child of [left, left + 1])
          if (child < this.#heap.length && before(this.#heap[child]!, this.#heap[least]!)) least = child;
        if (least === index) break;
        [this.#heap[index], this.#heap[least]] = [this.#heap[least]!, this.#heap[index]!];
        index = least;
      }
    }
    return top;
  }

  /** Runs until `done` holds or `ms` have passed. True if it holds. */
  run(ms: number, done: () => boolean = () => false): boolean {
    const end = this.now + ms;
    for (;;) {
      if (done()) return true;
      const next = this.#heap[0];
      if (next === undefined || next.at > end) break;
      this.#pop();
      this.now = Math.max(this.now, next.at);
      this.steps += 1;
      next.run();
    }
    this.now = end;
    return done();
  }

  partition(separated: (a: ReplicaId, b: ReplicaId) => boolean): void {
    this.#partition = separated;
  }

  heal(): void {
    this.#partition = () => false;
    for (const a of this.members)
      for (const b of this.members) if (a !== b) this.input(a.id, { kind: 'linkUp', peer: b.id });
  }

  // ---- Life of a replica

  startAll(): void {
    for (const member of this.members) this.start(member.id);
  }

  start(id: ReplicaId): void {
    const member = this.members[id]!;
    member.generation += 1;
    member.timers.clear();
    member.known = new Set(this.settings.members.map((m, j) => `${j}/${m.trusted.tcEpoch}`));
    const { seed } = { seed: this.prng.u32() };
    member.replica = this.definition.createReplica({
      self: id,
      settings: this.settings,
      domain: this.domain,
      hash: sha256,
      isExecuted: (bundle) => member.done.has(bundle.digest),
      signAsHost: (digest) => hostSignature(id, digest),
      seed,
      trace: (event) => {
        const entry = member.traces.get(event.rule) ?? { passed: 0, failed: 0 };
        if (event.passed) entry.passed += 1;
        else entry.failed += 1;
        member.traces.set(event.rule, entry);
      },
    });
    const executed = member.history.length;
    const boundary = executed - (executed % this.settings.limits.checkpointInterval);
    const recovery: Recovery = {
      standing: member.tcCounter === 0 ? member.standing : 'keeper',
      ...(member.recover === undefined ? {} : { recover: member.recover }),
      tcEpoch: member.tcEpoch,
      stored: new Map(member.stored),
      ownLog: [...member.ownLog],
      executed,
      checkpoint: {
        sequence: boundary,
        stateDigest: boundary === 0 ? ZERO_DIGEST : this.stateDigest(member, boundary),
      },
      protocolState: executed === 0 ? new Uint8Array(0) : member.states.get(executed)!,
    };
    this.input(id, { kind: 'start', recovery });
  }

  /** Kills a replica; what was durable stays. Executed orders that nothing durable rests on may be lost. */
  crash(id: ReplicaId): void {
    const member = this.members[id]!;
    const seal = member.pendingSeal;
    member.replica = undefined;
    member.generation += 1;
    // The trusted component may have answered before the power went: its record completes the log (W6).
    if (seal !== undefined && this.prng.chance(0.5)) this.#give(member, seal);
    member.pendingSeal = undefined;
    const keep = this.prng.between(Math.min(member.confirmed, member.sealedCheckpoint), member.confirmed);
    this.#rewind(member, keep);
  }

  #rewind(member: Member<M>, keep: number): void {
    member.confirmed = Math.min(member.confirmed, keep);
    for (const n of [...member.batches.keys()]) if (n > keep) member.batches.delete(n);
    for (const digest of [...member.done])
      if ((member.doneAt.get(digest) ?? 0) > keep) {
        member.done.delete(digest);
        member.doneAt.delete(digest);
      }
    member.history.length = keep;
    for (const n of [...member.frozen.keys()]) if (n > keep) member.frozen.delete(n);
  }

  /** Loses disk and trusted component; comes back as somebody who must be re-admitted. */
  wipe(id: ReplicaId): void {
    const old = this.members[id]!;
    old.replica = undefined;
    const member = freshMember<M>(id, epochOf(id, old.incarnation + 1));
    member.generation = old.generation + 1;
    member.incarnation = old.incarnation + 1;
    member.standing = 'recovering';
    member.traces = old.traces;
    this.members[id] = member;
    const content = {
      replica: id,
      expectedIncarnation: 0,
      tcEpoch: member.tcEpoch,
      tcId: tcIdOf(id, member.incarnation),
      tcPublicKey: `${id}${member.incarnation}`.padStart(64, '0'),
      measurement: ZERO_DIGEST,
      footprint: 'process',
      evidence: new Uint8Array(0),
    };
    const digest = recoverDigest(sha256, this.domain, content);
    const writer = new Writer(256);
    writeRecover(writer, { ...content, signature: hostSignature(id, digest) });
    member.recover = writer.finish();
  }

  // ---- Inputs and effects

  input(id: ReplicaId, input: Input<M>): void {
    const member = this.members[id]!;
    if (member.replica === undefined) return;
    const inputs: Input<M>[] = [input];
    for (let next = inputs.shift(); next !== undefined; next = inputs.shift()) {
      const { generation } = member;
      const effects: readonly Effect<M>[] = member.replica?.step(next, this.now) ?? [];
      for (const effect of effects) {
        if (member.generation !== generation) return;
        this.#perform(member, effect, inputs);
      }
    }
  }

  #later(member: Member<M>, delay: number, run: () => void): void {
    const { generation } = member;
    this.at(delay, () => {
      if (member.generation === generation && member.replica !== undefined) run();
    });
  }

  #perform(member: Member<M>, effect: Effect<M>, inputs: Input<M>[]): void {
    switch (effect.kind) {
      case 'send':
        this.transmit(member.id, effect.to, effect.message);
        break;
      case 'broadcast':
        for (let to = 0; to < this.n; to += 1)
          if (to !== member.id) this.transmit(member.id, to, effect.message);
        break;
      case 'seal': {
        assert.equal(member.pendingSeal, undefined, 'one seal outstanding');
        assert.equal(effect.counter, member.tcCounter + 1, 'the counter is the next one');
        const { digest, draft, counter } = effect;
        const seal = { digest, draft, counter };
        member.pendingSeal = seal;
        this.#later(member, this.#between(this.sealMs), () => {
          member.pendingSeal = undefined;
          const ui = this.#give(member, seal);
          this.input(member.id, { kind: 'sealed', ui });
        });
        break;
      }
      case 'store':
        for (const { key, value } of effect.entries) {
          if (value === undefined) member.stored.delete(key);
          else member.stored.set(key, value);
        }
        break;
      case 'trimLog':
        member.ownLog = member.ownLog.filter(({ ui }) => ui.counter >= effect.below);
        break;
      case 'shareBody':
        for (let to = 0; to < this.n; to += 1)
          if (to !== member.id && (effect.to ?? to) === to) this.sendBody(member.id, to, effect.batch.bytes);
        break;
      case 'fetchBody': {
        const { digest, from } = effect;
        this.#link(member.id, from, () => {
          const bytes = this.members[from]!.stored.get(`body/${digest}`);
          if (this.members[from]!.replica !== undefined && bytes !== undefined)
            this.sendBody(from, member.id, bytes);
        });
        break;
      }
      case 'forward':
        for (let to = 0; to < this.n; to += 1)
          if (to !== member.id && (effect.to ?? to) === to)
            this.#link(member.id, to, () =>
              this.input(to, {
                kind: 'bundle',
                bundle: markVerified(effect.bundle),
                forwardedBy: member.id,
              }),
            );
        break;
      case 'execute':
        inputs.unshift(this.#execute(member, effect));
        break;
      case 'confirm':
        assert.ok(effect.through <= member.history.length, 'only what was executed is final');
        while (member.confirmed < effect.through) this.#confirm(member);
        break;
      case 'rollback':
        assert.ok(effect.to >= member.confirmed, 'what is final is never undone');
        member.rollbacks += 1;
        this.#rewind(member, effect.to);
        break;
      case 'answer':
        this.#answer(member, effect.sequence, effect.view, effect.standing, effect.proof);
        break;
      case 'stable': {
        const { sequence, stateDigest } = effect.checkpoint;
        assert.equal(this.stateDigest(member, sequence), stateDigest, 'stable is what was executed');
        for (const n of [...member.frozen.keys()])
          if (n < sequence - this.settings.limits.checkpointInterval) member.frozen.delete(n);
        break;
      }
      case 'transfer':
        this.#transfer(member, effect.checkpoint, effect.sources);
        break;
      case 'setTimer': {
        const stamp = (this.#order += 1);
        member.timers.set(effect.timer, stamp);
        this.#later(member, effect.delayMs, () => {
          if (member.timers.get(effect.timer) !== stamp) return;
          member.timers.delete(effect.timer);
          this.input(member.id, { kind: 'timeout', timer: effect.timer });
        });
        break;
      }
      case 'cancelTimer':
        member.timers.delete(effect.timer);
        break;
      case 'trustKey':
        member.known.add(`${effect.key.replica}/${effect.key.tcEpoch}`);
        break;
      case 'accuse':
        this.#checkAccusation(member, effect.replica, effect.rule, effect.evidence);
        break;
      case 'halt':
        member.notes.push({ name: 'halt', detail: { reason: effect.reason } });
        assert.ok(member.rolledBack, `replica ${member.id} halts: ${effect.reason}`);
        member.replica = undefined;
        break;
      case 'note':
        this.#note(member, effect.name, effect.detail);
        break;
    }
  }

  #note(member: Member<M>, name: string, detail: Readonly<Record<string, string | number | boolean>>): void {
    member.notes.push({ name, detail });
    if (member.byzantine) return;
    assert.notEqual(name, 'wishRefused', `replica ${member.id}: ${JSON.stringify(detail)}`);
    assert.notEqual(name, 'stateDiverged', `replica ${member.id}: ${JSON.stringify(detail)}`);
    assert.notEqual(name, 'ownLogDamaged', `replica ${member.id}: ${JSON.stringify(detail)}`);
    if (name === 'streamDead')
      assert.ok(
        this.members[Number(detail['replica'])]!.byzantine,
        `correct stream dead at ${member.id}: ${JSON.stringify(detail)}`,
      );
  }

  #checkAccusation(member: Member<M>, replica: ReplicaId, rule: string, evidence: Uint8Array): void {
    assert.ok(
      this.members[replica]!.byzantine,
      `correct replica ${replica} accused of ${rule} by ${member.id}`,
    );
    const verdict = verifyEvidence(this.#decodeContext, evidence, this.form);
    assert.ok(verdict !== undefined && verdict.replica === replica && verdict.rule === rule);
    for (const seal of verdict.seals) assert.equal(this.#verdict(seal), true);
    for (let index = 0; index < evidence.length; index += 37) {
      const flipped = evidence.slice();
      flipped[index]! ^= 1;
      const judged = verifyEvidence(this.#decodeContext, flipped, this.form);
      assert.ok(judged === undefined || !judged.seals.every((seal) => this.#verdict(seal)));
    }
    this.accusations.push({ by: member.id, replica, rule, evidence });
  }

  /** The trusted component certifies and the message is durable. */
  #give(member: Member<M>, seal: { digest: Digest; draft: Uint8Array; counter: number }): UniqueIdentifier {
    const ui = this.certify(member, seal.digest);
    assert.equal(ui.counter, seal.counter);
    member.ownLog.push({ draft: seal.draft, ui });
    member.sealedCheckpoint = member.confirmed - (member.confirmed % this.settings.limits.checkpointInterval);
    return ui;
  }

  /** Next certificate of a member's trusted component. */
  certify(member: Member<M>, digest: Digest): UniqueIdentifier {
    member.tcCounter += 1;
    const { id: replica, tcEpoch, tcCounter: counter } = member;
    return { replica, tcEpoch, counter, authenticator: counterSeal(replica, tcEpoch, counter, digest) };
  }

  #execute(
    member: Member<M>,
    { sequence, batch, protocolState, mode }: Extract<Effect<M>, { kind: 'execute' }>,
  ): Input<M> {
    assert.equal(sequence, member.history.length + 1, 'orders are executed one by one');
    assert.ok(member.stored.has(`body/${batch.digest}`), 'the body is durable');
    if (mode === undefined) assert.ok(decodeRegistry(protocolState, this.n) !== undefined);
    if (mode !== 'speculative') assert.equal(member.confirmed, member.history.length, 'all before is final');
    member.history.push(batch.digest);
    member.batches.set(sequence, batch);
    if (mode !== 'speculative') this.#confirm(member);
    member.states.set(sequence, protocolState);
    for (const [index, bundle] of batch.bundles.entries()) {
      if (batch.bundleAuthentic[index] !== true || member.done.has(bundle.digest)) continue;
      member.done.add(bundle.digest);
      member.doneAt.set(bundle.digest, sequence);
    }
    if (sequence % this.settings.limits.checkpointInterval !== 0) return { kind: 'executed', sequence };
    const stateDigest = this.stateDigest(member, sequence);
    const { history, doneAt } = member;
    member.frozen.set(sequence, {
      digest: stateDigest,
      protocolState,
      history: history.slice(0, sequence),
      doneAt: [...doneAt],
    });
    return { kind: 'executed', sequence, checkpoint: { sequence, stateDigest } };
  }

  /** One order more is final at a member. */
  #confirm(member: Member<M>): void {
    const digest = member.history[member.confirmed]!;
    member.confirmed += 1;
    if (member.byzantine) return;
    const agreed = this.agreed.get(member.confirmed);
    if (agreed === undefined) this.agreed.set(member.confirmed, digest);
    else assert.equal(digest, agreed, `agreement at order ${member.confirmed}, replica ${member.id}`);
  }

  #answer(member: Member<M>, sequence: number, view: number, standing: Standing, proof: Uint8Array): void {
    assert.ok(sequence <= member.history.length, 'only what was executed is answered');
    if (standing === 'final') assert.ok(sequence <= member.confirmed, 'what is said to be final is final');
    const result = this.#resultAt(member, sequence);
    for (const bundle of member.batches.get(sequence)?.bundles ?? [])
      if (member.doneAt.get(bundle.digest) === sequence)
        this.#giveOut(member, bundle, { sequence, view, standing, proof, result });
  }

  #giveOut(member: Member<M>, bundle: Bundle, answer: Answer): void {
    const answers = member.answers.get(bundle.digest) ?? [];
    answers.push(answer);
    member.answers.set(bundle.digest, answers);
    this.onAnswer(member.id, bundle, answer);
  }

  /** What the service says about an order: it depends on everything up to it. */
  #resultAt(member: Member<M>, sequence: number): Digest {
    const writer = new Writer(4096);
    for (const digest of member.history.slice(0, sequence)) writer.digest(digest);
    return bytesToDigest(sha256(writer.finish()));
  }

  stateDigest(member: Member<M>, sequence: number): Digest {
    const writer = new Writer(4096);
    for (const digest of member.history.slice(0, sequence)) writer.digest(digest);
    return bytesToDigest(sha256(writer.bytes(member.states.get(sequence)!).finish()));
  }

  #transfer(member: Member<M>, checkpoint: CheckpointState, sources: readonly ReplicaId[]): void {
    this.#later(member, this.prng.between(5, 30), () => {
      const { sequence } = checkpoint;
      const source = sources.find((id) => {
        const other = this.members[id]!;
        return other.replica !== undefined && other.frozen.get(sequence)?.digest === checkpoint.stateDigest;
      });
      const reachable = source !== undefined && !this.#partition(member.id, source);
      if (!reachable) {
        this.input(member.id, { kind: 'transferFailed', sequence });
        return;
      }
      const frozen = this.members[source]!.frozen.get(sequence)!;
      member.history = [...frozen.history];
      member.confirmed = sequence;
      member.batches.clear();
      member.states.set(sequence, frozen.protocolState);
      member.doneAt = new Map(frozen.doneAt);
      member.done = new Set(member.doneAt.keys());
      member.frozen.set(sequence, frozen);
      member.sealedCheckpoint = sequence;
      this.input(member.id, { kind: 'installed', checkpoint, protocolState: frozen.protocolState });
    });
  }

  // ---- Network

  #between([low, high]: readonly [number, number]): number {
    return low + this.prng.unit() * (high - low);
  }

  #link(from: ReplicaId, to: ReplicaId, deliver: () => void): void {
    if (this.#partition(from, to)) return;
    const copies = this.prng.chance(this.loss) ? 0 : this.prng.chance(this.duplication) ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) this.at(this.#between(this.delayMs), deliver);
  }

  transmit(from: ReplicaId, to: ReplicaId, message: M): void {
    for (const sent of this.hook(from, to, message)) {
      const bytes = this.definition.encode(sent);
      this.#link(from, to, () => this.deliver(from, to, bytes, sent.kind));
    }
  }

  /** A frame arrives: decode, verify, hand over. */
  deliver(from: ReplicaId, to: ReplicaId, bytes: Uint8Array, kind = ''): void {
    const member = this.members[to]!;
    if (member.replica === undefined) return;
    const message = this.definition.decode(bytes, this.#decodeContext);
    assert.ok(message !== undefined, `every ${kind} that is sent can be read`);
    for (const seal of this.definition.seals(message)) {
      if (seal.kind === 'counter' && !member.known.has(`${seal.ui.replica}/${seal.ui.tcEpoch}`)) return;
      assert.ok(this.#verdict(seal), `seal of ${message.kind} holds`);
    }
    this.input(to, { kind: 'message', from, message: markVerified(message) });
  }

  #verdict(seal: Seal): boolean {
    if (seal.kind === 'counter') {
      const { replica, tcEpoch, counter, authenticator } = seal.ui;
      return bytesToHex(authenticator) === bytesToHex(counterSeal(replica, tcEpoch, counter, seal.digest));
    }
    if (seal.kind === 'client') return seal.signature[0] === 1;
    // What components attest is judged in the simulator; here the host seal covers it.
    if (seal.kind === 'evidence') return true;
    if (seal.kind === 'object') return false;
    return bytesToHex(seal.signature) === bytesToHex(hostSignature(seal.replica, seal.digest));
  }

  sendBody(from: ReplicaId, to: ReplicaId, bytes: Uint8Array): void {
    this.#link(from, to, () => {
      const { limits } = this.settings;
      const unchecked = decodeBatch(sha256, this.domain, bytes, limits.batchRequestsMax);
      if (unchecked === undefined) return;
      const batch: Batch = {
        ...unchecked,
        bundleAuthentic: unchecked.bundles.map((bundle) => bundle.signature[0] === 1),
        recoverAuthentic: unchecked.recovers.map(() => true),
      };
      this.input(to, { kind: 'body', batch });
    });
  }

  // ---- Clients

  bundle(number: number, client = 1, authentic = true): Bundle {
    const content = {
      clientKey: new Uint8Array(32).fill(client),
      session: client,
      requests: [{ number, operation: new Uint8Array([number & 255]) }],
    };
    const signature = new Uint8Array(64);
    signature[0] = authentic ? 1 : 0;
    const bytes = encodeBundle(content, signature);
    const bundle = decodeBundle(sha256, this.domain, bytes)!;
    assert.equal(bundle.digest, bundleDigest(sha256, this.domain, content));
    return bundle;
  }

  /** A client sends a bundle to all (or to some), and again until it is executed at f+1. */
  submit(bundle: Bundle, to: readonly ReplicaId[] = this.members.map(({ id }) => id)): void {
    for (const id of to) this.at(this.#between(this.delayMs), () => this.bring(id, bundle));
    this.at(200, () => {
      const executed = this.members.filter(
        ({ doneAt, confirmed }) => (doneAt.get(bundle.digest) ?? Infinity) <= confirmed,
      ).length;
      if (executed <= this.f) this.submit(bundle);
    });
  }

  /** A client's bundle reaches a host, which knows what was executed and what of it is final. */
  bring(id: ReplicaId, bundle: Bundle): void {
    const member = this.members[id]!;
    const sequence = member.doneAt.get(bundle.digest);
    if (member.replica === undefined) return;
    if (sequence === undefined || !member.done.has(bundle.digest))
      this.input(id, { kind: 'bundle', bundle: markVerified(bundle) });
    else if (sequence > member.confirmed)
      this.input(id, { kind: 'asked', sequence, bundle: markVerified(bundle) });
    else {
      const result = this.#resultAt(member, sequence);
      const proof = new Uint8Array(0);
      this.#giveOut(member, bundle, { sequence, view: 0, standing: 'final', proof, result });
    }
  }

  /** A message that a client made of answers reaches a host. */
  bringMessage(id: ReplicaId, bytes: Uint8Array): void {
    const member = this.members[id]!;
    const message = this.definition.decode(bytes, this.#decodeContext);
    if (member.replica === undefined || message === undefined) return;
    if (this.definition.seals(message).every((seal) => this.#verdict(seal)))
      this.input(id, { kind: 'clientMessage', message: markVerified(message) });
  }

  /** Whether all correct running replicas executed all these bundles and stand at the same order. */
  settled(bundles: readonly Bundle[], replicas: readonly ReplicaId[] = this.correct()): boolean {
    const first = this.members[replicas[0]!]!;
    return replicas.every((id) => {
      const member = this.members[id]!;
      return (
        member.history.length === first.history.length &&
        bundles.every(({ digest }) => member.done.has(digest))
      );
    });
  }

  correct(): ReplicaId[] {
    return this.members
      .filter(({ byzantine, replica }) => !byzantine && replica !== undefined)
      .map(({ id }) => id);
  }

  /** For messages of failed tests. */
  describe(): string {
    return this.members
      .map((member) => {
        const seen = member.replica?.inspect(this.now);
        const notes = member.notes.slice(-6).map(({ name, detail }) => `${name} ${JSON.stringify(detail)}`);
        return `r${member.id} ${seen === undefined ? 'down' : JSON.stringify(seen)} tc=${member.tcCounter}\n    ${notes.join('\n    ')}`;
      })
      .join('\n');
  }
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

export function epochOf(replica: ReplicaId, incarnation: number): TcEpoch {
  return (replica * 256 + incarnation).toString(16).padStart(16, '0') as TcEpoch;
}

function tcIdOf(replica: ReplicaId, incarnation: number): string {
  return (replica * 256 + incarnation + 1).toString(16).padStart(32, '0');
}

function counterSeal(replica: ReplicaId, tcEpoch: TcEpoch, counter: number, digest: Digest): Uint8Array {
  const once = sha256(new Writer(64).u32(replica).tcEpoch(tcEpoch).u64(counter).digest(digest).finish());
  const both = new Uint8Array(64);
  both.set(once, 0);
  both.set(once, 32);
  return both;
}

export function hostSignature(replica: ReplicaId, digest: Digest): Uint8Array {
  const once = sha256(new Writer(64).u32(replica).raw(digestToBytes(digest)).finish());
  const both = new Uint8Array(64);
  both.set(once, 0);
  return both;
}

function freshMember<M>(id: ReplicaId, tcEpoch: TcEpoch): Member<M> {
  return {
    id,
    replica: undefined,
    generation: 0,
    tcEpoch,
    incarnation: 0,
    tcCounter: 0,
    stored: new Map(),
    ownLog: [],
    standing: 'keeper',
    recover: undefined,
    known: new Set(),
    history: [],
    confirmed: 0,
    answers: new Map(),
    batches: new Map(),
    rollbacks: 0,
    states: new Map(),
    done: new Set(),
    doneAt: new Map(),
    frozen: new Map(),
    sealedCheckpoint: 0,
    pendingSeal: undefined,
    timers: new Map(),
    notes: [],
    traces: new Map(),
    byzantine: false,
    rolledBack: false,
  };
}

function settingsOf(f: number, options: HarnessOptions, protocol: string): ClusterSettings {
  const members = Array.from({ length: 2 * f + 1 }, (_, id): MemberSettings => ({
    id,
    name: `r${id}`,
    organisation: 'o',
    hostKey: `${id}`.padStart(64, '0'),
    linkKey: `${id}`.padStart(64, '0'),
    address: `localhost:${id}`,
    trusted: {
      program: 'usig',
      footprint: 'test',
      measurement: ZERO_DIGEST,
      suite: 'ed25519',
      tcId: tcIdOf(id, 0),
      tcEpoch: epochOf(id, 0),
      publicKey: `${id}0`.padStart(64, '0'),
    },
  }));
  return {
    clusterId: ZERO_DIGEST,
    configurationVersion: 0,
    protocol,
    f,
    suite: 'ed25519',
    members,
    clients: [],
    policy: [],
    limits: {
      checkpointInterval: 4,
      pipelineFactor: 2,
      batchRequestsMax: 8,
      batchBytesMax: 80 * 1024,
      logEntriesMax: 64 * 8,
      sessionsMax: 16,
      sessionWindowMax: 64,
      ...options.limits,
    },
    timers: { ...DEFAULT_TIMERS, ...options.timers },
  };
}

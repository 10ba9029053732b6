/**
 * A small cluster for tests of protocols with attested messages: replicas, links that tests can cut and look into,
 * modelled objects that never give a value twice, a service that remembers what it executed, virtual time. Seals are
 * arbitrary bytes: meaning is all that is judged here.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { AttestedDraft, Attestation, Attestor } from '../../core/attestation.ts';
import type { ClusterLimits, ClusterSettings, MemberSettings } from '../../core/config.ts';
import { DEFAULT_LIMITS, DEFAULT_TIMERS } from '../../core/config.ts';
import type {
  CheckpointState,
  Effect,
  Input,
  ProtocolDefinition,
  Replica,
  ReplicaContext,
  Standing,
} from '../../core/protocol.ts';
import type { Bundle } from '../../core/request.ts';
import { decodeBundle, encodeBundle } from '../../core/request.ts';
import type { Digest, Hash, Milliseconds, ReplicaId, SequenceNumber, TcEpoch } from '../../core/types.ts';
import { markVerified, ZERO_DIGEST } from '../../core/types.ts';
import type { AttestedMessage, Content } from './sealed.ts';

export const sha256: Hash = (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest());
const digestOf = (text: string): Digest => createHash('sha256').update(text).digest('hex') as Digest;
const SIGNATURE = new Uint8Array(64);
/** Time from one replica to another. */
const DELAY_MS = 1;

export interface TestClusterOptions {
  readonly f?: number;
  readonly limits?: Partial<ClusterLimits>;
  readonly trace?: ReplicaContext['trace'];
}

/** An answer that a protocol gave out by itself. */
export interface TestAnswer {
  readonly replica: ReplicaId;
  readonly sequence: SequenceNumber;
  readonly standing: Standing;
  readonly proof: Uint8Array;
  /** The batch that was executed as this sequence: what a result depends on. */
  readonly batch: Digest;
}

interface Timed {
  readonly at: Milliseconds;
  readonly order: number;
  readonly run: () => void;
}

/** One machine: its replica and everything that outlives it. */
class Machine<C extends Content> {
  replica: Replica<AttestedMessage<C>>;
  stored = new Map<string, Uint8Array>();
  drafts: AttestedDraft[] = [];
  /** Highest number that an own message ever had. */
  through = 0;
  /** Last value of each object of its trusted component, with the words given. */
  readonly objects = new Map<string, Map<number, Digest>>();
  /** Digests of what was executed, in order; index 0 is order 1. */
  history: Digest[] = [];
  /** What the protocol had covered by checkpoints, after each order; index 0 is genesis. */
  states: Uint8Array[] = [new Uint8Array(0)];
  /** Sequence numbers that were applied as updates. */
  readonly applied: SequenceNumber[] = [];
  /** What was executed up to here is final; more only while the protocol speculates. */
  confirmed: SequenceNumber = 0;
  stable: CheckpointState = { sequence: 0, stateDigest: ZERO_DIGEST };
  bodies = new Map<Digest, Extract<Input<never>, { kind: 'body' }>['batch']>();
  timers = new Map<string, number>();
  halted: string | undefined;
  /** Starts so far: what was asked for before the last one is not answered any more. */
  starts = 1;
  readonly notes: string[] = [];

  constructor(replica: Replica<AttestedMessage<C>>) {
    this.replica = replica;
  }
}

/** See the top of this file. */
export class TestCluster<C extends Content> {
  readonly definition: ProtocolDefinition<AttestedMessage<C>>;
  readonly settings: ClusterSettings;
  readonly contexts: readonly ReplicaContext[];
  readonly machines: readonly Machine<C>[];
  readonly n: number;
  now: Milliseconds = 0;
  /** Whether a message may pass; tests put their own in place. */
  passes: (from: ReplicaId, to: ReplicaId, message: AttestedMessage<C>) => boolean = () => true;
  /** Everything that was sent: for counts of kinds. */
  readonly sent: { readonly from: ReplicaId; readonly to: ReplicaId; readonly kind: string }[] = [];
  /** Answers that protocols gave out by themselves, in order. */
  readonly answers: TestAnswer[] = [];
  #queue: Timed[] = [];
  #order = 0;
  #executedBundles = new Set<string>();

  constructor(definition: ProtocolDefinition<AttestedMessage<C>>, options: TestClusterOptions = {}) {
    const { f = 1, limits, trace } = options;
    this.definition = definition;
    this.n = definition.replicasFor(f);
    this.settings = settingsOf(definition.name, this.n, f, limits);
    const { clusterId, configurationVersion } = this.settings;
    this.contexts = this.settings.members.map(({ id }) => ({
      self: id,
      settings: this.settings,
      domain: { clusterId, configurationVersion },
      hash: sha256,
      isExecuted: (bundle) => this.#executedBundles.has(`${id}/${bundle.digest}`),
      signAsHost: () => SIGNATURE,
      seed: id,
      ...(trace === undefined ? {} : { trace }),
    }));
    this.machines = this.contexts.map((context) => new Machine(definition.createReplica(context)));
    for (const id of this.machines.keys()) this.#start(id);
  }

  #start(id: ReplicaId): void {
    const { history, stable, stored, drafts, through, states } = this.machines[id]!;
    this.input(id, {
      kind: 'start',
      recovery: {
        standing: 'keeper',
        tcEpoch: epochOf(id),
        stored: new Map(stored),
        ownLog: [],
        attested: [...drafts],
        attestedThrough: through,
        executed: history.length,
        checkpoint: stable,
        protocolState: states[history.length]!,
      },
    });
  }

  /** Ends a replica and starts it again, with what it stored or without. Its trusted component goes on. */
  restart(id: ReplicaId, wiped = false): void {
    const machine = this.machines[id]!;
    if (wiped) {
      machine.stored.clear();
      machine.drafts = [];
      machine.through = 0;
      machine.history = [];
      machine.states.length = 1;
      machine.confirmed = 0;
      machine.bodies.clear();
      machine.stable = { sequence: 0, stateDigest: ZERO_DIGEST };
      for (const name of [...this.#executedBundles])
        if (name.startsWith(`${id}/`)) this.#executedBundles.delete(name);
    }
    this.#undo(id, machine, machine.confirmed);
    machine.timers = new Map([...machine.timers].map(([name, version]) => [name, version + 1]));
    machine.halted = undefined;
    machine.starts += 1;
    machine.replica = this.definition.createReplica(this.contexts[id]!);
    this.#start(id);
  }

  /** A client's bundle to all replicas, or to some. */
  submit(name: string, to: readonly ReplicaId[] = [...this.machines.keys()]): Bundle {
    const content = {
      clientKey: new Uint8Array(32).fill(7),
      session: 1,
      requests: [{ number: this.#order + 1, operation: new TextEncoder().encode(name) }],
    };
    const domain = this.contexts[0]!.domain;
    const bundle = decodeBundle(sha256, domain, encodeBundle(content, SIGNATURE))!;
    for (const id of to)
      this.#later(0, () => this.input(id, { kind: 'bundle', bundle: markVerified(bundle) }));
    return bundle;
  }

  /** Runs what is due within so many milliseconds. */
  run(ms: Milliseconds): void {
    const end = this.now + ms;
    for (;;) {
      this.#queue.sort((a, b) => a.at - b.at || a.order - b.order);
      const next = this.#queue[0];
      if (next === undefined || next.at > end) break;
      this.#queue.shift();
      this.now = next.at;
      next.run();
    }
    this.now = end;
  }

  /** Hands a message to a replica as if it had come over a link. */
  deliver(from: ReplicaId, to: ReplicaId, message: AttestedMessage<C>): void {
    const bytes = this.definition.encode(message);
    const { settings, domain, hash } = this.contexts[0]!;
    const decoded = this.definition.decode(bytes, { settings, domain, hash });
    assert.notEqual(decoded, undefined, `${message.kind} survives the link`);
    this.input(to, { kind: 'message', from, message: markVerified(decoded!) });
  }

  input(id: ReplicaId, input: Input<AttestedMessage<C>>): void {
    const machine = this.machines[id]!;
    if (machine.halted !== undefined) return;
    for (const effect of machine.replica.step(input, this.now)) this.#perform(id, machine, effect);
  }

  #later(delayMs: Milliseconds, run: () => void): void {
    this.#order += 1;
    this.#queue.push({ at: this.now + delayMs, order: this.#order, run });
  }

  #transmit(from: ReplicaId, to: ReplicaId, message: AttestedMessage<C>): void {
    if (to === from) return;
    this.sent.push({ from, to, kind: message.kind });
    if (this.passes(from, to, message)) this.#later(DELAY_MS, () => this.deliver(from, to, message));
  }

  #perform(id: ReplicaId, machine: Machine<C>, effect: Effect<AttestedMessage<C>>): void {
    switch (effect.kind) {
      case 'send':
        return this.#transmit(id, effect.to, effect.message);
      case 'broadcast':
        for (const to of this.machines.keys()) this.#transmit(id, to, effect.message);
        return;
      case 'store':
        for (const { key, value } of effect.entries)
          if (value === undefined) machine.stored.delete(key);
          else machine.stored.set(key, value);
        return;
      case 'attest':
        return this.#attest(id, machine, effect);
      case 'trimAttested':
        machine.drafts = machine.drafts.filter((draft) => draft.id >= effect.below);
        return;
      case 'shareBody': {
        machine.bodies.set(effect.batch.digest, effect.batch);
        const to = effect.to === undefined ? [...this.machines.keys()] : [effect.to];
        for (const other of to)
          if (other !== id)
            this.#later(DELAY_MS, () => this.input(other, { kind: 'body', batch: effect.batch }));
        return;
      }
      case 'fetchBody': {
        const batch = this.machines[effect.from]!.bodies.get(effect.digest);
        if (batch !== undefined) this.#later(2 * DELAY_MS, () => this.input(id, { kind: 'body', batch }));
        return;
      }
      case 'forward': {
        const to = effect.to === undefined ? [...this.machines.keys()] : [effect.to];
        for (const other of to.filter((one) => one !== id))
          this.#later(DELAY_MS, () =>
            this.input(other, { kind: 'bundle', bundle: markVerified(effect.bundle), forwardedBy: id }),
          );
        return;
      }
      case 'execute':
        return this.#execute(id, machine, effect);
      case 'apply':
        return this.#apply(id, machine, effect);
      case 'confirm':
        machine.confirmed = Math.max(machine.confirmed, effect.through);
        return;
      case 'rollback':
        return this.#undo(id, machine, effect.to);
      case 'answer': {
        const { sequence, standing, proof } = effect;
        const batch = machine.history[sequence - 1];
        if (batch !== undefined) this.answers.push({ replica: id, sequence, standing, proof, batch });
        return;
      }
      case 'stable':
        machine.stable = effect.checkpoint;
        return;
      case 'transfer':
        return this.#transfer(id, machine, effect.checkpoint);
      case 'setTimer':
      case 'cancelTimer':
        return this.#timer(id, machine, effect);
      case 'halt':
        machine.halted = effect.reason;
        return;
      case 'note':
        machine.notes.push(effect.name);
        return;
      default:
        assert.fail(`this fixture does not know ${effect.kind}`);
    }
  }

  #attest(id: ReplicaId, machine: Machine<C>, effect: Extract<Effect<never>, { kind: 'attest' }>): void {
    const attestation = this.vouch(id, effect.by, effect.digest);
    const answer: Input<AttestedMessage<C>> =
      attestation === undefined
        ? { kind: 'refused', id: effect.id }
        : { kind: 'attested', id: effect.id, attestation };
    machine.through = effect.id;
    if (attestation !== undefined)
      machine.drafts.push({ id: effect.id, digest: effect.digest, draft: effect.draft, attestation });
    const { starts } = machine;
    this.#later(0, () => {
      if (machine.starts === starts) this.input(id, answer);
    });
  }

  /** The word of a replica's host or component for a digest; undefined if the value is spent. */
  vouch(replica: ReplicaId, by: Attestor, digest: Digest): Attestation | undefined {
    if (by.kind === 'link') return { kind: 'link', replica };
    if (by.kind === 'host') return { kind: 'host', replica, signature: SIGNATURE };
    const { objects } = this.machines[replica]!;
    const values = objects.get(by.object) ?? new Map<number, Digest>();
    objects.set(by.object, values);
    const previous = Math.max(0, ...values.keys());
    const fits = by.mode === 'jump' ? by.value > previous : by.value === previous + 1;
    if (!fits) return undefined;
    values.set(by.value, digest);
    return {
      kind: 'object',
      replica,
      tcEpoch: epochOf(replica),
      object: by.object,
      form: by.form,
      ...(by.mode === 'strict' ? { strict: true } : {}),
      previous,
      value: by.value,
      authenticator: SIGNATURE,
    };
  }

  #execute(id: ReplicaId, machine: Machine<C>, effect: Extract<Effect<never>, { kind: 'execute' }>): void {
    const { sequence, batch } = effect;
    assert.equal(sequence, machine.history.length + 1, 'orders are executed one after the other');
    machine.bodies.set(batch.digest, batch);
    machine.history.push(batch.digest);
    machine.states[sequence] = effect.protocolState;
    for (const bundle of batch.bundles) this.#executedBundles.add(`${id}/${bundle.digest}`);
    if (effect.mode !== 'speculative') machine.confirmed = sequence;
    const checkpoint = this.#checkpointAt(machine, sequence);
    const update = this.definition.makesUpdates ? writeUpdate(machine.history) : undefined;
    this.input(id, {
      kind: 'executed',
      sequence,
      ...(checkpoint === undefined ? {} : { checkpoint }),
      ...(update === undefined ? {} : { update }),
    });
  }

  /** An update names the batch before and its own: it fits no other history. */
  #apply(id: ReplicaId, machine: Machine<C>, effect: Extract<Effect<never>, { kind: 'apply' }>): void {
    const { sequence, update } = effect;
    assert.equal(sequence, machine.history.length + 1, 'updates are applied one after the other');
    const [before, digest] = new TextDecoder().decode(update).split('/');
    if (before !== (machine.history.at(-1) ?? ZERO_DIGEST))
      return this.input(id, { kind: 'executed', sequence, refused: true });
    machine.history.push(digest as Digest);
    machine.states[sequence] = effect.protocolState;
    machine.applied.push(sequence);
    machine.confirmed = sequence;
    this.#noteExecuted(id, digest as Digest);
    const checkpoint = this.#checkpointAt(machine, sequence);
    this.input(id, { kind: 'executed', sequence, ...(checkpoint === undefined ? {} : { checkpoint }) });
  }

  /** The requests of a batch were executed by somebody else, whose state a replica has now. */
  #noteExecuted(id: ReplicaId, digest: Digest): void {
    const batch = this.machines.find(({ bodies }) => bodies.has(digest))?.bodies.get(digest);
    for (const bundle of batch?.bundles ?? []) this.#executedBundles.add(`${id}/${bundle.digest}`);
  }

  /** Takes back what was executed above a sequence number. */
  #undo(id: ReplicaId, machine: Machine<C>, to: SequenceNumber): void {
    assert.ok(to >= machine.confirmed, 'what is confirmed is never rolled back');
    for (const digest of machine.history.slice(to))
      for (const bundle of machine.bodies.get(digest)?.bundles ?? [])
        this.#executedBundles.delete(`${id}/${bundle.digest}`);
    machine.history = machine.history.slice(0, to);
  }

  #checkpointAt(machine: Machine<C>, sequence: SequenceNumber): CheckpointState | undefined {
    if (sequence % this.settings.limits.checkpointInterval !== 0) return undefined;
    return { sequence, stateDigest: digestOf(machine.history.slice(0, sequence).join()) };
  }

  #transfer(id: ReplicaId, machine: Machine<C>, checkpoint: CheckpointState): void {
    const { sequence, stateDigest } = checkpoint;
    const source = this.machines.find(
      (one) => one !== machine && digestOf(one.history.slice(0, sequence).join()) === stateDigest,
    );
    this.#later(2 * DELAY_MS, () => {
      if (source === undefined) return this.input(id, { kind: 'transferFailed', sequence });
      machine.history = source.history.slice(0, sequence);
      for (const digest of machine.history) this.#noteExecuted(id, digest);
      machine.states = source.states.slice(0, sequence + 1);
      machine.stable = checkpoint;
      machine.confirmed = sequence;
      this.input(id, { kind: 'installed', checkpoint, protocolState: machine.states[sequence]! });
    });
  }

  #timer(
    id: ReplicaId,
    machine: Machine<C>,
    effect: Extract<Effect<never>, { kind: 'setTimer' | 'cancelTimer' }>,
  ): void {
    const { timer } = effect;
    const version = (machine.timers.get(timer) ?? 0) + 1;
    machine.timers.set(timer, version);
    if (effect.kind === 'cancelTimer') return;
    this.#later(effect.delayMs, () => {
      if (machine.timers.get(timer) === version) this.input(id, { kind: 'timeout', timer });
    });
  }

  /** What each replica has executed; fails if two disagree. */
  histories(): readonly (readonly Digest[])[] {
    const all = this.machines.map(({ history }) => history);
    const longest = all.reduce((a, b) => (b.length > a.length ? b : a), []);
    for (const [id, history] of all.entries())
      assert.deepEqual(history, longest.slice(0, history.length), `replica ${id} executed something else`);
    return all;
  }

  /** How many messages of a kind were sent so far. */
  count(kind: string): number {
    return this.sent.filter((one) => one.kind === kind).length;
  }
}

/** What the latest batch changed. */
function writeUpdate(history: readonly Digest[]): Uint8Array {
  return new TextEncoder().encode(`${history.at(-2) ?? ZERO_DIGEST}/${history.at(-1)!}`);
}

/** tcEpoch of a replica's component. */
export function epochOf(replica: ReplicaId): TcEpoch {
  return `${replica}`.padStart(16, '0') as TcEpoch;
}

function settingsOf(
  protocol: string,
  n: number,
  f: number,
  limits: Partial<ClusterLimits> = {},
): ClusterSettings {
  const members = Array.from({ length: n }, (_, id): MemberSettings => ({
    id,
    name: `r${id}`,
    organisation: 'o',
    hostKey: '00'.repeat(32),
    linkKey: '00'.repeat(32),
    address: `localhost:${id}`,
    trusted: {
      program: 'trinc',
      footprint: 'test',
      measurement: ZERO_DIGEST,
      suite: 'ed25519',
      tcId: `${id}`.padStart(32, '0'),
      tcEpoch: epochOf(id),
      publicKey: `${id}`.padStart(64, '0'),
    },
  }));
  return {
    clusterId: digestOf('cluster'),
    configurationVersion: 1,
    protocol,
    f,
    suite: 'ed25519',
    members,
    clients: [],
    policy: [],
    limits: { ...DEFAULT_LIMITS, checkpointInterval: 4, batchRequestsMax: 1, ...limits },
    timers: DEFAULT_TIMERS,
  };
}

/**
 * Damaged frames against replicas of any protocol: a simulated run is recorded input by input, replayed up to a point, and
 * then one of the peers turns liar. It may say whatever its own keys and its component allow: seals of others are those
 * that were really given, and a value of its component has one meaning. Nothing may throw, nothing may grow without bound.
 */
import { bytesToHex, equalBytes } from '../../src/core/bytes.ts';
import type { DecodeContext, Input, ProtocolDefinition, Replica, Seal } from '../../src/core/protocol.ts';
import type { ReplicaContext } from '../../src/core/protocol.ts';
import { Prng } from '../../src/core/prng.ts';
import type { Milliseconds, ReplicaId } from '../../src/core/types.ts';
import { markVerified } from '../../src/core/types.ts';
import type { AnyProtocol } from '../../src/protocols/catalogue.ts';
import type { AttestedMessage, Content } from '../../src/smr/attested/sealed.ts';
import { isSealed } from '../../src/smr/attested/sealed.ts';
import { familyWorld } from '../../src/sim/family/run.ts';
import { drawFamilyScenario } from '../../src/sim/family/plan.ts';
import { drawSteps } from './fuzz.ts';
import { applySteps } from './mutations.ts';

type Told = Extract<Input<object>, { readonly kind: 'message' | 'clientMessage' }>;

/** One life of a replica: everything that it depended on, so that it can be lived again. */
interface Life {
  readonly context: ReplicaContext;
  readonly inputs: { readonly input: Input<object>; readonly now: Milliseconds }[];
  /** What the client table said, question by question. */
  readonly executed: boolean[];
}

/** What was sent. */
interface Frame {
  readonly kind: Told['kind'];
  readonly message: object;
  readonly bytes: Uint8Array;
}

/** A recorded run. */
export interface Recording {
  readonly definition: ProtocolDefinition<object>;
  readonly lives: readonly Life[];
  /** Frames of the run, and how they came. */
  readonly frames: readonly Frame[];
  /** Seals that were really given. */
  readonly genuine: ReadonlySet<string>;
}

/** What came of the damaged frames. */
export interface ReplicaFuzzCounts {
  readonly frames: number;
  /** Not a message any more, or one whose seals nobody could have given. */
  readonly refused: number;
  readonly taken: number;
  readonly escapes: readonly string[];
}

/** Frames of one length class and kind that are kept. */
const PER_CLASS = 40;
/** Frames that are shown to a replica at one point of its life. */
const FRAMES_PER_POINT = 250;
const MEMORY_BYTES_MAX = 192 * 1024 * 1024;
const ESCAPES_MAX = 10;
/** How far the clock moves before the timers fire that are armed in the end. */
const LATER_MS = 60_000;

const textOf = (seal: Seal): string =>
  JSON.stringify(seal, (_key, value: unknown) => (value instanceof Uint8Array ? bytesToHex(value) : value));

/** What a store held at a start changes later on. */
function asItIs(input: Input<object>): Input<object> {
  if (input.kind !== 'start') return input;
  const { recovery } = input;
  const { attested, ownLog, stored } = recovery;
  const lists = { ownLog: [...ownLog], ...(attested === undefined ? {} : { attested: [...attested] }) };
  return { kind: 'start', recovery: { ...recovery, ...lists, stored: new Map(stored) } };
}

/** Runs a schedule and keeps what its replicas were told. */
export function recordRun(protocol: AnyProtocol, seed: number): Recording {
  const definition = protocol as ProtocolDefinition<object>;
  const lives: Life[] = [];
  const recording = {
    ...definition,
    createReplica: (context: ReplicaContext): Replica<object> => {
      const life: Life = { context, inputs: [], executed: [] };
      lives.push(life);
      const isExecuted: ReplicaContext['isExecuted'] = (bundle) => {
        const answer = context.isExecuted(bundle);
        life.executed.push(answer);
        return answer;
      };
      const inner = definition.createReplica({ ...context, isExecuted });
      return {
        step: (input, now) => {
          life.inputs.push({ input: asItIs(input), now });
          return inner.step(input, now);
        },
        inspect: (now) => inner.inspect(now),
      };
    },
  };
  familyWorld(recording as AnyProtocol, drawFamilyScenario(protocol, seed)).run();
  return { definition, lives, ...gather(definition, lives) };
}

function gather(
  definition: ProtocolDefinition<object>,
  lives: readonly Life[],
): Pick<Recording, 'frames' | 'genuine'> {
  const genuine = new Set<string>();
  const byClass = new Map<string, Frame[]>();
  const seen = new Set<object>();
  for (const { inputs } of lives)
    for (const { input } of inputs) {
      if ((input.kind !== 'message' && input.kind !== 'clientMessage') || seen.has(input.message)) continue;
      seen.add(input.message);
      for (const seal of definition.seals(input.message)) genuine.add(textOf(seal));
      const bytes = definition.encode(input.message);
      const name = `${input.kind}/${(input.message as { readonly kind?: string }).kind}/${Math.floor(Math.log2(bytes.length))}`;
      const kept = byClass.get(name) ?? [];
      byClass.set(name, kept);
      if (kept.length < PER_CLASS) kept.push({ kind: input.kind, message: input.message, bytes });
    }
  return { frames: [...byClass.values()].flat(), genuine };
}

/** Damaged words inside of a sound frame, as if the liar had said them; undefined where frames have no such inside. */
function saidBy(
  definition: ProtocolDefinition<object>,
  author: ReplicaId,
  { message }: Frame,
  damage: (bytes: Uint8Array) => Uint8Array,
): Uint8Array | undefined {
  const sealed = message as AttestedMessage<Content>;
  if (!('kind' in sealed) || !isSealed(sealed)) return undefined;
  const attestation = { ...sealed.attestation, replica: author };
  return definition.encode({ ...sealed, author, attestation, bytes: damage(sealed.bytes) });
}

/** The replica as it was after so many inputs, and the timers that it had armed. */
function relive({ definition }: Recording, life: Life, count: number) {
  let question = 0;
  const isExecuted = (): boolean => life.executed[question++] ?? false;
  const replica = definition.createReplica({ ...life.context, isExecuted });
  const timers = new Set<string>();
  let halted: string | undefined;
  const step = (input: Input<object>, now: Milliseconds): void => {
    for (const effect of replica.step(input, now)) {
      if (effect.kind === 'setTimer') timers.add(effect.timer);
      if (effect.kind === 'cancelTimer') timers.delete(effect.timer);
      if (effect.kind === 'halt') halted = effect.reason;
    }
  };
  for (const { input, now } of life.inputs.slice(0, count)) step(input, now);
  return { step, timers, halted: () => halted, now: life.inputs[count - 1]?.now ?? 0 };
}

/** What a liar's keys and its component let it say. */
class Liar {
  readonly id: ReplicaId;
  /** To whom it lies: this one gives no seals that it would not know of. */
  readonly #to: ReplicaId;
  readonly #genuine: ReadonlySet<string>;
  readonly #heard = new Set<string>();
  /** By counter or log and value of its component: the one word that was given. */
  readonly #given = new Map<string, string>();

  constructor(id: ReplicaId, to: ReplicaId, genuine: ReadonlySet<string>) {
    this.id = id;
    this.#to = to;
    this.#genuine = genuine;
  }

  /** Seals that the replica has met before. */
  hear(seals: readonly Seal[]): void {
    for (const seal of seals) this.#heard.add(textOf(seal));
    this.gives(seals);
  }

  /** Whether these seals can be; what they bind is bound from now on. */
  gives(seals: readonly Seal[]): boolean {
    const bound = new Map<string, string>();
    for (const seal of seals) {
      const by = authorOf(seal);
      if (seal.kind === 'host' && by === this.id) continue;
      const text = textOf(seal);
      const place = by === this.id ? placeOf(seal) : undefined;
      if (place === undefined) {
        if (!(by === this.#to ? this.#heard : this.#genuine).has(text)) return false;
      } else if ((this.#given.get(place) ?? bound.get(place) ?? text) !== text) return false;
      else bound.set(place, text);
    }
    for (const [place, text] of bound) this.#given.set(place, text);
    return true;
  }
}

function authorOf(seal: Seal): ReplicaId | undefined {
  if (seal.kind === 'host') return seal.replica;
  if (seal.kind === 'counter') return seal.ui.replica;
  return seal.kind === 'object' ? seal.attestation.replica : undefined;
}

/** Which value of which counter or log a seal is about. */
function placeOf(seal: Seal): string | undefined {
  if (seal.kind === 'counter') return `${seal.ui.tcEpoch}/${seal.ui.counter}`;
  if (seal.kind !== 'object') return undefined;
  const { tcEpoch, object, value, previous } = seal.attestation;
  return previous < value ? `${tcEpoch}/${object}/${value}` : undefined;
}

const memoryNow = (): number => {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

/** Shows `count` damaged frames to replicas of a recorded run, at points of their lives that are drawn. */
export function fuzzReplicas(recording: Recording, seed: number, count: number): ReplicaFuzzCounts {
  const { definition, lives, frames, genuine } = recording;
  const random = new Prng(seed);
  const others = frames.map(({ bytes }) => bytes);
  const escapes: string[] = [];
  let [shown, refused, taken] = [0, 0, 0];
  while (shown < count && escapes.length < ESCAPES_MAX) {
    const life = random.pick(lives);
    const { settings, domain, hash, self } = life.context;
    const context: DecodeContext = { settings, domain, hash };
    const peers = settings.members.map(({ id }) => id).filter((id) => id !== self);
    const liar = new Liar(random.pick(peers), self, genuine);
    const upTo = random.between(1, life.inputs.length);
    for (const { input } of life.inputs.slice(0, upTo))
      if (input.kind === 'message') liar.hear(definition.seals(input.message));
    const { step, timers, now, halted } = relive(recording, life, upTo);
    const before = memoryNow();
    const escape = (error: unknown, what: string): void => {
      escapes.push(`${definition.name}, ${what}: ${String((error as Error).stack ?? error).slice(0, 600)}`);
    };
    for (let index = 0; index < FRAMES_PER_POINT && shown < count; index += 1) {
      shown += 1;
      const frame = random.pick(frames);
      const { kind } = frame;
      const damage = (bytes: Uint8Array): Uint8Array => applySteps(bytes, drawSteps(random), others);
      const inside = random.chance(0.6) ? saidBy(definition, liar.id, frame, damage) : undefined;
      const damaged = inside ?? damage(frame.bytes);
      try {
        const message = definition.decode(damaged, context);
        if (message !== undefined && !equalBytes(definition.encode(message), damaged))
          escapes.push(`${definition.name} accepts two spellings: ${bytesToHex(damaged.subarray(0, 128))}`);
        if (message === undefined || !liar.gives(definition.seals(message))) refused += 1;
        else {
          taken += 1;
          const verified = markVerified(message);
          step(
            kind === 'message' ? { kind, from: liar.id, message: verified } : { kind, message: verified },
            now,
          );
        }
      } catch (error) {
        escape(error, bytesToHex(damaged.subarray(0, 128)));
      }
    }
    try {
      for (const timer of [...timers]) step({ kind: 'timeout', timer }, now + LATER_MS);
    } catch (error) {
      escape(error, 'timers');
    }
    if (halted() !== undefined) escapes.push(`${definition.name} was stopped: ${halted()}`);
    if (memoryNow() - before > MEMORY_BYTES_MAX) escapes.push(`${definition.name} took too much memory`);
  }
  return { frames: shown, refused, taken, escapes };
}

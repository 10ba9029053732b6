/**
 * Lies about what is said, told before anybody vouches for it: whatever leaves was given its word by the liar's own host
 * key or trusted component, which keep their rules.
 */
import type { Attestor } from '../../core/attestation.ts';
import type { Effect, Input, Replica } from '../../core/protocol.ts';
import type { Milliseconds, ReplicaId } from '../../core/types.ts';
import type { Content, EncodedContent, Sealed } from '../../smr/attested/sealed.ts';
import { SealedCodec } from '../../smr/attested/sealed.ts';
import { Inventor } from './inventor.ts';
import { OwnWords } from './own-words.ts';
import type { GenericLiarOptions } from './replica-lies.ts';
import type { Tongue } from './tongues.ts';
import { tongueOf } from './tongues.ts';

/** Between two inventions: more would be a flood, which is not what this lie is about. */
const INVENT_EVERY_MS = 1;
/** Tries until something came of one. */
const TRIES = 4;

/** Objects that it uses, at most: a component has a few hundred. */
const OBJECTS_MAX = 32;

type Message = Sealed<Content>;
type Attest = Extract<Effect<Message>, { kind: 'attest' }>;

/** What both lies have: own words, and something to say. */
class Mouth {
  readonly codec: SealedCodec<Content>;
  readonly words: OwnWords;
  readonly inventor: Inventor;
  /** By object of the own component: the highest value that was asked for here. */
  readonly #asked = new Map<string, number>();
  readonly #tongue: Tongue;
  readonly #options: GenericLiarOptions<Message>;

  constructor(options: GenericLiarOptions<Message>, tongue: Tongue) {
    const { self, n, random, decoding } = options;
    this.#options = options;
    this.#tongue = tongue;
    this.codec = new SealedCodec(decoding, tongue.options);
    this.words = new OwnWords(self, this.codec);
    const { kinds } = tongue.options;
    this.inventor = new Inventor({ self, n, codec: this.codec, kinds, random });
  }

  /** Who has to vouch for a content; undefined if nobody would. */
  attestorOf(content: Content): ReturnType<Tongue['attestorOf']> {
    const { words } = this;
    const by = this.#tongue.attestorOf(content, {
      n: this.#options.n,
      lastValue: (object) => words.lastValue(object),
    });
    if (by?.kind !== 'object') return by;
    // A host whose component cannot answer stops: no object has such a value, and a component has few objects.
    if (by.value < 1 || !Number.isSafeInteger(by.value)) return undefined;
    return this.#asked.has(by.object) || this.#asked.size < OBJECTS_MAX ? by : undefined;
  }

  /**
   * Whether an object has not spent the value, as far as it was asked from here; from now on it has. A component refuses what
   * is spent, and a host with a whole store that hears so takes it for the work of another, and stops.
   */
  spends(by: Attestor): boolean {
    if (by.kind !== 'object') return true;
    const { object, value, mode } = by;
    const last = Math.max(this.words.lastValue(object), this.#asked.get(object) ?? 0);
    if (mode === 'jump' ? value <= last : value !== last + 1) return false;
    this.#asked.set(object, value);
    return true;
  }

  /** Has a content vouched for, and then tells it to some. */
  say(content: Content, to: readonly ReplicaId[]): Effect<Message>[] {
    const by = this.attestorOf(content);
    return by === undefined || !this.spends(by) ? [] : this.words.say(content, by, to);
  }

  /** Lets the replica inside say what it wishes to say, unless the value for it is spent. */
  pass(effect: Attest): Effect<Message>[] {
    if (this.spends(effect.by)) return [this.words.pass(effect)];
    this.words.refuse(effect);
    return [];
  }

  /** Everybody else, in two parts, the second of which may be empty. */
  audiences(): readonly [readonly ReplicaId[], readonly ReplicaId[]] {
    const { n, self, random } = this.#options;
    const others = Array.from({ length: n }, (_, id) => id).filter((id) => id !== self);
    if (random.chance(0.5)) return [others, []];
    const half = others.filter(() => random.chance(0.5));
    return [half, others.filter((id) => !half.includes(id))];
  }
}

/** A replica whose inputs and effects pass through a mouth. */
abstract class Speaking implements Replica<Message> {
  protected readonly mouth: Mouth;
  readonly #inner: Replica<Message>;

  constructor(mouth: Mouth, inner: Replica<Message>) {
    this.mouth = mouth;
    this.#inner = inner;
  }

  /** What it wishes to have attested. */
  protected abstract onAttest(effect: Attest): Effect<Message>[];
  /** What it sends. */
  protected abstract onSend(
    effect: Extract<Effect<Message>, { kind: 'send' | 'broadcast' }>,
  ): Effect<Message>[];
  /** An own message has its word: what the replica inside is told. */
  protected onAnswer(answer: Extract<Input<Message>, { kind: 'attested' | 'refused' }>): Input<Message> {
    return answer;
  }
  /** After each input. */
  protected onStepped(_input: Input<Message>, _now: Milliseconds): Effect<Message>[] {
    return [];
  }

  step(input: Input<Message>, now: Milliseconds): readonly Effect<Message>[] {
    if (input.kind === 'message') this.note(input.message);
    if (input.kind === 'start')
      return this.#pass({ ...input, recovery: this.mouth.words.restore(input.recovery) }, now);
    // The answer to an execution comes before anything else.
    if (input.kind === 'executed') return this.#pass(input, now);
    const effects = this.mouth.words.refusals().flatMap((refusal) => this.#pass(refusal, now));
    return [...effects, ...this.#take(input, now)];
  }

  #take(input: Input<Message>, now: Milliseconds): Effect<Message>[] {
    if (input.kind !== 'attested' && input.kind !== 'refused') return this.#pass(input, now);
    const heard = this.mouth.words.hear(input);
    if (heard === undefined) return [];
    if ('kind' in heard) return this.#pass(this.onAnswer(heard), now);
    return heard.to.map((to) => ({ kind: 'send', to, message: heard.message }));
  }

  inspect(now: Milliseconds): ReturnType<Replica<Message>['inspect']> {
    return this.#inner.inspect(now);
  }

  protected note(message: Message): void {
    if ('content' in message) this.mouth.inventor.note(message);
  }

  #pass(input: Input<Message>, now: Milliseconds): Effect<Message>[] {
    const effects: Effect<Message>[] = [];
    for (const effect of this.#stepInside(input, now)) {
      if (effect.kind === 'attest') effects.push(...this.onAttest(effect));
      else if (effect.kind === 'trimAttested') effects.push(...this.mouth.words.trim(effect.below));
      else if (effect.kind === 'send' || effect.kind === 'broadcast') {
        this.note(effect.message);
        effects.push(...this.onSend(effect));
      } else effects.push(effect);
    }
    effects.push(...this.onStepped(input, now));
    return effects;
  }

  #stepInside(input: Input<Message>, now: Milliseconds): readonly Effect<Message>[] {
    try {
      return this.#inner.step(input, now);
    } catch {
      // Words that were never its own may break a correct replica; this one goes on as if nothing had happened.
      return [];
    }
  }
}

/** Says messages of its own invention beside what its replica says. */
class Inventing extends Speaking {
  readonly #options: GenericLiarOptions<Message>;
  readonly #share: number;
  #nextMs = 0;

  constructor(options: GenericLiarOptions<Message>, mouth: Mouth, inner: Replica<Message>) {
    super(mouth, inner);
    this.#options = options;
    this.#share = options.random.pick([0.05, 0.2, 0.6]);
  }

  protected override onAttest(effect: Attest): Effect<Message>[] {
    return this.mouth.pass(effect);
  }

  protected override onSend(effect: Effect<Message>): Effect<Message>[] {
    return [effect];
  }

  protected override onStepped(input: Input<Message>, now: Milliseconds): Effect<Message>[] {
    const isTurn = input.kind === 'message' || input.kind === 'timeout' || input.kind === 'attested';
    if (!isTurn || now < this.#nextMs || !this.#options.random.chance(this.#share)) return [];
    this.#nextMs = now + INVENT_EVERY_MS;
    const { inventor } = this.mouth;
    let content = inventor.compose();
    for (let tries = 1; content === undefined && tries < TRIES; tries += 1) content = inventor.compose();
    if (content === undefined) return [];
    const [some, rest] = this.mouth.audiences();
    const other = rest.length === 0 ? undefined : inventor.change(content);
    const effects = this.mouth.say(content, some);
    return other === undefined ? effects : [...effects, ...this.mouth.say(other, rest)];
  }
}

/** What was said in the place of an own message. */
interface Forged {
  readonly content: Content;
  readonly encoded: EncodedContent;
  attestation: Message['attestation'] | undefined;
}

/** Own messages of which something else was vouched for, at most. */
const FORGED_MAX = 256;

/** Changes what its replica is about to say, for all or for some. */
class Forging extends Speaking {
  readonly #options: GenericLiarOptions<Message>;
  readonly #share: number;
  /** By number of the replica inside; and by the digest of what it believes to have said. */
  readonly #byNumber = new Map<number, Forged>();
  readonly #byDigest = new Map<string, Forged>();
  /** By digest: who is not told of an own message. */
  readonly #hidden = new Map<string, readonly ReplicaId[]>();

  constructor(options: GenericLiarOptions<Message>, mouth: Mouth, inner: Replica<Message>) {
    super(mouth, inner);
    this.#options = options;
    this.#share = options.random.pick([0.03, 0.1, 0.3]);
  }

  protected override onAttest(effect: Attest): Effect<Message>[] {
    const { mouth } = this;
    const { random, self } = this.#options;
    const content = random.chance(this.#share) ? mouth.codec.decodeContent(effect.draft) : undefined;
    const other = content && mouth.inventor.change(content);
    const by = other && mouth.attestorOf(other);
    if (other === undefined || by === undefined || this.#byNumber.size >= FORGED_MAX)
      return mouth.pass(effect);
    if (by.kind !== 'object' && random.chance(0.6)) {
      const [some, rest] = mouth.audiences();
      this.#hidden.set(effect.digest, some);
      return [...mouth.pass(effect), ...(rest.length === 0 ? [] : mouth.words.say(other, by, some))];
    }
    if (!mouth.spends(by)) return mouth.pass(effect);
    const encoded = mouth.codec.encodeContent(self, other);
    const forged: Forged = { content: other, encoded, attestation: undefined };
    this.#byNumber.set(effect.id, forged);
    this.#byDigest.set(effect.digest, forged);
    return [{ ...mouth.words.pass(effect), digest: encoded.digest, draft: encoded.bytes, by }];
  }

  protected override onAnswer(answer: Parameters<Speaking['onAnswer']>[0]): Input<Message> {
    const forged = this.#byNumber.get(answer.id);
    if (forged !== undefined && answer.kind === 'attested') forged.attestation = answer.attestation;
    return answer;
  }

  protected override onSend(
    effect: Extract<Effect<Message>, { kind: 'send' | 'broadcast' }>,
  ): Effect<Message>[] {
    const { self, n } = this.#options;
    const { message } = effect;
    const forged = this.#byDigest.get(message.digest);
    if (forged?.attestation !== undefined) {
      const { content, encoded, attestation } = forged;
      return [
        { ...effect, message: this.mouth.codec.complete(message.id, self, content, encoded, attestation) },
      ];
    }
    const hidden = this.#hidden.get(message.digest);
    if (hidden === undefined) return [effect];
    if (effect.kind === 'send') return hidden.includes(effect.to) ? [] : [effect];
    const told = Array.from({ length: n }, (_, id) => id).filter((id) => id !== self && !hidden.includes(id));
    return told.map((to) => ({ kind: 'send', to, message }));
  }
}

type Maker = <M extends object>(options: GenericLiarOptions<M>, inner: Replica<M>) => Replica<M>;

/** A lie for protocols whose messages it can read; others stay as they are. */
function speaking(
  make: (options: GenericLiarOptions<Message>, mouth: Mouth, inner: Replica<Message>) => Replica<Message>,
): Maker {
  return <M extends object>(options: GenericLiarOptions<M>, inner: Replica<M>): Replica<M> => {
    const tongue = tongueOf(options.definition.name);
    if (tongue === undefined) return inner;
    const known = options as unknown as GenericLiarOptions<Message>;
    const made = make(known, new Mouth(known, tongue), inner as unknown as Replica<Message>);
    return made as unknown as Replica<M>;
  };
}

/** Lie `invent`. */
export const inventing = speaking((options, mouth, inner) => new Inventing(options, mouth, inner));
/** Lie `forge`. */
export const forging = speaking((options, mouth, inner) => new Forging(options, mouth, inner));

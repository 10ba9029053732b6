/**
 * Own words of a liar beside those of the correct replica that it wraps: what is said is made durable and vouched for by
 * its own host key or trusted component, as the host does it for any message; the replica inside counts its own messages
 * as if there were no others.
 */
import type { Attestation, AttestedDraft, Attestor } from '../../core/attestation.ts';
import type { Effect, Input, Recovery } from '../../core/protocol.ts';
import type { CounterValue, ReplicaId } from '../../core/types.ts';
import type { Content, EncodedContent, Sealed, SealedCodec } from '../../smr/attested/sealed.ts';

/** Durable mark of a message that the replica inside knows nothing of, by its number. */
const MARK = 'invented/';
/** Numbers that tell a peer that this is another message than all those of the replica inside. */
const NUMBERS = 2 ** 30;
/** Messages that wait for their word, at most. */
const OPEN_MAX = 64;

type Attest = Extract<Effect<never>, { kind: 'attest' }>;
type Answer = Extract<Input<never>, { kind: 'attested' | 'refused' }>;

/** A message that waits for its word. */
interface Open {
  readonly content: Content;
  readonly encoded: EncodedContent;
  readonly to: readonly ReplicaId[];
}

/** An own message that has its word, and who is to be told. */
export interface Spoken {
  readonly message: Sealed<Content>;
  readonly to: readonly ReplicaId[];
}

/** See the top of this file. */
export class OwnWords {
  readonly #self: ReplicaId;
  readonly #codec: SealedCodec<Content>;
  #next = 1;
  #said = 0;
  /** By number for the host: what waits. */
  readonly #open = new Map<number, Open>();
  /** Numbers of messages of the replica inside: for the host, and for itself; ascending. */
  #inside: { readonly outer: number; readonly inner: number }[] = [];
  /** Messages of the replica inside that wait for their answer, in order; without a number for the host: it is not asked. */
  #waiting: { readonly outer: number | undefined; readonly inner: number }[] = [];
  #marks: number[] = [];
  /** By object of the component: the value that it last gave. */
  readonly #values = new Map<string, CounterValue>();

  constructor(self: ReplicaId, codec: SealedCodec<Content>) {
    this.#self = self;
    this.#codec = codec;
  }

  /** Value that an object of the component last gave, as far as it was asked from here. */
  lastValue(object: string): CounterValue {
    return this.#values.get(object) ?? 0;
  }

  /** What the replica inside is told of its last stop: nothing of what it never said. */
  restore(recovery: Recovery): Recovery {
    const { attested = [], attestedThrough = 0, stored } = recovery;
    for (const { attestation } of attested) this.#note(attestation);
    this.#next = Math.max(attestedThrough, attested.at(-1)?.id ?? 0) + 1;
    this.#marks = attested.map(({ id }) => id).filter((id) => stored.has(MARK + String(id)));
    const own = attested.filter(({ id }) => !this.#marks.includes(id));
    this.#waiting = [];
    this.#inside = own.map(({ id }: AttestedDraft) => ({ outer: id, inner: id }));
    return { ...recovery, attested: own };
  }

  /** A wish of the replica inside, as the host wants it numbered. */
  pass(effect: Attest): Attest {
    const outer = this.#next;
    this.#next += 1;
    this.#inside.push({ outer, inner: effect.id });
    this.#waiting.push({ outer, inner: effect.id });
    return { ...effect, id: outer };
  }

  /** A wish of the replica inside that the host is not asked: it is refused when its turn comes. */
  refuse(effect: Attest): void {
    this.#waiting.push({ outer: undefined, inner: effect.id });
  }

  /** Refusals whose turn has come. */
  refusals(): Answer[] {
    const due: Answer[] = [];
    while (this.#waiting.length > 0 && this.#waiting[0]!.outer === undefined)
      due.push({ kind: 'refused', id: this.#waiting.shift()!.inner });
    return due;
  }

  /** What may go, in the host's numbers, when the replica inside needs nothing below `below` any more. */
  trim(below: number): Effect<never>[] {
    const outer = this.#inside.find(({ inner }) => inner >= below)?.outer ?? this.#next;
    this.#inside = this.#inside.filter((one) => one.outer >= outer);
    const past = this.#marks.filter((id) => id < outer);
    this.#marks = this.#marks.filter((id) => id >= outer);
    const entries = past.map((id) => ({ key: MARK + String(id), value: undefined }));
    const trimmed = { kind: 'trimAttested', below: outer } as const;
    return entries.length === 0 ? [trimmed] : [trimmed, { kind: 'store', entries }];
  }

  /** Says something that the replica inside knows nothing of; links need nobody's word. */
  say(content: Content, by: Attestor, to: readonly ReplicaId[]): Effect<Sealed<Content>>[] {
    const encoded = this.#codec.encodeContent(this.#self, content);
    if (by.kind === 'link') {
      const { message } = this.#told({ content, encoded, to }, { kind: 'link', replica: this.#self });
      return to.map((one) => ({ kind: 'send', to: one, message }));
    }
    if (this.#open.size >= OPEN_MAX) return [];
    const id = this.#next;
    this.#next += 1;
    this.#open.set(id, { content, encoded, to });
    this.#marks.push(id);
    const { digest, bytes: draft } = encoded;
    return [
      { kind: 'store', entries: [{ key: MARK + String(id), value: new Uint8Array(1) }] },
      { kind: 'attest', id, digest, draft, by },
    ];
  }

  /** The host answers: a message of the liar's own that may leave now, or an answer for the replica inside. */
  hear(answer: Answer): Spoken | Answer | undefined {
    if (answer.kind === 'attested') this.#note(answer.attestation);
    const open = this.#open.get(answer.id);
    if (open !== undefined) {
      this.#open.delete(answer.id);
      return answer.kind === 'attested' ? this.#told(open, answer.attestation) : undefined;
    }
    const first = this.#waiting.shift();
    return first?.outer === answer.id ? { ...answer, id: first.inner } : undefined;
  }

  #told({ content, encoded, to }: Open, attestation: Attestation): Spoken {
    this.#said += 1;
    const id = NUMBERS + this.#said;
    return { message: this.#codec.complete(id, this.#self, content, encoded, attestation), to };
  }

  #note(attestation: Attestation): void {
    if (attestation.kind === 'object') this.#values.set(attestation.object, attestation.value);
  }
}

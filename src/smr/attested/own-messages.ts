/**
 * Own messages: what is wished for is encoded and handed to the host, in order; what comes back attested is kept for
 * those that missed it until nobody needs it any more.
 */
import { assert } from '../../core/assert.ts';
import type { Attestation, AttestedDraft, Attestor } from '../../core/attestation.ts';
import type { Digest, Milliseconds, ReplicaId } from '../../core/types.ts';
import type { Desk } from './desk.ts';
import type { AttestedMessage, Content, EncodedContent, Sealed, SealedCodec } from './sealed.ts';

/** Refused messages that are told of at once, at most. */
const HOLES_MAX = 1_024;

/** One kept message, and since when. */
export interface Kept<C extends Content> {
  readonly message: Sealed<C>;
  readonly at: Milliseconds;
}

interface Outstanding<C extends Content> {
  readonly id: number;
  readonly content: C;
  readonly encoded: EncodedContent;
}

/** See the top of this file. */
export class OwnMessages<C extends Content> {
  readonly #desk: Desk<AttestedMessage<C>>;
  readonly #codec: SealedCodec<C>;
  readonly #self: ReplicaId;
  /** Handed out, not attested yet; in order. */
  readonly #outstanding: Outstanding<C>[] = [];
  /** By number, ascending. */
  #kept: Kept<C>[] = [];
  #next = 1;
  #first = 1;

  constructor(desk: Desk<AttestedMessage<C>>, codec: SealedCodec<C>) {
    this.#desk = desk;
    this.#codec = codec;
    this.#self = desk.self;
  }

  /** Number of the oldest message that is kept, or of the next one. */
  get first(): number {
    return this.#first;
  }

  /** Number of the newest message that was attested; 0 if there is none. */
  get last(): number {
    return this.#next - this.#outstanding.length - 1;
  }

  /** Messages that are kept or on their way. */
  get size(): number {
    return this.#kept.length + this.#outstanding.length;
  }

  /** Asks for a word on a content. What it rests on was stored before. */
  say(content: C, by: Attestor): void {
    const encoded = this.#codec.encodeContent(this.#self, content);
    const id = this.#next;
    this.#next += 1;
    this.#outstanding.push({ id, content, encoded });
    this.#desk.emit({ kind: 'attest', id, digest: encoded.digest, draft: encoded.bytes, by });
  }

  /** The word was given: the message is durable and may leave. */
  complete(id: number, attestation: Attestation): Sealed<C> {
    // What is left out was refused: the component had spent the value on something that this store has lost.
    while (this.#outstanding.length > 0 && this.#outstanding[0]!.id < id) this.#outstanding.shift();
    const outstanding = this.#outstanding.shift();
    assert(outstanding?.id === id, 'own messages are attested in order');
    const { content, encoded } = outstanding;
    const message = this.#codec.complete(id, this.#self, content, encoded, attestation);
    this.#kept.push({ message, at: this.#desk.now });
    return message;
  }

  /** Takes back what was attested before a restart; gives the messages in order. */
  restore(drafts: readonly AttestedDraft[], through = 0): Sealed<C>[] {
    const messages: Sealed<C>[] = [];
    for (const { id, digest, draft, attestation } of drafts) {
      const content = this.#codec.decodeContent(draft);
      if (content === undefined) continue;
      const encoded = { bytes: draft, digest };
      const message = this.#codec.complete(id, this.#self, content, encoded, attestation);
      messages.push(message);
      this.#kept.push({ message, at: this.#desk.now });
      this.#next = id + 1;
    }
    // Numbers of refused messages are spent, too.
    this.#next = Math.max(this.#next, through + 1);
    this.#first = messages[0]?.id ?? this.#next;
    return messages;
  }

  /** Forgets messages that nobody needs: from the oldest on, up to the first that somebody may. */
  trim(isObsolete: (message: Sealed<C>) => boolean): void {
    let count = 0;
    // The newest one stays, so that numbers go on after a restart.
    while (count < this.#kept.length - 1 && isObsolete(this.#kept[count]!.message)) count += 1;
    if (count === 0) return;
    this.#kept = this.#kept.slice(count);
    this.#first = this.#kept[0]?.message.id ?? this.last + 1;
    this.#desk.emit({ kind: 'trimAttested', below: this.#first });
  }

  /** Whether this is a message that is kept. */
  has(digest: Digest): boolean {
    return this.#kept.some(({ message }) => message.digest === digest);
  }

  /** Kept messages with a number above `id`. */
  after(id: number): readonly Kept<C>[] {
    if (id < this.#first) return this.#kept;
    const from = this.#kept.findIndex(({ message }) => message.id > id);
    return from < 0 ? [] : this.#kept.slice(from);
  }

  /** Numbers above `id` that no message has: its component refused. */
  holesAfter(id: number): number[] {
    const holes: number[] = [];
    let next = Math.max(id + 1, this.#first);
    for (const { message } of this.after(id)) {
      for (; next < message.id && holes.length < HOLES_MAX; next += 1) holes.push(next);
      next = message.id + 1;
    }
    return holes;
  }
}

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
  readonly by: Attestor;
  readonly since: Milliseconds;
}

/** Why a replica whose own log is damaged stops, and what to do. */
export const OWN_LOG_DAMAGED =
  'an own message in the store cannot be read any more: this replica could say something else than before. Wipe its store ' +
  '(never its keys) and start it again.';

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

  /** The oldest message that nobody has vouched for yet: who is to, and since when. */
  get awaited(): { readonly by: Attestor; readonly since: Milliseconds } | undefined {
    return this.#outstanding[0];
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
    this.#outstanding.push({ id, content, encoded, by, since: this.#desk.now });
    this.#desk.emit({ kind: 'attest', id, digest: encoded.digest, draft: encoded.bytes, by });
  }

  /** The word was given: the message is durable and may leave. */
  complete(id: number, attestation: Attestation): Sealed<C> {
    const outstanding = this.#outstanding.shift();
    assert(outstanding?.id === id, 'own messages are attested in order');
    const { content, encoded } = outstanding;
    const message = this.#codec.complete(id, this.#self, content, encoded, attestation);
    this.#kept.push({ message, at: this.#desk.now });
    return message;
  }

  /** The word was refused: nobody will ever hear the message. Gives what it would have said. */
  drop(id: number): C {
    const outstanding = this.#outstanding.shift();
    assert(outstanding?.id === id, 'own messages are attested or refused in order');
    return outstanding.content;
  }

  /** Takes back what was attested before a restart; gives the messages in order, undefined if one is damaged. */
  restore(drafts: readonly AttestedDraft[], through = 0): Sealed<C>[] | undefined {
    const messages: Sealed<C>[] = [];
    for (const { id, digest, draft, attestation } of drafts) {
      const content = this.#codec.decodeContent(draft);
      if (content === undefined) return undefined;
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

  /** Forgets messages that nobody needs. The newest one stays, so that numbers go on after a restart. */
  trim(isObsolete: (message: Sealed<C>) => boolean): void {
    const newest = this.#kept.at(-1);
    const needed = this.#kept.filter((kept) => kept === newest || !isObsolete(kept.message));
    if (needed.length === this.#kept.length) return;
    this.#kept = needed;
    const first = needed[0]?.message.id ?? this.last + 1;
    // The store forgets from the oldest on; here those in between may go, too: peers are told to skip their numbers.
    if (first !== this.#first) this.#desk.emit({ kind: 'trimAttested', below: first });
    this.#first = first;
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

  /** Numbers above `id` that no message has: its component refused, or nobody needs it any more. */
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

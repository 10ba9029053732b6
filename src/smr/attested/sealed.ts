/**
 * Messages of protocols whose replicas attest each message by itself: content, and the word that somebody gave for it.
 * One codec serves all of them; a protocol says how the fields of its kinds are written and which messages they quote.
 */
import type { Attestation, ObjectAttestation } from '../../core/attestation.ts';
import { decodeWhole, Reader, Writer } from '../../core/codec.ts';
import { windowOf } from '../../core/config.ts';
import type { Domain } from '../../core/domain.ts';
import { domainTag, domainWriter, finishDigest } from '../../core/domain.ts';
import { finishPiece } from '../../core/pieces.ts';
import type { DecodeContext, Seal } from '../../core/protocol.ts';
import type { Digest, Hash, ReplicaId, SequenceNumber, View } from '../../core/types.ts';

/** What a message says; `kind` as in the paper, in capitals. */
export interface Content {
  readonly kind: string;
}

/** A message with the word given for it. */
export interface Sealed<C extends Content> {
  readonly kind: C['kind'];
  /**
   * The author's own number of it, for retransmission; no seal covers it. 0: told once, never sent again. Equal digests
   * of one author are the same message.
   */
  readonly id: number;
  readonly author: ReplicaId;
  readonly content: C;
  readonly digest: Digest;
  readonly attestation: Attestation;
  /** Canonical bytes of the content. */
  readonly bytes: Uint8Array;
}

/** What a replica has, for its peers; authentic by the link. */
export interface Status {
  readonly kind: 'STATUS';
  /** Of the author's store: another one after it was lost, and own messages are counted anew then. */
  readonly life: number;
  readonly view: View;
  readonly changing: boolean;
  readonly executed: SequenceNumber;
  readonly stable: SequenceNumber;
  /** Number of the oldest own message that is still kept. */
  readonly first: number;
  /** By replica: every message of it up to this number has been taken in. */
  readonly received: readonly number[];
  /** Numbers of own messages that were not meant for the receiver of this status. */
  readonly skipped: readonly number[];
}

/** Messages of others, passed on because they show something to a replica that lacks it. */
export interface Proof<C extends Content> {
  readonly kind: 'PROOF';
  readonly messages: readonly Sealed<C>[];
}

/** Everything that travels between replicas of such a protocol. */
export type AttestedMessage<C extends Content> = Sealed<C> | Status | Proof<C>;

/** Whether a message is sealed; the other kinds are authentic by their link alone. */
export function isSealed<C extends Content>(message: AttestedMessage<C>): message is Sealed<C> {
  return 'content' in message;
}

/** Whether a message is of this kind; narrows its content. */
export function isOf<C extends Content, K extends C['kind']>(
  message: Sealed<C> | undefined,
  kind: K,
): message is Sealed<Extract<C, { readonly kind: K }>> {
  return message?.content.kind === kind;
}

/** What a codec is made of. */
export interface SealedCodecOptions<C extends Content> {
  /** Name of the protocol, part of every digest (decision B6). */
  readonly protocol: string;
  /** All kinds; the position is the tag on the wire. */
  readonly kinds: readonly C['kind'][];
  write(writer: Writer, content: C, codec: SealedCodec<C>): void;
  /** Fields of one kind; `reader.fail()` for what is not allowed. */
  read(kind: C['kind'], reader: Reader, codec: SealedCodec<C>): C;
  /** Kinds whose digest is the same whoever says it; the word given for them names who does. */
  readonly impersonal?: readonly C['kind'][];
  /** Messages inside a content whose seals must hold, too. */
  quoted?(content: C): readonly Sealed<C>[];
}

/** Bytes of one message, at most: VIEW-CHANGEs and NEW-VIEWs quote many. */
const MESSAGE_BYTES_MAX = 32 * 1024 * 1024;
const MEMBERS_MAX = 1_024;
const WINDOW_MAX = 8_192;
/** Numbers in one STATUS that were not meant for its receiver, at most. */
export const SKIPPED_MAX = 4_096;
/** Messages inside messages inside messages: none has more layers than this, and a liar's shall not fill the stack. */
const QUOTE_DEPTH_MAX = 8;
/** Entries of chains that say nothing of orders (BARRIERs of views that came to nothing), at most. */
export const BARRIERS_MAX = 16_384;
/** Messages in one stored list, at most. */
const STORED_MESSAGES_MAX = 4_096;

const TOP = { status: 0, proof: 1, sealed: 2 } as const;
const BY = ['link', 'host', 'object'] as const;
const MODES = ['counter', 'log'] as const;
const NO_BYTES = new Uint8Array(0);

/** Bytes and digest of a content, before anybody vouched for it. */
export interface EncodedContent {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
}

/** See the top of this file. */
export class SealedCodec<C extends Content> {
  readonly hash: Hash;
  readonly domain: Domain;
  /** Replicas of the cluster: what quotes one word of each is no longer, so nobody makes others check more seals. */
  readonly members: number;
  /** Sequence numbers of a window: what tells of each is no longer. */
  readonly window: number;
  readonly #options: SealedCodecOptions<C>;
  /** How deep the message that is being read lies inside others. */
  #depth = 0;
  /** How many messages may still be read out of the frame that is being read. */
  #left = Infinity;

  constructor(
    context: Pick<DecodeContext, 'hash' | 'domain'> & Partial<Pick<DecodeContext, 'settings'>>,
    options: SealedCodecOptions<C>,
  ) {
    this.hash = context.hash;
    this.domain = context.domain;
    this.members = context.settings?.members.length ?? MEMBERS_MAX;
    this.window = context.settings === undefined ? WINDOW_MAX : windowOf(context.settings.limits);
    this.#options = options;
  }

  /** What one PROOF shows at most: orders of a window, or what leads into a view with one word of each before it. */
  get #proofMax(): number {
    return 2 * (this.window + this.members);
  }

  /**
   * Messages in one frame, those inside others included: a NEW-VIEW that quotes as much as any protocol lets it. Each costs
   * a hash of it and the check of a seal.
   */
  get sealedMax(): number {
    const { members, window } = this;
    const viewChange = 3 * members + (members + 2) * window + BARRIERS_MAX;
    return members * (1 + viewChange) + this.#proofMax;
  }

  /** Canonical bytes and digest of a content by an author. */
  encodeContent(author: ReplicaId, content: C): EncodedContent {
    const { kinds, write } = this.#options;
    const writer = new Writer(256).u8(kinds.indexOf(content.kind));
    write(writer, content, this);
    const bytes = finishPiece(writer);
    return { bytes, digest: this.#digest(author, content.kind, bytes) };
  }

  #digest(author: ReplicaId, kind: string, bytes: Uint8Array): Digest {
    const writer = domainWriter(domainTag(this.#options.protocol, kind), this.domain);
    if (this.#options.impersonal?.includes(kind) !== true) writer.u32(author);
    return finishDigest(this.hash, writer.raw(bytes));
  }

  /** The message that a word makes of a content. */
  complete<D extends C>(
    id: number,
    author: ReplicaId,
    content: D,
    encoded: EncodedContent,
    attestation: Attestation,
  ): Sealed<D> {
    return { kind: content.kind, id, author, content, ...encoded, attestation };
  }

  /** Reads a content back (own log, quoted messages); undefined unless canonical. */
  decodeContent(bytes: Uint8Array): C | undefined {
    const content = decodeWhole(bytes, (reader) => this.#readContent(reader));
    return content === undefined || content === null ? undefined : content;
  }

  #readContent(reader: Reader): C | null {
    const kind = this.#options.kinds[reader.u8()];
    if (kind !== undefined) return this.#options.read(kind, reader, this);
    reader.fail();
    return null;
  }

  /** Writes a sealed message inside another one. */
  readonly writeSealed = (writer: Writer, message: Sealed<C>): void => {
    writer.u64(message.id).u32(message.author).bytes(message.bytes);
    writeAttestation(writer, message.attestation);
  };

  /** Reads what `writeSealed` wrote; fails the reader unless it is canonical. */
  readonly readSealed = (reader: Reader): Sealed<C> => {
    const id = reader.u64();
    const author = reader.u32();
    // A copy: what is kept of a message must not keep the whole frame that it came in.
    const bytes = reader.bytes(MESSAGE_BYTES_MAX).slice();
    const attestation = readAttestation(reader, author);
    this.#depth += 1;
    this.#left -= 1;
    const isReadable = !reader.failed && this.#depth <= QUOTE_DEPTH_MAX && this.#left >= 0;
    const content = isReadable ? this.decodeContent(bytes) : undefined;
    this.#depth -= 1;
    if (content === undefined) {
      reader.fail();
      return { id: 0 } as Sealed<C>;
    }
    const digest = this.#digest(author, content.kind, bytes);
    return { kind: content.kind, id, author, content, digest, attestation, bytes };
  };

  /** Bytes of a message for a link. */
  encode(message: AttestedMessage<C>): Uint8Array {
    if (isSealed(message)) {
      const writer = new Writer(message.bytes.length + 160).u8(TOP.sealed);
      this.writeSealed(writer, message);
      return finishPiece(writer);
    }
    if (message.kind === 'PROOF')
      return new Writer(1024)
        .u8(TOP.proof)
        .list((message as Proof<C>).messages, this.writeSealed)
        .finish();
    const { life, view, changing, executed, stable, first, received, skipped } = message as Status;
    const writer = new Writer(128)
      .u8(TOP.status)
      .u64(life)
      .u64(view)
      .bool(changing)
      .u64(executed)
      .u64(stable);
    return writer
      .u64(first)
      .list(received, (w, number) => w.u64(number))
      .list(skipped, (w, number) => w.u64(number))
      .finish();
  }

  /** The message, or undefined if the bytes are not exactly one canonical, bounded message. */
  decode(bytes: Uint8Array): AttestedMessage<C> | undefined {
    if (bytes.length > MESSAGE_BYTES_MAX) return undefined;
    this.#left = this.sealedMax;
    const message = decodeWhole(bytes, (reader): AttestedMessage<C> | undefined => {
      switch (reader.u8()) {
        case TOP.sealed:
          return this.readSealed(reader);
        case TOP.proof:
          return { kind: 'PROOF', messages: reader.list(this.#proofMax, this.readSealed) };
        case TOP.status:
          return readStatus(reader, this.members);
        default:
          reader.fail();
          return undefined;
      }
    });
    this.#left = Infinity;
    return message;
  }

  /** All seals in a message, those of quoted messages included. */
  seals(message: AttestedMessage<C>): Seal[] {
    const seals: Seal[] = [];
    if (isSealed(message)) this.#collect(message, seals);
    else if (message.kind === 'PROOF')
      for (const one of (message as Proof<C>).messages) this.#collect(one, seals);
    return seals;
  }

  #collect(message: Sealed<C>, seals: Seal[]): void {
    const { attestation, digest, content } = message;
    if (attestation.kind === 'host')
      seals.push({ kind: 'host', replica: attestation.replica, digest, signature: attestation.signature });
    if (attestation.kind === 'object') seals.push({ kind: 'object', attestation, digest });
    for (const quoted of this.#options.quoted?.(content) ?? []) this.#collect(quoted, seals);
  }

  /** Bytes of a list of messages, for the durable map. */
  encodeList(messages: readonly Sealed<C>[]): Uint8Array {
    return finishPiece(new Writer(1024).list(messages, this.writeSealed));
  }

  /** What `encodeList` wrote; undefined if damaged. */
  decodeList(bytes: Uint8Array): Sealed<C>[] | undefined {
    return decodeWhole(bytes, (reader) => reader.list(STORED_MESSAGES_MAX, this.readSealed));
  }
}

function readStatus(reader: Reader, members: number): Status {
  return {
    kind: 'STATUS',
    life: reader.u64(),
    view: reader.u64(),
    changing: reader.bool(),
    executed: reader.u64(),
    stable: reader.u64(),
    first: reader.u64(),
    received: reader.list(members, (r) => r.u64()),
    skipped: reader.list(SKIPPED_MAX, (r) => r.u64()),
  };
}

function writeAttestation(writer: Writer, attestation: Attestation): void {
  writer.u8(BY.indexOf(attestation.kind));
  if (attestation.kind === 'host') writer.bytes(attestation.signature);
  if (attestation.kind !== 'object') return;
  const { tcEpoch, object, form, previous, value, history, strict = false, authenticator } = attestation;
  writer.tcEpoch(tcEpoch).ascii(object).u8(MODES.indexOf(form)).u64(previous).u64(value);
  writer
    .option(history, (w, digest) => w.digest(digest))
    .bool(strict)
    .bytes(authenticator);
}

function readAttestation(reader: Reader, replica: ReplicaId): Attestation {
  const kind = BY[reader.u8()];
  if (kind === 'link') return { kind, replica };
  if (kind === 'host') return { kind, replica, signature: reader.bytes(64).slice() };
  if (kind === undefined) reader.fail();
  const tcEpoch = reader.tcEpoch();
  const object = reader.ascii(16);
  const form = MODES[reader.u8()];
  if (form === undefined) reader.fail();
  const attestation: ObjectAttestation = {
    kind: 'object',
    replica,
    tcEpoch,
    object,
    form: form ?? 'counter',
    previous: reader.u64(),
    value: reader.u64(),
    authenticator: NO_BYTES,
  };
  const history = reader.option((r) => r.digest());
  const strict = reader.bool();
  const authenticator = reader.bytes(64).slice();
  const word = { ...attestation, authenticator, ...(strict ? { strict } : {}) };
  return history === undefined ? word : { ...word, history };
}

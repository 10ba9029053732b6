/**
 * Messages that protocols on chains of slots share: checkpoints and the view change. What replicas say about orders is
 * the protocol's own, `P`; its votes carry rising slots of one trusted log or counter, the *chain*, and whoever leaves a
 * view shows the whole of it.
 */
import type { Reader, Writer } from '../../core/codec.ts';
import type { Digest, SequenceNumber, View } from '../../core/types.ts';
import type { Checkpoint } from '../attested/checkpoint.ts';
import { readCheckpoint, writeCheckpoint } from '../attested/checkpoint.ts';
import type { Sealed, SealedCodec, SealedCodecOptions } from '../attested/sealed.ts';
import { BARRIERS_MAX } from '../attested/sealed.ts';
import type { UpdateContent } from '../passive/messages.ts';
import { hasSlot, VIEW_END } from './slots.ts';

/** What a protocol may say about orders: what it attests of them, and what it tells of their execution. */
export interface OrderContent {
  readonly kind: 'PRE-PREPARE' | 'PREPARE' | 'COMMIT' | UpdateContent['kind'];
  readonly sequence: SequenceNumber;
}

/** A replica would like to have `view`; it goes on working where it is. */
export interface RequestViewChange {
  readonly kind: 'REQ-VIEW-CHANGE';
  readonly view: View;
}

/** Takes slot(view, 0) of the own chain: from now on nothing can be said in older views. Told to nobody by itself. */
export interface Barrier {
  readonly kind: 'BARRIER';
  readonly view: View;
}

/** What a view starts with. */
export interface Terms {
  readonly view: View;
  /** hNV: up to here everything is covered by a stable checkpoint. */
  readonly base: SequenceNumber;
  /** O: digests of the batches of base+1, base+2, and so on. */
  readonly orders: readonly Digest[];
  /** A number that the protocol hands on from view to view; 0 if it has none. */
  readonly carried: number;
}

/** That a view was entered: equal NV-ACKs of a quorum (f+1) for its terms. */
export interface ViewProof<P extends OrderContent> {
  readonly terms: Terms;
  readonly acks: readonly Sealed<ChainContent<P>>[];
}

/** One slot of a chain, with what shows that its author was entitled to it. */
export interface ChainEntry<P extends OrderContent> {
  readonly message: Sealed<ChainContent<P>>;
  readonly proof: readonly Sealed<ChainContent<P>>[];
}

/** A replica has left for `view` and shows everything that it may have contributed to. */
export interface ViewChange<P extends OrderContent> {
  readonly kind: 'VIEW-CHANGE';
  readonly view: View;
  /** cpCert: CHECKPOINTs of a quorum for h; empty for h = 0. */
  readonly checkpoints: readonly Sealed<ChainContent<P>>[];
  /** nvCert of ell, the last view that it took part in; undefined: ell = 0. */
  readonly entered: ViewProof<P> | undefined;
  /** All own slots from slot(ell, h+1) to the barrier of `view`. */
  readonly chain: readonly ChainEntry<P>[];
}

/** The new primary shows VIEW-CHANGEs of a quorum and what follows from them. */
export interface NewView<P extends OrderContent> {
  readonly kind: 'NEW-VIEW';
  readonly view: View;
  readonly viewChanges: readonly Sealed<ChainContent<P>>[];
  readonly terms: Terms;
}

/** A replica has checked the NEW-VIEW, and holds every batch that it obliges to. */
export interface NewViewAck {
  readonly kind: 'NV-ACK';
  readonly view: View;
  /** H(view, hNV, O, carried). */
  readonly digest: Digest;
}

/** What the protocols of this folder share. */
export type SharedContent<P extends OrderContent> =
  Checkpoint | RequestViewChange | Barrier | ViewChange<P> | NewView<P> | NewViewAck;

/** Everything that such a protocol says. */
export type ChainContent<P extends OrderContent> = P | SharedContent<P>;

/** Kinds of this folder, in the order of their tags. */
const SHARED_KINDS = [
  'CHECKPOINT',
  'REQ-VIEW-CHANGE',
  'BARRIER',
  'VIEW-CHANGE',
  'NEW-VIEW',
  'NV-ACK',
] as const satisfies readonly SharedContent<OrderContent>['kind'][];
type SharedKind = (typeof SHARED_KINDS)[number];

type Codec<P extends OrderContent> = SealedCodec<ChainContent<P>>;

/** How a protocol writes and reads what it says about orders. */
export interface OrderCodec<P extends OrderContent> {
  readonly protocol: string;
  readonly kinds: readonly P['kind'][];
  write(writer: Writer, content: P, codec: Codec<P>): void;
  read(kind: P['kind'], reader: Reader, codec: Codec<P>): P;
  quoted(content: P): readonly Sealed<ChainContent<P>>[];
}

/** Whether a content is one of this folder's. */
export function isShared<P extends OrderContent>(content: ChainContent<P>): content is SharedContent<P> {
  return (SHARED_KINDS as readonly string[]).includes(content.kind);
}

/** The same of a message. */
export function isSharedMessage<P extends OrderContent>(
  message: Sealed<ChainContent<P>>,
): message is Sealed<SharedContent<P>> {
  return isShared(message.content);
}

/** What the VIEW-CHANGEs of a valid NEW-VIEW say. */
export function viewChangesOf<P extends OrderContent>({ viewChanges }: NewView<P>): readonly ViewChange<P>[] {
  return viewChanges.map(({ content }) => content as ViewChange<P>);
}

/** The codec of a protocol on chains of slots. */
export function chainCodec<P extends OrderContent>(own: OrderCodec<P>): SealedCodecOptions<ChainContent<P>> {
  const isOwn = (kind: string): kind is P['kind'] => !(SHARED_KINDS as readonly string[]).includes(kind);
  return {
    protocol: own.protocol,
    kinds: [...own.kinds, ...SHARED_KINDS] as readonly string[] as readonly ChainContent<P>['kind'][],
    write: (writer, content, codec) => {
      if (isShared(content)) writeShared(writer, content, codec);
      else own.write(writer, content, codec);
    },
    read: (kind, reader, codec) => {
      const content = isOwn(kind)
        ? own.read(kind, reader, codec)
        : readShared(kind as SharedKind, reader, codec);
      if (!hasPlace(content)) reader.fail();
      return content;
    },
    quoted: (content) => (isShared(content) ? quotedInShared(content) : own.quoted(content)),
  };
}

/** Whether views and sequence numbers have slots. */
function hasPlace<P extends OrderContent>(content: ChainContent<P>): boolean {
  const { view = 0, sequence = 0 } = content as { readonly view?: View; readonly sequence?: SequenceNumber };
  return hasSlot(view, sequence);
}

/** Writes the terms of a view; their digest covers the same bytes. */
export function writeTerms(writer: Writer, { view, base, orders, carried }: Terms): void {
  writer
    .u64(view)
    .u64(base)
    .list(orders, (w, digest) => w.digest(digest))
    .u64(carried);
}

function readTerms(reader: Reader, window: number): Terms {
  const [view, base] = [reader.u64(), reader.u64()];
  const orders = reader.list(window, (r) => r.digest());
  if (view >= VIEW_END) reader.fail();
  return { view, base, orders, carried: reader.u64() };
}

function writeShared<P extends OrderContent>(
  writer: Writer,
  content: SharedContent<P>,
  codec: Codec<P>,
): void {
  switch (content.kind) {
    case 'CHECKPOINT':
      writeCheckpoint(writer, content);
      return;
    case 'REQ-VIEW-CHANGE':
    case 'BARRIER':
      writer.u64(content.view);
      return;
    case 'VIEW-CHANGE':
      writer.u64(content.view).list(content.checkpoints, codec.writeSealed);
      writer.option(content.entered, (w, { terms, acks }) => {
        writeTerms(w, terms);
        w.list(acks, codec.writeSealed);
      });
      writer.list(content.chain, (w, { message, proof }) => {
        codec.writeSealed(w, message);
        w.list(proof, codec.writeSealed);
      });
      return;
    case 'NEW-VIEW':
      writer.u64(content.view).list(content.viewChanges, codec.writeSealed);
      return writeTerms(writer, content.terms);
    case 'NV-ACK':
      writer.u64(content.view).digest(content.digest);
  }
}

function readShared<P extends OrderContent>(
  kind: SharedKind,
  reader: Reader,
  codec: Codec<P>,
): SharedContent<P> {
  switch (kind) {
    case 'CHECKPOINT':
      return readCheckpoint(reader);
    case 'REQ-VIEW-CHANGE':
    case 'BARRIER':
      return { kind, view: reader.u64() };
    case 'VIEW-CHANGE':
      return {
        kind,
        view: reader.u64(),
        checkpoints: reader.list(codec.members, codec.readSealed),
        entered: reader.option((r) => ({
          terms: readTerms(r, codec.window),
          acks: r.list(codec.members, codec.readSealed),
        })),
        chain: readChain(reader, codec),
      };
    case 'NEW-VIEW':
      return {
        kind,
        view: reader.u64(),
        viewChanges: reader.list(codec.members, codec.readSealed),
        terms: readTerms(reader, codec.window),
      };
    case 'NV-ACK':
      return { kind, view: reader.u64(), digest: reader.digest() };
  }
}

/** Votes for orders of a window, with what entitled to them, and barriers of views that came to nothing. */
function readChain<P extends OrderContent>(reader: Reader, codec: Codec<P>): ChainEntry<P>[] {
  let votes = 0;
  return reader.list(codec.window + BARRIERS_MAX, (r) => {
    const message = codec.readSealed(r);
    const isVote = !r.failed && message.content.kind !== 'BARRIER';
    votes += isVote ? 1 : 0;
    if (votes > codec.window) r.fail();
    return { message, proof: r.list(isVote ? codec.members : 0, codec.readSealed) };
  });
}

function quotedInShared<P extends OrderContent>(
  content: SharedContent<P>,
): readonly Sealed<ChainContent<P>>[] {
  if (content.kind === 'NEW-VIEW') return content.viewChanges;
  if (content.kind !== 'VIEW-CHANGE') return [];
  const { checkpoints, entered, chain } = content;
  return [
    ...checkpoints,
    ...(entered?.acks ?? []),
    ...chain.flatMap(({ message, proof }) => [message, ...proof]),
  ];
}

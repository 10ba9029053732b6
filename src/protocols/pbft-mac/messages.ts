/**
 * Messages of PBFT with authenticators (TOCS 2002): nobody signs, so nobody can show a message of somebody else. What a
 * VIEW-CHANGE claims is worth what several of them say alike.
 */
import type { Reader, Writer } from '../../core/codec.ts';
import type { Digest, ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import type { SealedCodec, SealedCodecOptions } from '../../smr/attested/sealed.ts';
import type { OrderContent } from '../../smr/three-phase/messages.ts';
import {
  isOrderContent,
  ORDER_KINDS,
  readOrderContent,
  writeOrderContent,
} from '../../smr/three-phase/messages.ts';
import { BATCHES_PER_ORDER_MAX } from './selection.ts';

/** Name in settings, on the command line and in digests. */
export const PROTOCOL_NAME = 'pbft-mac';

/** A boundary and its state. */
export interface CheckpointClaim {
  readonly sequence: SequenceNumber;
  readonly digest: Digest;
}

/** A batch, and the latest view in which something was said about it here. */
export interface OrderClaim extends CheckpointClaim {
  readonly view: View;
}

/** A replica leaves for `view` and says what it knows of the views before. */
export interface ViewChange {
  readonly kind: 'VIEW-CHANGE';
  readonly view: View;
  /** h: its stable checkpoint. */
  readonly low: SequenceNumber;
  /** C: checkpoints that it holds, the stable one among them; ascending. */
  readonly checkpoints: readonly CheckpointClaim[];
  /** P: by order the latest view in which a batch was prepared here; ascending. */
  readonly prepared: readonly OrderClaim[];
  /** Q: by order and batch the latest view in which it said PRE-PREPARE or PREPARE for it; ascending by order. */
  readonly proposed: readonly OrderClaim[];
}

/** A replica has got the VIEW-CHANGE with this digest from its author. */
export interface ViewChangeAck {
  readonly kind: 'VIEW-CHANGE-ACK';
  readonly view: View;
  readonly of: ReplicaId;
  readonly digest: Digest;
}

/** X: what a view starts from. */
export interface ViewStart {
  readonly checkpoint: CheckpointClaim;
  /** What must be proposed above it, one for each order, without a gap. */
  readonly proposals: readonly CheckpointClaim[];
}

/** What the new primary chose, and from which VIEW-CHANGEs. */
export interface NewView extends ViewStart {
  readonly kind: 'NEW-VIEW';
  readonly view: View;
  /** V: by author the digest of its VIEW-CHANGE, ascending. */
  readonly from: readonly { readonly replica: ReplicaId; readonly digest: Digest }[];
}

/** Asks for the VIEW-CHANGE with a digest. */
export interface FetchViewChange {
  readonly kind: 'FETCH-VIEW-CHANGE';
  readonly of: ReplicaId;
  readonly digest: Digest;
}

/** A copy of somebody's VIEW-CHANGE: worth nothing but its digest. */
export interface ViewChangeCopy {
  readonly kind: 'VIEW-CHANGE-COPY';
  readonly of: ReplicaId;
  readonly copy: ViewChange;
}

/** A replica has seen an order committed: f+1 that say so alike are believed. */
export interface Decided extends CheckpointClaim {
  readonly kind: 'DECIDED';
}

/** A replica has worked out what a NEW-VIEW says and takes part: f+1 that say so alike are believed. */
export interface Entered extends ViewStart {
  readonly kind: 'ENTERED';
  readonly view: View;
}

export type MacContent =
  OrderContent | ViewChange | ViewChangeAck | NewView | FetchViewChange | ViewChangeCopy | Decided | Entered;

const writeCheckpoint = (writer: Writer, { sequence, digest }: CheckpointClaim): unknown =>
  writer.u64(sequence).digest(digest);
const readCheckpoint = (reader: Reader): CheckpointClaim => ({
  sequence: reader.u64(),
  digest: reader.digest(),
});
const writeClaim = (writer: Writer, claim: OrderClaim): unknown =>
  writer.u64(claim.sequence).digest(claim.digest).u64(claim.view);
const readClaim = (reader: Reader): OrderClaim => ({
  sequence: reader.u64(),
  digest: reader.digest(),
  view: reader.u64(),
});

const writeStart = (writer: Writer, { checkpoint, proposals }: ViewStart): unknown => {
  writeCheckpoint(writer, checkpoint);
  return writer.list(proposals, writeCheckpoint);
};
const readStart = (reader: Reader, { window }: SealedCodec<MacContent>): ViewStart => ({
  checkpoint: readCheckpoint(reader),
  proposals: reader.list(window, readCheckpoint),
});

function writeViewChange(writer: Writer, content: ViewChange): void {
  writer.u64(content.view).u64(content.low).list(content.checkpoints, writeCheckpoint);
  writer.list(content.prepared, writeClaim).list(content.proposed, writeClaim);
}

function readViewChange(reader: Reader, { window }: SealedCodec<MacContent>): ViewChange {
  return {
    kind: 'VIEW-CHANGE',
    view: reader.u64(),
    low: reader.u64(),
    checkpoints: reader.list(window + 1, readCheckpoint),
    prepared: reader.list(window, readClaim),
    proposed: reader.list(BATCHES_PER_ORDER_MAX * window, readClaim),
  };
}

/** See the top of this file. */
export const MAC_MESSAGES: SealedCodecOptions<MacContent> = {
  protocol: PROTOCOL_NAME,
  kinds: [
    ...ORDER_KINDS,
    'VIEW-CHANGE',
    'VIEW-CHANGE-ACK',
    'NEW-VIEW',
    'FETCH-VIEW-CHANGE',
    'VIEW-CHANGE-COPY',
    'DECIDED',
    'ENTERED',
  ],
  write(writer, content) {
    if (isOrderContent(content)) return writeOrderContent(writer, content);
    switch (content.kind) {
      case 'VIEW-CHANGE':
        return writeViewChange(writer, content);
      case 'VIEW-CHANGE-ACK':
        writer.u64(content.view).u32(content.of).digest(content.digest);
        return;
      case 'NEW-VIEW':
        writer.u64(content.view);
        writer.list(content.from, (w, { replica, digest }) => w.u32(replica).digest(digest));
        writeStart(writer, content);
        return;
      case 'FETCH-VIEW-CHANGE':
        writer.u32(content.of).digest(content.digest);
        return;
      case 'VIEW-CHANGE-COPY':
        writeViewChange(writer.u32(content.of), content.copy);
        return;
      case 'DECIDED':
        writeCheckpoint(writer, content);
        return;
      case 'ENTERED':
        writeStart(writer.u64(content.view), content);
    }
  },
  read(kind, reader, codec) {
    switch (kind) {
      case 'VIEW-CHANGE':
        return readViewChange(reader, codec);
      case 'VIEW-CHANGE-ACK':
        return { kind, view: reader.u64(), of: reader.u32(), digest: reader.digest() };
      case 'NEW-VIEW':
        return {
          kind,
          view: reader.u64(),
          from: reader.list(codec.members, (r) => ({ replica: r.u32(), digest: r.digest() })),
          ...readStart(reader, codec),
        };
      case 'FETCH-VIEW-CHANGE':
        return { kind, of: reader.u32(), digest: reader.digest() };
      case 'VIEW-CHANGE-COPY':
        return { kind, of: reader.u32(), copy: readViewChange(reader, codec) };
      case 'DECIDED':
        return { kind, ...readCheckpoint(reader) };
      case 'ENTERED':
        return { kind, view: reader.u64(), ...readStart(reader, codec) };
      default:
        return readOrderContent(kind, reader);
    }
  },
};

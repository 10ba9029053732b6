/**
 * Messages of the update exchange: what active replicas tell passive ones about a batch that they executed. All of them
 * rest on the link of their author alone and are told once; whoever lacks something asks. Every active replica tells the
 * digest of the update; its bytes come from one of them, in parts.
 */
import type { Reader, Writer } from '../../core/codec.ts';
import type { Digest, SequenceNumber } from '../../core/types.ts';
import type { Content } from '../attested/sealed.ts';

/** A batch was executed and changed this. */
export interface Update {
  readonly kind: 'UPDATE';
  readonly sequence: SequenceNumber;
  /** What was decided for the sequence number. */
  readonly digest: Digest;
  /** SHA-256 of the bytes of the update. */
  readonly update: Digest;
  /** How many bytes it has. */
  readonly length: number;
  /** Its first part, if the author is the one to send it; empty otherwise. */
  readonly bytes: Uint8Array;
}

/** A further part of an update. */
export interface UpdatePart {
  readonly kind: 'UPDATE-PART';
  readonly sequence: SequenceNumber;
  readonly update: Digest;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Asks for UPDATEs from a sequence number on, or for the bytes of one of them from an offset on. */
export interface UpdateFetch {
  readonly kind: 'UPDATE-FETCH';
  readonly sequence: SequenceNumber;
  readonly wanted: { readonly update: Digest; readonly offset: number } | undefined;
}

/** See the top of this file. */
export type UpdateContent = Update | UpdatePart | UpdateFetch;

/** All kinds. */
export const UPDATE_KINDS = ['UPDATE', 'UPDATE-PART', 'UPDATE-FETCH'] as const;

/** Bytes of one part, at most. */
export const PART_BYTES = 128 * 1024;
/** Bytes of one update, at most: a larger one is not told, and passive replicas are shown the batch itself. */
export const UPDATE_BYTES_MAX = 64 * 1024 * 1024;

/** Whether a content belongs to the update exchange; a protocol has more kinds. */
export function isUpdateContent(content: Content): content is UpdateContent {
  return (UPDATE_KINDS as readonly string[]).includes(content.kind);
}

/** Writes the fields of a content. */
export function writeUpdateContent(writer: Writer, content: UpdateContent): void {
  writer.u64(content.sequence);
  switch (content.kind) {
    case 'UPDATE':
      writer.digest(content.digest).digest(content.update).u32(content.length).bytes(content.bytes);
      return;
    case 'UPDATE-PART':
      writer.digest(content.update).u32(content.offset).bytes(content.bytes);
      return;
    case 'UPDATE-FETCH':
      writer.option(content.wanted, (w, { update, offset }) => w.digest(update).u32(offset));
  }
}

/** Reads what `writeUpdateContent` wrote. */
export function readUpdateContent(kind: UpdateContent['kind'], reader: Reader): UpdateContent {
  const sequence = reader.u64();
  switch (kind) {
    case 'UPDATE':
      return {
        kind,
        sequence,
        digest: reader.digest(),
        update: reader.digest(),
        length: reader.u32(),
        bytes: reader.bytes(PART_BYTES),
      };
    case 'UPDATE-PART':
      return {
        kind,
        sequence,
        update: reader.digest(),
        offset: reader.u32(),
        bytes: reader.bytes(PART_BYTES),
      };
    case 'UPDATE-FETCH': {
      const wanted = reader.option((r) => ({ update: r.digest(), offset: r.u32() }));
      return { kind, sequence, wanted };
    }
  }
}

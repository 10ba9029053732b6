/**
 * Frames between two replicas' hosts. The link is authenticated (mutual TLS); what is inside is checked by its own
 * seals, digests or certificates. Large frames travel as content-addressed fragments (decision B7).
 */
import { bytesToDigest } from '../core/bytes.ts';
import { decodeWhole, Reader, Writer } from '../core/codec.ts';
import type { Digest, Hash, Height, SequenceNumber } from '../core/types.ts';

/** Bytes of one fragment, at most. */
export const FRAGMENT_BYTES = 256 * 1024;
/** Fragments of one frame, at most: 64 MiB in all. */
const FRAGMENTS_MAX = 256;
/** Bytes of an inner frame, at most. */
const INNER_BYTES_MAX = FRAGMENT_BYTES * FRAGMENTS_MAX;
/** Chunks asked for at once, at most. */
export const CHUNKS_PER_REQUEST = 64;

/** One frame of a link. */
export type LinkFrame =
  /** A message of the protocol. */
  | { readonly kind: 'protocol'; readonly bytes: Uint8Array }
  /** A batch body. */
  | { readonly kind: 'body'; readonly bytes: Uint8Array }
  | { readonly kind: 'fetchBody'; readonly digest: Digest }
  /** A client's bundle, passed on. */
  | { readonly kind: 'bundle'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'fragment';
      readonly whole: Digest;
      readonly index: number;
      readonly count: number;
      readonly bytes: Uint8Array;
    }
  /** The sender's signature over a block header. */
  | {
      readonly kind: 'headerSignature';
      readonly height: Height;
      readonly headerHash: Digest;
      readonly signature: Uint8Array;
    }
  /** State transfer: children of a node of the hash tree of a frozen checkpoint. */
  | {
      readonly kind: 'fetchNode';
      readonly sequence: SequenceNumber;
      readonly level: number;
      readonly index: number;
    }
  | {
      readonly kind: 'node';
      readonly sequence: SequenceNumber;
      readonly level: number;
      readonly index: number;
      readonly children: readonly Digest[];
    }
  | { readonly kind: 'fetchChunks'; readonly sequence: SequenceNumber; readonly indexes: readonly number[] }
  | {
      readonly kind: 'chunks';
      readonly sequence: SequenceNumber;
      readonly chunks: readonly { readonly index: number; readonly bytes: Uint8Array }[];
    }
  /** Blocks from this height on, as many as fit. */
  | { readonly kind: 'fetchBlocks'; readonly from: Height }
  | { readonly kind: 'blocks'; readonly from: Height; readonly blocks: readonly Uint8Array[] }
  /** The sender does not have what was asked for. */
  | { readonly kind: 'gone'; readonly sequence: SequenceNumber };

/** Bytes of a frame. */
export function encodeLinkFrame(frame: LinkFrame): Uint8Array {
  const writer = new Writer(256);
  switch (frame.kind) {
    case 'protocol':
      return writer.u8(1).bytes(frame.bytes).finish();
    case 'body':
      return writer.u8(2).bytes(frame.bytes).finish();
    case 'fetchBody':
      return writer.u8(3).digest(frame.digest).finish();
    case 'bundle':
      return writer.u8(4).bytes(frame.bytes).finish();
    case 'fragment':
      return writer.u8(5).digest(frame.whole).u16(frame.index).u16(frame.count).bytes(frame.bytes).finish();
    case 'headerSignature':
      return writer.u8(6).u64(frame.height).digest(frame.headerHash).raw(frame.signature).finish();
    case 'fetchNode':
      return writer.u8(7).u64(frame.sequence).u8(frame.level).u32(frame.index).finish();
    case 'node':
      writer.u8(8).u64(frame.sequence).u8(frame.level).u32(frame.index);
      return writer.list(frame.children, (w, child) => w.digest(child)).finish();
    case 'fetchChunks':
      return writer
        .u8(9)
        .u64(frame.sequence)
        .list(frame.indexes, (w, index) => w.u32(index))
        .finish();
    case 'chunks':
      writer.u8(10).u64(frame.sequence);
      return writer.list(frame.chunks, (w, chunk) => w.u32(chunk.index).bytes(chunk.bytes)).finish();
    case 'fetchBlocks':
      return writer.u8(11).u64(frame.from).finish();
    case 'blocks':
      return writer
        .u8(12)
        .u64(frame.from)
        .list(frame.blocks, (w, block) => w.bytes(block))
        .finish();
    case 'gone':
      return writer.u8(13).u64(frame.sequence).finish();
  }
}

function readFrame(reader: Reader): LinkFrame | undefined {
  switch (reader.u8()) {
    case 1:
      return { kind: 'protocol', bytes: reader.bytes(INNER_BYTES_MAX) };
    case 2:
      return { kind: 'body', bytes: reader.bytes(INNER_BYTES_MAX) };
    case 3:
      return { kind: 'fetchBody', digest: reader.digest() };
    case 4:
      return { kind: 'bundle', bytes: reader.bytes(INNER_BYTES_MAX) };
    case 5: {
      const whole = reader.digest();
      const index = reader.u16();
      const count = reader.u16();
      if (count < 2 || count > FRAGMENTS_MAX || index >= count) reader.fail();
      return { kind: 'fragment', whole, index, count, bytes: reader.bytes(FRAGMENT_BYTES) };
    }
    case 6: {
      const height = reader.u64();
      return { kind: 'headerSignature', height, headerHash: reader.digest(), signature: reader.raw(64) };
    }
    case 7:
      return { kind: 'fetchNode', sequence: reader.u64(), level: reader.u8(), index: reader.u32() };
    case 8: {
      const sequence = reader.u64();
      const level = reader.u8();
      const index = reader.u32();
      return { kind: 'node', sequence, level, index, children: reader.list(256, (r) => r.digest()) };
    }
    case 9:
      return {
        kind: 'fetchChunks',
        sequence: reader.u64(),
        indexes: reader.list(CHUNKS_PER_REQUEST, (r) => r.u32()),
      };
    case 10: {
      const sequence = reader.u64();
      const chunks = reader.list(CHUNKS_PER_REQUEST, (r) => ({
        index: r.u32(),
        bytes: r.bytes(INNER_BYTES_MAX),
      }));
      return { kind: 'chunks', sequence, chunks };
    }
    case 11:
      return { kind: 'fetchBlocks', from: reader.u64() };
    case 12:
      return {
        kind: 'blocks',
        from: reader.u64(),
        blocks: reader.list(4096, (r) => r.bytes(INNER_BYTES_MAX)),
      };
    case 13:
      return { kind: 'gone', sequence: reader.u64() };
    default:
      reader.fail();
      return undefined;
  }
}

/** Reads a frame; undefined unless canonical and bounded. */
export function decodeLinkFrame(bytes: Uint8Array): LinkFrame | undefined {
  return decodeWhole(bytes, readFrame);
}

/** The frame itself, or its fragments if it is large. */
export function fragmentFrame(hash: Hash, frame: Uint8Array): readonly Uint8Array[] {
  if (frame.length <= FRAGMENT_BYTES + 64) return [frame];
  const whole = bytesToDigest(hash(frame));
  const count = Math.ceil(frame.length / FRAGMENT_BYTES);
  if (count > FRAGMENTS_MAX) return [];
  return Array.from({ length: count }, (_, index) => {
    const bytes = frame.subarray(index * FRAGMENT_BYTES, (index + 1) * FRAGMENT_BYTES);
    return encodeLinkFrame({ kind: 'fragment', whole, index, count, bytes });
  });
}

/** Puts fragments of one peer together again; bounded in number and bytes. */
export class Reassembler {
  readonly #hash: Hash;
  readonly #partial = new Map<Digest, (Uint8Array | undefined)[]>();

  constructor(hash: Hash) {
    this.#hash = hash;
  }

  /** Takes a fragment; gives the whole frame when it was the last one that lacked, else undefined. */
  add(fragment: LinkFrame & { readonly kind: 'fragment' }): Uint8Array | undefined {
    let parts = this.#partial.get(fragment.whole);
    if (parts === undefined || parts.length !== fragment.count) {
      // Two frames at a time per peer: a sender that mixes more loses the oldest and re-sends it later.
      for (const oldest of this.#partial.keys()) {
        if (this.#partial.size < 2) break;
        this.#partial.delete(oldest);
      }
      parts = Array.from({ length: fragment.count }, () => undefined);
      this.#partial.set(fragment.whole, parts);
    }
    parts[fragment.index] ??= fragment.bytes.slice();
    if (parts.includes(undefined)) return undefined;
    this.#partial.delete(fragment.whole);
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part!.length, 0));
    let offset = 0;
    for (const part of parts) {
      whole.set(part!, offset);
      offset += part!.length;
    }
    return bytesToDigest(this.#hash(whole)) === fragment.whole ? whole : undefined;
  }
}

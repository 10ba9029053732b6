/**
 * The command MODE(A) of ReBFT: from the next sequence number on its view is in normal-case mode, and only the replicas
 * of A take part. It is ordered like a batch, without a client: what it says stands in the place of the batch digest, so
 * votes, proofs and view changes carry it as they carry any digest, and everybody who knows what was decided knows A. A
 * batch whose digest happens to begin like one is never proposed by a correct primary, nor voted for.
 */
import { bytesToDigest, bytesToHex, digestToBytes, hexToBytes } from '../../core/bytes.ts';
import { decodeWhole, Writer } from '../../core/codec.ts';
import type { Digest, ReplicaId, View } from '../../core/types.ts';

/** Replicas that an order can name. */
export const MODE_REPLICAS_MAX = 128;

/** What a MODE says. */
export interface ModeOrder {
  /** The view that is to come to normal-case mode; if another one executes it, it changes nothing. */
  readonly view: View;
  /** X was X_min * 2^exponent: the next one depends on it. */
  readonly exponent: number;
  /** A, ascending. */
  readonly active: readonly ReplicaId[];
}

/** First bytes of every MODE: "MODE/v1" in ASCII. */
const MARK = '4d4f44452f7631';
const MARK_BYTES = hexToBytes(MARK)!;
const SET_BYTES = MODE_REPLICAS_MAX / 8;

/** What stands in the place of the batch digest. */
export function encodeMode({ view, exponent, active }: ModeOrder): Digest {
  const set = new Uint8Array(SET_BYTES);
  for (const replica of active) set[replica >> 3]! |= 1 << (replica & 7);
  return bytesToDigest(new Writer(32).raw(MARK_BYTES).u8(exponent).u64(view).raw(set).finish());
}

/** The MODE in the place of a batch digest; undefined for anything else. */
export function decodeMode(digest: Digest): ModeOrder | undefined {
  if (!digest.startsWith(MARK)) return undefined;
  return decodeWhole(digestToBytes(digest), (reader) => {
    if (bytesToHex(reader.raw(MARK_BYTES.length)) !== MARK) reader.fail();
    const exponent = reader.u8();
    const view = reader.u64();
    const set = reader.raw(SET_BYTES);
    const active: ReplicaId[] = [];
    for (let replica = 0; replica < MODE_REPLICAS_MAX; replica += 1)
      if ((set[replica >> 3]! & (1 << (replica & 7))) !== 0) active.push(replica);
    return { view, exponent, active };
  });
}

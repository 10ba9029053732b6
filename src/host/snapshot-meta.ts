/** Description of a durable snapshot: which checkpoint it is. */
import { decodeWhole, Writer } from '../core/codec.ts';
import type { CheckpointState } from '../core/protocol.ts';

/** Canonical bytes. */
export function encodeSnapshotMeta(checkpoint: CheckpointState): Uint8Array {
  return new Writer(41).u8(1).u64(checkpoint.sequence).digest(checkpoint.stateDigest).finish();
}

/** Reads a description; undefined if this program did not write it. */
export function decodeSnapshotMeta(bytes: Uint8Array): CheckpointState | undefined {
  return decodeWhole(bytes, (reader) => {
    if (reader.u8() !== 1) reader.fail();
    return { sequence: reader.u64(), stateDigest: reader.digest() };
  });
}

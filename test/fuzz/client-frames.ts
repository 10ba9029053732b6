/** Frames between clients and replicas that MinBFT does not use: standings, proofs, certificates, questions. */
import {
  decodeReplicaFrame,
  encodeClientFrame,
  encodeReplicaFrame,
  PROOF_BYTES_MAX,
} from '../../src/core/client-wire.ts';

/** A client's frames of the kinds that a simulated client does not send. */
export function moreClientFrames(): Uint8Array[] {
  return [
    encodeClientFrame({ kind: 'certificate', bytes: new Uint8Array(0) }),
    encodeClientFrame({ kind: 'certificate', bytes: new Uint8Array(700).fill(7) }),
    encodeClientFrame({ kind: 'query', id: 3, topic: 'events', argument: 'height:12' }),
    encodeClientFrame({ kind: 'read', id: 9, operation: new Uint8Array([1, 2, 3]) }),
  ];
}

/** The replies among some frames once more, as answers that may still be undone. */
export function speculativeReplies(frames: readonly Uint8Array[]): Uint8Array[] {
  return frames.flatMap((bytes, index) => {
    const frame = decodeReplicaFrame(bytes);
    if (frame?.kind !== 'reply') return [];
    const standing = index % 2 === 0 ? 'speculative' : 'committed';
    const proof = new Uint8Array(index % 5 === 0 ? PROOF_BYTES_MAX : index * 3).fill(index);
    return [encodeReplicaFrame({ ...frame, standing, proof })];
  });
}

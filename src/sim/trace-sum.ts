/** Sums of what is delivered, for the trace hash: runs that differ in content have different hashes, not only in order. */
import type { CoreFrame, CoreReply } from './core/frame.ts';

/** Sum over every byte (FNV-1a). */
export function sumOfBytes(bytes: Uint8Array): number {
  let sum = 0x811c9dc5;
  for (let index = 0; index < bytes.length; index += 1) sum = Math.imul(sum ^ bytes[index]!, 0x01000193);
  return sum;
}

/** The value of a lower-case hexadecimal digit. */
function digitOf(code: number): number {
  return code < 58 ? code - 48 : code - 87;
}

/** The first bits of a digest. */
function sumOfDigest(digest: string): number {
  let sum = 0;
  for (let index = 0; index < 8; index += 1) sum = (sum << 4) | digitOf(digest.charCodeAt(index));
  return sum;
}

/** What tells a frame of objects from others: digests of what it is about, and the counter of its seal. */
export function sumOfFrame<M>(frame: CoreFrame<M>): number {
  switch (frame.kind) {
    case 'body':
      return sumOfDigest(frame.batch.digest);
    case 'fetchBody':
      return ~sumOfDigest(frame.digest);
    case 'bundle':
      return sumOfDigest(frame.bundle.digest);
    case 'protocol': {
      const { kind, digest, ui } = frame.message as {
        kind?: string;
        digest?: string;
        ui?: { counter: number };
      };
      const name = Math.imul(kind?.length ?? 0, 0x9e3779b1) ^ Math.imul(ui?.counter ?? 0, 0x85ebca77);
      return digest === undefined ? name : name ^ sumOfDigest(digest);
    }
  }
}

/** Results with the requests that they answer. */
export function sumOfReply({ results }: CoreReply): number {
  let sum = results.length;
  for (const { txId, result } of results)
    sum = Math.imul(sum ^ sumOfDigest(txId), 0x01000193) ^ sumOfBytes(result);
  return sum;
}

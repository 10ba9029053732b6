/**
 * Short byte strings cut from larger pieces of memory: a fresh piece for each costs several times as much as what is written
 * into it. For what is kept or sent by the host and by nobody below it: a piece holds what others wrote, too, so none of
 * it may cross the border of a trusted component together with its buffer.
 */
import type { Writer } from './codec.ts';

/** Bytes of one piece: as little as still pays, since whoever keeps a part of it keeps all of it. */
const PIECE_BYTES = 4096;
/** What is longer has memory of its own. */
const CUT_BYTES_MAX = 1024;
/** What is not longer is cheap to make: the engine keeps so few bytes beside the object. */
const INSIDE_BYTES_MAX = 64;

let piece = new Uint8Array(0);
let used = 0;

function cut(bytes: Uint8Array): Uint8Array {
  const { length } = bytes;
  if (length <= INSIDE_BYTES_MAX) return bytes.slice();
  if (used + length > piece.length) {
    piece = new Uint8Array(PIECE_BYTES);
    used = 0;
  }
  piece.set(bytes, used);
  const part = piece.subarray(used, used + length);
  used += length;
  return part;
}

/** What a writer holds, never changed any more; the writer is finished. */
export function finishPiece(writer: Writer): Uint8Array {
  return writer.length > CUT_BYTES_MAX ? writer.finish() : writer.finishInto(cut);
}

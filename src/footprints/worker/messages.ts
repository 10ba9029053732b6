/**
 * What the main thread and the thread of a trusted component say to each other. Requests go as arrays of TCS1 bytes; what
 * is posted is `alone`.
 */

/** What the thread is started with. */
export interface WorkerOrder {
  readonly folder: string;
  /** Makes a new component of this program first. */
  readonly program?: string;
}

/** What the thread says. */
export type WorkerReport =
  /** It serves; its identity as a TCS1 answer. */
  | { readonly ready: Uint8Array }
  /** It cannot serve, as a sentence for the operator. */
  | { readonly refused: string }
  /** Answers to the oldest unanswered array of requests, in order. */
  | { readonly answers: readonly Uint8Array[] };

/**
 * The bytes, in a buffer that holds nothing else: an array is posted with its whole buffer, which may hold what others wrote
 * (`Writer.finish`, `core/pieces.ts`, the pool of Node's Buffers).
 */
export function alone(bytes: Uint8Array): Uint8Array {
  return bytes.length === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}

/** What the main thread and the thread of a trusted component say to each other. Requests go as arrays of TCS1 bytes. */

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

/** The host's side of the journal: who waits for what to be durable, and how much was written since the last compaction. */
import type { JournalPort, RecordSource } from './ports.ts';

/** Bytes since the last compaction that make another one worth it. */
const COMPACT_AFTER_BYTES = 48 * 1024 * 1024;

/** See the top of this file. */
export class JournalDesk {
  readonly #journal: JournalPort;
  readonly #waiting = new Map<number, () => void>();
  #token = 0;
  #bytes = 0;
  /** Bytes since the process began; whoever wants to know how much came since a moment remembers it. */
  appended = 0;

  constructor(journal: JournalPort) {
    this.#journal = journal;
  }

  /** Whether the journal has grown enough to be rewritten. */
  get isLarge(): boolean {
    return this.#bytes > COMPACT_AFTER_BYTES;
  }

  append(record: Uint8Array): void {
    this.#bytes += record.length;
    this.appended += record.length;
    this.#journal.append(record);
  }

  /** Calls `then` once everything appended so far is durable. */
  whenSynced(then: () => void): void {
    this.#journal.sync(this.#expect(then));
  }

  /** Replaces the journal by these records; calls `then` once that is durable. */
  rewrite(records: readonly RecordSource[], then: () => void): void {
    this.#bytes = 0;
    this.#journal.rewrite(records, this.#expect(then));
  }

  /** The journal's answer. */
  onSynced(token: number): void {
    const then = this.#waiting.get(token);
    this.#waiting.delete(token);
    then?.();
  }

  #expect(then: () => void): number {
    this.#token += 1;
    this.#waiting.set(this.#token, then);
    return this.#token;
  }
}

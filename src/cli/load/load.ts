/** The load itself: rows in, at most `inFlight` of them on the way, what happened counted. */
import { equalBytes } from '../../core/bytes.ts';
import { messageOf } from '../failure.ts';
import { Outcomes } from './resume-state.ts';
import type { LoadState } from './resume-state.ts';
import type { Row } from './rows.ts';
import type { RowSink, WritableRow } from './sinks.ts';

/** What a load is made of. */
export interface LoadOptions {
  readonly rows: AsyncIterable<Row>;
  readonly sink: RowSink;
  readonly inFlight: number;
  readonly identity: string;
  /** State of an earlier run that is gone on with. */
  readonly resumed: LoadState | undefined;
  readonly onMalformed: (row: Row & { readonly kind: 'malformed' }) => void;
  /** Told what to remember, durably enough for a crash of this process, before rows beyond `furthest` are sent. */
  readonly onReserve: (state: LoadState) => void;
  /** Aborted when somebody wants it to stop: what is on the way is finished. */
  readonly stop: AbortSignal;
}

/** Rows reserved at a time, in multiples of `inFlight`. */
const RESERVE_FACTOR = 2;
const READS_AT_ONCE = 64;

/** See the top of this file. */
export class Load {
  readonly #options: LoadOptions;
  readonly #outcomes: Outcomes;
  /** Writes on the way, by key: a later row of a key waits for the earlier one. */
  readonly #byKey = new Map<string, Promise<void>>();
  #open = 0;
  #wake: (() => void) | undefined;
  #failure: unknown;
  #written: number;
  #malformed: number;
  #furthest: number;
  retried = 0;
  /** Rows that an earlier run had written already. */
  found = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    const { resumed } = options;
    this.#outcomes = new Outcomes(resumed ?? { row: 0, written: 0, malformed: 0 });
    this.#written = resumed?.written ?? 0;
    this.#malformed = resumed?.malformed ?? 0;
    this.#furthest = resumed?.furthest ?? 0;
  }

  /** What to remember now. Written before the rows beyond `furthest` are sent. */
  get state(): LoadState {
    return {
      identity: this.#options.identity,
      ...this.#outcomes.contiguous,
      furthest: this.#furthest,
    };
  }

  get written(): number {
    return this.#written;
  }

  get malformed(): number {
    return this.#malformed;
  }

  /** Runs to the end of the file. False if it was stopped before. Throws if a row cannot be written. */
  async run(): Promise<boolean> {
    const done = this.#outcomes.contiguous.row;
    const uncertain = this.#options.resumed?.furthest ?? 0;
    let waiting: WritableRow[] = [];
    for await (const row of this.#options.rows) {
      if (row.number <= done) continue;
      if (this.#failure !== undefined || this.#options.stop.aborted) break;
      if (row.kind === 'malformed') {
        this.#malformed += 1;
        this.#options.onMalformed(row);
        this.#outcomes.add(row.number, 'malformed');
      } else if (row.number <= uncertain) waiting.push(row);
      else {
        waiting = await this.#settleUncertain(waiting);
        this.#reserve(row.number);
        await this.#send(row);
      }
    }
    if (this.#failure === undefined && !this.#options.stop.aborted) await this.#settleUncertain(waiting);
    while (this.#open > 0) await this.#turn();
    if (this.#failure !== undefined)
      throw new Error(`a row could not be written: ${messageOf(this.#failure)}`, { cause: this.#failure });
    return !this.#options.stop.aborted;
  }

  /** Rows are reserved by the thousand: the state is written now and then, and still never behind what was sent. */
  #reserve(row: number): void {
    if (row <= this.#furthest) return;
    this.#furthest = row + RESERVE_FACTOR * this.#options.inFlight;
    this.#options.onReserve(this.state);
  }

  /**
   * Rows that an earlier run may have sent: there are at most as many as were on the way. A key that holds the value of
   * one of its rows was written up to that row.
   */
  async #settleUncertain(rows: readonly WritableRow[]): Promise<WritableRow[]> {
    const byKey = new Map<string, WritableRow[]>();
    for (const row of rows) {
      const name = nameOf(row.key);
      byKey.set(name, [...(byKey.get(name) ?? []), row]);
    }
    const groups = [...byKey.values()];
    const present = await this.#presentOf(groups);
    for (const [at, group] of groups.entries()) {
      const value = present[at];
      const last = value === undefined ? -1 : group.findLastIndex((row) => equalBytes(row.value, value));
      for (const [index, row] of group.entries()) {
        if (index > last) await this.#send(row);
        else {
          this.found += 1;
          this.#written += 1;
          this.#outcomes.add(row.number, 'written');
        }
      }
    }
    return [];
  }

  async #presentOf(groups: readonly WritableRow[][]): Promise<(Uint8Array | undefined)[]> {
    const present: (Uint8Array | undefined)[] = [];
    for (let from = 0; from < groups.length; from += READS_AT_ONCE) {
      const slice = groups.slice(from, from + READS_AT_ONCE);
      present.push(...(await Promise.all(slice.map((group) => this.#options.sink.read(group[0]!.key)))));
    }
    return present;
  }

  async #send(row: WritableRow): Promise<void> {
    while (this.#open >= this.#options.inFlight) await this.#turn();
    if (this.#failure !== undefined) return;
    const name = nameOf(row.key);
    const before = this.#byKey.get(name);
    this.#open += 1;
    const write = (before ?? Promise.resolve()).then(() => this.#write(row));
    this.#byKey.set(name, write);
    void write.then(() => {
      if (this.#byKey.get(name) === write) this.#byKey.delete(name);
      this.#open -= 1;
      this.#wake?.();
    });
  }

  /** Never rejects: the first failure ends the load. */
  async #write(row: WritableRow): Promise<void> {
    if (this.#failure !== undefined) return;
    try {
      await this.#options.sink.write(row);
      this.#written += 1;
      this.#outcomes.add(row.number, 'written');
    } catch (error) {
      this.#failure ??= error;
    }
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key).toString('latin1');
}

/**
 * Throughput and waiting times, one line a second, made of what replicas say about themselves. Throughput is what at
 * least one correct replica has in its ledger. Waiting times are those of the replicas that took the requests from their
 * clients, put together: one that lies can distort them, and they do not hold what a client waited for beside it.
 */
import type { Milliseconds } from '../core/types.ts';

/** One second. */
export interface Rate {
  readonly atMs: Milliseconds;
  readonly transactionsPerSecond: number;
  /** Half of the requests, and 99 of 100, were executed within this time of their arrival; null: none was. */
  readonly p50Ms: Milliseconds | null;
  readonly p99Ms: Milliseconds | null;
}

/** Row of a replica in the status; whatever it claims. */
export type StatusRow = Readonly<Record<string, unknown>>;

/** Time between two lines, at least: a second, of which a timer may come a little early. */
const PERIOD_MS = 900;
/** Lines that are kept. */
const HISTORY_MAX = 300;
/** Bounds of waiting times that one replica may name. */
const BOUNDS_MAX = 64;
const BOUND_MAX_MS = 3_600_000;

type Waits = ReadonlyMap<Milliseconds, number>;

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function waitsOf(row: StatusRow): Waits {
  const { waits } = row;
  const found = new Map<Milliseconds, number>();
  if (!Array.isArray(waits)) return found;
  for (const pair of (waits as readonly unknown[]).slice(0, BOUNDS_MAX)) {
    const [bound, count] = Array.isArray(pair) ? (pair as readonly unknown[]) : [];
    if (isCount(bound) && bound <= BOUND_MAX_MS && isCount(count)) found.set(bound, count);
  }
  return found;
}

/** What came to it since `before`; a replica that counts less than before began anew. */
function newOf(before: Waits | undefined, now: Waits): Waits {
  if (before === undefined) return new Map();
  const isAnew = [...before].some(([bound, count]) => (now.get(bound) ?? 0) < count);
  if (isAnew) return now;
  return new Map([...now].map(([bound, count]) => [bound, count - (before.get(bound) ?? 0)]));
}

/** The least bound within which `part` of them lie. */
function quantile(counts: Waits, part: number): Milliseconds | null {
  const ascending = [...counts].filter(([, count]) => count > 0).sort(([a], [b]) => a - b);
  const all = ascending.reduce((sum, [, count]) => sum + count, 0);
  let sum = 0;
  for (const [bound, count] of ascending) {
    sum += count;
    if (sum >= part * all) return bound;
  }
  return null;
}

/** See the top of this file. */
export class Rates {
  readonly #f: number;
  readonly #history: Rate[] = [];
  #at: { readonly ms: Milliseconds; readonly transactions: number } | undefined;
  #waits = new Map<number, Waits>();
  /** Lines that were ever made. */
  count = 0;

  constructor(f: number) {
    this.#f = f;
  }

  /** The latest lines, oldest first. */
  get history(): readonly Rate[] {
    return this.#history;
  }

  /** What the replicas say now; true if that makes another line. */
  onStatus(rows: readonly StatusRow[], now: Milliseconds): boolean {
    const before = this.#at;
    const passedMs = now - (before?.ms ?? now);
    if (before !== undefined && passedMs >= 0 && passedMs < PERIOD_MS) return false;
    const told = this.#transactions(rows);
    // Before f+1 have told there is nothing to count from: a whole ledger would seem to be made in a second.
    if (told === undefined && before === undefined) return false;
    // A ledger only grows: where fewer tell, or a liar tells less, it still has what it had.
    const transactions = Math.max(told ?? 0, before?.transactions ?? 0);
    const waited = this.#takeWaits(rows);
    this.#at = { ms: now, transactions };
    // A clock that was set back begins anew.
    if (before === undefined || passedMs <= 0) return false;
    const perSecond = ((transactions - before.transactions) * 1_000) / passedMs;
    this.#history.push({
      atMs: now,
      transactionsPerSecond: Math.round(perSecond * 10) / 10,
      p50Ms: quantile(waited, 0.5),
      p99Ms: quantile(waited, 0.99),
    });
    this.count += 1;
    if (this.#history.length > HISTORY_MAX) this.#history.shift();
    return true;
  }

  /** Nobody looked for a while: the next status is a beginning, not the end of a long second. */
  pause(): void {
    this.#at = undefined;
    this.#waits.clear();
  }

  /** Transactions that at least one correct replica has; undefined if too few say so. */
  #transactions(rows: readonly StatusRow[]): number | undefined {
    const counts = rows
      .map(({ transactions }) => transactions)
      .filter(isCount)
      .sort((a, b) => b - a);
    return counts[this.#f];
  }

  #takeWaits(rows: readonly StatusRow[]): Waits {
    const sum = new Map<Milliseconds, number>();
    const latest = new Map<number, Waits>();
    for (const [id, row] of rows.entries()) {
      const known = this.#waits.get(id);
      const now = row['reachable'] === true ? waitsOf(row) : known;
      if (now === undefined) continue;
      latest.set(id, now);
      for (const [bound, count] of newOf(known, now)) sum.set(bound, (sum.get(bound) ?? 0) + count);
    }
    this.#waits = latest;
    return sum;
  }
}

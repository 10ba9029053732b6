/** What a load-making process is told and what it tells, over the process channel; and processor time of others. */
import { readFileSync } from 'node:fs';
import { Histogram } from './histogram.ts';

/** Settings of one run. */
export interface LoadSettings {
  /** Operations of this process that are on the way at once. */
  readonly inFlight: number;
  /** Bytes of a value. */
  readonly payload: number;
  readonly warmupMs: number;
  readonly durationMs: number;
}

/** What one process measured after its warm-up. */
export interface Measured {
  readonly operations: number;
  readonly errors: number;
  readonly seconds: number;
  readonly latencies: ReturnType<Histogram['toJSON']>;
}

/** Counts operations, but only between warm-up and end. */
export class Meter {
  readonly #histogram = new Histogram();
  readonly #fromMs: number;
  readonly #toMs: number;
  #errors = 0;

  constructor(settings: LoadSettings) {
    this.#fromMs = performance.now() + settings.warmupMs;
    this.#toMs = this.#fromMs + settings.durationMs;
  }

  get isOver(): boolean {
    return performance.now() >= this.#toMs;
  }

  /** An operation that began at `startMs` has just ended. */
  done(startMs: number): void {
    const now = performance.now();
    if (now >= this.#fromMs && now < this.#toMs) this.#histogram.add(now - startMs);
  }

  failed(): void {
    this.#errors += 1;
  }

  get result(): Measured {
    const seconds = (this.#toMs - this.#fromMs) / 1000;
    return {
      operations: this.#histogram.total,
      errors: this.#errors,
      seconds,
      latencies: this.#histogram.toJSON(),
    };
  }
}

/** Throughput and latencies of several processes together. */
export interface Figures {
  /** Operations a second. */
  readonly throughput: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly operations: number;
  readonly errors: number;
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** Sums up. */
export function figuresOf(parts: readonly Measured[]): Figures {
  const all = new Histogram();
  for (const { latencies } of parts) all.merge(new Histogram(latencies.counts, latencies.max));
  const seconds = Math.max(...parts.map((part) => part.seconds));
  return {
    throughput: rounded(all.total / seconds, 1),
    p50Ms: rounded(all.quantile(0.5), 3),
    p99Ms: rounded(all.quantile(0.99), 3),
    maxMs: rounded(all.maxMs, 3),
    operations: all.total,
    errors: parts.reduce((sum, { errors }) => sum + errors, 0),
  };
}

/** Ticks of `utime` and `stime` a second; fixed in the interface of Linux. */
const TICKS = 100;

/** Processor seconds that a process has used; undefined if it is gone or this is not Linux. */
export function processorSeconds(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold spaces; what follows it is regular.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  } catch {
    return undefined;
  }
}

/** What a process that makes load is told and what it tells, over the process channel. */
import { Latencies } from './latency.ts';

/** Where time comes from. */
export interface Clock {
  /** Milliseconds. */
  now(): number;
  pause(ms: number): Promise<void>;
}

/** Of this process. */
export const REAL_CLOCK: Clock = {
  now: () => performance.now(),
  pause: (ms) => new Promise((done) => setTimeout(done, ms)),
};

/** How operations begin. */
export type Pace =
  /** So many are on the way at once; one that ends begins the next. */
  | { readonly kind: 'closed'; readonly inFlight: number }
  /** So many begin each second, whether or not others have ended. */
  | { readonly kind: 'open'; readonly ratePerSecond: number };

/** Settings of one run of one process. */
export interface LoadSettings {
  readonly pace: Pace;
  /** Bytes of a value. */
  readonly payload: number;
  readonly warmupMs: number;
  readonly durationMs: number;
}

/** What one process measured after its warm-up. */
export interface Measured {
  readonly operations: number;
  readonly errors: number;
  /** Why the first one failed. */
  readonly problem: string | undefined;
  /** Operations of an open loop that had no answer when the run was given up; they are among the latencies. */
  readonly unfinished: number;
  readonly seconds: number;
  readonly latencies: string;
}

/** Counts operations that end between warm-up and end; of an open loop, those that were to begin there. */
export class Meter {
  readonly fromMs: number;
  readonly toMs: number;
  readonly #settings: LoadSettings;
  readonly #clock: Clock;
  readonly #latencies = new Latencies();
  readonly #isOpen: boolean;
  #errors = 0;
  #problem: string | undefined;
  #unfinished = 0;

  /** `fromMs`: when the warm-up is over, if it has begun already. */
  constructor(settings: LoadSettings, clock = REAL_CLOCK, fromMs = clock.now() + settings.warmupMs) {
    this.#settings = settings;
    this.#clock = clock;
    this.fromMs = fromMs;
    this.toMs = this.fromMs + settings.durationMs;
    this.#isOpen = settings.pace.kind === 'open';
  }

  /** Another one for the same time. */
  sibling(): Meter {
    return new Meter(this.#settings, this.#clock, this.fromMs);
  }

  get isOver(): boolean {
    return this.#clock.now() >= this.toMs;
  }

  #counts(startMs: number, endMs: number): boolean {
    const at = this.#isOpen ? startMs : endMs;
    return at >= this.fromMs && at < this.toMs;
  }

  /** Operations that began, or should have begun, at `startMs` have just ended. */
  done(startMs: number, count = 1): void {
    const now = this.#clock.now();
    if (this.#counts(startMs, now)) this.#latencies.add(now - startMs, count);
  }

  failed(problem: string): void {
    this.#errors += 1;
    this.#problem ??= problem;
  }

  /** An operation of an open loop is waited for no longer: its latency is at least what it waited. */
  givenUp(startMs: number): void {
    const now = this.#clock.now();
    if (!this.#counts(startMs, now)) return;
    this.#latencies.add(now - startMs);
    this.#unfinished += 1;
  }

  get result(): Measured {
    return {
      operations: this.#latencies.total - this.#unfinished,
      errors: this.#errors,
      problem: this.#problem,
      unfinished: this.#unfinished,
      seconds: (this.toMs - this.fromMs) / 1000,
      latencies: this.#latencies.toJSON(),
    };
  }
}

/** Throughput and latencies of several processes together. */
export interface Figures {
  /** Operations a second. */
  readonly throughput: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  readonly operations: number;
  readonly errors: number;
  readonly unfinished: number;
  /** The first error's words. */
  readonly problem: string | undefined;
  /** All latencies, compressed HDR histogram in microseconds. */
  readonly histogram: string;
}

/** A number with so many digits behind the point, for reports. */
export function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** Sums up. */
export function figuresOf(parts: readonly Measured[]): Figures {
  const all = new Latencies();
  for (const { latencies } of parts) all.merge(latencies);
  const seconds = Math.max(...parts.map((part) => part.seconds));
  const sum = (of: (part: Measured) => number): number => parts.reduce((total, part) => total + of(part), 0);
  const operations = sum((part) => part.operations);
  return {
    throughput: rounded(operations / seconds, 1),
    p50Ms: rounded(all.quantile(0.5), 3),
    p90Ms: rounded(all.quantile(0.9), 3),
    p99Ms: rounded(all.quantile(0.99), 3),
    p999Ms: rounded(all.quantile(0.999), 3),
    maxMs: rounded(all.maxMs, 3),
    operations,
    errors: sum((part) => part.errors),
    unfinished: sum((part) => part.unfinished),
    problem: parts.find(({ problem }) => problem !== undefined)?.problem,
    histogram: all.toJSON(),
  };
}

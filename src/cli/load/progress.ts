/** How far a load is: a bar with rate and time left on a terminal, a line now and then elsewhere. On stderr. */
import { durationText, printNote } from '../output.ts';

const BAR_WIDTH = 24;
const TERMINAL_MS = 200;
const LOG_MS = 10_000;

/** What is shown. */
export interface ProgressFigures {
  /** 0 to 1. */
  readonly share: number;
  readonly written: number;
  readonly malformed: number;
  readonly retried: number;
}

/** See the top of this file. */
export class Progress {
  readonly #figures: () => ProgressFigures;
  readonly #timer: NodeJS.Timeout;
  readonly #startMs = performance.now();
  readonly #startWritten: number;
  readonly #startShare: number;

  constructor(figures: () => ProgressFigures) {
    this.#figures = figures;
    const { written, share } = figures();
    this.#startWritten = written;
    this.#startShare = share;
    this.#timer = setInterval(() => this.#show(), process.stderr.isTTY ? TERMINAL_MS : LOG_MS);
  }

  /** Seconds since the start. */
  get seconds(): number {
    return (performance.now() - this.#startMs) / 1000;
  }

  /** Rows written a second since the start. */
  get rate(): number {
    return (this.#figures().written - this.#startWritten) / Math.max(0.001, this.seconds);
  }

  #show(): void {
    const { share, written, malformed, retried } = this.#figures();
    const done = share - this.#startShare;
    const left = done <= 0 ? '…' : durationText((this.seconds * (1 - share)) / done);
    const extra = `${malformed > 0 ? `, ${malformed} malformed` : ''}${retried > 0 ? `, ${retried} retried` : ''}`;
    const words = `${written} rows${extra}, ${Math.round(this.rate)} rows/s, ${left} left`;
    if (!process.stderr.isTTY) return printNote(`${Math.floor(share * 100)} %: ${words}`);
    const full = Math.round(Math.min(1, share) * BAR_WIDTH);
    process.stderr.write(`\r[${'#'.repeat(full)}${'.'.repeat(BAR_WIDTH - full)}] ${words}\x1b[K`);
  }

  /** Ends the display. */
  end(): void {
    clearInterval(this.#timer);
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  }
}

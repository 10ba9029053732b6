/**
 * A log that goes to a pipe, socket or terminal. Whoever reads there may be slow or stand still, and a replica must not
 * wait for that: lines are written in the background, what waits is bounded, and lines that found no room are counted
 * and told of when there is room again.
 */
import fs from 'node:fs';

/** Bytes that may wait for the reader. */
const WAITING_MAX = 1024 * 1024;
/** Pause before a pipe that was full is tried again. */
const RETRY_MS = 50;
/** A write that takes longer than this waits for a reader who stands still. */
const STALLED_MS = 1_000;

/** See the top of this file. */
export class PipeLog {
  readonly #descriptor: number;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #writing = false;
  #dropped = 0;
  /** When the write that is under way began; undefined if none is. */
  #since: number | undefined;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
    process.once('exit', () => this.#lastWords());
  }

  /** Takes one line, or drops it. */
  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#waitingBytes + bytes.length > WAITING_MAX) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (!this.#writing) this.#writeSoon();
  }

  /** What a turn of the event loop says leaves in one write. */
  #writeSoon(): void {
    this.#writing = true;
    setImmediate(() => this.#write(this.#take()));
  }

  #take(): Buffer {
    const told = `${JSON.stringify({ level: 40, dropped: this.#dropped, msg: 'lines of this log were dropped' })}\n`;
    if (this.#dropped > 0) this.#waiting.push(Buffer.from(told));
    const bytes = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#dropped = 0;
    return bytes;
  }

  #write(bytes: Buffer): void {
    this.#since ??= performance.now();
    fs.write(this.#descriptor, bytes, (error, written) => {
      const isFull = error !== null && error.code === 'EAGAIN';
      // A reader that is gone takes the rest of the log with it.
      const rest = error === null ? bytes.subarray(written) : isFull ? bytes : bytes.subarray(bytes.length);
      if (isFull) {
        setTimeout(() => this.#write(rest), RETRY_MS).unref();
        return;
      }
      this.#since = undefined;
      if (rest.length > 0) this.#write(rest);
      else if (this.#waiting.length > 0) this.#writeSoon();
      else this.#writing = false;
    });
  }

  /** At the end there is no background any more; a reader that stands still is not waited for. */
  #lastWords(): void {
    const isStalled = this.#since !== undefined && performance.now() - this.#since > STALLED_MS;
    if (isStalled || this.#waiting.length === 0) return;
    try {
      fs.writeSync(this.#descriptor, this.#take());
    } catch {
      // Nobody reads.
    }
  }
}

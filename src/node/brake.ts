/**
 * Stops reading from the network while the disk is behind. What waits to be written is in memory, and with durability
 * `os` or `memory` nothing else would hold peers and clients back; unread, they find their connections full and wait.
 */

/** Bytes that wait to be written, at most, beside what one turn of the event loop adds. */
const WAITING_BYTES_MAX = 48 * 1024 * 1024;
const LOOK_MS = 10;

/** What a brake looks at and what it holds. */
export interface BrakeOptions {
  /** Bytes that wait to be written. */
  readonly waitingBytes: () => number;
  /** Stops or goes on reading. */
  readonly setPaused: (isPaused: boolean) => void;
  /** For tests. */
  readonly bytesMax?: number;
}

/** See the top of this file. */
export class Brake {
  readonly #options: BrakeOptions;
  readonly #bytesMax: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: BrakeOptions) {
    this.#options = options;
    this.#bytesMax = options.bytesMax ?? WAITING_BYTES_MAX;
  }

  /** To be called after each input. */
  look(): void {
    const { waitingBytes, setPaused } = this.#options;
    if (this.#timer !== undefined || waitingBytes() <= this.#bytesMax) return;
    setPaused(true);
    this.#timer = setInterval(() => {
      // Half, so that it does not stop and go with every write.
      if (waitingBytes() > this.#bytesMax / 2) return;
      this.stop();
      setPaused(false);
    }, LOOK_MS);
  }

  /** Looks no more. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

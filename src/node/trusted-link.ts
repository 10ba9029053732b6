/** The trusted component as the host's port: calls go out in order; a lost process is reported, found again, reported. */
import type { TrustedPort } from '../host/ports.ts';

/** The part of a connection to a trusted component that is needed here. */
export interface TrustedChannel {
  /** The answer is undefined if the connection was lost before it came. */
  send(request: Uint8Array, onResponse: (response: Uint8Array | undefined) => void): void;
  onClose(listener: (reason: string) => void): void;
  close(): void;
}

/** Where the link reports. */
export interface TrustedLinkEvents {
  onResponse(id: number, response: Uint8Array): void;
  onLost(reason: string): void;
  onBack(): void;
  /** Why it cannot be reached, each time that it is tried in vain. */
  onProblem(problem: string): void;
}

const RETRY_MS = 200;
const RETRY_CAP_MS = 5_000;

/** See the top of this file. */
export class TrustedLink implements TrustedPort {
  readonly #open: () => Promise<TrustedChannel>;
  readonly #events: TrustedLinkEvents;
  #channel: TrustedChannel | undefined;
  #timer: NodeJS.Timeout | undefined;
  #attempts = 0;
  #closed = false;

  /** `channel` is open already; `open` finds it again. */
  constructor(channel: TrustedChannel, open: () => Promise<TrustedChannel>, events: TrustedLinkEvents) {
    this.#open = open;
    this.#events = events;
    this.#take(channel);
  }

  call(id: number, request: Uint8Array): void {
    // A call to a lost component gets no answer; the host asks again when it is told that it is back.
    this.#channel?.send(request, (response) => {
      if (response !== undefined && !this.#closed) this.#events.onResponse(id, response);
    });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#channel?.close();
  }

  #take(channel: TrustedChannel): void {
    this.#channel = channel;
    channel.onClose((reason) => {
      if (this.#closed || this.#channel !== channel) return;
      this.#channel = undefined;
      this.#attempts = 0;
      this.#events.onLost(reason);
      this.#retryLater();
    });
  }

  #retryLater(): void {
    if (this.#closed) return;
    const delayMs = Math.min(RETRY_CAP_MS, RETRY_MS * 2 ** this.#attempts);
    this.#attempts += 1;
    this.#timer = setTimeout(() => void this.#retry(), delayMs);
  }

  async #retry(): Promise<void> {
    let channel: TrustedChannel;
    try {
      channel = await this.#open();
    } catch (error) {
      if (this.#closed) return;
      this.#events.onProblem((error as Error).message);
      this.#retryLater();
      return;
    }
    if (this.#closed) {
      channel.close();
      return;
    }
    this.#take(channel);
    this.#events.onBack();
  }
}

/**
 * The trusted component as the host's port: calls go out in order; a component that is lost or hangs is reported, found
 * again, reported. One that came back as another one (a volatile component was started anew) is never sealed with:
 * what follows from that is for the triage of the next start (decision A3).
 */
import type { TcEpoch } from '../core/types.ts';
import type { TrustedConnection } from '../footprints/contract.ts';
import type { TrustedPort } from '../host/ports.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../trusted/frames.ts';

/** Where the link reports. */
export interface TrustedLinkEvents {
  onResponse(id: number, response: Uint8Array): void;
  /** The component was lost, or has not answered in time. */
  onLost(reason: string): void;
  onBack(): void;
  /** Why it cannot be reached, each time that it is tried in vain. */
  onProblem(problem: string): void;
  /** What answers now is another component than the one before. Nothing more is reported after this. */
  onReplaced(before: TcEpoch, now: TcEpoch): void;
}

/** What a link is made of. */
export interface TrustedLinkOptions {
  /** Open already. */
  readonly channel: TrustedConnection;
  /** Finds it again. */
  readonly open: () => Promise<TrustedConnection>;
  /** tcEpoch that the host seals under; undefined as long as it does not know. */
  readonly tcEpoch: () => TcEpoch | undefined;
  readonly events: TrustedLinkEvents;
  /** A component that takes longer to answer is reported as lost until it does (decision A6). Milliseconds. */
  readonly answerMs?: number;
  /** So often a component that has nothing to do is asked whether it is there. Milliseconds. */
  readonly probeMs?: number;
}

const RETRY_MS = 200;
const RETRY_CAP_MS = 5_000;
const ANSWER_MS = 3_000;
const PROBE_MS = 2_000;

/** See the top of this file. */
export class TrustedLink implements TrustedPort {
  readonly #options: TrustedLinkOptions;
  readonly #probing: NodeJS.Timeout;
  #channel: TrustedConnection | undefined;
  /** Whether the host may use the channel: what is at its other end is the component that it knows. */
  #isKnown = true;
  #retryTimer: NodeJS.Timeout | undefined;
  #answerTimer: NodeJS.Timeout | undefined;
  #outstanding = 0;
  #isOverdue = false;
  #attempts = 0;
  #closed = false;

  constructor(options: TrustedLinkOptions) {
    this.#options = options;
    this.#take(options.channel);
    this.#probing = setInterval(() => {
      if (this.#outstanding === 0 && this.#isKnown) this.#probe();
    }, options.probeMs ?? PROBE_MS);
    this.#probing.unref();
  }

  /** What keeps the component's process inside; undefined where it has none, or is lost. */
  get hardening(): TrustedConnection['hardening'] {
    return this.#channel?.hardening;
  }

  /** Why nothing does, where its process could be kept inside. */
  get plainReason(): TrustedConnection['plainReason'] {
    return this.#channel?.plainReason;
  }

  call(id: number, request: Uint8Array): void {
    // A call to a lost component gets no answer; the host asks again when it is told that it is back.
    if (!this.#isKnown) return;
    this.#send(request, (response) => {
      // The answer itself tells the host that the component is there again.
      this.#isOverdue = false;
      this.#options.events.onResponse(id, response);
    });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#answerTimer);
    clearInterval(this.#probing);
    this.#channel?.close();
  }

  #send(request: Uint8Array, onAnswer: (response: Uint8Array) => void): void {
    const channel = this.#channel;
    if (channel === undefined || this.#closed) return;
    this.#outstanding += 1;
    if (this.#outstanding === 1) this.#watch();
    channel.send(request, (response) => {
      if (this.#closed || this.#channel !== channel) return;
      this.#outstanding -= 1;
      this.#watch();
      if (response !== undefined) onAnswer(response);
    });
  }

  /** Answers come in order, so that one clock for the next of them is enough. */
  #watch(): void {
    clearTimeout(this.#answerTimer);
    if (this.#outstanding === 0) return;
    const limitMs = this.#options.answerMs ?? ANSWER_MS;
    this.#answerTimer = setTimeout(() => {
      if (this.#closed || this.#isOverdue) return;
      this.#isOverdue = true;
      this.#options.events.onLost(`it has not answered for ${limitMs} ms`);
    }, limitMs);
    this.#answerTimer.unref();
  }

  #take(channel: TrustedConnection): void {
    this.#channel = channel;
    this.#outstanding = 0;
    channel.onClose((reason) => {
      if (this.#closed || this.#channel !== channel) return;
      this.#channel = undefined;
      this.#isKnown = false;
      this.#attempts = 0;
      this.#outstanding = 0;
      clearTimeout(this.#answerTimer);
      if (!this.#isOverdue) this.#options.events.onLost(reason);
      this.#isOverdue = true;
      this.#retryLater();
    });
  }

  /** Asks the component who it is, before anything is sealed with it and now and then. */
  #probe(): void {
    this.#send(encodeTrustedRequest({ op: 'identify' }), (bytes) => {
      const { events, tcEpoch } = this.#options;
      const answer = decodeTrustedResponse(bytes);
      if (answer?.op !== 'identify') return events.onProblem('it does not say who it is');
      const before = tcEpoch();
      const now = answer.identity.tcEpoch;
      if (before !== undefined && now !== before) {
        this.close();
        return events.onReplaced(before, now);
      }
      this.#isKnown = true;
      if (!this.#isOverdue) return;
      this.#isOverdue = false;
      events.onBack();
    });
  }

  #retryLater(): void {
    if (this.#closed) return;
    const delayMs = Math.min(RETRY_CAP_MS, RETRY_MS * 2 ** this.#attempts);
    this.#attempts += 1;
    this.#retryTimer = setTimeout(() => void this.#retry(), delayMs);
  }

  async #retry(): Promise<void> {
    let channel: TrustedConnection;
    try {
      channel = await this.#options.open();
    } catch (error) {
      if (this.#closed) return;
      this.#options.events.onProblem((error as Error).message);
      this.#retryLater();
      return;
    }
    if (this.#closed) {
      channel.close();
      return;
    }
    this.#take(channel);
    this.#probe();
  }
}

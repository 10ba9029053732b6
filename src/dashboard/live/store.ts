/** Holds what the page knows and tells the views when it has changed, but not more often than they can be drawn. */
import { NOTHING_KNOWN, withEvent, withNote } from './cluster-state.ts';
import type { ClusterState } from './cluster-state.ts';
import type { FeedEvent } from './feed.ts';
import { LiveMessages } from './messages.ts';

/** Views are told at most so often. */
const TELL_MS = 200;

/** See the top of this file. */
export class LiveStore {
  readonly messages = new LiveMessages();
  readonly #listeners = new Set<() => void>();
  readonly #later: (tell: () => void, ms: number) => void;
  #state = NOTHING_KNOWN;
  readonly #now: () => number;
  #isDue = false;
  /** What must be added to the own clock to have that of the gateway. */
  #aheadMs = 0;

  /** `later`: a timer. `now`: the own clock. */
  constructor(later: (tell: () => void, ms: number) => void, now: () => number) {
    this.#later = later;
    this.#now = now;
  }

  /** What is known now. */
  get state(): ClusterState {
    return this.#state;
  }

  /** Takes an event of the feed. */
  take(event: FeedEvent): void {
    this.#state = withEvent(this.#state, event);
    // Before the first status nobody knows how many replicas "all others" are.
    if (event.kind === 'status') this.#aheadMs = event.status.nowMs - this.#now();
    const replicas = this.#state.status?.replicas.length;
    if (event.kind === 'moments' && replicas !== undefined) this.messages.add(event.moments, replicas);
    this.#changed();
  }

  /** Adds what was done from this page. */
  note(text: string): void {
    this.#state = withNote(this.#state, text, this.gatewayNowMs);
    this.#changed();
  }

  /** Clock of the gateway, as far as it is known. */
  get gatewayNowMs(): number {
    return this.#now() + this.#aheadMs;
  }

  /** Calls `listener` after changes; the answer ends that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #changed(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#later(() => {
      this.#isDue = false;
      for (const listener of [...this.#listeners]) listener();
    }, TELL_MS);
  }
}

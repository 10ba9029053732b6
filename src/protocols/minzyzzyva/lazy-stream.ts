/**
 * Own SPECs travel inside answers to clients; other replicas need them only to see that an order is final. They get them
 * together, a little later, and ask where that takes too long.
 */
import type { Milliseconds, ReplicaId } from '../../core/types.ts';
import type { ReplicaState } from '../../smr/usig-replica/state.ts';
import type { Spec } from '../../smr/usig-stream/messages.ts';
import { STREAM_BATCH_MAX } from '../../smr/usig-stream/plain.ts';

/** SPECs that are held back, at most. */
const HELD_MAX = Math.min(32, STREAM_BATCH_MAX);
/** The author itself is asked so often before everybody is. */
const ASK_AUTHOR_FIRST = 2;
/** The longest wait, as a part of the request timer: well below it, so that nobody complains for want of votes. */
const WAIT_OF_REQUEST = 1 / 20;

/** See the top of this file. */
export class LazyStream {
  readonly #s: ReplicaState;
  readonly #waitMs: Milliseconds;
  #held: Spec[] = [];
  /** When the stream of each replica was asked for last, where it stood, and how often there. */
  readonly #asked: (
    { readonly atMs: Milliseconds; readonly counter: number; readonly times: number } | undefined
  )[] = [];

  constructor(s: ReplicaState) {
    this.#s = s;
    this.#waitMs = Math.max(1, s.timers.requestMs * WAIT_OF_REQUEST);
  }

  /** An own SPEC is sealed. */
  add(spec: Spec): void {
    this.#held.push(spec);
    if (this.#held.length >= HELD_MAX) this.flush();
    else this.#s.wakeAt('lazy', this.#s.now + this.#waitMs);
  }

  /** Sends what is held: when the wait is over, and before anything else of the own stream. */
  flush(): void {
    if (this.#held.length === 0) return;
    const votes = this.#held;
    this.#held = [];
    this.#s.broadcast({ kind: 'STREAM-BATCH', votes });
  }

  /** Asks everybody for what its stream says beyond what is known here. */
  pull(): void {
    this.flush();
    for (const replica of this.#s.slots.keys()) this.pullFrom(replica);
  }

  /** Asks for one stream, not again before an answer could have come; of everybody if its author does not answer. */
  pullFrom(replica: ReplicaId): void {
    const s = this.#s;
    const { state } = s.slots[replica]!;
    const asked = this.#asked[replica];
    if (replica === s.self || state.dead) return;
    if (asked !== undefined && s.now - asked.atMs < s.timers.gapMs) return;
    const { incarnation, counter } = state;
    const times = asked?.counter === counter ? asked.times + 1 : 1;
    this.#asked[replica] = { atMs: s.now, counter, times };
    const question = { kind: 'RESEND-REQUEST', author: replica, incarnation, counter: counter + 1 } as const;
    if (times > ASK_AUTHOR_FIRST) s.broadcast(question);
    else s.send(replica, question);
  }
}

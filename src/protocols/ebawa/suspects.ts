/**
 * Whom an EBAWA replica suspects: owners whose slot stayed undecided while others went on (EBAWA.VC.1), for a time that
 * doubles with each time (EBAWA.VC.5), and streams that broke a rule, for ever. Suspicion costs an owner its slots in the
 * next view, never safety. If the coordinator itself is faulty, the next view follows as in MinBFT (EBAWA.VC.6).
 */
import type { Milliseconds, ReplicaId, SequenceNumber } from '../../core/types.ts';
import { requestDelay } from '../../smr/usig-replica/execution.ts';
import type { ReplicaState } from '../../smr/usig-replica/state.ts';
import { requestViewChangeTo } from '../../smr/usig-replica/suspicion.ts';

/** First time of suspicion, in request timers. */
const FIRST_OF_REQUEST = 20;
const DOUBLINGS_MAX = 10;
/** T_slot: how long a slot may stay undecided, as a part of the request timer. */
const SLOT_OF_REQUEST = 1 / 4;

/** See the top of this file. */
export class Suspects {
  readonly #s: ReplicaState;
  /** By replica: until when, and how often it was suspected. */
  readonly #until: { atMs: Milliseconds; times: number }[];
  #waiting: { readonly slot: SequenceNumber; readonly since: Milliseconds; asked: boolean } | undefined;

  constructor(s: ReplicaState) {
    this.#s = s;
    this.#until = s.slots.map(() => ({ atMs: 0, times: 0 }));
  }

  /** No slot holds up others. */
  calm(): void {
    this.#waiting = undefined;
  }

  /**
   * A slot is undecided and others beyond it are proposed. `shown`: PREPARE and body are here, so votes are lacking: they
   * are asked for first, and the owner gets twice the time.
   */
  waitFor(slot: SequenceNumber, owner: ReplicaId, shown: boolean): void {
    const s = this.#s;
    if (this.#waiting?.slot !== slot) this.#waiting = { slot, since: s.now, asked: false };
    const waiting = this.#waiting;
    const delay = requestDelay(s) * SLOT_OF_REQUEST;
    const due = waiting.since + delay;
    if (due > s.now) return s.wakeAt('slot', due);
    if (!waiting.asked) {
      waiting.asked = true;
      this.#askForStreams();
    }
    if (shown && due + delay > s.now) return s.wakeAt('slot', due + delay);
    if (s.rule('EBAWA.VC.1', owner === s.self || s.requested > s.view, `slot ${slot}`)) return;
    this.suspect(owner);
    requestViewChangeTo(s, s.view + 1);
  }

  #askForStreams(): void {
    const s = this.#s;
    for (const [author, { state }] of s.slots.entries()) {
      const { incarnation, counter } = state;
      if (author !== s.self && !state.dead)
        s.broadcast({ kind: 'RESEND-REQUEST', author, incarnation, counter: counter + 1 });
    }
  }

  suspect(replica: ReplicaId): void {
    const s = this.#s;
    const entry = this.#until[replica];
    if (entry === undefined || replica === s.self || entry.atMs > s.now) return;
    entry.atMs = s.now + FIRST_OF_REQUEST * s.timers.requestMs * 2 ** Math.min(entry.times, DOUBLINGS_MAX);
    entry.times += 1;
    s.note('suspectOwner', { replica, times: entry.times });
  }

  /** Ascending, as a VIEW-CHANGE names them (EBAWA.VC.2). */
  all(): ReplicaId[] {
    const s = this.#s;
    return s.slots.flatMap(({ state }, replica) =>
      replica !== s.self && (state.dead || this.#until[replica]!.atMs > s.now) ? [replica] : [],
    );
  }
}

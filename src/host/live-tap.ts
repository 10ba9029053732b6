/**
 * What a replica tells those who watch it (`core/live.ts`): messages that it sent and took, what it executed, views that
 * it entered. It is written down only while somebody watches, that is for five seconds after each question, into a ring;
 * else each place that could tell something only finds that nobody asks. Nothing here changes what the replica does.
 */
import type { LiveAnswer, LiveMoment, MessageLabel } from '../core/live.ts';
import { LIVE_FLOOD_MAX, LIVE_MOMENTS_MAX } from '../core/live.ts';
import type { Input, RuleTrace } from '../core/protocol.ts';
import type { Digest, Height, Milliseconds, ReplicaId, SequenceNumber, View } from '../core/types.ts';
import type { ExecutionOutcome } from '../ledger/contract.ts';
import { aboutOf, writeLabel } from './message-label.ts';
import type { LabelDraft } from './message-label.ts';

type SentDraft = LabelDraft & { readonly at: 'sent'; readonly ms: Milliseconds; readonly to?: ReplicaId };
type TakenDraft = LabelDraft & {
  readonly at: 'taken';
  readonly ms: Milliseconds;
  readonly from: ReplicaId;
  refused?: string;
};

/** How long one question keeps the watch up. */
const LEASE_MS: Milliseconds = 5_000;
/** Moments that are kept. */
const RING_MAX = 2_048;
/** Refusals of one step that are looked at. */
const REFUSALS_MAX = 64;
const CURSOR = /^([0-9a-z]{1,16})-([0-9]{1,15})$/;

/** What the tap is made of. */
export interface LiveTapOptions {
  /** Another one in each life of the replica; lower-case letters and digits, at most 16. */
  readonly life: string;
  /** View that the replica is in. */
  readonly view: () => View;
  readonly height: () => Height;
}

/** See the top of this file. */
export class LiveTap<M> {
  /** Whether somebody watches: to be asked before anything is told. */
  isWatched = false;
  /** Whether rules are to be told of: a message is being judged, and somebody watches. */
  isJudging = false;
  readonly #options: LiveTapOptions;
  /** The moment of number n lies at n modulo the ring's length. */
  #ring: LiveMoment[] = [];
  /** Number of the oldest moment that is kept, and of the next one. */
  #first = 0;
  #next = 0;
  #since: Milliseconds = 0;
  #view: View | undefined;
  /** Rules that refused in this step. */
  readonly #refusals: { readonly rule: string; readonly about: string }[] = [];
  #ignored: string | undefined;

  constructor(options: LiveTapOptions) {
    this.#options = options;
  }

  /** What happened since `cursor`; keeps the watch up. Any other cursor means the beginning. */
  answer(cursor: string, now: Milliseconds): LiveAnswer {
    if (this.isWatched) this.#endWhenDue(now);
    if (!this.isWatched) {
      this.isWatched = true;
      this.#view = undefined;
    }
    this.#since = now;
    const { life } = this.#options;
    const [, itsLife, number] = CURSOR.exec(cursor) ?? [];
    const known = itsLife === life ? Number(number) : this.#first;
    const wanted = known > this.#next ? this.#first : known;
    let from = Math.max(wanted, this.#first);
    // A flood is not to be read by anybody: its end shows what happens now, and costs less.
    if (this.#next - from > LIVE_MOMENTS_MAX) from = this.#next - LIVE_FLOOD_MAX;
    const moments: LiveMoment[] = [];
    for (let at = from; at < this.#next; at += 1) moments.push(this.#ring[at % RING_MAX]!);
    return { cursor: `${life}-${this.#next}`, moments, missed: from - wanted };
  }

  /** The protocol is about to take a step; rules are listened to only where they may refuse a message. */
  beforeStep(input: Input<M>): void {
    this.isJudging = input.kind === 'message';
  }

  /** A rule was judged while a message was taken; only refusals that say what they are about count. */
  onRule({ rule, passed, about }: RuleTrace): void {
    if (!passed && about !== undefined && this.#refusals.length < REFUSALS_MAX)
      this.#refusals.push({ rule, about });
  }

  /** Something of a peer is ignored; the `taken` that follows says why. */
  onIgnored(reason: string): void {
    this.#ignored = reason;
  }

  /** The protocol took one step with this input. */
  afterStep(input: Input<M>, now: Milliseconds): void {
    this.isJudging = false;
    this.#ignored = undefined;
    if (input.kind === 'message') {
      const moment = writeLabel<TakenDraft>(
        { at: 'taken', ms: now, from: input.from, kind: '' },
        input.message,
      );
      // Others that were held back may be judged in the same step: only what is about this kind counts.
      const refusal = this.#refusals.find(({ about }) => about === moment.kind);
      if (refusal !== undefined) moment.refused = refusal.rule;
      this.#add(moment);
      this.#look(moment.view, now);
    }
    this.#refusals.length = 0;
  }

  /** A message of the protocol was sent; `to` undefined: to all others. */
  onMessageSent(message: M, to: ReplicaId | undefined, now: Milliseconds): void {
    const moment: SentDraft =
      to === undefined ? { at: 'sent', ms: now, kind: '' } : { at: 'sent', ms: now, to, kind: '' };
    this.#add(writeLabel(moment, message));
    this.#look(moment.view, now);
  }

  /** A frame without a message was sent; `to` undefined: to all others. */
  onFrameSent(kind: string, to: ReplicaId | undefined, now: Milliseconds): void {
    this.#add(to === undefined ? { at: 'sent', ms: now, kind } : { at: 'sent', ms: now, to, kind });
  }

  /** Something arrived that is not for the protocol, or not fit for it: then `onIgnored` said why. */
  onArrived(from: ReplicaId, label: MessageLabel, now: Milliseconds): void {
    const refused = this.#ignored;
    this.#ignored = undefined;
    this.#add({ at: 'taken', ms: now, from, ...(refused === undefined ? {} : { refused }), ...label });
  }

  /** The ledger executed a batch, or applied what one changed. */
  onExecuted(
    sequence: SequenceNumber,
    { replies }: Pick<ExecutionOutcome, 'replies'>,
    now: Milliseconds,
    batch?: Digest,
  ): void {
    const requests = replies.reduce((sum, { results }) => sum + results.length, 0);
    const height = this.#options.height();
    const about = aboutOf(batch);
    const what = about === undefined ? {} : { about };
    this.#add({ at: 'executed', ms: now, sequence, height, requests, ...what });
  }

  /** A message of another view than the one that was seen last is the time to ask for the replica's own. */
  #look(view: View | undefined, now: Milliseconds): void {
    if (view === undefined || view === this.#view || !this.isWatched) return;
    const entered = this.#options.view();
    if (this.#view !== undefined && entered !== this.#view) this.#add({ at: 'view', ms: now, view: entered });
    this.#view = entered;
  }

  #add(moment: LiveMoment): void {
    this.#endWhenDue(moment.ms);
    if (!this.isWatched) return;
    this.#ring[this.#next % RING_MAX] = moment;
    this.#next += 1;
    this.#first = Math.max(this.#first, this.#next - RING_MAX);
  }

  /** A clock that jumped ends the watch, too: whoever watches asks again. */
  #endWhenDue(now: Milliseconds): void {
    const passed = now - this.#since;
    if (passed >= 0 && passed < LEASE_MS) return;
    this.isWatched = false;
    this.#ring = [];
    this.#first = this.#next;
    this.#refusals.length = 0;
  }
}

/**
 * What an EBAWA replica proposes, votes for and suspects: own requests in own slots, a SKIP where there are none, one
 * COMMIT-VEC for what others proposed, and a view change without the owner whose slot stays undecided.
 */
import type { CheckpointState } from '../../core/protocol.ts';
import { Reader, Writer } from '../../core/codec.ts';
import type { Batch, Bundle } from '../../core/request.ts';
import type { Digest, Milliseconds, ReplicaId, SequenceNumber } from '../../core/types.ts';
import { inFlightMaxOf } from '../../smr/batcher.ts';
import { currentEntry } from '../../smr/registry.ts';
import {
  advanceExecution,
  makeBodyDurable,
  onExecuted,
  updateExecutingView,
} from '../../smr/usig-replica/execution.ts';
import {
  bodyAllows,
  coverageBoundary,
  logHasRoom,
  propose,
  readyRecovers,
} from '../../smr/usig-replica/ordering.ts';
import type { ProtocolPart } from '../../smr/usig-replica/part.ts';
import type { ReplicaState, StreamItem } from '../../smr/usig-replica/state.ts';
import { requestViewChangeTo } from '../../smr/usig-replica/suspicion.ts';
import type { Draft, NewViewReference, Prepare, StreamMessage } from '../../smr/usig-stream/messages.ts';
import { lastSlotOf, proposalsIn } from '../../smr/usig-stream/slots.ts';
import { VECTOR_MAX } from '../../smr/usig-stream/wire.ts';
import { HomeRequests } from './home.ts';
import { indexAt, isSkip, nextSlot, ownerIndex, ownersOf, roundEnd, RUN_MAX, skipBatch } from './slots.ts';
import { Suspects } from './suspects.ts';

/** Votes for SKIPs alone wait so long for more of them. */
const TICK_MS: Milliseconds = 5;

/** Key of the view that was executed in last. */
const FLOOR_KEY = 'floor';
const NOTHING = new Uint8Array(0);

/** See the top of this file. */
export class Owners implements ProtocolPart {
  readonly #s: ReplicaState;
  readonly #suspects: Suspects;
  readonly #home: HomeRequests;
  /** Highest slot that anything in the own view was proposed for. */
  #highest: SequenceNumber = 0;
  /** Since when there are SKIPs and nothing else to vote for. */
  #skipsSince: Milliseconds | undefined;
  /** Own proposals and votes for those of others take turns. */
  #votedLast = false;

  constructor(s: ReplicaState) {
    this.#s = s;
    this.#suspects = new Suspects(s);
    this.#home = new HomeRequests(s);
  }

  // ---- Proposals and votes

  nextOrder(): Draft | undefined {
    const s = this.#s;
    if (!s.rule('MinBFT.LEADER.3', logHasRoom(s))) return undefined;
    const first = this.#votedLast ? this.#proposal() : this.#vector();
    const draft = first ?? (this.#votedLast ? this.#vector() : this.#proposal());
    if (draft !== undefined) this.#votedLast = draft.kind === 'COMMIT-VECTOR';
    return draft;
  }

  #proposal(): Draft | undefined {
    const s = this.#s;
    const { newView, incarnation, last } = s.own.state;
    const index = ownerIndex(newView, s.self, incarnation);
    if (index < 0) return undefined;
    const n = nextSlot(newView, index, last![index]!.sequence);
    if (!s.rule('EBAWA.ORD.1', n <= s.covered + s.window)) return undefined;
    return this.#batch(n) ?? this.#skip(newView, n);
  }

  /** EBAWA.ORD.1: the own requests in the next own slot, not too many at once. */
  #batch(n: SequenceNumber): Draft | undefined {
    const s = this.#s;
    const { newView } = s.own.state;
    if (n <= s.executed) return undefined;
    const inFlight = Math.ceil((n - 1 - s.executed) / ownersOf(newView).length) - 1;
    if (inFlight >= inFlightMaxOf(s.limits)) return undefined;
    this.#home.reopenDue();
    const recovers = s.primaryOf(newView.view) === s.self ? readyRecovers(s, n) : [];
    const content = propose(s, n, Math.max(0, inFlight), recovers);
    return content === undefined ? undefined : { ...content, run: 1 };
  }

  /**
   * EBAWA.ORD.2: an owner that has nothing to propose skips its slots up to the end of the round in which others have
   * proposed, up to what a RECOVER asks for, and up to what was executed without it; never beyond the window.
   */
  #skip(newView: NewViewReference, n: SequenceNumber): Draft | undefined {
    const s = this.#s;
    const seen = this.#highest > newView.end ? roundEnd(newView, this.#highest) : 0;
    const target = Math.max(seen, coverageBoundary(s) ?? 0, s.executed);
    const idle = n <= s.executed || !s.pending.hasUnproposed;
    if (!s.rule('EBAWA.ORD.2', idle && n <= target)) return undefined;
    const limit = Math.min(target, s.covered + s.window);
    const step = ownersOf(newView).length;
    const run = Math.min(Math.floor((limit - n) / step) + 1, RUN_MAX);
    const batch = skipBatch(s.streamContext, newView.view);
    s.bodies.keep(batch);
    makeBodyDurable(s, batch, n + (run - 1) * step);
    return {
      kind: 'PREPARE',
      view: newView.view,
      configurationVersion: s.streamContext.domain.configurationVersion,
      newViewCounter: newView.counter,
      sequence: n,
      batchDigest: batch.digest,
      recovers: [],
      run,
    };
  }

  /**
   * EBAWA.ORD.3: one vote for all that may be voted for. What holds requests is voted for at once, SKIPs alone wait a
   * tick for more of them. A proposal whose body is missing holds up its own owner only.
   */
  #vector(): Draft | undefined {
    const s = this.#s;
    const { newView } = s.own.state;
    const urgent: Prepare[] = [];
    const skips: Prepare[] = [];
    for (const index of ownersOf(newView).keys()) {
      const found = this.#votable(index, VECTOR_MAX - urgent.length - skips.length);
      (found.some((prepare) => !isSkip(s.streamContext, prepare)) ? urgent : skips).push(...found);
    }
    if (skips.length === 0) this.#skipsSince = undefined;
    else this.#skipsSince ??= s.now;
    const due = this.#skipsSince === undefined ? Infinity : this.#skipsSince + TICK_MS;
    if (due <= s.now) {
      urgent.push(...skips);
      this.#skipsSince = undefined;
    } else if (due < Infinity) s.wakeAt('tick', due);
    return urgent.length === 0 ? undefined : { kind: 'COMMIT-VECTOR', prepares: urgent };
  }

  /** Proposals of one owner that may be voted for, in slot order; holes only where own and stable checkpoint cover them. */
  #votable(index: number, room: number): Prepare[] {
    const s = this.#s;
    const { newView, last } = s.own.state;
    const owner = ownersOf(newView)[index]!;
    const found: Prepare[] = [];
    // EBAWA.VC.7: slots of an incarnation that was retired are void.
    if (owner.replica === s.self || currentEntry(s.registry, owner.replica).incarnation !== owner.incarnation)
      return found;
    const { proposals } = s.groups.of(newView);
    let { sequence: after, counter } = last![index]!;
    while (found.length < room) {
      const next = nextSlot(newView, index, after);
      const prepare =
        proposals.get(next) ??
        (next <= s.covered ? proposals.get(nextSlot(newView, index, s.covered)) : undefined);
      if (prepare === undefined || prepare.ui.counter <= counter || prepare.sequence < next) break;
      const until = lastSlotOf(newView, prepare);
      if (!s.rule('EBAWA.ORD.3', until <= s.covered + s.window)) break;
      if (!this.#isReady(prepare)) break;
      found.push(prepare);
      after = until;
      ({ counter } = prepare.ui);
    }
    return found;
  }

  #isReady(prepare: Prepare): boolean {
    const s = this.#s;
    if (prepare.sequence <= s.executed && s.bodies.isDurable(prepare.batchDigest)) return true;
    if (!isSkip(s.streamContext, prepare)) return bodyAllows(s, prepare);
    const batch = skipBatch(s.streamContext, prepare.view);
    s.bodies.keep(batch);
    makeBodyDurable(s, batch, lastSlotOf(s.own.state.newView, prepare));
    return true;
  }

  publish(message: StreamMessage): void {
    this.#s.broadcast(message);
  }

  onAccepted(_author: ReplicaId, item: StreamItem): void {
    const { newView } = this.#s.own.state;
    for (const prepare of proposalsIn(item))
      if (prepare.view === newView.view && prepare.newViewCounter === newView.counter)
        this.#highest = Math.max(this.#highest, lastSlotOf(newView, prepare));
  }

  // ---- Execution

  /**
   * EBAWA.EXEC.1: slot by slot, on f+1 votes for one proposal. EBAWA.EXEC.2: for a SKIP as for any other. EBAWA.EXEC.3:
   * not below the view of an installed checkpoint, nor of what was executed before a restart: an old view may show votes
   * for a slot that a later one has given to another proposal.
   */
  advance(): boolean {
    const s = this.#s;
    updateExecutingView(s);
    const { view } = s.groups.executing.reference;
    if (view > s.executionFloor) {
      s.executionFloor = view;
      s.store([{ key: FLOOR_KEY, value: new Writer(8).u64(view).finish() }]);
    }
    const moved = advanceExecution(s);
    this.#watch();
    return moved;
  }

  onRestore(stored: ReadonlyMap<string, Uint8Array>): void {
    const reader = new Reader(stored.get(FLOOR_KEY) ?? NOTHING);
    const view = reader.u64();
    if (reader.done()) this.#s.executionFloor = Math.max(this.#s.executionFloor, view);
  }

  /** EBAWA.EXEC.4: the host answers. EBAWA.CKPT.1: a boundary is a slot, also in the middle of a run. */
  onExecuted(sequence: SequenceNumber, checkpoint: CheckpointState | undefined): void {
    onExecuted(this.#s, sequence, checkpoint);
  }

  impliedBody(entry: Prepare): Batch | undefined {
    const { streamContext } = this.#s;
    return isSkip(streamContext, entry) ? skipBatch(streamContext, entry.view) : undefined;
  }

  /** What lies in the base of the view belongs to nobody in it. */
  ownerOf(n: SequenceNumber): ReplicaId | undefined {
    const { newView } = this.#s.own.state;
    return n <= newView.end ? undefined : ownersOf(newView)[indexAt(newView, n)]?.replica;
  }

  /** EBAWA.VC.7: what an owner proposed under an incarnation that the registry has retired does not count any more. */
  isVoid({ ui }: Prepare): boolean {
    const s = this.#s;
    const valid =
      s.knowledge.book.incarnationOf(ui.replica, ui.tcEpoch) ===
      currentEntry(s.registry, ui.replica).incarnation;
    return !s.rule('EBAWA.VC.7', valid);
  }

  // ---- Suspicion

  /** Owners that are dead or retired end the view; so does one whose slot stays undecided while others go on. */
  #watch(): void {
    const s = this.#s;
    const { newView, mode } = s.own.state;
    if (!s.active || mode !== 'active') return;
    for (const { replica, incarnation } of ownersOf(newView)) {
      if (replica === s.self) continue;
      const current = currentEntry(s.registry, replica).incarnation === incarnation;
      const dead = s.slots[replica]!.state.dead && s.slots[replica]!.state.incarnation === incarnation;
      if (dead || !s.rule('EBAWA.VC.7', current)) requestViewChangeTo(s, s.view + 1);
    }
    const n = s.executed + 1;
    const waits =
      s.executing === undefined &&
      s.transferring === undefined &&
      n > newView.end &&
      n <= this.#highest &&
      s.groups.executing.reference.digest === newView.digest;
    if (!waits) {
      this.#suspects.calm();
      return;
    }
    const proposal = s.groups.of(newView).proposals.get(n);
    const shown = proposal !== undefined && bodyIsHere(s, proposal);
    this.#suspects.waitFor(n, ownersOf(newView)[indexAt(newView, n)]!.replica, shown);
  }

  suspects(): readonly ReplicaId[] {
    return this.#suspects.all();
  }

  onBadBatch({ ui }: Prepare): void {
    this.#suspects.suspect(ui.replica);
  }

  /** What the own votes quote, or what was executed, goes beyond what is shown of an owner's stream. */
  lacksStreams(): boolean {
    const s = this.#s;
    const { mode, newView, last } = s.own.state;
    if (mode !== 'active') return false;
    return ownersOf(newView).some(({ replica, incarnation }, index) => {
      const shown = s.slots[replica]!.state;
      if (replica === s.self || shown.incarnation !== incarnation) return false;
      if (shown.counter < last![index]!.counter) return true;
      const proposed = shown.newView.digest === newView.digest ? shown.last?.[index]?.sequence : undefined;
      const executesHere = s.groups.executing.reference.digest === newView.digest;
      return executesHere && proposed !== undefined && nextSlot(newView, index, proposed) <= s.executed;
    });
  }

  // ---- Views and requests

  /** EBAWA.VC.5: owners go on above the base, once their own COMMIT-NV is sealed. */
  onViewEntered(): void {
    const s = this.#s;
    const { newView } = s.own.state;
    this.#highest = 0;
    for (const prepare of s.groups.of(newView).proposals.values())
      this.#highest = Math.max(this.#highest, lastSlotOf(newView, prepare));
    this.#skipsSince = undefined;
    this.#suspects.calm();
    this.#home.onViewEntered();
  }

  onBundle(bundle: Bundle): void {
    this.#home.onBundle(bundle);
  }
}

function bodyIsHere(s: ReplicaState, { batchDigest }: { readonly batchDigest: Digest }): boolean {
  return s.bodies.isDurable(batchDigest) || s.bodies.get(batchDigest) !== undefined;
}

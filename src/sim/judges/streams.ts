/**
 * Streams, as correct replicas process them. All correct replicas that stand at one counter of a stream took the same
 * messages and have the same state (`stream`, invariant 2); what a correct replica seals is accepted by the rules as
 * another one applies them, from what it said before (`self-acceptance`, invariants 8 and 12).
 */
import type { ReplicaId } from '../../core/types.ts';
import type { Digest } from '../../core/types.ts';
import type { ReplicaState, StreamItem } from '../../smr/usig-replica/state.ts';
import { currentEntry } from '../../smr/registry.ts';
import type { FullNewView, LogEntry, StreamMessage, ViewChange } from '../../smr/usig-stream/messages.ts';
import { incarnationStream, stepStream } from '../../smr/usig-stream/stream.ts';
import type { StreamLookup, StreamState } from '../../smr/usig-stream/stream.ts';
import type { ValidationKnowledge } from '../../smr/usig-stream/validation.ts';
import { ValidationCache } from '../../smr/usig-stream/validation.ts';
import { validNewView, validViewChange } from '../../smr/usig-stream/view-change.ts';
import { resolveNewView } from '../../smr/usig-stream/view-change.ts';
import type { Bench } from './bench.ts';

/** What is known of one counter value of one incarnation. */
interface Place {
  readonly digest: Digest;
  readonly by: ReplicaId;
  /** Known as the stub of an older VIEW-CHANGE only: nobody who went on saw its content. */
  stub: boolean;
}

/** What correct replicas found in the stream of one incarnation of one replica. */
interface Record {
  readonly places: (Place | undefined)[];
  readonly states: ({ readonly state: StreamState; readonly by: ReplicaId } | undefined)[];
  highest: number;
  /** Where somebody stopped it. */
  deadAt: number | undefined;
}

/** The states of all correct replicas that run; what one of them lacks another may know. */
export type Running = () => readonly ReplicaState[];

/** See the top of this file. */
export class StreamJudge {
  readonly #bench: Bench;
  readonly #running: Running;
  /** By author, then incarnation. */
  readonly #records: Record[][] = [];
  /** The states that were seen last, by replica and author. */
  readonly #seen: (StreamState | undefined)[][] = [];
  /** The streams of correct replicas, worked out from what they sealed. */
  readonly #own: (StreamState | undefined)[] = [];
  readonly #cache = new ValidationCache();
  /** Own messages that were judged, and those that could not be for lack of content. */
  judged = 0;
  undecided = 0;

  constructor(bench: Bench, running: Running) {
    this.#bench = bench;
    this.#running = running;
  }

  /** A replica starts: it processes everything anew. */
  onStart(replica: ReplicaId): void {
    this.#seen[replica] = [];
  }

  onStep(s: ReplicaState): void {
    const seen = (this.#seen[s.self] ??= []);
    const { slots } = s;
    for (let author = 0; author < slots.length; author += 1) {
      const { state } = slots[author]!;
      const before = seen[author];
      if (state === before) continue;
      seen[author] = state;
      this.#compare(s, author, before, state);
      if (author === s.self) this.#judgeOwn(s, state);
    }
  }

  #compare(s: ReplicaState, author: ReplicaId, before: StreamState | undefined, state: StreamState): void {
    const { counter, incarnation } = state;
    const record = this.#recordOf(author, incarnation);
    const { log } = s.slots[author]!;
    const from = before !== undefined && before.incarnation === incarnation ? before.counter : log.first - 1;
    if (before !== undefined && before.incarnation === incarnation && counter < before.counter)
      this.#bench.report(
        'progress',
        `${s.self} went back in the stream of ${author}: ${counter} after ${before.counter}`,
      );
    for (let at = Math.max(1, from + 1); at <= counter; at += 1) {
      const item = log.get(at)?.item;
      if (item === undefined) continue;
      const digest = item.kind === 'NEW-VIEW' ? item.header.digest : item.digest;
      const known = record.places[at];
      const stub = item.kind === 'VIEW-CHANGE-STUB';
      if (known !== undefined && !stub) known.stub = false;
      if (known === undefined) record.places[at] = { digest, by: s.self, stub };
      else if (known.digest !== digest)
        this.#bench.report(
          'stream',
          `counter ${at} of replica ${author} (incarnation ${incarnation}): ${item.kind} at ${s.self}, something else at ${known.by}`,
        );
    }
    this.#compareState(s, author, state, record);
  }

  #compareState(s: ReplicaState, author: ReplicaId, state: StreamState, record: Record): void {
    const { counter, incarnation } = state;
    const known = record.states[counter];
    if (known === undefined) record.states[counter] = { state, by: s.self };
    else if (known.state !== state && !sameStream(known.state, state))
      this.#bench.report(
        'stream',
        `stream of ${author} (incarnation ${incarnation}) after ${counter}: ${JSON.stringify(state)} at ${s.self}, ${JSON.stringify(known.state)} at ${known.by}`,
      );
    record.highest = Math.max(record.highest, counter);
    if (state.dead) record.deadAt = Math.min(record.deadAt ?? Infinity, counter);
    // Rule V4 judges an older VIEW-CHANGE in a log by its view alone. Who saw its content stops there if that was
    // invalid; who learns of it from the log of a later, valid one goes on, and counts more of a liar than others do.
    const excused = record.deadAt !== undefined && record.places[record.deadAt + 1]?.stub === true;
    if (record.deadAt !== undefined && record.highest > record.deadAt && !excused)
      this.#bench.report(
        'stream',
        `the stream of ${author} is dead after ${record.deadAt} at one correct replica and goes on at another`,
      );
  }

  #recordOf(author: ReplicaId, incarnation: number): Record {
    const incarnations = (this.#records[author] ??= []);
    return (incarnations[incarnation] ??= { places: [], states: [], highest: 0, deadAt: undefined });
  }

  /** What an incarnation of a replica said at a counter, as far as a correct replica processed it. */
  digestAt(author: ReplicaId, incarnation: number, counter: number): Digest | undefined {
    return this.#records[author]?.[incarnation]?.places[counter]?.digest;
  }

  #judgeOwn(s: ReplicaState, state: StreamState): void {
    const author = s.self;
    const known = this.#own[author];
    const started = known?.incarnation === state.incarnation ? known : undefined;
    const entry = currentEntry(s.registry, author);
    const isCurrent = entry.incarnation === state.incarnation;
    const reference = started ?? (isCurrent ? incarnationStream(s.streamContext, entry) : undefined);
    // Nothing new: it reads its log again after a start, or follows a registry that this judge saw later.
    if (reference === undefined || reference.counter >= state.counter) {
      if (reference === undefined) this.#own[author] = state;
      return;
    }
    let reached: StreamState = reference;
    for (let at = reference.counter + 1; at <= state.counter; at += 1) {
      const item = s.own.log.get(at)?.item;
      const next: StreamState | undefined = item === undefined ? undefined : this.#step(s, reached, item);
      if (next === undefined) {
        this.undecided += 1;
        this.#own[author] = state;
        return;
      }
      reached = next;
    }
    this.#own[author] = reached;
    if (!sameStream(reached, state))
      this.#bench.report(
        'self-acceptance',
        `replica ${author} stands at ${JSON.stringify(state)} in its own stream, others at ${JSON.stringify(reached)}`,
      );
  }

  /** The stream after the message, as others find it; undefined if they would have to fetch something first. */
  #step(s: ReplicaState, state: StreamState, item: StreamItem): StreamState | undefined {
    const result = stepStream(
      s.streamContext,
      state,
      s.self,
      item as LogEntry | StreamMessage,
      this.#lookup(s),
    );
    if (result.kind === 'accepted') {
      this.judged += 1;
      return result.state;
    }
    if (result.kind === 'need') return undefined;
    this.#bench.report(
      'self-acceptance',
      `replica ${s.self} sealed ${item.kind} that no correct replica accepts: ${result.rule}: ${result.reason}`,
    );
    return undefined;
  }

  #lookup(s: ReplicaState): StreamLookup {
    const known = sharedKnowledge(this.#running(), this.#cache);
    const context = s.streamContext;
    return {
      incarnationOf: known.incarnationOf,
      viewChange: (message: ViewChange) => validViewChange(context, message, known),
      newView: (header, attached: FullNewView | undefined) =>
        attached === undefined
          ? resolveNewView(context, header, known, { attached: [], withBase: false })
          : validNewView(context, attached, known),
    };
  }
}

/** What all these replicas know together: whatever one lacks it can fetch from the others. */
export function sharedKnowledge(
  states: readonly ReplicaState[],
  cache: ValidationCache,
): ValidationKnowledge {
  const first = <T>(of: (state: ReplicaState) => T | undefined): T | undefined => {
    for (const state of states) {
      const found = of(state);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return {
    byDigest: (digest) => first(({ knowledge }) => knowledge.book.byDigest(digest)),
    incarnationOf: (replica, tcEpoch) =>
      first(({ knowledge }) => knowledge.book.incarnationOf(replica, tcEpoch)),
    newViewProof: (digest) => first(({ knowledge }) => knowledge.newViews.best(digest)),
    cache,
  };
}

/** Whether two states agree, but for whether the stream was stopped there. */
function sameStream(a: StreamState, b: StreamState): boolean {
  return (
    a.incarnation === b.incarnation &&
    a.counter === b.counter &&
    a.mode === b.mode &&
    a.view === b.view &&
    a.lastSequence === b.lastSequence &&
    a.lastPrimaryCounter === b.lastPrimaryCounter &&
    a.checkpointSequence === b.checkpointSequence &&
    a.newView.view === b.newView.view &&
    a.newView.incarnation === b.newView.incarnation &&
    a.newView.counter === b.newView.counter &&
    a.newView.digest === b.newView.digest &&
    a.newView.end === b.newView.end
  );
}

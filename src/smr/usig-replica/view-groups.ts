/**
 * What was proposed, voted for and committed to under one NEW-VIEW. Old and new incarnation of a primary may have
 * NEW-VIEWs with equal (view, counter): the key holds the incarnation.
 */
import type { ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import type { Voter } from '../vote-keeper.ts';
import { VoteKeeper } from '../vote-keeper.ts';
import type { StreamContext } from '../usig-stream/context.ts';
import type { CommitNewView, NewViewReference, Prepare } from '../usig-stream/messages.ts';
import { genesisNewViewReference } from '../usig-stream/stream.ts';

/** PREPAREs of one view by order; those with RECOVERs, which are few, are found without a look at all. */
class Proposals {
  readonly #all = new Map<SequenceNumber, Prepare>();
  readonly #withRecovers = new Map<SequenceNumber, Prepare>();

  get(sequence: SequenceNumber): Prepare | undefined {
    return this.#all.get(sequence);
  }

  /** `sequence`: the slot, where a proposal fills several. */
  add(prepare: Prepare, sequence: SequenceNumber = prepare.sequence): void {
    this.#all.set(sequence, prepare);
    if (prepare.recovers.length > 0) this.#withRecovers.set(sequence, prepare);
    else this.#withRecovers.delete(sequence);
  }

  /** Forgets what is at or below an order. */
  dropThrough(sequence: SequenceNumber): void {
    for (const held of this.#all.keys()) {
      if (held > sequence) continue;
      this.#all.delete(held);
      this.#withRecovers.delete(held);
    }
  }

  /** With their orders (or slots), in order of arrival. */
  entries(): IterableIterator<[SequenceNumber, Prepare]> {
    return this.#all.entries();
  }

  /** In order of arrival. */
  values(): IterableIterator<Prepare> {
    return this.#all.values();
  }

  withRecovers(): IterableIterator<Prepare> {
    return this.#withRecovers.values();
  }

  get size(): number {
    return this.#all.size;
  }

  /** How many of them hold a RECOVER. */
  get recovering(): number {
    return this.#withRecovers.size;
  }
}

/** One view under one NEW-VIEW. */
export interface ViewGroup {
  readonly reference: NewViewReference;
  readonly votes: VoteKeeper<Prepare>;
  /** What the primary's stream proposed: what a backup commits to. */
  readonly proposals: Proposals;
  /** nvVotes: whose stream contains the NEW-VIEW or a COMMIT-NV for it. */
  readonly entrants: Voter[];
  /** COMMIT-NVs, for a NEW-VIEW certificate. */
  readonly commits: Map<ReplicaId, CommitNewView>;
}

/** Groups kept, at most. Only views above the executing one matter, and valid NEW-VIEWs need f+1 replicas. */
const GROUPS_MAX = 256;

/** Key of a group. */
function groupKey(reference: NewViewReference): string {
  return `${reference.view}/${reference.incarnation}/${reference.counter}/${reference.digest}`;
}

/** Whether two references have one key. */
function sameReference(a: NewViewReference, b: NewViewReference): boolean {
  if (a === b) return true;
  return (
    a.view === b.view && a.incarnation === b.incarnation && a.counter === b.counter && a.digest === b.digest
  );
}

const NO_GROUPS: readonly ViewGroup[] = [];

/** All groups that matter. */
export class ViewGroups {
  readonly #groups = new Map<string, ViewGroup>();
  /** The one that is executed in (execView). */
  executing: ViewGroup;

  constructor(context: StreamContext) {
    this.executing = this.#make(genesisNewViewReference(context));
  }

  /** The group of a NEW-VIEW; made if there is none. */
  of(reference: NewViewReference): ViewGroup {
    // Nearly every question is about the view that is executed in; the others pay for the key.
    const { executing } = this;
    if (sameReference(executing.reference, reference)) return executing;
    return this.#groups.get(groupKey(reference)) ?? this.#make(reference);
  }

  #make(reference: NewViewReference): ViewGroup {
    const group: ViewGroup = {
      reference,
      votes: new VoteKeeper(),
      proposals: new Proposals(),
      entrants: [],
      commits: new Map(),
    };
    this.#groups.set(groupKey(reference), group);
    return group;
  }

  /** Groups, in order of appearance. */
  all(): readonly ViewGroup[] {
    return [...this.#groups.values()];
  }

  /** Groups of views above one, highest view first. */
  above(view: View): readonly ViewGroup[] {
    let found: ViewGroup[] | undefined;
    for (const group of this.#groups.values()) if (group.reference.view > view) (found ??= []).push(group);
    if (found === undefined) return NO_GROUPS;
    return found.sort((a, b) => b.reference.view - a.reference.view);
  }

  addEntrant(group: ViewGroup, voter: Voter): void {
    const known = group.entrants.some(
      (other) => other.replica === voter.replica && other.incarnation === voter.incarnation,
    );
    if (!known) group.entrants.push(voter);
  }

  /** Forgets groups that neither execution nor the own stream will come back to. */
  prune(ownView: View): void {
    const keepFrom = Math.min(ownView, this.executing.reference.view);
    for (const [key, group] of this.#groups) {
      const old = group.reference.view < keepFrom;
      if (
        (old || this.#groups.size > GROUPS_MAX) &&
        group !== this.executing &&
        group.reference.view !== ownView
      )
        this.#groups.delete(key);
    }
  }

  /** Forgets votes that are executed, and proposals that nobody here will commit to any more. */
  dropThrough(executed: SequenceNumber, committed: SequenceNumber): void {
    for (const group of this.#groups.values()) {
      group.votes.dropThrough(executed);
      group.proposals.dropThrough(committed);
    }
  }
}

/** What is known of each order of the current view, and COMMITs of any view. Bounded by the window. */
import type { Digest, Milliseconds, ReplicaId, SequenceNumber } from '../../core/types.ts';
import { CommitVotes } from '../attested/commit-votes.ts';
import type { Sealed } from '../attested/sealed.ts';
import { Words } from '../attested/words.ts';
import type { Commit, Prepare, PrePrepare } from './messages.ts';

/** One order of the current view. */
export interface Slot {
  prePrepare: Sealed<PrePrepare> | undefined;
  /** When it came. */
  since: Milliseconds;
  /** By digest: PREPAREs of backups. */
  readonly prepares: Map<Digest, Words<Sealed<Prepare>>>;
  /** What this replica itself has said PREPARE (or PRE-PREPARE) for in this view: nothing else may follow. */
  chosen: Digest | undefined;
  /** What it has said COMMIT for in this view. */
  saidCommit: Digest | undefined;
}

/** Orders, each once, ascending. A list: what is empty again after each step costs more in a set than it holds. */
class OrderList {
  readonly #orders: SequenceNumber[] = [];

  get size(): number {
    return this.#orders.length;
  }

  add(sequence: SequenceNumber): void {
    // From the end on: nearly always it is the latest one.
    let at = this.#orders.length;
    while (at > 0 && this.#orders[at - 1]! > sequence) at -= 1;
    if (at > 0 && this.#orders[at - 1] === sequence) return;
    if (at === this.#orders.length) this.#orders.push(sequence);
    else this.#orders.splice(at, 0, sequence);
  }

  delete(sequence: SequenceNumber): void {
    const at = this.#orders.indexOf(sequence);
    if (at >= 0) this.#orders.splice(at, 1);
  }

  /** Forgets orders at or below one. */
  dropThrough(sequence: SequenceNumber): void {
    const kept = this.#orders.findIndex((order) => order > sequence);
    this.#orders.splice(0, kept < 0 ? this.#orders.length : kept);
  }

  /** All of them as they are now. */
  list(): SequenceNumber[] {
    return this.#orders.slice();
  }
}

/** See the top of this file. */
export class Slots {
  readonly #slots = new Map<SequenceNumber, Slot>();
  readonly #commits = new CommitVotes<Sealed<Commit>>();
  #lastKey = { view: -1, digest: '', key: '' };
  /** Orders with something new since the last look. */
  readonly changed = new OrderList();

  /** The order's slot; made when first asked for. */
  of(sequence: SequenceNumber): Slot {
    let slot = this.#slots.get(sequence);
    if (slot === undefined) {
      slot = {
        prePrepare: undefined,
        since: 0,
        prepares: new Map(),
        chosen: undefined,
        saidCommit: undefined,
      };
      this.#slots.set(sequence, slot);
    }
    return slot;
  }

  /** The order's slot, if anything was heard of it. */
  find(sequence: SequenceNumber): Slot | undefined {
    return this.#slots.get(sequence);
  }

  /** Counts a PREPARE. */
  addPrepare(message: Sealed<Prepare>): void {
    const { author } = message;
    const { sequence, digest } = message.content;
    const { prepares } = this.of(sequence);
    let votes = prepares.get(digest);
    // One replica has one say in a view: its first.
    if (votes?.has(author) === true) return;
    if (prepares.size > (votes === undefined ? 0 : 1))
      for (const others of prepares.values()) if (others.has(author)) return;
    if (votes === undefined) prepares.set(digest, (votes = new Words()));
    votes.add(message);
    this.changed.add(sequence);
  }

  /** Counts a COMMIT, of whatever view: a quorum of equal ones decides for ever. */
  addCommit(message: Sealed<Commit>): void {
    const { sequence } = message.content;
    if (this.#commits.add(message, sequence, this.#keyOf(message.content))) this.changed.add(sequence);
  }

  /** What COMMITs that count together have in common. Most are equal to the one before. */
  #keyOf({ view, digest }: Commit): string {
    const last = this.#lastKey;
    if (last.view === view && last.digest === digest) return last.key;
    const key = `${view}/${digest}`;
    this.#lastKey = { view, digest, key };
    return key;
  }

  /** Equal COMMITs of a quorum for an order, for another batch than the one that is known to be decided. */
  committed(sequence: SequenceNumber, quorum: number, known?: Digest): readonly Sealed<Commit>[] | undefined {
    const counts = ({ content }: Sealed<Commit>): boolean => content.digest !== known;
    return this.#commits.decided(sequence, quorum, counts)?.slice(0, quorum);
  }

  /** Who has said COMMIT for the same batch and view as most others. */
  committers(sequence: SequenceNumber): ReplicaId[] {
    return this.#commits.voters(sequence);
  }

  /** Orders of which something is known in this view, with what is known; for judges. */
  [Symbol.iterator](): Iterator<[SequenceNumber, Slot]> {
    return this.#slots.entries();
  }

  /** Orders of which something is known in this view, ascending. */
  sequences(): SequenceNumber[] {
    return [...this.#slots.keys()].sort((a, b) => a - b);
  }

  /** A view was entered: what was said in older ones is past; COMMITs stay. */
  clearView(): void {
    this.#slots.clear();
  }

  /** Orders at or below a stable checkpoint are past. */
  dropThrough(sequence: SequenceNumber): void {
    for (const known of [...this.#slots.keys()]) if (known <= sequence) this.#slots.delete(known);
    this.#commits.dropThrough(sequence);
    this.changed.dropThrough(sequence);
  }
}

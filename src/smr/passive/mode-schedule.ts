/**
 * When which replicas are active (ReBFT): a function of view and sequence number, so all that executed the same agree on
 * it. View 0 begins in normal-case mode with the first replicas; every other view begins in fault-handling mode, where all
 * take part, and comes to normal-case mode when it executes its MODE.
 */
import { assert } from '../../core/assert.ts';
import { decodeWhole, Writer } from '../../core/codec.ts';
import type { Digest, ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import type { ModeOrder } from './mode-order.ts';
import { decodeMode, encodeMode, MODE_REPLICAS_MAX } from './mode-order.ts';

/** X doubles at most so many times. */
const EXPONENT_MAX = 10;

/** What of a cluster the schedule depends on. */
export interface ModeSettings {
  /** N. */
  readonly replicas: number;
  /** |A|. */
  readonly activeCount: number;
  /** X_min: sequence numbers that a view spends in fault-handling mode, at least. */
  readonly patience: number;
  readonly primaryOf: (view: View) => ReplicaId;
}

/** The last MODE that was executed, by whatever view. */
export interface ModeRecord extends ModeOrder {
  readonly sequence: SequenceNumber;
}

/** The state that a view is judged by. */
export interface ViewPlace {
  readonly view: View;
  /** Last sequence number that its NEW-VIEW obliges to; what comes later counts towards X. */
  readonly end: SequenceNumber;
}

/** Who is active if these are: the primary and the next eligible ones on the ring; undefined if they are too few. */
export function chooseActive(
  primary: ReplicaId,
  { replicas, activeCount }: ModeSettings,
  isEligible: (replica: ReplicaId) => boolean,
): readonly ReplicaId[] | undefined {
  const chosen: ReplicaId[] = [primary];
  for (let step = 1; step < replicas && chosen.length < activeCount; step += 1) {
    const replica = (primary + step) % replicas;
    if (isEligible(replica)) chosen.push(replica);
  }
  return chosen.length < activeCount ? undefined : chosen.sort((a, b) => a - b);
}

/** See the top of this file. */
export class ModeSchedule {
  readonly #settings: ModeSettings;
  readonly #first: readonly ReplicaId[];
  #record: ModeRecord | undefined;

  constructor(settings: ModeSettings) {
    const { replicas, activeCount } = settings;
    assert(activeCount <= replicas, 'active replicas are members');
    this.#settings = settings;
    this.#first = Array.from({ length: activeCount }, (_, replica) => replica);
  }

  /** The last MODE that was executed. */
  get record(): ModeRecord | undefined {
    return this.#record;
  }

  /** A at a sequence number of a view; undefined in fault-handling mode. Known for what follows on what was executed. */
  activeAt(view: View, sequence: SequenceNumber): readonly ReplicaId[] | undefined {
    if (view === 0) return this.#first;
    const record = this.#record;
    return record?.view === view && sequence > record.sequence ? record.active : undefined;
  }

  /** The exponent of X in a view: one more if faults came within X of the last return, from the beginning otherwise. */
  exponentIn({ view, end }: ViewPlace): number {
    const record = this.#record;
    if (record === undefined || record.view >= view) return 0;
    const soon = end - record.sequence < this.#patience(record.exponent);
    return soon ? Math.min(record.exponent + 1, EXPONENT_MAX) : 0;
  }

  #patience(exponent: number): number {
    return this.#settings.patience * 2 ** exponent;
  }

  /** Whether a view has been in fault-handling mode for X sequence numbers before this one. */
  isDue(place: ViewPlace, sequence: SequenceNumber): boolean {
    if (this.activeAt(place.view, sequence) !== undefined) return false;
    return sequence - 1 - place.end >= this.#patience(this.exponentIn(place));
  }

  /** The MODE that the primary of a view orders; undefined if too few replicas are eligible. */
  order(place: ViewPlace, isEligible: (replica: ReplicaId) => boolean): Digest | undefined {
    const { replicas, primaryOf } = this.#settings;
    if (replicas > MODE_REPLICAS_MAX) return undefined;
    const active = chooseActive(primaryOf(place.view), this.#settings, isEligible);
    return active && encodeMode({ view: place.view, exponent: this.exponentIn(place), active });
  }

  /** Whether A is what a MODE of a view may name: as many members as there have to be, the primary among them. */
  isFit({ view, exponent, active }: ModeOrder, place: ViewPlace): boolean {
    const { replicas, activeCount, primaryOf } = this.#settings;
    return (
      view === place.view &&
      exponent === this.exponentIn(place) &&
      active.length === activeCount &&
      active.every((replica) => replica < replicas) &&
      active.includes(primaryOf(view))
    );
  }

  // ---- what was executed -------------------------------------------------------------------------------------------

  /** What checkpoints cover, once `digest` was executed as `sequence`. */
  stateAfter(sequence: SequenceNumber, digest: Digest | undefined): Uint8Array {
    const order = digest === undefined ? undefined : decodeMode(digest);
    return encodeRecord(order === undefined ? this.#record : { ...order, sequence });
  }

  /** `digest` was executed as `sequence`; true if it was a MODE. */
  onExecuted(sequence: SequenceNumber, digest: Digest): boolean {
    const order = decodeMode(digest);
    if (order === undefined) return false;
    this.#record = { ...order, sequence };
    return true;
  }

  /** Takes over what a checkpoint covers. */
  restore(state: Uint8Array): void {
    this.#record = decodeRecord(state);
  }
}

const NO_BYTES = new Uint8Array(0);

function encodeRecord(record: ModeRecord | undefined): Uint8Array {
  if (record === undefined) return NO_BYTES;
  return new Writer(40).u64(record.sequence).digest(encodeMode(record)).finish();
}

function decodeRecord(state: Uint8Array): ModeRecord | undefined {
  const read = decodeWhole(state, (reader) => ({ sequence: reader.u64(), digest: reader.digest() }));
  const order = read && decodeMode(read.digest);
  return order && { ...order, sequence: read.sequence };
}

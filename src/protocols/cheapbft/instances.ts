/**
 * Protocol instances: CheapTiny (even numbers) and the fallback (odd ones) take turns, each from a checkpoint boundary to
 * a later one. Which replicas are active and how long a fallback lasts follows from what was executed, so everybody
 * agrees on it; it is the protocol state that checkpoints cover.
 */
import type { Attestor } from '../../core/attestation.ts';
import { decodeWhole, Writer } from '../../core/codec.ts';
import type { CounterValue, ReplicaId, SequenceNumber } from '../../core/types.ts';

/** One instance. */
export interface Instance {
  readonly number: number;
  /** m0: the checkpoint boundary that it starts after. */
  readonly low: SequenceNumber;
  /** x: boundaries that the next fallback lasts, or this one. */
  readonly patience: number;
}

/** A fallback lasts at least and at most so many boundaries. */
const PATIENCE_MIN = 1;
const PATIENCE_MAX = 32;
/** A CheapTiny instance that reached so many boundaries was worth returning for: patience starts anew. */
const QUIET_BOUNDARIES = 8;

/** What a replica starts with. */
export const FIRST_INSTANCE: Instance = { number: 0, low: 0, patience: PATIENCE_MIN };

/** Whether an instance is of CheapTiny. */
export function isTiny({ number }: Instance): boolean {
  return number % 2 === 0;
}

/** s: how often the cluster has switched to the fallback before this instance. */
function switchesBefore({ number }: Instance): number {
  return Math.floor(number / 2);
}

/** A': the active replicas of a CheapTiny instance, its leader first. */
export function activeSet(instance: Instance, n: number, f: number): readonly ReplicaId[] {
  return Array.from({ length: f + 1 }, (_, index) => (switchesBefore(instance) + index) % n);
}

/** Where a fallback ends: the command TINY is what stands there, whatever its batch holds. */
export function endOfFallback({ low, patience }: Instance, interval: number): SequenceNumber {
  return low + patience * interval;
}

/** Where a CheapTiny instance ends whose history reaches up to `last`: the next boundary, holes are filled with nothing. */
export function endOfTiny(last: SequenceNumber, interval: number): SequenceNumber {
  return (Math.floor(last / interval) + 1) * interval;
}

/** The instance that follows one that ends at `end`. */
export function nextInstance(instance: Instance, end: SequenceNumber, interval: number): Instance {
  const number = instance.number + 1;
  if (!isTiny(instance)) return { number, low: end, patience: instance.patience };
  // A fault soon after the return: the next return comes later.
  const wasQuiet = end - instance.low > QUIET_BOUNDARIES * interval;
  const longer = instance.number === 0 ? PATIENCE_MIN : Math.min(PATIENCE_MAX, 2 * instance.patience);
  return { number, low: end, patience: wasQuiet ? PATIENCE_MIN : longer };
}

/** Canonical bytes of an instance. */
export function encodeInstance({ number, low, patience }: Instance): Uint8Array {
  return new Writer(32).u64(number).u64(low).u64(patience).finish();
}

/** What `encodeInstance` wrote; undefined if it is not that. */
export function decodeInstance(bytes: Uint8Array): Instance | undefined {
  return decodeWhole(bytes, (reader) => ({
    number: reader.u64(),
    low: reader.u64(),
    patience: reader.u64(),
  }));
}

/** What a counter of an instance is for: agreement of CheapTiny, the agreement on a history, the fallback. */
export type Purpose = 'tiny' | 'switch' | 'order';
const PURPOSES: Readonly<Record<Purpose, string>> = { tiny: '08', switch: '09', order: '0a' };

/** Label of a counter: class, purpose, lane 0, protocol instance. */
export function labelOf(purpose: Purpose, instance: number): string {
  return `01${PURPOSES[purpose]}0000${instance.toString(16).padStart(8, '0')}`;
}

/** The counter of an instance at a value. */
export function counterAt(
  purpose: Purpose,
  instance: number,
  value: CounterValue,
): Extract<Attestor, { readonly kind: 'object' }> {
  return { kind: 'object', object: labelOf(purpose, instance), form: 'counter', mode: 'step', value };
}

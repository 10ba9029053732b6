/**
 * Values of a trusted log or counter that stand for orders: view and sequence number in one rising number, so that what
 * was said in a view can never be followed by anything of an older one.
 */
import type { CounterValue, SequenceNumber, View } from '../../core/types.ts';

/** Sequence numbers of one view lie below this; values stay safe integers for views below `VIEW_END`. */
const SEQUENCE_END = 2 ** 40;
/** Views are below this: 8,192 of them, then no replica leaves its view any more. */
export const VIEW_END = 2 ** 13;

/** slot(v, n) = v * 2^40 + n; slot(v, 0) is the barrier of v. */
export function slotOf(view: View, sequence: SequenceNumber): CounterValue {
  return view * SEQUENCE_END + sequence;
}

/** Whether an order has a slot. */
export function hasSlot(view: View, sequence: SequenceNumber): boolean {
  return view < VIEW_END && sequence < SEQUENCE_END;
}

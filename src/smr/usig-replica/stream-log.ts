/** Processed messages of one stream, without a hole, from an anchor (or counter 1) on. */
import type { CounterValue, Milliseconds } from '../../core/types.ts';
import type { Checkpoint, LogEntry } from '../usig-stream/messages.ts';
import { stubOf } from '../usig-stream/builders.ts';
import { streamUi } from '../usig-stream/stream.ts';
import type { StreamItem } from './state.ts';

/** One message and when it was processed here. */
export interface LoggedItem {
  readonly item: StreamItem;
  readonly at: Milliseconds;
}

/** See the top of this file. */
export class StreamLog {
  #items: LoggedItem[] = [];
  /** Counter before the first item. */
  #before: CounterValue;

  /** `before`: counter of the last message that is not in the log. */
  constructor(before: CounterValue) {
    this.#before = before;
  }

  get length(): number {
    return this.#items.length;
  }

  /** Counter of the first item; one above the end if the log is empty. */
  get first(): CounterValue {
    return this.#before + 1;
  }

  /** Counter of the last item. */
  get last(): CounterValue {
    return this.#before + this.#items.length;
  }

  /** The CHECKPOINT that the log starts with; undefined if it starts at counter 1 (or is empty). */
  get anchor(): Checkpoint | undefined {
    const first = this.#items[0]?.item;
    return this.#before > 0 && first?.kind === 'CHECKPOINT' ? first : undefined;
  }

  /** Appends the next message; its counter must be `last + 1`. */
  push(item: StreamItem, at: Milliseconds): void {
    this.#items.push({ item, at });
  }

  get(counter: CounterValue): LoggedItem | undefined {
    return this.#items[counter - this.#before - 1];
  }

  /** Replaces what is known of a message by more (a stub by the message). */
  replace(counter: CounterValue, item: StreamItem): void {
    const index = counter - this.#before - 1;
    const old = this.#items[index];
    if (old !== undefined) this.#items[index] = { item, at: old.at };
  }

  /** Everything from a counter on. */
  from(counter: CounterValue): readonly LoggedItem[] {
    return this.#items.slice(Math.max(0, counter - this.#before - 1));
  }

  /** Drops everything below a counter. */
  trimBelow(counter: CounterValue): void {
    const count = Math.min(this.#items.length, Math.max(0, counter - this.#before - 1));
    if (count === 0) return;
    this.#items.splice(0, count);
    this.#before += count;
  }

  /** CHECKPOINTs in the log, newest first. */
  checkpoints(): Checkpoint[] {
    const found: Checkpoint[] = [];
    for (let index = this.#items.length - 1; index >= 0; index -= 1) {
      const { item } = this.#items[index]!;
      if (item.kind === 'CHECKPOINT') found.push(item);
    }
    return found;
  }

  /** The log as a VIEW-CHANGE shows it: what comes after the anchor, older VIEW-CHANGEs as stubs. */
  entries(): LogEntry[] {
    const skip = this.anchor === undefined ? 0 : 1;
    return this.#items.slice(skip).map(({ item }) => asLogEntry(item));
  }
}

/** How a message is represented in a log. */
export function asLogEntry(item: StreamItem): LogEntry {
  if (item.kind === 'VIEW-CHANGE') return stubOf(item);
  if (item.kind === 'NEW-VIEW') return item.header;
  return item;
}

/** Counter of a message of a stream. */
export function counterOf(item: StreamItem): CounterValue {
  return streamUi(item).counter;
}

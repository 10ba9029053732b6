/**
 * What the store needs to go back, and to tell others what changed: for each marked sequence number the values that its
 * keys had before, kept at their first change. As much memory as was written, and none while nothing is marked.
 */
import { assert } from '../../core/assert.ts';
import { decodeWhole, Writer } from '../../core/codec.ts';
import type { SequenceNumber } from '../../core/types.ts';
import { KV_KEY_BYTES_MAX, KV_VALUE_BYTES_MAX } from './operations.ts';

/** Changed keys of one update, at most. */
const UPDATE_KEYS_MAX = 1 << 20;

/** A key, as text with one character for each byte, and its value; undefined if there is none. */
export type KvSlot = readonly [key: string, value: Uint8Array | undefined];

/** Changes of one sequence number. */
interface Section {
  readonly sequence: SequenceNumber;
  readonly before: Map<string, Uint8Array | undefined>;
  /** Chunks that a `freeze` found changed. */
  frozen: readonly number[];
}

/** What a section that was taken away leaves to be done. */
export interface KvUndone {
  /** What its keys are to have again. */
  readonly slots: readonly KvSlot[];
  /** Chunks that were changed before it, too. */
  readonly frozen: readonly number[];
}

/** Values of changed keys as they were before, in sections by sequence number. */
export class KvChanges {
  readonly #sections: Section[] = [];

  /** Whether changes must be kept now. */
  get recording(): boolean {
    return this.#sections.length > 0;
  }

  /** Keys that are kept. */
  get size(): number {
    return this.#sections.reduce((sum, section) => sum + section.before.size, 0);
  }

  /** See `Application.mark`. */
  mark(sequence: SequenceNumber): void {
    assert((this.#sections.at(-1)?.sequence ?? -1) < sequence, 'marked sequence numbers ascend');
    this.#sections.push({ sequence, before: new Map(), frozen: [] });
  }

  /** This key is about to change; `value` copies what it has now. */
  keep(key: string, value: () => Uint8Array | undefined): void {
    const before = this.#sections.at(-1)?.before;
    if (before !== undefined && !before.has(key)) before.set(key, value());
  }

  /** These chunks were frozen: changed before, unchanged from now on. */
  keepFrozen(chunks: readonly number[]): void {
    const section = this.#sections.at(-1);
    if (section !== undefined) section.frozen = section.frozen.concat(chunks);
  }

  /** Keys that changed since the latest mark, with what they had then; ascending. */
  sinceMark(): KvSlot[] {
    const slots: KvSlot[] = [...(this.#sections.at(-1)?.before ?? [])];
    return slots.sort((a, b) => (a[0] < b[0] ? -1 : 1));
  }

  /** Takes away the latest section if it is above `to`. */
  takeAbove(to: SequenceNumber): KvUndone | undefined {
    const section = this.#sections.at(-1);
    if (section === undefined || section.sequence <= to) return undefined;
    this.#sections.pop();
    return { slots: [...section.before], frozen: section.frozen };
  }

  /** See `Application.forgetThrough`. */
  forgetThrough(through: SequenceNumber): void {
    while (this.#sections.length > 0 && this.#sections[0]!.sequence <= through) this.#sections.shift();
  }

  /** Forgets everything. */
  clear(): void {
    this.#sections.length = 0;
  }
}

/** A key with one character for each byte: the order of such strings is the order of the bytes. */
export function keyToText(key: Uint8Array): string {
  // A key is short, so `apply` is safe; it makes a flat string where a loop would make a chain of pieces.
  return String.fromCharCode.apply(undefined, key as unknown as number[]);
}

/** The bytes of a key. */
export function textToKey(text: string): Uint8Array {
  const key = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index += 1) key[index] = text.charCodeAt(index);
  return key;
}

/** Canonical bytes of changed keys with their new values, ascending by key. */
export function encodeKvUpdate(slots: readonly KvSlot[]): Uint8Array {
  const write = (writer: Writer, [key, value]: KvSlot): void => {
    writer.bytes(textToKey(key)).option(value, (w, bytes) => w.bytes(bytes));
  };
  return new Writer(64 + 128 * slots.length).list(slots, write).finish();
}

/** Reads changed keys; undefined unless canonical and bounded. Values are views. */
export function decodeKvUpdate(bytes: Uint8Array): KvSlot[] | undefined {
  let previous = '';
  return decodeWhole(bytes, (reader) =>
    reader.list(UPDATE_KEYS_MAX, (r): KvSlot => {
      const key = keyToText(r.bytes(KV_KEY_BYTES_MAX));
      if (key <= previous) r.fail();
      previous = key;
      return [key, r.option((w) => w.bytes(KV_VALUE_BYTES_MAX))];
    }),
  );
}

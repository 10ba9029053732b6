/**
 * The key-value store as a replicated service. The state has two views that always agree: hash buckets, which hold
 * keys and values as the bytes that checkpoints cover, and an ordered set of the keys, for lists.
 */
import sortedBtree from 'sorted-btree';
import type { Application, ExecutionContext } from '../../core/application.ts';
import { assert } from '../../core/assert.ts';
import { equalBytes } from '../../core/bytes.ts';
import type { SequenceNumber } from '../../core/types.ts';
import { BucketStore, KV_BUCKETS_DEFAULT } from './buckets.ts';
import type { KvSlot } from './changes.ts';
import { decodeKvUpdate, encodeKvUpdate, KvChanges, keyToText, textToKey } from './changes.ts';
import type { KvOperation } from './operations.ts';
import { decodeKvOperation, isKvReadOnly } from './operations.ts';
import type { KvEntry, KvResult } from './results.ts';
import { encodeKvResult, KV_ENTRY_OVERHEAD_BYTES, KV_PAGE_BYTES_MAX } from './results.ts';

const BTree = sortedBtree.default;
type KeySet = InstanceType<typeof BTree<string, undefined>>;
type ListOperation = Extract<KvOperation, { kind: 'list' }>;
type SwapOperation = Extract<KvOperation, { kind: 'compareAndSwap' }>;

/** Settings of the store; equal at all replicas. */
export interface KvOptions {
  /** Chunks, a power of two from 1 to 65,536; see `buckets.ts`. Small ones are for simulation. */
  readonly buckets?: number;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function isSameValue(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equalBytes(a, b);
}

function emptyKeySet(): KeySet {
  return new BTree<string, undefined>(undefined, compareText);
}

class KvApplication implements Application {
  readonly chunkCount: number;
  readonly #buckets: BucketStore;
  readonly #changes = new KvChanges();
  #keys: KeySet = emptyKeySet();

  constructor(options: KvOptions) {
    this.#buckets = new BucketStore(options.buckets ?? KV_BUCKETS_DEFAULT);
    this.chunkCount = this.#buckets.count;
  }

  execute(bytes: Uint8Array, context: ExecutionContext): Uint8Array {
    const decoding = decodeKvOperation(bytes);
    if (!decoding.ok) return encodeKvResult({ kind: 'error', code: decoding.code });
    return encodeKvResult(this.#perform(decoding.operation, context));
  }

  query(bytes: Uint8Array): Uint8Array {
    const decoding = decodeKvOperation(bytes);
    if (!decoding.ok) return encodeKvResult({ kind: 'error', code: decoding.code });
    const { operation } = decoding;
    return encodeKvResult(
      isKvReadOnly(operation) ? this.#read(operation) : { kind: 'error', code: 'notReadOnly' },
    );
  }

  freeze(): ReturnType<Application['freeze']> {
    const frozen = this.#buckets.freeze();
    if (this.#changes.recording) this.#changes.keepFrozen(frozen.changed);
    return frozen;
  }

  install(chunk: (index: number) => Uint8Array): boolean {
    this.#changes.clear();
    const texts: string[] = [];
    const installed = this.#buckets.install(chunk, (key) => texts.push(keyToText(key)));
    // Ascending insertion fills the tree densely and is several times faster than any other order.
    texts.sort(compareText);
    this.#keys = emptyKeySet();
    for (const text of texts) this.#keys.set(text, undefined);
    return installed;
  }

  mark(sequence: SequenceNumber): void {
    this.#changes.mark(sequence);
  }

  undoTo(to: SequenceNumber): void {
    for (
      let undone = this.#changes.takeAbove(to);
      undone !== undefined;
      undone = this.#changes.takeAbove(to)
    ) {
      assert(this.#replace(undone.slots), 'what was there before has room');
      for (const chunk of undone.frozen) this.#buckets.markDirty(chunk);
    }
  }

  forgetThrough(through: SequenceNumber): void {
    this.#changes.forgetThrough(through);
  }

  updateSinceMark(): Uint8Array {
    const slots: KvSlot[] = [];
    for (const [text, before] of this.#changes.sinceMark()) {
      const value = this.#buckets.get(textToKey(text));
      if (!isSameValue(before, value)) slots.push([text, value]);
    }
    return encodeKvUpdate(slots);
  }

  applyUpdate(update: Uint8Array): boolean {
    const slots = decodeKvUpdate(update);
    if (slots === undefined) return false;
    for (const [text, value] of slots) {
      const key = textToKey(text);
      // What changes nothing is not told.
      if (isSameValue(this.#buckets.get(key), value)) return false;
      this.#keep(key);
    }
    return this.#replace(slots);
  }

  /** Gives keys their values; false if a bucket is full. */
  #replace(slots: readonly KvSlot[]): boolean {
    // All old values go first: so no bucket ever holds more than it will in the end.
    for (const [text] of slots) this.#buckets.delete(textToKey(text));
    for (const [text, value] of slots) {
      if (value === undefined) this.#keys.delete(text);
      else if (this.#buckets.put(textToKey(text), value) === 'full') return false;
      else this.#keys.set(text, undefined);
    }
    return true;
  }

  /** This key is about to change. */
  #keep(key: Uint8Array): void {
    if (this.#changes.recording) this.#changes.keep(keyToText(key), () => this.#buckets.get(key)?.slice());
  }

  #perform(operation: KvOperation, context: ExecutionContext): KvResult {
    if (operation.kind === 'put' || operation.kind === 'delete' || operation.kind === 'compareAndSwap') {
      if (!context.mayWrite(operation.key)) return { kind: 'error', code: 'forbidden' };
      if (operation.kind === 'put') return this.#put(operation.key, operation.value);
      return operation.kind === 'delete' ? this.#delete(operation.key) : this.#swap(operation);
    }
    return this.#read(operation);
  }

  #put(key: Uint8Array, value: Uint8Array): KvResult {
    this.#keep(key);
    const outcome = this.#buckets.put(key, value);
    if (outcome === 'full') return { kind: 'error', code: 'bucketFull' };
    if (outcome === 'inserted') this.#keys.set(keyToText(key), undefined);
    return { kind: 'put', existed: outcome === 'replaced' };
  }

  #delete(key: Uint8Array): KvResult {
    this.#keep(key);
    const existed = this.#buckets.delete(key);
    if (existed) this.#keys.delete(keyToText(key));
    return { kind: 'deleted', existed };
  }

  #swap(operation: SwapOperation): KvResult {
    const { key, expected, value } = operation;
    const current = this.#buckets.get(key);
    if (!isSameValue(current, expected)) return { kind: 'mismatch', current };
    const result = this.#put(key, value);
    return result.kind === 'error' ? result : { kind: 'swapped' };
  }

  #read(operation: KvOperation): KvResult {
    if (operation.kind === 'list') return this.#list(operation);
    const value = this.#buckets.get(operation.key);
    if (operation.kind === 'exists') return { kind: 'exists', exists: value !== undefined };
    return value === undefined ? { kind: 'notFound' } : { kind: 'value', value };
  }

  #list(operation: ListOperation): KvResult {
    const prefix = keyToText(operation.prefix);
    const after = operation.startAfter === undefined ? undefined : keyToText(operation.startAfter);
    // A start before the prefix begins at the prefix itself, which may be a key.
    const fromPrefix = after === undefined || after < prefix;
    const entries: KvEntry[] = [];
    let bytes = 0;
    let text = fromPrefix ? this.#keys.getPairOrNextHigher(prefix)?.[0] : this.#keys.nextHigherKey(after);
    while (text !== undefined && text.startsWith(prefix)) {
      const key = textToKey(text);
      const value = this.#buckets.get(key)!;
      bytes += key.length + value.length + KV_ENTRY_OVERHEAD_BYTES;
      const isFull = entries.length === operation.limit || (entries.length > 0 && bytes > KV_PAGE_BYTES_MAX);
      if (isFull) return { kind: 'page', entries, next: entries.at(-1)!.key };
      entries.push({ key, value });
      text = this.#keys.nextHigherKey(text);
    }
    return { kind: 'page', entries, next: undefined };
  }
}

/** An empty store. */
export function createKvApplication(options: KvOptions = {}): Application {
  return new KvApplication(options);
}

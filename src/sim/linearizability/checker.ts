/**
 * Linearizability of a history: is there one order of its operations that respects real time (what returned before
 * another was invoked comes first) and in which a sequential object gives every answer that was seen?
 *
 * The search of Wing and Gong with the memory of Lowe: operations are placed one after the other, the earliest possible
 * first; a pair of (set of placed operations, state) that was met before is not tried again. The history is partitioned
 * by object first, which is enough for objects that do not depend on each other. Operations without an answer may be
 * placed or left out.
 */
import type { History, HistoryOperation, Model } from './history.ts';

/** Steps of the search over all objects of a history, if nothing else is asked for. */
const STEPS_MAX = 5_000_000;

/** Verdict on a history. `unknown` means that the bound was met: a failure to be looked at, not a pass. */
export type Linearizability<Op, Result> =
  | { readonly verdict: 'linearizable'; readonly steps: number }
  | {
      readonly verdict: 'violation';
      readonly steps: number;
      readonly key: string;
      /** The longest order that fits. */
      readonly placed: History<Op, Result>;
      /** The operation that had to come next by real time and fits nowhere behind that order. */
      readonly stuck: HistoryOperation<Op, Result>;
    }
  | { readonly verdict: 'unknown'; readonly steps: number; readonly key: string };

/** Checks a history against a model, object by object. */
export function checkLinearizability<State, Op, Result>(
  model: Model<State, Op, Result>,
  history: History<Op, Result>,
  stepsMax = STEPS_MAX,
): Linearizability<Op, Result> {
  const objects = new Map<string, HistoryOperation<Op, Result>[]>();
  for (const operation of history) {
    const known = objects.get(operation.key);
    if (known === undefined) objects.set(operation.key, [operation]);
    else known.push(operation);
  }
  let steps = 0;
  for (const [key, operations] of objects) {
    const search = new Search(model, key, operations);
    const outcome = search.run(stepsMax - steps);
    steps += search.steps;
    if (outcome !== undefined) return { ...outcome, steps };
  }
  return { verdict: 'linearizable', steps };
}

/** Sets of placed operations with the states they led to. */
class Memory {
  readonly #buckets = new Map<number, { readonly words: Uint32Array; readonly state: string }[]>();

  /** False if the pair is known already. */
  add(hash: number, words: Uint32Array, state: string): boolean {
    const bucket = this.#buckets.get(hash);
    if (bucket === undefined) {
      this.#buckets.set(hash, [{ words: words.slice(), state }]);
      return true;
    }
    for (const known of bucket) if (known.state === state && sameWords(known.words, words)) return false;
    bucket.push({ words: words.slice(), state });
    return true;
  }
}

function sameWords(a: Uint32Array, b: Uint32Array): boolean {
  for (let index = 0; index < a.length; index += 1) if (a[index] !== b[index]) return false;
  return true;
}

/** A number that depends on every bit of `value`. */
function scatter(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x45d9f3b);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x45d9f3b);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

const NONE = -1;

interface Placed<State> {
  readonly operation: number;
  readonly before: State;
  readonly beforeKey: string;
}

/**
 * The search over one object. Calls and returns form a list in real-time order: entry 2i is the call of operation i,
 * entry 2i+1 its return; the last entry is the head. Placing an operation takes both out of the list.
 */
class Search<State, Op, Result> {
  readonly #model: Model<State, Op, Result>;
  readonly #key: string;
  readonly #operations: readonly HistoryOperation<Op, Result>[];
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #head: number;
  readonly #words: Uint32Array;
  readonly #memory = new Memory();
  readonly #stack: Placed<State>[] = [];
  #hash = 0;
  #unplaced: number;
  steps = 0;

  constructor(model: Model<State, Op, Result>, key: string, operations: HistoryOperation<Op, Result>[]) {
    this.#model = model;
    this.#key = key;
    this.#operations = operations.sort((a, b) => a.invokedAt - b.invokedAt);
    this.#words = new Uint32Array(Math.ceil(operations.length / 32));
    this.#unplaced = operations.filter(({ returnedAt }) => returnedAt !== Infinity).length;
    this.#head = 2 * operations.length;
    this.#next = new Int32Array(this.#head + 1).fill(NONE);
    this.#previous = new Int32Array(this.#head + 1).fill(NONE);
    this.#link();
  }

  /** Calls before returns at equal times: what touches counts as overlapping, which never objects wrongly. */
  #link(): void {
    const entries: number[] = [];
    this.#operations.forEach(({ returnedAt }, index) => {
      entries.push(2 * index);
      if (returnedAt !== Infinity) entries.push(2 * index + 1);
    });
    const time = (entry: number): number => {
      const operation = this.#operations[entry >> 1]!;
      return (entry & 1) === 0 ? operation.invokedAt : operation.returnedAt;
    };
    entries.sort((a, b) => time(a) - time(b) || (a & 1) - (b & 1) || a - b);
    let last = this.#head;
    for (const entry of entries) {
      this.#next[last] = entry;
      this.#previous[entry] = last;
      last = entry;
    }
  }

  run(stepsMax: number): Verdict<Op, Result> | undefined {
    const model = this.#model;
    let state = model.init(this.#key);
    let stateKey = model.stateKey(state);
    let best: Placed<State>[] = [];
    let stuck = NONE;
    let entry = this.#next[this.#head]!;
    while (this.#unplaced > 0) {
      this.steps += 1;
      if (this.steps > stepsMax) return { verdict: 'unknown', key: this.#key };
      if ((entry & 1) === 0) {
        const index = entry >> 1;
        const { operation, result } = this.#operations[index]!;
        const outcome = model.step(state, operation);
        const key = model.stateKey(outcome.state);
        // Placing something unanswered that changes nothing would be in vain.
        const fits = result === undefined ? key !== stateKey : model.sameResult(outcome.result, result);
        if (fits && this.#place(index, key)) {
          this.#stack.push({ operation: index, before: state, beforeKey: stateKey });
          state = outcome.state;
          stateKey = key;
          entry = this.#next[this.#head]!;
        } else {
          entry = this.#next[entry]!;
        }
        continue;
      }
      // An operation that returned here is not placed: something before it was placed wrongly.
      if (stuck === NONE || this.#stack.length > best.length) {
        best = this.#stack.slice();
        stuck = entry >> 1;
      }
      const last = this.#stack.pop();
      if (last === undefined) return this.#violation(best, stuck);
      this.#displace(last.operation);
      state = last.before;
      stateKey = last.beforeKey;
      entry = this.#next[2 * last.operation]!;
    }
    return undefined;
  }

  #violation(best: readonly Placed<State>[], stuck: number): Verdict<Op, Result> {
    const placed = best.map(({ operation }) => this.#operations[operation]!);
    return { verdict: 'violation', key: this.#key, placed, stuck: this.#operations[stuck]! };
  }

  /** Places an operation, unless that leads to where the search has been. */
  #place(index: number, stateKey: string): boolean {
    this.#flip(index);
    if (!this.#memory.add(this.#hash, this.#words, stateKey)) {
      this.#flip(index);
      return false;
    }
    this.#lift(2 * index);
    if (this.#operations[index]!.returnedAt !== Infinity) {
      this.#lift(2 * index + 1);
      this.#unplaced -= 1;
    }
    return true;
  }

  /** In the opposite order of `#place`, so that the list is as it was. */
  #displace(index: number): void {
    if (this.#operations[index]!.returnedAt !== Infinity) {
      this.#unplaced += 1;
      this.#sink(2 * index + 1);
    }
    this.#sink(2 * index);
    this.#flip(index);
  }

  #flip(index: number): void {
    const word = index >>> 5;
    this.#words[word] = this.#words[word]! ^ (1 << (index & 31));
    this.#hash = (this.#hash ^ scatter(index + 1)) >>> 0;
  }

  #lift(entry: number): void {
    const previous = this.#previous[entry]!;
    const next = this.#next[entry]!;
    this.#next[previous] = next;
    if (next !== NONE) this.#previous[next] = previous;
  }

  #sink(entry: number): void {
    const previous = this.#previous[entry]!;
    const next = this.#next[entry]!;
    this.#next[previous] = entry;
    if (next !== NONE) this.#previous[next] = entry;
  }
}

type Verdict<Op, Result> =
  | { readonly verdict: 'unknown'; readonly key: string }
  | {
      readonly verdict: 'violation';
      readonly key: string;
      readonly placed: History<Op, Result>;
      readonly stuck: HistoryOperation<Op, Result>;
    };

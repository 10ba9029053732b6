import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Prng } from '../../core/prng.ts';
import { checkLinearizability } from './checker.ts';
import type { HistoryOperation } from './history.ts';
import { keyModel, sameKeyResult } from './kv-model.ts';
import type { KeyOperation, KeyResult, KeyState } from './kv-model.ts';

type Operation = HistoryOperation<KeyOperation, KeyResult>;

const put = (value: string): KeyOperation => ({ kind: 'put', value });
const GET: KeyOperation = { kind: 'get' };
const created: KeyResult = { kind: 'put', existed: false };
const replaced: KeyResult = { kind: 'put', existed: true };
const value = (text: string): KeyResult => ({ kind: 'value', value: text });
const NOT_FOUND: KeyResult = { kind: 'notFound' };
const cas = (expected: string | undefined, to: string): KeyOperation => ({
  kind: 'compareAndSwap',
  expected,
  value: to,
});
const SWAPPED: KeyResult = { kind: 'swapped' };

let processes = 0;

/** An operation on key "a" unless said otherwise. */
function op(
  from: number,
  to: number,
  operation: KeyOperation,
  result: KeyResult | undefined,
  key = 'a',
): Operation {
  processes += 1;
  return { process: processes, key, invokedAt: from, returnedAt: to, operation, result };
}

const verdict = (history: readonly Operation[]): string => checkLinearizability(keyModel, history).verdict;

describe('known histories', () => {
  const good: Record<string, readonly Operation[]> = {
    empty: [],
    'one after the other': [op(1, 2, put('x'), created), op(3, 4, GET, value('x'))],
    'a read beside a write sees the old value': [op(1, 9, put('x'), created), op(2, 3, GET, NOT_FOUND)],
    'a read beside a write sees the new value': [op(1, 9, put('x'), created), op(2, 3, GET, value('x'))],
    'reads beside a write see it once and for all': [
      op(1, 9, put('x'), created),
      op(2, 3, GET, NOT_FOUND),
      op(4, 5, GET, value('x')),
    ],
    'an unanswered write took effect late': [
      op(1, Infinity, put('x'), undefined),
      op(2, 3, GET, NOT_FOUND),
      op(4, 5, GET, value('x')),
    ],
    'an unanswered write never took effect': [
      op(1, Infinity, put('x'), undefined),
      op(2, 3, put('y'), created),
      op(4, 5, GET, value('y')),
    ],
    'one of two swaps wins': [
      op(1, 2, put('x'), created),
      op(3, 9, cas('x', 'y'), SWAPPED),
      op(4, 8, cas('x', 'z'), { kind: 'mismatch', current: 'y' }),
    ],
    'keys do not matter to each other': [
      op(1, 2, put('x'), created, 'a'),
      op(3, 4, GET, NOT_FOUND, 'b'),
      op(5, 6, put(''), created, 'b'),
      op(7, 8, GET, value(''), 'b'),
    ],
    'touching is overlapping': [op(1, 2, put('x'), created), op(2, 3, GET, NOT_FOUND)],
    'an answer that does not tell': [
      op(1, 2, put('x'), { kind: 'put', existed: undefined }),
      op(3, 4, { kind: 'delete' }, { kind: 'deleted', existed: true }),
      op(5, 6, { kind: 'exists' }, { kind: 'exists', exists: false }),
    ],
  };
  for (const [name, history] of Object.entries(good))
    test(`accepted: ${name}`, () => assert.equal(verdict(history), 'linearizable'));

  const bad: Record<string, readonly Operation[]> = {
    'stale read': [op(1, 2, put('x'), created), op(3, 4, put('y'), replaced), op(5, 6, GET, value('x'))],
    'read of what nobody wrote': [op(1, 2, put('x'), created), op(3, 4, GET, value('z'))],
    'lost update': [
      op(1, 2, put('x'), created),
      op(3, 4, cas('x', 'y'), SWAPPED),
      op(5, 6, cas('x', 'z'), SWAPPED),
    ],
    'concurrent swaps both win': [
      op(1, 2, put('x'), created),
      op(3, 9, cas('x', 'y'), SWAPPED),
      op(3, 9, cas('x', 'z'), SWAPPED),
    ],
    'later than what came after it': [
      op(1, 2, put('x'), created),
      op(3, 4, put('y'), replaced),
      op(5, 6, GET, value('y')),
      op(7, 8, GET, value('x')),
    ],
    'new value, then the old one again': [
      op(1, 9, put('x'), created),
      op(2, 3, GET, value('x')),
      op(4, 5, GET, NOT_FOUND),
    ],
    'executed twice': [
      op(1, 2, put('x'), created),
      op(3, 4, { kind: 'delete' }, { kind: 'deleted', existed: true }),
      op(5, 6, GET, value('x')),
    ],
    'an unanswered write took effect twice': [
      op(1, Infinity, put('x'), undefined),
      op(2, 3, GET, value('x')),
      op(4, 5, { kind: 'delete' }, { kind: 'deleted', existed: true }),
      op(6, 7, GET, value('x')),
    ],
    'an unanswered write took effect before it was asked for': [
      op(1, 2, GET, value('x')),
      op(3, Infinity, put('x'), undefined),
    ],
    'a value that was there is said not to have been': [
      op(1, 2, put('x'), created),
      op(3, 4, put('y'), created),
    ],
  };
  for (const [name, history] of Object.entries(bad))
    test(`refused: ${name}`, () => assert.equal(verdict(history), 'violation'));

  test('a violation names its key, what fits and what does not', () => {
    const history = [...good['keys do not matter to each other']!, ...bad['stale read']!.map(onKey('c'))];
    const outcome = checkLinearizability(keyModel, history);
    assert.equal(outcome.verdict, 'violation');
    assert(outcome.verdict === 'violation');
    assert.equal(outcome.key, 'c');
    assert.deepEqual(
      outcome.placed.map(({ operation }) => operation),
      [put('x'), put('y')],
    );
    assert.deepEqual(outcome.stuck.operation, GET);
  });

  test('more steps than allowed is no pass', () => {
    const history = good['reads beside a write see it once and for all']!;
    assert.equal(checkLinearizability(keyModel, history, 2).verdict, 'unknown');
  });
});

function onKey(key: string): (operation: Operation) => Operation {
  return (operation) => ({ ...operation, key });
}

/** A run of a true object: every operation takes effect at one moment between call and return. */
function legalHistory(random: Prng, count: number, clients: number, keys: number): Operation[] {
  const free = Array.from({ length: clients }, () => 0);
  const drawn: (Omit<Operation, 'result'> & { readonly effectAt: number })[] = [];
  for (let index = 0; index < count; index += 1) {
    const process = random.between(0, clients - 1);
    const invokedAt = free[process]! + random.unit();
    const effectAt = invokedAt + random.unit() * 4;
    const returnedAt = effectAt + random.unit() * 4;
    free[process] = returnedAt;
    const key = `k${random.between(0, keys - 1)}`;
    drawn.push({ process, key, invokedAt, effectAt, returnedAt, operation: drawOperation(random, index) });
  }
  const states = new Map<string, KeyState>();
  return drawn
    .sort((a, b) => a.effectAt - b.effectAt)
    .map(({ effectAt: _, ...operation }) => {
      const { state, result } = keyModel.step(states.get(operation.key), operation.operation);
      states.set(operation.key, state);
      return { ...operation, result };
    });
}

function drawOperation(random: Prng, index: number): KeyOperation {
  const draw = random.unit();
  if (draw < 0.4) return put(`v${index % 5}`);
  if (draw < 0.7) return GET;
  if (draw < 0.8) return { kind: 'delete' };
  return cas(random.chance(0.3) ? undefined : `v${random.between(0, 4)}`, `v${index % 5}`);
}

/** Tries every order: for histories of a few operations. */
function bruteForce(history: readonly Operation[], state: KeyState): boolean {
  if (history.every(({ returnedAt }) => returnedAt === Infinity)) return true;
  const firstReturn = Math.min(...history.map(({ returnedAt }) => returnedAt));
  return history.some((operation, index) => {
    if (operation.invokedAt > firstReturn) return false;
    const outcome = keyModel.step(state, operation.operation);
    if (operation.result !== undefined && !sameKeyResult(outcome.result, operation.result)) return false;
    return bruteForce(history.toSpliced(index, 1), outcome.state);
  });
}

function mutated(random: Prng, history: readonly Operation[]): Operation[] {
  const changed = [...history];
  for (let count = random.between(1, 2); count > 0; count -= 1) {
    const index = random.between(0, changed.length - 1);
    const operation = changed[index]!;
    const draw = random.unit();
    if (draw < 0.3) changed[index] = { ...operation, returnedAt: Infinity, result: undefined };
    else if (draw < 0.6) {
      const { result } = random.pick(changed);
      if (operation.result !== undefined && result !== undefined) changed[index] = { ...operation, result };
    } else {
      const shift = random.unit() * 8 - 4;
      const { invokedAt, returnedAt } = operation;
      changed[index] = { ...operation, invokedAt: invokedAt + shift, returnedAt: returnedAt + shift };
    }
  }
  return changed;
}

describe('drawn histories', () => {
  test('what a true object did is accepted', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 8 }), (seed, n, c) => {
        const random = new Prng(seed);
        const history = legalHistory(random, n, c, 3);
        // Whatever answers are lost, it stays possible.
        const lossy = history.map((operation) =>
          random.chance(0.1) ? { ...operation, returnedAt: Infinity, result: undefined } : operation,
        );
        assert.equal(verdict(history), 'linearizable');
        assert.equal(verdict(lossy), 'linearizable');
      }),
      { numRuns: 200, seed: 7 },
    );
  });

  test('damaged histories are judged as by trying every order', () => {
    const seen = { linearizable: 0, violation: 0 };
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 7 }), (seed, n) => {
        const random = new Prng(seed);
        const history = mutated(random, legalHistory(random, n, 4, 1));
        const expected = bruteForce(history, undefined) ? 'linearizable' : 'violation';
        seen[expected] += 1;
        assert.equal(verdict(history), expected);
      }),
      { numRuns: 1500, seed: 7 },
    );
    assert(seen.violation > 200 && seen.linearizable > 200, JSON.stringify(seen));
  });

  test('ten thousand operations of 32 clients on 10 keys take few steps, good or bad', () => {
    const history = legalHistory(new Prng(1), 10_000, 32, 10);
    const outcome = checkLinearizability(keyModel, history);
    assert.equal(outcome.verdict, 'linearizable');
    assert(outcome.steps < 300_000, `${outcome.steps} steps`);
    const reads = history.findLastIndex(({ result }) => result?.kind === 'value');
    const bad = history.with(reads, { ...history[reads]!, result: value('never written') });
    const refuted = checkLinearizability(keyModel, bad);
    assert.equal(refuted.verdict, 'violation');
    assert(refuted.steps < 600_000, `${refuted.steps} steps`);
  });
});

/** Deadlines of many calls on one timer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Deadlines } from './deadlines.ts';
import type { Waiting } from './deadlines.ts';

const waitingFor = (over: string[], name: string): Waiting => ({
  due: undefined,
  place: 0,
  onDue: () => void over.push(name),
});

test('each call gives up at its time, never before, and not once it is cleared', async () => {
  const deadlines = new Deadlines();
  const over: string[] = [];
  const [early, late, never] = ['early', 'late', 'never'].map((name) => waitingFor(over, name));
  const begun = performance.now();
  await new Promise<void>((resolve) => {
    deadlines.set(never!, 20);
    deadlines.set(late!, 160);
    deadlines.set(early!, 30);
    assert.ok(deadlines.has(never!));
    deadlines.clear(never!);
    assert.ok(!deadlines.has(never!));
    const onDue = late!.onDue;
    late!.onDue = () => {
      onDue();
      resolve();
    };
  });
  assert.deepEqual(over, ['early', 'late']);
  assert.ok(performance.now() - begun >= 160);
  assert.ok(!deadlines.has(late!));
});

test('a call that is set again waits for the later deadline alone', async () => {
  const deadlines = new Deadlines();
  const over: string[] = [];
  const call = waitingFor(over, 'call');
  deadlines.set(call, 10);
  deadlines.set(call, 130);
  await new Promise<void>((resolve) => deadlines.set({ due: undefined, place: 0, onDue: resolve }, 60));
  assert.deepEqual(over, []);
  await new Promise<void>((resolve) => deadlines.set({ due: undefined, place: 0, onDue: resolve }, 200));
  assert.deepEqual(over, ['call']);
});

test('of many calls with one deadline those give up that are left, whichever were cleared', async () => {
  const deadlines = new Deadlines();
  const over: string[] = [];
  const calls = Array.from({ length: 12 }, (_, index) => waitingFor(over, `${index}`));
  for (const call of calls) deadlines.set(call, 10);
  for (const index of [11, 0, 5, 3, 10]) deadlines.clear(calls[index]!);
  // One of them waits again: nobody else is lost.
  const first = calls[1]!;
  const onDue = first.onDue;
  first.onDue = () => {
    onDue();
    deadlines.set(first, 10);
  };
  await new Promise<void>((resolve) => deadlines.set({ due: undefined, place: 0, onDue: resolve }, 60));
  assert.deepEqual([...new Set(over)].sort(), ['1', '2', '4', '6', '7', '8', '9']);
  deadlines.clear(first);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UndoLog } from './undo-log.ts';

/** A number that knows how to go back. */
function counterOver(undo: UndoLog) {
  const counter = { value: 0 };
  const set = (value: number): void => {
    const before = counter.value;
    undo.note(() => (counter.value = before));
    counter.value = value;
  };
  return { counter, set };
}

test('steps are run backwards, section by section, down to the one that is asked for', () => {
  const undo = new UndoLog();
  const { counter, set } = counterOver(undo);
  set(1);
  undo.mark(5);
  set(2);
  set(3);
  undo.mark(6);
  undo.mark(8);
  set(4);
  undo.undoTo(7);
  assert.equal(counter.value, 3);
  assert.ok(undo.recording, 'section 6 is open again');
  set(9);
  undo.undoTo(4);
  assert.equal(counter.value, 1);
  assert.ok(!undo.recording);
  undo.undoTo(4);
  assert.equal(counter.value, 1);
});

test('nothing is kept before the first mark, nor after everything was forgotten', () => {
  const undo = new UndoLog();
  const { counter, set } = counterOver(undo);
  set(1);
  assert.equal(undo.size, 0);
  undo.mark(1);
  set(2);
  undo.mark(2);
  set(3);
  set(4);
  assert.equal(undo.size, 3);
  undo.forgetThrough(1);
  assert.equal(undo.size, 2);
  undo.undoTo(0);
  assert.equal(counter.value, 2, 'what was forgotten is not taken back');
  undo.mark(2);
  set(5);
  undo.forgetThrough(9);
  set(6);
  assert.equal(undo.size, 0);
  assert.ok(!undo.recording);
  undo.mark(3);
  set(7);
  undo.clear();
  undo.undoTo(0);
  assert.equal(counter.value, 7);
});

test('sections ascend', () => {
  const undo = new UndoLog();
  undo.mark(2);
  assert.throws(() => undo.mark(2), /ascend/);
});

/** COMMITs of many views: what was said last counts, however often views changed before. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../../core/types.ts';
import type { Sealed } from '../attested/sealed.ts';
import type { Commit } from './messages.ts';
import { Slots } from './slots.ts';

const VIEWS = 9;
const digest = 'a'.repeat(64) as Digest;

function commit(slots: Slots, author: number, view: number): void {
  const content = { kind: 'COMMIT', view, sequence: 1, digest } as const;
  slots.addCommit({ author, content } as Sealed<Commit>);
}

test('COMMITs of the last view decide after many views that did not', () => {
  const slots = new Slots();
  for (let view = 0; view < VIEWS; view += 1) for (const author of [0, 1]) commit(slots, author, view);
  assert.equal(slots.committed(1, 3), undefined);
  commit(slots, 2, VIEWS - 1);
  assert.equal(slots.committed(1, 3)?.length, 3);
});

test('what was decided in an old view is shown by all its COMMITs at once', () => {
  const slots = new Slots();
  for (let view = 1; view < VIEWS; view += 1) commit(slots, 0, view);
  for (const author of [0, 1, 2]) commit(slots, author, 0);
  assert.equal(slots.committed(1, 3)?.length, 3);
});

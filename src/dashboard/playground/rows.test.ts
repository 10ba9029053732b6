import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Scene } from '../diagram/scene.ts';
import { isSame, rowBefore, rowsOf } from './rows.ts';

const arrow = {
  kind: 'COMMIT',
  label: 'COMMIT n1',
  shortLabel: 'C1',
  isLost: false,
  isRefused: false,
} as const;
const scene: Scene = {
  lanes: [
    { label: 'client 0', kind: 'client' },
    { label: 'replica 0', kind: 'replica' },
    { label: 'replica 1', kind: 'replica' },
  ],
  arrows: [
    { ...arrow, id: 1, from: 1, to: 2, sentMs: 1, arrivedMs: 2 },
    { ...arrow, id: 2, from: 2, to: 1, sentMs: 2, arrivedMs: 3, isRefused: true },
    { ...arrow, id: 3, from: 2, to: 0, sentMs: 2, arrivedMs: undefined, isLost: true, label: 'REPLY n1' },
  ],
  marks: [{ id: 7, lane: 2, atMs: 2, kind: 'execute', label: 'n1', isConflict: false, quorum: [1] }],
};

describe('the list of events', () => {
  const rows = rowsOf(scene);

  it('says in words what the diagram shows: what arrives, what it leads to, what is sent', () => {
    assert.deepEqual(
      rows.map(({ brief }) => brief),
      [
        '0→1 COMMIT n1',
        '0→1 arrives: COMMIT n1',
        '1 executes n1',
        '1→0 COMMIT n1',
        '1→c0 REPLY n1, lost',
        '1→0 refused: COMMIT n1',
      ],
    );
    assert.equal(rows[4]!.text, 'replica 1 sends REPLY n1 to client 0: never arrives');
    assert.equal(rows[5]!.tone, 'bad');
  });

  it('knows the last line before a moment', () => {
    assert.equal(rowBefore(rows, 0), -1);
    assert.equal(rowBefore(rows, 2), 4);
    assert.equal(rowBefore([], 5), -1);
  });

  it('knows when two selections are of one thing', () => {
    assert.ok(isSame(undefined, undefined));
    assert.ok(isSame({ kind: 'lane', lane: 1 }, { kind: 'lane', lane: 1 }));
    assert.ok(!isSame({ kind: 'mark', id: 1 }, { kind: 'arrow', id: 1 }));
    assert.ok(!isSame({ kind: 'mark', id: 1 }, undefined));
  });
});

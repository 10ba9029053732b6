import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Scene } from '../diagram/scene.ts';
import { momentAt, neighbour, stopBefore, stopsOf, wayTo } from './stops.ts';

const arrow = { kind: 'PREPARE', label: '', shortLabel: '', isLost: false, isRefused: false } as const;
const scene: Scene = {
  lanes: [
    { label: '0', kind: 'replica' },
    { label: '1', kind: 'replica' },
  ],
  arrows: [
    { ...arrow, id: 0, from: 0, to: 1, sentMs: 1, arrivedMs: 2 },
    { ...arrow, id: 1, from: 0, to: 1, sentMs: 1, arrivedMs: undefined },
  ],
  marks: [
    { id: 9, lane: 1, atMs: 2, kind: 'execute', label: 'n1', isConflict: false, quorum: [0] },
    { id: 10, lane: 1, atMs: 900, kind: 'view', label: 'v1', isConflict: false, quorum: [] },
  ],
};

describe('stops', () => {
  const stops = stopsOf(scene);

  it('are the moments of a scene, each once, with the most telling thing', () => {
    assert.deepEqual(
      stops.map(({ atMs, shows }) => [atMs, shows]),
      [
        [1, { kind: 'arrow', id: 0 }],
        [2, { kind: 'mark', id: 9 }],
        [900, { kind: 'mark', id: 10 }],
      ],
    );
  });

  it('squeeze what takes long and spread what is close together', () => {
    assert.deepEqual(
      stops.map(({ way }) => way),
      [0, 16, 62],
    );
  });

  it('have neighbours, also for a moment between them', () => {
    assert.equal(neighbour(stops, 0, 1), 1);
    assert.equal(neighbour(stops, 0, -1), undefined);
    assert.equal(neighbour(stops, 1, 1), 2);
    assert.equal(neighbour(stops, 2, -1), 1);
    assert.equal(neighbour(stops, 3, -1), 2);
    assert.equal(neighbour(stops, 900, 1), undefined);
    assert.equal(stopBefore(stops, 899), 1);
  });

  it('turn a way into a moment and back', () => {
    for (const atMs of [1, 1.5, 2, 450, 900])
      assert.ok(Math.abs(momentAt(stops, wayTo(stops, atMs)) - atMs) < 1e-9);
    assert.equal(momentAt(stops, 1e9), 900);
    assert.equal(wayTo(stops, -5), 0);
  });

  it('may be none', () => {
    const none = stopsOf({ ...scene, arrows: [], marks: [] });
    assert.equal(neighbour(none, 0, 1), undefined);
    assert.equal(momentAt(none, 5), 0);
    assert.equal(wayTo(none, 5), 0);
  });
});

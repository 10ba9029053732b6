import assert from 'node:assert/strict';
import { test } from 'node:test';
import { largestCosts } from './profile.ts';

const node = (id: number, functionName: string, url: string, children: readonly number[] = []) => ({
  id,
  callFrame: { functionName, url, lineNumber: 9 },
  children,
});

test('what ours calls outside is charged to it, and only the last seconds count', () => {
  const profile = {
    nodes: [
      node(1, '(root)', '', [2, 3, 6]),
      node(2, '(idle)', ''),
      node(3, 'onData', 'file:///there/src/node/frame-socket.ts', [4]),
      node(4, 'hash', 'node:internal/crypto/hash', [5]),
      node(5, '(garbage collector)', ''),
      node(6, 'processTimers', 'node:internal/timers'),
    ],
    // The first sample lies before the last second.
    samples: [6, 3, 4, 5, 2, 6],
    timeDeltas: [0, 500_000, 200_000, 300_000, 100_000, 300_000, 100_000],
  };
  assert.deepEqual(largestCosts(profile, 1), {
    busy: 0.7,
    costs: [
      { name: 'onData', place: 'src/node/frame-socket.ts:10', share: 0.7143 },
      { name: '(Node itself)', place: '', share: 0.1429 },
      { name: '(garbage collector)', place: '', share: 0.1429 },
    ],
  });
});

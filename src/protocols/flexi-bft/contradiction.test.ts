/** A replica that two quorums tell two different things stops for good and spreads neither (more faults than it stands). */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Digest } from '../../core/types.ts';
import { Scene } from './scenes.testing.ts';

const OTHER = 'b'.repeat(64) as Digest;

it('stops with both proofs in its store, and does not start again on it', () => {
  const scene = new Scene();
  scene.submit('first');
  scene.settle(50);
  const batch = scene.machines[1]!.history[0]!;
  scene.passes = () => false;
  const other = { view: 4, sequence: 1, batch: OTHER };
  scene.deliver(0, 1, scene.by(0, { kind: 'PREPREPARE', ...other }));
  for (const from of [2, 3]) scene.deliver(from, 1, scene.by(from, { kind: 'PREPARE', ...other }));
  assert.match(scene.machines[1]!.halted ?? '', /two different batches .* order 1/);
  assert.deepEqual(scene.machines[1]!.history, [batch]);
  const evidence = scene.machines[1]!.stored.get('contradiction/1');
  assert.ok(evidence !== undefined);
  const text = Buffer.from(evidence).toString('hex');
  assert.ok(text.includes(batch) && text.includes(OTHER));
  scene.restart(1);
  assert.match(scene.machines[1]!.halted ?? '', /two different batches .* order 1/);
  // Its store wiped, it fetches what the others hold.
  scene.passes = () => true;
  scene.restart(1, true);
  scene.submit('second');
  scene.run(2_000);
  assert.equal(scene.machines[1]!.halted, undefined);
  assert.equal(scene.machines[1]!.history[0], batch);
});

/** The invariants object when replicas are made to disagree. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Digest, ReplicaId } from '../../core/types.ts';
import { encodeMode } from '../../smr/passive/mode-order.ts';
import { checkRepbft } from './invariants.ts';
import { INTERVAL, Scene } from './scenes.testing.ts';

function objection(scene: Scene): string {
  return checkRepbft(scene.machines.map(({ replica }) => replica)) ?? 'nothing';
}

const modeOf = (active: readonly ReplicaId[]): Digest => encodeMode({ view: 0, exponent: 0, active });

describe('invariants', () => {
  test('R2: a quorum that depends on the mode', () => {
    const scene = new Scene();
    Object.assign(scene.at(1), { quorum: 2 });
    assert.match(objection(scene), /quorums of replica 1/);
  });

  test('R3: a passive replica that has committed', () => {
    const scene = new Scene();
    scene.at(3).slots.of(1).saidCommit = 'a'.repeat(64) as Digest;
    assert.match(objection(scene), /replica 3 is passive/);
  });

  test('R1, R4: a passive replica with another state', () => {
    const scene = new Scene();
    scene.order(INTERVAL);
    scene.at(3).boundaries.set(INTERVAL, { sequence: INTERVAL, stateDigest: 'a'.repeat(64) as Digest });
    assert.match(objection(scene), /replica 3 has another state/);
  });

  test('R7: two active sets in one view', () => {
    const scene = new Scene();
    scene.at(0).schedule.onExecuted(1, modeOf([0, 1, 2]));
    scene.at(1).schedule.onExecuted(1, modeOf([0, 1, 3]));
    assert.match(objection(scene), /replica 1 came to normal-case mode/);
  });

  test('R8: too many passive replicas, or the primary among them', () => {
    for (const active of [
      [1, 3],
      [0, 2, 3],
    ]) {
      const scene = new Scene();
      scene.toViewOne();
      const { executed, schedule } = scene.at(0);
      schedule.onExecuted(executed, encodeMode({ view: 1, exponent: 0, active }));
      assert.match(objection(scene), new RegExp(`active replicas of view 1 are ${active.join()}`));
    }
  });
});

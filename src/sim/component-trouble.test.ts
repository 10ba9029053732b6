/** An honest host whose trusted component gives trouble: it stops or is silent, comes back, and never says two things. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { minbft } from '../protocols/minbft/definition.ts';
import type { TrustedTrouble } from './component-trouble.ts';
import { corrupt } from './run-schedule.ts';
import { drawScenario } from './scenario.ts';
import type { Scenario } from './scenario.ts';
import { GARBAGE } from './trusted.ts';
import { World } from './world.ts';

/** Notes of replica 0 in a run in which its component gives this trouble. */
function notesOf(seed: number, trouble: TrustedTrouble): Set<string> {
  const base = drawScenario(seed, { replicas: 3, faults: [] });
  const target = { kind: 'replica', id: 0 } as const;
  const times = { atMs: base.calmMs * 0.2, forMs: base.calmMs * 0.4 };
  const scenario: Scenario = { ...base, faults: [{ kind: 'component', ...times, target, trouble }] };
  const notes = new Set<string>();
  const world = new World({
    scenario,
    definition: minbft,
    corrupt: (context) => corrupt(context),
    listener: { onNote: (replica, name) => void (replica === 0 && notes.add(name)) },
  });
  world.run();
  assert.deepEqual(world.judge.violations, [], `seed ${seed}, ${JSON.stringify(trouble)}`);
  assert.equal(world.happened[`component-${trouble.kind}`], 1);
  return notes;
}

const SEEDS = [1, 2, 3];

describe('trouble with a trusted component', () => {
  it('slow: everybody waits for it or goes on without it', () => {
    for (const seed of SEEDS) notesOf(seed, { kind: 'slow', factor: 500 });
  });

  for (const works of [false, true]) {
    it(`stuck, and ${works ? 'works' : 'idle'}: the seal that was asked for is there or made when it answers again`, () => {
      for (const seed of SEEDS)
        assert.ok(!notesOf(seed, { kind: 'stuck', works }).has('renewing'), 'nothing was lost');
    });
  }

  for (const what of GARBAGE) {
    it(`garbage (${what}): the replica stops, and starts again when the component is well`, () => {
      const stopped = SEEDS.filter((seed) =>
        notesOf(seed, { kind: 'garbage', what, share: 1 }).has('storeRefused'),
      );
      assert.ok(stopped.length > 0);
    });
  }

  it('counter lost, or an older folder put back that the footprint notices: re-admitted with a new tcEpoch', () => {
    for (const trouble of [{ kind: 'lost' }, { kind: 'rollback', records: 2 }] as const)
      for (const seed of SEEDS) assert.ok(notesOf(seed, trouble).has('renewing'));
  });
});

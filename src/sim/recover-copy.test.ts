/**
 * Weakness U1: a Byzantine replica copies the identity in a pending RECOVER into one of its own. If that took effect
 * first, the owner could never register its component and would have to make another one, again and again.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LieListener } from '../adversary/conspiracy.ts';
import { minbft } from '../protocols/minbft/definition.ts';
import { CoreWorld } from './core/world.ts';
import { corruptCore } from './core/run.ts';
import { conspiracyFor } from './conspiracies.ts';
import type { Machine } from './machine.ts';
import { corrupt } from './run-schedule.ts';
import { drawScenario } from './scenario.ts';
import type { Scenario } from './scenario.ts';
import { World } from './world.ts';

const LIAR = 0;
const OWNER = 3;

/** Replica 3 of five loses its component, the first primary copies whatever RECOVER it hears or should propose. */
function scenarioOf(seed: number): Scenario {
  const byzantine = [{ replica: LIAR, behaviour: 'fabricate-request' as const }];
  const base = drawScenario(seed, { replicas: 5, faults: [], byzantine });
  const target = { kind: 'replica', id: OWNER } as const;
  // Early: later the liar would have lost the lead by its other lies.
  const times = { atMs: 30, forMs: base.calmMs * 0.2 };
  return { ...base, faults: [{ kind: 'component', ...times, target, trouble: { kind: 'lost' } }] };
}

interface Course {
  /** What a correct replica and the owner show at the end: mode of the owner, incarnations of all. */
  readonly owner: string | undefined;
  readonly incarnations: readonly number[] | undefined;
  readonly copied: number;
}

interface Copies {
  count: number;
}

function counting(copies: Copies): LieListener {
  return (replica, lie) => {
    if (replica === LIAR && lie.endsWith('copied RECOVER')) copies.count += 1;
  };
}

function runWhole(seed: number): Course {
  const copies = { count: 0 };
  const world = new World({
    scenario: scenarioOf(seed),
    definition: minbft,
    corrupt: (context) => corrupt(context, counting(copies)),
  });
  world.run();
  assert.deepEqual(world.judge.violations, [], `seed ${seed}`);
  return courseOf(world.nodes, copies);
}

function runCore(seed: number): Course {
  const copies = { count: 0 };
  const scenario = scenarioOf(seed);
  const conspiracy = conspiracyFor(scenario, counting(copies));
  const world = new CoreWorld({
    scenario,
    definition: minbft,
    corrupt: (context) => corruptCore(context, conspiracy),
  });
  world.run();
  assert.deepEqual(world.judge.violations, [], `seed ${seed}`);
  return courseOf(world.nodes, copies);
}

function courseOf(machines: readonly Pick<Machine<never>, 'look'>[], copies: Copies): Course {
  return {
    owner: machines[OWNER]!.look()?.mode,
    incarnations: machines[1]!.look()?.peers.map(({ incarnation }) => incarnation),
    copied: copies.count,
  };
}

describe('a copied RECOVER', () => {
  for (const [fidelity, run] of [
    ['whole', runWhole],
    ['core', runCore],
  ] as const) {
    it(`locks nobody out (${fidelity}): the owner is re-admitted with the component that it has`, () => {
      for (const seed of [1, 2, 3, 4]) {
        const { owner, incarnations, copied } = run(seed);
        assert.ok(copied > 0, 'the liar copied');
        assert.deepEqual(incarnations, [0, 0, 0, 1, 0], `seed ${seed}`);
        assert.equal(owner, 'active', `seed ${seed}`);
      }
    });
  }
});

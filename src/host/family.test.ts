/**
 * Protocols of the family on the whole host in a simulated world: disks that tear and fail, power cuts between any two
 * steps, lost stores, components that answer late. Trusted components run their real modules. MOIETY_WHOLE=name:from:count
 * runs other seeds, of any protocol whose answers are final.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PROTOCOLS } from '../protocols/catalogue.ts';
import type { AnyProtocol } from '../protocols/catalogue.ts';
import { drawScenario } from '../sim/scenario.ts';
import { World } from '../sim/world.ts';
import { startWasm } from '../trusted/conformance/environment.testing.ts';

interface Plan {
  readonly name: string;
  readonly from: number;
  readonly count: number;
}

const [name, from, count] = (process.env['MOIETY_WHOLE'] ?? '').split(':');
const PLANS: readonly Plan[] =
  name === undefined || name === ''
    ? [
        { name: 'pbft', from: 1, count: 10 },
        { name: 'a2m-pbft-ea', from: 1, count: 10 },
      ]
    : [{ name, from: Number(from), count: Number(count) }];

/** What MinBFT alone has an answer to (a component that is another one), and liars, which know its messages. */
const WITHOUT = ['volatile', 'component', 'fork', 'stale', 'byzantine', 'client', 'bitrot'] as const;

/** After it the component knows more than the store: the host stops and asks for a wipe (decision 0015). */
const LYING_DISK = ['fsync'] as const;

function runSeed(definition: AnyProtocol, seed: number): World<unknown> {
  const { trustedProgram } = definition;
  const cluster = { n: definition.replicasFor(1), f: 1 };
  const without = trustedProgram === undefined ? WITHOUT : [...WITHOUT, ...LYING_DISK];
  const drawn = drawScenario(seed, { cluster, without, byzantine: [] });
  const scenario = { ...drawn, trusted: { ...drawn.trusted, outlivesDisk: true } };
  const world = new World<unknown>({
    scenario,
    definition,
    ...(trustedProgram === undefined
      ? {}
      : { program: { name: trustedProgram, start: startWasm(trustedProgram) } }),
    corrupt: () => ({ wrapReplica: (replica) => replica, wrapPorts: (ports) => ports }),
    // Batches whose updates are applied are never seen: their effect is, in checkpoints, blocks and answers.
    judging: { inside: false, muted: definition.makesUpdates === true ? ['agreement'] : [] },
  });
  world.run();
  return world;
}

describe('the whole host under other protocols', () => {
  for (const plan of PLANS)
    it(`${plan.name}: ${plan.count} seeds from ${plan.from}`, { timeout: 300_000 }, () => {
      const definition = PROTOCOLS.find((protocol) => protocol.name === plan.name)!;
      let restarts = 0;
      let believed = 0;
      for (let seed = plan.from; seed < plan.from + plan.count; seed += 1) {
        const world = runSeed(definition, seed);
        assert.deepEqual(world.judge.violations, [], `${plan.name}, seed ${seed}`);
        believed += world.judge.believed;
        for (const node of world.correct) restarts += node.restarts;
      }
      assert.ok(believed > plan.count, 'clients got answers');
      if (plan.count >= 10) assert.ok(restarts > 0, 'some of them lost power');
    });
});

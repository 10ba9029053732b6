/** The core fidelity: equal seeds give equal runs, its judges see what they must, lies are caught or harmless. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Replica } from '../../core/protocol.ts';
import type { Batch } from '../../core/request.ts';
import type { Digest } from '../../core/types.ts';
import { minbft } from '../../protocols/minbft/definition.ts';
import type { MinbftMessage } from '../../smr/usig-stream/messages.ts';
import { runSchedule } from '../run-schedule.ts';
import { drawScenario } from '../scenario.ts';
import { corruptCore } from './run.ts';
import { CoreWorld } from './world.ts';
import type { CoreCorruption } from './world.ts';

const core = { fidelity: 'core', short: true } as const;

/** A replica that has something else executed than what was decided. */
function wrongExecution(inner: Replica<MinbftMessage>): Replica<MinbftMessage> {
  const altered = (batch: Batch): Batch => ({ ...batch, bundles: [...batch.bundles].reverse().slice(1) });
  return {
    step: (input, now) =>
      inner
        .step(input, now)
        .map((effect) => (effect.kind === 'execute' ? { ...effect, batch: altered(effect.batch) } : effect)),
    inspect: (now) => inner.inspect(now),
  };
}

/** A world in which machine `who`, held for a correct one, is wrapped. */
function worldWith(who: number, wrap: (inner: Replica<MinbftMessage>) => Replica<MinbftMessage>) {
  const definition = {
    ...minbft,
    createReplica: (context: Parameters<typeof minbft.createReplica>[0]) => {
      const inner = minbft.createReplica(context);
      return context.self === who ? wrap(inner) : inner;
    },
  };
  const scenario = drawScenario(4, { replicas: 3, short: true, faults: [] });
  const world = new CoreWorld<MinbftMessage>({ scenario, definition, corrupt: corruptCore });
  world.run();
  return world;
}

describe('core fidelity', () => {
  it('runs alike for equal seeds, short and long', () => {
    for (const seed of [3, 17, 256]) {
      for (const short of [true, false]) {
        const first = runSchedule(seed, { fidelity: 'core', short });
        assert.deepEqual(runSchedule(seed, { fidelity: 'core', short }), first, `seed ${seed}`);
      }
    }
    assert.notEqual(runSchedule(3, core).traceHash, runSchedule(4, core).traceHash);
  });

  it('says how to repeat a run', () => {
    const { reproduce } = runSchedule(5, { ...core, replicas: 3 });
    assert.equal(reproduce, 'moiety sim --seed 5 --replicas 3 --short --fidelity core');
  });

  it('notices a machine that executes something else', () => {
    assert.deepEqual(worldWith(-1, (inner) => inner).judge.violations, []);
    const { violations } = worldWith(1, wrongExecution).judge;
    assert.ok(
      violations.some(({ judge }) => judge === 'agreement'),
      JSON.stringify(violations),
    );
  });

  it('refuses what was altered after it was sealed, and holds it against a correct sender', () => {
    const forged = (inner: Replica<MinbftMessage>): Replica<MinbftMessage> => ({
      step: (input, now) =>
        inner.step(input, now).map((effect) => {
          if (effect.kind !== 'broadcast' || effect.message.kind !== 'PREPARE') return effect;
          const digest = `f${effect.message.digest.slice(1)}` as Digest;
          return { ...effect, message: { ...effect.message, digest } };
        }),
      inspect: (now) => inner.inspect(now),
    });
    const { violations } = worldWith(0, forged).judge;
    assert.equal(violations[0]?.judge, 'self-acceptance');
    assert.match(violations[0].text, /invalidSeal/);
  });

  it('proves what an equivocating primary did, or comes to no harm', () => {
    let accused = 0;
    for (let seed = 1; seed <= 150; seed += 1) {
      const result = runSchedule(seed, {
        ...core,
        replicas: 3,
        byzantine: [{ replica: 0, behaviour: 'equivocate' }],
        faults: ['network', 'byzantine'],
      });
      assert.deepEqual(result.violations, [], result.reproduce);
      for (const { replica } of result.accused) assert.equal(replica, 0);
      if (result.accused.length > 0) accused += 1;
    }
    assert.ok(accused >= 30, `${accused} of 150 were proven`);
  });

  it('finds a fork if a component was copied, and none behind the fence', () => {
    const forks = (fence: boolean): number => {
      let found = 0;
      for (let seed = 1; seed <= 200; seed += 1) {
        const { violations } = runSchedule(seed, { ...core, replicas: 3, fork: 'restart', fence });
        if (violations.length > 0) found += 1;
      }
      return found;
    };
    assert.ok(forks(false) > 0, 'two components with one name fork the cluster');
    assert.equal(forks(true), 0);
  });

  it('lets nobody hold a lie that only an object can tell', () => {
    // A Byzantine machine alters a message and leaves its digest: its receivers see what the bytes say.
    const corrupt = (): CoreCorruption<MinbftMessage> => ({
      wrapLinks: (links) => links,
      wrapReplica: (inner) => ({
        step: (input, now) =>
          inner.step(input, now).map((effect) => {
            if (effect.kind !== 'broadcast' || effect.message.kind !== 'COMMIT') return effect;
            const { prepare } = effect.message;
            const other = { ...prepare, sequence: prepare.sequence + 7 };
            return { ...effect, message: { ...effect.message, prepare: other } };
          }),
        inspect: (now) => inner.inspect(now),
      }),
    });
    const byzantine = [{ replica: 1, behaviour: 'silent' }] as const;
    const scenario = drawScenario(4, { replicas: 3, short: true, faults: [], byzantine });
    const world = new CoreWorld<MinbftMessage>({ scenario, definition: minbft, corrupt });
    world.run();
    assert.deepEqual(world.judge.violations, []);
    assert.equal(world.accused.size, 0);
  });
});

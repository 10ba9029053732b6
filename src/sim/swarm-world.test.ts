/** The world around the cluster, family by family: each fault really happens, and stays inside of the fault budget. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FaultBudget, budgetOf } from './budget.ts';
import { Chance } from './chance.ts';
import { SimClock } from './clock.ts';
import { EventQueue } from './event-queue.ts';
import { SimDisk } from './disk.ts';
import { CALM_NETWORK, Network, calmOf } from './network.ts';
import { distanceMs, REGIONS } from './regions.ts';
import { runScenario } from './run-schedule.ts';
import type { ScheduleResult } from './run-schedule.ts';
import { drawScenario } from './scenario.ts';
import type { FaultKind, HealPlan, PlannedFault, Scenario } from './scenario.ts';

const NOBODY = { replicas: 3, byzantine: [] } as const;

function drawn(seed: number, faults: readonly FaultKind[]): Scenario {
  return drawScenario(seed, { ...NOBODY, faults });
}

function clean(result: ScheduleResult): ScheduleResult {
  assert.deepEqual(result.violations, [], result.reproduce);
  return result;
}

/** Runs some seeds of a family; gives in how many of them something of this name happened. */
function happenedIn(
  family: FaultKind,
  name: string,
  seeds: number,
  with_: readonly FaultKind[] = [],
): number {
  let count = 0;
  for (let seed = 1; seed <= seeds; seed += 1) {
    const { stats } = clean(runScenario(drawn(seed, [family, ...with_])));
    if ((stats.happened[name] ?? 0) > 0) count += 1;
  }
  return count;
}

describe('families of the world happen and are survived', () => {
  const FAMILIES: readonly (readonly [FaultKind, string, number, FaultKind?])[] = [
    ['flap', 'flap', 6],
    ['mesh', 'mesh', 5],
    ['stale', 'duplicated', 6],
    ['bandwidth', 'queued', 5],
    ['clockjump', 'clockjump', 5],
    ['diskfull', 'diskfail', 4],
    ['slowdisk', 'slowdisk', 6],
    ['fsync', 'lies', 1],
    ['bitrot', 'storeRefused', 2],
    ['crashloop', 'crash', 6],
    ['torn', 'torn', 2, 'crash'],
    ['volatile', 'volatile', 1, 'crash'],
  ];
  for (const [family, name, atLeast, other] of FAMILIES) {
    it(family, () => {
      const count = happenedIn(family, name, 6, other === undefined ? [] : [other]);
      assert.ok(count >= atLeast, `${family}: ${name} in ${count} of 6 schedules`);
    });
  }

  it('latency: timers and the phase with faults follow the distance', () => {
    for (const seed of [1, 2, 3]) {
      const near = drawn(seed, []);
      const far = drawn(seed, ['latency']);
      const farthest = Math.max(...far.network.distanceMs!.flat());
      assert.ok(far.timers.requestMs > 14 * farthest);
      assert.ok(far.calmMs >= near.calmMs);
      assert.equal(far.network.places!.length, 3);
      clean(runScenario(far));
    }
  });

  it('drift: every clock has a rate of its own', () => {
    const scenario = drawn(3, ['drift']);
    assert.equal(new Set(scenario.clockDriftPpm).size, 3);
    clean(runScenario(scenario));
  });

  it('says what a partition parts, also if that is nobody', () => {
    const lines: string[] = [];
    const cut = (side: readonly number[]): PlannedFault => ({
      kind: 'partition',
      atMs: 1,
      forMs: 5,
      side,
      symmetric: true,
    });
    const scenario: Scenario = { ...drawn(2, []), faults: [cut([]), cut([1])] };
    clean(runScenario(scenario, { narrate: (_at, text) => void lines.push(text) }));
    assert.deepEqual(
      lines.filter((line) => line.includes('partition')),
      ['a partition that parts nobody', 'partition of [1] for 5 ms'],
    );
  });

  it('endless: the run ends with its faults, and only safety counts', () => {
    const { stats } = clean(runScenario(drawn(2, ['endless', 'crash', 'isolate'])));
    assert.ok(stats.virtualMs <= drawn(2, ['endless', 'crash', 'isolate']).calmMs + 50);
    const cut = drawn(2, ['endless']);
    const all: PlannedFault = { kind: 'partition', atMs: 0, forMs: 1e9, side: [0], symmetric: true };
    const two: PlannedFault = { kind: 'partition', atMs: 0, forMs: 1e9, side: [1], symmetric: true };
    assert.equal(clean(runScenario({ ...cut, faults: [all, two] })).stats.committed, 0);
  });
});

describe('a quorum is healed first', () => {
  // Everything stands still before the calm, so that all work is left for the quorum.
  const apart = (side: number): PlannedFault => ({
    kind: 'partition',
    atMs: 0,
    forMs: 1e9,
    side: [side],
    symmetric: true,
  });
  const still = (heal: HealPlan): Scenario => ({ ...drawn(5, []), faults: [apart(0), apart(1)], heal });

  for (const rest of ['down', 'cut', 'mute', 'deaf'] as const) {
    it(`while the rest is ${rest}, and the time is taken`, () => {
      const lines: string[] = [];
      const result = runScenario(still({ order: [2, 1, 0], rest }), {
        narrate: (_at, text) => void lines.push(text),
      });
      const { stats } = clean(result);
      assert.ok(stats.timeToCommitMs! > 0 && stats.timeToRecoverMs! >= stats.timeToCommitMs! - 40);
      assert.equal(stats.happened[`quorum-${rest}`], 1);
      assert.ok(lines.includes(`only [2 1] are healed; [0] stay ${rest}`));
      assert.ok(lines.indexOf('the rest is healed') > lines.indexOf('faults stop'));
    });
  }

  it('faulty replicas are not taken for it', () => {
    const lines: string[] = [];
    const wipe: PlannedFault = { kind: 'wipe', atMs: 50, forMs: 50, target: { kind: 'replica', id: 2 } };
    const scenario: Scenario = { ...drawn(5, []), faults: [wipe], heal: { order: [2, 1, 0], rest: 'cut' } };
    clean(runScenario(scenario, { narrate: (_at, text) => void lines.push(text) }));
    assert.ok(lines.includes('only [1 0] are healed; [2] stay cut'));
  });

  it('nobody stays away where all correct ones are needed', () => {
    const lines: string[] = [];
    const byzantine = [{ replica: 2, behaviour: 'silent' }] as const;
    const scenario = drawScenario(5, { replicas: 3, byzantine, faults: [] });
    clean(
      runScenario(
        { ...scenario, heal: { order: [], rest: 'down' } },
        { narrate: (_at, text) => void lines.push(text) },
      ),
    );
    assert.ok(lines.includes('only [0 1] are healed, and they are all correct ones'), lines.join('; '));
  });
});

describe('the fault budget', () => {
  it('refuses whoever would be one too many, and lets in who is charged already', () => {
    const budget = new FaultBudget(2, [4]);
    assert.ok(budget.charge(1) && budget.charge(1) && budget.charge(4));
    assert.ok(!budget.charge(0));
    assert.equal(budget.refused, 1);
    assert.deepEqual([...budget.faulty], [4, 1]);
    assert.ok(new FaultBudget(0, [], false).charge(3));
  });

  it('is kept by every draw', () => {
    for (let seed = 1; seed <= 600; seed += 1) {
      const scenario = drawScenario(seed);
      const budget = budgetOf(scenario);
      for (const id of scenario.trusted.volatile ?? []) assert.ok(budget.charge(id));
      for (const fault of scenario.faults) {
        const forgets = ['wipe', 'bitrot', 'fsynclie'].includes(fault.kind);
        const isFar = fault.kind === 'clockjump' && Math.abs(fault.byMs) > 2_400;
        if (!forgets && !isFar) continue;
        assert.ok('target' in fault && fault.target.kind === 'replica' && budget.charge(fault.target.id));
      }
      assert.ok(budget.faulty.size <= scenario.f);
    }
  });

  it('is kept at run time: a wipe too many is left out, unless the scenario asks for it', () => {
    const wipe = (id: number): PlannedFault => ({
      kind: 'wipe',
      atMs: 20 + id,
      forMs: 10,
      target: { kind: 'replica', id },
    });
    const scenario: Scenario = { ...drawn(4, []), faults: [wipe(0), wipe(1)] };
    const { stats } = clean(runScenario(scenario));
    assert.equal(stats.happened['wipe'], 1);
    assert.equal(stats.happened['leftOut'], 1);
    const over = runScenario({ ...scenario, overBudget: true, settleMs: 500 });
    assert.equal(over.stats.happened['wipe'], 2);
  });
});

describe('parts of the world', () => {
  it('distances are symmetric and positive', () => {
    for (const from of REGIONS)
      for (const to of REGIONS) {
        assert.equal(distanceMs(from, to), distanceMs(to, from));
        assert.ok(distanceMs(from, to) > 0);
      }
  });

  it('a clock drifts, jumps and is set right', () => {
    const clock = new SimClock(1_000, 10_000);
    assert.equal(clock.at(1_000), 2_010);
    clock.jump(-500);
    assert.equal(clock.at(1_000), 1_510);
    clock.setRight();
    assert.equal(clock.at(1_000), 2_010);
  });

  it('a narrow link carries frames one after the other, and distances add to delays', () => {
    const queue = new EventQueue();
    const arrived: number[] = [];
    const settings = {
      ...CALM_NETWORK,
      delayLowMs: 0,
      delayHighMs: 0,
      bytesPerMs: 10,
      distanceMs: [
        [0, 40],
        [40, 0],
      ],
    };
    const network = new Network<number>(
      2,
      queue,
      new Chance(1),
      settings,
      () => void arrived.push(queue.now),
      (size) => size,
    );
    for (const size of [100, 50, 10]) network.send(0, 1, size);
    while (queue.runNext());
    assert.deepEqual(arrived, [50, 55, 56]);
    assert.equal(network.queued, 2);
    assert.equal(calmOf(settings).bytesPerMs, undefined);
    assert.deepEqual(calmOf(settings).distanceMs, settings.distanceMs);
  });

  it('a rotten journal is found at the next start, a rewritten one is sound again', () => {
    const disk = makeDisk();
    assert.equal(disk.rot('journal', false), false, 'nothing is there to rot');
    disk.append(new Uint8Array([1]));
    settle(disk);
    assert.ok(disk.rot('journal', false));
    disk.crash();
    assert.match(disk.damage ?? '', /journal/);
    disk.rewrite([new Uint8Array([2])], () => undefined);
    drain();
    assert.equal(disk.damage, undefined);
  });

  it('a lying disk loses what it said was durable, and a failing one never answers', () => {
    let lost = 0;
    for (let seed = 0; seed < 20; seed += 1) {
      const disk = makeDisk(seed);
      disk.lie(true);
      for (let index = 0; index < 5; index += 1) disk.append(new Uint8Array([index]));
      settle(disk);
      disk.crash();
      if (disk.image().journal.length < 5) lost += 1;
      assert.ok(disk.isSuspect && disk.lies > 0);
    }
    assert.ok(lost > 0);
    const full = makeDisk();
    let failures = 0;
    full.fail(() => (failures += 1));
    full.append(new Uint8Array([1]));
    full.sync(() => assert.fail('a full disk does not sync'));
    drain();
    assert.equal(failures, 1);
  });
});

let queue = new EventQueue();

function makeDisk(seed = 1): SimDisk {
  queue = new EventQueue();
  return new SimDisk(0, queue, new Chance(seed), { syncLowMs: 1, syncHighMs: 2 });
}

function drain(): void {
  while (queue.runNext());
}

function settle(disk: SimDisk): void {
  disk.sync(() => undefined);
  drain();
}

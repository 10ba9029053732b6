/**
 * Seeded schedules in the small cluster of this folder: loss, duplication, partitions, crashes, restarts, loss of disk
 * and counter; then everything is healed and every request must be executed by everybody. MINBFT_SEEDS=from-to runs
 * others.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../../core/prng.ts';
import type { Bundle } from '../../core/request.ts';
import { Cluster } from './fixture.test.ts';

interface Outcome {
  readonly views: number;
  readonly orders: number;
  readonly transfers: number;
}

function runSchedule(seed: number): Outcome {
  const chance = new Prng(seed);
  const f = chance.pick([1, 1, 2]);
  const lossy = chance.chance(0.6);
  const cluster = new Cluster({
    f,
    seed: chance.u32(),
    loss: lossy ? chance.unit() * 0.3 : 0,
    duplication: lossy ? chance.unit() * 0.2 : 0,
    delayMs: chance.pick([
      [1, 3],
      [1, 20],
      [0, 60],
    ]),
    sealMs: chance.pick([
      [0, 1],
      [1, 5],
      [1, 25],
    ]),
    limits: {
      checkpointInterval: chance.pick([1, 2, 4]),
      pipelineFactor: chance.pick([1, 2, 3]),
      logEntriesMax: 64 * 12,
    },
  });
  cluster.startAll();
  const bundles: Bundle[] = [];
  const duration = 6_000;
  const count = chance.between(10, 60);
  for (let index = 0; index < count; index += 1) {
    const bundle = cluster.bundle(index + 1, chance.between(1, 3));
    bundles.push(bundle);
    cluster.at(chance.unit() * duration, () => {
      const all = cluster.members.map(({ id }) => id);
      cluster.submit(bundle, chance.chance(0.2) ? [chance.pick(all)] : all);
    });
  }
  let wiped = false;
  for (let time = 300; time < duration; time += chance.between(200, 1_500)) {
    const what = chance.unit();
    const victim = chance.between(0, cluster.n - 1);
    cluster.at(time, () => {
      const down = cluster.members.filter(({ replica }) => replica === undefined).length;
      if (what < 0.4 && cluster.members[victim]!.replica !== undefined) {
        cluster.crash(victim);
        cluster.at(chance.between(10, 2_000), () => cluster.start(victim));
      } else if (what < 0.5 && !wiped && down === 0) {
        wiped = true;
        cluster.wipe(victim);
        cluster.at(chance.between(10, 1_000), () => cluster.start(victim));
      } else if (what < 0.75) {
        cluster.partition((a, b) => a === victim || b === victim);
        cluster.at(chance.between(50, 1_500), () => cluster.heal());
      } else {
        const group = chance.between(1, 2 ** cluster.n - 2);
        cluster.partition((a, b) => ((group >> a) & 1) !== ((group >> b) & 1));
        cluster.at(chance.between(50, 1_500), () => cluster.heal());
      }
    });
  }
  cluster.run(duration + 2_100);
  cluster.loss = 0;
  cluster.duplication = 0;
  cluster.heal();
  for (const member of cluster.members) if (member.replica === undefined) cluster.start(member.id);
  // One more request, so that everybody who lags has something to catch up with.
  const last = cluster.bundle(9_999, 9);
  cluster.submit(last);
  bundles.push(last);
  const settled = cluster.run(60_000, () => cluster.settled(bundles) && everyoneActive(cluster));
  assert.ok(settled, `seed ${seed} did not settle:\n${cluster.describe()}`);
  const transfers = cluster.members.flatMap(({ notes }) => notes).filter(({ name }) => name === 'transfer');
  const views = cluster.members.map(({ replica }) => replica!.inspect(cluster.now).view);
  return { views: Math.max(...views), orders: cluster.agreed.size, transfers: transfers.length };
}

function everyoneActive(cluster: Cluster): boolean {
  return cluster.members.every(({ replica }) => replica?.inspect(cluster.now).mode === 'active');
}

const [from = 1, to = 40] = (process.env['MINBFT_SEEDS'] ?? '1-40').split('-').map(Number);

test(`schedules ${from} to ${to}: nothing diverges, and everything is executed after healing`, () => {
  let changed = 0;
  let transferred = 0;
  for (let seed = from; seed <= to; seed += 1) {
    try {
      const { views, transfers } = runSchedule(seed);
      if (views > 0) changed += 1;
      if (transfers > 0) transferred += 1;
    } catch (error) {
      throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
    }
  }
  assert.ok(changed * 4 >= to - from, `${changed} schedules changed the view`);
  assert.ok(transferred > 0 || to - from < 20, `${transferred} schedules transferred state`);
});

/** EBAWA under drawn trouble: losses, crashes of f replicas, partitions, wiped replicas. The cluster judges agreement. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../../core/prng.ts';
import type { Bundle } from '../../core/request.ts';
import { Cluster } from './fixture.test.ts';

function play(seed: number, f: number): void {
  const draw = new Prng(seed);
  const cluster = new Cluster({
    f,
    seed,
    loss: draw.chance(0.5) ? draw.unit() * 0.15 : 0,
    duplication: draw.chance(0.3) ? 0.1 : 0,
    delayMs: draw.chance(0.3) ? [1, 40] : [1, 3],
    sealMs: draw.chance(0.3) ? [0, 8] : [0, 1],
    limits: { checkpointInterval: draw.pick([2, 4, 8]), pipelineFactor: draw.pick([1, 2, 3]) },
  });
  cluster.startAll();
  cluster.run(100);
  const bundles: Bundle[] = [];
  const down = new Set<number>();
  for (let phase = 0; phase < 6; phase += 1) {
    for (let count = draw.between(1, 8); count > 0; count -= 1) {
      const bundle = cluster.bundle(bundles.length + 1, 1 + (bundles.length % 5));
      bundles.push(bundle);
      cluster.at(draw.unit() * 200, () => cluster.submit(bundle));
    }
    cluster.run(draw.between(5, 400));
    const trouble = draw.pick(['crash', 'crash', 'partition', 'wipe', 'none']);
    const victim = draw.between(0, cluster.n - 1);
    if (
      trouble === 'crash' ||
      (trouble === 'wipe' && phase < 2 && cluster.members[victim]!.incarnation === 0)
    ) {
      cluster.crash(victim);
      if (trouble === 'wipe') cluster.wipe(victim);
      down.add(victim);
    }
    if (trouble === 'partition') cluster.partition((a, b) => a === victim || b === victim);
    cluster.run(draw.between(50, 1_500));
    if (trouble === 'partition') cluster.heal();
    for (const id of down) cluster.start(id);
    down.clear();
    cluster.run(draw.between(0, 500));
  }
  cluster.loss = 0;
  cluster.heal();
  const done = cluster.run(120_000, () => cluster.settled(bundles));
  assert.ok(done, `seed ${seed}\n${cluster.describe()}`);
}

const SEEDS = Number(process.env['SEEDS'] ?? 15);
const FROM = Number(process.env['FROM'] ?? 1);

for (const f of [1, 2])
  test(`drawn schedules, f = ${f}`, () => {
    for (let seed = FROM; seed < FROM + SEEDS; seed += 1) play(seed, f);
  });

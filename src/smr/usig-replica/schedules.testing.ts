/** Drawn trouble for the small cluster: losses, crashes of one replica at a time, partitions, wiped replicas. */
import assert from 'node:assert/strict';
import { Prng } from '../../core/prng.ts';
import type { Bundle } from '../../core/request.ts';
import type { HarnessOptions, UsigCluster } from './cluster.testing.ts';

/** How a protocol's cluster is used in a schedule. */
export interface Played<C> {
  make(options: HarnessOptions): C;
  /** A client has a bundle. */
  ask(cluster: C, bundle: Bundle, draw: Prng): void;
  isDone(cluster: C, bundles: readonly Bundle[]): boolean;
}

type AnyCluster = Pick<
  UsigCluster,
  | 'run'
  | 'at'
  | 'n'
  | 'loss'
  | 'startAll'
  | 'crash'
  | 'wipe'
  | 'start'
  | 'partition'
  | 'heal'
  | 'bundle'
  | 'describe'
> & { readonly members: readonly { readonly incarnation: number }[] };

/** Plays the schedule of a seed until everything that was asked for is done. */
export function playSchedule<C extends AnyCluster>(seed: number, f: number, played: Played<C>): C {
  const draw = new Prng(seed);
  const cluster = played.make({
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
  for (let phase = 0; phase < 6; phase += 1) {
    for (let count = draw.between(1, 8); count > 0; count -= 1) {
      const bundle = cluster.bundle(bundles.length + 1, 1 + (bundles.length % 5));
      bundles.push(bundle);
      cluster.at(draw.unit() * 200, () => played.ask(cluster, bundle, draw));
    }
    cluster.run(draw.between(5, 400));
    makeTrouble(cluster, draw, phase < 2);
    cluster.run(draw.between(0, 500));
  }
  cluster.loss = 0;
  cluster.heal();
  const done = cluster.run(120_000, () => played.isDone(cluster, bundles));
  assert.ok(done, `seed ${seed}\n${cluster.describe()}`);
  return cluster;
}

function makeTrouble(cluster: AnyCluster, draw: Prng, mayWipe: boolean): void {
  const trouble = draw.pick(['crash', 'crash', 'partition', 'wipe', 'none']);
  const victim = draw.between(0, cluster.n - 1);
  const wipes = trouble === 'wipe' && mayWipe && cluster.members[victim]!.incarnation === 0;
  if (trouble === 'crash' || wipes) cluster.crash(victim);
  if (wipes) cluster.wipe(victim);
  if (trouble === 'partition') cluster.partition((a, b) => a === victim || b === victim);
  cluster.run(draw.between(50, 1_500));
  if (trouble === 'partition') cluster.heal();
  if (trouble === 'crash' || wipes) cluster.start(victim);
}

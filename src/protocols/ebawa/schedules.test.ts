/** EBAWA under drawn trouble; the cluster judges agreement. */
import { test } from 'node:test';
import { playSchedule } from '../../smr/usig-replica/schedules.testing.ts';
import { Cluster } from './fixture.test.ts';

for (const f of [1, 2])
  test(`drawn schedules, f = ${f}`, () => {
    for (let seed = 1; seed <= (f === 1 ? 10 : 5); seed += 1)
      playSchedule(seed, f, {
        make: (options) => new Cluster(options),
        ask: (cluster, bundle) => cluster.submit(bundle),
        isDone: (cluster, bundles) => cluster.settled(bundles),
      });
  });

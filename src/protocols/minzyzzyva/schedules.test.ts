/**
 * MinZyzzyva under drawn trouble. The cluster judges that what is final is the same everywhere and never undone, the
 * clients that no request has two results.
 */
import { test } from 'node:test';
import { playSchedule } from '../../smr/usig-replica/schedules.testing.ts';
import { Cluster } from './fixture.test.ts';

for (const f of [1, 2])
  test(`drawn schedules, f = ${f}`, () => {
    for (let seed = 1; seed <= (f === 1 ? 12 : 6); seed += 1) {
      const cluster = playSchedule(seed, f, {
        make: (options) => new Cluster(options),
        ask: (made, bundle, draw) => void made.ask(bundle, { certificates: draw.chance(0.8) }),
        isDone: (made, bundles) => made.accepted() === bundles.length && made.allFinal(bundles),
      });
      cluster.judgeAccepted();
    }
  });

/**
 * One suite for every protocol: the same swarm of faults and lies, the same judges. `MOIETY_PROTOCOL=pbft` restricts it,
 * `MOIETY_SEEDS=2000` runs more seeds, `MOIETY_SIM_FROM` begins elsewhere.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PROTOCOLS } from '../../protocols/catalogue.ts';
import { runFamilySeed } from './run.ts';

const SEEDS = Number(process.env['MOIETY_SEEDS'] ?? 200);
const FIRST = Number(process.env['MOIETY_SIM_FROM'] ?? 1);
const ONLY = process.env['MOIETY_PROTOCOL'];
const FAILURES_SHOWN = 3;

describe('every protocol', () => {
  for (const protocol of PROTOCOLS.filter(({ name }) => ONLY === undefined || name === ONLY))
    it(`${protocol.name} keeps its promises under faults and lies`, () => {
      const failures: string[] = [];
      let ran = 0;
      const seen = { events: 0, views: 0, rolledBack: 0, restarts: 0, byzantine: 0 };
      for (let seed = FIRST; seed < FIRST + SEEDS && failures.length < FAILURES_SHOWN; seed += 1) {
        ran += 1;
        const { violations, reproduce, ...stats } = runFamilySeed(protocol, seed);
        for (const { judge, atMs, text } of violations.slice(0, 1))
          failures.push(`${reproduce}\n    ${judge} at ${atMs.toFixed(1)} ms: ${text}`);
        seen.events += stats.events;
        for (const name of ['views', 'rolledBack', 'restarts', 'byzantine'] as const)
          if (stats[name] > 0) seen[name] += 1;
      }
      const share = (part: number): string => `${((100 * part) / ran).toFixed(0)} %`;
      console.log(
        `${protocol.name}: ${ran} schedules, ${seen.events} events; with a view change ${share(seen.views)}, ` +
          `rollback ${share(seen.rolledBack)}, restart ${share(seen.restarts)}, a Byzantine replica ${share(seen.byzantine)}`,
      );
      assert.equal(failures.length, 0, `violations:\n${failures.join('\n')}`);
    });
});

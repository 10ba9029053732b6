/**
 * One suite for every protocol: the same swarm of faults and lies, the same judges. `MOIETY_PROTOCOL=pbft` restricts it,
 * `MOIETY_SEEDS=2000` runs more seeds, `MOIETY_SIM_FROM` begins elsewhere.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PROTOCOLS } from '../../protocols/catalogue.ts';
import { runFamilySeed } from './run.ts';
import { addToTally, EMPTY_TALLY, tallyLine } from './tally.ts';

const SEEDS = Number(process.env['MOIETY_SEEDS'] ?? 200);
const FIRST = Number(process.env['MOIETY_SIM_FROM'] ?? 1);
const ONLY = process.env['MOIETY_PROTOCOL'];
const FAILURES_MAX = 3;

describe('every protocol', () => {
  for (const protocol of PROTOCOLS.filter(({ name }) => ONLY === undefined || name === ONLY))
    it(`${protocol.name} keeps its promises under faults and lies`, () => {
      let tally = EMPTY_TALLY;
      for (let seed = FIRST; seed < FIRST + SEEDS && tally.violating < FAILURES_MAX; seed += 1)
        tally = addToTally(tally, runFamilySeed(protocol, seed));
      console.log(tallyLine(protocol.name, tally));
      assert.equal(tally.violating, 0, `violations:\n${tally.failures.join('\n')}`);
    });

  it('runs alike for equal seeds', () => {
    for (const protocol of PROTOCOLS)
      for (const seed of [7, 8])
        assert.deepEqual(runFamilySeed(protocol, seed), runFamilySeed(protocol, seed));
  });
});

/**
 * One suite for every protocol: the same swarm of faults and lies, the same judges. `MOIETY_PROTOCOL=pbft` restricts it,
 * `MOIETY_SEEDS=2000` runs more seeds, `MOIETY_SIM_FROM` begins elsewhere.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PROTOCOLS, protocolNamed } from '../../protocols/catalogue.ts';
import { runFamilySeed } from './run.ts';
import { addToTally, EMPTY_TALLY, tallyLine } from './tally.ts';

const SEEDS = Number(process.env['MOIETY_SEEDS'] ?? 200);
const FIRST = Number(process.env['MOIETY_SIM_FROM'] ?? 1);
const ONLY = process.env['MOIETY_PROTOCOL'];
const FAILURES_MAX = 3;

/** Schedules that found something once, with f: they stay. */
const MENDED: readonly (readonly [protocol: string, seed: number, f: number])[] = [
  // What was executed before a crash lacked its entry in the execution log for ever.
  ['a2m-pbft-e', 6239, 1],
  // The only replica that knew what a client relies on could not show the proposal that it had voted for.
  ['a2m-pbft-ea', 14637, 1],
  // What shows a decision was lost by a restart.
  ['a2m-pbft-ea', 52194, 1],
  // A replica had decided, others could not be brought on.
  ['pbft-mac', 51925, 1],
  // A judge took a certified state for one that nobody had reached.
  ['zyzzyva', 2019, 1],
  ['zyzzyva', 15293, 1],
  ['cheapbft', 3682, 1],
  // A snapshot outlived the certificate of its checkpoint: the simulated host did not wait for it.
  ['ebawa', 18033, 1],
  // Committed behind a counter value that a liar had spent.
  ['cheapbft', 132, 2],
  // A later run of the fallback found what an earlier one had kept.
  ['cheapbft', 44358, 1],
];

describe('every protocol', () => {
  for (const protocol of PROTOCOLS.filter(({ name }) => ONLY === undefined || name === ONLY))
    it(`${protocol.name} keeps its promises under faults and lies`, () => {
      let tally = EMPTY_TALLY;
      for (let seed = FIRST; seed < FIRST + SEEDS && tally.violating < FAILURES_MAX; seed += 1)
        tally = addToTally(tally, runFamilySeed(protocol, seed));
      console.log(tallyLine(protocol.name, tally));
      assert.equal(tally.violating, 0, `violations:\n${tally.failures.join('\n')}`);
    });

  it('keeps its promises in schedules that found something once', () => {
    for (const [name, seed, f] of MENDED) {
      if (ONLY !== undefined && name !== ONLY) continue;
      const { violations } = runFamilySeed(protocolNamed(name)!, seed, { f });
      assert.deepEqual(violations, [], `moiety sim run --protocol ${name} --seed ${seed} --f ${f}`);
    }
  });

  it('runs alike for equal seeds', () => {
    for (const protocol of PROTOCOLS)
      for (const seed of [7, 8])
        assert.deepEqual(runFamilySeed(protocol, seed), runFamilySeed(protocol, seed));
  });
});

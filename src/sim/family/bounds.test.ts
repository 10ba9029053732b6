/** What each protocol promises to stand is as much as it stands: with more, or with its component broken, it forks. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PROTOCOLS, protocolNamed } from '../../protocols/catalogue.ts';
import { breachesOf, isHalf, runStarved, searchBreach, standsWhole } from './bounds.ts';

/** Seeds in which a fork has to be found. */
const SEEDS_MAX = 100;
/** Seeds in which none may be, within the bound. */
const SEEDS_CLEAN = 30;
/** Seeds in which a cluster that is too small gets nowhere. */
const SEEDS_STARVED = 3;
const ONLY = process.env['MOIETY_PROTOCOL'];

describe('the bound is real', () => {
  for (const protocol of PROTOCOLS.filter(({ name }) => ONLY === undefined || name === ONLY)) {
    for (const breach of breachesOf(protocol))
      it(`${protocol.name} forks: ${breach}`, () => {
        const { seed, violation } = searchBreach(protocol, breach, SEEDS_MAX);
        assert.notEqual(seed, undefined, `no fork within ${SEEDS_MAX} seeds`);
        console.log(`${protocol.name} ${breach}: seed ${seed}, ${violation}`);
      });

    for (const breach of standsWhole(protocol))
      it(`${protocol.name} keeps one history, its components being whole: ${breach}`, () => {
        assert.equal(searchBreach(protocol, breach, SEEDS_CLEAN).violation, undefined);
      });

    if (isHalf(protocol))
      it(`${protocol.name} orders nothing with one replica too few and f silent ones`, () => {
        for (let seed = 1; seed <= SEEDS_STARVED; seed += 1)
          assert.deepEqual(runStarved(protocol, seed), { believed: 0, violation: undefined });
      });

    it(`${protocol.name} does not fork with as many twins as it stands`, () => {
      assert.deepEqual(searchBreach(protocol, 'none', SEEDS_CLEAN), {
        seed: undefined,
        violation: undefined,
      });
    });
  }

  it('three replicas fork under PBFT, but not under MinBFT while its component is one', () => {
    const three = (name: string, breach: Parameters<typeof searchBreach>[1]): boolean =>
      searchBreach(protocolNamed(name)!, breach, SEEDS_CLEAN).seed !== undefined;
    assert.equal(three('pbft', 'too-few-replicas'), true);
    assert.equal(three('minbft', 'none'), false);
    assert.equal(three('minbft', 'cloned'), true);
  });
});

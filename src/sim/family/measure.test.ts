/** The table of protocols tells what is so: messages and trusted calls by formula and by count are equal. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PROTOCOLS } from '../../protocols/catalogue.ts';
import { differences, measureCosts, measureDelays } from './measure.ts';

const ONLY = process.env['MOIETY_PROTOCOL'];

describe('costs of a batch without faults', () => {
  for (const protocol of PROTOCOLS.filter(({ name }) => ONLY === undefined || name === ONLY))
    it(`of ${protocol.name} are those of its formulas`, () => {
      for (const f of [1, 2, 3]) assert.deepEqual(differences(protocol.facts, measureCosts(protocol, f)), []);
    });
});

/** Batches wait for more requests for a moment, and slots of idle owners are not given up at once: far less than a delay. */
const WAITS = 0.01;

describe('message delays of a request without faults', () => {
  for (const protocol of PROTOCOLS.filter(({ name }) => ONLY === undefined || name === ONLY))
    it(`under ${protocol.name} are those of its facts`, () => {
      for (const f of [1, 2, 3])
        for (const measured of measureDelays(protocol, f)) {
          const more = measured - protocol.facts.delays(f);
          assert.ok(
            more >= 0 && more < WAITS,
            `f = ${f}: ${measured}, said to be ${protocol.facts.delays(f)}`,
          );
        }
    });
});

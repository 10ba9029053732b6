/** The table of protocols tells what is so: messages and trusted calls by formula and by count are equal. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PROTOCOLS } from '../../protocols/catalogue.ts';
import { differences, measureCosts } from './measure.ts';

const ONLY = process.env['MOIETY_PROTOCOL'];

describe('costs of a batch without faults', () => {
  for (const protocol of PROTOCOLS.filter(({ name }) => ONLY === undefined || name === ONLY))
    it(`of ${protocol.name} are those of its formulas`, () => {
      for (const f of [1, 2, 3]) assert.deepEqual(differences(protocol.facts, measureCosts(protocol, f)), []);
    });
});

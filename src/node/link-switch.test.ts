import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LinkSwitch, partitionOrder } from './link-switch.ts';

describe('the switch of the links', () => {
  it('tells of each turn once, and at once of one that was before anybody listened', () => {
    const links = new LinkSwitch();
    links.obey(partitionOrder(true));
    const told: boolean[] = [];
    links.onTurn((isCutOff) => told.push(isCutOff));
    links.obey(partitionOrder(true));
    links.obey(partitionOrder(false));
    links.obey(partitionOrder(false));
    assert.deepEqual(told, [true, false]);
    assert.equal(links.isCutOff, false);
  });

  it('passes over whatever is no such order', () => {
    const links = new LinkSwitch();
    for (const odd of [
      undefined,
      null,
      7,
      'partition',
      {},
      { kind: 'partition' },
      { kind: 'x', isCutOff: true },
    ])
      links.obey(odd);
    links.obey({ kind: 'partition', isCutOff: 1 });
    assert.equal(links.isCutOff, false);
  });
});

/** Addresses of the playground: what is written is read, and what anybody may have written gives a sentence. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Prng } from '../../core/prng.ts';
import { readAddress, writeAddress } from './address.ts';
import type { PlaygroundAddress } from './contract.ts';

describe('addresses of the playground', () => {
  it('say again what they were made of', () => {
    const random = new Prng(5);
    const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => random.between(0, 255));
    const addresses: PlaygroundAddress[] = [
      { scenario: { kind: 'none' } },
      { scenario: { kind: 'none' }, at: 4 },
      { scenario: { kind: 'lesson', lesson: 3 } },
      { scenario: { kind: 'draw', protocol: 'a2m-pbft-ea', seed: 2 ** 48 }, at: 0 },
      { scenario: { kind: 'draw', protocol: 'minbft', f: 2, seed: 0, faults: ['crash', 'network'] } },
      { scenario: { kind: 'draw', protocol: 'minbft', seed: 1, faults: [] } },
      ...[1, 2, 3, 4, 5, 1000, 48 * 1024].map((length): PlaygroundAddress => {
        return { scenario: { kind: 'script', packed: bytes(length) }, at: 77 };
      }),
    ];
    for (const address of addresses) {
      const text = writeAddress(address);
      assert.match(text, /^[A-Za-z0-9=&,_-]*$/);
      assert.deepEqual(readAddress(text), address);
      assert.deepEqual(readAddress(`#${text}`), address);
    }
    assert.deepEqual(readAddress('#protocol=pbft&faults=crash%2Cpause'), {
      scenario: { kind: 'draw', protocol: 'pbft', seed: 1, faults: ['crash', 'pause'] },
    });
    assert.deepEqual(readAddress(''), { scenario: { kind: 'none' } });
  });

  it('that are none give a sentence', () => {
    const wrong: readonly [string, RegExp][] = [
      ['#sript=abc', /"sript", which the playground does not know/],
      ['#seed=1', /"seed" and no protocol/],
      ['#protocol=MinBFT&seed=1', /no name/],
      ['#protocol=minbft&seed=-1', /"seed" is a whole number/],
      ['#protocol=minbft&seed=1e3', /"seed" is a whole number/],
      ['#protocol=minbft&seed=99999999999999999999', /"seed" is a whole number/],
      ['#protocol=minbft&f=0', /"f" is a whole number from 1 to 20/],
      ['#protocol=minbft&faults=Crash', /names with commas/],
      [`#protocol=minbft&faults=${'a,'.repeat(300)}a`, /names with commas/],
      ['#protocol=minbft&protocol=pbft', /"protocol" twice/],
      ['#protocol=minbft&lesson=1', /a protocol and a lesson/],
      ['#lesson=0', /"lesson" is a whole number/],
      ['#lesson', /"lesson" is a whole number/],
      ['#at=x', /"at" is a whole number/],
      ['#script=', /damaged/],
      ['#script=a', /damaged/],
      ['#script=ab$d', /damaged/],
      [`#script=${'A'.repeat(70_000)}`, /damaged/],
      [`#script=${'A'.repeat(200_000)}`, /too long/],
      ['#__proto__=1', /"__proto__", which/],
    ];
    for (const [text, words] of wrong) {
      const answer = readAddress(text);
      assert.ok(typeof answer === 'string', text.slice(0, 40));
      assert.match(answer, words);
      assert.ok(answer.length < 200 && answer.endsWith('.'));
    }
  });

  it('never throw', () => {
    const random = new Prng(9);
    const letters = '#&=%abc,_-0123 \u00e9scriptprotocol';
    for (let round = 0; round < 3_000; round += 1) {
      const length = random.between(0, 40);
      const text = Array.from({ length }, () => letters[random.between(0, letters.length - 1)]).join('');
      const answer = readAddress(text);
      assert.ok(typeof answer === 'string' || answer.scenario.kind.length > 0);
    }
  });
});

/** Damaged bytes against every decoder: a budget of drawn ones, and a smaller one of fast-check, which makes a find small. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { collectCorpus } from './corpus.ts';
import { ask, fuzz } from './fuzz.ts';
import { applySteps, STEP_KINDS } from './mutations.ts';
import { shown, targetsFor } from './targets.ts';
import type { Target } from './targets.ts';

const INPUTS = Number(process.env['MOIETY_FUZZ_INPUTS'] ?? 150_000);
const targets = targetsFor(collectCorpus());

/** One step of damage, as fast-check draws it. */
const step = fc.record({
  kind: fc.constantFrom(...STEP_KINDS),
  at: fc.double({ min: 0, max: 0.999_999, noNaN: true }),
  to: fc.double({ min: 0, max: 0.999_999, noNaN: true }),
  value: fc.integer({ min: 0, max: 255 }),
});

describe('hostile bytes', () => {
  it('begins with valid inputs of every sort', () => {
    for (const target of targets) {
      assert.ok(target.seeds.length > 0, `${target.name} has no valid input`);
      // A value of the protocol's durable map is only one of several kinds.
      const isMixed = target.name === 'durable boundary';
      const accepted = target.seeds.filter(
        (seed) => typeof ask(target, seed) === 'string' && ask(target, seed) !== 'refused',
      );
      assert.ok(isMixed ? accepted.length > 0 : accepted.length === target.seeds.length, target.name);
    }
  });

  it(`lets none of ${INPUTS} drawn inputs escape`, () => {
    const { inputs, accepted, escapes } = fuzz(targets, 1, INPUTS);
    assert.deepEqual(escapes, []);
    assert.equal(inputs, INPUTS);
    // Damage that leaves nothing valid would test one branch only.
    assert.ok(accepted > INPUTS / 20 && accepted < (INPUTS * 3) / 4, `${accepted} accepted`);
    console.log(`fuzzed ${inputs} inputs over ${targets.length} decoders: ${accepted} accepted, 0 escapes`);
  });

  it('refuses every proper prefix, and every input with a byte more', () => {
    for (const target of targets.filter(({ name }) => !TEXTS.has(name)))
      for (const seed of target.seeds.slice(0, 12)) checkEnds(target, seed);
  });

  for (const target of targets) {
    it(`${target.name}: damage drawn by fast-check`, () => {
      fc.assert(
        fc.property(fc.nat(target.seeds.length - 1), fc.array(step, { maxLength: 6 }), (index, steps) => {
          const input = applySteps(target.seeds[index]!, steps, target.seeds);
          const outcome = ask(target, input);
          assert.ok(typeof outcome === 'string', JSON.stringify(outcome));
        }),
        { seed: 7, numRuns: target.weight === undefined ? 400 : 40 },
      );
    });
  }

  it('sees a decoder that throws, accepts two spellings, or believes a length', () => {
    const wrong: readonly (readonly [string, Target['decode']])[] = [
      [
        'threw',
        (bytes) => {
          if (bytes[0] !== 0) throw new Error('a kind that nobody thought of');
          return bytes;
        },
      ],
      ['not canonical', (bytes) => (bytes.length > 2 ? bytes.subarray(0, 2) : undefined)],
    ];
    for (const [what, decode] of wrong) {
      const { escapes } = fuzz([{ name: 'wrong', seeds: [new Uint8Array(8)], decode }], 1, 5_000);
      assert.equal(escapes[0]?.what, what);
    }
    const kept: Uint8Array[] = [];
    const greedy: Target = {
      name: 'greedy',
      seeds: [new Uint8Array(4).fill(1)],
      decode: (bytes) => {
        const length = bytes.length < 4 ? 0 : new DataView(bytes.buffer).getUint32(0);
        kept[0] = new Uint8Array(Math.min(length, 2 ** 29));
        return undefined;
      },
    };
    assert.equal(fuzz([greedy], 1, 20_000).escapes[0]?.what, 'allocated too much');
  });
});

/** Texts may be shorter or have white space at the end, and still be what they are. */
const TEXTS = new Set(['trust file', 'evidence file', 'cluster file', 'JSON body of a request']);
/** Of these every byte string in bounds has a meaning. */
const OPEN_ENDED = new Set(['ledger result', 'durable values of the protocol']);

function checkEnds(target: Target, seed: Uint8Array): void {
  const longer = new Uint8Array(seed.length + 1);
  longer.set(seed);
  const stride = Math.max(1, Math.floor(seed.length / 400));
  const inputs = [longer];
  for (let length = 0; length < seed.length; length += stride) inputs.push(seed.slice(0, length));
  for (const input of inputs) {
    const outcome = ask(target, input);
    if (OPEN_ENDED.has(target.name) || target.name === 'durable boundary')
      assert.equal(typeof outcome, 'string');
    else assert.equal(outcome, 'refused', `${target.name} accepts ${shown(input)}`);
  }
}

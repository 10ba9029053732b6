/**
 * M-07, M-08, M-12, K-13, K-14 of docs/scenarios.md: traps of the language that no single test would notice, searched for in
 * every file of the product; and numbers at the ends of what a double can hold.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Reader, Writer } from '../../src/core/codec.ts';
import { equalConstantTime } from '../../src/crypto/constant-time.ts';

const root = new URL('../../src/', import.meta.url);
const product = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !/\.(test|testing)\.ts$|\/assembly\//.test(file))
  .sort();
const textOf = (file: string): string => readFileSync(new URL(file, root), 'utf8');
/** Lines of code: comments are left out. */
const linesOf = (file: string): string[] =>
  textOf(file)
    .replaceAll(/\/\*[^]*?\*\//g, (comment) => comment.replaceAll(/[^\n]/g, ''))
    .split('\n')
    .map((line) => line.replace(/(^|\s)\/\/.*$/, ''));

function linesWith(pattern: RegExp, files: readonly string[] = product): string[] {
  return files.flatMap((file) =>
    linesOf(file).flatMap((line, index) =>
      pattern.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : [],
    ),
  );
}
/** Files of folders whose results every replica must agree on. */
const agreed = product.filter((file) => /^(core|crypto|trusted|smr|protocols|ledger|apps|host)\//.test(file));

/** Low halves of integers of 64 bits, beside their high halves; and generators of chance. */
const CUT_ON_PURPOSE: readonly string[] = [
  'apps/kv/buckets.ts',
  'core/codec.ts',
  'core/prng.ts',
  'crypto/fast-model.ts',
  'ledger/transaction.ts',
  'trusted/model.ts',
  'trusted/statement.ts',
];

describe('M-07: integers', () => {
  it('are read as what was written, up to the largest that is exact, and refused above it', () => {
    for (const value of [
      0,
      1,
      2 ** 31,
      2 ** 32 - 1,
      2 ** 32,
      2 ** 52,
      Number.MAX_SAFE_INTEGER - 1,
      Number.MAX_SAFE_INTEGER,
    ]) {
      const reader = new Reader(new Writer(8).u64(value).finish());
      assert.equal(reader.u64(), value);
      assert.ok(reader.done());
    }
    for (const value of [2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n]) {
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setBigUint64(0, value);
      const reader = new Reader(bytes);
      assert.equal(Number.isSafeInteger(reader.u64()), true);
      assert.equal(reader.done(), false, `${value}`);
    }
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.nat(2 ** 32 - 1), (large, small) => {
        const reader = new Reader(new Writer(12).u64(large).u32(small).finish());
        return reader.u64() === large && reader.u32() === small && reader.done();
      }),
      { seed: 5, numRuns: 2_000 },
    );
  });

  it('are nowhere cut to 32 bits in passing, and never read from text by the lenient readers', () => {
    const found = linesWith(/\|\s*0\b(?!x)|~~|>>>?\s*0\b/, agreed).map((line) => line.split(':')[0]!);
    assert.deepEqual([...new Set(found)], CUT_ON_PURPOSE);
    const open = product.filter((file) => /^(gateway|client|node)\//.test(file));
    assert.deepEqual(linesWith(/\b(parseInt|parseFloat)\(/, [...agreed, ...open]), []);
  });
});

describe('M-08: comparisons', () => {
  it('are strict, and no list is sorted by the text of its items by accident', () => {
    assert.deepEqual(
      linesWith(/[^=!<>]==[^=]|!=[^=]/).filter((line) => !/['"`/].*[=!]=.*['"`/]/.test(line)),
      [],
    );
    assert.deepEqual(linesWith(/\.(sort|toSorted)\(\s*\)/, agreed), []);
  });

  it('do not depend on the place: nothing asks for a locale', () => {
    assert.deepEqual(linesWith(/\.(toLocale\w*|localeCompare)\(|\bIntl\./, agreed), []);
  });
});

/** The regular expressions of a line: only what stands where a value can begin. */
function expressionsOf(line: string): string[] {
  return [
    ...line.matchAll(
      /(?<=(?:^|[=(,:!&|?]|=>|return)\s*)\/((?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)\/[dgimsuyv]*/g,
    ),
  ].map((match) => match[1]!);
}

/** Whether something without a bound is repeated without a bound: then matching may take for ever. */
function isRisky(source: string): boolean {
  const plain = source.replaceAll(/\\./g, 'e').replaceAll(/\[[^\]]*\]/g, 'c');
  return /\([^()]*(?:[+*]|\{\d+,\})[^()]*\)(?:[+*]|\{\d*,)/.test(plain);
}

describe('M-12: regular expressions', () => {
  const found = product.flatMap((file) =>
    linesOf(file).flatMap((line) => expressionsOf(line).map((source) => ({ file, source }))),
  );

  it('are found by this test', () => {
    assert.ok(found.length > 30, `${found.length}`);
    assert.ok(isRisky('^(a+)+$') && isRisky('(x*y)*') && !isRisky('^[0-9a-f]{64}$'));
  });

  it('have no repetition within a repetition', () => {
    assert.deepEqual(
      found.filter(({ source }) => isRisky(source)),
      [],
    );
  });

  it('answer long adversarial texts at once', () => {
    const SIZE = 20_000;
    const texts = ['a', '0', '/', ' ', '\\', '{', ':', '.', '-', '\u2603', 'a.', '0:', '/a', '%4'].flatMap(
      (part) => {
        const long = part.repeat(SIZE / part.length);
        return [long, `${long}!`, `!${long}`, `https://${long}`, `${long}\n`];
      },
    );
    for (const { file, source } of found) {
      const expression = new RegExp(source, 'u'.repeat(Number(source.includes('\\p{'))));
      const before = process.cpuUsage().user;
      for (const text of texts) expression.test(text);
      // 70 texts of 20,000 characters; quadratic time would be four hundred million steps for each of them.
      assert.ok(process.cpuUsage().user - before < 5e6, `${file}: /${source}/`);
    }
  });
});

describe('K-13, K-14: chance and comparisons of secrets', () => {
  it('keys and nonces come from the cryptographic source alone', () => {
    const found = linesWith(/Math\.random/).map((line) => line.split(':')[0]);
    // Jitter of waits, nothing else.
    assert.deepEqual([...new Set(found)], JITTER);
  });

  it('secrets are compared in constant time, whatever they are', () => {
    for (const length of [0, 1, 16, 32]) {
      const left = Uint8Array.from({ length }, (_, index) => index);
      assert.ok(equalConstantTime(left, left.slice()));
      for (let at = 0; at < length; at += 1) {
        const right = left.slice();
        right[at]! ^= 0x80;
        assert.equal(equalConstantTime(left, right), false);
      }
      assert.equal(equalConstantTime(left, new Uint8Array(length + 1)), false);
    }
    for (const [file, pattern] of COMPARED) assert.match(textOf(file), pattern, file);
  });
});

/** Files that draw chance for the length of a wait. */
const JITTER: readonly string[] = ['node/transport.ts'];
/** Where a code or token is judged, and how. */
const COMPARED: readonly (readonly [file: string, pattern: RegExp])[] = [
  ['footprints/process/server.ts', /timingSafeEqual\(/],
  ['gateway/guard.ts', /timingSafeEqual\(/],
  ['cli/supervisor/control.ts', /timingSafeEqual\(/],
  ['node/crypto.ts', /timingSafeEqual\(/],
  ['gateway/fault-routes.ts', /equalSecrets\(/],
];

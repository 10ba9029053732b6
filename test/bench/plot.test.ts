import assert from 'node:assert/strict';
import { test } from 'node:test';
import { barPlot, linePlot, numberText } from './plot.ts';

const axis = (label: string, scale: 'linear' | 'log') => ({ label, scale });

/** Every tag is closed and nothing unescaped is left. */
function assertWellFormed(svg: string): void {
  const open: string[] = [];
  for (const [, slash, name, self] of svg.matchAll(/<(\/?)([a-z]+)[^<>]*?(\/?)>/g)) {
    if (slash === '/') assert.equal(open.pop(), name);
    else if (self !== '/') open.push(name!);
  }
  assert.deepEqual(open, []);
  assert.doesNotMatch(svg.replace(/<[^<>]*>/g, ''), /[<>]/);
  assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
}

test('lines stay within their axes, and what a logarithm has not is left out', () => {
  const svg = linePlot({
    title: 'a < b & c',
    x: axis('in flight', 'log'),
    y: axis('operations/s', 'log'),
    lines: [
      {
        name: 'product',
        points: [
          [1, 100],
          [64, 4_000],
          [1_024, 9_000],
        ],
      },
      {
        name: 'floor',
        points: [
          [0, 5],
          [1, 0],
          [1_024, 1_000_000],
        ],
      },
      { name: 'nothing', points: [] },
    ],
    marks: [[64, 'here']],
  });
  assertWellFormed(svg);
  const places = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => [
    Number(x),
    Number(y),
  ]);
  assert.equal(places.length, 4);
  for (const [x, y] of places) assert.ok(x! >= 76 && x! <= 570 && y! >= 40 && y! <= 344, `${x} ${y}`);
});

test('a linear axis begins at 0, or below it', () => {
  const points = [
    [-1_000, 10],
    [0, 0],
    [2_000, 70],
  ] as const;
  const svg = linePlot({
    title: 't',
    x: axis('ms', 'linear'),
    y: axis('y', 'linear'),
    lines: [{ name: 'l', points }],
  });
  assertWellFormed(svg);
  assert.match(svg, />-1,000<\/text>/);
  assert.match(svg, />0<\/text>/);
});

test('bars, also without any value', () => {
  assertWellFormed(
    barPlot({
      title: 't',
      label: 'operations/s',
      bars: [
        ['minbft', 5_000],
        ['pbft', 0],
      ],
    }),
  );
  assertWellFormed(barPlot({ title: 't', label: 'l', bars: [] }));
});

test('numbers for people', () => {
  assert.deepEqual([0, 0.1234, 5.678, 12.3, 1_234_567].map(numberText), [
    '0',
    '0.12',
    '5.7',
    '12',
    '1,234,567',
  ]);
});

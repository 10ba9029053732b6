import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIVE_MOMENTS_MAX } from '../core/live.ts';
import { readLiveAnswer } from './live-answers.ts';

const read = (value: unknown) => readLiveAnswer(new TextEncoder().encode(JSON.stringify(value)), 3);
const momentsOf = (...moments: unknown[]) => read({ cursor: 'a-1', missed: 0, moments })?.moments;

test('an honest answer comes out as it went in', () => {
  const label = { kind: 'NEW-VIEW', view: 1, sequence: 2, author: 2, counter: 9, about: '00ff12ab' };
  const moments = [
    { at: 'sent', ms: 1, to: 2, ...label },
    { at: 'sent', ms: 1, kind: 'body' },
    { at: 'taken', ms: 2, from: 0, refused: 'MinBFT.VC.1', ...label },
    { at: 'taken', ms: 2, from: 0, kind: 'garbage' },
    { at: 'executed', ms: 3, sequence: 1, height: 1, requests: 0 },
    { at: 'executed', ms: 3, sequence: 1, height: 1, requests: 0, about: '00ff12ab' },
    { at: 'view', ms: 4, view: 1 },
  ];
  const answer = { cursor: 'a1-17', moments, missed: 4 };
  assert.deepEqual(read(answer), answer);
});

test('what makes no sense is left out, and nothing is passed on that is not known', () => {
  const good = { at: 'taken', ms: 1, from: 1, kind: 'COMMIT' };
  assert.deepEqual(momentsOf({ ...good, secret: 'x', to: 1, counter: -1, view: '1' }), [good]);
  const bad = [
    null,
    'sent',
    [],
    {},
    { ...good, ms: 1.5 },
    { ...good, ms: -1 },
    { ...good, from: 3 },
    { ...good, from: undefined },
    { ...good, kind: '<b>' },
    { ...good, kind: 'K'.repeat(41) },
    { ...good, kind: 7 },
    { ...good, at: 'gone' },
    { at: 'executed', ms: 1, sequence: 1, height: 1 },
    { at: 'view', ms: 1, view: 2 ** 60 },
  ];
  assert.deepEqual(momentsOf(...bad, good), [good]);
  assert.deepEqual(momentsOf({ ...good, refused: 'x'.repeat(81), author: 9 }), [good]);
  for (const about of ['00ff12a', '00ff12ab0', '00FF12AB', '<script>', 7, ['00ff12ab']])
    assert.deepEqual(momentsOf({ ...good, about }), [good]);
  assert.deepEqual(momentsOf({ ...good, refused: 'line\nbreak' }), [good]);
});

test('an answer is bounded', () => {
  const good = { at: 'view', ms: 1, view: 1 };
  assert.equal(momentsOf(...Array.from({ length: 2_000 }, () => good))?.length, LIVE_MOMENTS_MAX);
  assert.equal(momentsOf(...Array.from({ length: 20_000 }, () => good)), undefined, 'too long to be read');
});

test('an answer that makes no sense is none', () => {
  const answer = { cursor: 'a-1', missed: 0, moments: [] };
  assert.deepEqual(read(answer), answer);
  for (const change of [
    { cursor: 1 },
    { cursor: '' },
    { cursor: 'a b' },
    { cursor: 'x'.repeat(65) },
    { missed: -1 },
  ])
    assert.equal(read({ ...answer, ...change }), undefined);
  for (const change of [{ moments: {} }, { moments: undefined }, { missed: 'many' }])
    assert.equal(read({ ...answer, ...change }), undefined);
  for (const value of [null, [], 'x', 7]) assert.equal(read(value), undefined);
  assert.equal(readLiveAnswer(new Uint8Array([0xff, 0xfe]), 3), undefined);
});

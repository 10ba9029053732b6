/**
 * newHistory alone: each clause of the rule, all small sets of reports, and a model of the whole protocol that must find
 * a loss with the published rule and none with the corrected one. Rules Zyzzyva.VC.3 and Zyzzyva.NV.2.BASE rest on it.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Digest } from '../../core/types.ts';
import { newHistory } from './base.ts';
import type { Report } from './base.ts';
import type { Link } from './history.ts';
import { GENESIS, History } from './history.ts';
import { runModel } from './model.testing.ts';
import { publishedHistory } from './published-rule.testing.ts';

/** Readable hashes: the word that the batches make. */
const link: Link = (previous, digest) => (previous.startsWith('0') ? digest : previous + digest) as Digest;
const letters = (word: string): Digest[] => [...word] as Digest[];
const written = (word: string): History => History.after(link, GENESIS, letters(word));
const report = (author: number, label: number, word: string, proven = 0): Report => ({
  author,
  label,
  proven,
  history: written(word),
});
const wordOf = (base: History | undefined): string => base?.digests.join('') ?? 'undefined';
const corrected = (...reports: Report[]): string => wordOf(newHistory(1, reports));
const published = (...reports: Report[]): string => wordOf(publishedHistory(1, reports));

describe('history', () => {
  it('is compared by position and hash, cut and joined', () => {
    const whole = written('abcd');
    const later = whole.from(2);
    assert.deepEqual(
      [later.start, later.length, later.digestAt(3), later.digestAt(2)],
      [2, 4, 'c', undefined],
    );
    assert.equal(whole.has(later.end), true);
    assert.equal(later.has(written('abx').end), false);
    assert.equal(whole.upTo(2).join(later).end.history, whole.end.history);
    assert.equal(whole.common(written('abxy'), 4), 2);
    assert.equal(whole.common(written('abxy'), 1), 1);
    assert.equal(whole.common(written('x'), 4), 0);
  });
});

describe('newHistory', () => {
  it('Zyzzyva.BASE.2: a certificate of an older view says nothing any more (scenario Z1)', () => {
    // View 0: R2 holds CC(a); view 1 began with b and certified it. R0 hides everything.
    const reports = [report(0, 0, ''), report(2, 0, 'a', 1), report(3, 1, 'b', 1)];
    assert.equal(corrected(...reports), 'b');
    assert.equal(published(...reports), 'a', 'the published rule loses b, which a client has seen complete');
  });

  it('Zyzzyva.BASE.2: nor if the older view has certified more (scenario Z1 with two orders)', () => {
    const reports = [report(0, 0, ''), report(2, 0, 'ac', 2), report(3, 1, 'b', 1)];
    assert.equal(corrected(...reports), 'b');
    assert.equal(published(...reports), 'ac', 'the published rule must take the longer one');
  });

  it('Zyzzyva.BASE.2: f+1 reports of a newer view win against an older certificate (scenario Z2)', () => {
    // All four answered b in view 1, whose base was empty, and no client made a certificate; R2 shows its old CC(a).
    const reports = [report(0, 0, ''), report(1, 1, 'b'), report(2, 1, 'b')];
    assert.equal(corrected(...reports), 'b');
    // As published R2 could show its certificate of view 0: "certificate beats f+1 reports".
    const shown = [report(0, 0, ''), report(1, 1, 'b'), report(2, 0, 'a', 1)];
    assert.equal(published(...shown), 'a');
  });

  it('Zyzzyva.BASE.3: the longest certificate of the highest label is taken whole, ties by the smallest author', () => {
    assert.equal(corrected(report(0, 0, ''), report(1, 0, 'abc', 2), report(2, 0, 'ab', 1)), 'ab');
    assert.equal(corrected(report(0, 2, 'ab', 2), report(1, 2, 'abx', 2), report(2, 1, 'q', 1)), 'ab');
  });

  it('Zyzzyva.BASE.4: f+1 equal reports of the highest label extend it, f do not, other labels do not count', () => {
    assert.equal(corrected(report(0, 0, 'ab'), report(1, 0, 'ab'), report(2, 0, 'ax')), 'ab');
    assert.equal(corrected(report(0, 0, 'ab'), report(1, 0, 'xb'), report(2, 0, 'a')), 'a');
    assert.equal(corrected(report(0, 1, 'ab', 1), report(1, 0, 'ab'), report(2, 0, 'ab')), 'a');
  });

  it('Zyzzyva.BASE.1: begins at the highest stable checkpoint; a certificate below it adds nothing', () => {
    const reports = [report(0, 1, 'abcd', 1), report(1, 1, 'abcd', 1)];
    const stable: Report = { author: 2, label: 1, proven: 1, history: written('abc').from(3) };
    const base = newHistory(1, [...reports, stable])!;
    assert.deepEqual([base.start, base.length, base.digestAt(4)], [3, 4, 'd']);
    // A report that does not contain the stable checkpoint cannot extend it, wherever its list begins.
    const other = newHistory(1, [report(0, 1, 'abxd', 1), report(1, 1, 'abxd', 1), stable])!;
    assert.deepEqual([other.start, other.length], [3, 3]);
    // A certificate beyond a stable checkpoint that it contradicts: more than f replicas are faulty.
    assert.equal(newHistory(1, [report(0, 1, 'abxd', 4), report(1, 1, '', 0), stable]), undefined);
  });
});

/** All histories of at most two batches, with every part of them proven or not, in two views. */
function smallReports(author: number): Report[] {
  const words = ['', 'a', 'b', 'aa', 'ab', 'ba', 'bb'];
  return words.flatMap((word) =>
    [0, 1].flatMap((label) =>
      Array.from({ length: word.length + 1 }, (_, proven) => report(author, label, word, proven)),
    ),
  );
}

describe('newHistory, all sets of small reports', () => {
  it('extends the best certificate of the newest view, keeps what f+1 report there, invents nothing', () => {
    const [first, second, third] = [smallReports(0), smallReports(1), smallReports(2)];
    let sets = 0;
    for (const one of first)
      for (const two of second)
        for (const three of third) {
          const reports = [one, two, three];
          const label = Math.max(...reports.map((each) => each.label));
          const latest = reports.filter((each) => each.label === label);
          const proofs = latest.map((each) => each.history.upTo(each.proven).digests.join(''));
          const longest = proofs.reduce((a, b) => (b.length > a.length ? b : a));
          // Certificates of one view are comparable.
          if (proofs.some((proof) => !longest.startsWith(proof))) continue;
          sets += 1;
          checkBase(wordOf(newHistory(1, reports)), longest, latest);
          assert.equal(wordOf(newHistory(1, [three, one, two])), wordOf(newHistory(1, reports)), 'any order');
        }
    assert.ok(sets > 10_000);
  });
});

function checkBase(base: string, longest: string, latest: readonly Report[]): void {
  const words = latest.map(({ history }) => history.digests.join(''));
  assert.ok(base.startsWith(longest), `${base} extends ${longest}`);
  assert.ok(base === longest || words.filter((word) => word.startsWith(base)).length >= 2, `${base} has f+1`);
  for (const next of ['a', 'b'])
    assert.ok(words.filter((word) => word.startsWith(base + next)).length < 2, `${base} is the longest one`);
}

describe('the protocol as a model', () => {
  const HISTORIES = 800;

  it('never loses a completed request with the corrected rule', () => {
    for (let seed = 1; seed <= HISTORIES; seed += 1)
      assert.equal(runModel(seed, newHistory), undefined, `seed ${seed}`);
  });

  it('finds the loss with the published rule', () => {
    const found: number[] = [];
    for (let seed = 1; seed <= HISTORIES && found.length < 3; seed += 1)
      if (runModel(seed, publishedHistory) !== undefined) found.push(seed);
    assert.equal(found.length, 3, `losses at seeds ${found.join(', ')}`);
  });
});

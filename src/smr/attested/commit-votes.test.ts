/** Words of many views: what was said last counts, however often views changed before, and so does an old decision. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommitVotes } from './commit-votes.ts';

const VIEWS = 9;

interface Word {
  readonly author: number;
  readonly view: number;
}

function say(votes: CommitVotes<Word>, author: number, view: number): boolean {
  return votes.add({ author, view }, 1, String(view));
}

test('words of the last view decide after many views that did not', () => {
  const votes = new CommitVotes<Word>();
  for (let view = 0; view < VIEWS; view += 1) for (const author of [0, 1]) say(votes, author, view);
  assert.equal(votes.decided(1, 3), undefined);
  say(votes, 2, VIEWS - 1);
  assert.deepEqual(
    votes.decided(1, 3)?.map(({ author }) => author),
    [0, 1, 2],
  );
});

test('what was decided in an old view is shown by all its words at once', () => {
  const votes = new CommitVotes<Word>();
  for (let view = 1; view < VIEWS; view += 1) say(votes, 0, view);
  for (const author of [0, 1, 2]) say(votes, author, 0);
  assert.equal(votes.decided(1, 3)?.length, 3);
  assert.deepEqual(votes.quorums(3), [{ author: 0, view: 0 }]);
});

test('a word counts once, and not any more below a stable checkpoint', () => {
  const votes = new CommitVotes<Word>();
  assert.equal(say(votes, 0, 0), true);
  assert.equal(say(votes, 0, 0), false);
  say(votes, 1, 0);
  assert.equal(votes.decided(1, 2)?.length, 2);
  votes.dropThrough(1);
  assert.equal(votes.decided(1, 2), undefined);
});

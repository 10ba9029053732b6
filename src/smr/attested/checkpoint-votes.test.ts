/** Who counts as having sent a CHECKPOINT: only equal ones make a certificate. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../../core/types.ts';
import { CheckpointVotes } from './checkpoint-votes.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { Sealed } from './sealed.ts';

const [A, B] = ['a'.repeat(64), 'b'.repeat(64)] as [Digest, Digest];

function say(
  votes: CheckpointVotes<Checkpoint>,
  author: number,
  sequence: number,
  stateDigest: Digest,
): void {
  const message = { author } as Sealed<Checkpoint>;
  votes.add(message, { sequence, stateDigest }, `${sequence}/${stateDigest}`);
}

test('who speaks from a sequence number on is told of equal words only, the most that there are', () => {
  const votes = new CheckpointVotes<Checkpoint>(4, 3);
  assert.deepEqual(votes.votersFrom(4, 9), []);
  say(votes, 0, 4, A);
  say(votes, 1, 4, B);
  say(votes, 2, 4, B);
  say(votes, 3, 2, B);
  assert.deepEqual(votes.votersFrom(4, 9), [1, 2]);
  // Words for different orders make no certificate either, and one of a later order is enough.
  say(votes, 0, 8, A);
  say(votes, 3, 12, A);
  assert.deepEqual(votes.votersFrom(4, 9), [1, 2]);
  for (const author of [0, 1, 3]) say(votes, author, 16, A);
  assert.deepEqual(votes.votersFrom(4, 9), [0, 1, 3]);
  assert.deepEqual(votes.votersFrom(17, 9), []);
  // Liars that agree are more, and yet no reason to take them for those that are waited for.
  say(votes, 2, 20, A);
  say(votes, 0, 20, B);
  say(votes, 1, 20, B);
  assert.deepEqual(votes.votersFrom(17, 2), [2]);
});

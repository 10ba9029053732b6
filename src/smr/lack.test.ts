import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_TIMERS } from '../core/config.ts';
import { namesOf, oneLack, quorumLack, waitingSentence, waitingWords } from './lack.ts';

const place = { view: 2, sequence: 7 };

describe('what a replica waits for', () => {
  it('is told with the quorum, and with who is lacking, ascending and once', () => {
    const quorum = { needs: 2, has: [0, 0], among: [2, 1, 0, 2] };
    const lack = quorumLack('COMMIT', place, quorum, 4_100.4);
    assert.deepEqual(lack, { what: 'COMMIT', ...place, needs: 2, has: [0], lacks: [1, 2], forMs: 4_100 });
    assert.equal(
      waitingWords(lack),
      'waits for the COMMIT of one more of replicas 1, 2 for sequence number 7 of view 2 (1 of 2 there)',
    );
  });

  it('names all where all are needed, and no place where there is none', () => {
    const all = quorumLack('VIEW-CHANGE', { view: 3 }, { needs: 3, has: [0], among: [0, 1, 2] }, -5);
    assert.equal(waitingWords(all), 'waits for the VIEW-CHANGE of replicas 1, 2 for view 3 (1 of 3 there)');
    assert.equal(all.forMs, 0);
    assert.equal(waitingWords(oneLack('NEW-VIEW', {}, [1], 0)), 'waits for the NEW-VIEW of replica 1');
    const quiet = quorumLack('messages', {}, { needs: 2, has: [0], among: [0, 1, 2] }, 0);
    assert.equal(waitingWords(quiet), 'waits for messages of one more of replicas 1, 2 (1 of 2 there)');
    assert.equal(namesOf([]), 'no replica');
  });

  it('has its own words where nobody else is waited for', () => {
    for (const [what, words] of [
      ['component', /its own trusted component/],
      ['store', /its own disk/],
      ['state', /fetches the state/],
      ['RECOVER', /its RECOVER must be ordered/],
      ['keepers', /^final halt: replicas 1, 2 lost counter or log, fewer than 1 replicas have theirs/],
    ] as const)
      assert.match(waitingWords(oneLack(what, {}, [1, 2], 0)), words);
  });

  it('is worth a sentence when it lasts longer than a request may, some things at once', () => {
    const commit = oneLack('COMMIT', place, [1], DEFAULT_TIMERS.requestMs - 1);
    assert.equal(waitingSentence(commit, DEFAULT_TIMERS), undefined);
    assert.match(waitingSentence({ ...commit, forMs: commit.forMs + 1 }, DEFAULT_TIMERS)!, /COMMIT/);
    assert.match(waitingSentence(oneLack('keepers', {}, [1], 0), DEFAULT_TIMERS)!, /final halt/);
    assert.equal(waitingSentence(undefined, DEFAULT_TIMERS), undefined);
  });
});

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { play } from '../../sim/playback/play.ts';
import { checkerLines } from './checker-words.ts';
import { Happened } from './happened.ts';
import { loadedRun, selectionOf } from './loaded-run.ts';
import { bytesWords, fieldLines, headLines, ruleGroups, verdictWords } from './message-words.ts';
import { replicaLines } from './replica-words.ts';
import { ruleText } from './rule-texts.ts';
import { sumLines } from './sum-words.ts';

const playbackOf = (name: string): ReturnType<typeof play> =>
  play(readFileSync(new URL(`lessons/${name}.txt`, import.meta.url), 'utf8'));

/** Nobody votes: what is missing is passed on by itself. */
function twoLiars(): Happened {
  const text = readFileSync(new URL('lessons/two-stories-with-a-counter.txt', import.meta.url), 'utf8')
    .replace(/^0 shows a to 1,2$/m, '')
    .replace(/^wait until 1 executed n1$/m, 'wait 2')
    .replace(/^expect event 2 executed n1$/m, '');
  return new Happened(play(text));
}

describe('the details', () => {
  const playback = playbackOf('two-stories-with-a-counter');
  const happened = new Happened(playback);
  const { events } = playback.trace;

  it('say of a message who sent it, what vouches for it, and which rule refused it', () => {
    // The second story comes too early. It waits until the first one is there, and is refused then.
    const early = events.find((event) => event.kind === 'send' && event.counter === 2)!;
    assert.ok(early.kind === 'send');
    assert.match(
      verdictWords(happened.message(early.id)!),
      /^Replica 2 lets it wait, and refuses it at 3\d\.\d\d ms: rule MinBFT\.STEP\.PREPARE\.5 does/,
    );
    // The vote that brings the first story is accepted.
    const vote = events.find(
      (event) => event.kind === 'send' && event.message === 'COMMIT' && event.from === 1 && event.to === 2,
    );
    assert.ok(vote?.kind === 'send');
    assert.match(verdictWords(happened.message(vote.id)!), /^Replica 2 accepts it/);
    // A proposal under a key that nobody knows is refused at once.
    const fenced = new Happened(playbackOf('component-put-back-fenced'));
    const unknown = fenced.playback.trace.events.find(
      (event) => event.kind === 'deliver' && event.verdict !== undefined,
    );
    assert.ok(unknown?.kind === 'deliver');
    assert.equal(
      verdictWords(fenced.message(unknown.id)!),
      'Not accepted by replica 2: it is sealed with a key that nobody has taken in.',
    );
    const two = twoLiars();
    const refused = two.playback.trace.events.find(
      (event) => event.kind === 'deliver' && event.verdict !== undefined,
    );
    assert.ok(refused?.kind === 'deliver');
    const story = two.message(refused.id)!;
    assert.match(
      verdictWords(story),
      /^Replica 2 accepts it, and refuses what had waited for it: rule MinBFT\.STEP\.PREPARE\.5 does/,
    );
    const lines = new Map(headLines(story));
    assert.equal(lines.get('from'), 'replica 1');
    assert.equal(lines.get('made by'), 'replica 0');
    assert.match(lines.get('sealed with')!, /counter value 1 of replica 0/);
    const { about, beside } = ruleGroups(story);
    const [first] = about;
    assert.equal(first!.outcome, 'refuses it');
    assert.equal(first!.text, ruleText('MinBFT.STEP.PREPARE.5'));
    assert.ok(beside.every(({ outcome }) => outcome !== 'refuses it'));
  });

  it('say what a message holds, part by part, and no more than a line for what lies deep', () => {
    const nested = { a: 1, b: { c: [1, 'x'], d: { e: { f: { g: null } } } }, h: [] };
    assert.deepEqual(fieldLines(nested), [
      ['a', '1'],
      ['b.c', '1, x'],
      ['b.d.e.f', '{ g: none }'],
      ['h', 'none'],
    ]);
    for (const event of events)
      if (event.kind === 'send') assert.ok(fieldLines(happened.message(event.id)!.fields ?? {}).length < 400);
    assert.equal(happened.message(1_000_000), undefined);
  });

  it('know a group of rules by its name', () => {
    assert.match(ruleText('MinBFT.STEP.PREPARE')!, /^\(1\) PREPARE: the stream is ACTIVE; \(2\) /);
    assert.equal(ruleText('Nobody.knows.this'), undefined);
  });

  it('say of a replica how it is at a moment, and of the run the sums so far', () => {
    const last = events.length - 1;
    const lines = new Map(replicaLines(happened.replica(2, last)!));
    assert.match(lines.get('listens no more to')!, /replica 0/);
    const early = happened.replica(2, 0);
    assert.ok(early === undefined || early === null || early.peers.every(({ dead }) => !dead));
    const sums = happened.sums(last);
    assert.equal(sums.messages, playback.totals.messages);
    assert.equal(sums.clientMessages, playback.totals.clientMessages);
    assert.equal(sums.bytes, playback.totals.bytes + playback.totals.clientBytes);
    assert.deepEqual(sums.trustedCalls, playback.totals.trustedCalls);
    assert.equal(happened.sums(-1).messages, 0);
    assert.ok(sumLines(sums).length >= 5);
    assert.equal(bytesWords(12_345), '12.3 kB');
  });

  it('say what the checkers found, in a sentence and one by one', () => {
    const clean = checkerLines(playback);
    assert.match(clean.summary, /^\d+ checkers looked at this run and found nothing wrong\.$/);
    const fork = checkerLines(playbackOf('component-put-back'));
    assert.ok(fork.found.some(({ judge }) => judge === 'agreement'));
    assert.match(fork.summary, /agreement/);
    assert.deepEqual(fork.unmet, []);
  });
});

describe('a run that was loaded', () => {
  it('shows a difference between executions when the second one happens, not before', () => {
    const run = loadedRun(playbackOf('three-replicas-without-counters'), false);
    const marks = run.scene.marks.filter(({ isConflict }) => isConflict);
    assert.ok(marks.length >= 2);
    const second = marks.at(-1)!;
    assert.ok(marks[0]!.conflictFromMs! > marks[0]!.atMs);
    assert.equal(marks[0]!.conflictFromMs, second.atMs);
  });

  it('finds what the diagram shows of an event', () => {
    const run = loadedRun(playbackOf('minbft'), false);
    const { events } = run.playback.trace;
    const send = events.findIndex((event) => event.kind === 'send' && event.message === 'PREPARE');
    assert.equal(selectionOf(run, send)?.kind, 'arrow');
    const execute = events.findIndex((event) => event.kind === 'execute');
    assert.deepEqual(selectionOf(run, execute), { kind: 'mark', id: execute });
    assert.equal(selectionOf(run, 1e9), undefined);
    assert.ok(run.scene.arrows.every(({ label }) => !/ v0( |$)/.test(label)));
  });

  it('holds background messages only when they are wanted', () => {
    const playback = playbackOf('minbft');
    assert.ok(loadedRun(playback, true).scene.arrows.length > loadedRun(playback, false).scene.arrows.length);
  });
});

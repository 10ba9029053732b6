/** Event logs from files: anybody may have written them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Prng } from '../../core/prng.ts';
import { sceneOfTrace } from '../../dashboard/playground/scene-of-trace.ts';
import { play, playbackOfTrace } from '../playback/play.ts';
import { chartLines } from './chart.ts';
import { diagramOf } from './diagram.ts';
import { readTrace } from './read-trace.ts';
import { svgOf } from './svg.ts';
import type { Trace } from './trace.ts';

const SCRIPT = `
scenario crash
replicas 3
expect clean
calm after 60
clients 2 bundles 2
at 20 crash 2 for 20
`;

const { trace, checkers, totals } = play(SCRIPT);
const plain = JSON.parse(JSON.stringify(trace)) as Record<string, unknown>;

function reason(value: unknown): string {
  const answer = readTrace(typeof value === 'string' ? value : JSON.stringify(value));
  assert.ok(typeof answer === 'string', 'it was read');
  return answer;
}

/** Everything that shows a trace. */
function showAll(shown: Trace): void {
  const diagram = diagramOf(shown);
  assert.ok(svgOf(shown, diagram).length > 0 && chartLines(shown, diagram).length > 0);
  sceneOfTrace(shown);
  playbackOfTrace(shown);
}

/** A value somewhere inside, replaced or taken away. */
function damage(value: unknown, random: Prng): void {
  const strange = [null, -1, 1e300, 'x', true, [], {}, [[]], 'y'.repeat(5_000), { __proto__: null }];
  let place = value as Record<string, unknown>;
  for (;;) {
    const keys = Object.keys(place);
    if (keys.length === 0) return;
    const key = random.pick(keys);
    const inner = place[key];
    if (typeof inner === 'object' && inner !== null && random.chance(0.85)) {
      place = inner as Record<string, unknown>;
      continue;
    }
    if (random.chance(0.3)) delete place[key];
    else place[key] = random.pick(strange);
    return;
  }
}

describe('an event log that is read', () => {
  it('is what was written, with all that was known of the run', () => {
    const read = readTrace(JSON.stringify(trace));
    assert.deepEqual(read, plain);
    const playback = playbackOfTrace(read as Trace);
    assert.deepEqual(playback.checkers, checkers);
    assert.deepEqual(playback.totals, totals);
  });

  it('may be of an earlier release, which told less', () => {
    const {
      contents: _c,
      states: _s,
      protocol: _p,
      script: _t,
      clients: _n,
      byzantineClients: _b,
      ...old
    } = plain;
    const events = trace.events.flatMap((event): object[] => {
      if (['ask', 'asked', 'answer', 'answered', 'certify', 'timer'].includes(event.kind)) return [];
      if (event.kind === 'send') {
        const { bytes: _bytes, content: _content, ...before } = event;
        return [before];
      }
      return [event.kind === 'deliver' ? { kind: event.kind, at: event.at, id: event.id } : event];
    });
    const read = readTrace(JSON.stringify({ ...old, events }));
    if (typeof read === 'string') assert.fail(read);
    assert.equal(read.clients, 2);
    assert.equal(read.protocol, 'minbft');
    assert.deepEqual(playbackOfTrace(read).checkers, []);
    showAll(read);
  });

  it('is refused in a sentence if it is none, of another version or damaged', () => {
    const event = trace.events.findIndex(({ kind }) => kind === 'send');
    const withEvent = (change: object): object => ({
      ...plain,
      events: trace.events.map((one, place) => (place === event ? { ...one, ...change } : one)),
    });
    const deep = Array.from({ length: 40 }).reduce<object>((inner) => ({ inner }), {});
    const refused: readonly [unknown, RegExp][] = [
      ['', /no event log/],
      ['[]', /no event log/],
      ['{"format":"moiety-trace"}', /version unknown/],
      ['['.repeat(100_000), /no event log/],
      [{ ...plain, version: 2 }, /version 2, and this release reads version 1/],
      [{ ...plain, replicas: 1e9 }, /damaged: its replicas/],
      [{ ...plain, replicas: 2 }, /damaged: event \d+ is not/],
      [{ ...plain, byzantine: [7] }, /Byzantine/],
      [{ ...plain, clients: 1 }, /damaged/],
      [{ ...plain, scenario: 7 }, /no scenario/],
      [{ ...plain, events: 'none' }, /no list of events/],
      [{ ...plain, events: [...trace.events].reverse() }, /earlier than the one before/],
      [withEvent({ to: 3 }), /event \d+ is not what it should be/],
      [withEvent({ message: 7 }), /event \d+ is not/],
      [withEvent({ content: 1e6 }), /event \d+ is not/],
      [{ ...plain, contents: [deep, ...trace.contents] }, /content 0 is not/],
      [{ ...plain, states: [{ at: 0 }] }, /state 0 is not/],
    ];
    for (const [value, words] of refused) {
      const text = reason(value);
      assert.match(text, words);
      assert.ok(text.length < 200);
    }
  });

  it('that was damaged anywhere is refused, or shown: nothing breaks', () => {
    const random = new Prng(11);
    let read = 0;
    for (let round = 0; round < 150; round += 1) {
      const broken = JSON.parse(JSON.stringify(plain)) as Record<string, unknown>;
      for (let times = random.between(1, 3); times > 0; times -= 1) damage(broken, random);
      const answer = readTrace(JSON.stringify(broken));
      if (typeof answer === 'string') continue;
      read += 1;
      showAll(answer);
    }
    assert.ok(read > 10 && read < 140);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keyElsewhere, keyInDiagram } from './keys.ts';
import { AT_START, calmTickMs, play } from './player.ts';
import type { PlayerAction, PlayerState } from './player.ts';
import type { Stop } from './stops.ts';

const stops: readonly Stop[] = [
  { atMs: 5, shows: { kind: 'arrow', id: 1 }, way: 0 },
  { atMs: 6, shows: { kind: 'mark', id: 2 }, way: 20 },
  { atMs: 50, shows: { kind: 'arrow', id: 3 }, way: 60 },
];
const after = (...actions: readonly PlayerAction[]): PlayerState =>
  actions.reduce((state, action) => play(stops, state, action), AT_START);

describe('player', () => {
  it('steps from stop to stop and shows what happens there', () => {
    assert.deepEqual(after({ kind: 'forward' }).selected, { kind: 'arrow', id: 1 });
    const second = after({ kind: 'forward' }, { kind: 'forward' });
    assert.equal(second.nowMs, 6);
    assert.deepEqual(second.selected, { kind: 'mark', id: 2 });
    assert.equal(after({ kind: 'end' }, { kind: 'forward' }).nowMs, 50);
    assert.equal(after({ kind: 'end' }, { kind: 'back' }).nowMs, 6);
    assert.equal(after({ kind: 'forward' }, { kind: 'back' }).nowMs, 0);
  });

  it('plays to the end, stops there, and begins again', () => {
    let state = after({ kind: 'toggle' });
    for (let tick = 0; tick < 200 && state.isPlaying; tick += 1)
      state = play(stops, state, { kind: 'tick', elapsedMs: 16, isCalm: false });
    assert.equal(state.isPlaying, false);
    assert.equal(state.nowMs, 50);
    const again = play(stops, state, { kind: 'toggle' });
    assert.equal(again.isPlaying, true);
    assert.equal(again.nowMs, 0);
  });

  it('travels to the end of a run, also where that lies behind the last thing that is shown', () => {
    const shows = { kind: 'lane', lane: 1 } as const;
    let state = after({ kind: 'seek', atMs: 5 }, { kind: 'travel', atMs: 90, shows });
    for (let tick = 0; tick < 500 && state.isPlaying; tick += 1)
      state = play(stops, state, { kind: 'tick', elapsedMs: 16, isCalm: false });
    assert.deepEqual([state.isPlaying, state.nowMs, state.selected], [false, 90, shows]);
  });

  it('goes faster at a higher speed', () => {
    const at = (speed: number): number =>
      after({ kind: 'speed', speed }, { kind: 'toggle' }, { kind: 'tick', elapsedMs: 100, isCalm: false })
        .nowMs;
    assert.ok(at(4) > at(1));
    assert.ok(calmTickMs(4) < calmTickMs(1));
  });

  it('jumps from stop to stop where nothing may move', () => {
    const tick = { kind: 'tick', elapsedMs: 900, isCalm: true } as const;
    assert.equal(after({ kind: 'toggle' }, tick).nowMs, 5);
    assert.equal(after({ kind: 'toggle' }, tick, tick, tick).nowMs, 50);
    assert.equal(after({ kind: 'toggle' }, tick, tick, tick, tick).isPlaying, false);
  });

  it('travels to a place in little time, shows what is there, and is stopped by any other wish', () => {
    const shows = { kind: 'lane', lane: 1 } as const;
    const travel = { kind: 'travel', atMs: 40, shows } as const;
    let state = after({ kind: 'seek', atMs: 5 }, travel);
    assert.ok(state.isPlaying && state.selected === undefined);
    let seconds = 0;
    for (; state.isPlaying && seconds < 5; seconds += 0.016)
      state = play(stops, state, { kind: 'tick', elapsedMs: 16, isCalm: false });
    assert.ok(seconds < 2, `${seconds}`);
    assert.equal(state.nowMs, 40);
    assert.deepEqual(state.selected, shows);
    assert.equal(after(travel, { kind: 'tick', elapsedMs: 0, isCalm: true }).nowMs, 40);
    const back = after({ kind: 'end' }, travel);
    assert.ok(!back.isPlaying && back.nowMs === 40);
    const touched = after(travel, { kind: 'select', selected: undefined });
    assert.ok(!touched.isPlaying && touched.goal === undefined);
    assert.equal(after(travel, { kind: 'forward' }).goal, undefined);
  });

  it('stands still while it is paused, and has nothing to play in an empty run', () => {
    assert.deepEqual(after({ kind: 'tick', elapsedMs: 16, isCalm: false }), AT_START);
    assert.equal(play([], AT_START, { kind: 'toggle' }).isPlaying, false);
  });

  it('answers keys in the diagram, and space elsewhere unless something else needs it', () => {
    assert.equal(keyInDiagram('ArrowRight'), 'forward');
    assert.equal(keyInDiagram('ArrowUp'), 'back');
    assert.equal(keyInDiagram('x'), undefined);
    assert.equal(keyElsewhere(' ', 'body'), 'toggle');
    assert.equal(keyElsewhere(' ', 'textarea'), undefined);
    assert.equal(keyElsewhere('ArrowRight', 'body'), undefined);
  });
});

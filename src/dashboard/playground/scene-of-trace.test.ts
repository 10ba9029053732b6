/** Recorded runs as scenes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { play } from '../../sim/playback/play.ts';
import { layoutOf } from '../diagram/layout.ts';
import { laneOfReplica, sceneOfTrace } from './scene-of-trace.ts';

const CRASH = `
scenario crash
replicas 3
expect clean
calm after 120
clients 2 bundles 3
at 20 crash 2 for 40
network loss 0.1
`;
const FORK = `
scenario fork
judge outcomes
replicas 3
expect violation agreement
calm after 60
forker 0 by snapshot shows 2 strategy=proposals disk=copied
clients 1 bundles 1
`;

describe('the scene of a trace', () => {
  const { trace } = play(CRASH);

  it('has clients left and replicas right, in order of time, and can be laid out', () => {
    const scene = sceneOfTrace(trace);
    assert.deepEqual(
      scene.lanes.map(({ label }) => label),
      ['client 0', 'client 1', 'replica 0', 'replica 1', 'replica 2'],
    );
    for (const { from, to } of scene.arrows) assert.ok(from !== to && from < 5 && to < 5);
    assert.ok(scene.arrows.some(({ kind, from, to }) => kind === 'REQUEST' && from < 2 && to >= 2));
    assert.ok(scene.arrows.some(({ kind, from, to }) => kind === 'REPLY' && from >= 2 && to < 2));
    assert.ok(
      scene.arrows.every(({ sentMs }, place) => place === 0 || sentMs >= scene.arrows[place - 1]!.sentMs),
    );
    assert.ok(scene.marks.every(({ atMs }, place) => place === 0 || atMs >= scene.marks[place - 1]!.atMs));
    assert.ok(layoutOf(scene, 900).height > 100);
    const prepare = scene.arrows.find(({ kind }) => kind === 'PREPARE')!;
    assert.match(prepare.label, /^PREPARE n1 v0 \[0:1\]$/);
    assert.equal(prepare.shortLabel, 'P1');
  });

  it('hides gossip unless it is wanted, and takes the last messages if there are too many', () => {
    const shown = sceneOfTrace(trace, { arrowsMax: 10_000 });
    const all = sceneOfTrace(trace, { arrowsMax: 10_000, all: true });
    assert.ok(shown.arrows.length < all.arrows.length);
    assert.ok(
      !shown.arrows.some(({ kind }) => kind === 'STATUS') && all.arrows.some(({ kind }) => kind === 'STATUS'),
    );
    const few = sceneOfTrace(trace, { arrowsMax: 5 });
    assert.deepEqual(
      few.arrows.map(({ id }) => id),
      shown.arrows.slice(-5).map(({ id }) => id),
    );
    assert.equal(few.hidden, shown.arrows.length - 5);
    assert.equal(sceneOfTrace(trace, { arrowsMax: 0 }).arrows.length, 0);
  });

  it('shows a moment as it was: what has not arrived yet is on its way, what is lost is not', () => {
    const place = trace.events.findIndex((event) => event.kind === 'send' && event.message === 'PREPARE');
    const then = sceneOfTrace(trace, { until: place });
    const sent = then.arrows.find(({ kind }) => kind === 'PREPARE')!;
    assert.equal(sent.arrivedMs, undefined);
    assert.equal(sent.isLost, false);
    assert.equal(
      then.marks.some(({ kind }) => kind === 'execute'),
      false,
    );
    const end = sceneOfTrace(trace, { arrowsMax: 10_000 });
    assert.ok(end.arrows.some(({ isLost, arrivedMs }) => isLost && arrivedMs === undefined));
    assert.deepEqual(sceneOfTrace(trace, { until: -1 }).arrows, []);
  });

  it('lights up the messages of a quorum, and shows who was down', () => {
    const { marks, lanes, arrows } = sceneOfTrace(trace, { arrowsMax: 10_000 });
    const executed = marks.find(({ kind, lane }) => kind === 'execute' && lane === laneOfReplica(trace, 1))!;
    const kinds = arrows.filter(({ id }) => executed.quorum.includes(id)).map(({ kind }) => kind);
    assert.ok(kinds.includes('PREPARE'));
    assert.ok(
      arrows.filter(({ id }) => executed.quorum.includes(id)).every(({ to }) => to === executed.lane),
    );
    const [down] = lanes[laneOfReplica(trace, 2)]!.down!;
    assert.ok(down!.fromMs >= 20 && down!.untilMs! > down!.fromMs);
    assert.ok(marks.some(({ kind, lane }) => kind === 'down' && lane === laneOfReplica(trace, 2)));
  });

  it('marks where correct replicas differ', () => {
    const fork = play(FORK).trace;
    const { marks, lanes } = sceneOfTrace(fork);
    assert.equal(lanes[laneOfReplica(fork, 0)]!.isByzantine, true);
    const conflicts = marks.filter(({ isConflict }) => isConflict);
    assert.deepEqual(
      conflicts.map(({ lane }) => lane!).sort((a, b) => a - b),
      [laneOfReplica(fork, 1), laneOfReplica(fork, 2)],
    );
  });

  it('of nothing is empty', () => {
    const scene = sceneOfTrace({ ...trace, events: [], states: [] });
    assert.deepEqual([scene.arrows.length, scene.marks.length, scene.nowMs], [0, 0, 0]);
  });
});

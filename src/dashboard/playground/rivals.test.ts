import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { play } from '../../sim/playback/play.ts';
import { rivalNames } from './rivals.ts';
import { sceneOfTrace } from './scene-of-trace.ts';

const traceOf = (lesson: string): ReturnType<typeof play>['trace'] =>
  play(readFileSync(new URL(`lessons/${lesson}.txt`, import.meta.url), 'utf8')).trace;

describe('proposals that differ', () => {
  it('are told apart by short names, those of what is executed', () => {
    for (const lesson of ['three-replicas-without-counters', 'component-put-back']) {
      const trace = traceOf(lesson);
      const names = new Set(rivalNames(trace).values());
      assert.equal(names.size, 2, lesson);
      const executed = trace.events.flatMap((event) =>
        event.kind === 'execute' && event.sequence === 1 ? [event.digest.slice(0, 6)] : [],
      );
      assert.deepEqual(new Set(executed), names, lesson);
    }
    const { arrows } = sceneOfTrace(traceOf('two-stories-with-a-counter'));
    const labels = arrows.filter(({ kind }) => kind === 'PREPARE').map(({ label }) => label);
    assert.match(labels[0]!, /^PREPARE n1 v0 \[0:1\] [0-9a-f]{6}$/);
    assert.match(labels[1]!, /^PREPARE n1 v0 \[0:2\] [0-9a-f]{6}$/);
    assert.notEqual(labels[0]!.slice(-6), labels[1]!.slice(-6));
  });

  it('are none where everybody is told the same', () => {
    for (const lesson of ['minbft', 'pbft', 'view-change', 'zyzzyva', 'cheapbft'])
      assert.equal(rivalNames(traceOf(lesson)).size, 0, lesson);
  });
});

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { play } from '../../sim/playback/play.ts';
import type { Trace } from '../../sim/trace/trace.ts';
import { leadsOf } from './leads.ts';

const traceOf = (lesson: string): Trace =>
  play(readFileSync(new URL(`lessons/${lesson}.txt`, import.meta.url), 'utf8')).trace;

describe('who leads', () => {
  it('is the first replica until a view change, then the next one', () => {
    const leads = leadsOf(traceOf('view-change'));
    const [first] = leads.get(0)!;
    const [second] = leads.get(1)!;
    assert.equal(first!.fromMs, 0);
    assert.equal(first!.untilMs, second!.fromMs);
    assert.equal(second!.untilMs, undefined);
    assert.equal(leads.has(2), false);
  });

  it('is known where COMMIT confirms what PREPARE voted for, too', () => {
    assert.deepEqual([...leadsOf(traceOf('pbft')).keys()], [0]);
  });

  it('is nobody where several propose in one view', () => {
    const { events } = traceOf('minbft');
    const propose = events.find((event) => event.kind === 'send' && event.message === 'PREPARE')!;
    const other = { ...propose, from: 1, author: 1 } as typeof propose;
    assert.deepEqual([...leadsOf({ events: [...events, other] } as unknown as Trace).keys()], []);
  });
});

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { PROTOCOLS } from '../../protocols/catalogue.ts';
import { drawnScript } from '../../sim/playback/draw.ts';
import { play } from '../../sim/playback/play.ts';
import type { Trace } from '../../sim/trace/trace.ts';
import { leadsOf } from './leads.ts';

const traceOf = (lesson: string): Trace =>
  play(readFileSync(new URL(`lessons/${lesson}.txt`, import.meta.url), 'utf8')).trace;

/** In EBAWA everybody proposes in turn; CheapBFT wraps its proposals until it falls back. */
const DRAWN = PROTOCOLS.map(({ name }) => ({ name, leads: !['ebawa'].includes(name) }));

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

  it('is nobody where several propose in one view, and no liar where a correct replica does', () => {
    const { events } = traceOf('minbft');
    const propose = events.find((event) => event.kind === 'send' && event.message === 'PREPARE')!;
    const other = { ...propose, from: 1, author: 1 } as typeof propose;
    const far = { ...other, view: 99 } as typeof propose;
    const leads = (byzantine: readonly number[], ...more: (typeof propose)[]): unknown => [
      ...leadsOf({ events: [...events, ...more], byzantine } as unknown as Trace).keys(),
    ];
    assert.deepEqual(leads([], other), []);
    assert.deepEqual(leads([1], other, far), [0]);
  });

  it('is found in a log of very many views at once', () => {
    const { events } = traceOf('minbft');
    const propose = events.find((event) => event.kind === 'send' && event.message === 'PREPARE')!;
    const many = Array.from(
      { length: 150_000 },
      (_, view) => ({ ...propose, view, at: view }) as typeof propose,
    );
    assert.equal(leadsOf({ events: many, byzantine: [] } as unknown as Trace).get(0)?.length, 1_000);
  });

  it('is known in all protocols with a primary', () => {
    for (const { name, leads } of DRAWN) {
      const { trace } = play(drawnScript({ protocol: name, seed: 3 }));
      assert.equal(leadsOf(trace).size > 0, leads, name);
    }
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { asciiBytes } from '../core/bytes.ts';
import type { LiveAnswer, LiveMoment } from '../core/live.ts';
import { LIVE_FLOOD_MAX, LIVE_MOMENTS_MAX } from '../core/live.ts';
import type { Input, RuleTrace } from '../core/protocol.ts';
import { markVerified } from '../core/types.ts';
import { PROTOCOLS } from '../protocols/catalogue.ts';
import type { AnyProtocol } from '../protocols/catalogue.ts';
import { baseScenario } from '../sim/base-scenario.ts';
import { World } from '../sim/world.ts';
import { startWasm } from '../trusted/conformance/environment.testing.ts';
import { encodeLinkFrame } from './link-frames.ts';
import { LiveTap } from './live-tap.ts';
import { ToyMachine, ToyStore, toySettings } from './toy-protocol.testing.ts';

interface Spoken {
  readonly kind: string;
  readonly view?: number;
  readonly sequence?: number;
}

function newTap(life = 'a1') {
  const at = { view: 0 };
  const tap = new LiveTap<Spoken>({ life, view: () => at.view, height: () => 7 });
  const sent = (from: number, to: number, ms = 1): void => {
    for (let sequence = from; sequence < to; sequence += 1)
      if (tap.isWatched) tap.onMessageSent({ kind: 'COMMIT', sequence }, undefined, ms);
  };
  return { tap, at, sent };
}

const sequencesOf = ({ moments }: LiveAnswer): (number | undefined)[] =>
  moments.map((moment) => ('sequence' in moment ? moment.sequence : undefined));
const upTo = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);

function arrival(message: Spoken, from = 1): Input<Spoken> {
  return { kind: 'message', from, message: markVerified(message) };
}

describe('the tap of a replica', () => {
  it('tells from the first question on, each moment once, in order', () => {
    const { tap, sent } = newTap();
    sent(0, 3);
    const first = tap.answer('', 1);
    assert.deepEqual(first, { cursor: 'a1-0', moments: [], missed: 0 });
    sent(3, 6);
    const second = tap.answer(first.cursor, 2);
    assert.deepEqual(sequencesOf(second), [3, 4, 5]);
    assert.deepEqual(second.moments[0], { at: 'sent', ms: 1, kind: 'COMMIT', sequence: 3 });
    assert.deepEqual(tap.answer(second.cursor, 3).moments, []);
    // Another one who watches, or the same one whose answer was lost.
    assert.deepEqual(sequencesOf(tap.answer(first.cursor, 4)), [3, 4, 5]);
  });

  it('is silent five seconds after the last question, and forgets', () => {
    const { tap, sent } = newTap();
    const { cursor } = tap.answer('', 1_000);
    sent(0, 2, 5_999);
    assert.equal(tap.isWatched, true);
    sent(2, 3, 6_000);
    assert.equal(tap.isWatched, false);
    const later = tap.answer(cursor, 9_000);
    assert.deepEqual(later.moments, []);
    assert.equal(later.missed, 2, 'what it forgot is said');
    sent(3, 4, 9_001);
    assert.deepEqual(sequencesOf(tap.answer(later.cursor, 9_002)), [3]);
  });

  it('ends the watch of a clock that was set back', () => {
    const { tap, sent } = newTap();
    tap.answer('', 1_000_000);
    sent(0, 1, 10);
    assert.equal(tap.isWatched, false);
  });

  it('takes any cursor: those of other lives, of later times and garbage mean the beginning', () => {
    const { tap, sent } = newTap();
    tap.answer('', 1);
    sent(0, 2);
    const garbage = ['', 'a2-1', 'a1-99', 'a1-', '-1', 'a1--1', 'a1-1.5', '\u0000', 'x'.repeat(1024)];
    for (const cursor of garbage) {
      const answer = tap.answer(cursor, 2);
      assert.deepEqual([sequencesOf(answer), answer.missed, answer.cursor], [[0, 1], 0, 'a1-2'], cursor);
    }
  });

  it('keeps a bounded number, and gives of a flood its end', () => {
    const { tap, sent } = newTap();
    const { cursor } = tap.answer('', 1);
    sent(0, LIVE_MOMENTS_MAX);
    assert.deepEqual(sequencesOf(tap.answer(cursor, 1)), upTo(0, LIVE_MOMENTS_MAX));
    sent(LIVE_MOMENTS_MAX, 5_000);
    const flood = tap.answer(cursor, 1);
    assert.deepEqual(sequencesOf(flood), upTo(5_000 - LIVE_FLOOD_MAX, 5_000));
    assert.equal(flood.missed, 5_000 - LIVE_FLOOD_MAX);
  });

  it('says which rule refused a message, by its kind', () => {
    const { tap } = newTap();
    const { cursor } = tap.answer('', 1);
    const take = (input: Input<Spoken>, ...rules: RuleTrace[]): void => {
      tap.beforeStep(input);
      assert.equal(tap.isJudging, input.kind === 'message');
      for (const rule of rules) if (tap.isJudging) tap.onRule(rule);
      tap.afterStep(input, 1);
    };
    take(
      arrival({ kind: 'COMMIT', view: 0, sequence: 4 }),
      { rule: 'Toy.1', passed: true, about: 'COMMIT' },
      { rule: 'Toy.2', passed: false, about: 'PREPARE' },
      { rule: 'Toy.3', passed: false },
    );
    take(
      arrival({ kind: 'COMMIT', sequence: 5 }, 2),
      { rule: 'Toy.4', passed: false, about: 'COMMIT' },
      { rule: 'Toy.5', passed: false, about: 'COMMIT' },
    );
    take({ kind: 'timeout', timer: 'x' }, { rule: 'Toy.6', passed: false, about: 'COMMIT' });
    take(arrival({ kind: 'COMMIT' }));
    assert.equal(tap.isJudging, false);
    assert.deepEqual(tap.answer(cursor, 1).moments, [
      { at: 'taken', ms: 1, from: 1, kind: 'COMMIT', view: 0, sequence: 4 },
      { at: 'taken', ms: 1, from: 2, refused: 'Toy.4', kind: 'COMMIT', sequence: 5 },
      { at: 'taken', ms: 1, from: 1, kind: 'COMMIT' },
    ]);
  });

  it('tells a view when the replica has entered it, not when others speak of it', () => {
    const { tap, at } = newTap();
    const { cursor } = tap.answer('', 1);
    tap.onMessageSent({ kind: 'PREPARE', view: 0 }, undefined, 1);
    tap.afterStep(arrival({ kind: 'NEW-VIEW', view: 1 }), 2);
    at.view = 1;
    tap.onMessageSent({ kind: 'COMMIT', view: 1 }, 2, 3);
    tap.onMessageSent({ kind: 'COMMIT', view: 1 }, 2, 4);
    const views = tap.answer(cursor, 4).moments.filter((moment) => moment.at === 'view');
    assert.deepEqual(views, [{ at: 'view', ms: 3, view: 1 }]);
  });
});

it('what cannot be read, and what is no message, is told with the reason', () => {
  const machine = new ToyMachine({ settings: toySettings(undefined), store: new ToyStore() }).start();
  machine.run();
  const { cursor } = machine.host.live('', 0);
  machine.host.onPeerFrame(1, asciiBytes('nonsense'), 0);
  machine.host.onPeerFrame(2, encodeLinkFrame({ kind: 'protocol', bytes: new Uint8Array(2) }), 0);
  machine.host.onPeerFrame(2, encodeLinkFrame({ kind: 'protocol', bytes: new Uint8Array(1) }), 0);
  machine.host.onPeerFrame(1, encodeLinkFrame({ kind: 'body', bytes: new Uint8Array(2) }), 0);
  machine.act(
    { kind: 'broadcast', message: { kind: 'TOY' } },
    { kind: 'send', to: 1, message: { kind: 'TOY' } },
  );
  machine.host.onPeerFrame(1, encodeLinkFrame({ kind: 'gone', sequence: 1 }), 0);
  assert.deepEqual(machine.host.live(cursor, 0).moments, [
    { at: 'taken', ms: 0, from: 1, refused: 'malformedFrame', kind: 'garbage' },
    { at: 'taken', ms: 0, from: 2, refused: 'malformedMessage', kind: 'garbage' },
    { at: 'taken', ms: 0, from: 2, kind: 'TOY' },
    { at: 'taken', ms: 0, from: 1, refused: 'malformedBody', kind: 'body' },
    { at: 'sent', ms: 0, kind: 'TOY' },
    { at: 'sent', ms: 0, to: 1, kind: 'TOY' },
    { at: 'taken', ms: 0, from: 1, kind: 'gone' },
  ]);
});

/** Every replica of a small cluster is watched while clients write and the first primary fails. */
function watched(definition: AnyProtocol): readonly LiveMoment[][] {
  const n = definition.replicasFor(1);
  const plan = { bundles: 12, requestsPerBundle: 2, inFlight: 2, paceMs: 40, retransmitMs: 150, toAll: true };
  const { trustedProgram } = definition;
  const world = new World<unknown>({
    scenario: { ...baseScenario(1, n), clients: [plan] },
    definition,
    ...(trustedProgram === undefined
      ? {}
      : { program: { name: trustedProgram, start: startWasm(trustedProgram) } }),
    corrupt: () => ({ wrapReplica: (replica) => replica, wrapPorts: (ports) => ports }),
  });
  const found: LiveMoment[][] = world.nodes.map(() => []);
  const cursors = world.nodes.map(() => '');
  const look = (): void => {
    for (const [id, { host, clock }] of world.nodes.entries()) {
      const answer = host?.live(cursors[id]!, clock);
      if (answer === undefined) continue;
      cursors[id] = answer.cursor;
      found[id]!.push(...answer.moments);
    }
    world.queue.after(20, look);
  };
  world.queue.after(0, look);
  world.queue.after(200, () => world.act('crash', 0));
  world.queue.after(800, () => world.act('restart', 0));
  world.run();
  assert.deepEqual(world.judge.violations, [], definition.name);
  return found;
}

/**
 * The clients of this world believe f+1 final answers, and its components say nothing of what was executed: two protocols
 * do not run in it. To the tap their messages are like those of the others.
 */
const ELSEWHERE = ['zyzzyva', 'a2m-pbft-e'];

describe('the tap under the protocols', () => {
  for (const definition of PROTOCOLS.filter(({ name }) => !ELSEWHERE.includes(name)))
    it(definition.name, () => {
      const found = watched(definition);
      let counters = 0;
      for (const [id, moments] of found.entries()) {
        const sent = moments.filter((moment) => moment.at === 'sent');
        const taken = moments.filter((moment) => moment.at === 'taken');
        const executed = moments.filter((moment) => moment.at === 'executed');
        for (const { kind } of [...sent, ...taken]) assert.match(kind, /^[A-Za-z][A-Za-z0-9-]{0,39}$/);
        assert.ok(
          sent.some(({ author }) => author === id),
          `replica ${id} sends what it wrote`,
        );
        assert.ok(
          taken.some(({ author }) => author !== id),
          `replica ${id} takes what others wrote`,
        );
        assert.ok(
          executed.some(({ requests }) => requests > 0),
          `replica ${id} executes`,
        );
        const proposed = new Set([...sent, ...taken].map(({ about }) => about));
        // Who only applies what batches changed does not say which; the fallback of CheapBFT carries messages of its own.
        const named = executed.filter(({ about }) => about !== undefined);
        assert.ok(
          named.length === 0 || named.some(({ about }) => proposed.has(about)),
          `what replica ${id} executes is named by messages`,
        );
        counters += sent.filter(({ counter }) => counter !== undefined).length;
      }
      assert.ok(
        found.flat().some((moment) => moment.at === 'executed' && moment.about !== undefined),
        'what was executed is named',
      );
      assert.equal(counters > 0, definition.trustedProgram !== undefined, 'certified values are on them');
      const views = found.flat().filter((moment) => moment.at === 'view');
      assert.ok(
        views.some(({ view }) => view > 0),
        'the view after that of the failed primary',
      );
    });
});

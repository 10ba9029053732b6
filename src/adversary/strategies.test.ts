/** Every behaviour in whole schedules: the lie is told, the correct replicas stay right, and what can be proved is. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runSchedule } from '../sim/run-schedule.ts';
import { liesInStream } from './stream-liar.ts';
import type { Behaviour } from './behaviours.ts';
import { behaviourOf, BEHAVIOURS, partsOf, refusalForProcess, TOGETHER_MAX } from './behaviours.ts';

/** Schedules of each behaviour, for a liar that leads first and for one that follows. */
const SEEDS = 4;

interface Row {
  readonly schedules: number;
  readonly lies: number;
  readonly kinds: ReadonlySet<string>;
  readonly accused: number;
}

function rowOf(behaviour: Behaviour): Row {
  const kinds = new Set<string>();
  let lies = 0;
  let accused = 0;
  for (const replica of [0, 1]) {
    // Where two may lie, a primary that falls silent gives the other one a view to start.
    const second = replica === 1 ? [{ replica: 0, behaviour: 'silent' as const }] : [];
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const result = runSchedule(seed, {
        replicas: seed % 2 === 0 ? 5 : 3,
        byzantine: [{ replica, behaviour }, ...(seed % 2 === 0 ? second : [])],
        onLie: (liar, lie) => {
          assert.equal(liar, replica);
          lies += 1;
          kinds.add(lie);
        },
      });
      assert.deepEqual(result.violations, [], result.reproduce);
      assert.ok(result.accused.every((one) => one.replica === replica));
      accused += result.accused.length;
    }
  }
  return { schedules: 2 * SEEDS, lies, kinds, accused };
}

describe('behaviours in schedules', () => {
  for (const { name } of BEHAVIOURS.filter((entry) => liesInStream(entry.name) && entry.drawn !== false)) {
    it(name, (t) => {
      const { schedules, lies, kinds, accused } = rowOf(name);
      t.diagnostic(
        `${name}: ${schedules} schedules, ${lies} lies of ${kinds.size} kinds, accused in ${accused}`,
      );
      assert.ok(lies > 0);
    });
  }
});

it('several behaviours at a time are one lie', () => {
  const lie = behaviourOf('burn+usurp+shun');
  assert.ok(lie !== undefined);
  assert.deepEqual(partsOf(lie), ['burn', 'usurp', 'shun']);
  assert.equal(behaviourOf('burn+burn'), undefined);
  assert.equal(behaviourOf('burn+polite'), undefined);
  assert.equal(
    behaviourOf(
      BEHAVIOURS.slice(0, TOGETHER_MAX + 1)
        .map(({ name }) => name)
        .join('+'),
    ),
    undefined,
  );
});

it('a behaviour that needs the simulator is refused for a process, with a sentence that says so', () => {
  for (const { name, where } of BEHAVIOURS) {
    const refusal = refusalForProcess(name);
    if (where === 'anywhere') assert.equal(refusal, undefined);
    else assert.match(refusal ?? '', /needs the simulator/);
  }
  assert.match(refusalForProcess('polite') ?? '', /one behaviour: equivocate/);
  assert.match(refusalForProcess('burn+usurp') ?? '', /one behaviour/);
});

it('a proposal dated decades ahead, taken over by a base (decision D4), keeps no client out', () => {
  // Block time does move, for a base is not judged by its times: clients go by what the replicas agreed on.
  for (let seed = 1; seed <= 12; seed += 1) {
    const byzantine = [{ replica: 0, behaviour: 'misdate' as const }];
    const { violations } = runSchedule(seed, { replicas: 3, faults: [], byzantine });
    assert.deepEqual(violations, [], `seed ${seed}`);
  }
});

it('what contradicts itself under seal is accused', () => {
  const proved = new Map<Behaviour, Set<string>>();
  for (const behaviour of ['equivocate', 'lie-checkpoint', 'stale-view', 'coalition'] as const) {
    const rules = new Set<string>();
    proved.set(behaviour, rules);
    for (let seed = 1; seed <= 8; seed += 1) {
      const { accused } = runSchedule(seed, {
        replicas: 3,
        faults: ['crash', 'isolate'],
        byzantine: [{ replica: seed % 2, behaviour }],
      });
      for (const one of accused) for (const rule of one.rules) rules.add(rule);
    }
  }
  assert.ok(proved.get('equivocate')!.has('doubleProposal'));
  assert.ok(proved.get('lie-checkpoint')!.has('wrongCheckpoint'));
  assert.ok(proved.get('stale-view')!.has('activeAfterViewChange'));
  assert.ok(proved.get('coalition')!.has('doubleProposal'));
});

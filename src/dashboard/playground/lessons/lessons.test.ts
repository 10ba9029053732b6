import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { play } from '../../../sim/playback/play.ts';
import type { Playback } from '../../../sim/playback/contract.ts';
import { protocolNamed } from '../../../protocols/catalogue.ts';
import { ruleText } from '../rule-texts.ts';
import { LESSONS } from './all.ts';
import { Finder } from './find.ts';
import type { Claim, Lesson, LessonStep } from './lesson.ts';

const scriptText = (name: string): string => readFileSync(new URL(`${name}.txt`, import.meta.url), 'utf8');
const sentences = (text: string): number =>
  text.split(/[.?!:](?:[”"]?\s|[”"]?$)/).filter((one) => one.trim() !== '').length;

function holds({ times, by = 'here', find }: Claim, finder: Finder, place: number, last: number): boolean {
  const count = finder.count(find, by === 'end' ? last : place);
  return times === 'some' ? count > 0 : times === 'none' ? count === 0 : count === times;
}

function checkStep(lesson: Lesson, step: LessonStep, playbacks: readonly Playback[]): void {
  const { trace } = playbacks[step.run ?? 0]!;
  const where = `${lesson.title} / ${step.title}`;
  const finder = new Finder(trace);
  const place = finder.find(step.at, step.nth);
  assert.ok(place !== undefined, `${where}: its place is not in the run`);
  for (const claim of step.claims)
    assert.ok(
      holds(claim, finder, place, trace.events.length - 1),
      `${where}: ${JSON.stringify(claim)} does not hold (${finder.count(claim.find, place)} by then)`,
    );
  for (const { rule, passed, within } of step.rules ?? []) {
    assert.ok(
      protocolNamed(trace.protocol)!.rules.some(({ id }) => id === rule),
      `${where}: no rule ${rule}`,
    );
    assert.ok(ruleText(rule) !== undefined, `${where}: ${rule} has no text`);
    const [held = 0, broken = 0] = trace.rules[within ?? rule] ?? [];
    assert.ok((passed ? held : broken) > 0, `${where}: ${within ?? rule} was not seen that way`);
  }
  if (step.look?.kind === 'replica')
    assert.ok(step.look.replica < trace.replicas, `${where}: no such replica`);
  if (step.look?.kind === 'message')
    assert.ok(finder.find(step.look.find) !== undefined, `${where}: nothing to look at`);
  assert.ok(step.claims.length > 0, `${where}: it claims nothing that could be checked`);
  assert.ok(
    sentences(step.text) >= 2 && sentences(step.text) <= 6,
    `${where}: ${sentences(step.text)} sentences`,
  );
}

describe('the lessons', () => {
  it('are eight, each with four to eight steps', () => {
    assert.equal(LESSONS.length, 8);
    for (const { steps, title } of LESSONS) assert.ok(steps.length >= 4 && steps.length <= 8, title);
  });

  for (const lesson of LESSONS)
    it(`${lesson.title}: the runs end as they should, and each step is seen in its run`, () => {
      const playbacks = lesson.runs.map(({ script }) => play(scriptText(script)));
      for (const [index, { objections }] of lesson.runs.entries()) {
        const { trace, unmet } = playbacks[index]!;
        assert.deepEqual(unmet, []);
        const found = trace.violations.map(({ judge }) => judge as string);
        for (const judge of objections) assert.ok(found.includes(judge), `${judge} has to object`);
        assert.equal(found.length > 0, objections.length > 0, found.join(', '));
      }
      for (const step of lesson.steps) checkStep(lesson, step, playbacks);
      // Whoever follows the steps goes forward in each run.
      for (const run of lesson.runs.keys()) {
        const finder = new Finder(playbacks[run]!.trace);
        const places = lesson.steps
          .filter((step) => (step.run ?? 0) === run)
          .map((step) => finder.find(step.at, step.nth)!);
        assert.deepEqual(
          places,
          [...places].sort((a, b) => a - b),
          'steps are in the order of the run',
        );
        assert.ok(places.length > 0, 'each run is shown');
      }
    });

  it('show the same request settled in two ways in lesson 1 and in lesson 8, and nowhere else', () => {
    for (const lesson of LESSONS)
      for (const { script, objections } of lesson.runs) {
        const { trace } = play(scriptText(script));
        const honest = new Set<string>();
        for (const event of trace.events)
          if (event.kind === 'execute' && event.sequence === 1 && !trace.byzantine.includes(event.replica))
            honest.add(event.digest);
        if (script === 'speculation-undone') continue;
        assert.equal(honest.size > 1, objections.includes('agreement'), script);
      }
  });
});

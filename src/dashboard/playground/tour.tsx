/** The guided tour: a lesson on the left, its run beside it, moved to where the text is. */
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { Playback } from '../../sim/playback/contract.ts';
import { Details } from './details.tsx';
import { EventList } from './event-list.tsx';
import { LESSONS } from './lessons/all.ts';
import { Finder } from './lessons/find.ts';
import type { LessonStep } from './lessons/lesson.ts';
import { LESSON_SCRIPTS } from './lessons/scripts.ts';
import { LessonPanel } from './lesson-panel.tsx';
import { selectionOf } from './loaded-run.ts';
import type { LoadedRun } from './loaded-run.ts';
import type { RunSource } from './place.ts';
import { Stage } from './stage.tsx';
import { usePlayer } from './use-player.tsx';
import { useRun } from './use-run.tsx';
import type { Selection } from '../diagram/scene.ts';

/** The run of each lesson as something to be played; the same object each time, so that it is played once. */
const SOURCES: ReadonlyMap<string, RunSource> = new Map(
  Object.entries(LESSON_SCRIPTS).map(([name, text]) => [name, { kind: 'script', text }]),
);

function lookOf(run: LoadedRun, step: LessonStep, place: number, finder: Finder): Selection | undefined {
  if (step.look === undefined) return selectionOf(run, place);
  if (step.look.kind === 'replica') return { kind: 'lane', lane: run.clientLanes + step.look.replica };
  const found = finder.find(step.look.find);
  return found === undefined ? undefined : selectionOf(run, found);
}

/** See the top of this file. */
export function Tour(props: {
  readonly lesson: number;
  readonly step: number;
  readonly onGo: (lesson: number, step: number) => void;
  readonly onTry: (source: RunSource) => void;
}): JSX.Element {
  const { lesson: number, step, onGo, onTry } = props;
  const lesson = LESSONS[number - 1]!;
  const shown = lesson.steps[Math.min(step, lesson.steps.length) - 1]!;
  const { script, label } = lesson.runs[shown.run ?? 0]!;
  const source = SOURCES.get(script)!;
  const state = useRun(source, false);
  const run = state.source === source ? state.run : undefined;
  const player = usePlayer(run?.stops ?? []);
  const finder = useMemo(
    () => (run === undefined ? undefined : new Finder(run.playback.trace)),
    [run?.playback],
  );
  const { ask } = player;
  const stood = useRef<Playback | undefined>(undefined);
  useEffect(() => {
    if (run === undefined || finder === undefined) return;
    const place = finder.find(shown.at, shown.nth);
    if (place === undefined) return;
    // From step to step of one run the diagram plays on; a run that has just come stands at its place at once.
    const isSame = stood.current === run.playback;
    stood.current = run.playback;
    ask({
      kind: isSame ? 'travel' : 'seek',
      atMs: run.playback.trace.events[place]!.at,
      shows: lookOf(run, shown, place, finder),
    });
  }, [run?.playback, shown]);
  const violations = run?.playback.trace.violations.map(({ judge, text }) => `${judge}: ${text}`) ?? [];
  return (
    <main class="columns tour" aria-busy={state.isBusy}>
      {run === undefined ? (
        <section class="stage" aria-label="Diagram">
          <h1>{lesson.title}</h1>
          <p class="muted">{state.problem ?? 'The run is being made.'}</p>
        </section>
      ) : (
        <Stage
          run={run}
          player={player}
          title={lesson.runs.length > 1 ? `${lesson.title}: ${label}` : lesson.title}
        />
      )}
      <div class="left">
        <LessonPanel
          number={number}
          step={step}
          violations={violations}
          onGo={onGo}
          onTry={() => onTry(source)}
        />
      </div>
      {run !== undefined && (
        <div class="right">
          <Details run={run} player={player} isBrief />
          <EventList run={run} player={player} />
        </div>
      )}
    </main>
  );
}

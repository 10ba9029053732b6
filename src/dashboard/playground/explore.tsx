/** Explore: choose a run, watch it, look at everything in it. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { PROTOCOLS } from '../../protocols/catalogue.ts';
import { DEFAULT_CHOICES } from './choice-words.ts';
import { ChoicesForm } from './choices-form.tsx';
import { CopyLink } from './copy-link.tsx';
import { Details } from './details.tsx';
import { DrawnForm } from './drawn-form.tsx';
import { EventList } from './event-list.tsx';
import type { LoadedRun } from './loaded-run.ts';
import type { RunSource } from './place.ts';
import { ScriptForm } from './script-form.tsx';
import { Stage } from './stage.tsx';
import { usePlayer } from './use-player.tsx';
import { useRun } from './use-run.tsx';
import type { RunState } from './use-run.tsx';

const TABS = [
  ['choices', 'Choose'],
  ['draw', 'By chance'],
  ['script', 'As a script'],
] as const;
type Tab = (typeof TABS)[number][0];

const tabOf = ({ kind }: RunSource): Tab => (kind === 'held' ? 'script' : kind);

function sourceFor(tab: Tab, run: LoadedRun | undefined): RunSource | undefined {
  const protocol = run?.playback.trace.protocol ?? PROTOCOLS[0]!.name;
  const seed = run?.playback.trace.scenario.seed ?? 1;
  if (tab === 'choices') return { kind: 'choices', choices: { ...DEFAULT_CHOICES, protocol } };
  return tab === 'draw' ? { kind: 'draw', schedule: { protocol, seed } } : undefined;
}

function Panel(props: {
  readonly source: RunSource;
  readonly state: RunState;
  readonly onRun: (source: RunSource) => void;
}): JSX.Element {
  const { source, state, onRun } = props;
  const [tab, setTab] = useState<Tab>(tabOf(source));
  useEffect(() => {
    // Looking at the script of a chosen run changes nothing; another kind of run has another form.
    setTab((old) => (old === 'script' && source.kind !== 'script' ? old : tabOf(source)));
  }, [source]);
  const choose = (next: Tab): void => {
    setTab(next);
    const other = next === source.kind ? undefined : sourceFor(next, state.run);
    if (other !== undefined) onRun(other);
  };
  const text = source.kind === 'script' ? source.text : (state.run?.playback.script ?? '');
  return (
    <section class="panel" aria-label="What runs">
      <div class="tabs" role="group" aria-label="How to say what runs">
        {TABS.map(([name, label]) => (
          <button
            key={name}
            type="button"
            class="button"
            aria-pressed={tab === name}
            onClick={() => choose(name)}
          >
            {label}
          </button>
        ))}
      </div>
      {tab === 'choices' && source.kind === 'choices' && (
        <ChoicesForm choices={source.choices} onChoose={(choices) => onRun({ kind: 'choices', choices })} />
      )}
      {tab === 'draw' && source.kind === 'draw' && (
        <DrawnForm schedule={source.schedule} onChoose={(schedule) => onRun({ kind: 'draw', schedule })} />
      )}
      {source.kind === 'held' && (
        <p class="muted">
          An event log is shown as it was recorded. Its scenario can be changed and played again:
        </p>
      )}
      {tab === 'script' && (
        <ScriptForm
          text={text}
          problem={source.kind === 'script' ? state.problem : undefined}
          onPlay={(script) => onRun({ kind: 'script', text: script })}
        />
      )}
      {source.kind !== 'held' && <CopyLink />}
    </section>
  );
}

function titleOf({ playback, protocolTitle }: LoadedRun): string {
  const { replicas, f, scenario } = playback.trace;
  return `${protocolTitle}, ${replicas} replicas for ${f} faulty, seed ${scenario.seed}`;
}

/** See the top of this file. */
export function Explore(props: {
  readonly source: RunSource;
  readonly at: number | undefined;
  readonly onRun: (source: RunSource) => void;
  readonly onStand: (at: number) => void;
}): JSX.Element {
  const { source, at, onRun, onStand } = props;
  const [all, setAll] = useState(false);
  const state = useRun(source, all);
  const { run } = state;
  const player = usePlayer(run?.stops ?? []);
  const { ask, nowMs, isPlaying } = player;
  const playback = run?.playback;
  useEffect(() => {
    if (run === undefined || state.source !== source) return;
    const event = at === undefined ? undefined : run.playback.trace.events[at];
    if (event === undefined) ask({ kind: 'end' });
    else ask({ kind: 'seek', atMs: event.at });
    // Only a new run is moved; what the address says of this one came from here.
  }, [playback]);
  useEffect(() => {
    if (run === undefined || isPlaying || state.isBusy) return;
    const timer = setTimeout(() => onStand(run.happened.eventAt(nowMs)), 250);
    return () => clearTimeout(timer);
  }, [run, isPlaying, nowMs, state.isBusy]);
  return (
    <main class="columns" aria-busy={state.isBusy}>
      {run === undefined ? (
        <section class="stage" aria-label="Diagram">
          <h1>{state.problem === undefined ? 'The run is being made' : 'There is no run'}</h1>
          {state.problem !== undefined && <p class="muted">Beside the choices it says why.</p>}
        </section>
      ) : (
        <Stage run={run} player={player} title={titleOf(run)} all={all} onAll={setAll} />
      )}
      {run !== undefined && (
        <div class="right">
          <Details run={run} player={player} />
          <EventList run={run} player={player} />
        </div>
      )}
      <div class="left">
        {state.problem !== undefined && source.kind !== 'script' && (
          <p class="notice bad" role="alert">
            {state.problem}
          </p>
        )}
        <Panel source={source} state={state} onRun={onRun} />
      </div>
    </main>
  );
}

/** A playback with everything that the views derive from it once. */
import type { Playback } from '../../sim/playback/contract.ts';
import { protocolNamed } from '../../protocols/catalogue.ts';
import { isFirstOfThree } from '../diagram/kinds.ts';
import type { Arrow, Mark, Scene, Selection } from '../diagram/scene.ts';
import { Happened } from './happened.ts';
import { rowsOf } from './rows.ts';
import type { Row } from './rows.ts';
import { sceneOfTrace } from './scene-of-trace.ts';
import { stopsOf } from './stops.ts';
import type { Stop } from './stops.ts';

/** Messages that the diagram holds, at most; of longer runs it has the last ones. */
const ARROWS_MAX = 20_000;

/** See the top of this file. */
export interface LoadedRun {
  readonly playback: Playback;
  readonly happened: Happened;
  readonly scene: Scene;
  readonly stops: readonly Stop[];
  readonly rows: readonly Row[];
  /** Lanes of clients stand before those of replicas. */
  readonly clientLanes: number;
  /** Whether the protocol proposes with PRE-PREPARE and confirms with COMMIT. */
  readonly hasThreePhases: boolean;
  /** Its name as people write it. */
  readonly protocolTitle: string;
}

/** `all`: gossip, bodies and fetching too. */
export function loadedRun(playback: Playback, all: boolean): LoadedRun {
  const { trace } = playback;
  const whole = sceneOfTrace(trace, { all, arrowsMax: ARROWS_MAX });
  const scene: Scene = {
    ...whole,
    arrows: whole.arrows.map(withShorterLabels),
    marks: withConflictTimes(whole.marks),
  };
  return {
    playback,
    happened: new Happened(playback),
    scene,
    stops: stopsOf(scene),
    rows: rowsOf(scene),
    clientLanes: scene.lanes.filter(({ kind }) => kind === 'client').length,
    hasThreePhases: trace.events.some((event) => event.kind === 'send' && isFirstOfThree(event.message)),
    protocolTitle: protocolNamed(trace.protocol)?.title ?? trace.protocol,
  };
}

/** View 0 goes without saying; certified counters are what it is all about. */
function withShorterLabels(arrow: Arrow): Arrow {
  const counter = /\[\d+:\d+\]/.exec(arrow.label)?.[0];
  return {
    ...arrow,
    label: arrow.label.replace(/ v0(?= |$)/, ''),
    shortLabel: counter === undefined ? arrow.shortLabel : `${arrow.shortLabel} ${counter}`,
  };
}

/** Of executions that differ the first one is in order until the second one happens. */
function withConflictTimes(marks: readonly Mark[]): Mark[] {
  const first = new Map<string, Mark>();
  const since = new Map<string, number>();
  const orderOf = ({ label }: Mark): string => label.split(' ')[0]!;
  for (const mark of marks.filter(({ kind, isConflict }) => kind === 'execute' && isConflict)) {
    const order = orderOf(mark);
    const known = first.get(order);
    if (known === undefined) first.set(order, mark);
    else if (known.label !== mark.label && !since.has(order)) since.set(order, mark.atMs);
  }
  return marks.map((mark) => {
    const conflictFromMs = mark.isConflict ? since.get(orderOf(mark)) : undefined;
    return conflictFromMs === undefined ? mark : { ...mark, conflictFromMs };
  });
}

/** What the diagram shows of an event: its message, else what is marked at that moment at its replica. */
export function selectionOf(
  { playback, scene, clientLanes }: LoadedRun,
  place: number,
): Selection | undefined {
  const event = playback.trace.events[place];
  if (event === undefined) return undefined;
  const id = 'id' in event ? event.id : undefined;
  if (id !== undefined && scene.arrows.some((arrow) => arrow.id === id)) return { kind: 'arrow', id };
  const lane = 'replica' in event && event.replica !== undefined ? clientLanes + event.replica : undefined;
  const near = scene.marks.filter(({ atMs }) => atMs === event.at);
  const mark = near.find((one) => one.id === place) ?? near.find((one) => one.lane === lane) ?? near[0];
  return mark === undefined ? undefined : { kind: 'mark', id: mark.id };
}

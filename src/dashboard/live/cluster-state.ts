/** Everything that the page knows of the cluster, and how each event of the feed changes it. */
import { withSayings } from './agreement.ts';
import type { Sayings } from './agreement.ts';
import type { Connection, FeedEvent } from './feed.ts';
import type { FaultMenu } from './faults.ts';
import type { LaneFacts, Note } from './live-scene.ts';
import { roleWords } from './cards.ts';
import { mergedRates } from './rates.ts';
import type { LiveReplica, LiveStatus, Rate } from './status-shape.ts';

/** When a replica was not there. */
export interface Gap {
  readonly replica: number;
  readonly fromMs: number;
  readonly untilMs: number | undefined;
}

/** See the top of this file. Never changed in place. */
export interface ClusterState {
  readonly connection: Connection;
  /** The latest; without its rates, which are in `rates`. */
  readonly status: LiveStatus | undefined;
  readonly rates: readonly Rate[];
  readonly sayings: Sayings;
  readonly gaps: readonly Gap[];
  readonly notes: readonly Note[];
  /** The last thing that could not be read; empty: none. */
  readonly unreadable: string;
}

/** Before anything is known. */
export const NOTHING_KNOWN: ClusterState = {
  connection: { state: 'connecting' },
  status: undefined,
  rates: [],
  sayings: new Map(),
  gaps: [],
  notes: [],
  unreadable: '',
};

const GAPS_MAX = 64;
const NOTES_MAX = 32;

function isAway({ isReachable, role }: LiveReplica): boolean {
  return !isReachable || role === 'halted';
}

function withGaps(gaps: readonly Gap[], { replicas, nowMs }: LiveStatus): readonly Gap[] {
  const changed = gaps.map((gap) => {
    const isBack = replicas.some((one) => one.id === gap.replica && !isAway(one));
    return gap.untilMs === undefined && isBack ? { ...gap, untilMs: nowMs } : gap;
  });
  for (const one of replicas) {
    const isKnown = changed.some((gap) => gap.replica === one.id && gap.untilMs === undefined);
    if (isAway(one) && !isKnown) changed.push({ replica: one.id, fromMs: nowMs, untilMs: undefined });
  }
  return changed.slice(-GAPS_MAX);
}

/** The state after an event; moments go into `LiveMessages` instead. */
export function withEvent(state: ClusterState, event: FeedEvent): ClusterState {
  if (event.kind === 'connection') return { ...state, connection: event.connection };
  if (event.kind === 'unreadable') return { ...state, unreadable: event.sentence };
  if (event.kind === 'moments') return state;
  const { rates, ...rest } = event.status;
  return {
    ...state,
    status: { ...rest, rates: [] },
    rates: mergedRates(state.rates, rates),
    sayings: withSayings(state.sayings, rest.replicas),
    gaps: withGaps(state.gaps, event.status),
  };
}

/** Adds what was done from this page, as a line across the diagram; `atMs` by the clock of the gateway. */
export function withNote(state: ClusterState, text: string, atMs: number): ClusterState {
  const id = (state.notes.at(-1)?.id ?? 0) + 1;
  const note: Note = { id, atMs, text };
  return { ...state, notes: [...state.notes, note].slice(-NOTES_MAX) };
}

/** Lanes of the diagram. */
export function lanesOf(state: ClusterState, menu: FaultMenu | undefined): LaneFacts[] {
  return (state.status?.replicas ?? []).map((replica) => {
    const { id, view, proven } = replica;
    const process = menu?.processes.find((one) => one.replica === id);
    const isByzantine = proven.length > 0 || process?.behaviour !== undefined;
    const role = roleWords(replica);
    return {
      id,
      note: view === undefined ? role : `${role}, view ${view}`,
      isByzantine,
      down: state.gaps.filter((gap) => gap.replica === id),
    };
  });
}

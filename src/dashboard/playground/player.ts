/** The player of a run: where it stands, whether it plays and how fast. Plain functions on plain data. */
import type { Selection } from '../diagram/scene.ts';
import { momentAt, neighbour, stopBefore, wayTo } from './stops.ts';
import type { Stop } from './stops.ts';

/** How fast it may play, as factors. */
export const SPEEDS = [0.25, 0.5, 1, 2, 4, 8] as const;
/** Way for each second at speed 1. */
const WAY_PER_SECOND = 70;
/** Nobody waits longer for the place that a lesson goes to. */
const TRAVEL_SECONDS_MAX = 1.8;
/** Milliseconds from stop to stop at speed 1 where nothing may move by itself. */
const STEP_EVERY_MS = 900;

/** See the top of this file. */
export interface PlayerState {
  readonly nowMs: number;
  readonly isPlaying: boolean;
  readonly speed: number;
  /** What the details tell about; undefined: the run as a whole. */
  readonly selected: Selection | undefined;
  /** Where it plays to by itself, and how fast; undefined: to the end, at its speed. */
  readonly goal: Goal | undefined;
}

interface Goal {
  readonly atMs: number;
  readonly shows: Selection | undefined;
  readonly wayPerSecond: number;
}

/** Where a player stands at first: at the end of nothing, so that the first step shows the first thing. */
export const AT_START: PlayerState = {
  nowMs: 0,
  isPlaying: false,
  speed: 1,
  selected: undefined,
  goal: undefined,
};

/** What may be asked of it. */
export type PlayerAction =
  | { readonly kind: 'toggle' | 'forward' | 'back' | 'start' | 'end' }
  /** Time passed on the screen. `isCalm`: nothing may move between stops. */
  | { readonly kind: 'tick'; readonly elapsedMs: number; readonly isCalm: boolean }
  | { readonly kind: 'seek'; readonly atMs: number; readonly shows?: Selection | undefined }
  /** Plays on to a place and shows something there; what lies behind is gone back to at once. */
  | { readonly kind: 'travel'; readonly atMs: number; readonly shows: Selection | undefined }
  | { readonly kind: 'select'; readonly selected: Selection | undefined }
  | { readonly kind: 'speed'; readonly speed: number };

/** The state after an action. */
export function play(stops: readonly Stop[], old: PlayerState, action: PlayerAction): PlayerState {
  // Whoever touches anything has it in hand again.
  const state = action.kind === 'tick' || action.kind === 'speed' ? old : { ...old, goal: undefined };
  switch (action.kind) {
    case 'toggle':
      return toggled(stops, state);
    case 'forward':
      return moved(stops, state, neighbour(stops, state.nowMs, 1));
    case 'back':
      return moved(stops, state, neighbour(stops, state.nowMs, -1) ?? 0);
    case 'start':
      return { ...state, nowMs: 0, isPlaying: false, selected: undefined };
    case 'end':
      return { ...state, nowMs: stops.at(-1)?.atMs ?? 0, isPlaying: false, selected: undefined };
    case 'tick':
      return ticked(stops, state, action.elapsedMs, action.isCalm);
    case 'seek':
      return { ...state, nowMs: action.atMs, isPlaying: false, selected: action.shows };
    case 'travel':
      return travelling(stops, state, action);
    case 'select':
      return { ...state, isPlaying: old.goal === undefined && state.isPlaying, selected: action.selected };
    case 'speed':
      return { ...state, speed: action.speed };
  }
}

function toggled(stops: readonly Stop[], state: PlayerState): PlayerState {
  const isAtEnd = neighbour(stops, state.nowMs, 1) === undefined;
  if (!state.isPlaying && isAtEnd)
    return { ...state, isPlaying: stops.length > 0, nowMs: 0, selected: undefined };
  return { ...state, isPlaying: !state.isPlaying, selected: state.isPlaying ? state.selected : undefined };
}

function moved(stops: readonly Stop[], state: PlayerState, atMs: number | undefined): PlayerState {
  if (atMs === undefined) return { ...state, isPlaying: false };
  const stop = stops[stopBefore(stops, atMs)];
  return { ...state, nowMs: atMs, isPlaying: false, selected: stop?.atMs === atMs ? stop.shows : undefined };
}

function ticked(stops: readonly Stop[], state: PlayerState, elapsedMs: number, isCalm: boolean): PlayerState {
  if (!state.isPlaying) return state;
  const { goal } = state;
  const endMs = goal?.atMs ?? stops.at(-1)?.atMs ?? 0;
  const arrived: PlayerState = {
    ...state,
    nowMs: endMs,
    isPlaying: false,
    goal: undefined,
    selected: goal === undefined ? state.selected : goal.shows,
  };
  if (isCalm && goal !== undefined) return arrived;
  if (isCalm) {
    const next = neighbour(stops, state.nowMs, 1);
    return next === undefined ? { ...state, isPlaying: false } : { ...state, nowMs: next };
  }
  // What comes before the first stop is not worth waiting for.
  const from = Math.max(state.nowMs, stops[0]?.atMs ?? 0);
  const rate = goal?.wayPerSecond ?? WAY_PER_SECOND * state.speed;
  const way = wayTo(stops, from) + (elapsedMs / 1000) * rate;
  const nowMs = momentAt(stops, way);
  // A goal may lie behind the last stop, where nothing is left to wait for.
  return nowMs >= Math.min(endMs, stops.at(-1)?.atMs ?? 0) ? arrived : { ...state, nowMs };
}

function travelling(
  stops: readonly Stop[],
  state: PlayerState,
  { atMs, shows }: { readonly atMs: number; readonly shows: Selection | undefined },
): PlayerState {
  if (atMs <= state.nowMs) return { ...state, nowMs: atMs, isPlaying: false, selected: shows };
  const way = wayTo(stops, atMs) - wayTo(stops, state.nowMs);
  const wayPerSecond = Math.max(WAY_PER_SECOND * state.speed, way / TRAVEL_SECONDS_MAX);
  return { ...state, isPlaying: true, selected: undefined, goal: { atMs, shows, wayPerSecond } };
}

/** Milliseconds on the screen between two ticks where nothing may move by itself. */
export function calmTickMs(speed: number): number {
  return STEP_EVERY_MS / speed;
}

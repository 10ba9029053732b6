/** The player of a run as a hook: its state, what may be asked of it, and the clock that drives it. */
import { useCallback, useEffect, useReducer, useRef } from 'preact/hooks';
import { AT_START, calmTickMs, play } from './player.ts';
import type { PlayerAction, PlayerState } from './player.ts';
import type { Stop } from './stops.ts';

/** A player and how to talk to it. */
export interface Player extends PlayerState {
  readonly ask: (action: PlayerAction) => void;
}

/** Whether the system asks for as little motion as possible; asked anew each time, for it may change. */
function wantsCalm(): boolean {
  return matchMedia('(prefers-reduced-motion: reduce)').matches;
}

/** See the top of this file. A new run (`stops`) keeps the speed; where it begins is for whoever loads it to say. */
export function usePlayer(stops: readonly Stop[]): Player {
  const known = useRef(stops);
  known.current = stops;
  const [state, ask] = useReducer<PlayerState, PlayerAction>(
    (old, action) => play(known.current, old, action),
    AT_START,
  );
  const { isPlaying, speed } = state;
  const isTravelling = state.goal !== undefined;
  useEffect(() => {
    if (!isPlaying) return;
    if (wantsCalm()) {
      const step = (): void => ask({ kind: 'tick', elapsedMs: 0, isCalm: true });
      if (isTravelling) return step();
      const timer = setInterval(step, calmTickMs(speed));
      return () => clearInterval(timer);
    }
    let last = performance.now();
    const onFrame = (now: number): void => {
      ask({ kind: 'tick', elapsedMs: now - last, isCalm: false });
      last = now;
      frame = requestAnimationFrame(onFrame);
    };
    let frame = requestAnimationFrame(onFrame);
    return () => cancelAnimationFrame(frame);
  }, [isPlaying, speed, isTravelling]);
  const stable = useCallback((action: PlayerAction) => ask(action), []);
  return { ...state, ask: stable };
}

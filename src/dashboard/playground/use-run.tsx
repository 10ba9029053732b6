/** Plays what is to be run, in the worker, and keeps the newest answer. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { Playback } from '../../sim/playback/contract.ts';
import { loadedRun } from './loaded-run.ts';
import type { LoadedRun } from './loaded-run.ts';
import type { RunSource } from './place.ts';
import { playInWorker } from './worker-desk.tsx';

/** How far it has come. While a new run is being made the one before stays in sight. */
export interface RunState {
  readonly run: LoadedRun | undefined;
  /** What the run was made of. */
  readonly source: RunSource | undefined;
  readonly isBusy: boolean;
  /** Why there is no run, in a sentence. */
  readonly problem: string | undefined;
}

interface Answer {
  readonly source: RunSource;
  readonly playback?: Playback;
  readonly problem?: string;
}

/** See the top of this file. `source` undefined: nothing is asked for yet. */
export function useRun(source: RunSource | undefined, all: boolean): RunState {
  const [answer, setAnswer] = useState<Answer | undefined>(undefined);
  useEffect(() => {
    if (source === undefined) return;
    let isWanted = true;
    playInWorker(source).then(
      (playback) => isWanted && setAnswer({ source, playback }),
      (error: unknown) =>
        isWanted && setAnswer({ source, problem: error instanceof Error ? error.message : String(error) }),
    );
    return () => {
      isWanted = false;
    };
  }, [source]);
  const playback = answer?.playback;
  const run = useMemo(() => (playback === undefined ? undefined : loadedRun(playback, all)), [playback, all]);
  return { run, source: answer?.source, isBusy: source !== answer?.source, problem: answer?.problem };
}

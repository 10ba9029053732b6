/** The bar below the diagram: play, step, speed, and where in the run it stands, with the violations marked. */
import type { JSX } from 'preact';
import type { LoadedRun } from './loaded-run.ts';
import { msWords } from './message-words.ts';
import { SPEEDS } from './player.ts';
import { momentAt, stopBefore, wayTo } from './stops.ts';
import type { Player } from './use-player.tsx';

const ICONS = {
  start: 'M2 2h2v12H2zM14 2v12L5 8z',
  back: 'M12.5 2H14v12h-1.5zM10.5 2v12L2 8z',
  play: 'M3 1.5v13L14 8z',
  pause: 'M3 2h4v12H3zM9 2h4v12H9z',
  forward: 'M2 2h1.5v12H2zM5.5 2v12L14 8z',
  end: 'M12 2h2v12h-2zM2 2v12l9-6z',
} as const;

/** Smallest part of the scrubber. */
const PARTS = 1000;

function IconButton(props: {
  readonly label: string;
  /** Path of the icon, 16 by 16. */
  readonly icon: string;
  readonly onClick: () => void;
  readonly disabled?: boolean;
  readonly isPrimary?: boolean;
}): JSX.Element {
  return (
    <button
      type="button"
      class={`button${props.isPrimary === true ? ' primary' : ''}`}
      aria-label={props.label}
      title={props.label}
      disabled={props.disabled === true}
      onClick={props.onClick}
    >
      <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
        <path d={props.icon} fill="currentColor" />
      </svg>
    </button>
  );
}

function Scrubber({ run, player }: { readonly run: LoadedRun; readonly player: Player }): JSX.Element {
  const { stops, playback, rows } = run;
  const length = stops.at(-1)?.way ?? 0;
  const part = (atMs: number): number => (length === 0 ? 0 : wayTo(stops, atMs) / length);
  const at = Math.round(part(player.nowMs) * PARTS);
  const seek = (value: number): void => {
    const moment = momentAt(stops, (value / PARTS) * length);
    const stop = stops[stopBefore(stops, moment)];
    player.ask({ kind: 'seek', atMs: stop?.atMs ?? 0, shows: undefined });
  };
  const { violations } = playback.trace;
  const words = `${msWords(player.nowMs)}, ${rows.filter(({ atMs }) => atMs <= player.nowMs).length} of ${rows.length} events`;
  return (
    <div class="scrubber">
      <input
        type="range"
        min={0}
        max={PARTS}
        value={at}
        aria-label="Place in the run"
        aria-valuetext={words}
        onInput={(event) => seek(Number(event.currentTarget.value))}
      />
      <div class="scrubber-marks" aria-hidden="true">
        {violations.map(({ atMs, judge }, index) => (
          <i key={index} style={{ left: `${100 * part(atMs)}%` }} title={`${judge} objects here`} />
        ))}
      </div>
    </div>
  );
}

/** See the top of this file. */
export function Transport({
  run,
  player,
}: {
  readonly run: LoadedRun;
  readonly player: Player;
}): JSX.Element {
  const { ask, isPlaying, speed, nowMs } = player;
  const isAtStart = nowMs <= 0;
  const isAtEnd = nowMs >= (run.stops.at(-1)?.atMs ?? 0);
  return (
    <div class="transport" role="group" aria-label="Play the run">
      <Scrubber run={run} player={player} />
      <div class="transport-buttons">
        <IconButton
          label="To the start"
          icon={ICONS.start}
          disabled={isAtStart}
          onClick={() => ask({ kind: 'start' })}
        />
        <IconButton
          label="One step back"
          icon={ICONS.back}
          disabled={isAtStart}
          onClick={() => ask({ kind: 'back' })}
        />
        <IconButton
          label={isPlaying ? 'Pause' : 'Play'}
          icon={isPlaying ? ICONS.pause : ICONS.play}
          isPrimary
          onClick={() => ask({ kind: 'toggle' })}
        />
        <IconButton
          label="One step on"
          icon={ICONS.forward}
          disabled={isAtEnd}
          onClick={() => ask({ kind: 'forward' })}
        />
        <IconButton
          label="To the end"
          icon={ICONS.end}
          disabled={isAtEnd}
          onClick={() => ask({ kind: 'end' })}
        />
        <label class="speed">
          <span class="visually-hidden">Speed</span>
          <select
            value={speed}
            onChange={(event) => ask({ kind: 'speed', speed: Number(event.currentTarget.value) })}
          >
            {SPEEDS.map((one) => (
              <option key={one} value={one}>
                {one}×
              </option>
            ))}
          </select>
        </label>
        <output class="mono clock">{msWords(nowMs)}</output>
      </div>
    </div>
  );
}

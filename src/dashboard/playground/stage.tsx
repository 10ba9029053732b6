/** The middle of the page: the diagram of a run, its legend, and the bar that plays it. */
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { Legend } from '../diagram/legend.tsx';
import { SpaceTime } from '../diagram/space-time.tsx';
import { keyElsewhere, keyInDiagram } from './keys.ts';
import type { LoadedRun } from './loaded-run.ts';
import { Transport } from './transport.tsx';
import type { Player } from './use-player.tsx';

/** See the top of this file. */
export function Stage(props: {
  readonly run: LoadedRun;
  readonly player: Player;
  /** What runs, in a few words. */
  readonly title: string;
  /** Whether gossip, bodies and fetching are shown, too; absent: there is no such choice. */
  readonly all?: boolean;
  readonly onAll?: (all: boolean) => void;
}): JSX.Element {
  const { run, player, title, all, onAll } = props;
  const { ask } = player;
  useEffect(() => {
    const onSpace = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || !(event.target instanceof HTMLElement)) return;
      const asked = keyElsewhere(event.key, event.target.tagName.toLowerCase());
      if (asked === undefined) return;
      event.preventDefault();
      ask({ kind: asked });
    };
    document.addEventListener('keydown', onSpace);
    return () => document.removeEventListener('keydown', onSpace);
  }, [ask]);
  const onKeyDown = (event: KeyboardEvent): void => {
    // Buttons inside of the diagram keep their own keys.
    if (!(event.target instanceof HTMLElement) || event.target.tagName === 'BUTTON') return;
    const asked = event.ctrlKey || event.metaKey || event.altKey ? undefined : keyInDiagram(event.key);
    if (asked === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    ask({ kind: asked });
  };
  return (
    <section class="stage" aria-label="Diagram">
      <h1>{title}</h1>
      <div class="stage-diagram" onKeyDown={onKeyDown}>
        <SpaceTime
          scene={run.scene}
          label={`Space-time diagram of ${title}. Arrow keys step, space plays and pauses.`}
          nowMs={player.nowMs}
          selected={player.selected}
          onSelect={(selected) => player.ask({ kind: 'select', selected })}
          follow
          hasThreePhases={run.hasThreePhases}
        />
      </div>
      <div class="stage-foot">
        <Legend scene={run.scene} hasThreePhases={run.hasThreePhases} />
        {onAll !== undefined && (
          <label class="check">
            <input
              type="checkbox"
              checked={all === true}
              onChange={(event) => onAll(event.currentTarget.checked)}
            />
            <span>all messages</span>
          </label>
        )}
      </div>
      <Transport run={run} player={player} />
    </section>
  );
}

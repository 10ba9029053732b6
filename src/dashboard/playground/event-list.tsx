/**
 * All that happens, line by line: what the diagram shows, for the keyboard and for those who cannot see it. Only the lines in
 * sight are drawn.
 */
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { LoadedRun } from './loaded-run.ts';
import { isSame, rowBefore } from './rows.ts';
import type { Player } from './use-player.tsx';

/** Height of a line, pixels; that of `.event-row` in the style sheet. */
const ROW = 28;
/** Lines beyond the edges that are drawn too. */
const MARGIN = 6;

/** See the top of this file. */
export function EventList({
  run,
  player,
}: {
  readonly run: LoadedRun;
  readonly player: Player;
}): JSX.Element {
  const { rows } = run;
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(260);
  const chosen = rows.findIndex(({ atMs, shows }) => atMs === player.nowMs && isSame(shows, player.selected));
  const here = chosen >= 0 ? chosen : rowBefore(rows, player.nowMs);
  useEffect(() => {
    const element = box.current!;
    const observer = new ResizeObserver(() => setHeight(element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const element = box.current!;
    const above = here * ROW;
    if (above < element.scrollTop) element.scrollTop = above;
    else if (above + ROW > element.scrollTop + element.clientHeight)
      element.scrollTop = above + ROW - element.clientHeight;
  }, [here, rows, height]);
  const go = (place: number): void => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, place))];
    if (row !== undefined) player.ask({ kind: 'seek', atMs: row.atMs, shows: row.shows });
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const page = Math.max(1, Math.floor(height / ROW) - 1);
    const to: Readonly<Record<string, number>> = {
      ArrowDown: here + 1,
      ArrowUp: here - 1,
      PageDown: here + page,
      PageUp: here - page,
      Home: 0,
      End: rows.length - 1,
      Enter: here,
    };
    if (to[event.key] === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    go(to[event.key]!);
  };
  const first = Math.max(0, Math.floor(top / ROW) - MARGIN);
  const last = Math.min(rows.length, Math.ceil((top + height) / ROW) + MARGIN);
  return (
    <section class="event-list" aria-labelledby="event-list-title">
      <h3 id="event-list-title">Events</h3>
      <div
        ref={box}
        class="event-rows"
        role="listbox"
        tabIndex={0}
        aria-labelledby="event-list-title"
        aria-activedescendant={here >= 0 && here >= first && here < last ? `event-${here}` : undefined}
        onKeyDown={onKeyDown}
        onScroll={(event) => setTop(event.currentTarget.scrollTop)}
      >
        <div role="presentation" style={{ height: `${rows.length * ROW}px`, position: 'relative' }}>
          {rows.slice(first, last).map((row, index) => {
            const place = first + index;
            return (
              <div
                key={place}
                id={`event-${place}`}
                role="option"
                aria-selected={place === here}
                aria-setsize={rows.length}
                aria-posinset={place + 1}
                class={`event-row ${row.tone}${row.atMs > player.nowMs ? ' later' : ''}`}
                style={{ top: `${place * ROW}px` }}
                onClick={() => go(place)}
                title={row.text}
              >
                <span aria-hidden="true">
                  <span class="mono">{row.atMs.toFixed(2)}</span>
                  {row.brief}
                </span>
                <span class="visually-hidden">
                  {row.atMs.toFixed(2)} ms: {row.text}
                </span>
              </div>
            );
          })}
        </div>
      </div>
    </section>
  );
}

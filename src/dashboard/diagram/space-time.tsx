/**
 * The space-time diagram: lanes, messages, and what happened, up to a moment. Only what is in sight is drawn, so that long
 * runs scroll. Everything that can be clicked here is also in a list beside it, which the keyboard reaches.
 */
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { purposeOf } from './kinds.ts';
import { layoutOf, SAME_MS } from './layout.ts';
import type { LaidArrow, LaidMark, Layout } from './layout.ts';
import type { Lane, Scene, Selection } from './scene.ts';

export type { Selection } from './scene.ts';

/** How the diagram is shown. */
export interface SpaceTimeProps {
  readonly scene: Scene;
  /** What it shows, for those who cannot see it. */
  readonly label: string;
  /** Only what happened until then is drawn; undefined: everything. */
  readonly nowMs?: number | undefined;
  readonly selected?: Selection | undefined;
  readonly onSelect?: ((selection: Selection) => void) | undefined;
  /** Whether the view keeps to `nowMs`, or to the end. */
  readonly follow?: boolean;
  /** Text of a time at the side; undefined: milliseconds. At most nine characters. */
  readonly timeText?: ((atMs: number) => string) | undefined;
  /** Whether the protocol has a PRE-PREPARE (`kinds.ts`). */
  readonly hasThreePhases?: boolean;
}

/** Pixels beyond the edges that are drawn too. */
const MARGIN = 300;

/** Width and scroll place of an element that scrolls. */
function useViewport(): {
  readonly box: { current: HTMLDivElement | null };
  readonly width: number;
  readonly top: number;
  readonly height: number;
} {
  const box = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: 720, top: 0, height: 600 });
  useEffect(() => {
    const element = box.current!;
    const read = (): void => {
      const { clientWidth: width, clientHeight: height, scrollTop: top } = element;
      setSize((old) =>
        old.width === width && old.top === top && old.height === height ? old : { width, top, height },
      );
    };
    read();
    const observer = new ResizeObserver(read);
    observer.observe(element);
    element.addEventListener('scroll', read, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', read);
    };
  }, []);
  return { box, ...size };
}

function LaneLine(props: {
  readonly lane: Lane;
  readonly x: number;
  readonly layout: Layout;
  readonly untilY: number;
}): JSX.Element {
  const { lane, x, layout, untilY } = props;
  const parts: { from: number; to: number; isDown: boolean }[] = [];
  let from = 0;
  for (const { fromMs, untilMs } of lane.down ?? []) {
    const [begin, end] = [layout.y(fromMs), untilMs === undefined ? layout.height : layout.y(untilMs)];
    parts.push({ from, to: begin, isDown: false }, { from: begin, to: end, isDown: true });
    from = end;
  }
  parts.push({ from, to: layout.height, isDown: false });
  return (
    <g class={lane.isByzantine === true ? 'lane byzantine' : 'lane'}>
      {untilY < layout.height && <line x1={x} x2={x} y1={untilY} y2={layout.height} class="to-come" />}
      {parts
        .filter((part) => part.from < untilY && part.to > part.from)
        .map((part) => (
          <line
            key={part.from}
            x1={x}
            x2={x}
            y1={part.from}
            y2={Math.min(part.to, untilY)}
            class={part.isDown ? 'down' : ''}
          />
        ))}
    </g>
  );
}

/** An arrow as far as it has come by now. */
interface Drawn {
  readonly x: number;
  readonly y: number;
  /** Where it would go on straight from. */
  readonly bowX: number;
  readonly bowY: number;
  readonly isThere: boolean;
}

/** Where an arrow has come to by now: about the height of this moment, so that nothing runs ahead of the lanes. */
function drawnOf({ arrow, x1, y1, x2, y2, bend }: LaidArrow, nowMs: number, nowY: number): Drawn {
  const { arrivedMs } = arrow;
  const [bowX, bowY] = [(x1 + x2) / 2, (y1 + y2) / 2 - 2 * bend];
  if (arrivedMs === undefined || nowMs >= arrivedMs) return { x: x2, y: y2, bowX, bowY, isThere: true };
  const part = Math.min(1, Math.max(0, (nowY - y1) / Math.max(y2 - y1, 1e-9)));
  // The beginning of a quadratic curve is one, too.
  const along = (from: number, to: number): number => from + part * (to - from);
  const [nearX, nearY] = [along(x1, bowX), along(y1, bowY)];
  const [x, y] = [along(nearX, along(bowX, x2)), along(nearY, along(bowY, y2))];
  return { x, y, bowX: nearX, bowY: nearY, isThere: false };
}

function headOf(x1: number, y1: number, x2: number, y2: number): string {
  const length = Math.hypot(x2 - x1, y2 - y1) || 1;
  const [dx, dy] = [(x2 - x1) / length, (y2 - y1) / length];
  const point = (along: number, across: number): string =>
    `${(x2 - along * dx - across * dy).toFixed(1)},${(y2 - along * dy + across * dx).toFixed(1)}`;
  return `${point(1, 0)} ${point(9, 3.5)} ${point(9, -3.5)}`;
}

function ArrowShape(props: {
  readonly laid: LaidArrow;
  readonly nowMs: number;
  /** Height of that moment. */
  readonly nowY: number;
  readonly classes: string;
  readonly onClick: (() => void) | undefined;
}): JSX.Element {
  const { laid, nowMs, nowY, classes, onClick } = props;
  const { arrow, x1, y1 } = laid;
  const { x, y, bowX, bowY, isThere } = drawnOf(laid, nowMs, nowY);
  const path = `M${x1} ${y1}Q${bowX} ${bowY} ${x} ${y}`;
  const isOpen = arrow.arrivedMs === undefined;
  return (
    <g class={classes} onClick={onClick} data-arrow={arrow.id}>
      <path d={path} class="reach" />
      <path d={path} class={isOpen ? 'shaft open' : 'shaft'} />
      {isOpen ? (
        arrow.isLost && (
          <text x={x} y={y + 4} class="cross" text-anchor="middle">
            ×
          </text>
        )
      ) : isThere ? (
        <polygon points={headOf(bowX, bowY, x, y)} />
      ) : (
        <circle cx={x} cy={y} r="4" />
      )}
      {isThere && arrow.isRefused && nowMs >= (arrow.refusedMs ?? 0) && (
        <text x={x + (x > x1 ? -14 : 14)} y={y - 6} class="cross" text-anchor="middle">
          ✗
        </text>
      )}
    </g>
  );
}

/** What stands beside the beginning of an arrow; drawn after all arrows, so that none crosses it out. */
function ArrowWords(props: {
  readonly laid: LaidArrow;
  readonly classes: string;
  readonly onClick: (() => void) | undefined;
}): JSX.Element | null {
  const { label } = props.laid;
  if (label === undefined) return null;
  return (
    <text
      x={label.x}
      y={label.y}
      text-anchor={label.isRight ? 'start' : 'end'}
      class={`words ${props.classes}`}
      onClick={props.onClick}
    >
      {label.text}
    </text>
  );
}

function MarkShape(props: {
  readonly laid: LaidMark;
  readonly layout: Layout;
  readonly isSelected: boolean;
  readonly nowMs: number;
  readonly onClick: (() => void) | undefined;
}): JSX.Element {
  const { laid, layout, isSelected, nowMs, onClick } = props;
  const { mark, x, y, words } = laid;
  const isConflict = mark.isConflict && nowMs >= (mark.conflictFromMs ?? mark.atMs);
  const classes = `mark ${mark.kind}${isConflict ? ' conflict' : ''}${isSelected ? ' selected' : ''}`;
  if (x === undefined)
    return (
      <g class={classes} onClick={onClick} data-mark={mark.id}>
        <line x1={(layout.laneX[0] ?? 0) - 30} x2={layout.width - 4} y1={y} y2={y} />
        <text x={words.x} y={words.y}>
          {mark.label}
        </text>
      </g>
    );
  return (
    <g class={classes} onClick={onClick} data-mark={mark.id}>
      {mark.kind === 'execute' || mark.kind === 'believe' ? (
        <circle cx={x} cy={y} r="5.5" />
      ) : (
        <rect x={x - 4.5} y={y - 4.5} width="9" height="9" />
      )}
      <text x={words.x} y={words.y} text-anchor={words.isRight ? 'start' : 'end'}>
        {mark.label}
      </text>
    </g>
  );
}

/** What lights up: the messages of the quorum of what happens at this very moment, or of what is selected. */
function litArrows(
  { marks, arrows }: Layout,
  nowMs: number,
  selected: Selection | undefined,
): ReadonlySet<number> {
  if (selected?.kind === 'mark')
    return new Set(marks.find(({ mark }) => mark.id === selected.id)?.mark.quorum);
  if (nowMs === Infinity) return new Set();
  const latest = marks.filter(({ mark }) => mark.quorum.length > 0 && mark.atMs <= nowMs).at(-1);
  if (latest === undefined) return new Set();
  const { atMs, quorum } = latest.mark;
  const isOver = (at: number | undefined): boolean => at !== undefined && at > atMs + SAME_MS && at <= nowMs;
  const isPast =
    arrows.some(({ arrow }) => isOver(arrow.sentMs) || isOver(arrow.arrivedMs)) ||
    marks.some(({ mark }) => isOver(mark.atMs));
  return isPast ? new Set() : new Set(quorum);
}

/** More lanes than this do not fit beside each other with their whole names where it is tight. */
const TIGHT_LANES_MAX = 5;

/** `r2` for `replica 2`. */
function shortOf(label: string): string {
  return label.replace(/^(\w)\w* (\d+)$/, '$1$2');
}

/** Below the name of a lane. */
function noteOf({ note, leads = [] }: Lane, nowMs: number, isTight: boolean): string {
  const isLeader = leads.some(({ fromMs, untilMs = Infinity }) => fromMs <= nowMs && nowMs < untilMs);
  if (!isLeader || (isTight && note !== undefined)) return note ?? '';
  return note === undefined ? 'primary' : `${note} primary`;
}

function Heads({
  lanes,
  layout,
  nowMs,
  onSelect,
  selected,
}: {
  readonly lanes: readonly Lane[];
  readonly layout: Layout;
  readonly nowMs: number;
  readonly onSelect: SpaceTimeProps['onSelect'];
  readonly selected: Selection | undefined;
}): JSX.Element {
  const isCrowded = layout.isTight && lanes.length > TIGHT_LANES_MAX;
  return (
    <div class={layout.isTight ? 'lane-heads tight' : 'lane-heads'} style={{ width: `${layout.width}px` }}>
      {lanes.map((lane, index) => {
        const isSelected = selected?.kind === 'lane' && selected.lane === index;
        return (
          <button
            key={lane.label}
            type="button"
            class={`lane-head ${lane.kind}${lane.isByzantine === true ? ' byzantine' : ''}`}
            aria-pressed={isSelected}
            style={{ left: `${layout.laneX[index]}px` }}
            onClick={() => onSelect?.({ kind: 'lane', lane: index })}
          >
            {isCrowded ? <b aria-hidden="true">{shortOf(lane.label)}</b> : <b>{lane.label}</b>}
            {isCrowded && <span class="visually-hidden">{lane.label} </span>}
            <small>{noteOf(lane, nowMs, layout.isTight)}</small>
          </button>
        );
      })}
    </div>
  );
}

/** Times at the side, each once. */
function Ticks(props: {
  readonly layout: Layout;
  readonly nowMs: number;
  /** What is in sight. */
  readonly low: number;
  readonly high: number;
  readonly timeText: (atMs: number) => string;
}): JSX.Element {
  const { layout, nowMs, low, high, timeText } = props;
  const ticks = layout.ticks
    .filter(({ atMs, y }) => atMs <= nowMs && y >= low && y <= high)
    .map(({ atMs, y }) => ({ y, text: timeText(atMs) }));
  return (
    <g>
      {ticks
        .filter(({ text }, index) => text !== ticks[index - 1]?.text)
        .map(({ text, y }) => (
          <text key={y} class="tick" x={layout.laneX[0]! - 44} y={y + 4} text-anchor="end">
            {text}
          </text>
        ))}
    </g>
  );
}

/** See the top of this file. */
export function SpaceTime(props: SpaceTimeProps): JSX.Element {
  const { scene, nowMs = Infinity, selected, onSelect, follow = false, hasThreePhases = false } = props;
  const { box, width, top, height } = useViewport();
  const { timeText = (atMs: number) => `${atMs.toFixed(1)} ms` } = props;
  const layout = useMemo(() => layoutOf(scene, width), [scene, width]);
  const untilY = nowMs === Infinity ? layout.height : layout.y(nowMs) + 14;
  useEffect(() => {
    const element = box.current;
    if (!follow || element === null) return;
    const wanted = Math.max(0, untilY - element.clientHeight * 0.72);
    if (Math.abs(element.scrollTop - wanted) > 24) element.scrollTop = wanted;
  }, [follow, untilY]);
  const [low, high] = [top - MARGIN, top + height + MARGIN];
  const lit = litArrows(layout, nowMs, selected);
  const arrows = layout.arrows.filter(
    ({ arrow, y1, y2 }) => arrow.sentMs <= nowMs && y2 >= low && y1 <= high && y1 <= untilY,
  );
  const marks = layout.marks.filter(({ mark, y }) => mark.atMs <= nowMs && y >= low && y <= high);
  const classesOf = ({ arrow }: LaidArrow): string => {
    const isSelected = selected?.kind === 'arrow' && selected.id === arrow.id;
    return [
      'arrow',
      `p-${purposeOf(arrow.kind, hasThreePhases)}`,
      ...(isSelected ? ['selected'] : []),
      ...(lit.has(arrow.id) ? ['lit'] : []),
      ...(arrow.isRefused && nowMs >= (arrow.refusedMs ?? 0) ? ['refused'] : []),
    ].join(' ');
  };
  return (
    <div class="space-time" ref={box} tabIndex={0} role="region" aria-label={props.label}>
      <Heads lanes={scene.lanes} layout={layout} nowMs={nowMs} onSelect={onSelect} selected={selected} />
      <svg width={layout.width} height={layout.height} role="img" aria-label={props.label}>
        <Ticks layout={layout} nowMs={nowMs} low={low} high={high} timeText={timeText} />
        {scene.lanes.map((lane, index) => (
          <LaneLine key={lane.label} lane={lane} x={layout.laneX[index]!} layout={layout} untilY={untilY} />
        ))}
        {arrows.map((laid) => (
          <ArrowShape
            key={`a${laid.arrow.id}`}
            laid={laid}
            nowMs={nowMs}
            nowY={layout.y(nowMs)}
            classes={classesOf(laid)}
            onClick={() => onSelect?.({ kind: 'arrow', id: laid.arrow.id })}
          />
        ))}
        {arrows.map((laid) => (
          <ArrowWords
            key={`w${laid.arrow.id}`}
            laid={laid}
            classes={classesOf(laid).replace(/^arrow /, '')}
            onClick={() => onSelect?.({ kind: 'arrow', id: laid.arrow.id })}
          />
        ))}
        {marks.map((laid) => (
          <MarkShape
            key={`m${laid.mark.id}`}
            laid={laid}
            layout={layout}
            nowMs={nowMs}
            isSelected={selected?.kind === 'mark' && selected.id === laid.mark.id}
            onClick={() => onSelect?.({ kind: 'mark', id: laid.mark.id })}
          />
        ))}
      </svg>
    </div>
  );
}

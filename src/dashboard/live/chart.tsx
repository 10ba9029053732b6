/** One chart over time, in the colours of the theme. */
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { CHART_SECONDS } from './rates.ts';

/** A line of a chart. */
export interface ChartLine {
  readonly label: string;
  /** Colour token of the theme. */
  readonly color: string;
  readonly isDashed?: boolean;
  readonly values: readonly (number | null)[];
}

interface Props {
  readonly seconds: readonly number[];
  readonly lines: readonly ChartLine[];
  /** What it shows, in a sentence. */
  readonly label: string;
}

const HEIGHT = 190;
/** Seconds of the axis, at least. */
const SECONDS_MIN = 60;

/** Rises with each change of the theme, whoever makes it. */
function useThemeChanges(): number {
  const [changes, setChanges] = useState(0);
  useEffect(() => {
    const changed = (): void => setChanges((number) => number + 1);
    const observer = new MutationObserver(changed);
    observer.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    return () => observer.disconnect();
  }, []);
  return changes;
}

/** Clock time of the axis, the same for whatever the language of the browser is. */
function timeText(seconds: number): string {
  return new Date(seconds * 1_000).toTimeString().slice(0, 8);
}

/** Where the axis of time begins: it grows with what is known, up to the whole window. */
function beginOf(oldest: number, newest: number): number {
  return Math.max(newest - CHART_SECONDS, Math.min(oldest, newest - SECONDS_MIN));
}

function optionsOf(box: HTMLElement, lines: readonly ChartLine[]): uPlot.Options {
  const style = getComputedStyle(box);
  const token = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const axis: uPlot.Axis = {
    stroke: token('muted'),
    font: `11px ${token('sans')}`,
    grid: { stroke: token('line'), width: 1 },
    ticks: { stroke: token('line'), width: 1 },
  };
  return {
    width: Math.max(120, box.clientWidth),
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 7 } },
    scales: {
      x: { time: true, range: (_, oldest, newest) => [beginOf(oldest, newest), newest] },
      y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] },
    },
    axes: [
      { ...axis, space: 80, size: 30, values: (_, splits) => splits.map(timeText) },
      { ...axis, size: 52 },
    ],
    series: [
      {},
      ...lines.map(({ label, color, isDashed = false }): uPlot.Series => {
        const dash = isDashed ? { dash: [5, 4] } : {};
        return { label, stroke: token(color), width: 2, points: { show: false }, ...dash };
      }),
    ],
  };
}

/** See the top of this file. */
export function Chart({ seconds, lines, label }: Props): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const changes = useThemeChanges();
  const data = [seconds, ...lines.map(({ values }) => values)] as unknown as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    const element = box.current!;
    const made = new uPlot(optionsOf(element, lines), latest.current, element);
    plot.current = made;
    const observer = new ResizeObserver(() =>
      made.setSize({ width: Math.max(120, element.clientWidth), height: HEIGHT }),
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [changes]);
  useEffect(() => {
    plot.current?.setData(data);
  }, [seconds]);
  return <div class="chart" ref={box} role="img" aria-label={label} />;
}

/**
 * A space-time diagram as SVG. Replicas are vertical lines, time runs downwards; every moment at which something happens
 * has a row of its own, so that texts never cover each other, and the left margin says when it was.
 */
import type { Arrow, Diagram, Mark } from './diagram.ts';
import type { Trace } from './trace.ts';

const ROW = 18;
const LANE = 210;
const LEFT = 90;
const TOP = 96;

const COLORS: Readonly<Record<string, string>> = {
  PREPARE: '#1f5fbf',
  COMMIT: '#2a8a4a',
  CHECKPOINT: '#8a6d1f',
  'VIEW-CHANGE': '#b3541e',
  'REQUEST-VIEW-CHANGE': '#c98a5a',
  'NEW-VIEW': '#7a3fb0',
  'COMMIT-NEW-VIEW': '#a86fd0',
  RECOVER: '#a0206a',
};

/** See the top of this file. */
export function svgOf(trace: Trace, diagram: Diagram): string {
  const rows = rowsOf(diagram);
  const width = LEFT + trace.replicas * LANE + 40;
  const height = TOP + rows.size * ROW + 60;
  const y = (atMs: number): number => TOP + (rows.get(atMs) ?? 0) * ROW;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="ui-monospace, monospace" font-size="11">`,
    '<style>text{fill:#222}.t{fill:#777}.h{font-size:15px;font-weight:bold}.bad{fill:#c00;font-weight:bold}</style>',
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...headLines(trace, diagram),
    ...laneLines(trace, diagram, y, height),
    ...[...rows].map(
      ([atMs, row]) =>
        `<text class="t" x="${LEFT - 26}" y="${TOP + row * ROW + 4}" text-anchor="end">${atMs.toFixed(2)}</text>`,
    ),
    ...arrowLines(diagram.arrows, y),
    ...diagram.marks.map((mark) => markLine(mark, y, trace.replicas)),
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}

/** The row of each moment. */
function rowsOf({ arrows, marks }: Diagram): Map<number, number> {
  const moments = new Set<number>();
  for (const { sentMs, arrivedMs } of arrows) moments.add(sentMs).add(arrivedMs ?? sentMs);
  for (const { atMs } of marks) moments.add(atMs);
  return new Map([...moments].sort((a, b) => a - b).map((atMs, row) => [atMs, row]));
}

function laneX(replica: number): number {
  return LEFT + replica * LANE + 20;
}

function headLines(trace: Trace, { hidden, fromMs, untilMs }: Diagram): string[] {
  const verdict =
    trace.violations.length === 0
      ? '<text x="10" y="42">no violation</text>'
      : `<text class="bad" x="10" y="42">${escape(`${trace.violations[0]!.judge}: ${trace.violations[0]!.text}`)}</text>`;
  const shown = `${fromMs.toFixed(1)} to ${untilMs.toFixed(1)} ms${hidden > 0 ? `; ${hidden} messages of the run are not shown` : ''}`;
  return [
    `<text class="h" x="10" y="22">${escape(trace.name)}</text>`,
    verdict,
    `<text class="t" x="10" y="58">${shown}; a message is KIND nSEQUENCE vVIEW [author:certified counter]; times in milliseconds</text>`,
  ];
}

/** The line of each replica; dotted while it is down. */
function laneLines(trace: Trace, diagram: Diagram, y: (atMs: number) => number, height: number): string[] {
  const lines: string[] = [];
  for (let replica = 0; replica < trace.replicas; replica += 1) {
    const x = laneX(replica);
    const isByzantine = trace.byzantine.includes(replica);
    const color = isByzantine ? '#c00' : '#444';
    lines.push(
      `<text x="${x}" y="${TOP - 16}" text-anchor="middle" style="fill:${color};font-weight:bold">replica ${replica}${isByzantine ? ' (Byzantine)' : ''}</text>`,
    );
    let from = TOP - 8;
    let up = true;
    const segment = (to: number): void => {
      const dash = up ? '' : ' stroke-dasharray="2 5"';
      if (to > from)
        lines.push(`<line x1="${x}" y1="${from}" x2="${x}" y2="${to}" stroke="${color}"${dash}/>`);
      from = to;
    };
    for (const { kind, atMs, replica: target } of diagram.marks) {
      if ((kind !== 'down' && kind !== 'up') || (target !== undefined && target !== replica)) continue;
      segment(y(atMs));
      up = kind === 'up';
    }
    segment(height - 30);
  }
  return lines;
}

/** Arrows; the first of several that leave one replica at one moment with one text has the text. */
function arrowLines(arrows: readonly Arrow[], y: (atMs: number) => number): string[] {
  const said = new Map<string, number>();
  return arrows.map(({ from, to, sentMs, arrivedMs, label, message }) => {
    const color = COLORS[message] ?? '#888';
    const [x1, y1] = [laneX(from), y(sentMs)];
    const right = to > from;
    const place = `${from}/${sentMs}/${right}`;
    const texts = said.get(`${place}/${label}`) === undefined ? [label] : [];
    const line = said.get(place) ?? 0;
    if (texts.length > 0) said.set(place, line + 1).set(`${place}/${label}`, 1);
    const text = texts.map(
      (one) =>
        `<text x="${right ? x1 + 8 : x1 - 8}" y="${y1 - 3 - line * 10}" text-anchor="${right ? 'start' : 'end'}" style="fill:${color}">${escape(one)}</text>`,
    );
    if (arrivedMs === undefined) {
      const x2 = x1 + (right ? 34 : -34);
      return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y1 + 6}" stroke="${color}" stroke-dasharray="3 3"/><text x="${x2}" y="${y1 + 10}" text-anchor="middle" style="fill:#c00">×</text>${text.join('')}`;
    }
    const [x2, y2] = [laneX(to), y(arrivedMs)];
    return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${color}" stroke-opacity="0.75"/>${headOf(x1, y1, x2, y2, color)}${text.join('')}`;
  });
}

/** The head of an arrow. */
function headOf(x1: number, y1: number, x2: number, y2: number, color: string): string {
  const length = Math.hypot(x2 - x1, y2 - y1) || 1;
  const [dx, dy] = [(x2 - x1) / length, (y2 - y1) / length];
  const point = (along: number, across: number): string =>
    `${(x2 - along * dx - across * dy).toFixed(1)},${(y2 - along * dy + across * dx).toFixed(1)}`;
  return `<polygon points="${point(0, 0)} ${point(8, 3)} ${point(8, -3)}" fill="${color}"/>`;
}

function markLine(
  { kind, atMs, replica, label, conflict }: Mark,
  y: (atMs: number) => number,
  replicas: number,
): string {
  const row = y(atMs);
  if (replica === undefined)
    return `<line x1="${LEFT - 20}" y1="${row}" x2="${laneX(replicas - 1) + 20}" y2="${row}" stroke="#c60" stroke-dasharray="6 4"/><text x="${LEFT - 16}" y="${row - 3}" style="fill:#c60">${escape(label)}</text>`;
  const x = laneX(replica);
  const color = conflict ? '#c00' : kind === 'execute' ? '#222' : '#c60';
  const text = `<text x="${x + 9}" y="${row + 13}" style="fill:${color}${conflict ? ';font-weight:bold' : ''}">${escape(kind === 'execute' ? `executes ${label}` : label)}</text>`;
  const shape =
    kind === 'execute'
      ? `<circle cx="${x}" cy="${row}" r="5" fill="${color}"/>`
      : `<rect x="${x - 4}" y="${row - 4}" width="8" height="8" fill="${color}"/>`;
  return shape + text;
}

function escape(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

/**
 * A space-time diagram as SVG. Replicas are vertical lines, time runs downwards; every moment at which something happens
 * has a row of its own, so that texts never cover each other, and the left margin says when it was.
 */
import type { Belief, Diagram, Mark } from './diagram.ts';
import type { Trace } from './trace.ts';

const ROW = 18;
const LANE = 210;
const CLIENT_LANE = 150;
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
  REQUEST: '#555',
  REPLY: '#555',
};

/** A line between two places, with the text at its beginning. */
interface Line {
  readonly x1: number;
  readonly x2: number;
  readonly sentMs: number;
  readonly arrivedMs: number | undefined;
  readonly label: string;
  readonly message: string;
}

/** See the top of this file. Clients stand left of the replicas. */
export function svgOf(trace: Trace, diagram: Diagram): string {
  const rows = rowsOf(diagram);
  const { clients, replicas } = trace;
  const width = LEFT + clients * CLIENT_LANE + replicas * LANE + 40;
  const height = TOP + rows.size * ROW + 60;
  const y = (atMs: number): number => TOP + (rows.get(atMs) ?? 0) * ROW;
  const laneX: LaneX = (replica) => LEFT + clients * CLIENT_LANE + replica * LANE + 20;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="ui-monospace, monospace" font-size="11">`,
    '<style>text{fill:#222}.t{fill:#777}.h{font-size:15px;font-weight:bold}.bad{fill:#c00;font-weight:bold}</style>',
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...headLines(trace, diagram),
    ...clientLanes(trace, height),
    ...laneLines(trace, diagram, laneX, y, height),
    ...[...rows].map(
      ([atMs, row]) =>
        `<text class="t" x="${LEFT - 26}" y="${TOP + row * ROW + 4}" text-anchor="end">${atMs.toFixed(2)}</text>`,
    ),
    ...arrowLines(linesOf(diagram, laneX), y),
    ...diagram.beliefs.map((belief) => beliefLine(belief, y)),
    ...diagram.marks.map((mark) => markLine(mark, laneX, y, replicas)),
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}

/** Where the line of a replica is. */
type LaneX = (replica: number) => number;

function clientX(client: number): number {
  return LEFT + client * CLIENT_LANE + 20;
}

function linesOf({ arrows, exchanges }: Diagram, laneX: LaneX): Line[] {
  const lines = arrows.map(({ from, to, ...rest }): Line => ({ ...rest, x1: laneX(from), x2: laneX(to) }));
  for (const { client, replica, isAsked, ...rest } of exchanges) {
    const [mine, theirs] = [clientX(client), laneX(replica)];
    lines.push({ ...rest, x1: isAsked ? mine : theirs, x2: isAsked ? theirs : mine });
  }
  return lines;
}

/** The row of each moment. */
function rowsOf({ arrows, marks, exchanges, beliefs }: Diagram): Map<number, number> {
  const moments = new Set<number>();
  for (const { sentMs, arrivedMs } of [...arrows, ...exchanges]) moments.add(sentMs).add(arrivedMs ?? sentMs);
  for (const { atMs } of [...marks, ...beliefs]) moments.add(atMs);
  return new Map([...moments].sort((a, b) => a - b).map((atMs, row) => [atMs, row]));
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

function clientLanes({ clients, byzantineClients }: Trace, height: number): string[] {
  return Array.from({ length: clients }, (_, client) => {
    const x = clientX(client);
    const isByzantine = client >= clients - byzantineClients;
    const color = isByzantine ? '#c00' : '#999';
    return (
      `<text x="${x}" y="${TOP - 16}" text-anchor="middle" style="fill:${color};font-weight:bold">client ${client}${isByzantine ? ' (Byzantine)' : ''}</text>` +
      `<line x1="${x}" y1="${TOP - 8}" x2="${x}" y2="${height - 30}" stroke="${color}"/>`
    );
  });
}

/** The line of each replica; dotted while it is down. */
function laneLines(
  trace: Trace,
  diagram: Diagram,
  laneX: LaneX,
  y: (atMs: number) => number,
  height: number,
): string[] {
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
function arrowLines(lines: readonly Line[], y: (atMs: number) => number): string[] {
  const said = new Map<string, number>();
  return lines.map(({ x1, x2: end, sentMs, arrivedMs, label, message }) => {
    const color = COLORS[message] ?? '#888';
    const y1 = y(sentMs);
    const right = end > x1;
    const place = `${x1}/${sentMs}/${right}`;
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
    const [x2, y2] = [end, y(arrivedMs)];
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

function beliefLine({ client, atMs, label }: Belief, y: (atMs: number) => number): string {
  const [x, row] = [clientX(client), y(atMs)];
  return `<circle cx="${x}" cy="${row}" r="4" fill="#2a8a4a"/><text x="${x + 9}" y="${row + 13}" style="fill:#2a8a4a">believes ${escape(label)}</text>`;
}

function markLine(
  { kind, atMs, replica, label, conflict }: Mark,
  laneX: LaneX,
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

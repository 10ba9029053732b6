/**
 * A trace for the terminal: one line for each delivery, and one for what happened at a replica. Clients have no lanes: what they
 * ask and are answered stands at the replica that it goes to or comes from.
 */
import type { Diagram } from './diagram.ts';
import type { Trace } from './trace.ts';

/** Characters from one replica's line to the next. */
const STEP = 6;

/** See the top of this file. */
export function chartLines(trace: Trace, diagram: Diagram): string[] {
  const { replicas, byzantine } = trace;
  const rows: { readonly atMs: number; readonly text: string }[] = [];
  for (const { from, to, sentMs, arrivedMs, label } of diagram.arrows) {
    if (arrivedMs === undefined)
      rows.push({ atMs: sentMs, text: `${lost(replicas, from, to)}  ${label}, never arrives` });
    else rows.push({ atMs: arrivedMs, text: `${arrow(replicas, from, to)}  ${label}` });
  }
  for (const { kind, atMs, replica, label, conflict } of diagram.marks) {
    const lanes = replica === undefined ? lanesOf(replicas) : at(replicas, replica, conflict ? '✖' : '●');
    const who = replica === undefined ? '' : `${replica} `;
    const what = kind === 'execute' ? `executes ${label}` : label;
    rows.push({ atMs, text: `${lanes}  ${who}${what}${conflict ? ', not what others executed' : ''}` });
  }
  for (const { client, replica, isAsked, sentMs, arrivedMs, label } of diagram.exchanges) {
    const lanes = at(replicas, replica, arrivedMs === undefined ? '×' : isAsked ? '◇' : '◆');
    const way = isAsked ? `${label} from client ${client}` : `${label} to client ${client}`;
    const end = arrivedMs === undefined ? ', never arrives' : '';
    // A request is seen where it arrives, an answer where it leaves.
    rows.push({ atMs: isAsked ? (arrivedMs ?? sentMs) : sentMs, text: `${lanes}  ${replica} ${way}${end}` });
  }
  for (const { client, atMs, label } of diagram.beliefs)
    rows.push({ atMs, text: `${lanesOf(replicas)}  client ${client} believes ${label}` });
  const order = rows.map((row, index) => ({ ...row, index }));
  order.sort((a, b) => a.atMs - b.atMs || a.index - b.index);
  const head = Array.from({ length: replicas }, (_, id) =>
    `${id}${byzantine.includes(id) ? '!' : ''}`.padEnd(STEP),
  ).join('');
  return [
    `${' '.repeat(12)}${head.trimEnd()}${byzantine.length > 0 ? '      (! is Byzantine)' : ''}`,
    ...order.map(({ atMs, text }) => `${atMs.toFixed(2).padStart(9)}   ${text}`),
    ...trace.violations.map(({ atMs, judge, text }) => `${atMs.toFixed(2).padStart(9)}   ${judge}: ${text}`),
  ];
}

function lanesOf(replicas: number): string {
  return Array.from({ length: replicas }, () => '│').join(' '.repeat(STEP - 1));
}

function at(replicas: number, replica: number, sign: string): string {
  const lanes = [...lanesOf(replicas)];
  lanes[replica * STEP] = sign;
  return lanes.join('');
}

function arrow(replicas: number, from: number, to: number): string {
  const lanes = [...lanesOf(replicas)];
  const [low, high] = [Math.min(from, to) * STEP, Math.max(from, to) * STEP];
  for (let place = low + 1; place < high; place += 1) lanes[place] = lanes[place] === '│' ? '┼' : '─';
  lanes[from * STEP] = '○';
  lanes[to * STEP + (to > from ? -1 : 1)] = to > from ? '▶' : '◀';
  return lanes.join('');
}

function lost(replicas: number, from: number, to: number): string {
  const lanes = [...lanesOf(replicas)];
  const toward = to > from ? 1 : -1;
  lanes[from * STEP] = '○';
  lanes[from * STEP + toward] = '─';
  lanes[from * STEP + 2 * toward] = '×';
  return lanes.join('');
}

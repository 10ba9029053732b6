/** A scene as a list of lines, for those who read it or go through it with the keyboard. */
import type { Arrow, Mark, Scene, Selection } from '../diagram/scene.ts';

/** One line. */
export interface Row {
  readonly atMs: number;
  /** The same in few characters: 0 and c0 for replica and client 0. */
  readonly brief: string;
  readonly text: string;
  readonly shows: Selection;
  /** `bad`: refused, lost, or two correct replicas differ. */
  readonly tone: 'plain' | 'mark' | 'bad';
}

const nameOf = (scene: Scene, lane: number): string => {
  const { label, kind } = scene.lanes[lane] ?? { label: '?', kind: 'replica' };
  return label.toLowerCase().startsWith(kind) ? label : `${kind} ${label}`;
};

const briefOf = (scene: Scene, lane: number): string => {
  const { label, kind } = scene.lanes[lane] ?? { label: '?', kind: 'replica' };
  const number = label.split(' ').at(-1)!;
  return kind === 'client' ? `c${number}` : number;
};

function rowsOfArrow(scene: Scene, arrow: Arrow): Row[] {
  const { id, from, to, sentMs, arrivedMs, label, isLost } = arrow;
  // What is refused later arrives like anything else.
  const isRefused = arrow.isRefused && arrow.refusedMs === undefined;
  const shows: Selection = { kind: 'arrow', id };
  const [sender, receiver] = [nameOf(scene, from), nameOf(scene, to)];
  const sent = `${sender} sends ${label} to ${receiver}`;
  const way = `${briefOf(scene, from)}→${briefOf(scene, to)}`;
  if (arrivedMs === undefined)
    return [
      {
        atMs: sentMs,
        brief: `${way} ${label}${isLost ? ', lost' : ''}`,
        text: isLost ? `${sent}: never arrives` : sent,
        shows,
        tone: isLost ? 'bad' : 'plain',
      },
    ];
  const reached = `${label} from ${sender} reaches ${receiver}`;
  return [
    { atMs: sentMs, brief: `${way} ${label}`, text: sent, shows, tone: 'plain' },
    {
      atMs: arrivedMs,
      brief: `${way} ${isRefused ? 'refused' : 'arrives'}: ${label}`,
      text: isRefused ? `${reached}, which refuses it` : reached,
      shows,
      tone: isRefused ? 'bad' : 'plain',
    },
  ];
}

function rowOfMark(scene: Scene, { id, lane, atMs, kind, label, isConflict }: Mark): Row {
  const who = lane === undefined ? '' : `${nameOf(scene, lane)}: `;
  const what = kind === 'execute' ? `executes ${label}` : kind === 'believe' ? `believes ${label}` : label;
  const isBad = isConflict || kind === 'proven' || kind === 'down';
  return {
    atMs,
    brief: `${lane === undefined ? '' : `${briefOf(scene, lane)} `}${what}`,
    text: `${who}${what}${isConflict ? ', not what others executed' : ''}`,
    shows: { kind: 'mark', id },
    tone: isBad ? 'bad' : 'mark',
  };
}

/** At one moment first what arrives, then what it leads to, then what is sent. */
function rankOf({ shows, atMs }: Row, sentMs: ReadonlyMap<number, number>): number {
  if (shows.kind !== 'arrow') return 1;
  return sentMs.get(shows.id) === atMs ? 2 : 0;
}

/** All lines of a scene in order of time. */
export function rowsOf(scene: Scene): readonly Row[] {
  const sentMs = new Map(scene.arrows.map((arrow) => [arrow.id, arrow.sentMs]));
  const rows = [
    ...scene.arrows.flatMap((arrow) => rowsOfArrow(scene, arrow)),
    ...scene.marks.map((mark) => rowOfMark(scene, mark)),
  ];
  const order = rows.map((row, index) => ({ row, index, rank: rankOf(row, sentMs) }));
  order.sort((a, b) => a.row.atMs - b.row.atMs || a.rank - b.rank || a.index - b.index);
  return order.map(({ row }) => row);
}

/** Place of the last line that is not after a moment; -1 before the first one. */
export function rowBefore(rows: readonly Row[], atMs: number): number {
  let low = -1;
  let high = rows.length;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (rows[middle]!.atMs <= atMs) low = middle;
    else high = middle;
  }
  return low;
}

/** Whether two selections are of the same thing. */
export function isSame(a: Selection | undefined, b: Selection | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.kind === 'lane' || b.kind === 'lane')
    return a.kind === 'lane' && b.kind === 'lane' && a.lane === b.lane;
  return a.kind === b.kind && a.id === b.id;
}

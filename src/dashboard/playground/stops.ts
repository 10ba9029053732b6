/**
 * Where a player of a scene stops: each moment at which something in it happens. Between two stops time passes as the
 * diagram shows it: what is close together is spread, what takes long is squeezed.
 */
import type { Scene, Selection } from '../diagram/scene.ts';

/** A moment of a scene. */
export interface Stop {
  readonly atMs: number;
  /** What happens there, if more than one thing the most telling one. */
  readonly shows: Selection;
  /** How far from the beginning it is for a player, in units of which it does the same number every second. */
  readonly way: number;
}

/** Way between two stops: so much for each millisecond, within these bounds. */
const WAY_PER_MS = 16;
const WAY_MIN = 13;
const WAY_MAX = 46;

interface Happening {
  readonly atMs: number;
  readonly shows: Selection;
  /** Of several at one moment the lowest counts. */
  readonly rank: number;
}

function happeningsOf({ arrows, marks }: Scene): Happening[] {
  const found: Happening[] = marks.map(({ id, atMs }) => ({ atMs, shows: { kind: 'mark', id }, rank: 0 }));
  for (const { id, sentMs, arrivedMs } of arrows) {
    if (arrivedMs !== undefined) found.push({ atMs: arrivedMs, shows: { kind: 'arrow', id }, rank: 1 });
    found.push({ atMs: sentMs, shows: { kind: 'arrow', id }, rank: 2 });
  }
  return found.sort((a, b) => a.atMs - b.atMs || a.rank - b.rank);
}

/** All stops of a scene, in order of time, no two at one moment. */
export function stopsOf(scene: Scene): readonly Stop[] {
  const stops: Stop[] = [];
  for (const { atMs, shows } of happeningsOf(scene)) {
    const last = stops.at(-1);
    if (last === undefined) stops.push({ atMs, shows, way: 0 });
    else if (atMs > last.atMs) {
      const step = Math.min(WAY_MAX, Math.max(WAY_MIN, (atMs - last.atMs) * WAY_PER_MS));
      stops.push({ atMs, shows, way: last.way + step });
    }
  }
  return stops;
}

/** Place of the last stop that is not after a moment; -1 before the first one. */
export function stopBefore(stops: readonly Stop[], atMs: number): number {
  let low = -1;
  let high = stops.length;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (stops[middle]!.atMs <= atMs) low = middle;
    else high = middle;
  }
  return low;
}

/** The moment of the next stop, or of the one before; undefined at the end, or at the beginning. */
export function neighbour(stops: readonly Stop[], atMs: number, direction: 1 | -1): number | undefined {
  const here = stopBefore(stops, atMs);
  const isAtStop = stops[here]?.atMs === atMs;
  return stops[direction === 1 ? here + 1 : isAtStop ? here - 1 : here]?.atMs;
}

/** The way from the beginning to a moment. */
export function wayTo(stops: readonly Stop[], atMs: number): number {
  const here = stopBefore(stops, atMs);
  const [from, to] = [stops[here], stops[here + 1]];
  if (from === undefined) return 0;
  if (to === undefined) return from.way;
  return from.way + ((atMs - from.atMs) / (to.atMs - from.atMs)) * (to.way - from.way);
}

/** The moment after a way from the beginning. */
export function momentAt(stops: readonly Stop[], way: number): number {
  const next = stops.findIndex((stop) => stop.way > way);
  if (stops.length === 0) return 0;
  if (next < 0) return stops.at(-1)!.atMs;
  const [from, to] = [stops[next - 1], stops[next]!];
  if (from === undefined) return to.atMs;
  return from.atMs + ((way - from.way) / (to.way - from.way)) * (to.atMs - from.atMs);
}

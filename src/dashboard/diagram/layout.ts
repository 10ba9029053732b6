/**
 * Where everything of a scene is drawn. Time runs downward, but not evenly: what happens in a burst is spread until it
 * can be read, and what takes long is squeezed. Arrows that start at one place share their labels, and no words stand on
 * others where there is any room beside them.
 */
import { Boxes, boxOf, widthOf } from './boxes.ts';
import type { Arrow, Mark, Scene } from './scene.ts';

/** Pixels between two moments, at least and at most; in between as many as milliseconds times `PER_MS`. */
const GAP_MIN = 18;
const GAP_MAX = 60;
/** So much more between moments where there are few of them. */
const ROOMY = 1.6;
const ROOMY_BELOW = 160;
const PER_MS = 22;
/** Moments that are closer than this are one. */
export const SAME_MS = 0.0005;
/** Lanes are at least so far apart; where there is more room they use it up to the second figure. */
const LANE_MIN = 78;
const LANE_MAX = 330;
/** From here on labels are written out. */
const LONG_LABELS_FROM = 100;
/** Height of a strip in which dots are looked for, and how far an arrow goes around them. */
const DOT = 6;
const BEND = 26;
/** Where the label of an arrow may stand, from the beginning of the arrow: the first free place counts. */
const LABEL_PLACES: readonly number[] = [-3, -14, 10, -25, 21, 32];
/** Between a lane and words beside it. */
const LABEL_GAP = 7;
const MARK_GAP = 10;
/** Of the first line of the words of a mark, and of each further one. */
const MARK_DOWN = 12;
const MARK_LINE = 12;
/** Space for times, left of the lanes; without it where there is little room. */
const GUTTER = 62;
const SIDE = 44;
/** Below this there are no times at the side, short labels, and lanes closer to each other. */
const NARROW = 520;
const LANE_MIN_NARROW = 58;
const SIDE_NARROW = 34;
const TOP = 14;
const BOTTOM = 60;

/** An arrow with its ends. */
export interface LaidArrow {
  readonly arrow: Arrow;
  readonly x1: number;
  readonly y1: number;
  readonly x2: number;
  readonly y2: number;
  /** By how many pixels its middle is above the straight line, or below if negative: around what lies on that line. */
  readonly bend: number;
  /** Undefined: another arrow from the same place has it. */
  readonly label:
    { readonly text: string; readonly x: number; readonly y: number; readonly isRight: boolean } | undefined;
}

/** A mark with its place; `x` undefined: across all lanes. */
export interface LaidMark {
  readonly mark: Mark;
  readonly x: number | undefined;
  readonly y: number;
  /** Of its words; `isRight`: they begin there, else they end there. */
  readonly words: { readonly x: number; readonly y: number; readonly isRight: boolean };
}

/** See the top of this file. */
export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly laneX: readonly number[];
  /** Names of lanes have to be small. */
  readonly isTight: boolean;
  readonly arrows: readonly LaidArrow[];
  readonly marks: readonly LaidMark[];
  /** Times to be written at the side. */
  readonly ticks: readonly { readonly y: number; readonly atMs: number }[];
  /** Height of any moment. */
  y(atMs: number): number;
}

/** The moments of a scene, ascending, each once. */
function momentsOf({ arrows, marks, lanes }: Scene): number[] {
  const all: number[] = [];
  for (const { sentMs, arrivedMs } of arrows) {
    all.push(sentMs);
    if (arrivedMs !== undefined) all.push(arrivedMs);
  }
  for (const { atMs } of marks) all.push(atMs);
  for (const { down = [] } of lanes)
    for (const { fromMs, untilMs } of down) all.push(fromMs, ...(untilMs === undefined ? [] : [untilMs]));
  all.sort((a, b) => a - b);
  return all.filter((moment, index) => index === 0 || moment - all[index - 1]! > SAME_MS);
}

/** Heights of moments: what lies between two of them is interpolated. */
function scaleOf(moments: readonly number[]): {
  readonly heights: readonly number[];
  y(atMs: number): number;
} {
  const heights: number[] = [];
  let height = TOP;
  const room = moments.length < ROOMY_BELOW ? ROOMY : 1;
  for (const [index, moment] of moments.entries()) {
    if (index > 0)
      height += room * Math.min(GAP_MAX, Math.max(GAP_MIN, (moment - moments[index - 1]!) * PER_MS));
    heights.push(height);
  }
  const y = (atMs: number): number => {
    if (moments.length === 0 || atMs <= moments[0]!) return TOP;
    let low = 0;
    let high = moments.length - 1;
    if (atMs >= moments[high]!) return heights[high]!;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (moments[middle]! <= atMs) low = middle;
      else high = middle;
    }
    const part = (atMs - moments[low]!) / (moments[high]! - moments[low]!);
    return heights[low]! + part * (heights[high]! - heights[low]!);
  };
  return { heights, y };
}

/** Dots of lanes and ends of arrows, which other arrows must not seem to begin or end at. */
class Dots {
  readonly #places = new Set<string>();

  add(lane: number, y: number): void {
    this.#places.add(`${lane}/${Math.round(y / DOT)}`);
  }

  isNear(lane: number, y: number): boolean {
    const at = Math.round(y / DOT);
    return [at - 1, at, at + 1].some((place) => this.#places.has(`${lane}/${place}`));
  }
}

/** How an arrow passes the lanes between its ends: straight, or in a bow where it would run through a dot. */
function bendOf({ from, to }: Arrow, y1: number, y2: number, dots: Dots): number {
  const lanes = Math.abs(to - from);
  for (let passed = 1; passed < lanes; passed += 1) {
    const lane = from + Math.sign(to - from) * passed;
    if (dots.isNear(lane, y1 + (passed / lanes) * (y2 - y1))) return BEND;
  }
  return 0;
}

/** Places the labels: each text once for each place where arrows begin, off the words that are there already. */
class Labels {
  readonly #said = new Set<string>();
  readonly #isLong: boolean;
  readonly #boxes: Boxes;

  constructor(isLong: boolean, boxes: Boxes) {
    this.#isLong = isLong;
    this.#boxes = boxes;
  }

  of(arrow: Arrow, from: number, y: number, isRight: boolean): LaidArrow['label'] {
    const place = `${arrow.from}/${y}`;
    const text = this.#isLong ? arrow.label : arrow.shortLabel;
    if (this.#said.has(`${place}/${text}`)) return undefined;
    this.#said.add(`${place}/${text}`);
    const x = from + (isRight ? LABEL_GAP : -LABEL_GAP);
    const down =
      LABEL_PLACES.find((one) => this.#boxes.isFree(boxOf(text, x, y + one, isRight))) ?? LABEL_PLACES[0]!;
    this.#boxes.add(boxOf(text, x, y + down, isRight));
    return { text, x, y: y + down, isRight };
  }
}

/** Places the marks and their words: below each other if they are of one place, on the side where there is room. */
function marksOf(
  { marks }: Scene,
  laneX: readonly number[],
  width: number,
  y: (atMs: number) => number,
  boxes: Boxes,
): LaidMark[] {
  const lines = new Map<string, number>();
  const sides = new Map<string, boolean>();
  return marks.map((mark): LaidMark => {
    const at = y(mark.atMs);
    const x = mark.lane === undefined ? undefined : (laneX[mark.lane] ?? 0);
    if (x === undefined) {
      const words = { x: (laneX[0] ?? 0) + 8, y: at - 4, isRight: true };
      boxes.add(boxOf(mark.label, words.x, words.y, true));
      return { mark, x, y: at, words };
    }
    const place = `${mark.lane}/${at}`;
    const line = lines.get(place) ?? 0;
    lines.set(place, line + 1);
    const long = widthOf(mark.label) + MARK_GAP;
    const isRight = sides.get(place) ?? (x + long <= width || x - long < 0);
    sides.set(place, isRight);
    // What fits on neither side begins as far left as it must.
    const right = Math.max(2, Math.min(x + MARK_GAP, width - widthOf(mark.label)));
    const words = { x: isRight ? right : x - MARK_GAP, y: at + MARK_DOWN + line * MARK_LINE, isRight };
    boxes.add(boxOf(mark.label, words.x, words.y, isRight));
    return { mark, x, y: at, words };
  });
}

/** See the top of this file. `width`: pixels that there are; more are taken if the lanes need them. */
export function layoutOf(scene: Scene, width: number): Layout {
  const count = scene.lanes.length;
  const isNarrow = width < NARROW;
  const gutter = isNarrow ? 8 : GUTTER;
  const [side, laneMin] = isNarrow ? [SIDE_NARROW, LANE_MIN_NARROW] : [SIDE, LANE_MIN];
  const room = (width - gutter - 2 * side) / Math.max(1, count - 1);
  const step = Math.min(LANE_MAX, Math.max(laneMin, room));
  const laneX = scene.lanes.map((_, index) => gutter + side + index * step);
  const moments = momentsOf(scene);
  const { y, heights } = scaleOf(moments);
  const taken = gutter + 2 * side + Math.max(0, count - 1) * step;
  const boxes = new Boxes();
  const marks = marksOf(scene, laneX, taken, y, boxes);
  const dots = new Dots();
  for (const { mark, y: at } of marks) if (mark.lane !== undefined) dots.add(mark.lane, at);
  for (const { to, arrivedMs } of scene.arrows) if (arrivedMs !== undefined) dots.add(to, y(arrivedMs));
  const labels = new Labels(step >= LONG_LABELS_FROM && !isNarrow, boxes);
  const arrows = scene.arrows.map((arrow): LaidArrow => {
    const [x1, y1] = [laneX[arrow.from] ?? 0, y(arrow.sentMs)];
    const isRight = arrow.to > arrow.from;
    const isOpen = arrow.arrivedMs === undefined;
    // What never arrives ends a little way off.
    const x2 = isOpen ? x1 + (isRight ? 0.3 : -0.3) * step : (laneX[arrow.to] ?? 0);
    const y2 = arrow.arrivedMs === undefined ? y1 + 8 : y(arrow.arrivedMs);
    const bend = isOpen ? 0 : bendOf(arrow, y1, y2, dots);
    return { arrow, x1, y1, x2, y2, bend, label: labels.of(arrow, x1, y1, isRight) };
  });
  const ticks = moments.map((atMs, index) => ({ atMs, y: heights[index]! }));
  const height = (heights.at(-1) ?? TOP) + BOTTOM;
  return {
    width: taken,
    height,
    laneX,
    isTight: isNarrow || step < LANE_MIN,
    arrows,
    marks,
    ticks: isNarrow ? [] : thinned(ticks),
    y,
  };
}

/** Times at the side, far enough apart to be read. */
function thinned(ticks: Layout['ticks']): Layout['ticks'] {
  let last = -Infinity;
  return ticks.filter(({ y }) => {
    if (y - last < 26) return false;
    last = y;
    return true;
  });
}

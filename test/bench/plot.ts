/** Plots as SVG text, drawn by hand: lines over linear or logarithmic axes, and bars. The same input gives the same bytes. */

/** One line of a plot. */
export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** An axis. Ticks are chosen by the plot unless given. */
export interface Axis {
  readonly label: string;
  readonly scale: 'linear' | 'log';
  /** Text of each tick, where numbers alone would say little. */
  readonly ticks?: readonly (readonly [value: number, text: string])[];
}

/** What is drawn. */
export interface LinePlot {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly lines: readonly Line[];
  /** Vertical marks. */
  readonly marks?: readonly (readonly [x: number, text: string])[];
}

/** Bars of one group each. */
export interface BarPlot {
  readonly title: string;
  readonly label: string;
  readonly bars: readonly (readonly [name: string, value: number])[];
}

const WIDTH = 720;
const HEIGHT = 400;
const LEFT = 76;
const RIGHT = 150;
const TOP = 40;
const BOTTOM = 56;
const INNER_WIDTH = WIDTH - LEFT - RIGHT;
const INNER_HEIGHT = HEIGHT - TOP - BOTTOM;
/** Told apart also by people who do not see all colours. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#000000'];
const BAR_HEIGHT = 22;
const BAR_LEFT = 130;
const TICKS = 6;

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function fixed(value: number): string {
  return String(Number(value.toFixed(1)));
}

/** `1,200`, `0.25`. */
export function numberText(value: number): string {
  if (value === 0) return '0';
  if (Math.abs(value) < 10) return String(Number(value.toPrecision(2)));
  return Math.round(value).toLocaleString('en-US');
}

type Anchor = 'start' | 'middle' | 'end';

function text(x: number, y: number, words: string, anchor: Anchor = 'start', more = ''): string {
  return `<text x="${fixed(x)}" y="${fixed(y)}" text-anchor="${anchor}"${more}>${escaped(words)}</text>`;
}

function frame(height: number, title: string, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12" fill="#222222">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text(WIDTH / 2, 22, title, 'middle', ' font-size="15" font-weight="bold"'),
    ...parts,
    '</svg>\n',
  ].join('\n');
}

/** From values to places, 0 to 1, and the values that are marked. */
class Scale {
  readonly ticks: readonly (readonly [number, string])[];
  readonly #low: number;
  readonly #high: number;
  readonly #isLog: boolean;

  constructor(axis: Axis, values: readonly number[]) {
    this.#isLog = axis.scale === 'log';
    const usable = this.#isLog ? values.filter((value) => value > 0) : values;
    const most = usable.length === 0 ? 1 : Math.max(...usable);
    const least = usable.length === 0 ? 1 : Math.min(...usable);
    if (this.#isLog) {
      this.#low = Math.floor(Math.log10(least) + 1e-9);
      this.#high = Math.max(this.#low + 1, Math.ceil(Math.log10(most) - 1e-9));
    } else {
      const step = niceStep(Math.max(most, 0) - Math.min(least, 0));
      this.#low = Math.floor(Math.min(least, 0) / step) * step;
      this.#high = Math.max(step, Math.ceil(most / step - 1e-9) * step);
    }
    this.ticks = axis.ticks ?? this.#ownTicks();
  }

  #ownTicks(): readonly (readonly [number, string])[] {
    const ticks: number[] = [];
    if (this.#isLog) for (let power = this.#low; power <= this.#high; power += 1) ticks.push(10 ** power);
    else {
      const step = niceStep(this.#high - this.#low);
      for (let tick = this.#low; tick <= this.#high + step / 2; tick += step) ticks.push(tick);
    }
    return ticks.map((tick) => [tick, numberText(tick)]);
  }

  at(value: number): number {
    const on = this.#isLog ? Math.log10(value) : value;
    return (on - this.#low) / (this.#high - this.#low);
  }
}

function niceStep(range: number): number {
  const rough = Math.max(range, 1e-9) / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
}

/** Lines over two axes, with a legend. What cannot be on a logarithmic axis is left out. */
export function linePlot({ title, x, y, lines, marks = [] }: LinePlot): string {
  const points = lines.flatMap((line) => line.points);
  const xs = new Scale(x, [...points.map(([value]) => value), ...(x.ticks ?? []).map(([value]) => value)]);
  const ys = new Scale(
    y,
    points.map(([, value]) => value),
  );
  const px = (value: number): number => LEFT + xs.at(value) * INNER_WIDTH;
  const py = (value: number): number => TOP + (1 - ys.at(value)) * INNER_HEIGHT;
  const parts: string[] = [];
  for (const [tick, words] of ys.ticks) {
    const at = fixed(py(tick));
    parts.push(`<path d="M${LEFT} ${at}H${LEFT + INNER_WIDTH}" stroke="#dddddd"/>`);
    parts.push(text(LEFT - 8, py(tick) + 4, words, 'end'));
  }
  for (const [tick, words] of xs.ticks) {
    parts.push(`<path d="M${fixed(px(tick))} ${TOP}v${INNER_HEIGHT}" stroke="#eeeeee"/>`);
    parts.push(text(px(tick), TOP + INNER_HEIGHT + 18, words, 'middle'));
  }
  parts.push(`<path d="M${LEFT} ${TOP}v${INNER_HEIGHT}h${INNER_WIDTH}" fill="none" stroke="#222222"/>`);
  parts.push(text(LEFT + INNER_WIDTH / 2, HEIGHT - 14, x.label, 'middle'));
  const middle = TOP + INNER_HEIGHT / 2;
  parts.push(text(16, middle, y.label, 'middle', ` transform="rotate(-90 16 ${middle})"`));
  for (const [at, words] of marks) {
    parts.push(
      `<path d="M${fixed(px(at))} ${TOP}v${INNER_HEIGHT}" stroke="#222222" stroke-dasharray="4 3"/>`,
    );
    parts.push(text(px(at) + 4, TOP + 12, words));
  }
  lines.forEach((line, index) => {
    const colour = COLOURS[index % COLOURS.length]!;
    const drawn = line.points
      .filter(([a, b]) => (x.scale === 'linear' || a > 0) && (y.scale === 'linear' || b > 0))
      .map(([a, b]) => `${fixed(px(a))} ${fixed(py(b))}`);
    if (drawn.length > 0)
      parts.push(`<path d="M${drawn.join('L')}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    if (drawn.length <= 20)
      for (const place of drawn) {
        const [cx, cy] = place.split(' ');
        parts.push(`<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"/>`);
      }
    const legend = TOP + 14 + index * 20;
    parts.push(`<path d="M${WIDTH - RIGHT + 12} ${legend - 4}h18" stroke="${colour}" stroke-width="3"/>`);
    parts.push(text(WIDTH - RIGHT + 36, legend, line.name));
  });
  return frame(HEIGHT, title, parts);
}

/** Horizontal bars from 0. */
export function barPlot({ title, label, bars }: BarPlot): string {
  const height = TOP + bars.length * BAR_HEIGHT + 40;
  const most = Math.max(...bars.map(([, value]) => value), 1e-9);
  const room = WIDTH - BAR_LEFT - 90;
  const parts = bars.flatMap(([name, value], index) => {
    const top = TOP + index * BAR_HEIGHT;
    const width = fixed((value / most) * room);
    return [
      text(BAR_LEFT - 8, top + 15, name, 'end'),
      `<rect x="${BAR_LEFT}" y="${top + 3}" width="${width}" height="${BAR_HEIGHT - 6}" fill="${COLOURS[0]}"/>`,
      text(BAR_LEFT + (value / most) * room + 6, top + 15, numberText(value)),
    ];
  });
  parts.push(text(BAR_LEFT, height - 14, label));
  return frame(height, title, parts);
}

/** Words of a diagram that are placed already, so that others keep off them. */

/** Where words stand, in pixels. */
export interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Height of the strips in which boxes are looked for. */
const STRIP = 32;
/** Of the font of a diagram, for each character. */
const CHARACTER = 6.7;
const ASCENT = 9;
const DESCENT = 2;

/** Width of a text in the font of diagrams. */
export function widthOf(text: string): number {
  return text.length * CHARACTER;
}

/** The box of a text whose base line is at y; `isRight`: it begins at x, else it ends there. */
export function boxOf(text: string, x: number, y: number, isRight: boolean): Box {
  const width = widthOf(text);
  return {
    left: isRight ? x : x - width,
    right: isRight ? x + width : x,
    top: y - ASCENT,
    bottom: y + DESCENT,
  };
}

/** See the top of this file. */
export class Boxes {
  readonly #strips = new Map<number, Box[]>();

  add(box: Box): void {
    for (let strip = Math.floor(box.top / STRIP); strip <= Math.floor(box.bottom / STRIP); strip += 1) {
      const boxes = this.#strips.get(strip);
      if (boxes === undefined) this.#strips.set(strip, [box]);
      else boxes.push(box);
    }
  }

  isFree(box: Box): boolean {
    const { left, right, top, bottom } = box;
    for (let strip = Math.floor(top / STRIP); strip <= Math.floor(bottom / STRIP); strip += 1)
      for (const other of this.#strips.get(strip) ?? [])
        if (other.left < right && left < other.right && other.top < bottom && top < other.bottom)
          return false;
    return true;
  }
}

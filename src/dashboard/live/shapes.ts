/**
 * Reads JSON that came from somewhere else. Every reader gives undefined for what is not of its shape and never throws;
 * what is longer than a bound is cut.
 */

/** A JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

/** Characters of one text, at most; longer ones are cut. */
const TEXT_LENGTH_MAX = 2_048;

/** An object, as its fields. */
export function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

/** A text. */
export function textOf(value: unknown, most = TEXT_LENGTH_MAX): string | undefined {
  return typeof value === 'string' ? value.slice(0, most) : undefined;
}

/** A whole number from 0. */
export function wholeOf(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;
}

/** A number that is neither infinite nor no number. */
export function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** Those of the first `most` elements that are right; undefined if it is no list. */
export function listOf<T>(
  value: unknown,
  most: number,
  read: (element: unknown) => T | undefined,
): T[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const list: T[] = [];
  for (const element of value.slice(0, most) as unknown[]) {
    const one = read(element);
    if (one !== undefined) list.push(one);
  }
  return list;
}

/** JSON of a text; undefined if it is none. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Leaves out what is undefined, so that absent fields are absent. */
export function present<T extends object>(fields: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

/** With a capital at the beginning and a full stop at the end. */
export function asSentence(text: string): string {
  const trimmed = text.trim();
  const begun = trimmed.slice(0, 1).toUpperCase() + trimmed.slice(1);
  return /[.?:]$/.test(begun) ? begun : `${begun}.`;
}

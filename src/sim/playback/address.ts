/**
 * The fragment of the playground's address: the whole scenario, and where in it to stand. `#script=...` holds the text of a
 * script (deflate-raw, base64url; the caller compresses), `#protocol=minbft&f=1&seed=7` a schedule that a seed draws,
 * `#lesson=3` a lesson; `at=` a place in the events. An address may come from anybody: it is bounded, and wrong ones give a
 * sentence.
 */
import type { DrawnSchedule, PlaygroundAddress } from './contract.ts';

/** Bytes of a compressed script, at most: what makes more than `SCRIPT_LENGTH_MAX` characters is refused later. */
const PACKED_BYTES_MAX = 48 * 1024;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const PLACE_MAX = 10_000_000;
const LESSON_MAX = 99;
const FAULTS_LENGTH_MAX = 400;
const KEYS: ReadonlySet<string> = new Set(['script', 'protocol', 'f', 'seed', 'faults', 'lesson', 'at']);

/** The fragment without its `#`; empty for nothing. */
export function writeAddress({ scenario, at }: PlaygroundAddress): string {
  const parts: string[] = [];
  switch (scenario.kind) {
    case 'none':
      break;
    case 'script':
      parts.push(`script=${toBase64Url(scenario.packed)}`);
      break;
    case 'lesson':
      parts.push(`lesson=${scenario.lesson}`);
      break;
    case 'draw': {
      const { protocol, f, seed, faults } = scenario;
      parts.push(`protocol=${protocol}`);
      if (f !== undefined) parts.push(`f=${f}`);
      parts.push(`seed=${seed}`);
      if (faults !== undefined) parts.push(`faults=${faults.length === 0 ? 'none' : faults.join(',')}`);
    }
  }
  if (at !== undefined) parts.push(`at=${at}`);
  return parts.join('&');
}

/** What a fragment says, with or without its `#`; a sentence if it says nothing that can be shown. */
export function readAddress(fragment: string): PlaygroundAddress | string {
  const text = fragment.startsWith('#') ? fragment.slice(1) : fragment;
  if (text.length > 2 * PACKED_BYTES_MAX) return 'The address is too long to be one of the playground.';
  const values = valuesOf(text);
  if (typeof values === 'string') return values;
  const at = wholeOf(values, 'at', 0, PLACE_MAX);
  if (typeof at === 'string') return at;
  const scenario = scenarioOf(values);
  if (typeof scenario === 'string') return scenario;
  return { scenario, ...(at === undefined ? {} : { at }) };
}

type Values = ReadonlyMap<string, string>;

function valuesOf(text: string): Values | string {
  const values = new Map<string, string>();
  for (const part of text.split('&')) {
    if (part === '') continue;
    const cut = part.indexOf('=');
    const key = cut < 0 ? part : part.slice(0, cut);
    if (!KEYS.has(key))
      return `The address says "${key.slice(0, 30)}", which the playground does not know; it knows ${[...KEYS].join(', ')}.`;
    if (values.has(key)) return `The address says "${key}" twice.`;
    values.set(key, cut < 0 ? '' : part.slice(cut + 1).replace(/%2C/gi, ','));
  }
  return values;
}

function scenarioOf(values: Values): PlaygroundAddress['scenario'] | string {
  const kinds = ['script', 'protocol', 'lesson'].filter((key) => values.has(key));
  if (kinds.length > 1) return `The address names a ${kinds.join(' and a ')}; it is about one of them only.`;
  const script = values.get('script');
  if (script !== undefined) {
    const packed = fromBase64Url(script);
    return packed === undefined ? 'The script in the address is damaged.' : { kind: 'script', packed };
  }
  if (values.has('lesson')) {
    const lesson = wholeOf(values, 'lesson', 1, LESSON_MAX);
    if (typeof lesson === 'string') return lesson;
    return { kind: 'lesson', lesson: lesson! };
  }
  if (values.has('protocol')) return drawOf(values);
  const lost = ['f', 'seed', 'faults'].find((key) => values.has(key));
  return lost === undefined ? { kind: 'none' } : `The address says "${lost}" and no protocol that it is for.`;
}

function drawOf(values: Values): PlaygroundAddress['scenario'] | string {
  const protocol = values.get('protocol')!;
  if (!/^[a-z][a-z0-9-]{0,40}$/.test(protocol)) return 'The protocol in the address is no name.';
  const seed = wholeOf(values, 'seed', 0, Number.MAX_SAFE_INTEGER);
  const f = wholeOf(values, 'f', 1, 20);
  if (typeof seed === 'string') return seed;
  if (typeof f === 'string') return f;
  const faults = values.get('faults');
  if (faults !== undefined && (faults.length > FAULTS_LENGTH_MAX || !/^[a-z,]+$/.test(faults)))
    return 'The faults in the address are names with commas between them, or none.';
  const schedule: DrawnSchedule = {
    protocol,
    seed: seed ?? 1,
    ...(f === undefined ? {} : { f }),
    ...(faults === undefined ? {} : { faults: faults === 'none' ? [] : faults.split(',') }),
  };
  return { kind: 'draw', ...schedule };
}

function wholeOf(values: Values, key: string, least: number, most: number): number | undefined | string {
  const text = values.get(key);
  if (text === undefined) return undefined;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  return `In the address "${key}" is a whole number from ${least} to ${most}.`;
}

/** Bytes without padding. */
function toBase64Url(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const group = (bytes[at]! << 16) + ((bytes[at + 1] ?? 0) << 8) + (bytes[at + 2] ?? 0);
    const characters = Math.min(3, bytes.length - at) + 1;
    for (let index = 0; index < characters; index += 1) text += ALPHABET[(group >> (18 - 6 * index)) & 63]!;
  }
  return text;
}

function fromBase64Url(text: string): Uint8Array | undefined {
  const length = Math.floor((text.length * 3) / 4);
  if (text.length === 0 || text.length % 4 === 1 || length > PACKED_BYTES_MAX) return undefined;
  const bytes = new Uint8Array(length);
  let bits = 0;
  let count = 0;
  let at = 0;
  for (const character of text) {
    const value = ALPHABET.indexOf(character);
    if (value < 0) return undefined;
    bits = ((bits << 6) + value) & 0xffff;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes[at] = (bits >> count) & 255;
    at += 1;
  }
  return bytes;
}

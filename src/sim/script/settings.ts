/**
 * Settings of a script: lines such as `network delay 0.9..1 loss 0.1`, each pair of words a value of the scenario. What
 * has no words yet is written as `set PATH JSON`, so that any scenario can be printed and read back.
 */
import type { Words } from './words.ts';

/** Plain JSON data. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
/** A scenario while it is being read. */
export type JsonObject = { [key: string]: Json };

interface Field {
  readonly word: string;
  /** Where the value is; two places for the ends of a range. */
  readonly at: readonly string[];
  /** A word without a value stands for this one. */
  readonly flag?: Json;
  readonly unit: string;
}

/** A line of settings. */
export interface SettingVerb {
  readonly verb: string;
  readonly fields: readonly Field[];
}

const ms = 'milliseconds';

/** Verbs of settings, in the order in which they are printed. */
export const SETTINGS: readonly SettingVerb[] = [
  {
    verb: 'checkpoint',
    fields: [
      { word: 'every', at: ['limits.checkpointInterval'], unit: 'sequence numbers' },
      { word: 'window', at: ['limits.pipelineFactor'], unit: 'checkpoint intervals' },
    ],
  },
  {
    verb: 'batch',
    fields: [
      { word: 'requests', at: ['limits.batchRequestsMax'], unit: 'requests at most' },
      { word: 'bytes', at: ['limits.batchBytesMax'], unit: 'bytes at most' },
    ],
  },
  {
    verb: 'limit',
    fields: [
      { word: 'log', at: ['limits.logEntriesMax'], unit: 'messages' },
      { word: 'sessions', at: ['limits.sessionsMax'], unit: 'sessions' },
      { word: 'session-window', at: ['limits.sessionWindowMax'], unit: 'requests' },
    ],
  },
  {
    verb: 'timers',
    fields: [
      { word: 'batch', at: ['timers.batchDelayMs'], unit: ms },
      { word: 'status', at: ['timers.statusMs'], unit: ms },
      { word: 'request', at: ['timers.requestMs'], unit: ms },
      { word: 'new-view', at: ['timers.newViewMs'], unit: ms },
      { word: 'backoff', at: ['timers.backoffCapMs'], unit: `${ms} at most` },
      { word: 'gap', at: ['timers.gapMs'], unit: ms },
      { word: 'idle', at: ['timers.idleBatchMs'], unit: ms },
    ],
  },
  {
    verb: 'network',
    fields: [
      { word: 'delay', at: ['network.delayLowMs', 'network.delayHighMs'], unit: ms },
      { word: 'tail', at: ['network.tailProbability'], unit: 'share of frames' },
      { word: 'tail-factor', at: ['network.tailFactor'], unit: 'times the delay' },
      { word: 'loss', at: ['network.loss'], unit: 'share of frames' },
      { word: 'duplication', at: ['network.duplication'], unit: 'share of frames' },
      { word: 'ordered', at: ['network.reordering'], flag: false, unit: '' },
      { word: 'reordering', at: ['network.reordering'], flag: true, unit: '' },
    ],
  },
  { verb: 'disk', fields: [{ word: 'sync', at: ['disk.syncLowMs', 'disk.syncHighMs'], unit: ms }] },
  { verb: 'trusted', fields: [{ word: 'answers', at: ['trusted.lowMs', 'trusted.highMs'], unit: ms }] },
  { verb: 'calm', fields: [{ word: 'after', at: ['calmMs'], unit: ms }] },
  { verb: 'settle', fields: [{ word: 'within', at: ['settleMs'], unit: ms }] },
];

/** Usage of a settings line. */
function settingUsage({ verb, fields }: SettingVerb): string {
  const words = fields.map(({ word, at, flag }) =>
    flag !== undefined ? `[${word}]` : `[${word} ${at.length > 1 ? 'LOW..HIGH' : 'NUMBER'}]`,
  );
  return `${verb} ${words.join(' ')}`;
}

/** Reads the rest of a settings line into the scenario. */
export function readSetting(setting: SettingVerb, words: Words, into: JsonObject): void {
  words.usage = settingUsage(setting);
  if (words.atEnd) words.fail(`one of ${setting.fields.map(({ word }) => word).join(', ')}`);
  while (!words.atEnd) {
    const word = words.one(setting.fields.map((field) => field.word));
    const field = setting.fields.find((candidate) => candidate.word === word)!;
    if (field.flag !== undefined) putAt(into, field.at[0]!, field.flag);
    else if (field.at.length === 1) putAt(into, field.at[0]!, words.number(field.unit));
    else {
      const [low, high] = words.range(`${field.unit} as LOW..HIGH`);
      putAt(into, field.at[0]!, low);
      putAt(into, field.at[1]!, high);
    }
  }
}

/** Lines that turn `base` into `target`, as far as there are words for it. */
export function printSettings(target: JsonObject, base: JsonObject): string[] {
  const lines: string[] = [];
  for (const { verb, fields } of SETTINGS) {
    const parts: string[] = [];
    for (const { word, at, flag } of fields) {
      const values = at.map((path) => getAt(target, path));
      if (at.every((path, index) => equalJson(values[index], getAt(base, path)))) continue;
      if (flag !== undefined) {
        if (values[0] === flag) parts.push(word);
      } else if (values.every((value) => typeof value === 'number')) {
        const [low, high] = values;
        parts.push(
          `${word} ${high === undefined || low === high ? String(low) : `${String(low)}..${String(high)}`}`,
        );
      }
    }
    if (parts.length > 0) lines.push(`${verb} ${parts.join(' ')}`);
  }
  return lines;
}

/** Lines for everything in which `have` still differs from `want`. */
export function printRest(have: Json | undefined, want: Json | undefined, path = ''): string[] {
  if (equalJson(have, want)) return [];
  if (isObject(have) && isObject(want)) {
    const keys = [...new Set([...Object.keys(want), ...Object.keys(have)])].sort();
    return keys.flatMap((key) => printRest(have[key], want[key], path === '' ? key : `${path}.${key}`));
  }
  return want === undefined ? [`unset ${path}`] : [`set ${path} ${JSON.stringify(want)}`];
}

/** The value at a path with dots. */
export function getAt(root: JsonObject, path: string): Json | undefined {
  let value: Json | undefined = root;
  for (const key of path.split('.')) value = isObject(value) ? value[key] : undefined;
  return value;
}

/** Puts a value at a path; objects on the way are made. `undefined` takes it away. */
export function putAt(root: JsonObject, path: string, value: Json | undefined): void {
  const keys = path.split('.');
  const last = keys.pop()!;
  let place = root;
  for (const key of keys) {
    const inner = place[key];
    const copy: JsonObject = isObject(inner) ? { ...inner } : {};
    place[key] = copy;
    place = copy;
  }
  if (value === undefined) delete place[last];
  else place[last] = value;
}

/** Whether it is a record, not a list. */
export function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Equality of plain data, whatever the order of keys. */
export function equalJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((value: Json, index) => equalJson(value, b[index] as Json));
  if (!isObject(a) || !isObject(b)) return false;
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((key) => equalJson(a[key], b[key]));
}

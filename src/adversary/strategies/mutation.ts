/**
 * Small-scope mutations: one field of a message is changed by a little. Which fields there are is read off the message
 * itself, so no kind of message and no field can be forgotten.
 */
import { viewChangeContent } from '../../smr/usig-stream/builders.ts';
import { completeDraft } from '../../smr/usig-stream/codec.ts';
import type { Draft, LogEntry, MinbftMessage, StreamMessage } from '../../smr/usig-stream/messages.ts';
import type { LiarDesk, Strategy } from './strategy.ts';

type Path = readonly (string | number)[];

/** Derived from the rest, or what makes the message the kind it is. */
const FIXED = new Set([
  'kind',
  'bodyDigest',
  'bytes',
  'digest',
  'recoverDigests',
  'signature',
  'authenticator',
]);
const DIGEST = /^[0-9a-f]{64}$/;

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  );
}

/** Places of a value that can be changed, outermost first. Sealed parts of others are taken as a whole. */
function placesOf(value: unknown, path: Path = []): readonly Path[] {
  if (Array.isArray(value))
    return [path, ...value.flatMap((item: unknown, index) => placesOf(item, [...path, index]))];
  if (!isPlain(value)) return path.length === 0 ? [] : [path];
  if (path.length > 0 && 'ui' in value && 'digest' in value) return [path];
  return Object.entries(value).flatMap(([name, part]) =>
    FIXED.has(name) ? [] : placesOf(part, [...path, name]),
  );
}

function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inner, name) => (inner === undefined ? undefined : (inner as Record<string | number, unknown>)[name]),
    value,
  );
}

function replaced(value: unknown, path: Path, change: unknown): unknown {
  const [name, ...rest] = path;
  if (name === undefined) return change;
  if (Array.isArray(value))
    return value.map((item: unknown, index) => (index === name ? replaced(item, rest, change) : item));
  const record = value as Record<string, unknown>;
  return { ...record, [name]: replaced(record[name], rest, change) };
}

/** A value that is a little different; undefined if there is none. */
function near(desk: LiarDesk, value: unknown, previous: unknown): { readonly value: unknown } | undefined {
  const { random, heard, n } = desk;
  const before = previous === undefined || previous === value ? [] : [previous];
  if (typeof value === 'number') {
    const candidates = [value + 1, Math.max(0, value - 1), 0, (value + 1) % n, value + 2 ** 31, ...before];
    return { value: random.pick(candidates.filter((one) => one !== value)) };
  }
  if (typeof value === 'boolean') return { value: !value };
  if (typeof value === 'string') {
    const others = DIGEST.test(value) ? [...heard.digests, ...before] : [...before, flipped(value)];
    const different = others.filter((one) => one !== value);
    return different.length === 0 ? undefined : { value: random.pick(different) };
  }
  if (value instanceof Uint8Array)
    return { value: value.map((byte, index) => (index === 0 ? byte ^ 1 : byte)) };
  if (Array.isArray(value)) return nearList(desk, value);
  if (isPlain(value)) return nearSealed(desk, value);
  return before.length === 0 ? undefined : { value: previous };
}

function flipped(text: string): string {
  return (text.startsWith('0') ? '1' : '0') + text.slice(1);
}

function nearList(desk: LiarDesk, list: readonly unknown[]): { readonly value: unknown } | undefined {
  const { random } = desk;
  if (list.length === 0) return undefined;
  const index = random.between(0, list.length - 1);
  const other = random.between(0, list.length - 1);
  const dropped = list.filter((_, place) => place !== index);
  const doubled = [...list.slice(0, index + 1), ...list.slice(index)];
  const exchanged = list.map((item, place) =>
    place === index ? list[other] : place === other ? list[index] : item,
  );
  return { value: random.pick([dropped, doubled, exchanged, list.toReversed(), []]) };
}

/** Another message of the same kind in its place, or an altered one under the same seal. */
function nearSealed(
  desk: LiarDesk,
  value: Readonly<Record<string, unknown>>,
): { readonly value: unknown } | undefined {
  const { random, heard, context } = desk;
  const entry = value as unknown as LogEntry;
  const pool: readonly LogEntry[] = entry.kind === 'PREPARE' ? heard.prepares : heard.entries;
  const others = pool.filter((one) => one.kind === entry.kind && one.digest !== entry.digest);
  if (others.length > 0 && random.chance(0.8)) return { value: random.pick(others) };
  if (entry.kind === 'VIEW-CHANGE-STUB' || !('bytes' in entry)) return undefined;
  const { ui, ...content } = entry;
  const altered = mutated(desk, content, undefined);
  return altered && { value: completeDraft(context, altered.value as Draft, ui) };
}

/** The value with one place changed, and which one. `previous`: an earlier value of the kind, to fall back to. */
export function mutated<T>(
  desk: LiarDesk,
  value: T,
  previous: unknown,
): { readonly value: T; readonly where: string } | undefined {
  const places = placesOf(value);
  // Field by field, or the entries of a long list would be nearly all that is ever changed.
  const fields = [...new Set(places.map(([field]) => field))];
  for (let attempt = 0; attempt < 4 && places.length > 0; attempt += 1) {
    const field = desk.random.pick(fields);
    const path = desk.random.pick(places.filter(([first]) => first === field));
    const change = near(desk, at(value, path), at(previous, path));
    if (change === undefined) continue;
    const where = path.filter((name) => typeof name === 'string').join('.');
    return { value: replaced(value, path, change.value) as T, where };
  }
  return undefined;
}

/** Changes one field of a message before it is sealed or sent. */
export function mutate(desk: LiarDesk): Strategy {
  const { random, self } = desk;
  const often = desk.eager ? 0.2 : random.pick([0.02, 0.08, 0.4]);
  // Some mutate one kind of message only: what comes before it stays in order.
  const only = random.chance(0.6)
    ? random.pick([
        'PREPARE',
        'COMMIT',
        'CHECKPOINT',
        'VIEW-CHANGE',
        'NEW-VIEW-HEADER',
        'COMMIT-NEW-VIEW',
        'plain',
      ])
    : undefined;
  const seldom = only === 'CHECKPOINT' || only?.includes('VIEW') === true;
  const chance = seldom ? 0.6 : often;
  const previous = new Map<string, Draft | MinbftMessage>();

  const sealed = (draft: Draft): Draft => {
    const before = previous.get(draft.kind);
    previous.set(draft.kind, draft);
    if ((only !== undefined && only !== draft.kind) || !random.chance(chance)) return draft;
    const result = mutated(desk, draft, before);
    if (result === undefined) return draft;
    desk.lied(`${draft.kind} ${result.where}`);
    const changed = result.value;
    return changed.kind === 'VIEW-CHANGE' ? viewChangeContent(desk.context, changed) : changed;
  };
  const plain = (message: MinbftMessage): MinbftMessage => {
    if ('bytes' in message || (only !== undefined && only !== 'plain')) return message;
    const before = previous.get(message.kind);
    previous.set(message.kind, message);
    const result = random.chance(often) ? mutated(desk, message, before) : undefined;
    if (result === undefined) return message;
    desk.lied(`${message.kind} ${result.where}`);
    return result.value;
  };
  return {
    seals: (draft) => sealed(draft),
    tells: (message, to) => (to === self ? [] : [plain(message)]),
  };
}

/** Sends a seal under another kind of message, and altered content under seals that it has. */
export function relabel(desk: LiarDesk): Strategy {
  const { random, context, heard, self } = desk;
  const often = desk.eager ? 1 : random.pick([0.05, 0.3]);
  const drafts = (message: StreamMessage): readonly Draft[] => {
    const { prepares, checkpoints, newViews } = heard;
    return [
      ...prepares.slice(-1),
      ...prepares.slice(-1).map((prepare): Draft => ({ kind: 'COMMIT', prepare })),
      ...checkpoints.slice(-1),
      ...newViews.slice(-1).map(({ header }) => header),
      ...newViews.slice(-1).map(({ header }): Draft => ({ kind: 'COMMIT-NEW-VIEW', header })),
    ].filter((draft) => draft.kind !== message.kind || random.chance(0.5));
  };
  return {
    sealed: (message) => {
      if (!random.chance(often)) return;
      const choices = drafts(message);
      if (choices.length === 0) return;
      const ui = message.kind === 'NEW-VIEW' ? message.header.ui : message.ui;
      const made = completeDraft(context, random.pick(choices), ui);
      if (made.kind === 'NEW-VIEW-HEADER' || made.kind === 'VIEW-CHANGE') return;
      desk.lied(`${message.kind} as ${made.kind}`);
      for (let to = 0; to < desk.n; to += 1) if (to !== self && random.chance(0.7)) desk.send(to, made);
    },
  };
}

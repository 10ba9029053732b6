/**
 * Which messages made a replica execute, enter a view, or made a client believe: those that it had accepted by then and
 * that speak for the same batch, view or request. The own vote is no message.
 */
import type { Trace, TraceEvent, TraceSent, TraceValue } from './trace.ts';

/** Kinds that propose a batch or vote for it, of all protocols. */
const FOR_BATCH: ReadonlySet<string> = new Set([
  'PREPARE',
  'PRE-PREPARE',
  'PREPREPARE',
  'ORDER-REQ',
  'COMMIT',
  'COMMIT-VECTOR',
  'SPEC',
  'UPDATE',
  'DECIDED',
]);
/** Kinds that make a view begin. */
const FOR_VIEW: ReadonlySet<string> = new Set([
  'VIEW-CHANGE',
  'NEW-VIEW',
  'COMMIT-NEW-VIEW',
  'NV-ACK',
  'VIEW-CONFIRM',
  'ENTER',
  'BARRIER',
]);
/** Notes of a replica that it is in a new view. */
const VIEW_NOTES: ReadonlySet<string> = new Set(['viewEntered', 'enteredView']);
/** Fields that name what a message is about. */
const NAMING: ReadonlySet<string> = new Set(['batch', 'batchDigest', 'digest', 'txId']);

/** Something that arrived and counts. */
interface Taken {
  /** Of the sending. */
  readonly id: number;
  /** Place of its arrival in the events. */
  readonly place: number;
  readonly sent: TraceSent;
}

/** What arrived last, of what speaks for one thing: a quorum is far less, and a log that somebody made may hold any number. */
const LOOK_MAX = 1_000;

/** By receiver (`r0` a replica, `c0` a client) and what it speaks for. */
type Index = ReadonlyMap<string, readonly Taken[]>;

const indexes = new WeakMap<Trace, Index>();

/** The view that a replica says it has entered; undefined for any other event. */
export function viewEnteredBy(event: TraceEvent): number | undefined {
  if (event.kind !== 'note' || !VIEW_NOTES.has(event.name)) return undefined;
  const { view } = event.detail;
  return typeof view === 'number' ? view : undefined;
}

/** Ids of the sendings that made the event at this place of the trace; empty if no quorum did. */
export function quorumOf(trace: Trace, place: number): readonly number[] {
  const event = trace.events[place];
  if (event === undefined) return [];
  const index = indexes.get(trace) ?? indexOf(trace);
  indexes.set(trace, index);
  if (event.kind === 'believe') {
    return idsOf(equalAnswers(trace, latest(index.get(`c${event.client}/${event.txId}`), place), event));
  }
  if (event.kind === 'execute') {
    const taken = latest(index.get(`r${event.replica}/${event.digest}`), place);
    const ofSequence = taken.filter(({ sent }) => (sent.sequence ?? event.sequence) === event.sequence);
    // What was proposed again counts in its last view.
    const view = Math.max(...ofSequence.map(({ sent }) => sent.view ?? 0));
    return idsOf(ofSequence.filter(({ sent }) => (sent.view ?? view) === view));
  }
  const view = viewEnteredBy(event);
  if (view === undefined || event.kind !== 'note') return [];
  return idsOf(latest(index.get(`r${event.replica}/view ${view}`), place));
}

/** What an answer says of a transaction; undefined if it does not speak of it. */
function wordOn(value: TraceValue | undefined, txId: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if ((value as Readonly<Record<string, TraceValue>>)['txId'] === txId) return JSON.stringify(value);
  for (const inner of Object.values(value)) {
    const word = wordOn(inner as TraceValue, txId);
    if (word !== undefined) return word;
  }
  return undefined;
}

/** Of the answers to one request those that say the same as most of them, which is what its client believed. */
function equalAnswers(
  trace: Trace,
  taken: readonly Taken[],
  { txId }: { readonly txId: string },
): readonly Taken[] {
  const groups = new Map<string, Taken[]>();
  for (const one of taken) {
    const { content } = one.sent;
    const word = content === undefined ? undefined : wordOn(trace.contents[content], txId);
    groups.set(word ?? '', [...(groups.get(word ?? '') ?? []), one]);
  }
  return [...groups.values()].reduce((most, group) => (group.length > most.length ? group : most), []);
}

/** What had arrived before a place of the trace, the last `LOOK_MAX` of it. */
function latest(taken: readonly Taken[] = [], before: number): readonly Taken[] {
  let [low, high] = [0, taken.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (taken[middle]!.place < before) low = middle + 1;
    else high = middle;
  }
  return taken.slice(Math.max(0, low - LOOK_MAX), low);
}

/** One message of each author and kind: what was sent again counts once. */
function idsOf(taken: readonly Taken[]): number[] {
  const found = new Map<string, number>();
  for (const { id, sent } of taken) {
    const name = `${sent.message}/${sent.author ?? `of ${id}`}`;
    if (!found.has(name)) found.set(name, id);
  }
  return [...found.values()];
}

function indexOf(trace: Trace): Index {
  const index = new Map<string, Taken[]>();
  const put = (name: string, taken: Taken): void => {
    const list = index.get(name);
    if (list === undefined) index.set(name, [taken]);
    else list.push(taken);
  };
  const named = new Map<number, readonly string[]>();
  const namesIn = (content: number | undefined): readonly string[] => {
    if (content === undefined) return [];
    const names = named.get(content) ?? [...namesOf(trace.contents[content] ?? {})];
    named.set(content, names);
    return names;
  };
  const sent = new Map<number, { readonly to: string; readonly sent: TraceSent }>();
  trace.events.forEach((event, place) => {
    if (event.kind === 'send') {
      const author = event.author ?? event.from;
      sent.set(event.id, { to: `r${event.to}`, sent: { ...event, author } });
    } else if (event.kind === 'answer')
      sent.set(event.id, { to: `c${event.client}`, sent: { ...event, author: event.from } });
    if (event.kind !== 'deliver' && event.kind !== 'answered') return;
    const way = sent.get(event.id);
    if (way === undefined || (event.kind === 'deliver' && event.verdict !== undefined)) return;
    const taken = { id: event.id, place, sent: way.sent };
    const { message, view, content } = way.sent;
    if (event.kind === 'answered' || FOR_BATCH.has(message))
      for (const name of namesIn(content)) put(`${way.to}/${name}`, taken);
    else if (FOR_VIEW.has(message) && view !== undefined) put(`${way.to}/view ${view}`, taken);
  });
  return index;
}

/** Digests that the fields of a message name. */
function namesOf(value: TraceValue, names: Set<string> = new Set()): ReadonlySet<string> {
  if (typeof value !== 'object' || value === null) return names;
  for (const [field, inner] of Object.entries(value)) {
    if (typeof inner === 'string' && NAMING.has(field)) names.add(inner);
    else namesOf(inner as TraceValue, names);
  }
  return names;
}

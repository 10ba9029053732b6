/** What a drawing of a trace shows: the messages of a part of the run, and what happened at replicas meanwhile. */
import type { ReplicaId } from '../../core/types.ts';
import { BACKGROUND_KINDS } from '../../host/message-label.ts';
import { viewEnteredBy } from './quorums.ts';
import type { Trace, TraceEvent, TraceMessage } from './trace.ts';

/** Events that say that something arrived. */
const ARRIVALS: ReadonlySet<TraceEvent['kind']> = new Set(['deliver', 'asked', 'answered']);

/** A part of a run. */
export interface WindowOptions {
  readonly fromMs?: number;
  readonly untilMs?: number;
  /** Messages at most; of a run with a violation the last ones, else the first ones. */
  readonly arrowsMax?: number;
  /** Gossip, bodies and fetching too. */
  readonly all?: boolean;
}

/** A message in a drawing. */
export interface Arrow {
  readonly from: ReplicaId;
  readonly to: ReplicaId;
  readonly sentMs: number;
  /** Undefined: it never arrived. */
  readonly arrivedMs: number | undefined;
  readonly label: string;
  readonly message: string;
}

/** A request on its way from a client to a replica, or an answer. */
export interface Exchange {
  readonly client: number;
  readonly replica: ReplicaId;
  /** From the client. */
  readonly isAsked: boolean;
  readonly sentMs: number;
  /** Undefined: it never arrived. */
  readonly arrivedMs: number | undefined;
  readonly label: string;
  readonly message: string;
}

/** A client believes a result. */
export interface Belief {
  readonly client: number;
  readonly atMs: number;
  readonly label: string;
}

/** Something at one replica, or at all of them (`replica` undefined). */
export interface Mark {
  readonly kind: 'execute' | 'view' | 'fault' | 'up' | 'down' | 'proven' | 'note';
  readonly atMs: number;
  readonly replica: ReplicaId | undefined;
  readonly label: string;
  /** Executions of one sequence number that differ. */
  readonly conflict: boolean;
}

/** See the top of this file. */
export interface Diagram {
  readonly arrows: readonly Arrow[];
  readonly marks: readonly Mark[];
  /** Between clients and replicas, in the time of the arrows. */
  readonly exchanges: readonly Exchange[];
  readonly beliefs: readonly Belief[];
  readonly fromMs: number;
  readonly untilMs: number;
  /** Messages of the window that are not shown. */
  readonly hidden: number;
}

/** Text of a message: kind, place, and the certified counter as author:counter. */
export function messageLabel({ message, view, sequence, author, counter }: TraceMessage): string {
  const parts = [message];
  if (sequence !== undefined) parts.push(`n${sequence}`);
  if (view !== undefined) parts.push(`v${view}`);
  if (author !== undefined && counter !== undefined) parts.push(`[${author}:${counter}]`);
  return parts.join(' ');
}

/** Picks what is to be drawn. */
export function diagramOf(trace: Trace, options: WindowOptions = {}): Diagram {
  const { fromMs = 0, arrowsMax = 120, all = false } = options;
  const untilMs = options.untilMs ?? trace.events.at(-1)?.at ?? 0;
  const arrived = new Map<number, number>();
  for (const event of trace.events)
    if (ARRIVALS.has(event.kind) && 'id' in event && !arrived.has(event.id!))
      arrived.set(event.id!, event.at);
  const found: Arrow[] = [];
  for (const event of trace.events) {
    if (event.kind !== 'send' || event.at < fromMs || event.at > untilMs) continue;
    if (!all && BACKGROUND_KINDS.has(event.message)) continue;
    const { from, to, at: sentMs, message } = event;
    found.push({ from, to, sentMs, arrivedMs: arrived.get(event.id), label: messageLabel(event), message });
  }
  const failed = trace.violations.length > 0 && options.fromMs === undefined;
  const arrows = failed ? found.slice(-arrowsMax) : found.slice(0, arrowsMax);
  const first = failed && arrows.length < found.length ? arrows[0]!.sentMs : fromMs;
  const last =
    !failed && arrows.length < found.length
      ? Math.max(...arrows.map(({ sentMs, arrivedMs }) => arrivedMs ?? sentMs))
      : untilMs;
  const isIn = (atMs: number): boolean => atMs >= first && atMs <= last;
  const marks = marksOf(trace).filter(({ atMs }) => isIn(atMs));
  const exchanges = exchangesOf(trace, arrived).filter(({ sentMs }) => isIn(sentMs));
  const beliefs = trace.events.flatMap((event): Belief[] =>
    event.kind === 'believe' && isIn(event.at)
      ? [{ client: event.client, atMs: event.at, label: `n${event.sequence}` }]
      : [],
  );
  return {
    arrows,
    marks,
    exchanges,
    beliefs,
    fromMs: first,
    untilMs: last,
    hidden: found.length - arrows.length,
  };
}

function exchangesOf({ events }: Trace, arrived: ReadonlyMap<number, number>): Exchange[] {
  return events.flatMap((event): Exchange[] => {
    if (event.kind !== 'ask' && event.kind !== 'answer') return [];
    const isAsked = event.kind === 'ask';
    const { client, at: sentMs, message } = event;
    const replica = isAsked ? event.to : event.from;
    const arrivedMs = arrived.get(event.id);
    return [{ client, replica, isAsked, sentMs, arrivedMs, label: messageLabel(event), message }];
  });
}

function marksOf(trace: Trace): Mark[] {
  const batches = new Map<number, Set<string>>();
  for (const event of trace.events)
    if (event.kind === 'execute')
      batches.set(event.sequence, (batches.get(event.sequence) ?? new Set()).add(event.digest));
  return trace.events.flatMap((event) => markOf(event, batches) ?? []);
}

function markOf(event: TraceEvent, batches: ReadonlyMap<number, ReadonlySet<string>>): Mark | undefined {
  const atMs = event.at;
  if (event.kind === 'execute') {
    const conflict = (batches.get(event.sequence)?.size ?? 0) > 1;
    const label = `n${event.sequence}${conflict ? ` ${event.digest.slice(0, 6)}` : ''}`;
    return { kind: 'execute', atMs, replica: event.replica, label, conflict };
  }
  if (event.kind === 'fault') {
    const match = /^(crash|wipe|restart|power cut)(?: of (\d+))?/.exec(event.text);
    const kind = match === null ? 'fault' : match[1] === 'restart' ? 'up' : 'down';
    const target = match?.[2] === undefined ? undefined : Number(match[2]);
    return { kind, atMs, replica: target, label: event.text, conflict: false };
  }
  if (event.kind !== 'note') return undefined;
  const { replica, name, detail } = event;
  const view = viewEnteredBy(event);
  if (view !== undefined)
    return { kind: 'view', atMs, replica, label: `enters view ${view}`, conflict: false };
  if (name === 'evidence') {
    const label = `proves replica ${String(detail['against'])}: ${String(detail['rule'])}`;
    return { kind: 'proven', atMs, replica, label, conflict: false };
  }
  if (name === 'transfer' || name === 'incarnation' || name === 'streamDead' || name === 'suspect')
    return { kind: 'note', atMs, replica, label: name, conflict: false };
  return undefined;
}

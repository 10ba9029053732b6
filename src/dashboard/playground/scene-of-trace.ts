/** A part of a recorded run as a scene of the diagram: clients left, replicas right. */
import { BACKGROUND_KINDS } from '../../host/message-label.ts';
import { messageLabel } from '../../sim/trace/diagram.ts';
import { quorumOf, viewEnteredBy } from '../../sim/trace/quorums.ts';
import type { Trace, TraceEvent, TraceSent } from '../../sim/trace/trace.ts';
import { leadsOf } from './leads.ts';
import { rivalNames } from './rivals.ts';
import { Refusals } from './refusals.ts';
import type { Arrow, Lane, Mark, Scene, Stretch } from '../diagram/scene.ts';

/** Messages that are drawn, at most: the last ones before `until`. */
const ARROWS_MAX = 250;

/** Which part. */
export interface SceneOptions {
  /** Place of the last event in `trace.events` that has happened; absent: all have. */
  readonly until?: number;
  /** Place of the first one that is shown; absent: as many as `arrowsMax` allows. */
  readonly from?: number;
  readonly arrowsMax?: number;
  /** Gossip, bodies and fetching, too. */
  readonly all?: boolean;
}

/** A scene, and what is not in it. */
export interface TraceScene extends Scene {
  /** Time of the last event that has happened. */
  readonly nowMs: number;
  /** Messages of the part that are left out because there are too many. */
  readonly hidden: number;
}

type Sending = Extract<TraceEvent, { kind: 'send' | 'ask' | 'answer' }>;

/** See the top of this file. */
export function sceneOfTrace(trace: Trace, options: SceneOptions = {}): TraceScene {
  const { events } = trace;
  const until = Math.min(options.until ?? events.length - 1, events.length - 1);
  const { from = 0, arrowsMax = ARROWS_MAX, all = false } = options;
  const nowMs = events[until]?.at ?? 0;
  const isWhole = until === events.length - 1;
  const arrivals = arrivalsOf(trace, until);
  const slowestMs = slowestOf(trace);
  const sendings: Sending[] = [];
  for (let place = from; place <= until; place += 1) {
    const event = events[place]!;
    if (isSending(event) && (all || !BACKGROUND_KINDS.has(event.message))) sendings.push(event);
  }
  const refusals = new Refusals(trace);
  const rivals = rivalNames(trace);
  const shown = arrowsMax > 0 ? sendings.slice(-arrowsMax) : [];
  const hidden = sendings.length - shown.length;
  const beginMs = hidden > 0 ? (shown[0]?.at ?? nowMs) : (events[from]?.at ?? 0);
  const arrows = shown.map((event): Arrow => {
    const arrival = arrivals.get(event.id);
    const refused = refusedOf(refusals, event, arrival);
    return {
      id: event.id,
      ...lanesOfSending(trace, event),
      sentMs: event.at,
      arrivedMs: arrival?.atMs,
      isLost: arrival === undefined && (isWhole || nowMs - event.at > slowestMs),
      kind: event.message,
      label: [messageLabel(event), rivals.get(event.id)].filter((part) => part !== undefined).join(' '),
      shortLabel: shortLabelOf(event),
      ...refused,
    };
  });
  const marks: Mark[] = [];
  const conflicts = conflictsOf(trace, until);
  for (let place = from; place <= until; place += 1) {
    const mark = markOf(trace, place, conflicts);
    if (mark !== undefined && mark.atMs >= beginMs) marks.push(mark);
  }
  return { lanes: lanesOf(trace, until), arrows, marks, nowMs, hidden };
}

/** Place of a replica among the lanes. */
export function laneOfReplica({ clients }: Pick<Trace, 'clients'>, replica: number): number {
  return clients + replica;
}

function isSending(event: TraceEvent): event is Sending {
  return event.kind === 'send' || event.kind === 'ask' || event.kind === 'answer';
}

function lanesOfSending(trace: Trace, event: Sending): { readonly from: number; readonly to: number } {
  if (event.kind === 'ask') return { from: event.client, to: laneOfReplica(trace, event.to) };
  const from = laneOfReplica(trace, event.from);
  return { from, to: event.kind === 'send' ? laneOfReplica(trace, event.to) : event.client };
}

/** Whether, and if that was later, when it was refused. */
function refusedOf(
  refusals: Refusals,
  event: Sending,
  arrival: Arrived | undefined,
): Pick<Arrow, 'isRefused' | 'refusedMs'> {
  if (arrival === undefined) return { isRefused: false };
  if (event.kind !== 'send') return { isRefused: arrival.isRefused };
  const { to, author, counter } = event;
  if (arrival.isRefused) return { isRefused: !refusals.isOfAnother(to, arrival.atMs, author, counter) };
  const later = author === undefined || counter === undefined ? undefined : refusals.of(to, author, counter);
  return later !== undefined && later.atMs > arrival.atMs
    ? { isRefused: true, refusedMs: later.atMs }
    : { isRefused: false };
}

interface Arrived {
  readonly atMs: number;
  readonly isRefused: boolean;
}

/** First arrivals, by id of the sending. */
function arrivalsOf({ events }: Trace, until: number): ReadonlyMap<number, Arrived> {
  const arrivals = new Map<number, Arrived>();
  for (let place = 0; place <= until; place += 1) {
    const event = events[place]!;
    if (event.kind !== 'deliver' && event.kind !== 'asked' && event.kind !== 'answered') continue;
    const isRefused = event.kind !== 'answered' && event.verdict !== undefined;
    if (!arrivals.has(event.id)) arrivals.set(event.id, { atMs: event.at, isRefused });
  }
  return arrivals;
}

const slowest = new WeakMap<Trace, number>();

/** The longest time that anything was on its way in the whole run: what takes longer was lost. */
function slowestOf(trace: Trace): number {
  const known = slowest.get(trace);
  if (known !== undefined) return known;
  const sent = new Map<number, number>();
  let longest = 0;
  for (const event of trace.events) {
    if (isSending(event)) sent.set(event.id, event.at);
    else if (event.kind === 'deliver' || event.kind === 'asked' || event.kind === 'answered') {
      const sentAt = sent.get(event.id);
      if (sentAt !== undefined) longest = Math.max(longest, event.at - sentAt);
      sent.delete(event.id);
    }
  }
  slowest.set(trace, longest);
  return longest;
}

function lanesOf(trace: Trace, until: number): Lane[] {
  const { clients, byzantineClients, replicas, byzantine } = trace;
  const lanes: Lane[] = [];
  for (let client = 0; client < clients; client += 1) {
    const isByzantine = client >= clients - byzantineClients;
    const note = isByzantine ? { note: 'Byzantine', isByzantine } : {};
    lanes.push({ label: `client ${client}`, kind: 'client', ...note });
  }
  const down = downtimesOf(trace, until);
  const leads = leadsOf(trace);
  for (let replica = 0; replica < replicas; replica += 1) {
    const isByzantine = byzantine.includes(replica);
    const note = isByzantine ? { note: 'Byzantine', isByzantine } : {};
    const times = down.get(replica);
    const label = `replica ${replica}`;
    const led = leads.get(replica);
    lanes.push({
      ...{ label, kind: 'replica', ...note },
      ...(times === undefined ? {} : { down: times }),
      ...(led === undefined ? {} : { leads: led }),
    });
  }
  return lanes;
}

function downtimesOf({ states }: Trace, until: number): ReadonlyMap<number, readonly Stretch[]> {
  const down = new Map<number, Stretch[]>();
  for (const { at, event, replica, state } of states) {
    if (event > until) break;
    const times = down.get(replica) ?? [];
    const last = times.at(-1);
    if (state === null) down.set(replica, [...times, { fromMs: at, untilMs: undefined }]);
    else if (last !== undefined && last.untilMs === undefined)
      down.set(replica, [...times.slice(0, -1), { ...last, untilMs: at }]);
  }
  return down;
}

/**
 * Sequence numbers at which what correct replicas executed last differs; what a replica undid and executed otherwise does
 * not count.
 */
function conflictsOf({ events, byzantine }: Trace, until: number): ReadonlySet<number> {
  const liars = new Set(byzantine);
  const last = new Map<number, Map<number, string>>();
  for (let place = 0; place <= until; place += 1) {
    const event = events[place]!;
    if (event.kind !== 'execute' || liars.has(event.replica)) continue;
    const digests = last.get(event.sequence) ?? new Map<number, string>();
    last.set(event.sequence, digests.set(event.replica, event.digest));
  }
  const differing = [...last].filter(([, digests]) => new Set(digests.values()).size > 1);
  return new Set(differing.map(([sequence]) => sequence));
}

function markOf(trace: Trace, place: number, conflicts: ReadonlySet<number>): Mark | undefined {
  const event = trace.events[place]!;
  const mark = (kind: Mark['kind'], lane: number | undefined, label: string, isConflict = false): Mark => {
    return { id: place, lane, atMs: event.at, kind, label, isConflict, quorum: quorumOf(trace, place) };
  };
  switch (event.kind) {
    case 'execute': {
      const isConflict = conflicts.has(event.sequence) && !trace.byzantine.includes(event.replica);
      const label = `n${event.sequence}${isConflict ? ` ${event.digest.slice(0, 6)}` : ''}`;
      return mark('execute', laneOfReplica(trace, event.replica), label, isConflict);
    }
    case 'believe':
      return mark('believe', event.client, `n${event.sequence}`);
    case 'fault': {
      const match = /^(crash|wipe|restart|power cut)(?: of (\d+))?/.exec(event.text);
      const putBack = /^component of (\d+) put back$/.exec(event.text)?.[1];
      if (putBack !== undefined) return mark('fault', laneOfReplica(trace, Number(putBack)), 'box put back');
      const lane = match?.[2] === undefined ? undefined : laneOfReplica(trace, Number(match[2]));
      return mark(match === null ? 'fault' : match[1] === 'restart' ? 'up' : 'down', lane, event.text);
    }
    case 'note': {
      const lane = laneOfReplica(trace, event.replica);
      const view = viewEnteredBy(event);
      if (view !== undefined) return mark('view', lane, `view ${view}`);
      if (event.name === 'evidence')
        return mark('proven', lane, `has proof against ${String(event.detail['against'])}`);
      return NOTES.has(event.name) ? mark('note', lane, NOTES.get(event.name)!) : undefined;
    }
    default:
      return undefined;
  }
}

/** Notes of replicas that are worth a mark, in words. */
const NOTES: ReadonlyMap<string, string> = new Map([
  ['transfer', 'fetches state'],
  ['incarnation', 'component renewed'],
  ['renewing', 'renews component'],
  ['streamDead', 'stream stopped'],
  ['suspect', 'suspects the primary'],
  ['viewChange', 'leaves the view'],
  ['rollback', 'takes back'],
  ['panic', 'panics'],
  ['fatal', 'stops'],
]);

/** First letters of the kind, and the place: `C3`, `VC v1`. */
function shortLabelOf({ message, view, sequence }: TraceSent): string {
  const letters = message
    .split('-')
    .map((word) => word.slice(0, 1).toUpperCase())
    .join('');
  if (sequence !== undefined) return `${letters}${sequence}`;
  return view === undefined || view === 0 ? letters : `${letters} v${view}`;
}

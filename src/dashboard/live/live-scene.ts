/** The scene of the live diagram: the latest messages, what replicas did, and when they were not there. */
import { purposeOf } from '../diagram/kinds.ts';
import type { Arrow, Lane, Mark, Scene } from '../diagram/scene.ts';
import type { MessageLabel } from '../../core/live.ts';
import { momentOf } from './messages.ts';
import { wholeText } from './rates.ts';
import type { LiveDeed, LiveMessage, MessagesSeen } from './messages.ts';

/** What a lane needs to know of a replica. */
export interface LaneFacts {
  readonly id: number;
  readonly note: string;
  readonly isByzantine: boolean;
  /** Stretches of time without it; the last one may be open. */
  readonly down: readonly { readonly fromMs: number; readonly untilMs: number | undefined }[];
}

/** Something that was done to the cluster from this page. */
export interface Note {
  readonly id: number;
  readonly atMs: number;
  readonly text: string;
}

/** Not taken up for so long: lost, as far as one can see. */
const LOST_MS = 2_000;
/** Characters of a label where there is little room. */
const SHORT_MAX = 11;
/** Up to so many lanes there is room to say what happened in words. */
const LANES_WIDE_MAX = 5;

/** `VIEW-CHANGE` as `VC`. */
function initialsOf(kind: string): string {
  return kind
    .split('-')
    .map((word) => word.slice(0, 1))
    .join('')
    .toUpperCase();
}

/** Text of a message: kind, place, and the certified counter as author:counter. */
export function labelText({ kind, view, sequence, author, counter }: MessageLabel): string {
  return [
    kind,
    ...(sequence === undefined ? [] : [`n${sequence}`]),
    ...(view === undefined ? [] : [`v${view}`]),
    ...(author === undefined || counter === undefined ? [] : [`[${author}:${counter}]`]),
  ].join(' ');
}

function shortText({ kind, sequence, author, counter }: MessageLabel): string {
  const place = `${initialsOf(kind)}${sequence ?? ''}`;
  const certified = author === undefined || counter === undefined ? '' : ` [${author}:${counter}]`;
  return place.length + certified.length > SHORT_MAX ? place : place + certified;
}

function arrowOf(message: LiveMessage, originMs: number, latestMs: number): Arrow {
  const { id, from, to, label, sentMs, takenMs, refused, isUncertain } = message;
  const startMs = momentOf(message);
  // Clocks of two machines differ: nothing arrives before it was sent.
  const arrivedMs = takenMs === undefined ? undefined : Math.max(startMs, takenMs) - originMs;
  return {
    id,
    from,
    to,
    sentMs: startMs - originMs,
    arrivedMs,
    isLost: arrivedMs === undefined && !isUncertain && sentMs !== undefined && latestMs - sentMs > LOST_MS,
    kind: label.kind,
    label: labelText(label),
    shortLabel: shortText(label),
    isRefused: refused !== undefined,
  };
}

/** Messages that a replica had taken up for the batch that it executed, when it did: of the highest view among them. */
function quorumOf(
  { replica, ms, sequence, about }: Extract<LiveDeed, { readonly at: 'executed' }>,
  messages: readonly LiveMessage[],
  hasThreePhases: boolean,
): number[] {
  const votes = messages.filter(({ to, label, takenMs, refused }) => {
    if (to !== replica || label.sequence !== sequence || refused !== undefined) return false;
    if (takenMs === undefined || takenMs > ms) return false;
    // Where both say which batch they mean: a vote for another one under the same number does not count.
    if (about !== undefined && label.about !== undefined && label.about !== about) return false;
    return ['proposal', 'vote', 'confirm'].includes(purposeOf(label.kind, hasThreePhases));
  });
  const view = Math.max(0, ...votes.map(({ label }) => label.view ?? 0));
  return votes.filter(({ label }) => (label.view ?? view) === view).map(({ id }) => id);
}

function deedMark(
  deed: LiveDeed,
  messages: readonly LiveMessage[],
  { originMs, hasThreePhases, lanes }: SceneParts,
): Mark {
  const base = { id: deed.id, lane: deed.replica, atMs: deed.ms - originMs, isConflict: false };
  if (deed.at === 'view') return { ...base, kind: 'view', label: `enters view ${deed.view}`, quorum: [] };
  const quorum = quorumOf(deed, messages, hasThreePhases);
  const label = lanes.length > LANES_WIDE_MAX ? `n${deed.sequence}` : `executes n${deed.sequence}`;
  return { ...base, kind: 'execute', label, quorum };
}

function laneOf({ id, note, isByzantine, down }: LaneFacts, originMs: number, beginMs: number): Lane {
  return {
    label: `replica ${id}`,
    kind: 'replica',
    note,
    isByzantine,
    down: down
      .filter(({ untilMs }) => untilMs === undefined || untilMs > beginMs)
      .map(({ fromMs, untilMs }) => ({
        fromMs: Math.max(beginMs, fromMs) - originMs,
        untilMs: untilMs === undefined ? undefined : untilMs - originMs,
      })),
  };
}

/** What the scene is made of. */
export interface SceneParts {
  readonly seen: MessagesSeen;
  readonly lanes: readonly LaneFacts[];
  readonly notes: readonly Note[];
  /** Time that counts as zero. */
  readonly originMs: number;
  /** The latest time that is known. */
  readonly latestMs: number;
  readonly hasThreePhases: boolean;
}

/** When the scene begins; notes and gaps before it are not in it. */
function beginOf({ seen, latestMs }: SceneParts): number {
  const first = seen.messages[0];
  return Math.min(first === undefined ? latestMs : momentOf(first), seen.deeds[0]?.ms ?? latestMs);
}

/** See the top of this file. */
export function sceneOf(parts: SceneParts): Scene {
  const { seen, lanes, notes, originMs, latestMs } = parts;
  const beginMs = beginOf(parts);
  const known = seen.messages.filter(({ from, to }) => from < lanes.length && to < lanes.length);
  const marks = [
    ...seen.deeds.filter(({ replica }) => replica < lanes.length).map((deed) => deedMark(deed, known, parts)),
    ...notes
      .filter(({ atMs }) => atMs >= beginMs)
      .map(({ id, atMs, text }): Mark => {
        const what = { kind: 'fault', label: text, isConflict: false, quorum: [] } as const;
        return { id: -id, lane: undefined, atMs: atMs - originMs, ...what };
      }),
  ];
  return {
    lanes: lanes.map((lane) => laneOf(lane, originMs, beginMs)),
    arrows: known.map((message) => arrowOf(message, originMs, latestMs)),
    marks: marks.sort((a, b) => a.atMs - b.atMs),
  };
}

/** Fields of a message, as name and text. */
export function messageFields(message: LiveMessage): readonly (readonly [string, string])[] {
  const { from, to, label, sentMs, takenMs, refused, isUncertain } = message;
  const took = sentMs === undefined || takenMs === undefined ? undefined : takenMs - sentMs;
  const arrival =
    takenMs !== undefined
      ? `${clockText(takenMs)}${took === undefined ? '' : `, ${spanText(took)}`}`
      : isUncertain
        ? 'not known: the receiver did more than it could tell'
        : 'not so far';
  return [
    ['message', label.kind],
    ['way', `replica ${from} → replica ${to}`],
    ...(label.author === undefined ? [] : [['author', `replica ${label.author}`] as const]),
    ...(label.view === undefined ? [] : [['view', `${label.view}`] as const]),
    ...(label.sequence === undefined ? [] : [['sequence number', `${label.sequence}`] as const]),
    ...(label.counter === undefined ? [] : [['certified counter', `${label.counter}`] as const]),
    ...(label.about === undefined ? [] : [['batch', `${label.about}…`] as const]),
    ['sent', sentMs === undefined ? 'not told by its sender' : clockText(sentMs)],
    ['taken up', arrival],
    ...(refused === undefined ? [] : [['refused', refused] as const]),
  ];
}

/** What happened at a mark, and the messages that made its quorum. */
export function markFields(
  { lane, atMs, label, quorum }: Mark,
  messages: readonly LiveMessage[],
  originMs: number,
): readonly (readonly [string, string])[] {
  const votes = messages.filter(({ id }) => quorum.includes(id));
  return [
    ['what', label],
    ['where', lane === undefined ? 'done from this page' : `replica ${lane}`],
    ['when', clockText(originMs + atMs)],
    ...(votes.length === 0 ? [] : [['taken up before', votes.map(voteText).join(', ')] as const]),
  ];
}

function voteText({ from, label }: LiveMessage): string {
  return `${labelText(label)} from ${from}`;
}

function spanText(ms: number): string {
  return ms < 0 ? `${(-ms).toFixed(1)} ms before, by its own clock` : `${ms.toFixed(1)} ms later`;
}

/** Time of day, UTC, with milliseconds. */
export function clockText(ms: number): string {
  return Number.isFinite(new Date(ms).getTime()) ? new Date(ms).toISOString().slice(11, 23) : '?';
}

/** Which messages are shown, and how many are not. */
export function shownWords({ messages, notShown, missed }: MessagesSeen): string {
  if (messages.length === 0) return 'No messages yet.';
  const forgotten =
    missed === 0 ? '' : ` ${wholeText(missed)} things that replicas did were too many to be told.`;
  if (notShown === 0) return `A message is KIND nSEQUENCE vVIEW [author:certified counter].${forgotten}`;
  return (
    `A message is KIND nSEQUENCE vVIEW [author:certified counter]. The latest ${messages.length} are shown, ` +
    `${wholeText(notShown)} ${notShown === 1 ? 'other is' : 'others are'} not.${forgotten}`
  );
}

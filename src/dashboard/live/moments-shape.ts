/** What replicas did (`moments` of `/v1/live`), checked and bounded. */
import { ABOUT_CHARACTERS } from '../../core/live.ts';
import type { LiveMoment, MessageLabel } from '../../core/live.ts';
import { fieldsOf, listOf, numberOf, present, textOf, wholeOf } from './shapes.ts';
import type { Fields } from './shapes.ts';

/** Moments of one replica, oldest first. */
export interface MomentsEvent {
  readonly replica: number;
  readonly moments: readonly LiveMoment[];
  /** Moments that were forgotten before they could be shown. */
  readonly missed: number;
}

const MOMENTS_MAX = 500;
const ABOUT = new RegExp(`^[0-9a-f]{${ABOUT_CHARACTERS}}$`);

function aboutOf(fields: Fields): string | undefined {
  const text = textOf(fields['about'], ABOUT_CHARACTERS);
  return text !== undefined && ABOUT.test(text) ? text : undefined;
}

function labelOf(fields: Fields): MessageLabel | undefined {
  const kind = textOf(fields['kind'], 64);
  if (kind === undefined) return undefined;
  return present<MessageLabel>({
    kind,
    view: wholeOf(fields['view']),
    sequence: wholeOf(fields['sequence']),
    author: wholeOf(fields['author']),
    counter: wholeOf(fields['counter']),
    about: aboutOf(fields),
  });
}

function messageOf(at: 'sent' | 'taken', ms: number, fields: Fields): LiveMoment | undefined {
  const label = labelOf(fields);
  if (label === undefined) return undefined;
  if (at === 'sent') {
    const to = wholeOf(fields['to']);
    return { at, ms, ...label, ...(to === undefined ? {} : { to }) };
  }
  const from = wholeOf(fields['from']);
  if (from === undefined) return undefined;
  const refused = textOf(fields['refused'], 256);
  return { at, ms, from, ...label, ...(refused === undefined ? {} : { refused }) };
}

function momentOf(value: unknown): LiveMoment | undefined {
  const fields = fieldsOf(value);
  const ms = numberOf(fields?.['ms']);
  if (fields === undefined || ms === undefined) return undefined;
  const at = fields['at'];
  if (at === 'sent' || at === 'taken') return messageOf(at, ms, fields);
  if (at === 'view') {
    const view = wholeOf(fields['view']);
    return view === undefined ? undefined : { at, ms, view };
  }
  if (at !== 'executed') return undefined;
  const [sequence, height] = [wholeOf(fields['sequence']), wholeOf(fields['height'])];
  const requests = wholeOf(fields['requests']);
  if (sequence === undefined || height === undefined || requests === undefined) return undefined;
  const about = aboutOf(fields);
  return { at, ms, sequence, height, requests, ...(about === undefined ? {} : { about }) };
}

/** Moments of a replica; undefined if they are none. */
export function readMoments(value: unknown): MomentsEvent | undefined {
  const fields = fieldsOf(value);
  const replica = wholeOf(fields?.['replica']);
  const moments = listOf(fields?.['moments'], MOMENTS_MAX, momentOf);
  if (replica === undefined || moments === undefined) return undefined;
  return { replica, moments, missed: wholeOf(fields?.['missed']) ?? 0 };
}

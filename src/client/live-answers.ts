/**
 * Reads a replica's answer to `live`. It is one replica's word, and a Byzantine one may answer anything: what comes out
 * here has the shape that it should have, known fields only, and a bounded size.
 */
import type { LiveAnswer, LiveMoment, MessageLabel } from '../core/live.ts';
import { ABOUT_CHARACTERS, LIVE_MOMENTS_MAX } from '../core/live.ts';
import { integerOf, parseObject } from './proofs.ts';

/** Longest answer that is read; honest ones have half of it at most. */
const ANSWER_BYTES_MAX = 256 * 1024;
const CURSOR = /^[\x21-\x7e]{1,64}$/;
const KIND = /^[A-Za-z][A-Za-z0-9-]{0,39}$/;
const ABOUT = new RegExp(`^[0-9a-f]{${ABOUT_CHARACTERS}}$`);
const REASON = /^[\x20-\x7e]{1,80}$/;

type Fields = Readonly<Record<string, unknown>>;

/** The answer; undefined if it makes no sense. Moments that make none are left out. `replicas`: how many there are. */
export function readLiveAnswer(bytes: Uint8Array, replicas: number): LiveAnswer | undefined {
  const answer = bytes.length > ANSWER_BYTES_MAX ? undefined : parseObject(bytes);
  const cursor = answer?.['cursor'];
  const missed = integerOf(answer?.['missed']);
  const list = answer?.['moments'];
  if (typeof cursor !== 'string' || !CURSOR.test(cursor)) return undefined;
  if (missed === undefined || !Array.isArray(list)) return undefined;
  const moments: LiveMoment[] = [];
  for (const item of (list as readonly unknown[]).slice(0, LIVE_MOMENTS_MAX)) {
    const moment = readMoment(item, replicas);
    if (moment !== undefined) moments.push(moment);
  }
  return { cursor, moments, missed };
}

function readMoment(item: unknown, replicas: number): LiveMoment | undefined {
  if (typeof item !== 'object' || item === null) return undefined;
  const fields = item as Fields;
  const ms = integerOf(fields['ms']);
  if (ms === undefined) return undefined;
  switch (fields['at']) {
    case 'sent': {
      const label = readLabel(fields, replicas);
      const to = replicaOf(fields['to'], replicas);
      return label && { at: 'sent', ms, ...(to === undefined ? {} : { to }), ...label };
    }
    case 'taken': {
      const label = readLabel(fields, replicas);
      const from = replicaOf(fields['from'], replicas);
      const { refused } = fields;
      if (label === undefined || from === undefined) return undefined;
      const isRefused = typeof refused === 'string' && REASON.test(refused);
      return { at: 'taken', ms, from, ...(isRefused ? { refused } : {}), ...label };
    }
    case 'executed': {
      const [sequence, height, requests] = ['sequence', 'height', 'requests'].map((name) =>
        integerOf(fields[name]),
      );
      if (sequence === undefined || height === undefined || requests === undefined) return undefined;
      return { at: 'executed', ms, sequence, height, requests, ...readAbout(fields) };
    }
    case 'view': {
      const view = integerOf(fields['view']);
      return view === undefined ? undefined : { at: 'view', ms, view };
    }
    default:
      return undefined;
  }
}

function replicaOf(value: unknown, replicas: number): number | undefined {
  const number = integerOf(value);
  return number !== undefined && number < replicas ? number : undefined;
}

function readLabel(fields: Fields, replicas: number): MessageLabel | undefined {
  const { kind } = fields;
  if (typeof kind !== 'string' || !KIND.test(kind)) return undefined;
  const view = integerOf(fields['view']);
  const sequence = integerOf(fields['sequence']);
  const author = replicaOf(fields['author'], replicas);
  const counter = integerOf(fields['counter']);
  return {
    kind,
    ...(view === undefined ? {} : { view }),
    ...(sequence === undefined ? {} : { sequence }),
    ...(author === undefined ? {} : { author }),
    ...(counter === undefined ? {} : { counter }),
    ...readAbout(fields),
  };
}

function readAbout({ about }: Fields): { readonly about?: string } {
  return typeof about === 'string' && ABOUT.test(about) ? { about } : {};
}

/** Proposals for one number that differ: only a short name of what each proposes tells them apart. */
import type { Trace, TraceValue } from '../../sim/trace/trace.ts';
import { isFirstOfThree, purposeOf } from '../diagram/kinds.ts';

/** Fields of a proposal that name its batch, the most telling one first. */
const NAMING = ['batchDigest', 'batch', 'digest'] as const;
const NAME_LENGTH = 6;

/** The digest beside the content of an attested message is that of the message, not of a batch. */
function batchOf(fields: Readonly<Record<string, TraceValue>> = {}): string | undefined {
  const { content } = fields;
  if (typeof content === 'object' && content !== null && !Array.isArray(content))
    return batchOf(content as Readonly<Record<string, TraceValue>>);
  for (const name of NAMING) {
    const value = fields[name];
    if (typeof value === 'string') return value;
  }
  return undefined;
}

/** By number of the sending, for those that have a rival of the same view and sequence number. */
export function rivalNames({ events, contents }: Trace): ReadonlyMap<number, string> {
  const hasThreePhases = events.some((event) => event.kind === 'send' && isFirstOfThree(event.message));
  const batches = new Map<string, Set<string>>();
  const found: { readonly id: number; readonly place: string; readonly batch: string }[] = [];
  for (const event of events) {
    if (event.kind !== 'send' || event.sequence === undefined || event.content === undefined) continue;
    if (purposeOf(event.message, hasThreePhases) !== 'proposal') continue;
    const batch = batchOf(contents[event.content]);
    if (batch === undefined) continue;
    const place = `${event.view ?? 0}/${event.sequence}`;
    found.push({ id: event.id, place, batch });
    const known = batches.get(place);
    if (known === undefined) batches.set(place, new Set([batch]));
    else known.add(batch);
  }
  const rivals = found.filter(({ place }) => batches.get(place)!.size > 1);
  return new Map(rivals.map(({ id, batch }) => [id, batch.slice(0, NAME_LENGTH)]));
}

/** What a replica keeps in the durable map, and how it is read back (durable before anything depends on it). */
import { Reader, Writer } from '../../core/codec.ts';
import type { StoreEntry } from '../../core/protocol.ts';
import type { Digest, SequenceNumber, View } from '../../core/types.ts';
import type { Sealed, SealedCodec } from '../../smr/attested/sealed.ts';
import { isOf } from '../../smr/attested/sealed.ts';
import type { Position } from './history.ts';
import type { Message, NewView, OrderReq, ZyzzyvaContent } from './messages.ts';

const KEY = {
  view: 'view',
  confirmed: 'confirmed',
  entered: 'entered',
  certificate: 'certificate',
  order: 'order/',
} as const;
const DIGESTS_MAX = 65_536;
const QUOTED_MAX = 1_024;

/** How the present view was entered. */
export interface Entered {
  readonly view: View;
  /** Where the history began then, and what the base put after it. */
  readonly start: Position;
  readonly digests: readonly Digest[];
  readonly newView: Message<NewView>;
  /** The view certificate. */
  readonly confirms: readonly Sealed<ZyzzyvaContent>[];
}

/** What was found after a restart. */
export interface Durable {
  readonly view: View;
  /** Why the view before that was left. */
  readonly reason: readonly Sealed<ZyzzyvaContent>[];
  /** Highest view with a VIEW-CONFIRM of this replica. */
  readonly confirmed: View;
  readonly entered: Entered | undefined;
  /** Messages of maxCC. */
  readonly certificate: readonly Sealed<ZyzzyvaContent>[];
  /** Accepted in the present view, ascending. */
  readonly orders: readonly Message<OrderReq>[];
}

/** The view that this replica takes part in or has asked for, and why it left the one before. */
export function viewEntry(
  codec: SealedCodec<ZyzzyvaContent>,
  view: View,
  reason: readonly Sealed<ZyzzyvaContent>[] = [],
): StoreEntry {
  return { key: KEY.view, value: new Writer(256).u64(view).list(reason, codec.writeSealed).finish() };
}

/** The view for which this replica is about to give its one VIEW-CONFIRM. */
export function confirmEntry(view: View): StoreEntry {
  return { key: KEY.confirmed, value: new Writer(8).u64(view).finish() };
}

export function enteredEntry(codec: SealedCodec<ZyzzyvaContent>, entered: Entered): StoreEntry {
  const writer = new Writer(4096).u64(entered.view).u64(entered.start.length).digest(entered.start.history);
  writer.list(entered.digests, (w, digest) => w.digest(digest));
  codec.writeSealed(writer, entered.newView);
  return { key: KEY.entered, value: writer.list(entered.confirms, codec.writeSealed).finish() };
}

/** maxCC; undefined: that of the view that was entered. */
export function certificateEntry(
  codec: SealedCodec<ZyzzyvaContent>,
  messages: readonly Sealed<ZyzzyvaContent>[] | undefined,
): StoreEntry {
  return { key: KEY.certificate, value: messages && codec.encodeList(messages) };
}

export function orderEntry(codec: SealedCodec<ZyzzyvaContent>, order: Message<OrderReq>): StoreEntry {
  return { key: KEY.order + String(order.content.sequence), value: codec.encodeList([order]) };
}

/** Drops the orders of a range. */
export function dropOrders(after: SequenceNumber, through: SequenceNumber): StoreEntry[] {
  const entries: StoreEntry[] = [];
  for (let sequence = after + 1; sequence <= through; sequence += 1)
    entries.push({ key: KEY.order + String(sequence), value: undefined });
  return entries;
}

function readEntered(codec: SealedCodec<ZyzzyvaContent>, bytes: Uint8Array): Entered | undefined {
  const reader = new Reader(bytes);
  const view = reader.u64();
  const start = { length: reader.u64(), history: reader.digest() };
  const digests = reader.list(DIGESTS_MAX, (r) => r.digest());
  const newView = codec.readSealed(reader);
  const confirms = reader.list(QUOTED_MAX, codec.readSealed);
  return reader.done() && isOf(newView, 'NEW-VIEW') ? { view, start, digests, newView, confirms } : undefined;
}

/** Reads the durable map back. */
export function readDurable(
  codec: SealedCodec<ZyzzyvaContent>,
  stored: ReadonlyMap<string, Uint8Array>,
): Durable {
  const reader = (key: string): Reader | undefined => {
    const bytes = stored.get(key);
    return bytes && new Reader(bytes);
  };
  const view = reader(KEY.view);
  const confirmed = reader(KEY.confirmed);
  const entered = stored.get(KEY.entered);
  const certificate = stored.get(KEY.certificate);
  const orders: Message<OrderReq>[] = [];
  for (const [key, value] of stored) {
    if (!key.startsWith(KEY.order)) continue;
    const order = codec.decodeList(value)?.[0];
    if (isOf(order, 'ORDER-REQ')) orders.push(order);
  }
  return {
    view: view?.u64() ?? 0,
    reason: view?.list(QUOTED_MAX, codec.readSealed) ?? [],
    confirmed: confirmed?.u64() ?? 0,
    entered: entered && readEntered(codec, entered),
    certificate: (certificate && codec.decodeList(certificate)) ?? [],
    orders: orders.sort((a, b) => a.content.sequence - b.content.sequence),
  };
}

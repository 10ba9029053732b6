/** What replicas have said, bounded for each of them: a faulty one displaces only its own words. */
import type { ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import type { Sealed } from '../../smr/attested/sealed.ts';
import type { Message, OrderReq, SpecResponse, ZyzzyvaContent } from './messages.ts';
import { coreKey } from './messages.ts';

/** Views for which messages of one replica are kept; its lowest ones go first. */
const VIEWS_KEPT = 8;

/** One message of each replica for each view: IHTP, VIEW-CONFIRM. The first one stands. */
export class ByView<C extends ZyzzyvaContent & { readonly view: View }> {
  readonly #kept: Map<View, Message<C>>[];

  constructor(replicas: number) {
    this.#kept = Array.from({ length: replicas }, () => new Map<View, Message<C>>());
  }

  add(message: Message<C>): void {
    const kept = this.#kept[message.author];
    const { view } = message.content;
    if (kept === undefined || kept.has(view)) return;
    kept.set(view, message);
    if (kept.size > VIEWS_KEPT) kept.delete(Math.min(...kept.keys()));
  }

  /** What was said for a view, by replica. */
  of(view: View): Message<C>[] {
    return this.#kept.flatMap((kept) => {
      const message = kept.get(view);
      return message === undefined ? [] : [message];
    });
  }

  /** Views from `view` on for which anything was said, highest first. */
  viewsFrom(view: View): View[] {
    const views = new Set(this.#kept.flatMap((kept) => [...kept.keys()]));
    return [...views].filter((known) => known >= view).sort((a, b) => b - a);
  }

  dropBelow(view: View): void {
    for (const kept of this.#kept) for (const known of kept.keys()) if (known < view) kept.delete(known);
  }
}

/** ORDER-REQs of one view, accepted or waiting for those before them. */
export class OrderBook {
  readonly #orders = new Map<SequenceNumber, Message<OrderReq>>();

  get(sequence: SequenceNumber): Message<OrderReq> | undefined {
    return this.#orders.get(sequence);
  }

  /** Takes one in; gives the known one if that is another. */
  put(order: Message<OrderReq>): Message<OrderReq> | undefined {
    const { sequence } = order.content;
    const known = this.#orders.get(sequence);
    if (known === undefined) this.#orders.set(sequence, order);
    return known !== undefined && known.digest !== order.digest ? known : undefined;
  }

  /** Whether anything is known above a sequence number. */
  hasAbove(sequence: SequenceNumber): boolean {
    for (const known of this.#orders.keys()) if (known > sequence) return true;
    return false;
  }

  dropThrough(sequence: SequenceNumber): void {
    for (const known of this.#orders.keys()) if (known <= sequence) this.#orders.delete(known);
  }

  clear(): void {
    this.#orders.clear();
  }
}

/** Cores that replicas showed each other at boundaries of one view. */
export class CoreVotes {
  readonly #votes = new Map<SequenceNumber, Map<ReplicaId, Message<SpecResponse>>>();

  /** Takes one in; gives all that say the same. A replica that answers anew in one view (CKPT.6) replaces its word. */
  add(message: Message<SpecResponse>): readonly Sealed<ZyzzyvaContent>[] {
    const { sequence } = message.content;
    const votes = this.#votes.get(sequence) ?? new Map<ReplicaId, Message<SpecResponse>>();
    this.#votes.set(sequence, votes);
    votes.set(message.author, message);
    const key = coreKey(message.content);
    return [...votes.values()].filter(({ content }) => coreKey(content) === key);
  }

  dropThrough(sequence: SequenceNumber): void {
    for (const known of this.#votes.keys()) if (known <= sequence) this.#votes.delete(known);
  }

  clear(): void {
    this.#votes.clear();
  }
}

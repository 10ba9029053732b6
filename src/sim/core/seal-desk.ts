/**
 * Between machine and trusted component: one seal at a time, in the order of W1 to W3, as two times instead of three
 * events. What a crash in between leaves behind follows from these times.
 */
import type { Effect, UniqueIdentifier } from '../../core/protocol.ts';
import type { ReplicaId } from '../../core/types.ts';
import type { JournalImage } from '../../host/image.ts';
import type { Chance } from '../chance.ts';
import { SITE } from '../chance.ts';
import type { EventQueue } from '../event-queue.ts';
import type { CoreDisk } from './disk.ts';
import { SEAL_BYTES } from './seal-book.ts';
import type { CoreTrusted } from './trusted.ts';

/** A wish of the protocol for a seal. */
export type SealEffect = Extract<Effect<never>, { kind: 'seal' }>;

/** What the desk is made of. */
export interface CoreSealDeskOptions {
  readonly self: ReplicaId;
  readonly trusted: CoreTrusted;
  /** How long the component takes from question to answer, milliseconds. */
  readonly latency: { readonly lowMs: number; readonly highMs: number };
  readonly disk: CoreDisk;
  readonly queue: EventQueue;
  readonly chance: Chance;
  /** The component has answered: the machine calls `finish` when it gets to it. */
  readonly onAnswer: () => void;
}

interface OpenSeal {
  readonly wish: SealEffect;
  /** Records that must be durable first. */
  readonly length: number;
  readonly syncedAt: number;
  /** When the component does its work: half-way between question and answer. */
  readonly certifiesAt: number;
}

/** See the top of this file. */
export class CoreSealDesk {
  readonly #options: CoreSealDeskOptions;
  #open: OpenSeal | undefined;

  constructor(options: CoreSealDeskOptions) {
    this.#options = options;
  }

  /** Asks for a seal; why the machine must stop, if it must. */
  ask(wish: SealEffect, image: JournalImage): string | undefined {
    const { disk, queue, chance, latency, self, onAnswer } = this.#options;
    if (this.#open !== undefined) return 'two seals were asked for at once';
    if (wish.tcEpoch !== image.tcEpoch) return 'a seal was asked for under a retired tcEpoch';
    const { tcEpoch, counter, digest, draft } = wish;
    image.own.set(counter, { counter, digest, draft, authenticator: undefined });
    disk.append({ kind: 'intent', tcEpoch, counter, digest, draft });
    const syncedAt = disk.syncDoneAt();
    const takes = chance.range(SITE.trusted, self, latency.lowMs, latency.highMs);
    const open = { wish, length: disk.length, syncedAt, certifiesAt: syncedAt + takes / 2 };
    this.#open = open;
    queue.after(syncedAt + takes - queue.now, () => {
      if (this.#open === open) onAnswer();
    });
    return undefined;
  }

  /** Takes the answer: the seal, or why the machine must stop. */
  finish(image: JournalImage): UniqueIdentifier | string {
    const { disk, trusted, self } = this.#options;
    const { wish, length } = this.#open!;
    this.#open = undefined;
    disk.markSynced(length);
    const { tcEpoch, counter } = wish;
    const value = trusted.certify(wish.digest);
    if (trusted.key.tcEpoch !== tcEpoch || value !== counter)
      return `the trusted component certified counter ${value} where ${counter} was expected`;
    image.own.get(counter)!.authenticator = SEAL_BYTES;
    disk.append({ kind: 'certificate', tcEpoch, counter, authenticator: SEAL_BYTES });
    return { replica: self, tcEpoch, counter, authenticator: SEAL_BYTES };
  }

  /** A crash may fall before, between or after the sync of the intent and the work of the component. */
  crash(): void {
    const { disk, queue, trusted } = this.#options;
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    if (queue.now >= open.syncedAt) disk.markSynced(open.length);
    if (queue.now >= open.certifiesAt) trusted.certify(open.wish.digest);
  }
}

/**
 * Between machine and whoever vouches for its messages (H6): what was asked for at one moment becomes durable together,
 * then host key or trusted component give their word, in order. What a crash leaves behind follows from the times.
 */
import type { Attestation, Attestor } from '../../core/attestation.ts';
import type { Effect, Input } from '../../core/protocol.ts';
import type { Digest, ReplicaId } from '../../core/types.ts';
import type { Chance } from '../chance.ts';
import { SITE } from '../chance.ts';
import type { EventQueue } from '../event-queue.ts';
import type { AttestRecord, CoreImage } from './core-image.ts';
import type { CoreDisk } from './disk.ts';
import type { CoreTrusted } from './trusted.ts';

/** A wish of the protocol for somebody's word. */
export type AttestEffect = Extract<Effect<never>, { kind: 'attest' }>;
/** Sites of this latency are apart from those of seals. */
const SITE_BASE = 256;

/** What the desk is made of. */
export interface CoreAttestDeskOptions {
  readonly self: ReplicaId;
  readonly trusted: CoreTrusted;
  /** How long the component takes from question to answer, milliseconds. */
  readonly latency: { readonly lowMs: number; readonly highMs: number };
  readonly disk: CoreDisk;
  readonly queue: EventQueue;
  readonly chance: Chance;
  readonly signAsHost: (digest: Digest) => Uint8Array;
  /** What was asked for at one moment is answered: the machine calls `finish` when it gets to it. */
  readonly onAnswer: (group: AttestGroup) => void;
}

/** Messages of one moment. */
export interface AttestGroup {
  readonly askedAt: number;
  readonly syncedAt: number;
  /** Records that must be durable first. */
  length: number;
  readonly wishes: AttestRecord[];
  /** When the component does its work: half-way between question and answer. */
  certifiesAt: number;
}

/** One answer: a word, or that the value is spent. */
export type AttestAnswer = Extract<Input<never>, { kind: 'attested' | 'refused' }>;

/** See the top of this file. */
export class CoreAttestDesk {
  readonly #options: CoreAttestDeskOptions;
  #open: AttestGroup[] = [];

  constructor(options: CoreAttestDeskOptions) {
    this.#options = options;
  }

  /** Asks for a word; why the machine must stop, if it must. */
  ask({ id, digest, draft, by }: AttestEffect, image: CoreImage): string | undefined {
    if (image.lastId !== 0 && id !== image.lastId + 1)
      return `own message ${id} was to be attested after ${image.lastId}`;
    const { disk, queue } = this.#options;
    const record: AttestRecord = { kind: 'core-attest', id, digest, draft, by };
    image.take(record);
    disk.append(record);
    const last = this.#open.at(-1);
    if (last?.askedAt === queue.now) {
      last.wishes.push(record);
      last.length = disk.length;
      return undefined;
    }
    const syncedAt = disk.syncDoneAt();
    const group = {
      askedAt: queue.now,
      syncedAt,
      length: disk.length,
      wishes: [record],
      certifiesAt: syncedAt,
    };
    this.#open.push(group);
    queue.after(syncedAt - queue.now, () => this.#onSynced(group));
    return undefined;
  }

  #onSynced(group: AttestGroup): void {
    if (!this.#open.includes(group)) return;
    const { queue, chance, latency, self, onAnswer } = this.#options;
    const objects = group.wishes.filter(({ by }) => by.kind === 'object').length;
    if (objects === 0) return onAnswer(group);
    const takes = chance.range(SITE.trusted, SITE_BASE + self, latency.lowMs, latency.highMs) * objects;
    group.certifiesAt = queue.now + takes / 2;
    queue.after(takes, () => {
      if (this.#open.includes(group)) onAnswer(group);
    });
  }

  /** Takes the answers of a group, in order; groups before it that wait are answered first. */
  finish(group: AttestGroup): readonly AttestAnswer[] {
    const answers: AttestAnswer[] = [];
    while (this.#open.includes(group)) {
      const first = this.#open.shift()!;
      this.#options.disk.markSynced(first.length);
      for (const wish of first.wishes) answers.push(this.#answer(wish));
    }
    return answers;
  }

  #answer({ id, by, digest }: AttestRecord): AttestAnswer {
    const attestation = this.vouch(by, digest);
    if (attestation !== undefined) return { kind: 'attested', id, attestation };
    return { kind: 'refused', id };
  }

  /** Gives the word for a digest. */
  vouch(by: Attestor, digest: Digest): Attestation | undefined {
    const { self, signAsHost, trusted } = this.#options;
    switch (by.kind) {
      case 'link':
        return { kind: 'link', replica: self };
      case 'host':
        return { kind: 'host', replica: self, signature: signAsHost(digest) };
      case 'object':
        return trusted.assign(by, digest);
    }
  }

  /** A crash may fall before, between or after the sync and the work of the component. */
  crash(): void {
    const { disk, queue } = this.#options;
    for (const { syncedAt, certifiesAt, length, wishes } of this.#open) {
      if (queue.now < syncedAt) break;
      disk.markSynced(length);
      if (queue.now < certifiesAt) break;
      for (const { by, digest } of wishes) if (by.kind === 'object') this.vouch(by, digest);
    }
    this.#open = [];
  }
}

/**
 * What the store of a modelled machine holds beside the journal of the real host: own attested messages, updates that
 * were applied, and where the final part of the history ends. Records are objects; only what is durable comes back.
 */
import type { Attestation, AttestedDraft, Attestor } from '../../core/attestation.ts';
import type { Digest, SequenceNumber } from '../../core/types.ts';
import { JournalImage } from '../../host/image.ts';
import type { JournalRecord } from '../../host/records.ts';
import type { TcEpoch } from '../../core/types.ts';

/** An own message that somebody is to vouch for. */
export interface AttestRecord {
  readonly kind: 'core-attest';
  readonly id: number;
  readonly digest: Digest;
  readonly draft: Uint8Array;
  readonly by: Attestor;
}

/** One record of a modelled store. */
export type CoreRecord =
  | JournalRecord
  | AttestRecord
  | { readonly kind: 'core-trim'; readonly below: number }
  | {
      readonly kind: 'core-applied';
      readonly sequence: SequenceNumber;
      readonly update: Uint8Array;
      readonly protocolState: Uint8Array;
    };

/** A step of the history that a start takes again: the batch by its digest, or an update. */
export interface ReplayStep {
  readonly sequence: SequenceNumber;
  readonly batch?: Digest;
  readonly update?: Uint8Array;
  readonly protocolState: Uint8Array | undefined;
}

/** See the top of this file. */
export class CoreImage {
  readonly journal: JournalImage;
  /** Own attested messages that were not trimmed, ascending by id. */
  readonly attested = new Map<number, AttestRecord>();
  readonly #updates = new Map<SequenceNumber, ReplayStep>();
  /** Highest id that was ever asked for here. */
  lastId = 0;

  constructor(tcEpoch: TcEpoch) {
    this.journal = new JournalImage(tcEpoch);
  }

  take(record: CoreRecord): void {
    switch (record.kind) {
      case 'core-attest':
        this.attested.set(record.id, record);
        this.lastId = Math.max(this.lastId, record.id);
        return;
      case 'core-trim':
        for (const id of this.attested.keys()) if (id < record.below) this.attested.delete(id);
        return;
      case 'core-applied':
        this.#updates.set(record.sequence, record);
        return;
      default:
        this.journal.take(record);
    }
  }

  /** A durable snapshot at `sequence` exists. */
  coverThrough(sequence: SequenceNumber): void {
    this.journal.coverThrough(sequence);
    for (const known of this.#updates.keys()) if (known <= sequence) this.#updates.delete(known);
  }

  /** Everything that was executed or applied above `sequence`, ascending. */
  stepsAbove(sequence: SequenceNumber): readonly ReplayStep[] {
    const steps: ReplayStep[] = [...this.journal.executed, ...this.#updates.values()];
    return steps.filter((step) => step.sequence > sequence).sort((a, b) => a.sequence - b.sequence);
  }

  /** A transferred state replaces the whole history. */
  forgetSteps(): void {
    this.journal.executed = [];
    this.#updates.clear();
  }

  /** Numbers of things that it keeps. */
  get sizes(): Readonly<Record<string, number>> {
    const { sizes, own, executed } = this.journal;
    const { attested } = this;
    return {
      ...sizes,
      own: own.size,
      executed: executed.length + this.#updates.size,
      attested: attested.size,
    };
  }

  /**
   * Own messages with the word for each; `vouch` gives it again, or for the first time if the crash came before. What
   * nobody vouches for never left the machine, and is dropped.
   */
  attestedDrafts(vouch: (by: Attestor, digest: Digest) => Attestation | undefined): readonly AttestedDraft[] {
    const drafts: AttestedDraft[] = [];
    for (const { id, digest, draft, by } of [...this.attested.values()].sort((a, b) => a.id - b.id)) {
      const attestation = vouch(by, digest);
      if (attestation === undefined) this.attested.delete(id);
      else drafts.push({ id, digest, draft, attestation });
    }
    return drafts;
  }
}

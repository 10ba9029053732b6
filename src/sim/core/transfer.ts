/**
 * State transfer as the core fidelity models it: after a few round trips a source that is up and reachable gives the
 * state whose digest is certified. Sources that do not have it are left out; those that do not answer are asked again.
 */
import type { CheckpointState } from '../../core/protocol.ts';
import type { ReplicaId, SequenceNumber } from '../../core/types.ts';
import type { Chance } from '../chance.ts';
import { SITE } from '../chance.ts';
import type { EventQueue } from '../event-queue.ts';
import type { FrozenService } from './service.ts';

/** Without an answer for so long the next source is asked, as in the real machine. */
const PATIENCE_MS = 400;
/** Sites of decisions are apart from those of links. */
const SITE_BASE = 4096;

/** What came of asking a source. `roundTripMs`: what a question and its answer take at this time. */
export type TransferAnswer =
  | { readonly kind: 'silent' }
  | { readonly kind: 'gone'; readonly roundTripMs: number }
  | { readonly kind: 'state'; readonly state: FrozenService; readonly roundTripMs: number };

/** What a transfer is made of. */
export interface CoreTransferOptions {
  readonly self: ReplicaId;
  readonly queue: EventQueue;
  readonly chance: Chance;
  readonly ask: (source: ReplicaId, checkpoint: CheckpointState) => TransferAnswer;
  readonly executed: () => SequenceNumber;
  readonly install: (state: FrozenService) => void;
  readonly failed: (sequence: SequenceNumber) => void;
}

interface Target {
  readonly checkpoint: CheckpointState;
  readonly sources: ReplicaId[];
  /** Questions in a row that nobody answered. */
  silences: number;
}

/** See the top of this file. */
export class CoreTransfer {
  readonly #options: CoreTransferOptions;
  #target: Target | undefined;

  constructor(options: CoreTransferOptions) {
    this.#options = options;
  }

  /** Fetches the state of a checkpoint; a newer wish replaces an older one. */
  begin(checkpoint: CheckpointState, sources: readonly ReplicaId[]): void {
    const others = sources.filter((source) => source !== this.#options.self);
    this.#target = { checkpoint, sources: others, silences: 0 };
    this.#later(this.#target, 0);
  }

  stop(): void {
    this.#target = undefined;
  }

  #later(target: Target, delayMs: number): void {
    this.#options.queue.after(delayMs, () => {
      if (this.#target === target) this.#ask(target);
    });
  }

  #ask(target: Target): void {
    const { ask, chance, self } = this.#options;
    const source = target.sources[0];
    if (source === undefined) return this.#fail(target);
    const answer = ask(source, target.checkpoint);
    target.silences = answer.kind === 'silent' ? target.silences + 1 : 0;
    if (answer.kind === 'silent') {
      // As in the real machine: all that are left are silent, and by now others have a newer checkpoint.
      if (target.silences > target.sources.length) return this.#fail(target);
      target.sources.push(target.sources.shift()!);
      return this.#later(target, PATIENCE_MS);
    }
    if (answer.kind === 'gone') {
      target.sources.shift();
      return this.#later(target, answer.roundTripMs);
    }
    // Levels of the hash tree, chunks, blocks: a few questions, one after the other.
    const roundTrips = chance.range(SITE.delay, SITE_BASE + self, 1, 4);
    this.#options.queue.after(answer.roundTripMs * roundTrips, () => {
      if (this.#target === target) this.#finish(target, answer.state);
    });
  }

  #finish(target: Target, state: FrozenService): void {
    if (state.sequence <= this.#options.executed()) return this.#fail(target);
    this.#target = undefined;
    this.#options.install(state);
  }

  #fail(target: Target): void {
    this.#target = undefined;
    this.#options.failed(target.checkpoint.sequence);
  }
}

/** Where the frames of one machine leave: others see of a Byzantine one only what bytes can say. */
import type { ReplicaId } from '../../core/types.ts';
import type { CoreFrame } from './frame.ts';
import type { CoreMachineOptions } from './machine-options.ts';

/** What an outbox needs of its machine. */
type OutboxOptions<M extends object> = Pick<
  CoreMachineOptions<M>,
  'id' | 'isCorrect' | 'batches' | 'genesis' | 'toPeer'
>;

/** See the top of this file. */
export class CoreOutbox<M extends object> {
  readonly #options: OutboxOptions<M>;

  constructor(options: OutboxOptions<M>) {
    this.#options = options;
  }

  /** Sends a frame to one replica, or to all others. */
  send(frame: CoreFrame<M>, to?: ReplicaId): void {
    const { id, isCorrect, batches, genesis, toPeer } = this.#options;
    if (to === id) return;
    const sent = isCorrect ? frame : batches.asDecoded(frame);
    if (sent === undefined) return;
    if (to !== undefined) return toPeer(to, sent);
    const { length } = genesis.settings.members;
    for (let other = 0; other < length; other += 1) if (other !== id) toPeer(other, sent);
  }
}

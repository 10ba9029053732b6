/**
 * Whether a replica process may talk to its peers: a fault for local clusters. Only the parent process can turn it, over
 * the channel that it opened to this one; a replica that nobody supervises has no such channel. It is on after a start.
 */

/** What the supervisor says over the channel. */
interface PartitionOrder {
  readonly kind: 'partition';
  readonly isCutOff: boolean;
}

/** The order that makes a replica cut itself off from its peers, or talk to them again. */
export function partitionOrder(isCutOff: boolean): Record<string, string | boolean> {
  return { kind: 'partition', isCutOff } satisfies PartitionOrder;
}

/** See the top of this file. */
export class LinkSwitch {
  #isCutOff = false;
  #onTurn: ((isCutOff: boolean) => void) | undefined;

  /** Whether this replica is cut off from all other replicas. */
  get isCutOff(): boolean {
    return this.#isCutOff;
  }

  /** Who is told when it is turned; at once, if it was turned before. */
  onTurn(told: (isCutOff: boolean) => void): void {
    this.#onTurn = told;
    if (this.#isCutOff) told(true);
  }

  /** Takes what came over the channel; everything but an order of this kind is passed over. */
  obey(message: unknown): void {
    const { kind, isCutOff } = (message ?? {}) as Partial<PartitionOrder>;
    if (kind !== 'partition' || typeof isCutOff !== 'boolean' || isCutOff === this.#isCutOff) return;
    this.#isCutOff = isCutOff;
    this.#onTurn?.(isCutOff);
  }
}

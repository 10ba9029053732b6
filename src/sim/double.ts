/**
 * Two machines behind one identity: a forker's own, and a second one on the cloned component. Each peer sees one of
 * them; which one is fixed, so that neither learns from its peers what the other does.
 */
import { Prng } from '../core/prng.ts';
import type { ReplicaId } from '../core/types.ts';
import type { EventQueue } from './event-queue.ts';
import type { Machine } from './machine.ts';
import type { Scenario } from './scenario.ts';

/** Until the links of a started machine are up, milliseconds. */
const LINKS_MS = 5;

/** See the top of this file. Does nothing for a replica that is not doubled. */
export class Double<T extends Machine<never>> {
  readonly #scenario: Scenario;
  readonly #id: ReplicaId;
  readonly #queue: EventQueue;
  #second: T | undefined;

  constructor(scenario: Scenario, id: ReplicaId, queue: EventQueue) {
    this.#scenario = scenario;
    this.#id = id;
    this.#queue = queue;
  }

  /** The second machine; undefined before it runs. */
  get second(): T | undefined {
    return this.#second;
  }

  /** Whether this peer stands before the second machine. */
  faces(peer: ReplicaId): boolean {
    return this.#second !== undefined && this.#scenario.forker!.others.includes(peer);
  }

  /** Plans its start, if the scenario doubles this replica. */
  plan(make: (random: Prng) => T): void {
    const { forker, seed, n } = this.#scenario;
    if (forker?.replica !== this.#id || forker.strategy !== 'double') return;
    this.#queue.after(forker.atMs, () => {
      const second = make(new Prng(seed + 3));
      this.#second = second;
      second.start();
      this.#queue.after(LINKS_MS, () => {
        for (let peer = 0; peer < n; peer += 1) if (peer !== this.#id) second.onPeerUp(peer);
      });
    });
  }
}

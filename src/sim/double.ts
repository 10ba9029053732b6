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

/** How one replica is two machines. */
export interface Doubling {
  readonly replica: ReplicaId;
  /** Who stands before the second machine. */
  readonly others: readonly ReplicaId[];
  /** When the second one begins, milliseconds. */
  readonly atMs: number;
  /** What its disk holds at first. */
  readonly disk: 'copied' | 'empty';
  /** `shared`: both ask one component. `cloned`: it has a copy under the same key. `other`: one with a key of its own. */
  readonly component: 'shared' | 'cloned' | 'other';
  /** Clients with an even number stand before the first machine, the others before the second. Absent: all before both. */
  readonly dividesClients?: boolean;
}

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
    return this.#second !== undefined && this.doubling!.others.includes(peer);
  }

  /** Which machines a client stands before. */
  forClient(client: number, first: T): readonly T[] {
    const second = this.#second;
    if (second === undefined) return [first];
    if (this.doubling?.dividesClients !== true) return [first, second];
    return [client % 2 === 0 ? first : second];
  }

  /** How this replica is doubled; undefined if it is not. */
  get doubling(): Doubling | undefined {
    const { forker, family } = this.#scenario;
    const twin = family?.twins.find(({ replica }) => replica === this.#id);
    if (twin !== undefined) return twin;
    if (forker?.replica !== this.#id || forker.strategy !== 'double') return undefined;
    const component = forker.way === 'restart' && forker.fence ? 'other' : 'cloned';
    return { ...forker, component };
  }

  /** Plans its start, if the scenario doubles this replica. */
  plan(make: (random: Prng) => T): void {
    const { seed, n } = this.#scenario;
    const { doubling } = this;
    if (doubling === undefined) return;
    this.#queue.after(doubling.atMs, () => {
      const second = make(new Prng(seed + 3));
      this.#second = second;
      second.start();
      this.#queue.after(LINKS_MS, () => {
        for (let peer = 0; peer < n; peer += 1) if (peer !== this.#id) second.onPeerUp(peer);
      });
    });
  }
}

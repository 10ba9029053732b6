/**
 * Links between replicas as the simulator sees them: delay with a long tail, loss, duplication, reordering, and
 * partitions that may hold in one direction only. Which frame meets which fate is decided by `Chance`.
 */
import type { ReplicaId } from '../core/types.ts';
import type { Chance } from './chance.ts';
import { SITE } from './chance.ts';
import type { EventQueue } from './event-queue.ts';

/** How links behave. Probabilities in [0, 1], delays in milliseconds. */
export interface NetworkSettings {
  readonly delayLowMs: number;
  readonly delayHighMs: number;
  /** Share of frames that take up to `tailFactor` times the highest delay. */
  readonly tailProbability: number;
  readonly tailFactor: number;
  readonly loss: number;
  readonly duplication: number;
  /** If false, a link delivers in the order of sending. */
  readonly reordering: boolean;
}

/** A calm local network: what is left when the faults have stopped. */
export const CALM_NETWORK: NetworkSettings = {
  delayLowMs: 0.2,
  delayHighMs: 2,
  tailProbability: 0,
  tailFactor: 1,
  loss: 0,
  duplication: 0,
  reordering: true,
};

/** All links of a cluster; `F` is what travels over them. */
export class Network<F = Uint8Array> {
  readonly #n: number;
  readonly #queue: EventQueue;
  readonly #chance: Chance;
  readonly #deliver: (from: ReplicaId, to: ReplicaId, frame: F) => void;
  readonly #blocked: Uint8Array;
  readonly #lastArrival: Float64Array;
  #settings: NetworkSettings;
  /** Frames that entered a link. */
  sent = 0;
  /** Frames that were lost on purpose or by a partition. */
  lost = 0;

  constructor(
    n: number,
    queue: EventQueue,
    chance: Chance,
    settings: NetworkSettings,
    deliver: (from: ReplicaId, to: ReplicaId, frame: F) => void,
  ) {
    this.#n = n;
    this.#queue = queue;
    this.#chance = chance;
    this.#settings = settings;
    this.#deliver = deliver;
    this.#blocked = new Uint8Array(n * n);
    this.#lastArrival = new Float64Array(n * n);
  }

  /** Changes how links behave from now on; frames on their way keep their fate. */
  configure(settings: NetworkSettings): void {
    this.#settings = settings;
  }

  /** Blocks or opens one direction of a link. Blocks nest: each must be opened as often as it was blocked. */
  block(from: ReplicaId, to: ReplicaId, blocked: boolean): void {
    const link = from * this.#n + to;
    this.#blocked[link] = Math.max(0, this.#blocked[link]! + (blocked ? 1 : -1));
  }

  /** Opens every link. */
  healAll(): void {
    this.#blocked.fill(0);
  }

  /** Whether frames pass in this direction. */
  isOpen(from: ReplicaId, to: ReplicaId): boolean {
    return this.#blocked[from * this.#n + to] === 0;
  }

  /** Puts a frame on a link. */
  send(from: ReplicaId, to: ReplicaId, frame: F): void {
    const link = from * this.#n + to;
    this.sent += 1;
    if (this.#blocked[link]! > 0 || this.#chance.happens(SITE.loss, link, this.#settings.loss)) {
      this.lost += 1;
      return;
    }
    this.#schedule(from, to, link, frame);
    if (this.#chance.happens(SITE.duplicate, link, this.#settings.duplication))
      this.#schedule(from, to, link, frame);
  }

  #schedule(from: ReplicaId, to: ReplicaId, link: number, frame: F): void {
    const { delayLowMs, delayHighMs, tailProbability, tailFactor, reordering } = this.#settings;
    let delay = this.#chance.range(SITE.delay, link, delayLowMs, delayHighMs);
    if (this.#chance.happens(SITE.tail, link, tailProbability)) delay *= tailFactor;
    if (!reordering) {
      const earliest = this.#lastArrival[link]!;
      delay = Math.max(delay, earliest - this.#queue.now);
      this.#lastArrival[link] = this.#queue.now + delay;
    }
    // A frame that left before a partition began is lost with it if it arrives while the link is cut.
    this.#queue.after(delay, () => {
      if (this.#blocked[link] === 0) this.#deliver(from, to, frame);
    });
  }
}

/**
 * Links between replicas as the simulator sees them: distance, delay with a long tail, loss, duplication (late copies
 * too), reordering, bandwidth with its queue, and cuts that may hold in one direction only. Which frame meets which fate
 * is decided by `Chance`. `F` is what travels: bytes in one fidelity, objects in another.
 */
import type { Milliseconds, ReplicaId } from '../core/types.ts';
import type { Chance } from './chance.ts';
import { SITE } from './chance.ts';
import type { EventQueue } from './event-queue.ts';

/** How links behave. Probabilities in [0, 1], delays in milliseconds. */
export interface NetworkSettings {
  /** A frame takes between these two, besides the distance. */
  readonly delayLowMs: number;
  readonly delayHighMs: number;
  /** Share of frames that take up to `tailFactor` times as long. */
  readonly tailProbability: number;
  readonly tailFactor: number;
  readonly loss: number;
  readonly duplication: number;
  /** If false, a link delivers in the order of sending. */
  readonly reordering: boolean;
  /** Where each replica stands, for people (names of `regions.ts`). */
  readonly places?: readonly string[];
  /** One-way distance from each replica (row) to each (column), in milliseconds. Absent: none. */
  readonly distanceMs?: readonly (readonly Milliseconds[])[];
  /** One-way distance of each client (row) to each replica. Absent: none. */
  readonly clientDistanceMs?: readonly (readonly Milliseconds[])[];
  /** Bytes that a link between two replicas carries in a millisecond; more waits in line. Absent: any number. */
  readonly bytesPerMs?: number;
  /** The second copy of a frame comes up to this much later. Absent: as any other frame. */
  readonly duplicateLagMs?: number;
}

/** Size of a frame where frames have no bytes. */
const USUAL_FRAME_BYTES = 400;

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

/** The same network in good health: distances stay, the rest is that of a calm local network. */
export function calmOf(settings: NetworkSettings): NetworkSettings {
  const { distanceMs, clientDistanceMs } = settings;
  return {
    ...CALM_NETWORK,
    ...(distanceMs === undefined ? {} : { distanceMs }),
    ...(clientDistanceMs === undefined ? {} : { clientDistanceMs }),
  };
}

/** All links of a cluster. */
export class Network<F = Uint8Array> {
  readonly #n: number;
  readonly #queue: EventQueue;
  readonly #chance: Chance;
  readonly #deliver: (from: ReplicaId, to: ReplicaId, frame: F) => void;
  readonly #sizeOf: (frame: F) => number;
  readonly #blocked: Uint8Array;
  readonly #lastArrival: Float64Array;
  /** By link: until when what was sent before keeps it busy. */
  readonly #busyUntil: Float64Array;
  readonly #distance: Float64Array;
  #settings: NetworkSettings;
  /** Frames that entered a link. */
  sent = 0;
  /** Frames that were lost on purpose or by a cut. */
  lost = 0;
  /** Frames that were sent twice. */
  duplicated = 0;
  /** Frames that waited for those before them. */
  queued = 0;

  /** `sizeOf`: bytes of a frame, asked for only if links have a bandwidth; all alike if it is left out. */
  constructor(
    n: number,
    queue: EventQueue,
    chance: Chance,
    settings: NetworkSettings,
    deliver: (from: ReplicaId, to: ReplicaId, frame: F) => void,
    sizeOf: (frame: F) => number = () => USUAL_FRAME_BYTES,
  ) {
    this.#n = n;
    this.#queue = queue;
    this.#chance = chance;
    this.#deliver = deliver;
    this.#sizeOf = sizeOf;
    this.#blocked = new Uint8Array(n * n);
    this.#lastArrival = new Float64Array(n * n);
    this.#busyUntil = new Float64Array(n * n);
    this.#distance = new Float64Array(n * n);
    this.#settings = settings;
    this.configure(settings);
  }

  /** Changes how links behave from now on; frames on their way keep their fate. */
  configure(settings: NetworkSettings): void {
    this.#settings = settings;
    for (let link = 0; link < this.#distance.length; link += 1)
      this.#distance[link] = settings.distanceMs?.[Math.floor(link / this.#n)]?.[link % this.#n] ?? 0;
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
    this.#schedule(link, frame, 0);
    if (this.#chance.happens(SITE.duplicate, link, this.#settings.duplication)) {
      this.duplicated += 1;
      const { duplicateLagMs } = this.#settings;
      const lag = duplicateLagMs === undefined ? 0 : this.#chance.range(SITE.lag, link, 0, duplicateLagMs);
      this.#schedule(link, frame, lag);
    }
  }

  #schedule(link: number, frame: F, lag: number): void {
    const { delayLowMs, delayHighMs, tailProbability, tailFactor, reordering, bytesPerMs } = this.#settings;
    let delay = this.#chance.range(SITE.delay, link, delayLowMs, delayHighMs) + this.#distance[link]!;
    if (this.#chance.happens(SITE.tail, link, tailProbability)) delay *= tailFactor;
    if (bytesPerMs !== undefined) delay += this.#inLine(link, this.#sizeOf(frame) / bytesPerMs);
    if (!reordering) {
      const earliest = this.#lastArrival[link]!;
      delay = Math.max(delay, earliest - this.#queue.now);
      this.#lastArrival[link] = this.#queue.now + delay;
    }
    // A frame that left before a cut began is lost with it if it arrives while the link is cut.
    this.#queue.afterWith(delay + lag, this.#arrive, frame, link);
  }

  /** A frame has come to the end of its link. */
  readonly #arrive = (frame: F, link: number): void => {
    if (this.#blocked[link] !== 0) return;
    const to = link % this.#n;
    this.#deliver((link - to) / this.#n, to, frame);
  };

  /** How long a frame waits for those before it and then takes to go out. */
  #inLine(link: number, takesMs: number): number {
    const { now } = this.#queue;
    const starts = Math.max(now, this.#busyUntil[link]!);
    if (starts > now) this.queued += 1;
    this.#busyUntil[link] = starts + takesMs;
    return starts + takesMs - now;
  }
}

/**
 * What all liars of one cluster have in common: a plan that each can work out by itself, a memory that outlives
 * restarts of a machine, and a listener to the lies that are told.
 */
import type { CounterValue, ReplicaId, TcEpoch, View } from '../core/types.ts';
import { Prng } from '../core/prng.ts';
import type { Behaviour } from './behaviours.ts';
import { Overheard } from './strategies/overheard.ts';

/** What a primary of the coalition does in its view. */
export type Conduct = 'mute' | 'fork' | 'honest';

/** What a liar's disk does not hold: what its logic believes, where something else was sealed. */
export interface LiarMemory {
  tcEpoch: TcEpoch | undefined;
  /** Encoded draft that the logic asked for, by counter. */
  readonly believed: Map<CounterValue, Uint8Array>;
  /** Counter values that were used without the logic having asked for them yet. */
  readonly taken: Set<CounterValue>;
  readonly heard: Overheard;
}

/** Told a lie: who told it, and `behaviour/kind`. */
export type LieListener = (replica: ReplicaId, lie: string) => void;

/** See the top of this file. */
export class Conspiracy {
  /** Replicas that act on the plan. */
  readonly members: ReadonlySet<ReplicaId>;
  /** One half of the replicas: what a fork shows first. */
  readonly half: ReadonlySet<ReplicaId>;
  readonly #conduct: readonly Conduct[];
  readonly #memories = new Map<ReplicaId, LiarMemory>();
  readonly #onLie: LieListener | undefined;

  /** `members`: the coalition. Equal seeds give equal plans, so liars in different processes need not talk. */
  constructor(seed: number, n: number, members: Iterable<ReplicaId>, onLie?: LieListener) {
    this.#onLie = onLie;
    const random = new Prng(seed);
    this.members = new Set(members);
    this.half = new Set(Array.from({ length: n }, (_, id) => id).filter(() => random.chance(0.5)));
    this.#conduct = Array.from({ length: 16 }, () =>
      random.pick(['mute', 'fork', 'fork', 'honest'] as const),
    );
  }

  /** What the coalition's primary of a view does in it. */
  conductIn(view: View): Conduct {
    return this.#conduct[view % this.#conduct.length]!;
  }

  /** The memory of a liar. */
  memoryOf(replica: ReplicaId): LiarMemory {
    let memory = this.#memories.get(replica);
    if (memory === undefined) {
      memory = { tcEpoch: undefined, believed: new Map(), taken: new Set(), heard: new Overheard() };
      this.#memories.set(replica, memory);
    }
    return memory;
  }

  /** A lie was told. */
  lied(replica: ReplicaId, behaviour: Behaviour, kind: string): void {
    this.#onLie?.(replica, `${behaviour}/${kind}`);
  }
}

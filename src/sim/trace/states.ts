/** How replicas look while a run goes on: only what changed is written down. */
import type { ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import type { MachineLook } from '../machine.ts';

/** What a look into a replica shows. */
export interface ReplicaState {
  readonly view: View;
  /** `active`, `changing` or `recovering`. */
  readonly mode: string;
  /** `starting`, `running` or `halted`. */
  readonly phase: string;
  /** Highest executed sequence number. */
  readonly sequence: SequenceNumber;
  readonly stable: SequenceNumber;
  /** Last value of its USIG; where a component has several counters and logs, how many values they gave; 0 without one. */
  readonly counter: number;
  /** Why nothing is ordered, if so. */
  readonly waitsFor: string | null;
  /** Of the others: who was stopped for a proven fault, and who came anew how often. */
  readonly peers: readonly {
    readonly replica: ReplicaId;
    readonly dead: boolean;
    readonly incarnation: number;
  }[];
}

/** A replica looks different from now on. */
export interface ReplicaStateChange {
  readonly at: number;
  /** Holds after the event at this place of `Trace.events`; -1: from the beginning. */
  readonly event: number;
  readonly replica: ReplicaId;
  /** Null: it is down. */
  readonly state: ReplicaState | null;
}

/** See the top of this file. */
export class StateLog {
  readonly changes: ReplicaStateChange[] = [];
  readonly #last = new Map<ReplicaId, ReplicaState | null>();
  readonly #counters = new Map<ReplicaId, number>();

  /** A trusted component gave a value. */
  certified(replica: ReplicaId, object: string | undefined, value: number): void {
    const given = this.#counters.get(replica) ?? 0;
    this.#counters.set(replica, object === undefined ? value : given + 1);
  }

  /** What a look shows now, after so many events. */
  look(at: number, event: number, replica: ReplicaId, look: MachineLook | undefined): void {
    const before = this.#last.get(replica);
    const counter = this.#counters.get(replica) ?? 0;
    if (look === undefined ? before === null : isSame(before, look, counter)) return;
    const state = look === undefined ? null : stateOf(look, counter);
    this.#last.set(replica, state);
    this.changes.push({ at, event, replica, state });
  }
}

function stateOf(look: MachineLook, counter: number): ReplicaState {
  const { view, mode, phase, sequence, stable, waitsFor, peers } = look;
  const brief = peers.map(({ replica, dead, incarnation }) => ({ replica, dead, incarnation }));
  return { view, mode, phase, sequence, stable, counter, waitsFor: waitsFor ?? null, peers: brief };
}

function isSame(before: ReplicaState | null | undefined, look: MachineLook, counter: number): boolean {
  if (before === undefined || before === null) return false;
  return (
    before.view === look.view &&
    before.mode === look.mode &&
    before.phase === look.phase &&
    before.sequence === look.sequence &&
    before.stable === look.stable &&
    before.counter === counter &&
    before.waitsFor === (look.waitsFor ?? null) &&
    before.peers.length === look.peers.length &&
    look.peers.every(({ replica, dead, incarnation }, index) => {
      const known = before.peers[index]!;
      return known.replica === replica && known.dead === dead && known.incarnation === incarnation;
    })
  );
}

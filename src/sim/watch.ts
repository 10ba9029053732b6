/**
 * Looks at the machines from time to time: sizes, streams that were stopped, refusals of clients, and whether everything
 * is finished.
 */
import type { ReplicaId } from '../core/types.ts';
import { liarsOf } from './budget.ts';
import type { Judge } from './judge.ts';
import type { Machine } from './machine.ts';
import type { Scenario } from './scenario.ts';

/** A client as the watch sees it. */
export interface WatchedClient {
  readonly done: boolean;
  /** Refusals that f+1 replicas agreed on, with their reason: a correct client should see none. */
  readonly refused: string[];
  describe(): string;
}

/** See the top of this file. */
export class Watch {
  readonly #scenario: Scenario;
  readonly #judge: Judge;
  readonly #machines: readonly Machine<never>[];
  readonly #clients: readonly WatchedClient[];
  readonly #byzantine: ReadonlySet<ReplicaId>;
  /** Highest view that a correct replica was seen in. */
  highestView = 0;

  /** `machines`: the correct ones. */
  constructor(
    scenario: Scenario,
    judge: Judge,
    machines: readonly Machine<never>[],
    clients: readonly WatchedClient[],
  ) {
    this.#scenario = scenario;
    this.#judge = judge;
    this.#machines = machines;
    this.#clients = clients;
    this.#byzantine = new Set(liarsOf(scenario));
  }

  /** Looks once; true if every client has its answers and every correct machine stands at the same place. */
  look(): boolean {
    this.#judge.onLook();
    let lowest = Infinity;
    let highest = 0;
    const headers = new Set<string>();
    for (const machine of this.#machines) {
      const look = machine.look(true);
      if (look === undefined) {
        lowest = 0;
        continue;
      }
      // It lost what alone could speak for it, said so, and is out for good.
      if (look.phase === 'halted' && machine.amnesic) continue;
      this.highestView = Math.max(this.highestView, look.view);
      lowest = Math.min(lowest, look.sequence);
      highest = Math.max(highest, look.sequence);
      headers.add(`${look.sequence}/${look.headerHash}`);
      for (const peer of look.peers) {
        if (peer.dead && !this.#byzantine.has(peer.replica))
          this.#judge.report(
            'accusation',
            `the stream of correct replica ${peer.replica} is dead at ${machine.id}`,
          );
      }
      this.#checkSizes(machine);
    }
    for (const client of this.#clients)
      for (const reason of client.refused.splice(0))
        this.#judge.report('client', `a correct client was refused: ${reason}`);
    // Over only when those who were down or partitioned have everything too.
    return (
      this.clientsDone && headers.size === 1 && lowest === highest && highest >= this.#judge.believedThrough
    );
  }

  #checkSizes(machine: Machine<never>): void {
    const { limits, n } = this.#scenario;
    const orders = limits.checkpointInterval * limits.pipelineFactor;
    const bound = 400 + 60 * orders * n;
    const sizes = machine.sizes();
    for (const name in sizes)
      if (sizes[name]! > bound)
        this.#judge.report(
          'bounds',
          `replica ${machine.id} keeps ${sizes[name]} ${name}, more than ${bound}`,
        );
  }

  /** Whether every client has all its answers. */
  get clientsDone(): boolean {
    return this.#clients.every((client) => client.done);
  }

  /** Who lacks what, for the message of the liveness judge. */
  unsettled(): string {
    const replicas = this.#machines.map((machine) => {
      const look = machine.look();
      if (look === undefined) return `${machine.id}: down`;
      const { view, mode, sequence, stable, waitsFor, phase } = look;
      return `${machine.id}: ${phase} view ${view} ${mode} executed ${sequence} stable ${stable} ${waitsFor ?? ''}`;
    });
    const clients = this.#clients.filter((client) => !client.done).map((client) => client.describe());
    return [...replicas, ...clients].join('; ');
  }
}

/**
 * Makes the planned faults happen: on machines, disks, trusted components and links, each begun at its time and put
 * right after a while, and all of them ended when the calm begins.
 */
import type { ReplicaId } from '../core/types.ts';
import type { Chance } from './chance.ts';
import { SITE } from './chance.ts';
import type { SimDisk } from './disk.ts';
import type { EventQueue } from './event-queue.ts';
import type { Machine } from './machine.ts';
import type { FaultTarget, PlannedFault, Scenario } from './scenario.ts';

/** How long a machine takes to restart, milliseconds. */
const REBOOT_MS = 20;

/** Links as faults see them. */
export interface FaultableLinks {
  /** Blocks or opens one direction of a link; blocks nest. */
  block(from: ReplicaId, to: ReplicaId, blocked: boolean): void;
  /** Opens every link and makes all of them fast and reliable. */
  calm(): void;
}

/** What faults act on. */
export interface FaultStage {
  readonly scenario: Scenario;
  readonly queue: EventQueue;
  readonly chance: Chance;
  readonly links: FaultableLinks;
  /** By replica. */
  readonly machines: readonly Machine<never>[];
  /** By replica; a world without disks of this kind has none. */
  readonly disks: readonly Pick<SimDisk, 'wipe' | 'configure'>[];
  /** By replica. */
  readonly trusted: readonly { lose(): void }[];
  readonly say: (text: string) => void;
}

/** See the top of this file. */
export class FaultDriver {
  readonly #stage: FaultStage;
  #calm = false;

  constructor(stage: FaultStage) {
    this.#stage = stage;
  }

  /** Whether faults have stopped. */
  get calm(): boolean {
    return this.#calm;
  }

  /** Plans everything that the scenario holds. */
  plan(): void {
    const { scenario, queue } = this.#stage;
    for (const fault of scenario.faults) queue.after(fault.atMs, () => this.#begin(fault));
    queue.after(scenario.calmMs, () => this.#calmDown());
  }

  #begin(fault: PlannedFault): void {
    if (this.#calm) return;
    const { queue, machines } = this.#stage;
    switch (fault.kind) {
      case 'crash': {
        const id = this.#resolve(fault.target);
        this.#say(`crash of ${id} for ${fault.forMs.toFixed(0)} ms`);
        this.#crash(id);
        return queue.after(fault.forMs, () => this.#restart(id));
      }
      case 'wipe':
        return this.#wipe(this.#resolve(fault.target), fault.forMs);
      case 'powercut':
        this.#say(`power cut of all for ${fault.forMs.toFixed(0)} ms`);
        for (const machine of machines) this.#crash(machine.id);
        return queue.after(fault.forMs, () => {
          for (const machine of machines) this.#restart(machine.id);
        });
      case 'pause': {
        const id = this.#resolve(fault.target);
        this.#say(`pause of ${id} for ${fault.forMs.toFixed(0)} ms`);
        machines[id]!.pause(true);
        return queue.after(fault.forMs, () => machines[id]!.pause(false));
      }
      case 'isolate':
      case 'mute':
      case 'deaf': {
        const id = this.#resolve(fault.target);
        this.#say(`${fault.kind} of ${id} for ${fault.forMs.toFixed(0)} ms`);
        return this.#cut([id], fault.forMs, fault.kind !== 'deaf', fault.kind !== 'mute');
      }
      case 'partition':
        this.#say(`partition of [${fault.side.join(' ')}] for ${fault.forMs.toFixed(0)} ms`);
        return this.#cut(fault.side, fault.forMs, true, fault.symmetric);
    }
  }

  #wipe(id: ReplicaId, forMs: number): void {
    const { chance, disks, machines, trusted, queue } = this.#stage;
    const loseTrusted = chance.happens(SITE.torn, 1000 + id, 0.5);
    this.#say(`wipe of ${id}${loseTrusted ? ' with its trusted component' : ''} for ${forMs.toFixed(0)} ms`);
    this.#crash(id);
    disks[id]!.wipe();
    machines[id]!.amnesic = true;
    if (loseTrusted) trusted[id]!.lose();
    queue.after(forMs, () => this.#restart(id));
  }

  #resolve(target: FaultTarget): ReplicaId {
    if (target.kind === 'replica') return target.id;
    let view = 0;
    for (const machine of this.#stage.machines)
      if (machine.isCorrect) view = Math.max(view, machine.look()?.view ?? 0);
    return view % this.#stage.scenario.n;
  }

  /** Cuts the links between `side` and the others, outwards, inwards or both, for a while. */
  #cut(side: readonly ReplicaId[], forMs: number, outwards: boolean, inwards: boolean): void {
    const { links, queue, scenario } = this.#stage;
    const cut: [ReplicaId, ReplicaId][] = [];
    for (const one of side) {
      for (let other = 0; other < scenario.n; other += 1) {
        if (side.includes(other)) continue;
        if (outwards) cut.push([one, other]);
        if (inwards) cut.push([other, one]);
      }
    }
    for (const [from, to] of cut) links.block(from, to, true);
    queue.after(forMs, () => {
      if (this.#calm) return;
      for (const [from, to] of cut) links.block(from, to, false);
    });
  }

  /** A machine restarts, outside of the plan. */
  reboot(id: ReplicaId): void {
    this.#crash(id);
    this.#stage.queue.after(REBOOT_MS, () => this.#restart(id));
  }

  #crash(id: ReplicaId): void {
    const { machines } = this.#stage;
    const machine = machines[id]!;
    if (!machine.isUp) return;
    machine.crash();
    for (const other of machines) if (other !== machine) other.onPeerDown(id);
  }

  #restart(id: ReplicaId): void {
    const { machines, queue } = this.#stage;
    const machine = machines[id]!;
    if (machine.isUp) return;
    this.#say(`restart of ${id}`);
    machine.start();
    for (const other of machines) {
      if (other === machine || !other.isUp) continue;
      queue.after(5, () => {
        other.onPeerUp(id);
        machine.onPeerUp(other.id);
      });
    }
  }

  /** Faults stop: everybody is up, connected and fast. Byzantine machines go on lying. */
  #calmDown(): void {
    const { links, disks, machines } = this.#stage;
    this.#calm = true;
    this.#say('faults stop');
    links.calm();
    for (const disk of disks) disk.configure({ syncLowMs: 0.05, syncHighMs: 0.6 });
    for (const machine of machines) {
      machine.pause(false);
      this.#restart(machine.id);
    }
  }

  #say(text: string): void {
    this.#stage.say(text);
  }
}

/**
 * Makes the planned faults happen: on machines, clocks, disks, trusted components and links, each begun at its time and
 * put right after a while. When the calm begins all of them end, or first those of a quorum and then the rest. Faults
 * that would make more than f replicas faulty are left out.
 */
import type { ReplicaId } from '../core/types.ts';
import { budgetOf, CLOCK_TOLERANCE_MS } from './budget.ts';
import type { FaultBudget } from './budget.ts';
import type { Chance } from './chance.ts';
import { beginTrouble } from './component-trouble.ts';
import type { ComponentFault, TroubledComponent } from './component-trouble.ts';
import { SITE } from './chance.ts';
import type { SimClock } from './clock.ts';
import type { DiskSettings, RotPlace } from './disk.ts';
import type { EventQueue } from './event-queue.ts';
import type { Machine } from './machine.ts';
import type { FaultTarget, HealPlan, PlannedFault, Scenario } from './scenario.ts';

/** How long a machine takes to restart, milliseconds. */
const REBOOT_MS = 20;
/** How long a component may take to judge a store, milliseconds. */
const JUDGED_MS = 50;
/** How long an operator takes to wipe the store of a replica that refused it, milliseconds. */
const OPERATOR_MS = 50;
/** A disk in good health. */
const CALM_DISK: DiskSettings = { syncLowMs: 0.05, syncHighMs: 0.6 };

/** A disk as faults see it; what it does not know of is left out. */
export interface FaultableDisk {
  wipe(): void;
  configure(settings: DiskSettings): void;
  rot?(place: RotPlace, hidden: boolean): boolean;
  lie?(lying: boolean): void;
  fail?(onFailure: (() => void) | undefined): void;
}

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
  readonly disks: readonly FaultableDisk[];
  /** By replica; absent in a world without wall clocks of this kind. */
  readonly clocks?: readonly SimClock[];
  /** By replica. */
  readonly trusted: readonly TroubledComponent[];
  readonly say: (text: string) => void;
}

/** See the top of this file. */
export class FaultDriver {
  readonly #stage: FaultStage;
  #calm = false;
  /** Replicas that are kept down until the rest is healed. */
  readonly #held = new Set<ReplicaId>();
  #cutOff: readonly [ReplicaId, ReplicaId][] = [];
  #isRestHealed = false;
  readonly #volatile: ReadonlySet<ReplicaId>;
  /** Who counts as faulty. */
  readonly budget: FaultBudget;
  /** Faults that happened, by kind. */
  readonly happened = new Map<string, number>();

  constructor(stage: FaultStage) {
    this.#stage = stage;
    this.budget = budgetOf(stage.scenario);
    const { volatile } = stage.scenario.trusted;
    this.#volatile = new Set((volatile ?? []).filter((id) => this.budget.charge(id)));
  }

  /** Whether faults have stopped. */
  get calm(): boolean {
    return this.#calm;
  }

  /** Plans everything that the scenario holds. */
  plan(): void {
    const { scenario, queue } = this.#stage;
    for (const fault of scenario.faults) queue.after(fault.atMs, () => this.#begin(fault));
    if (scenario.endless !== true) queue.after(scenario.calmMs, () => this.#calmDown());
  }

  #begin(fault: PlannedFault): void {
    if (this.#calm) return;
    const { queue, machines } = this.#stage;
    switch (fault.kind) {
      case 'crash': {
        const id = this.#resolve(fault.target);
        this.#say(`crash of ${id} for ${fault.forMs.toFixed(0)} ms`);
        this.#count(fault.kind);
        this.#crash(id);
        return queue.after(fault.forMs, () => this.#restart(id));
      }
      case 'wipe':
        return this.#wipe(this.#resolve(fault.target), fault.forMs);
      case 'powercut':
        this.#say(`power cut of all for ${fault.forMs.toFixed(0)} ms`);
        this.#count(fault.kind);
        for (const machine of machines) this.#crash(machine.id);
        return queue.after(fault.forMs, () => {
          for (const machine of machines) this.#restart(machine.id);
        });
      case 'pause': {
        const id = this.#resolve(fault.target);
        this.#say(`pause of ${id} for ${fault.forMs.toFixed(0)} ms`);
        this.#count(fault.kind);
        machines[id]!.pause(true);
        return queue.after(fault.forMs, () => machines[id]!.pause(false));
      }
      case 'isolate':
      case 'mute':
      case 'deaf': {
        const id = this.#resolve(fault.target);
        this.#say(`${fault.kind} of ${id} for ${fault.forMs.toFixed(0)} ms`);
        this.#count(fault.kind);
        return this.#cut(
          this.#linksBetween([id], undefined, fault.kind !== 'deaf', fault.kind !== 'mute'),
          fault.forMs,
        );
      }
      case 'partition':
        return this.#partition(fault);
      case 'component':
        return this.#trouble(fault);
      case 'clockjump':
        return this.#jump(fault);
      case 'bitrot':
      case 'diskfail':
      case 'slowdisk':
      case 'fsynclie':
        return this.#spoilDisk(fault);
    }
  }

  #trouble({ trouble, forMs, target }: ComponentFault): void {
    const { machines, trusted, queue, scenario } = this.#stage;
    const id = this.#resolve(target);
    const begun = beginTrouble(trouble, forMs, {
      machine: machines[id]!,
      component: trusted[id]!,
      patienceMs: scenario.timers.requestMs,
      after: (delayMs, action) => queue.after(delayMs, action),
      crash: () => this.#crash(id),
      restart: () => this.#restart(id),
      mayForget: () => this.#mayForget(id, `${trouble.kind} of the component`),
    });
    if (!begun) return;
    this.#say(`trusted component of ${id} is ${trouble.kind} for ${forMs.toFixed(0)} ms`);
    this.#count(`component-${trouble.kind}`);
  }

  #wipe(id: ReplicaId, forMs: number): void {
    const { chance, disks, machines, trusted, queue } = this.#stage;
    const loseTrusted =
      chance.happens(SITE.torn, 1000 + id, 0.5) && this.#stage.scenario.trusted.outlivesDisk !== true;
    if (!this.#mayForget(id, 'wipe')) return;
    this.#say(`wipe of ${id}${loseTrusted ? ' with its trusted component' : ''} for ${forMs.toFixed(0)} ms`);
    this.#count('wipe');
    this.#crash(id);
    disks[id]!.wipe();
    machines[id]!.amnesic = true;
    if (loseTrusted) trusted[id]!.lose();
    queue.after(forMs, () => this.#restart(id));
  }

  #jump(fault: PlannedFault & { readonly kind: 'clockjump' }): void {
    const { clocks, queue } = this.#stage;
    const id = this.#resolve(fault.target);
    const clock = clocks?.[id];
    if (clock === undefined) return;
    if (Math.abs(fault.byMs) > CLOCK_TOLERANCE_MS && !this.#mayForget(id, 'clock jump')) return;
    this.#say(`clock of ${id} jumps by ${fault.byMs} ms`);
    this.#count(fault.kind);
    clock.jump(fault.byMs);
    queue.after(fault.forMs, () => {
      if (!this.#calm) clock.jump(-fault.byMs);
    });
  }

  #spoilDisk(fault: PlannedFault & { readonly kind: 'bitrot' | 'diskfail' | 'slowdisk' | 'fsynclie' }): void {
    const { disks, queue, scenario, machines } = this.#stage;
    const { forMs } = fault;
    const id = this.#resolve(fault.target);
    const disk = disks[id];
    if (disk === undefined) return;
    switch (fault.kind) {
      case 'slowdisk': {
        const { syncLowMs, syncHighMs } = scenario.disk;
        this.#say(`disk of ${id} is ${fault.factor} times slower for ${forMs.toFixed(0)} ms`);
        this.#count(fault.kind);
        const { factor } = fault;
        disk.configure({ ...scenario.disk, syncLowMs: syncLowMs * factor, syncHighMs: syncHighMs * factor });
        return queue.after(forMs, () => {
          if (!this.#calm) disk.configure(scenario.disk);
        });
      }
      case 'diskfail':
        this.#say(`disk of ${id} ${fault.why === 'full' ? 'is full' : 'fails'} for ${forMs.toFixed(0)} ms`);
        disk.fail?.(() => {
          this.#say(`${id} stops: its disk ${fault.why === 'full' ? 'is full' : 'fails'}`);
          this.#count(fault.kind);
          this.#crash(id);
        });
        return queue.after(forMs, () => {
          disk.fail?.(undefined);
          this.#restart(id);
        });
      case 'bitrot': {
        if (!this.#mayForget(id, 'bit rot') || disk.rot?.(fault.place, fault.hidden) !== true) return;
        this.#say(
          `a bit rots in the ${fault.place} of ${id}${fault.hidden ? ', unnoticed by the store' : ''}`,
        );
        this.#count(`bitrot-${fault.place}`);
        if (fault.place === 'block') return;
        this.#crash(id);
        return queue.after(forMs, () => this.#restart(id));
      }
      case 'fsynclie':
        if (disk.lie === undefined || !this.#mayForget(id, 'lying disk')) return;
        this.#say(`disk of ${id} lies about syncs for ${(forMs / 2).toFixed(0)} ms, then power fails`);
        this.#count(fault.kind);
        machines[id]!.amnesic = true;
        disk.lie(true);
        queue.after(forMs / 2, () => {
          if (!this.#calm) this.#crash(id);
          disk.lie?.(false);
        });
        return queue.after(forMs, () => this.#restart(id));
    }
  }

  /** Whether a replica may become faulty now. */
  #mayForget(id: ReplicaId, what: string): boolean {
    const may = this.budget.charge(id);
    if (!may)
      this.#say(`${what} of ${id} is left out: ${this.budget.faulty.size} replicas are faulty already`);
    return may;
  }

  #resolve(target: FaultTarget): ReplicaId {
    if (target.kind === 'replica') return target.id;
    let view = 0;
    for (const machine of this.#stage.machines)
      if (machine.isCorrect) view = Math.max(view, machine.look(true)?.view ?? 0);
    return view % this.#stage.scenario.n;
  }

  #partition(fault: PlannedFault & { readonly kind: 'partition' }): void {
    const { side, others, symmetric, flap, forMs } = fault;
    const apart = others === undefined ? '' : ` from [${others.join(' ')}]`;
    const links = this.#linksBetween(side, others, true, symmetric);
    const what = `${flap === undefined ? '' : 'flapping '}partition of [${side.join(' ')}]${apart} for ${forMs.toFixed(0)} ms`;
    // A drawn partition may have nobody, or everybody, on its one side.
    this.#say(links.length === 0 ? 'a partition that parts nobody' : what);
    this.#count(flap === undefined ? (others === undefined ? 'partition' : 'mesh') : 'flap');
    if (flap === undefined) return this.#cut(links, forMs);
    const { queue } = this.#stage;
    const end = queue.now + forMs;
    const again = (): void => {
      if (this.#calm || queue.now >= end) return;
      this.#cut(links, Math.min(flap.downMs, end - queue.now));
      // At least a millisecond: a period of nothing would never end.
      queue.after(Math.max(1, flap.downMs + flap.upMs), again);
    };
    again();
  }

  /** Links between `side` and the others, outwards, inwards or both. */
  #linksBetween(
    side: readonly ReplicaId[],
    others: readonly ReplicaId[] | undefined,
    outwards: boolean,
    inwards: boolean,
  ): [ReplicaId, ReplicaId][] {
    const links: [ReplicaId, ReplicaId][] = [];
    for (const one of side) {
      for (let other = 0; other < this.#stage.scenario.n; other += 1) {
        if (side.includes(other) || others?.includes(other) === false) continue;
        if (outwards) links.push([one, other]);
        if (inwards) links.push([other, one]);
      }
    }
    return links;
  }

  /** Cuts links for a while. */
  #cut(cut: readonly [ReplicaId, ReplicaId][], forMs: number): void {
    const { links, queue } = this.#stage;
    for (const [from, to] of cut) links.block(from, to, true);
    queue.after(forMs, () => {
      if (this.#calm) return;
      for (const [from, to] of cut) links.block(from, to, false);
    });
  }

  /** Begins a fault now, whatever its time says. */
  inject(fault: PlannedFault): void {
    this.#begin(fault);
  }

  /** Does at once what a script says; a wiped machine loses its disk and stays down until it is restarted. */
  act(verb: 'crash' | 'restart' | 'wipe' | 'pause' | 'resume', id: ReplicaId): void {
    const { disks, machines } = this.#stage;
    const machine = machines[id]!;
    if (verb === 'restart') return this.#restart(id);
    this.#say(`${verb} of ${id}`);
    if (verb === 'pause' || verb === 'resume') return machine.pause(verb === 'pause');
    this.#crash(id);
    if (verb === 'crash') return;
    disks[id]!.wipe();
    machine.amnesic = true;
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
    if (this.#volatile.has(id)) {
      this.#stage.trusted[id]!.lose();
      machine.amnesic = true;
      this.#count('volatile');
    } else this.#stage.trusted[id]!.restart?.();
    for (const other of machines) if (other !== machine) other.onPeerDown(id);
  }

  #restart(id: ReplicaId): void {
    const { machines, queue, scenario } = this.#stage;
    const machine = machines[id]!;
    if (machine.isUp || this.#held.has(id)) return;
    this.#say(`restart of ${id}`);
    machine.start();
    if (machine.refusal !== undefined) return this.#repair(id, machine.refusal);
    // With MACs the component judges what the store holds before anything is read from it.
    if (scenario.authenticator === 'mac')
      queue.after(JUDGED_MS, () => {
        if (!machine.isUp && machine.refusal !== undefined) this.#repair(id, machine.refusal);
      });
    for (const other of machines) {
      if (other === machine || !other.isUp) continue;
      queue.after(5, () => {
        other.onPeerUp(id);
        machine.onPeerUp(other.id);
      });
    }
  }

  /** An operator does what a replica that refuses its store asks for: wipes it, never the keys. */
  #repair(id: ReplicaId, why: string): void {
    const { disks, machines, queue } = this.#stage;
    this.#say(`${id} refuses its store: ${why}`);
    this.#count('storeRefused');
    queue.after(OPERATOR_MS, () => {
      if (machines[id]!.isUp || machines[id]!.refusal === undefined) return;
      disks[id]!.wipe();
      machines[id]!.amnesic = true;
      this.#restart(id);
    });
  }

  /** Faults stop: everybody, or first a quorum, is up, connected and fast. Byzantine machines go on lying. */
  #calmDown(): void {
    const { links, disks, machines, clocks, scenario } = this.#stage;
    this.#calm = true;
    this.#say('faults stop');
    links.calm();
    for (const clock of clocks ?? []) clock.setRight();
    for (const disk of disks) {
      disk.configure(CALM_DISK);
      disk.fail?.(undefined);
    }
    if (scenario.heal === undefined) this.#isRestHealed = true;
    else this.#keepApart(scenario.heal);
    for (const machine of machines) {
      machine.pause(false);
      this.#restart(machine.id);
    }
  }

  /** The first n-f replicas that are not faulty are the quorum; other correct ones stay away. */
  #keepApart({ order, rest }: HealPlan): void {
    const { scenario, machines, links } = this.#stage;
    const all = machines.map((machine) => machine.id);
    const quorum = [...order, ...all.filter((id) => !order.includes(id))]
      .filter((id) => !this.budget.faulty.has(id))
      .slice(0, scenario.n - scenario.f);
    const away = all.filter((id) => machines[id]!.isCorrect && !quorum.includes(id));
    const kept = away.length === 0 ? ', and they are all correct ones' : `; [${away.join(' ')}] stay ${rest}`;
    this.#say(`only [${quorum.join(' ')}] are healed${kept}`);
    this.#count(`quorum-${rest}`);
    if (rest === 'down') {
      for (const id of away) {
        this.#crash(id);
        this.#held.add(id);
      }
      return;
    }
    this.#cutOff = this.#linksBetween(away, undefined, rest !== 'deaf', rest !== 'mute');
    for (const [from, to] of this.#cutOff) links.block(from, to, true);
  }

  /** Whether everybody is healed, not just a quorum. */
  get isRestHealed(): boolean {
    return this.#isRestHealed;
  }

  /** Heals those that were kept away from the quorum. */
  healRest(): void {
    if (this.#isRestHealed) return;
    this.#isRestHealed = true;
    this.#say('the rest is healed');
    for (const [from, to] of this.#cutOff) this.#stage.links.block(from, to, false);
    const held = [...this.#held];
    this.#held.clear();
    for (const id of held) this.#restart(id);
  }

  #count(kind: string): void {
    this.happened.set(kind, (this.happened.get(kind) ?? 0) + 1);
  }

  #say(text: string): void {
    this.#stage.say(text);
  }
}

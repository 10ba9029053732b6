/**
 * A group of guards in memory, with a network that loses, doubles, delays and reorders, hosts that start guards again
 * and put back old states, and a component on each machine that keeps sealed states as a real one would: state first,
 * then the increment, then the output. What must never happen is written down as an offence.
 */
import { createHash } from 'node:crypto';
import type { Prng } from '../../core/prng.ts';
import type { Digest } from '../../core/types.ts';
import type { GuardEffect, GuardGroup, GuardPorts } from './contract.ts';
import type { Guard } from './guard.ts';

/** The class under test, or a mutant of it. */
export type GuardClass = new (self: number, group: GuardGroup, ports: GuardPorts, isFounding: boolean) => Guard;

/** Application of the component on each machine. */
const APPLICATION = 'usig';

/** A state as the host's disk holds it. */
interface Blob {
  readonly digest: Digest;
  /** Outputs that depend on this state, ever. */
  readonly serial: number;
}

interface Machine {
  guard: Guard;
  /** Every state that was ever sealed: the host keeps them all. */
  readonly blobs: Blob[];
  /** State in the memory of the component; undefined until it has accepted one. */
  state: Blob | undefined;
  phase: 'off' | 'reading' | 'binding' | 'ready' | 'waiting';
  /** Serial of the newest state whose output left. */
  released: number;
  /** Values that were returned to it, over all its lives. */
  highest: number;
  /** Value that was returned when the read that is under way was asked. */
  floor: number;
  /** Calls whose answers belong to the present life. */
  expected: number;
  renewed: number;
}

/** How hostile the world is; probabilities. */
export interface Weather {
  readonly loss: number;
  readonly copies: number;
  /** A machine is started again, before each delivery. */
  readonly restarts: number;
  /** At a start the host offers an old state. */
  readonly rollbacks: number;
  /** Machines that may be newly started at once. */
  readonly u: number;
}

const KEYS = Array.from({ length: 7 }, (_, index) => createHash('sha256').update(`guard ${index}`).digest('hex'));

/** A model of signatures for a world in which nobody forges: cheap, and every changed bit is noticed. */
function sealOf(publicKey: string, bytes: Uint8Array): Buffer {
  const once = createHash('sha256').update(publicKey).update(bytes).digest();
  return Buffer.concat([once, once]);
}

/** Ports of one guard; chance is drawn from `random`. */
export function portsOf(index: number, random: Prng): GuardPorts {
  return {
    sign: (bytes) => sealOf(KEYS[index]!, bytes),
    check: (publicKey, bytes, signature) => sealOf(publicKey, bytes).equals(signature),
    random: (length) => Uint8Array.from({ length }, () => random.u32() & 255),
  };
}

/** A group with the test's keys. */
export function groupOf(n: number, u: number, f = 0, name = 'group'): GuardGroup {
  const groupId = createHash('sha256').update(name).digest('hex') as Digest;
  return { groupId, keys: KEYS.slice(0, n), f, u };
}

/** See the top of this file. */
export class GuardNetwork {
  readonly machines: Machine[] = [];
  readonly offences: string[] = [];
  readonly group: GuardGroup;
  readonly #class: GuardClass;
  readonly #random: Prng;
  readonly #weather: Weather;
  #wires: { readonly to: number; readonly bytes: Uint8Array }[] = [];
  #serial = 0;
  #calls = 0;
  /** Outputs that left. */
  outputs = 0;
  restarts = 0;
  refusals = 0;

  constructor(n: number, weather: Weather, random: Prng, guardClass: GuardClass) {
    this.group = groupOf(n, weather.u);
    this.#class = guardClass;
    this.#random = random;
    this.#weather = weather;
    for (let id = 0; id < n; id += 1)
      this.machines.push({
        guard: new guardClass(id, this.group, portsOf(id, random), true),
        blobs: [],
        state: undefined,
        phase: 'off',
        released: 0,
        highest: 0,
        floor: 0,
        expected: 0,
        renewed: 0,
      });
    for (const id of this.machines.keys()) this.#beginLife(id);
  }

  /** A run of so many steps; afterwards the weather is fair until everything has come to rest. */
  run(steps: number): void {
    for (let step = 0; step < steps && this.offences.length === 0; step += 1) this.#step(true);
    for (let step = 0; step < 20_000 && this.offences.length === 0 && !this.isWhole; step += 1) this.#step(false);
  }

  /** Whether every guard is active and every component has accepted a state. */
  get isWhole(): boolean {
    return this.machines.every(({ guard, phase }) => guard.phase === 'active' && (phase === 'ready' || phase === 'waiting'));
  }

  #step(rough: boolean): void {
    const random = this.#random;
    if (rough && random.chance(this.#weather.restarts)) this.#restartOne();
    if (this.#wires.length === 0 || random.chance(0.02))
      for (const id of this.machines.keys()) this.#apply(id, this.machines[id]!.guard.tick());
    if (this.#wires.length === 0) return;
    const index = random.between(0, this.#wires.length - 1);
    const wire = this.#wires[index]!;
    const keep = rough && random.chance(this.#weather.copies);
    if (!keep) {
      this.#wires[index] = this.#wires.at(-1)!;
      this.#wires.pop();
    }
    if (rough && random.chance(this.#weather.loss)) return;
    this.#apply(wire.to, this.machines[wire.to]!.guard.receive(wire.bytes));
    for (const id of this.machines.keys()) if (random.chance(0.05)) this.#work(id);
  }

  // ---- guards -----------------------------------------------------------------------------------------------------

  /** At most u machines are on their way back at one time. */
  #restartOne(): void {
    const id = this.#random.between(0, this.machines.length - 1);
    const away = this.machines.filter(({ guard }) => guard.phase !== 'active').length;
    if (away >= this.#weather.u && this.machines[id]!.guard.phase === 'active') return;
    this.restart(id);
  }

  /** Power fails at a machine: guard and component forget. */
  restart(id: number): void {
    const machine = this.machines[id]!;
    this.restarts += 1;
    machine.guard = new this.#class(id, this.group, portsOf(id, this.#random), false);
    this.#beginLife(id);
  }

  #apply(id: number, effects: readonly GuardEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'send') {
        this.#wires.push({ to: effect.to, bytes: effect.bytes });
        // A network that is too full loses what is old.
        if (this.#wires.length > 400) this.#wires.shift();
      } else if (effect.kind === 'incremented') this.#incremented(id, effect);
      else if (effect.kind === 'read') this.#read(id, effect);
      else if (effect.kind === 'phase' && effect.phase === 'cut') this.offences.push(`guard ${id} was cut`);
    }
  }

  // ---- components -------------------------------------------------------------------------------------------------

  #beginLife(id: number): void {
    const machine = this.machines[id]!;
    machine.state = undefined;
    machine.phase = 'reading';
    machine.floor = machine.highest;
    machine.expected = this.#calls += 1;
    this.#apply(id, machine.guard.read(machine.expected, APPLICATION));
  }

  #read(id: number, effect: GuardEffect & { kind: 'read' }): void {
    const machine = this.machines[id]!;
    if (effect.id !== machine.expected) return;
    if (effect.value < machine.floor)
      this.offences.push(`machine ${id} reads ${effect.value}, but ${machine.floor} was returned before`);
    if (effect.digests.length === 0) {
      if (machine.blobs.some(({ serial }) => serial <= machine.released))
        this.offences.push(`machine ${id} is told that it never had a state`);
      this.#seal(id);
      return;
    }
    // The host offers what it likes: an old state, or the newest it has.
    const old = this.#random.chance(this.#weather.rollbacks) && machine.blobs.length > 0;
    const offered = old ? this.#random.pick(machine.blobs) : machine.blobs.find(({ digest }) => effect.digests.includes(digest));
    if (offered !== undefined && effect.digests.includes(offered.digest)) {
      if (offered.serial < machine.released)
        this.offences.push(`machine ${id} accepts state ${offered.serial}, but output of ${machine.released} left`);
      this.#bind(id, offered);
      return;
    }
    this.refusals += 1;
    // Refused. The operator puts the right one back, or, where there is none, the component begins anew.
    const right = machine.blobs.find(({ digest }) => effect.digests.includes(digest));
    if (right === undefined) this.offences.push(`machine ${id}: nobody has the state that the group names`);
    else this.#bind(id, right);
  }

  #bind(id: number, state: Blob): void {
    const machine = this.machines[id]!;
    machine.state = state;
    machine.phase = 'binding';
    machine.expected = this.#calls += 1;
    this.#apply(id, machine.guard.increment(machine.expected, APPLICATION, state.digest));
  }

  /** A new state: sealed first, then counted. */
  #seal(id: number): void {
    const machine = this.machines[id]!;
    const serial = (this.#serial += 1);
    const digest = createHash('sha256').update(`state ${serial}`).digest('hex') as Digest;
    machine.state = { digest, serial };
    machine.blobs.push(machine.state);
    machine.phase = 'waiting';
    machine.expected = this.#calls += 1;
    this.#apply(id, machine.guard.increment(machine.expected, APPLICATION, digest, this.#random.pick([1, 1, 3, 1_024])));
  }

  #incremented(id: number, { id: call, value, digest }: GuardEffect & { kind: 'incremented' }): void {
    const machine = this.machines[id]!;
    if (value <= machine.highest)
      this.offences.push(`machine ${id} is given ${value} after ${machine.highest}`);
    machine.highest = Math.max(machine.highest, value);
    if (call !== machine.expected || machine.state?.digest !== digest) return;
    if (machine.phase === 'waiting') {
      machine.released = machine.state.serial;
      this.outputs += 1;
    }
    machine.phase = 'ready';
  }

  #work(id: number): void {
    if (this.machines[id]!.phase === 'ready') this.#seal(id);
  }
}

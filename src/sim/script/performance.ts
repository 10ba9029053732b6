/**
 * Plays the steps of a script on a world: rules about messages, puppets in place of Byzantine replicas, machines. It
 * judges nothing; that is for the ordinary judges.
 */
import type { RuleTrace } from '../../core/protocol.ts';
import type { Bundle } from '../../core/request.ts';
import type { ReplicaId } from '../../core/types.ts';
import type { MinbftMessage } from '../../smr/usig-stream/messages.ts';
import type { Fired } from '../chance.ts';
import { corrupt } from '../run-schedule.ts';
import type { Scenario } from '../scenario.ts';
import type { SimProgram } from '../trusted.ts';
import type { Corruption, CorruptionContext, Narrator } from '../world.ts';
import { Facts, fitsLink } from './facts.ts';
import { Puppet } from './puppet.ts';
import { ScriptError } from './script.ts';
import type { Condition, RuleAction, Script, Step } from './script.ts';
import { labelOf } from './seen.ts';
import type { Label } from './seen.ts';
import { openTheatre } from './theatre.ts';
import type { Passing, Spectator, Theatre } from './theatre.ts';
import { Voices } from './voices.ts';

/** How often a script looks whether it may go on, milliseconds of virtual time. */
const LOOK_EVERY_MS = 0.25;
/** How long what a puppet says is on its way, milliseconds. */
const PUPPET_DELAY_MS = 1;

/** Who is told what happens; the run is the same with and without them. */
export interface PerformanceOptions {
  readonly narrate?: Narrator;
  readonly watch?: Narrator;
  readonly onFired?: (fired: Fired) => void;
  readonly trace?: (event: RuleTrace) => void;
  /** What trusted components run in place of the modelled program (whole fidelity only). */
  readonly program?: SimProgram;
  /** Sees all that the script sees; what it answers about frames does not count. */
  readonly spectator?: Spectator;
}

interface Rule {
  readonly name: string | undefined;
  readonly action: RuleAction;
  readonly takes: (from: ReplicaId, to: ReplicaId, label: Label) => boolean;
  readonly held: (() => void)[];
}

/** See the top of this file. */
export class Performance {
  readonly script: Script;
  readonly theatre: Theatre;
  readonly facts = new Facts((replica) => this.theatre.stands(replica));
  readonly #voices = new Voices();
  readonly #rules = new Set<Rule>();
  readonly #bundles = new Map<string, Bundle>();
  readonly #guest: Spectator;
  #clientsSpeak = true;
  #next = 0;
  #isOptional = false;
  /** What is wrong with the script, if a step could not be taken. */
  error: ScriptError | undefined;

  constructor(script: Script, options: PerformanceOptions = {}) {
    const { spectator = {}, ...listeners } = options;
    this.script = script;
    this.#guest = spectator;
    this.#voices.onCertified = spectator.onCertified;
    this.theatre = openTheatre({
      ...listeners,
      scenario: withPuppets(script),
      trace: (event) => {
        this.facts.onRule(event);
        options.trace?.(event);
      },
      protocol: script.protocol,
      fidelity: script.fidelity,
      inside: script.judges === 'everything',
      spectator: this.#spectator(),
      corrupt: (context) => this.#corrupt(context),
    });
  }

  /** Whether all steps that must be taken were taken before the calm. */
  get finished(): boolean {
    return this.#isOptional || this.#next >= this.script.steps.length;
  }

  /** The line that it waits at, or that comes next. */
  get line(): number {
    return this.script.steps[this.#next]?.line ?? 0;
  }

  /** Plays the script to the end of the run. */
  play(): void {
    const { queue } = this.theatre;
    queue.after(0, () => this.#advance());
    queue.after(this.script.scenario.calmMs, () => {
      this.#release(undefined);
      this.#clientsSpeak = true;
    });
    this.theatre.run();
  }

  #corrupt(context: CorruptionContext): Corruption<MinbftMessage> {
    if (!this.script.puppets.includes(context.replica)) return corrupt(context);
    const puppet = new Puppet(context, (from, to, frame) => {
      const passing = this.theatre.passing({ from, to }, frame);
      this.#guest.onSend?.(passing);
      this.theatre.queue.after(PUPPET_DELAY_MS, () => {
        if (this.#onArrival(passing)) this.theatre.deliver(passing);
      });
    });
    this.#voices.add(puppet);
    return puppet.corruption;
  }

  #spectator(): Spectator {
    const guest = this.#guest;
    return {
      ...guest,
      onArrival: (passing) => this.#onArrival(passing),
      onClientFrame: (client, to, bundle) => this.#onClientFrame(client, to, bundle),
      onExecuted: (replica, sequence, digest) => {
        guest.onExecuted?.(replica, sequence, digest);
        this.facts.onExecuted(replica, sequence);
      },
      onBelieved: (believed) => {
        guest.onBelieved?.(believed);
        this.facts.onBelieved();
      },
      onNote: (replica, name, detail) => {
        guest.onNote?.(replica, name, detail);
        this.facts.onNote(replica, name, detail);
      },
    };
  }

  // ---- links ------------------------------------------------------------------------------------------------------

  #onArrival(passing: Passing): boolean {
    if (this.script.steps.length === 0) return this.#pass(passing);
    const { from, to } = passing;
    const seen = passing.see();
    const label = labelOf(seen);
    for (const rule of this.#rules) {
      if (!rule.takes(from, to, label)) continue;
      if (rule.action.kind === 'drop') return false;
      const later = (): void => {
        if (this.#reach(passing, label)) this.theatre.deliver(passing);
      };
      if (rule.action.kind === 'hold') rule.held.push(later);
      else this.theatre.queue.after(rule.action.byMs, later);
      return false;
    }
    return this.#reach(passing, label);
  }

  /** A frame that no rule keeps back; false if a puppet took it. */
  #reach(passing: Passing, label: Label): boolean {
    this.facts.onHeard(passing.to, label);
    this.#pass(passing);
    const puppet = this.#voices.of(passing.to);
    puppet?.hear(passing.see());
    return puppet === undefined;
  }

  #pass(passing: Passing): boolean {
    this.#guest.onArrival?.(passing);
    return true;
  }

  #onClientFrame(client: number, to: ReplicaId, read: () => Bundle | undefined): boolean | 'heard' {
    const bundle = read();
    if (bundle !== undefined && !this.#bundles.has(bundle.digest)) {
      this.#bundles.set(bundle.digest, bundle);
      this.facts.onRequest();
    }
    if (!this.#clientsSpeak) return false;
    this.#guest.onClientFrame?.(client, to, read);
    // What becomes of it at a puppet is for the script to say.
    return this.#voices.of(to) === undefined ? true : 'heard';
  }

  // ---- steps ------------------------------------------------------------------------------------------------------

  #advance(): void {
    const { queue } = this.theatre;
    const { scenario } = this.script;
    while (this.#next < this.script.steps.length && this.error === undefined) {
      const { line, step } = this.script.steps[this.#next]!;
      if (queue.now >= scenario.calmMs) return;
      if (step.kind === 'wait' && !this.#holds(step.condition))
        return queue.after(LOOK_EVERY_MS, () => this.#advance());
      this.#next += 1;
      if (step.kind === 'pass') return queue.after(step.forMs, () => this.#advance());
      this.#voices.line = line;
      try {
        this.#take(step);
      } catch (error) {
        this.error = error instanceof ScriptError ? error : new ScriptError(line, (error as Error).message);
      }
    }
  }

  #holds(condition: Condition): boolean {
    return this.facts.holds(condition, this.theatre.queue.now);
  }

  #take(step: Step): void {
    switch (step.kind) {
      case 'wait':
      case 'pass':
        return;
      case 'perhaps':
        this.#isOptional = true;
        return;
      case 'rule': {
        const { filter } = step;
        return this.#add(step.name, step.action, step.until, (from, to, label) =>
          fitsLink(filter, from, to, label),
        );
      }
      case 'cut': {
        const { side, oneWay } = step;
        const others = step.others ?? this.#all().filter((id) => !side.includes(id));
        return this.#add(
          step.name,
          { kind: 'drop' },
          undefined,
          (from, to) =>
            (side.includes(from) && others.includes(to)) ||
            (!oneWay && others.includes(from) && side.includes(to)),
        );
      }
      case 'release':
        return this.#release(step.name);
      case 'clients':
        this.#clientsSpeak = step.speak;
        return;
      case 'fault':
        return this.theatre.inject(step.fault);
      case 'machine':
        return this.theatre.act(step.verb, step.replica);
      case 'rollback':
        // Whatever a puppet says is seen on its links; this is not.
        this.#guest.onFault?.(`component of ${step.puppet} put back`);
        return this.#voices.play(step, [], this.theatre.queue.now);
      default:
        return this.#voices.play(step, [...this.#bundles.values()], this.theatre.queue.now);
    }
  }

  #all(): ReplicaId[] {
    return Array.from({ length: this.script.scenario.n }, (_, id) => id);
  }

  #add(
    name: string | undefined,
    action: RuleAction,
    until: Condition | undefined,
    takes: Rule['takes'],
  ): void {
    const rule: Rule = { name, action, takes, held: [] };
    this.#rules.add(rule);
    if (until === undefined) return;
    const look = (): void => {
      if (!this.#rules.has(rule)) return;
      if (this.#holds(until)) this.#end(rule);
      else this.theatre.queue.after(LOOK_EVERY_MS, look);
    };
    look();
  }

  #release(name: string | undefined): void {
    const ending = [...this.#rules].filter((rule) => name === undefined || rule.name === name);
    if (name !== undefined && ending.length === 0)
      throw new ScriptError(this.#voices.line, `no rule is called ${name}`);
    for (const rule of ending) this.#end(rule);
  }

  #end(rule: Rule): void {
    this.#rules.delete(rule);
    for (const deliver of rule.held.splice(0)) deliver();
  }
}

/** Puppets stand among the Byzantine replicas; what behaviour is named there does not matter, they have none. */
export function withPuppets({ scenario, puppets }: Script): Scenario {
  if (puppets.length === 0) return scenario;
  const silent = puppets.map((replica) => ({ replica, behaviour: 'silent' as const }));
  return { ...scenario, byzantine: [...scenario.byzantine, ...silent] };
}

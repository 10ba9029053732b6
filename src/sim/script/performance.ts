/**
 * Plays the steps of a script on a world: rules about messages, puppets in place of Byzantine replicas, machines. It
 * judges nothing; that is for the ordinary judges.
 */
import { decodeClientFrame } from '../../core/client-wire.ts';
import type { DecodeContext } from '../../core/protocol.ts';
import { decodeBundle } from '../../core/request.ts';
import type { Bundle } from '../../core/request.ts';
import type { ReplicaId } from '../../core/types.ts';
import { modelHash } from '../../crypto/fast-model.ts';
import { minbft } from '../../protocols/minbft/definition.ts';
import type { MinbftMessage } from '../../smr/usig-stream/messages.ts';
import { createSimGenesis } from '../cluster-settings.ts';
import type { WorldListener } from '../listener.ts';
import { corrupt } from '../run-schedule.ts';
import type { Scenario } from '../scenario.ts';
import { World } from '../world.ts';
import type { Corruption, CorruptionContext, Narrator } from '../world.ts';
import { Facts, fitsLink } from './facts.ts';
import { Puppet } from './puppet.ts';
import { ScriptError } from './script.ts';
import type { Condition, RuleAction, Script, Step } from './script.ts';
import { labelOf, see } from './seen.ts';
import type { Label } from './seen.ts';
import { Voices } from './voices.ts';

/** How often a script looks whether it may go on, milliseconds of virtual time. */
const LOOK_EVERY_MS = 0.25;
/** How long what a puppet says is on its way, milliseconds. */
const PUPPET_DELAY_MS = 1;

/** Who is told what happens, line by line; the run is the same with and without them. */
export interface PerformanceOptions {
  readonly narrate?: Narrator;
  readonly watch?: Narrator;
  /** Hears all that the script hears; it may not keep frames back. */
  readonly listener?: WorldListener;
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
  readonly world: World<MinbftMessage>;
  readonly facts = new Facts();
  readonly #context: DecodeContext;
  readonly #voices = new Voices();
  readonly #rules = new Set<Rule>();
  readonly #bundles = new Map<string, Bundle>();
  readonly #options: PerformanceOptions;
  #clientsSpeak = true;
  #next = 0;
  #isOptional = false;
  /** What is wrong with the script, if a step could not be taken. */
  error: ScriptError | undefined;

  constructor(script: Script, options: PerformanceOptions = {}) {
    this.script = script;
    this.#options = options;
    const scenario = withPuppets(script);
    const { settings } = createSimGenesis(scenario, minbft.name);
    const { clusterId, configurationVersion } = settings;
    this.#context = { settings, domain: { clusterId, configurationVersion }, hash: modelHash };
    const { narrate, watch } = options;
    this.world = new World<MinbftMessage>({
      scenario,
      definition: minbft,
      corrupt: (context) => this.#corrupt(context),
      listener: this.#listener(),
      ...(narrate === undefined ? {} : { narrate }),
      ...(watch === undefined ? {} : { watch }),
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
    const { queue } = this.world;
    queue.after(0, () => this.#advance());
    queue.after(this.script.scenario.calmMs, () => {
      this.#release(undefined);
      this.#clientsSpeak = true;
    });
    this.world.run();
  }

  #corrupt(context: CorruptionContext): Corruption<MinbftMessage> {
    if (!this.script.puppets.includes(context.replica)) return corrupt(context);
    const puppet = new Puppet(context, (from, to, frame) => {
      this.#options.listener?.onSend?.(from, to, frame);
      this.world.queue.after(PUPPET_DELAY_MS, () => {
        if (this.#onArrival(from, to, frame)) this.world.deliver(from, to, frame);
      });
    });
    this.#voices.add(puppet);
    return puppet.corruption;
  }

  #listener(): WorldListener {
    const { listener = {} } = this.#options;
    return {
      ...listener,
      onArrival: (from, to, frame) => this.#onArrival(from, to, frame),
      onClientFrame: (client, to, frame) => this.#onClientFrame(client, to, frame),
      onExecuted: (replica, sequence, digest) => {
        listener.onExecuted?.(replica, sequence, digest);
        this.facts.onExecuted(replica, sequence);
      },
      onBelieved: (believed) => {
        listener.onBelieved?.(believed);
        this.facts.onBelieved();
      },
      onNote: (replica, name, detail) => {
        listener.onNote?.(replica, name, detail);
        this.facts.onNote(replica, name, detail);
      },
    };
  }

  // ---- links ------------------------------------------------------------------------------------------------------

  #onArrival(from: ReplicaId, to: ReplicaId, frame: Uint8Array): boolean {
    if (this.script.steps.length === 0) return this.#pass(from, to, frame);
    const seen = see(minbft, this.#context, from, to, frame);
    if (seen === undefined) return this.#pass(from, to, frame);
    const label = labelOf(seen);
    for (const rule of this.#rules) {
      if (!rule.takes(from, to, label)) continue;
      if (rule.action.kind === 'drop') return false;
      const later = (): void => {
        if (this.#pass(from, to, frame)) this.world.deliver(from, to, frame);
      };
      if (rule.action.kind === 'hold') rule.held.push(later);
      else this.world.queue.after(rule.action.byMs, later);
      return false;
    }
    this.facts.onHeard(to, label);
    const puppet = this.#voices.of(to);
    if (puppet === undefined) return this.#pass(from, to, frame);
    this.#options.listener?.onArrival?.(from, to, frame);
    puppet.hear(seen);
    return false;
  }

  #pass(from: ReplicaId, to: ReplicaId, frame: Uint8Array): boolean {
    this.#options.listener?.onArrival?.(from, to, frame);
    return true;
  }

  #onClientFrame(client: number, to: ReplicaId, bytes: Uint8Array): boolean {
    const frame = decodeClientFrame(bytes);
    const bundle =
      frame?.kind === 'bundle' ? decodeBundle(modelHash, this.#context.domain, frame.bytes) : undefined;
    if (bundle !== undefined && !this.#bundles.has(bundle.digest)) {
      this.#bundles.set(bundle.digest, bundle);
      this.facts.onRequest();
    }
    if (!this.#clientsSpeak || this.#voices.of(to) !== undefined) return false;
    this.#options.listener?.onClientFrame?.(client, to, bytes);
    return true;
  }

  // ---- steps ------------------------------------------------------------------------------------------------------

  #advance(): void {
    const { queue, scenario } = this.world;
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
    return this.facts.holds(condition, this.world.queue.now);
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
      case 'machine':
        return this.world.act(step.verb, step.replica);
      default:
        return this.#voices.play(step, [...this.#bundles.values()], this.world.queue.now);
    }
  }

  #all(): ReplicaId[] {
    return this.world.nodes.map((node) => node.id);
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
      else this.world.queue.after(LOOK_EVERY_MS, look);
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
function withPuppets({ scenario, puppets }: Script): Scenario {
  if (puppets.length === 0) return scenario;
  const silent = puppets.map((replica) => ({ replica, behaviour: 'silent' as const }));
  return { ...scenario, byzantine: [...scenario.byzantine, ...silent] };
}

/**
 * Exhaustive search of a small configuration: three replicas, one or two requests, every order in which messages may be
 * delivered, and a time-out of each replica at any moment. Loss and crashes need no choice of their own: a message that
 * is lost is one that comes after the end, a replica that crashed for good is one that is never chosen again, and what
 * is judged (agreement, validity, nothing done twice, no correct replica accused or stopped) is judged in every state.
 *
 * Depth-first over choices. A state is the local state of each replica: what is on its way follows from what was said and
 * what was heard. Partial-order reduction by sleep sets: events of different replicas commute.
 */
import type { ReplicaId } from '../../../core/types.ts';
import type { Search, SearchFinding } from '../search.ts';
import { SEARCH_FINDINGS_MAX } from '../search.ts';
import { createConfiguration, optionsText } from './configuration.ts';
import type { Configuration, ExhaustiveOptions } from './configuration.ts';
import { judgePath } from './judged-replay.ts';
import type { PathStep } from './judged-replay.ts';
import { LocalStates, TIMEOUT } from './local-states.ts';
import type { EventId, LocalState, MessageId, Said } from './local-states.ts';

/** Something that may happen next: a replica and its event, as one number. */
type Choice = number;

/** By link (`from * n + to`): what is on its way, in the order of sending. */
type Links = readonly (readonly MessageId[])[];

interface Frame {
  readonly states: readonly LocalState[];
  readonly links: Links;
  readonly todo: Choice[];
  /** What is explored elsewhere already, and commutes with everything since. */
  readonly sleep: Set<Choice>;
  /** The choice that led here. */
  readonly via: Choice | undefined;
}

/** Transitions that one piece of work takes, at most. */
const PIECE = 500;
/** One in so many ends of paths is played again under all judges. */
const REPLAY_EVERY = 64;
const REPLICAS_MAX = 8;
/** Room for local states in the name of a global one; three of them fit into a safe integer. */
const LOCAL_MAX = 2 ** 17;
const NOTHING: readonly Choice[] = [];

/** See the top of this file. */
export class ExhaustiveSearch implements Search {
  readonly findings: SearchFinding[] = [];
  violating = 0;
  readonly #options: ExhaustiveOptions;
  readonly #configuration: Configuration;
  readonly #local: LocalStates;
  readonly #stack: Frame[] = [];
  /** By state: the sleep set that it was explored with. */
  readonly #visited = new Map<number, readonly Choice[]>();
  readonly #reported = new Set<string>();
  readonly #budget: number;
  #transitions = 0;
  #slept = 0;
  #met = 0;
  #deepest = 0;
  #ends = 0;
  #cutOff = 0;
  #quiet = 0;
  #quietDone = 0;
  #replayed = 0;

  /** `budget`: global states at most. */
  constructor(options: ExhaustiveOptions, budget: number) {
    this.#options = options;
    this.#budget = budget;
    this.#configuration = createConfiguration(options);
    this.#local = new LocalStates(this.#configuration.surroundings, options.merge);
    const { n } = this.#configuration;
    const roots = Array.from({ length: n }, (_, id) => this.#local.root(id));
    let links: Links = Array.from({ length: n * n }, () => []);
    roots.forEach(({ said }, id) => {
      links = this.#withSaid(links, id, said);
    });
    const states = roots.map(({ state }) => state);
    this.#visited.set(this.#nameOf(states), NOTHING);
    this.#push(states, links, new Set(), undefined, undefined);
  }

  advance(): boolean {
    for (let step = 0; step < PIECE; step += 1) {
      const frame = this.#stack.at(-1);
      if (frame === undefined || this.#isFull) return step > 0;
      const choice = frame.todo.pop();
      if (choice === undefined) {
        this.#stack.pop();
        if (frame.via !== undefined && this.#options.reduce) this.#stack.at(-1)!.sleep.add(frame.via);
      } else this.#take(frame, choice);
    }
    return true;
  }

  get #isFull(): boolean {
    return this.#visited.size >= this.#budget || this.#local.size >= LOCAL_MAX;
  }

  /** Whether every state within the bounds was seen. */
  get isComplete(): boolean {
    return this.#stack.length === 0;
  }

  figures(): Readonly<Record<string, number>> {
    return {
      states: this.#visited.size,
      transitions: this.#transitions,
      metAgain: this.#met,
      sleptOver: this.#slept,
      localStates: this.#local.size,
      replicaSteps: this.#local.steps,
      deepest: this.#deepest,
      highestView: this.#local.highestView,
      ends: this.#ends,
      cutOff: this.#cutOff,
      quiet: this.#quiet,
      quietAndDone: this.#quietDone,
      replayed: this.#replayed,
      complete: this.isComplete ? 1 : 0,
    };
  }

  goOn(): undefined {
    return undefined;
  }

  // ---- walking ----------------------------------------------------------------------------------------------------

  #take(frame: Frame, choice: Choice): void {
    const replica = choice % REPLICAS_MAX;
    const event = Math.floor(choice / REPLICAS_MAX) + TIMEOUT;
    const before = frame.states[replica]!;
    const { state: after, said } = this.#local.after(before, event);
    this.#transitions += 1;
    const states = frame.states.map((state, id) => (id === replica ? after : state));
    const links = this.#withSaid(this.#without(frame.links, replica, event), replica, said);
    // What sleeps goes on sleeping unless it is about the replica that moved.
    const sleep = new Set<Choice>();
    for (const one of frame.sleep) if (one % REPLICAS_MAX !== replica) sleep.add(one);
    const name = this.#nameOf(states);
    const known = this.#visited.get(name);
    if (known === undefined) {
      this.#visited.set(name, sleep.size === 0 ? NOTHING : [...sleep]);
      this.#push(states, links, sleep, choice, undefined);
      this.#judge(states, replica, before);
      return;
    }
    this.#met += 1;
    // Explored before without what slept then: that is made up for, if it does not sleep now as well.
    const left = known.filter((one) => !sleep.has(one));
    if (left.length === 0) {
      if (this.#options.reduce) frame.sleep.add(choice);
      return;
    }
    // Only what slept both times is explored elsewhere for certain.
    const both = known.filter((one) => sleep.has(one));
    this.#visited.set(name, both);
    this.#push(states, links, new Set(both), choice, left);
  }

  #push(
    states: readonly LocalState[],
    links: Links,
    sleep: Set<Choice>,
    via: Choice | undefined,
    only: readonly Choice[] | undefined,
  ): void {
    const depth = states.reduce((sum, state) => sum + state.length, 0);
    this.#deepest = Math.max(this.#deepest, depth);
    const enabled = this.#enabled(states, links);
    const isCut = depth >= this.#options.depth && enabled.length > 0;
    const awake = (only ?? enabled).filter((choice) => !sleep.has(choice));
    if (only === undefined) this.#slept += enabled.length - awake.length;
    this.#stack.push({ states, links, sleep, via, todo: isCut ? [] : awake.reverse() });
    if (only !== undefined) return;
    if (isCut) this.#cutOff += 1;
    if (enabled.length === 0) this.#onQuiet(states);
    if (isCut || enabled.length === 0) this.#onEnd();
  }

  /** All that may happen next, in a fixed order. */
  #enabled(states: readonly LocalState[], links: Links): Choice[] {
    const { timeouts, order } = this.#options;
    const choices: Choice[] = [];
    const n = states.length;
    for (const state of states) {
      if (state.fault !== undefined) continue;
      const to = state.replica;
      for (let from = 0; from < n; from += 1) {
        const waiting = links[from * n + to]!;
        const open = order === 'link' ? waiting.slice(0, 1) : [...new Set(waiting)];
        for (const message of open) choices.push(this.#choiceOf(to, this.#local.deliveryOf(message, from)));
      }
      if (state.timeouts < timeouts && state.canTimeOut) choices.push(this.#choiceOf(to, TIMEOUT));
    }
    return choices;
  }

  #choiceOf(replica: ReplicaId, event: EventId): Choice {
    return (event - TIMEOUT) * REPLICAS_MAX + replica;
  }

  #nameOf(states: readonly LocalState[]): number {
    return states.reduce((name, { id }) => name * LOCAL_MAX + id, 0);
  }

  #withSaid(links: Links, replica: ReplicaId, said: Said): Links {
    if (said.length === 0) return links;
    const n = this.#configuration.n;
    const more = [...links];
    for (const { to, message } of said) more[replica * n + to] = [...more[replica * n + to]!, message];
    return more;
  }

  #without(links: Links, to: ReplicaId, event: EventId): Links {
    if (event === TIMEOUT) return links;
    const n = this.#configuration.n;
    const link = this.#local.senderOf(event) * n + to;
    const message = this.#local.messageOf(event);
    const at = links[link]!.indexOf(message);
    return links.map((waiting, index) => (index === link ? waiting.toSpliced(at, 1) : waiting));
  }

  // ---- judging ----------------------------------------------------------------------------------------------------

  #isCorrect(replica: ReplicaId): boolean {
    return replica !== this.#configuration.liar;
  }

  /** What the step of one replica changed. */
  #judge(states: readonly LocalState[], replica: ReplicaId, before: LocalState): void {
    if (!this.#isCorrect(replica)) return;
    const state = states[replica]!;
    if (state.fault !== undefined) this.#report('crash', `replica ${replica} ${state.fault}`);
    for (const accused of state.accused)
      if (this.#isCorrect(accused))
        this.#report('accusation', `correct replica ${accused} accused by ${replica}`);
    for (let place = before.executed.length; place < state.executed.length; place += 1) {
      const digest = state.executed[place]!;
      if (state.executed.indexOf(digest) < place)
        this.#report(
          'exactly-once',
          `replica ${replica} executed one batch at ${state.executed.indexOf(digest) + 1} and ${place + 1}`,
        );
      for (const other of states) {
        const theirs = other.executed[place];
        if (this.#isCorrect(other.replica) && theirs !== undefined && theirs !== digest)
          this.#report(
            'agreement',
            `sequence ${place + 1}: replicas ${replica} and ${other.replica} executed different batches`,
          );
      }
    }
  }

  /** Nothing is on its way any more and nobody may time out. */
  #onQuiet(states: readonly LocalState[]): void {
    this.#quiet += 1;
    const correct = states.filter(({ replica }) => this.#isCorrect(replica));
    const { length } = this.#configuration.surroundings.bundles;
    if (correct.every(({ executed }) => executed.length >= length)) this.#quietDone += 1;
  }

  #onEnd(): void {
    this.#ends += 1;
    if (this.#ends % REPLAY_EVERY !== 1) return;
    this.#replayed += 1;
    const [first] = judgePath(this.#options, this.#path());
    if (first !== undefined) this.#report(first.judge, first.text);
  }

  #path(): PathStep[] {
    return this.#stack.flatMap(({ via }) => {
      if (via === undefined) return [];
      const event = Math.floor(via / REPLICAS_MAX) + TIMEOUT;
      return [{ replica: via % REPLICAS_MAX, event: this.#local.eventOf(event) }];
    });
  }

  #report(judge: string, violation: string): void {
    this.violating += 1;
    const key = `${judge} ${violation}`;
    if (this.#reported.has(key) || this.findings.length >= SEARCH_FINDINGS_MAX) return;
    this.#reported.add(key);
    const steps = this.#path().map(({ replica, event }) =>
      event.kind === 'timeout' ? `${replica} times out` : `${event.from}>${replica} ${event.message.kind}`,
    );
    this.findings.push({
      text: steps.join(', '),
      judge,
      atMs: 0,
      violation,
      reproduce: `moiety sim explore --strategy exhaustive ${optionsText(this.#options)} --budget ${this.#visited.size + 1}`,
    });
  }
}

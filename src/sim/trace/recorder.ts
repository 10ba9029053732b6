/** Writes down what happens in a run. */
import type { RuleTrace } from '../../core/protocol.ts';
import type { ScheduleResult } from '../run-schedule.ts';
import { labelOf } from '../script/seen.ts';
import type { Label } from '../script/seen.ts';
import type { Script } from '../script/script.ts';
import type { Passing, Spectator } from '../script/theatre.ts';
import { TRACE_VERSION } from './trace.ts';
import type { Trace, TraceEvent, TraceMessage } from './trace.ts';

/** Events kept, at most. */
const EVENTS_MAX = 500_000;

/** See the top of this file. Give `spectator` and `rule` to the run, then ask for the `trace`. */
export class Recorder {
  readonly spectator: Spectator;
  #now: () => number = () => 0;
  readonly #events: TraceEvent[] = [];
  readonly #ids = new WeakMap<object, Map<string, number>>();
  readonly #sealed = new Set<string>();
  readonly #rules = new Map<string, [number, number]>();
  #sends = 0;
  #truncated = false;

  constructor() {
    this.spectator = {
      onSend: (passing) => this.#onSend(passing),
      onArrival: (passing) => this.#onArrival(passing),
      onExecuted: (replica, sequence, digest) =>
        this.#add({ kind: 'execute', at: this.#now(), replica, sequence, digest }),
      onIssued: (client, txId) => this.#add({ kind: 'request', at: this.#now(), client, txId }),
      onBelieved: ({ client, result }) => {
        const { sequence, txId } = result;
        this.#add({ kind: 'believe', at: this.#now(), client, sequence, txId });
      },
      onNote: (replica, name, detail) => this.#add({ kind: 'note', at: this.#now(), replica, name, detail }),
      onFault: (text) => this.#add({ kind: 'fault', at: this.#now(), text }),
    };
  }

  /** The clock of the run that is recorded. */
  useClock(now: () => number): void {
    this.#now = () => Math.round(now() * 1000) / 1000;
  }

  /** The outcome of a rule. */
  rule({ rule, passed, about }: RuleTrace): void {
    const counts = this.#rules.get(rule) ?? [0, 0];
    counts[passed ? 0 : 1] += 1;
    this.#rules.set(rule, counts);
    if (passed) return;
    this.#add({ kind: 'refusal', at: this.#now(), rule, ...(about === undefined ? {} : { about }) });
  }

  /** The document, when the run has ended. */
  trace({ name, protocol, fidelity, scenario, puppets }: Script, result: ScheduleResult): Trace {
    const { byzantine, forker, n: replicas, f } = scenario;
    const liars = [...byzantine.map(({ replica }) => replica), ...puppets];
    if (forker !== undefined) liars.push(forker.replica);
    const byzantineClients = (scenario.liarClients ?? scenario.family?.clients ?? []).length;
    const { violations, stats, traceHash } = result;
    return {
      format: 'moiety-trace',
      version: TRACE_VERSION,
      name,
      protocol,
      fidelity,
      replicas,
      f,
      byzantine: liars.sort((a, b) => a - b),
      clients: scenario.clients.length + byzantineClients,
      byzantineClients,
      scenario,
      events: this.#events,
      contents: [],
      truncated: this.#truncated,
      rules: Object.fromEntries([...this.#rules].sort(([a], [b]) => (a < b ? -1 : 1))),
      violations,
      stats,
      traceHash,
    };
  }

  #add(event: TraceEvent): void {
    if (this.#events.length < EVENTS_MAX) this.#events.push(event);
    else this.#truncated = true;
  }

  #onSend(passing: Passing): void {
    const { from, to, frame } = passing;
    const label = labelOf(passing.see());
    const message = messageOf(label);
    const at = this.#now();
    if (label.author === from && label.counter !== undefined) {
      const seal = `${from}/${label.counter}/${label.kind}`;
      if (!this.#sealed.has(seal)) this.#add({ kind: 'seal', at, replica: from, ...message });
      this.#sealed.add(seal);
    }
    const id = this.#sends;
    this.#sends += 1;
    const ids = this.#ids.get(frame) ?? new Map<string, number>();
    this.#ids.set(frame, ids.set(`${from}>${to}`, id));
    this.#add({ kind: 'send', at, id, from, to, ...message });
  }

  #onArrival({ from, to, frame }: Passing): boolean {
    const id = this.#ids.get(frame)?.get(`${from}>${to}`);
    if (id !== undefined) this.#add({ kind: 'deliver', at: this.#now(), id });
    return true;
  }
}

function messageOf({ kind, view, sequence, author, counter }: Label): TraceMessage {
  return {
    message: kind,
    ...(view === undefined ? {} : { view }),
    ...(sequence === undefined ? {} : { sequence }),
    ...(author === undefined ? {} : { author }),
    ...(counter === undefined ? {} : { counter }),
  };
}

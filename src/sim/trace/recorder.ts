/** Writes down what happens in a run. */
import type { RuleTrace } from '../../core/protocol.ts';
import type { ReplicaId } from '../../core/types.ts';
import type { Arrival, Parcel, SeenExchange } from '../listener.ts';
import type { MachineLook } from '../machine.ts';
import type { ScheduleResult } from '../run-schedule.ts';
import { labelOf } from '../script/seen.ts';
import type { Label } from '../script/seen.ts';
import { printScript } from '../script/print.ts';
import type { Script } from '../script/script.ts';
import type { Passing, Spectator } from '../script/theatre.ts';
import { fieldsOf } from './fields.ts';
import { StateLog } from './states.ts';
import { isWaitingRule } from './waiting-rules.ts';
import { TRACE_VERSION } from './trace.ts';
import type { CheckedRule, Trace, TraceEvent, TraceFields, TraceMessage } from './trace.ts';

/** Events kept, at most. */
const EVENTS_MAX = 500_000;

/** What a recorder asks of the run that it records. */
export interface RecordedRun {
  /** Virtual time. */
  now(): number;
  look(replica: ReplicaId): MachineLook | undefined;
}

/** How much is written down. */
export interface RecorderOptions {
  /** Events at most; what comes later is left out. */
  readonly eventsMax?: number;
  /** Whether the run is ended when there are as many. */
  readonly endsRun?: boolean;
}

/** A delivery that its receiver works on. */
interface Taking {
  readonly id: number;
  readonly replica: ReplicaId;
  readonly rules: CheckedRule[];
  /** Its event, which grows while the receiver works. */
  readonly event: { rules?: readonly CheckedRule[]; verdict?: string };
}

/** See the top of this file. Give `spectator` and `rule` to the run, and the run to `open`; then ask for the `trace`. */
export class Recorder {
  readonly spectator: Spectator;
  readonly #eventsMax: number;
  readonly #endsRun: boolean;
  #run: RecordedRun | undefined;
  readonly #events: TraceEvent[] = [];
  readonly #contents: TraceFields[] = [];
  readonly #contentPlaces = new Map<string, number>();
  readonly #places = new WeakMap<object, number>();
  readonly #ids = new WeakMap<object, Map<string, number>>();
  readonly #sealed = new Set<string>();
  readonly #rules = new Map<string, [number, number]>();
  readonly #checked = new Map<string, CheckedRule>();
  readonly #states = new StateLog();
  readonly #worked = new Set<ReplicaId>();
  readonly #replicas = new Set<ReplicaId>();
  #taking: Taking | undefined;
  /** By id of a sending: the kind of what is sent. */
  readonly #kinds: string[] = [];
  #truncated = false;

  constructor({ eventsMax = EVENTS_MAX, endsRun = false }: RecorderOptions = {}) {
    this.#eventsMax = eventsMax;
    this.#endsRun = endsRun;
    this.spectator = {
      onSend: (passing) => this.#onSend(passing),
      onArrival: (passing) => this.#onArrival(passing),
      onTaken: () => (this.#taking = undefined),
      onAsk: (client, to, see) => this.#onAsk(client, to, see),
      onReply: (from, client, see) => this.#onReply(from, client, see),
      onExecuted: (replica, sequence, digest) =>
        this.#add({ kind: 'execute', at: this.#now, replica, sequence, digest }),
      onIssued: (client, txId) => this.#add({ kind: 'request', at: this.#now, client, txId }),
      onBelieved: ({ client, result }) => {
        const { sequence, txId } = result;
        this.#add({ kind: 'believe', at: this.#now, client, sequence, txId });
      },
      onNote: (replica, name, detail) => {
        if (name === 'ignored') this.#refuse(replica, String(detail['reason']));
        this.#worked.add(replica);
        this.#add({ kind: 'note', at: this.#now, replica, name, detail });
      },
      onFault: (text) => {
        for (const replica of this.#replicas) this.#worked.add(replica);
        this.#add({ kind: 'fault', at: this.#now, text });
      },
      onCertified: (replica, object, counter) => {
        this.#states.certified(replica, object, counter);
        const what = object === undefined ? {} : { object };
        this.#add({ kind: 'certify', at: this.#now, replica, ...what, counter });
      },
      onTimer: (replica, timer) => this.#add({ kind: 'timer', at: this.#now, replica, timer }),
      onWorked: (replica) => void this.#worked.add(replica),
      onEvent: () => this.#onEvent(),
    };
  }

  /** The run that is recorded; to be given before it begins. */
  open(run: RecordedRun): void {
    this.#run = run;
  }

  /** The outcome of a rule. */
  rule({ rule, passed, about }: RuleTrace): void {
    const counts = this.#rules.get(rule) ?? [0, 0];
    counts[passed ? 0 : 1] += 1;
    this.#rules.set(rule, counts);
    const taking = this.#taking;
    taking?.rules.push(this.#checkedRule(rule, passed, about));
    // What is about no message is a question of the replica to itself: whether it may do something already.
    if (passed || about === undefined || isWaitingRule(rule)) return;
    if (taking !== undefined && this.#kinds[taking.id] === about) this.#refuse(taking.replica, rule);
    const where = taking === undefined ? {} : { replica: taking.replica, id: taking.id };
    this.#add({ kind: 'refusal', at: this.#now, rule, about, ...where });
  }

  /** The document, when the run has ended. */
  trace(script: Script, result: ScheduleResult): Trace {
    const { name, protocol, fidelity, scenario, puppets } = script;
    const { byzantine, forker, family, n: replicas, f } = scenario;
    const liars = [...byzantine.map(({ replica }) => replica), ...puppets];
    if (forker !== undefined) liars.push(forker.replica);
    for (const { replica } of [...(family?.liars ?? []), ...(family?.twins ?? [])]) liars.push(replica);
    const byzantineClients = (scenario.liarClients ?? family?.clients ?? []).length;
    const { violations, stats, traceHash } = result;
    return {
      format: 'moiety-trace',
      version: TRACE_VERSION,
      name,
      protocol,
      fidelity,
      replicas,
      f,
      byzantine: [...new Set(liars)].sort((a, b) => a - b),
      clients: scenario.clients.length + byzantineClients,
      byzantineClients,
      scenario,
      script: printScript(readable(script)),
      events: this.#events,
      contents: this.#contents,
      states: this.#states.changes,
      truncated: this.#truncated,
      rules: Object.fromEntries([...this.#rules].sort(([a], [b]) => (a < b ? -1 : 1))),
      violations,
      stats,
      traceHash,
    };
  }

  get #now(): number {
    return Math.round((this.#run?.now() ?? 0) * 1000) / 1000;
  }

  #add(event: TraceEvent): void {
    if (this.#events.length < this.#eventsMax) this.#events.push(event);
    else this.#truncated = true;
  }

  /** Looks at those who have worked; the run goes on unless it has become too long. */
  #onEvent(): boolean {
    this.#taking = undefined;
    if (this.#worked.size > 0 && !this.#truncated) {
      const place = this.#events.length - 1;
      const at = this.#now;
      for (const replica of this.#worked) {
        this.#replicas.add(replica);
        this.#states.look(at, place, replica, this.#run?.look(replica));
      }
      this.#worked.clear();
    }
    return !(this.#truncated && this.#endsRun);
  }

  #refuse(replica: ReplicaId, verdict: string): void {
    const taking = this.#taking;
    if (taking?.replica === replica) taking.event.verdict ??= verdict;
  }

  /** One object for all checks with one outcome: there are very many of them. */
  #checkedRule(rule: string, passed: boolean, about: string | undefined): CheckedRule {
    const name = `${rule}/${String(passed)}/${about ?? ''}`;
    const known = this.#checked.get(name);
    if (known !== undefined) return known;
    const checked = { rule, passed, ...(about === undefined ? {} : { about }) };
    this.#checked.set(name, checked);
    return checked;
  }

  // ---- links ------------------------------------------------------------------------------------------------------

  #onSend(passing: Passing): void {
    const { from, to, frame } = passing;
    const label = labelOf(passing.see());
    const message = messageOf(label);
    const at = this.#now;
    if (label.author === from && label.counter !== undefined) {
      const seal = `${from}/${label.counter}/${label.kind}`;
      if (!this.#sealed.has(seal)) this.#add({ kind: 'seal', at, replica: from, ...message });
      this.#sealed.add(seal);
    }
    const id = this.#nextId(label.kind);
    const ids = this.#ids.get(frame) ?? new Map<string, number>();
    this.#ids.set(frame, ids.set(`${from}>${to}`, id));
    const weighed = this.#weigh(frame, () => passing.weigh());
    this.#add({ kind: 'send', at, id, from, to, ...message, ...weighed });
  }

  #onArrival({ from, to, frame }: Passing): boolean {
    const id = this.#ids.get(frame)?.get(`${from}>${to}`);
    if (id !== undefined) this.#take(to, { kind: 'deliver', at: this.#now, id });
    return true;
  }

  #onAsk(client: number, to: ReplicaId, see: () => SeenExchange): Arrival {
    const seen = see();
    const id = this.#nextId(seen.kind);
    this.#add({ kind: 'ask', at: this.#now, id, client, to, ...this.#exchange(seen) });
    return () => this.#take(to, { kind: 'asked', at: this.#now, id });
  }

  #onReply(from: ReplicaId, client: number, see: () => SeenExchange): Arrival {
    const seen = see();
    const id = this.#nextId(seen.kind);
    this.#add({ kind: 'answer', at: this.#now, id, from, client, ...this.#exchange(seen) });
    return () => this.#add({ kind: 'answered', at: this.#now, id });
  }

  /** From here on, until it says that it has worked on it, rules are about this delivery. */
  #take(replica: ReplicaId, event: Extract<TraceEvent, { kind: 'deliver' | 'asked' }>): void {
    const rules: CheckedRule[] = [];
    const grown = { ...event, rules };
    this.#taking = { id: event.id, replica, rules, event: grown };
    this.#add(grown);
  }

  #nextId(kind: string): number {
    return this.#kinds.push(kind) - 1;
  }

  #exchange(seen: SeenExchange): TraceMessage & { readonly bytes: number; readonly content: number } {
    const { kind, view, sequence, bytes, content } = seen;
    return {
      message: kind,
      ...(view === undefined ? {} : { view }),
      ...(sequence === undefined ? {} : { sequence }),
      bytes,
      content: this.#contentPlace(content),
    };
  }

  #weigh(frame: object, weigh: () => Parcel): { readonly bytes: number; readonly content: number } {
    const { bytes, content } = weigh();
    const place = this.#places.get(frame) ?? this.#contentPlace(content);
    this.#places.set(frame, place);
    return { bytes, content: place };
  }

  /** By what it says, not by the object: objects live as long as it pleases whoever made them. */
  #contentPlace(content: object): number {
    const seen = this.#places.get(content);
    if (seen !== undefined) return seen;
    const fields = fieldsOf(content);
    const text = JSON.stringify(fields);
    const place = this.#contentPlaces.get(text) ?? this.#contents.length;
    if (place === this.#contents.length) {
      this.#contentPlaces.set(text, place);
      this.#contents.push(fields);
    }
    this.#places.set(content, place);
    return place;
  }
}

/** The script with a name that can be read back, and something to expect. */
function readable(script: Script): Script {
  const name = script.name.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  return {
    ...script,
    name: /^[a-z]/.test(name) ? name : `run-${name}`,
    expect: script.expect.length === 0 ? [{ kind: 'clean' }] : script.expect,
  };
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

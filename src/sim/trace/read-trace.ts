/**
 * Reads an event log from a file. Anybody may have written it, so all that drawings and pages use of it is looked at; what is
 * wrong is said in a sentence. Logs of earlier releases lack what was added since, and are read all the same.
 */
import { TRACE_VERSION } from './trace.ts';
import type { Trace, TraceValue } from './trace.ts';

const MIB = 1024 * 1024;
/**
 * Bytes of an event log that are read: half a million events, where a recorder ends, have about 150 MiB, and take three seconds
 * and 0.7 GiB of memory to be drawn.
 */
export const TRACE_BYTES_MAX = 192 * MIB;
/** Bytes that a page shows: 150,000 events, which take it five seconds, and whoever puts them into it 1 GiB. */
export const PAGE_BYTES_MAX = 48 * MIB;
const REPLICAS_MAX = 200;
const CLIENTS_MAX = 200;
const EVENTS_MAX = 600_000;
const TEXT_MAX = 4_000;
/** All but tabs and ends of lines. */
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/;
const SCRIPT_MAX = 512 * 1024;
const RULES_MAX = 10_000;
const DEPTH_MAX = 10;
const VALUES_MAX = 2_000;

type Json = Readonly<Record<string, unknown>>;

/** See the top of this file. */
export function readTrace(text: string): Trace | string {
  const trace = parsed(text);
  if (trace?.['format'] !== 'moiety-trace') return 'it is no event log of "moiety sim --trace"';
  const { version } = trace;
  if (version !== TRACE_VERSION)
    return `it is an event log of version ${textOf(version)}, and this release reads version ${TRACE_VERSION}`;
  const problem = headProblem(trace);
  if (problem !== undefined) return `it is damaged: ${problem}`;
  const scenario = recordOf(trace['scenario'])!;
  const clients = trace['clients'] ?? listOf(scenario['clients'])?.length ?? 0;
  const whole = {
    contents: [],
    states: [],
    protocol: 'minbft',
    script: '',
    byzantineClients: 0,
    ...trace,
    clients,
  } as unknown as Trace;
  const inside = insideProblem(whole);
  return inside === undefined ? whole : `it is damaged: ${inside}`;
}

function parsed(text: string): Json | undefined {
  try {
    return recordOf(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function recordOf(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

function listOf(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) ? value : undefined;
}

function textOf(value: unknown): string {
  return typeof value === 'number' || typeof value === 'string' ? String(value).slice(0, 20) : 'unknown';
}

function isWhole(value: unknown, most = Number.MAX_SAFE_INTEGER, least = 0): boolean {
  return Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most;
}

/** Text without what steers a terminal or is no XML. */
function isText(value: unknown, longest = TEXT_MAX): boolean {
  return typeof value === 'string' && value.length <= longest && !CONTROL.test(value);
}

function isTime(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value);
}

function headProblem(trace: Json): string | undefined {
  const { name, protocol, fidelity, replicas, f, byzantine, clients, byzantineClients, script } = trace;
  if (!isText(name, 200) || (protocol !== undefined && !isText(protocol, 100))) return 'it has no name';
  if (fidelity !== 'whole' && fidelity !== 'core') return 'its fidelity is unknown';
  if (!isWhole(replicas, REPLICAS_MAX, 1) || !isWhole(f, REPLICAS_MAX))
    return 'its replicas are not numbered';
  if (listOf(byzantine)?.every((id) => isWhole(id, Number(replicas) - 1)) !== true)
    return 'its Byzantine replicas are not among its replicas';
  const scenario = recordOf(trace['scenario']);
  if (scenario === undefined) return 'it has no scenario';
  const count = clients ?? listOf(scenario['clients'])?.length ?? 0;
  if (!isWhole(count, CLIENTS_MAX) || !isWhole(byzantineClients ?? 0, Number(count)))
    return 'its clients are not numbered';
  if (script !== undefined && !isText(script, SCRIPT_MAX)) return 'its script is no text';
  if (typeof trace['truncated'] !== 'boolean' || !isText(trace['traceHash'], 100))
    return 'its end is missing';
  if (!areRules(trace['rules'])) return 'its rules are not counted';
  if (recordOf(trace['stats']) === undefined) return 'it has no figures';
  const violations = listOf(trace['violations']);
  const isViolation = (one: unknown): boolean => {
    const { judge, atMs, text } = recordOf(one) ?? {};
    return isText(judge, 60) && isTime(atMs) && isText(text, 20 * TEXT_MAX);
  };
  if (violations === undefined || violations.length > 100 || !violations.every(isViolation))
    return 'its violations are not in words';
  return undefined;
}

function areRules(value: unknown): boolean {
  const rules = recordOf(value);
  if (rules === undefined) return false;
  const counts = Object.values(rules);
  return (
    counts.length <= RULES_MAX &&
    counts.every((pair) => listOf(pair)?.length === 2 && (pair as unknown[]).every((count) => isWhole(count)))
  );
}

function insideProblem(trace: Trace): string | undefined {
  const { contents, states } = trace as { readonly contents: unknown; readonly states: unknown };
  const events: unknown = trace.events;
  if (!Array.isArray(events) || events.length > EVENTS_MAX) return 'it has no list of events, or too many';
  if (!Array.isArray(contents) || contents.length > EVENTS_MAX) return 'its contents are no list';
  if (!Array.isArray(states) || states.length > EVENTS_MAX) return 'its states are no list';
  let last = 0;
  for (const [place, value] of events.entries()) {
    const event = recordOf(value);
    if (event === undefined || !isTime(event['at']) || !isEvent(event, trace))
      return `event ${place} is not what it should be`;
    if (Number(event['at']) < last) return `event ${place} is earlier than the one before`;
    last = Number(event['at']);
  }
  for (const [place, value] of contents.entries())
    if (recordOf(value) === undefined || !isPlain(value as TraceValue))
      return `content ${place} is not what it should be`;
  let before = -1;
  for (const [place, value] of states.entries()) {
    const state = recordOf(value);
    if (state === undefined || !isState(state, trace) || Number(state['event']) < before)
      return `state ${place} is not what it should be`;
    before = Number(state['event']);
  }
  return undefined;
}

/** Fields that an event must have, by kind; kinds that a later release added are let through. */
function isEvent(event: Json, { replicas, clients, contents }: Trace): boolean {
  const replica = (value: unknown): boolean => isWhole(value, replicas - 1);
  const client = (value: unknown): boolean => isWhole(value, clients - 1);
  const sent = (): boolean =>
    isWhole(event['id']) &&
    isMessage(event) &&
    (event['bytes'] === undefined || isWhole(event['bytes'])) &&
    (event['content'] === undefined || isWhole(event['content'], contents.length - 1));
  switch (event['kind']) {
    case 'send':
      return sent() && replica(event['from']) && replica(event['to']);
    case 'ask':
      return sent() && client(event['client']) && replica(event['to']);
    case 'answer':
      return sent() && replica(event['from']) && client(event['client']);
    case 'deliver':
    case 'asked':
      return isWhole(event['id']) && isTaken(event);
    case 'answered':
      return isWhole(event['id']);
    case 'seal':
      return replica(event['replica']) && isMessage(event);
    case 'execute':
      return replica(event['replica']) && isWhole(event['sequence']) && isText(event['digest'], 200);
    case 'certify':
      return replica(event['replica']) && isWhole(event['counter']) && isOptionalText(event['object']);
    case 'timer':
      return replica(event['replica']) && isText(event['timer'], 100);
    case 'note':
      return replica(event['replica']) && isText(event['name'], 100) && isDetail(event['detail']);
    case 'refusal':
      return isText(event['rule'], 200) && isOptionalText(event['about']);
    case 'request':
      return client(event['client']) && isText(event['txId'], 200);
    case 'believe':
      return client(event['client']) && isText(event['txId'], 200) && isWhole(event['sequence']);
    case 'fault':
      return isText(event['text']);
    default:
      return isText(event['kind'], 100);
  }
}

function isOptionalText(value: unknown): boolean {
  return value === undefined || isText(value, 200);
}

function isMessage(event: Json): boolean {
  const numbers = ['view', 'sequence', 'author', 'counter'].map((field) => event[field]);
  // A liar says any number.
  return (
    isText(event['message'], 100) &&
    numbers.every((value) => value === undefined || typeof value === 'number')
  );
}

function isTaken({ rules, verdict }: Json): boolean {
  if (!isOptionalText(verdict)) return false;
  if (rules === undefined) return true;
  const list = listOf(rules);
  return (
    list !== undefined &&
    list.length <= RULES_MAX &&
    list.every((one) => {
      const { rule, passed, about } = recordOf(one) ?? {};
      return isText(rule, 200) && typeof passed === 'boolean' && isOptionalText(about);
    })
  );
}

function isDetail(value: unknown): boolean {
  const detail = recordOf(value);
  if (detail === undefined) return false;
  const values = Object.values(detail);
  return values.length <= 50 && values.every((one) => isText(one, 20 * TEXT_MAX) || typeof one !== 'object');
}

function isState({ at, event, replica, state }: Json, { replicas, events }: Trace): boolean {
  if (!isTime(at) || !isWhole(event, events.length - 1, -1) || !isWhole(replica, replicas - 1)) return false;
  if (state === null) return true;
  const { view, mode, phase, sequence, stable, counter, waitsFor, peers } = recordOf(state) ?? {};
  return (
    [view, sequence, stable, counter].every((value) => isWhole(value)) &&
    isText(mode, 100) &&
    isText(phase, 100) &&
    (waitsFor === null || isText(waitsFor)) &&
    listOf(peers)?.every((one) => {
      const peer = recordOf(one) ?? {};
      return isWhole(peer['replica']) && typeof peer['dead'] === 'boolean' && isWhole(peer['incarnation']);
    }) === true
  );
}

/** Bounded in depth and number, so that whoever shows it comes to an end. */
function isPlain(content: TraceValue): boolean {
  let left = VALUES_MAX;
  const look = (value: unknown, depth: number): boolean => {
    left -= 1;
    if (left < 0 || depth > DEPTH_MAX) return false;
    if (typeof value === 'string') return value.length <= TEXT_MAX;
    if (typeof value !== 'object' || value === null) return true;
    return Object.values(value).every((inner) => look(inner, depth + 1));
  };
  return look(content, 0);
}

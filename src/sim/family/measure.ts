/**
 * What one batch costs without faults: messages by kind and calls of trusted components, counted in the simulator. What
 * keeps a cluster healthy beside ordering is left out: STATUS, PROOF (what a lagging replica is shown again), bodies,
 * forwarded requests, signatures of block headers (which this fidelity does not send), CHECKPOINT, and STREAM-BATCH (votes
 * that a speculative protocol shows its replicas later).
 */
import type { ProtocolFacts } from '../../core/protocol.ts';
import type { AnyProtocol } from '../../protocols/catalogue.ts';
import { baseScenario } from '../base-scenario.ts';
import { nameOfFrame } from '../core/frame.ts';
import type { Scenario } from '../scenario.ts';
import { familyWorld } from './run.ts';

/** Kinds of frames that are not counted. */
export const NOT_COUNTED: readonly string[] = [
  'STATUS',
  'PROOF',
  'CHECKPOINT',
  'STREAM-BATCH',
  'body',
  'fetchBody',
  'bundle',
];

/** Batches of one request that are counted; the cost of each is the same. */
const BATCHES = 8;
/** Long enough for one batch to be over before the next begins. */
const PACE_MS = 100;

/** Costs of one batch. */
export interface MeasuredCosts {
  readonly n: number;
  readonly f: number;
  /** By kind, in the order of the formula; kinds that the formula does not name come last. */
  readonly messages: Readonly<Record<string, number>>;
  readonly trustedCalls: number;
}

/** A cluster in which nothing goes wrong, nobody is asked again, and each request is a batch. */
export function calmScenario(n: number, f: number, batches = BATCHES): Scenario {
  const base = baseScenario(f);
  return {
    ...base,
    n,
    limits: { ...base.limits, checkpointInterval: 64, logEntriesMax: 16_384 },
    timers: { ...base.timers, statusMs: 60_000, requestMs: 60_000, newViewMs: 60_000, backoffCapMs: 60_000 },
    clockOffsetsMs: Array.from({ length: n }, () => 0),
    clients: [
      {
        bundles: batches,
        requestsPerBundle: 1,
        inFlight: 1,
        paceMs: PACE_MS,
        retransmitMs: 60_000,
        toAll: true,
      },
    ],
    calmMs: PACE_MS * (batches + 1),
  };
}

/** Counts what one batch costs in a cluster for f faults. */
export function measureCosts(protocol: AnyProtocol, f: number): MeasuredCosts {
  const n = protocol.replicasFor(f);
  const counted: Record<string, number> = {};
  const add = (kind: string): void => {
    counted[kind] = (counted[kind] ?? 0) + 1;
  };
  const world = familyWorld(protocol, calmScenario(n, f), {
    listener: { onSend: (_from, _to, frame) => add(nameOfFrame(frame)), onReply: () => add('REPLY') },
  });
  world.run();
  const { violations, highest, believed } = world.judge;
  // Slots that somebody skips are orders, too.
  if (violations.length > 0 || highest < BATCHES || believed !== BATCHES)
    throw new Error(`${protocol.name} does not run calmly: ${JSON.stringify(violations)}`);
  const messages: Record<string, number> = {};
  const kinds = new Set([...Object.keys(protocol.facts.messages(n, f)), ...Object.keys(counted)]);
  for (const kind of kinds) if (!NOT_COUNTED.includes(kind)) messages[kind] = (counted[kind] ?? 0) / BATCHES;
  return { n, f, messages, trustedCalls: world.trustedCalls / BATCHES };
}

/** What one message takes on the way, for delays: far longer than all timers that order has to wait for. */
const LINK_MS = 1_000;

/** Requests whose delays are looked at. */
const TIMED = 3;

/** Message delays from a request to the answer that its client believes: one for each request, links being all that takes time. */
export function measureDelays(protocol: AnyProtocol, f: number): number[] {
  const n = protocol.replicasFor(f);
  const calm = calmScenario(n, f);
  const paceMs = 20 * LINK_MS;
  const scenario: Scenario = {
    ...calm,
    network: { ...calm.network, delayLowMs: LINK_MS, delayHighMs: LINK_MS },
    disk: { syncLowMs: 0, syncHighMs: 0 },
    trusted: { lowMs: 0, highMs: 0 },
    clients: calm.clients.map((client) => ({ ...client, paceMs, bundles: TIMED })),
    calmMs: paceMs * (TIMED + 1),
  };
  const issued = new Map<string, number>();
  const delays: number[] = [];
  const world = familyWorld(protocol, scenario, {
    listener: {
      onIssued: (_client, txId) => issued.set(txId, world.queue.now),
      onBelieved: ({ result }) => delays.push((world.queue.now - issued.get(result.txId)!) / LINK_MS),
    },
  });
  world.run();
  if (world.judge.violations.length > 0 || delays.length !== TIMED)
    throw new Error(`${protocol.name} does not run calmly: ${JSON.stringify(world.judge.violations)}`);
  return delays;
}

/** Whether what was counted is what the formulas say, kind by kind; a sentence for each difference. */
export function differences(facts: ProtocolFacts, { n, f, messages, trustedCalls }: MeasuredCosts): string[] {
  const said: Record<string, number> = { ...facts.messages(n, f) };
  const kinds = new Set([...Object.keys(said), ...Object.keys(messages)]);
  const wrong: string[] = [];
  for (const kind of kinds)
    if ((said[kind] ?? 0) !== (messages[kind] ?? 0))
      wrong.push(`n = ${n}: ${kind} is ${said[kind] ?? 0} by the formula, ${messages[kind] ?? 0} by count`);
  if (facts.trustedCalls(n, f) !== trustedCalls)
    wrong.push(
      `n = ${n}: trusted calls are ${facts.trustedCalls(n, f)} by the formula, ${trustedCalls} by count`,
    );
  return wrong;
}

/** What the card of a replica says. */
import type { Agreement } from './agreement.ts';
import type { ProcessFacts } from './faults.ts';
import { asSentence } from './shapes.ts';
import { wholeText } from './rates.ts';
import type { LiveReplica, LiveStatus } from './status-shape.ts';

/** A card; every row is there at all times, so that nothing jumps. */
export interface Card {
  readonly id: number;
  readonly role: string;
  readonly tone: 'good' | 'warn' | 'bad' | 'plain';
  readonly rows: readonly (readonly [name: string, text: string])[];
  /** Its trusted component. */
  readonly component: string;
  readonly agreement: Agreement;
  /** What it waits for, or why it is not there; empty: nothing of note. */
  readonly note: string;
  readonly accusations: readonly Accusation[];
}

/** Something held against the replica of a card. */
export interface Accusation {
  readonly isProven: boolean;
  /** Rule, or why. */
  readonly text: string;
  readonly by: readonly number[];
}

const NOTHING = '–';
/** As `core/config.ts` has it, for protocols without a trusted component. */
const NO_PROGRAM = 'none';
const ACCUSATIONS_SHOWN = 6;

function whole(value: number | undefined): string {
  return value === undefined ? NOTHING : wholeText(value);
}

function toneOf({ isReachable, role }: LiveReplica): Card['tone'] {
  if (!isReachable || role === 'halted') return 'bad';
  if (role === 'primary' || role === 'backup') return role === 'primary' ? 'good' : 'plain';
  return 'warn';
}

/** Program, footprint and epoch of the trusted component. */
function componentWords({ component }: LiveReplica): string {
  if (component === undefined) return NOTHING;
  if (component.program === NO_PROGRAM) return 'none in this protocol';
  const { program, footprint, tcEpoch, isPersistent, answers } = component;
  return [
    `${program}@${footprint}`,
    ...(tcEpoch === undefined ? [] : [`epoch ${tcEpoch.slice(0, 8)}`]),
    ...(isPersistent ? [] : ['volatile']),
    ...(answers ? [] : ['does not answer']),
  ].join(', ');
}

/** What is held against a replica: proofs first, then who suspects it and why. */
function accusationsOf(replica: LiveReplica, all: readonly LiveReplica[]): Accusation[] {
  const proven = new Map(
    replica.proven.map(({ rule }): [string, Accusation] => [rule, { isProven: true, text: rule, by: [] }]),
  );
  const suspected = new Map<string, { text: string; by: number[] }>();
  for (const { id, suspects } of all)
    for (const { replica: whom, why } of suspects) {
      if (whom !== replica.id) continue;
      // One suspicion, however long each of them has waited.
      const name = why.replaceAll(/\d+/g, '#');
      const known = suspected.get(name);
      if (known === undefined) suspected.set(name, { text: why, by: [id] });
      else if (!known.by.includes(id)) known.by.push(id);
    }
  const suspicions = [...suspected.values()].map((one): Accusation => ({ isProven: false, ...one }));
  return [...proven.values(), ...suspicions].slice(0, ACCUSATIONS_SHOWN);
}

function noteOf(replica: LiveReplica, process: ProcessFacts | undefined): string {
  if (process !== undefined && process.state !== 'running')
    return asSentence(
      `its process is ${process.state}${process.reason === undefined ? '' : `: ${process.reason}`}`,
    );
  if (!replica.isReachable) return asSentence(`unreachable: ${replica.reason ?? 'it does not answer'}`);
  if (replica.haltReason !== undefined) return asSentence(`has halted: ${replica.haltReason}`);
  if (replica.isTransferring) return 'Fetches state from the others.';
  if (replica.waitsFor !== undefined) return asSentence(replica.waitsFor);
  if (process?.isCutOff === true) return 'Cut off from the other replicas.';
  if (process?.behaviour !== undefined) return `Was told to lie: ${process.behaviour}.`;
  return '';
}

/** What a replica is called below its number. */
export function roleWords({ isReachable, role, duty }: LiveReplica): string {
  if (!isReachable) return 'unreachable';
  return duty === undefined ? role : `${role}, ${duty}`;
}

/** See the top of this file. */
export function cardOf(
  status: LiveStatus,
  replica: LiveReplica,
  agreement: Agreement,
  process: ProcessFacts | undefined,
): Card {
  const highest = Math.max(0, ...status.replicas.map(({ sequence }) => sequence ?? 0));
  const { sequence, component } = replica;
  const counter = component?.program === NO_PROGRAM ? undefined : component?.counter;
  const lag =
    sequence === undefined ? NOTHING : highest === sequence ? 'none' : wholeText(highest - sequence);
  return {
    id: replica.id,
    role: roleWords(replica),
    tone: toneOf(replica),
    rows: [
      ['view', whole(replica.view)],
      ['height', whole(replica.height)],
      ['sequence', whole(sequence)],
      ['lag', lag],
      ['in flight', whole(replica.pendingBundles)],
      ['counter', whole(counter)],
    ],
    component: componentWords(replica),
    agreement,
    note: noteOf(replica, process),
    accusations: accusationsOf(replica, status.replicas),
  };
}

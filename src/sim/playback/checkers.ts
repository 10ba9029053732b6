/** Which judges look at a run, and what each of them said. */
import { protocolNamed } from '../../protocols/catalogue.ts';
import { invariantsOf } from '../../protocols/invariants.ts';
import { mutedFor } from '../family/run.ts';
import type { JudgeName } from '../judge.ts';
import type { Script } from '../script/script.ts';
import type { Trace } from '../trace/trace.ts';
import { isBeyondFence } from '../trusted-faults.ts';
import type { CheckerOutcome } from './contract.ts';

/** Where a judge stands: what it needs to see. */
type Place =
  /** What replicas execute, answer and say to each other. */
  | 'outside'
  /** Operations and answers of clients. */
  | 'clients'
  /** Blocks and headers: the whole fidelity has them. */
  | 'ledger'
  /** Streams and views inside of replicas of MinBFT. */
  | 'inside'
  /** What a protocol says of its own replicas. */
  | 'invariants'
  /** That a run ends. */
  | 'end';

interface Checker {
  readonly place: Place;
  readonly text: string;
}

/** Every judge; the compiler sees to it that none is missing. */
const CHECKERS: Readonly<Record<JudgeName, Checker>> = {
  agreement: { place: 'outside', text: 'correct replicas execute the same, in the same order' },
  validity: { place: 'outside', text: 'only what a client sent is executed' },
  'exactly-once': { place: 'outside', text: 'nothing is executed twice' },
  checkpoint: { place: 'outside', text: 'correct replicas have the same state at the same place' },
  reply: { place: 'outside', text: 'clients believe only what correct replicas computed' },
  durability: { place: 'outside', text: 'what was acknowledged stays' },
  progress: { place: 'outside', text: 'nothing goes backwards while a replica lives' },
  accusation: { place: 'outside', text: 'no correct replica is accused' },
  'self-acceptance': { place: 'outside', text: 'no correct replica sends what a correct one refuses' },
  start: { place: 'outside', text: 'no correct replica stops by itself' },
  crash: { place: 'outside', text: 'no assertion of a correct replica fails' },
  client: { place: 'outside', text: 'no correct client is refused' },
  bounds: { place: 'outside', text: 'nothing grows beyond its limits' },
  linearizability: { place: 'clients', text: 'the answers to clients fit one order of all requests' },
  execution: { place: 'ledger', text: 'the results are those of a key-value store' },
  'real-time': { place: 'ledger', text: 'nothing is ordered before what was answered before it was asked' },
  chain: { place: 'ledger', text: 'blocks continue the chain' },
  receipt: { place: 'ledger', text: 'receipts fit the chain' },
  stream: { place: 'inside', text: 'streams look the same to all correct replicas' },
  view: { place: 'inside', text: 'a view starts in one way only' },
  'view-change': { place: 'inside', text: 'a view change now would lose nothing' },
  stability: { place: 'inside', text: 'stable checkpoints are proven' },
  inside: { place: 'invariants', text: 'what the protocol says of its replicas holds' },
  liveness: { place: 'end', text: 'everything is done in time after the faults' },
};

/** See the top of this file. Without a script nobody knows who looked: only those are told who objected. */
export function checkersOf(script: Script | undefined, trace: Trace, isCut: boolean): CheckerOutcome[] {
  const looks = script === undefined ? new Set<Place>() : placesOf(script, isCut);
  const muted = script === undefined ? new Set<JudgeName>() : mutedOf(script);
  return (Object.entries(CHECKERS) as [JudgeName, Checker][]).flatMap(([judge, { place, text }]) => {
    const found = trace.violations
      .filter((one) => one.judge === judge)
      .map(({ atMs, text: said }) => ({ atMs, text: said }));
    const looked = looks.has(place) && !muted.has(judge);
    return looked || found.length > 0 ? [{ judge, text, found }] : [];
  });
}

function isOfFamily({ protocol, fidelity, scenario }: Script): boolean {
  return fidelity === 'core' && (scenario.family !== undefined || protocol !== 'minbft');
}

function placesOf(script: Script, isCut: boolean): ReadonlySet<Place> {
  const { fidelity, judges, scenario, protocol } = script;
  const places = new Set<Place>(['outside']);
  const ofFamily = isOfFamily(script);
  if (fidelity === 'whole') places.add('clients').add('ledger');
  if (ofFamily) places.add('clients');
  if (ofFamily && invariantsOf(protocol) !== undefined) places.add('invariants');
  if (!ofFamily && judges === 'everything' && !isBeyondFence(scenario.forker)) places.add('inside');
  if (!isCut && scenario.endless !== true) places.add('end');
  return places;
}

function mutedOf(script: Script): ReadonlySet<JudgeName> {
  const protocol = protocolNamed(script.protocol);
  return new Set(protocol !== undefined && isOfFamily(script) ? mutedFor(protocol, script.scenario) : []);
}

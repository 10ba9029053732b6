/** `moiety status`: every replica's own word, the processes of a local cluster, and in words what is wrong. */
import type { Command } from 'commander';
import { NO_PROGRAM } from '../../core/config.ts';
import { weakestFootprint } from '../../footprints/strength.ts';
import { explain } from '../../gateway/explain/explain.ts';
import { readStatus } from '../cluster-status.ts';
import { afterEndOf, shortSpec } from '../component-choice.ts';
import { EXIT } from '../failure.ts';
import { gatewayUrl, withGateway, withJson } from '../options.ts';
import type { ClusterOptions } from '../options.ts';
import { foreignText, plural, printJson, printLine, shortDigest, tableLines } from '../output.ts';
import { lagOf } from '../status-words.ts';
import type { SeenReplica } from '../../gateway/explain/seen-replica.ts';

type Options = ClusterOptions & { readonly json?: boolean };

function roleWords({ role, duty }: SeenReplica): string {
  const known = role ?? '-';
  return typeof duty === 'string' ? `${known}, ${duty}` : known;
}

function rowOf(replica: SeenReplica, all: readonly SeenReplica[]): (string | number)[] {
  const state = replica.supervised?.state;
  const process = state === undefined ? '' : state === 'running' ? `${replica.supervised?.pid}` : state;
  if (replica.reachable === false) return [replica.id, process, 'unreachable', '-', '-', '-', '-', '-', '-'];
  return [
    replica.id,
    process,
    roleWords(replica),
    replica.view ?? '-',
    replica.sequence ?? '-',
    replica.height ?? '-',
    shortDigest(replica.headerHash ?? ''),
    shortDigest(replica.stateDigest ?? ''),
    lagOf(replica, all),
  ];
}

const HEAD = ['replica', 'process', 'role', 'view', 'sequence', 'height', 'header', 'state', 'lag'];

/** What each replica says about its trusted component. */
async function componentRowOf({ id, tc, process }: SeenReplica): Promise<(string | number)[]> {
  if (tc === undefined || tc.program === NO_PROGRAM) return [id, '-', '-', '-', '-', '-', '-'];
  return [
    id,
    `${shortSpec(tc)}${tc.persistent ? '' : ' (volatile)'}`,
    shortDigest(tc.measurement ?? ''),
    tc.tcEpoch ?? '-',
    tc.counter ?? '-',
    await afterEndOf(tc.footprint),
    process?.trustedHardening ?? '-',
  ];
}

const COMPONENT_HEAD = [
  'replica',
  'trusted component',
  'measurement',
  'tcEpoch',
  'counter',
  'after its end',
  'locked in by',
];

/** Decision A2: a cluster is worth what its weakest components are. */
interface Weakest {
  readonly footprint: string;
  readonly replicas: readonly number[];
}

function weakestOf(replicas: readonly SeenReplica[]): Weakest | undefined {
  const footprints = replicas.flatMap(({ tc }) =>
    tc === undefined || tc.program === NO_PROGRAM ? [] : tc.footprint,
  );
  const footprint = weakestFootprint(footprints);
  if (footprint === undefined) return undefined;
  return {
    footprint,
    replicas: replicas.filter(({ tc }) => tc?.footprint === footprint).map(({ id }) => id),
  };
}

async function printComponents(
  replicas: readonly SeenReplica[],
  weakest: Weakest | undefined,
): Promise<void> {
  if (weakest === undefined) return;
  printLine();
  const rows = await Promise.all(replicas.map(componentRowOf));
  for (const line of tableLines(COMPONENT_HEAD, rows)) printLine(line);
  for (const { id, process } of replicas)
    if (typeof process?.trustedPlainReason === 'string')
      printLine(
        `The component of replica ${id} is not locked in: ${foreignText(process.trustedPlainReason, 200)}.`,
      );
  printLine(
    `Weakest footprint: ${foreignText(weakest.footprint, 60)} (replica ${weakest.replicas.join(', ')}).`,
  );
}

/** Whoever reads of a suspicion wants to know what to do about it. */
const SUSPICION_NOTE =
  'A suspicion is no proof: silence, late votes and missing messages pass by themselves when the replica is heard in time again.';

/** Decision A1: a volatile component says so. */
const DEVELOPMENT_NOTE =
  'Development cluster (--dev): its trusted components are volatile and protect nothing. After a final halt, ' +
  '"moiety up --dev --fresh" begins anew.';

async function status(options: Options): Promise<void> {
  const { protocol, f, replicas, waiting, proven, suspected, problem } = await readStatus(options);
  const words = explain({ replicas, f, waiting }).sentences;
  const weakest = weakestOf(replicas);
  if (options.json === true)
    printJson({
      protocol: protocol ?? null,
      f: f ?? null,
      replicas,
      proven,
      suspected,
      problems: words,
      weakestFootprint: weakest ?? null,
      gateway: gatewayUrl(options),
    });
  else {
    if (protocol !== undefined)
      printLine(`Protocol ${protocol}, ${plural(replicas.length, 'replica')}, f = ${f ?? '?'}`);
    for (const line of tableLines(
      HEAD,
      replicas.map((replica) => rowOf(replica, replicas)),
    ))
      printLine(line);
    await printComponents(replicas, weakest);
    printLine();
    for (const word of words) printLine(word);
    if (problem !== undefined) printLine(problem.message);
    if (words.length === 0 && problem === undefined) printLine('Nothing is wrong.');
    if (replicas.some(({ suspected: whom }) => (whom?.length ?? 0) > 0)) printLine(SUSPICION_NOTE);
    if (replicas.some(({ tc }) => tc?.suite === 'hmac-sha256')) printLine(DEVELOPMENT_NOTE);
  }
  if (problem !== undefined) process.exitCode = EXIT.unreachable;
}

/** Adds the command. */
export function addStatus(program: Command): void {
  withJson(withGateway(program.command('status')))
    .summary('how each replica is, and what is wrong')
    .description(
      "Shows every replica's own word about itself: view, role, height, state digest, trusted component, lag; then in " +
        'words what is wrong. "proven" rests on evidence that verifies offline, "suspected" on silence, late votes or missing messages.',
    )
    .addHelpText('after', '\nExamples:\n  moiety status\n  moiety status --json | jq .replicas[0].height\n')
    .action(status);
}

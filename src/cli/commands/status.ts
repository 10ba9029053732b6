/** `moiety status`: every replica's own word, the processes of a local cluster, and in words what is wrong. */
import type { Command } from 'commander';
import { WASM_FOOTPRINT } from '../../footprints/wasm/loader.ts';
import { DataFolder } from '../data-folder.ts';
import { CommandFailure, EXIT, messageOf } from '../failure.ts';
import { callGatewayJson } from '../gateway-client.ts';
import { gatewayUrl, withGateway, withJson } from '../options.ts';
import type { ClusterOptions } from '../options.ts';
import { printJson, printLine, shortDigest, tableLines } from '../output.ts';
import { diagnose, lagOf } from '../status-words.ts';
import type { StatusOfReplica } from '../status-words.ts';
import { supervisedProcesses } from '../supervisor/control.ts';
import type { ProcessReport } from '../supervisor/run-file.ts';

type Options = ClusterOptions & { readonly json?: boolean };

/** Processes of the local cluster that the options mean; undefined if it is none of ours. */
async function localProcesses(options: Options): Promise<readonly ProcessReport[] | undefined> {
  if (options.url !== undefined) return undefined;
  const processes = await supervisedProcesses(new DataFolder(options.data));
  return processes;
}

function withProcess(
  replica: StatusOfReplica,
  processes: readonly ProcessReport[] | undefined,
): StatusOfReplica {
  const report = processes?.find(({ name }) => name === `replica ${replica.id}`);
  return report === undefined ? replica : { ...replica, supervised: report };
}

/** Replicas as far as they can be known when no gateway answers. */
function unreachable(processes: readonly ProcessReport[]): StatusOfReplica[] {
  return processes
    .filter(({ name }) => name.startsWith('replica '))
    .map((report, id) => ({
      id,
      reachable: false,
      reason: 'the gateway does not answer',
      supervised: report,
    }));
}

/** What the gateway says. */
interface ClusterStatus {
  readonly replicas: StatusOfReplica[];
  /** Faults that evidence proves. */
  readonly proven: readonly unknown[];
  /** What replicas suspect of each other. */
  readonly suspected: readonly unknown[];
}

async function readStatus(options: Options): Promise<ClusterStatus & { readonly problem?: CommandFailure }> {
  const processes = await localProcesses(options);
  try {
    const path = '/v1/status';
    const { replicas, proven, suspected } = await callGatewayJson<ClusterStatus>(options, { path });
    return { replicas: replicas.map((replica) => withProcess(replica, processes)), proven, suspected };
  } catch (error) {
    if (processes === undefined) throw error;
    const problem = error instanceof CommandFailure ? error : new CommandFailure(messageOf(error));
    return { replicas: unreachable(processes), proven: [], suspected: [], problem };
  }
}

function rowOf(replica: StatusOfReplica, all: readonly StatusOfReplica[]): (string | number)[] {
  const state = replica.supervised?.state;
  const process = state === undefined ? '' : state === 'running' ? `${replica.supervised?.pid}` : state;
  if (replica.reachable === false)
    return [replica.id, process, 'unreachable', '-', '-', '-', '-', '-', '-', '-'];
  const { tc } = replica;
  return [
    replica.id,
    process,
    replica.role ?? '-',
    replica.view ?? '-',
    replica.sequence ?? '-',
    replica.height ?? '-',
    shortDigest(replica.headerHash ?? ''),
    shortDigest(replica.stateDigest ?? ''),
    tc === undefined ? '-' : `${tc.program}@${tc.footprint}${tc.persistent ? '' : ' (volatile)'}`,
    lagOf(replica, all),
  ];
}

const HEAD = [
  'replica',
  'process',
  'role',
  'view',
  'sequence',
  'height',
  'header',
  'state',
  'trusted component',
  'lag',
];

/** Decision A1: a volatile component says so. */
const DEVELOPMENT_NOTE =
  'Development cluster (--dev): its trusted components are volatile and protect nothing. After a final halt, ' +
  '"moiety up --dev --fresh" begins anew.';

async function status(options: Options): Promise<void> {
  const { replicas, proven, suspected, problem } = await readStatus(options);
  const words = diagnose(replicas);
  if (options.json === true)
    printJson({ replicas, proven, suspected, problems: words, gateway: gatewayUrl(options) });
  else {
    for (const line of tableLines(
      HEAD,
      replicas.map((replica) => rowOf(replica, replicas)),
    ))
      printLine(line);
    printLine();
    for (const word of words) printLine(word);
    if (problem !== undefined) printLine(problem.message);
    if (words.length === 0 && problem === undefined) printLine('Nothing is wrong.');
    if (replicas.some(({ tc }) => tc?.footprint === WASM_FOOTPRINT)) printLine(DEVELOPMENT_NOTE);
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

/** `moiety up`: a local cluster, each replica a process, under a supervisor that lives as long as this command. */
import { Option } from 'commander';
import type { Command } from 'commander';
import { mkdirSync } from 'node:fs';
import { asciiBytes } from '../../core/bytes.ts';
import { takeLock } from '../../footprints/process/lock.ts';
import { isGenesisEpochSpent } from '../../footprints/wasm/component-folder.ts';
import type { Durability } from '../../node/journal.ts';
import { authenticatorOf } from '../../core/config.ts';
import type { Authenticator, ClusterSettings } from '../../core/config.ts';
import { formatComponentSpec } from '../../footprints/contract.ts';
import type { ComponentSpec } from '../../footprints/contract.ts';
import { NO_PROGRAM } from '../../core/config.ts';
import { readComponentFolder } from '../../footprints/component-note.ts';
import { authOption, requireAuthenticator } from '../auth-choice.ts';
import { addByzantine, describedBehaviours, requireByzantine } from '../byzantine-choice.ts';
import type { ByzantineChoice } from '../byzantine-choice.ts';
import { readClusterFile } from '../cluster-file.ts';
import type { AnyProtocol } from '../../protocols/catalogue.ts';
import {
  DEFAULT_PROTOCOL,
  faultsOption,
  protocolOption,
  replicasOf,
  replicasOption,
  requireProtocol,
} from '../protocol-choice.ts';
import {
  addComponentChoice,
  componentsFor,
  componentNames,
  DEFAULT_COMPONENT,
  requireUsable,
  shortSpec,
  volatileReplicas,
  volatileWarning,
} from '../component-choice.ts';
import type { ComponentChoice, Components } from '../component-choice.ts';
import { dashboardUrl } from '../dashboard-address.ts';
import { DataFolder, DEFAULT_PORT } from '../data-folder.ts';
import type { DataMarker } from '../data-folder.ts';
import { CommandFailure, EXIT, usageFailure } from '../failure.ts';
import { dataOption, portOption } from '../options.ts';
import { printLine, printNote, tableLines } from '../output.ts';
import { programName } from '../program-name.ts';
import { writeConfigs } from '../supervisor/configs.ts';
import { createCluster, replicaPort } from '../supervisor/create-cluster.ts';
import { endOrphans, leftOnPurpose, stopComponents } from '../supervisor/orphans.ts';
import { requireFreePorts } from '../supervisor/ports.ts';
import { waitUntilReady } from '../supervisor/readiness.ts';
import { readRunFile, removeRunFile } from '../supervisor/run-file.ts';
import { Supervisor } from '../supervisor/supervisor.ts';

/** Options of `up`. */
export interface UpOptions {
  readonly data: string;
  readonly port?: number;
  readonly protocol?: string;
  readonly f?: number;
  readonly replicas?: number;
  readonly fresh?: boolean;
  readonly dev?: boolean;
  readonly tc?: ComponentChoice;
  readonly auth?: Authenticator;
  readonly byzantine?: ByzantineChoice;
  readonly durability: Durability;
}

/** An `up` that is just ending is waited for. */
const LOCK_PATIENCE_MS = 3_000;

/** A cluster has one kind of trusted component for ever, and volatile ones do not outlive a stop of them all. */
function requireSameKind(folder: DataFolder, marker: DataMarker, development: boolean, f: number): void {
  const { path } = folder;
  const elsewhere = 'use another --data folder, or add --fresh to delete it and begin anew';
  if (marker.development && !development)
    throw new CommandFailure(
      `${path} holds a cluster made with --dev, whose trusted components protect nothing: ${elsewhere}.`,
    );
  if (!marker.development && development)
    throw new CommandFailure(
      `${path} holds a cluster with persistent trusted components, which --dev would not use: leave --dev out, ${elsewhere}.`,
    );
  const ids = Array.from({ length: marker.replicas }, (_, id) => id);
  const gone = ids.filter((id) => isGenesisEpochSpent(folder.replica(id).trusted)).length;
  if (development && gone > f)
    throw new CommandFailure(
      `The cluster in ${path} was made with --dev: ${gone} of its volatile trusted components ended when it was stopped, ` +
        `and more than f = ${f} cannot be re-admitted (a final halt). Add --fresh to delete it and begin anew.`,
    );
}

/** What the folders of the trusted components hold now: one may have been replaced since the cluster was made. */
function presentComponents(folder: DataFolder, settings: ClusterSettings): readonly ComponentSpec[] {
  return settings.members.map(({ id, trusted: { program, footprint } }) =>
    settings.suite === 'hmac-sha256' || program === NO_PROGRAM
      ? { program, footprint, argument: '' }
      : readComponentFolder(folder.replica(id).trusted),
  );
}

/** The component of a replica is part of its cluster: another one is made by replacing it, not by an option. */
function requireSameComponents(
  folder: DataFolder,
  settings: ClusterSettings,
  choice: ComponentChoice | undefined,
): void {
  if (choice === undefined) return;
  const present = presentComponents(folder, settings);
  const chosen = componentsFor(choice, present.length, requireProtocol(settings.protocol));
  for (const [id, component] of present.entries()) {
    const has = formatComponentSpec(component);
    const wanted = formatComponentSpec(chosen[id]!);
    if (has !== wanted && (choice.all !== undefined || choice.single.has(id)))
      throw new CommandFailure(
        `Replica ${id} in ${folder.path} has ${has}, not ${wanted}. Leave --tc out to ` +
          'go on with it, use another --data folder, or add --fresh to delete it and begin anew.',
      );
  }
}

/** A cluster that is to be made. */
interface Plan {
  readonly protocol: AnyProtocol;
  readonly replicas: number;
  readonly components: readonly ComponentSpec[];
}

/** The new cluster that the options ask for. Throws a usage failure for what cannot be; touches nothing. */
function planOf(options: UpOptions): Plan {
  const protocol = requireProtocol(options.protocol ?? DEFAULT_PROTOCOL);
  const replicas = replicasOf(protocol, options);
  const components = componentsFor(options.tc, replicas, protocol);
  if (options.dev === true) requireDevelopment(protocol);
  requireAuthenticator(options.auth ?? 'bundle', protocol, components, options.dev === true);
  requireByzantine(options.byzantine, replicas, protocol);
  return { protocol, replicas, components };
}

/** Makes the cluster that the options ask for; what was in the folder goes when nothing speaks against it any more. */
async function makeCluster(
  folder: DataFolder,
  options: UpOptions,
): Promise<{ replicas: number; port: number }> {
  const { protocol, replicas, components } = planOf(options);
  const port = options.port ?? DEFAULT_PORT;
  if (options.dev !== true) await requireUsable(components);
  await requirePorts(port, port, replicas, false);
  if (options.fresh === true) folder.removeCluster();
  folder.requireRoom();
  printNote(`Making a cluster of ${replicas} replicas of ${protocol.name} in ${folder.path} …`);
  const { auth: authenticator, dev: development = false } = options;
  await createCluster(folder, { protocol, components, port, development, authenticator });
  return { replicas, port };
}

/** The components of `--dev` run one program, and a replica whose component is lost at each stop needs RECOVER. */
function requireDevelopment({ name, trustedProgram }: AnyProtocol): void {
  if (trustedProgram === DEFAULT_COMPONENT.program) return;
  const why =
    trustedProgram === undefined
      ? 'is not built on trusted components, which --dev makes cheaper'
      : 'cannot re-admit replicas whose trusted components were lost, as those of --dev are at each stop';
  throw usageFailure(`${name} ${why}: leave --dev out.`);
}

/** A cluster is of one protocol and size for ever. */
function requireSameCluster(
  folder: DataFolder,
  marker: DataMarker,
  settings: ClusterSettings,
  options: UpOptions,
): void {
  const checks = [
    {
      option: '--replicas',
      has: `of ${marker.replicas} replicas`,
      is: marker.replicas,
      asked: options.replicas,
    },
    { option: '--f', has: `that tolerates f = ${settings.f}`, is: settings.f, asked: options.f },
    {
      option: '--protocol',
      has: `that runs ${settings.protocol}`,
      is: settings.protocol,
      asked: options.protocol,
    },
    {
      option: '--auth',
      has: `that was made with --auth ${authenticatorOf(settings)}`,
      is: authenticatorOf(settings),
      asked: options.auth,
    },
  ];
  for (const { option, has, is, asked } of checks)
    if (asked !== undefined && asked !== is)
      throw new CommandFailure(
        `${folder.path} holds a cluster ${has}, not ${asked}. Leave ${option} out to go on with it, ` +
          'use another --data folder, or add --fresh to delete it and begin anew.',
      );
}

/** What is in the folder after this: a cluster that fits the options. */
async function prepareFolder(
  folder: DataFolder,
  options: UpOptions,
): Promise<{ replicas: number; port: number }> {
  const marker = folder.marker();
  if (marker === undefined || options.fresh === true) return makeCluster(folder, options);
  const settings = readClusterFile(folder.cluster);
  const protocol = requireProtocol(settings.protocol);
  requireSameCluster(folder, marker, settings, options);
  if (options.dev === true) requireDevelopment(protocol);
  requireByzantine(options.byzantine, marker.replicas, protocol);
  requireSameKind(folder, marker, options.dev === true, settings.f);
  if (settings.clusterId !== marker.clusterId || settings.members.length !== marker.replicas)
    throw new CommandFailure(
      `${folder.cluster} belongs to another cluster than the rest of the folder: restore it from the backup, ` +
        'or use another --data folder.',
    );
  requireSameComponents(folder, settings, options.tc);
  if (options.dev !== true) await requireUsable(presentComponents(folder, settings));
  const port = options.port ?? marker.port;
  await requirePorts(port, marker.port, marker.replicas, true);
  return { replicas: marker.replicas, port };
}

/** `base`: port that the cluster was made with; the replicas' addresses are part of genesis and follow from it. */
async function requirePorts(port: number, base: number, replicas: number, exists: boolean): Promise<void> {
  if (base + replicas > 65_535) throw usageFailure(`--port ${base} leaves no room for ${replicas} replicas.`);
  const advice = exists
    ? 'Stop what listens there. The ports of the replicas are part of the cluster; the one of the gateway can be chosen with --port.'
    : 'Stop what listens there, or choose another range with --port (the replicas use the ports behind it).';
  const wanted = [
    { port, what: 'gateway' },
    ...Array.from({ length: replicas }, (_, id) => ({ port: replicaPort(base, id), what: `replica ${id}` })),
  ];
  if (exists && wanted.slice(1).some((replica) => replica.port === port))
    throw usageFailure(
      `--port ${port} is the port of a replica of this cluster: choose one outside ${base + 1} to ${base + replicas}.`,
    );
  await requireFreePorts(wanted, advice);
}

/** One supervisor for a folder. */
async function takeFolder(folder: DataFolder): Promise<void> {
  mkdirSync(folder.path, { recursive: true, mode: 0o700 });
  if (await takeLock(folder.path, asciiBytes('moiety up'), LOCK_PATIENCE_MS)) return;
  const run = readRunFile(folder);
  const who = run === undefined ? '' : ` (process ${run.pid}, gateway on port ${run.port})`;
  throw new CommandFailure(
    `Another "moiety up" uses ${folder.path} already${who}: stop it with "moiety down", or use another --data folder.`,
  );
}

function shown(folder: DataFolder): string {
  const isDefault = new DataFolder('.moiety').path === folder.path;
  return isDefault ? '' : ` --data ${folder.path}`;
}

/** What `--dev` means, before anything else is printed. */
function printDevelopmentWarning(f: number): void {
  printNote(
    'WARNING: --dev protects nothing. The trusted components (usig@wasm) live inside the replicas, are volatile, and share ' +
      `a key that lies in the data folder. A restart of more than f = ${f} replicas at once ends in a final halt: begin ` +
      'anew with "moiety up --dev --fresh" then.',
  );
}

/** What Ctrl-C does to this cluster. */
function lastLine(settings: ClusterSettings, volatile: number): string {
  if (settings.suite === 'hmac-sha256')
    return 'Ctrl-C stops this development cluster for good; "moiety up --dev --fresh" begins anew.';
  return volatile > settings.f
    ? 'Ctrl-C stops this cluster for good; "moiety up --fresh" begins anew.'
    : 'Ctrl-C stops the cluster; "moiety up" goes on with its data.';
}

/** What is printed of a cluster that was started. */
interface StartedCluster {
  readonly folder: DataFolder;
  readonly settings: ClusterSettings;
  readonly components: Components;
  readonly port: number;
  /** Replicas whose component does not outlive an orderly stop. */
  readonly volatile: number;
}

/** A file or pipe that takes the output may be read by others: the token goes to a terminal only. */
function dashboardWords(port: number, token: string): string {
  if (process.stdout.isTTY) return dashboardUrl(port, token);
  return `http://127.0.0.1:${port}/ (with the token that allows faults: "${programName()} dashboard")`;
}

function printCluster(cluster: StartedCluster, supervisor: Supervisor): void {
  const { folder, settings, components, port, volatile } = cluster;
  const reports = supervisor.processes();
  const rows = settings.members.map(({ id, address }) => [
    id,
    reports[id]?.pid ?? '-',
    address,
    shortSpec(components[id]!),
    reports[id]?.byzantine ?? 'correct',
  ]);
  const lines = tableLines(['replica', 'pid', 'address', 'trusted component', 'behaviour'], rows);
  const data = shown(folder);
  const moiety = programName();
  printLine(
    [
      `Cluster ${settings.clusterId.slice(0, 16)}: ${settings.members.length} replicas, tolerates f = ${settings.f}, protocol ${settings.protocol}`,
      '',
      ...lines.map((line) => `  ${line}`),
      '',
      `  gateway     http://127.0.0.1:${port}`,
      `  dashboard   ${dashboardWords(port, supervisor.token)}`,
      `  data        ${folder.path}`,
      `  trust file  ${folder.trust}`,
      '',
      'Try in another terminal:',
      `  curl -X PUT --data world http://127.0.0.1:${port}/v1/kv/hello`,
      `  curl http://127.0.0.1:${port}/v1/kv/hello`,
      `  ${moiety} status${data}`,
      `  ${moiety} fault kill 0${data}`,
      lastLine(settings, volatile),
      '',
    ].join('\n'),
  );
}

async function stopAll(
  supervisor: Supervisor,
  folder: DataFolder,
  replicas: number,
  failed = false,
): Promise<never> {
  printNote('Stopping …');
  const problems = await supervisor.stop();
  for (const problem of problems) printNote(`  ${problem}`);
  const left = await leftOnPurpose(folder, replicas);
  if (left !== undefined) printNote(left);
  process.exit(problems.length === 0 && !failed ? EXIT.ok : EXIT.failed);
}

async function up(options: UpOptions): Promise<void> {
  if (options.dev === true && options.tc !== undefined)
    throw usageFailure(
      '--dev chooses the trusted components by itself (usig@wasm): leave --tc or --dev out.',
    );
  const folder = new DataFolder(options.data);
  const isNew = options.fresh === true || folder.marker() === undefined;
  if (isNew) planOf(options);
  if (folder.marker() === undefined) folder.requireRoom();
  await takeFolder(folder);
  const before = folder.marker();
  if (before !== undefined) {
    const left = await endOrphans(folder, before.replicas);
    if (left > 0) printNote(`Ended ${left} processes that an earlier run had left behind.`);
    removeRunFile(folder);
    if (options.fresh === true) await stopComponents(folder, before.replicas, true);
  }
  const { replicas, port } = await prepareFolder(folder, options);
  const settings = readClusterFile(folder.cluster);
  const components = presentComponents(folder, settings);
  const protocol = requireProtocol(settings.protocol);
  const volatile = options.dev === true ? [] : await volatileReplicas(components, 'orderly');
  const warning = options.dev === true ? undefined : await volatileWarning(components, settings.f, protocol);
  if (options.dev === true) printDevelopmentWarning(settings.f);
  else if (warning !== undefined) printNote(warning);
  writeConfigs(folder, { replicas, port, durability: options.durability });
  const stopped = new AbortController();
  const supervisor = new Supervisor({
    folder,
    replicas,
    port,
    byzantine: options.byzantine ?? new Map(),
    development: options.dev === true,
    behaviours: describedBehaviours(protocol),
    onDown: () => stop(),
    onGivenUp: ({ name, reason }) =>
      printNote(`${name} has stopped and is not started again: ${reason ?? 'see its log'}`),
  });
  const stop = (): void => {
    if (stopped.signal.aborted) return;
    stopped.abort();
    void stopAll(supervisor, folder, replicas);
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, stop);
  // The launcher is gone: nobody is left who could stop this cluster.
  if (process.connected) process.once('disconnect', stop);
  await supervisor.start();
  printCluster({ folder, settings, components, port, volatile: volatile.length }, supervisor);
  const ready = await waitUntilReady(port, stopped.signal);
  if (ready === true) printLine('ready');
  else if (stopped.signal.aborted) return;
  else if (ready === false)
    printNote(
      `The cluster is not ready: no quorum commits yet. "moiety status${shown(folder)}" says what is wrong.`,
    );
  else {
    printNote(haltSentence(components, volatile, settings.f, ready));
    stopped.abort();
    await stopAll(supervisor, folder, replicas, true);
  }
}

/** Why this cluster is over, and what is left to do. */
function haltSentence(components: Components, volatile: readonly number[], f: number, words: string): string {
  const why =
    volatile.length > f
      ? ` The trusted components of replicas ${componentNames(components, volatile)} are volatile: they ended when the cluster was stopped.`
      : '';
  return (
    `The cluster cannot go on, now or later: ${words.replace(/ \(see .*\)$/, '')}.${why} Begin anew with --fresh (which deletes the ` +
    'data), or save the data of its blocks with "moiety salvage" first.'
  );
}

/** Adds the command. */
export function addUp(program: Command): void {
  program
    .command('up')
    .summary('start a local cluster (and go on with its data)')
    .description(
      'Starts a local cluster: every replica is a process with its own trusted component, store and keys, and a gateway ' +
        'serves HTTP on loopback. Ctrl-C stops everything; starting again goes on with the data.',
    )
    .addOption(protocolOption())
    .addOption(faultsOption())
    .addOption(replicasOption())
    .addOption(portOption())
    .addOption(dataOption())
    .option('--fresh', 'delete the cluster in the data folder first, with its keys')
    .option('--dev', 'trusted components inside the replicas, volatile: faster, and protects nothing')
    .addOption(
      new Option(
        '--tc <[replica=]component>',
        'trusted component of all replicas, or of one, for example usig@process or 2=usig@vm; may be repeated; part of a new cluster',
      ).argParser(addComponentChoice),
    )
    .addOption(authOption())
    .addOption(
      new Option(
        '--byzantine <replica=behaviour>',
        'let a replica lie, for example 0=equivocate; may be repeated',
      ).argParser(addByzantine),
    )
    .addOption(
      new Option(
        '--durability <mode>',
        'what survives: fsync: a power cut; os: a crash of the process; memory: nothing',
      )
        .choices(['fsync', 'os', 'memory'])
        .default('fsync'),
    )
    .addHelpText(
      'after',
      `
Examples:
  moiety up
  moiety up --replicas 5 --port 4700 --data /tmp/five
  moiety up --protocol pbft --f 1 --data /tmp/pbft
  moiety up --tc usig@process --tc 2=usig@vm --data /tmp/mixed
  moiety up --auth mac --data /tmp/macs
  moiety up --fresh --byzantine 0=equivocate
  moiety up --dev --fresh --data /tmp/scratch
`,
    )
    .action((options: UpOptions) => up(options));
}

/** The cluster that is measured: real processes in a folder of its own, and the processes that drive it. */
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { footprintEntry } from '../../footprints/catalogue.ts';
import type { ComponentSpec } from '../../footprints/contract.ts';
import type { Durability } from '../../node/journal.ts';
import type { AnyProtocol } from '../../protocols/catalogue.ts';
import { requireUsable } from '../component-choice.ts';
import { DataFolder } from '../data-folder.ts';
import { CommandFailure, messageOf } from '../failure.ts';
import { componentProcesses, killComponents } from '../supervisor/component-processes.ts';
import { writeConfigs } from '../supervisor/configs.ts';
import { createCluster, replicaPort } from '../supervisor/create-cluster.ts';
import { isPortFree } from '../supervisor/ports.ts';
import { waitUntilReady } from '../supervisor/readiness.ts';
import { REPLICA_FLAGS, Supervisor } from '../supervisor/supervisor.ts';
import { BenchChild, programFile, runTogether } from './children.ts';
import { loadFiguresOf } from './load-figures.ts';
import type { Authenticator } from '../../core/config.ts';
import type { ClientMeasured, ClientRun, LoadMeasured, Workload } from './load-orders.ts';
import type { Figures } from './measured.ts';
import { ProcessMeter } from './process-meter.ts';
import type { ProcessUse } from './process-meter.ts';
import type { Distribution } from './ycsb/generators.ts';

/** What is started. */
export interface ClusterChoice {
  readonly protocol: AnyProtocol;
  /** The trusted component of each replica; as many as there are replicas. */
  readonly components: readonly ComponentSpec[];
  readonly durability: Durability;
  /** Client processes. */
  readonly clients: number;
  /** Requests that each of them may have on the way. */
  readonly window: number;
  readonly auth: Authenticator;
  readonly workload: Workload;
  /** Whether a gateway runs beside the replicas. Default: false. */
  readonly withGateway?: boolean;
  /** For a workload of YCSB. */
  readonly ycsb?:
    | { readonly records: number; readonly recordBytes: number; readonly distribution: Distribution }
    | undefined;
}

/** What one run gave. */
export interface ClusterRun {
  readonly figures: Figures;
  /** How many operations of an open loop were to begin while it was measured. */
  readonly due: number;
  /** By kind of operation, where there are several. */
  readonly kinds: Readonly<Record<string, Figures>>;
  readonly processes: readonly ProcessUse[];
  readonly moments: readonly ClientMeasured[];
}

const FIRST_PORT = 20_600;
const LAST_PORT = 29_000;
const PORT_STEP = 32;
const READY_MS = 60_000;
const LOAD_MS = 10 * 60_000;
const END_MS = 5_000;
/** `disconnect`: the launcher of this command was killed. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'disconnect'] as const;
/** What a shell expects of a program that Ctrl-C has ended. */
const INTERRUPTED = 130;

/** Begins anywhere, so that two benchmarks that start at once do not choose the same ports. */
async function freeRange(count: number): Promise<number> {
  const ranges = Math.floor((LAST_PORT - FIRST_PORT) / PORT_STEP);
  const first = randomInt(ranges);
  for (let step = 0; step < ranges; step += 1) {
    const port = FIRST_PORT + ((first + step) % ranges) * PORT_STEP;
    const ports = Array.from({ length: count + 1 }, (_, id) => replicaPort(port, id - 1));
    if ((await Promise.all(ports.map(isPortFree))).every(Boolean)) return port;
  }
  throw new CommandFailure(`No free range of ports between ${FIRST_PORT} and ${LAST_PORT}.`);
}

function newFolder(): string {
  try {
    return mkdtempSync(join(tmpdir(), 'moiety-bench-'));
  } catch (error) {
    const variable = process.platform === 'win32' ? 'TEMP' : 'TMPDIR';
    throw new CommandFailure(
      `No folder for the cluster can be made in ${tmpdir()} (${messageOf(error)}): set ${variable} to a folder that can be written.`,
    );
  }
}

/** Whether the component of this footprint lives in a process of its own that stands in the component's folder. */
function hasProcess({ footprint }: ComponentSpec): boolean {
  return footprintEntry(footprint) !== undefined && footprint !== 'wasm' && footprint !== 'worker';
}

/** See the top of this file. */
export class BenchCluster {
  readonly folder: DataFolder;
  readonly choice: ClusterChoice;
  /** Of the gateway, if there is one. */
  readonly port: number;
  readonly #root: string;
  readonly #supervisor: Supervisor;
  #clients: BenchChild[] = [];
  #stopping: Promise<void> | undefined;
  readonly #onSignal: () => void;

  private constructor(parts: {
    readonly choice: ClusterChoice;
    readonly root: string;
    readonly folder: DataFolder;
    readonly port: number;
    readonly onSignal: () => void;
  }) {
    const { choice, folder, port } = parts;
    this.choice = choice;
    this.folder = folder;
    this.port = port;
    this.#root = parts.root;
    this.#onSignal = parts.onSignal;
    this.#supervisor = new Supervisor({
      folder,
      replicas: choice.components.length,
      port,
      withGateway: choice.withGateway === true,
      byzantine: new Map(),
      behaviours: [],
      onDown: () => undefined,
      onGivenUp: () => undefined,
    });
  }

  /** Makes a cluster in the system's temporary folder (or `TMPDIR`) and starts it, with its clients. */
  static async start(choice: ClusterChoice): Promise<BenchCluster> {
    await requireUsable(choice.components);
    const root = newFolder();
    const folder = new DataFolder(join(root, 'c'));
    const { protocol, components, durability } = choice;
    let cluster: BenchCluster | undefined;
    // Ctrl-C leaves neither processes nor folders behind.
    let isStopping = false;
    const onSignal = (): void => {
      // A terminal's Ctrl-C comes twice: from itself, and passed on by the launcher.
      if (isStopping) return;
      isStopping = true;
      const stopped = cluster?.stop() ?? killComponents(folder.at('tc-'));
      void stopped.finally(() => {
        rmSync(root, { recursive: true, force: true });
        process.exit(INTERRUPTED);
      });
    };
    for (const name of SIGNALS) process.on(name, onSignal);
    try {
      const port = await freeRange(components.length);
      const kind = { development: false, authenticator: choice.auth };
      await createCluster(folder, { protocol, components, port, ...kind });
      writeConfigs(folder, { replicas: components.length, port, durability });
      cluster = new BenchCluster({ choice, root, folder, port, onSignal });
      await cluster.#supervisor.start();
      await cluster.#startClients();
      if (choice.withGateway === true) await cluster.#gatewayServes();
      return cluster;
    } catch (error) {
      if (cluster === undefined) {
        for (const name of SIGNALS) process.off(name, onSignal);
        rmSync(root, { recursive: true, force: true });
        throw error;
      }
      const reasons = cluster.#reasons();
      await cluster.stop();
      throw new CommandFailure([messageOf(error), ...reasons].join('\n'));
    }
  }

  async #gatewayServes(): Promise<void> {
    const ready = await waitUntilReady(this.port, AbortSignal.timeout(READY_MS));
    if (ready !== true) throw new CommandFailure('the gateway is not ready');
  }

  /** What ended replicas say of it. */
  #reasons(): readonly string[] {
    return this.#supervisor
      .processes()
      .flatMap(({ name, reason }) => (reason === null ? [] : [`${name} has ended: ${reason}`]));
  }

  async #startClients(): Promise<void> {
    const { clients, window, workload, ycsb } = this.choice;
    const common = ['--cluster', this.folder.cluster, '--key', this.folder.clientKey('local')];
    const { records = 1, recordBytes = 0, distribution = 'uniform' } = ycsb ?? {};
    common.push('--window', String(window), '--workload', workload, '--processes', String(clients));
    common.push(
      '--records',
      String(records),
      '--payload',
      String(recordBytes),
      '--distribution',
      distribution,
    );
    for (let index = 0; index < clients; index += 1) {
      const args = [...common, '--index', String(index)];
      // What is true of replicas is true of clients: they need no larger young generation either.
      this.#clients.push(new BenchChild(`client ${index}`, programFile('main-load'), args, REPLICA_FLAGS));
    }
    await Promise.all(this.#clients.map((client) => client.next(READY_MS)));
    if (ycsb === undefined) return;
    for (const client of this.#clients) client.send({ kind: 'load' });
    await Promise.all(this.#clients.map((client) => client.next(LOAD_MS)));
  }

  /** One run; what `settings` say of operations on the way and of rates is for all clients together. */
  async run(settings: ClientRun): Promise<ClusterRun> {
    const { pace } = settings;
    const count = this.#clients.length;
    const share =
      pace.kind === 'open'
        ? { ...pace, ratePerSecond: pace.ratePerSecond / count }
        : { ...pace, inFlight: Math.max(1, Math.floor(pace.inFlight / count)) };
    const orders = this.#clients.map((child) => ({ child, settings: { ...settings, pace: share } }));
    const meter = new ProcessMeter();
    let processes: readonly ProcessUse[] | undefined;
    const moments = await runTogether<ClientMeasured>(orders, (edge) => {
      if (edge === 'begin') meter.begin(this.processes());
      else processes = meter.end();
    });
    // The clients may have ended a moment before this process noticed that time was over.
    processes ??= meter.end();
    const kinds = new Map<string, LoadMeasured[]>();
    for (const one of moments)
      for (const [kind, part] of Object.entries(one.kinds))
        kinds.set(kind, [...(kinds.get(kind) ?? []), part]);
    const byKind = [...kinds]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([kind, parts]) => [kind, loadFiguresOf(parts)]);
    const due = moments.reduce((sum, one) => sum + one.due, 0);
    return { figures: loadFiguresOf(moments), due, kinds: Object.fromEntries(byKind), processes, moments };
  }

  /** Names and numbers of all processes: clients, replicas, and those of the trusted components. */
  processes(): readonly (readonly [string, number])[] {
    const pids: [string, number][] = [];
    for (const [id, { name, pid }] of this.#supervisor.processes().entries()) {
      if (pid !== null) pids.push([name, pid]);
      const component = this.choice.components[id];
      if (component !== undefined && hasProcess(component))
        for (const own of componentProcesses(this.folder.replica(id).trusted))
          pids.push([`trusted ${id}`, own]);
    }
    for (const { name, pid } of this.#clients) pids.push([name, pid]);
    return pids;
  }

  /** Kills (`kill -9`) a replica's process, which stays down. */
  async kill(replica: number): Promise<void> {
    await this.#supervisor.fault({ action: 'kill', replica });
  }

  /** Starts a replica that was killed. */
  async restart(replica: number): Promise<void> {
    await this.#supervisor.fault({ action: 'restart', replica });
  }

  /** Ends every process and removes the folder. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.end(END_MS)));
    await this.#supervisor.stop();
    for (const name of SIGNALS) process.off(name, this.#onSignal);
    rmSync(this.#root, { recursive: true, force: true });
  }
}

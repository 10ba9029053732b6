/** The benchmark: a cluster of real processes in a folder of its own, measured from outside, beside the floor. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Durability } from '../../node/journal.ts';
import type { AnyProtocol } from '../../protocols/catalogue.ts';
import { componentsFor } from '../component-choice.ts';
import { DataFolder } from '../data-folder.ts';
import { CommandFailure } from '../failure.ts';
import { writeConfigs } from '../supervisor/configs.ts';
import { createCluster, replicaPort } from '../supervisor/create-cluster.ts';
import { isPortFree } from '../supervisor/ports.ts';
import { Supervisor } from '../supervisor/supervisor.ts';
import { BenchChild, runTogether } from './children.ts';
import { figuresOf, processorSeconds } from './measured.ts';
import type { Figures, LoadSettings } from './measured.ts';

/** What is measured. */
export interface BenchSettings extends LoadSettings {
  readonly protocol: AnyProtocol;
  readonly replicas: number;
  /** Client processes; `inFlight` is for all of them together. */
  readonly clients: number;
  readonly durability: Durability;
  readonly floor: boolean;
}

/** Processor time of one process while it was measured. */
export interface ProcessShare {
  readonly name: string;
  /** 1 = one core for the whole time. */
  readonly share: number;
}

/** What `bench --json` prints. */
export interface BenchReport extends Figures {
  readonly protocol: string;
  readonly replicas: number;
  readonly clients: number;
  readonly inFlight: number;
  readonly payload: number;
  readonly durability: Durability;
  readonly seconds: number;
  readonly cores: number;
  readonly node: string;
  readonly cpu: readonly ProcessShare[];
  readonly floor: Figures | null;
  /** Throughput in shares of the floor's. */
  readonly ofFloor: number | null;
}

const FIRST_PORT = 20_600;
const LAST_PORT = 29_000;

function program(name: 'main-load' | 'main-floor'): string {
  const here = fileURLToPath(import.meta.url);
  return fileURLToPath(new URL(`./${name}${extname(here)}`, import.meta.url));
}

async function freeRange(count: number): Promise<number> {
  for (let port = FIRST_PORT; port < LAST_PORT; port += 16) {
    const ports = Array.from({ length: count + 1 }, (_, id) => replicaPort(port, id - 1));
    if ((await Promise.all(ports.map(isPortFree))).every(Boolean)) return port;
  }
  throw new CommandFailure(`No free range of ports between ${FIRST_PORT} and ${LAST_PORT}.`);
}

/** Samples processor time when the window begins and ends. */
class ProcessorMeter {
  readonly #pids: ReadonlyMap<string, number>;
  readonly #begin = new Map<string, number>();
  readonly shares: ProcessShare[] = [];
  #beginMs = 0;

  constructor(pids: ReadonlyMap<string, number>) {
    this.#pids = pids;
  }

  at(edge: 'begin' | 'end'): void {
    const now = performance.now();
    if (edge === 'begin') this.#beginMs = now;
    for (const [name, pid] of this.#pids) {
      const seconds = processorSeconds(pid);
      const before = this.#begin.get(name);
      if (seconds === undefined) continue;
      if (edge === 'begin') this.#begin.set(name, seconds);
      else if (before !== undefined)
        this.shares.push({
          name,
          share: Number(((seconds - before) / ((now - this.#beginMs) / 1000)).toFixed(2)),
        });
    }
  }
}

function trustedPid(folder: DataFolder, id: number): number {
  try {
    return Number(readFileSync(join(folder.replica(id).trusted, 'pid'), 'utf8'));
  } catch {
    return 0;
  }
}

async function measureCluster(
  settings: BenchSettings,
  folder: DataFolder,
): Promise<{ figures: Figures; cpu: readonly ProcessShare[] }> {
  const { protocol, replicas, clients, durability } = settings;
  const port = await freeRange(replicas);
  const components = componentsFor(undefined, replicas, protocol);
  await createCluster(folder, { protocol, components, port, development: false });
  writeConfigs(folder, { replicas, port, durability });
  const supervisor = new Supervisor({
    folder,
    replicas,
    port,
    withGateway: false,
    byzantine: new Map(),
    behaviours: [],
    onDown: () => undefined,
    onGivenUp: () => undefined,
  });
  const children: BenchChild[] = [];
  try {
    await supervisor.start();
    const inFlight = Math.max(1, Math.floor(settings.inFlight / clients));
    for (let id = 0; id < clients; id += 1) {
      const args = [
        '--cluster',
        folder.cluster,
        '--key',
        folder.clientKey('local'),
        '--name',
        String(id),
        '--window',
        String(inFlight),
      ];
      children.push(new BenchChild(`client ${id}`, program('main-load'), args));
    }
    let meter: ProcessorMeter | undefined;
    const measured = await runTogether(children, { ...settings, inFlight }, (edge) => {
      meter ??= new ProcessorMeter(pidsOf(folder, supervisor, children));
      meter.at(edge);
    });
    return { figures: figuresOf(measured), cpu: meter?.shares ?? [] };
  } finally {
    for (const child of children) child.kill();
    await supervisor.stop();
  }
}

function pidsOf(
  folder: DataFolder,
  supervisor: Supervisor,
  children: readonly BenchChild[],
): Map<string, number> {
  const pids = new Map<string, number>();
  for (const [id, { name, pid }] of supervisor.processes().entries()) {
    pids.set(name, pid ?? 0);
    pids.set(`trusted ${id}`, trustedPid(folder, id));
  }
  for (const child of children) pids.set(child.name, child.pid);
  return pids;
}

/** A client and three servers without ordering: see `main-floor.ts`. */
async function measureFloor(settings: LoadSettings): Promise<Figures> {
  const servers = [0, 1, 2].map((id) => new BenchChild(`floor server ${id}`, program('main-floor'), []));
  const children = [...servers];
  try {
    const ports = await Promise.all(
      servers.map(async (server) => (await server.next<{ port: number }>(20_000)).port),
    );
    const client = new BenchChild('floor client', program('main-floor'), ['--ports', ports.join(',')]);
    children.push(client);
    return figuresOf(await runTogether([client], settings, () => undefined));
  } finally {
    for (const child of children) child.kill();
  }
}

/** Measures. The folder is in the system's temporary folder (or `TMPDIR`) and is removed afterwards. */
export async function runBench(settings: BenchSettings, note: (text: string) => void): Promise<BenchReport> {
  const path = mkdtempSync(join(tmpdir(), 'moiety-bench-'));
  try {
    note(
      `measuring ${settings.replicas} replicas of ${settings.protocol.name} for ${settings.durationMs / 1000} s (durability ${settings.durability}, in ${path}) …`,
    );
    const { figures, cpu } = await measureCluster(settings, new DataFolder(join(path, 'c')));
    let floor: Figures | null = null;
    if (settings.floor) {
      note('measuring the floor …');
      floor = await measureFloor({ ...settings, durationMs: Math.min(settings.durationMs, 5_000) });
    }
    const { replicas, clients, inFlight, payload, durability } = settings;
    const ofFloor = floor === null ? null : Number((figures.throughput / floor.throughput).toFixed(4));
    return {
      ...figures,
      protocol: settings.protocol.name,
      replicas,
      clients,
      inFlight,
      payload,
      durability,
      seconds: settings.durationMs / 1000,
      cores: availableParallelism(),
      node: process.version,
      cpu,
      floor,
      ofFloor,
    };
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

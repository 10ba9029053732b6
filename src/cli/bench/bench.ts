/** `moiety bench` and `moiety bench ycsb`: one point of one cluster, beside the floor. */
import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { shortSpec } from '../component-choice.ts';
import { plural } from '../output.ts';
import type { ClusterChoice } from './cluster.ts';
import type { Authenticator } from '../../core/config.ts';
import type { Workload } from './load-orders.ts';
import { thisMachine } from './machine.ts';
import type { Machine } from './machine.ts';
import { Sitting } from './sitting.ts';
import type { Point, PointReport } from './sitting.ts';
import type { Distribution } from './ycsb/generators.ts';

/** What was measured. */
export interface BenchSettings {
  readonly protocol: string;
  readonly replicas: number;
  readonly f: number;
  /** Of each replica, short. */
  readonly components: readonly string[];
  readonly durability: string;
  readonly clients: number;
  readonly auth: Authenticator;
  readonly workload: Workload;
  readonly records: number | null;
  readonly distribution: Distribution | null;
}

/** What `bench --json` prints. */
export interface BenchReport extends PointReport {
  readonly format: 'moiety-bench';
  readonly version: 1;
  readonly settings: BenchSettings;
  readonly machine: Machine;
}

/** Settings as they are printed. */
export function settingsOf(choice: ClusterChoice, f: number): BenchSettings {
  return {
    protocol: choice.protocol.name,
    replicas: choice.components.length,
    f,
    components: choice.components.map(shortSpec),
    durability: choice.durability,
    clients: choice.clients,
    auth: choice.auth,
    workload: choice.workload,
    records: choice.ycsb?.records ?? null,
    distribution: choice.ycsb?.distribution ?? null,
  };
}

/** Magic number of tmpfs in the interface of Linux. */
const TMPFS = 0x01021994;

function isMemoryFolder(path: string): boolean {
  try {
    return process.platform === 'linux' && statfsSync(path).type === TMPFS;
  } catch {
    return false;
  }
}

/** Measures. `note` is told what happens. Fails with a CommandFailure. */
export async function runBench(
  choice: ClusterChoice,
  point: Point,
  options: { readonly f: number; readonly floor: boolean; readonly note: (text: string) => void },
): Promise<BenchReport> {
  const { f, floor, note } = options;
  const machine = thisMachine();
  const { protocol, components, durability } = choice;
  note(
    `starting ${components.length} replicas of ${protocol.name} (${shortSpec(components[0]!)}, durability ${durability}) …`,
  );
  if (durability === 'fsync' && isMemoryFolder(tmpdir()))
    note(`note: ${tmpdir()} is in memory, where a sync costs nothing: set TMPDIR to a folder on a disk`);
  const sitting = await Sitting.begin(choice, { floor, raw: floor });
  try {
    note(`measuring ${plural(point.runs, 'run')} of ${point.durationMs / 1000} s …`);
    const report = await sitting.measure(point, ({ throughput, p50Ms }, number) =>
      note(`  run ${number}: ${Math.round(throughput)} operations/s, p50 ${p50Ms} ms`),
    );
    return { format: 'moiety-bench', version: 1, settings: settingsOf(choice, f), machine, ...report };
  } finally {
    await sitting.end();
  }
}

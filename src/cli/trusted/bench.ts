/** `moiety trusted bench`: runs the pairs one after the other and draws what came out. */
import { cpus } from 'node:os';
import type { Cell, FootprintEntry } from '../../footprints/catalogue.ts';
import { footprintNamed } from '../../footprints/registry.ts';
import type { ProgramEntry } from '../../trusted/programs/catalogue.ts';
import { workloadOf } from '../../trusted/programs/workloads.ts';
import { makeGroup } from '../../footprints/group/group.ts';
import type { AttestationPolicy } from '../../core/config.ts';
import type { Digest } from '../../core/types.ts';
import { tableLines } from '../output.ts';
import { readMeasurements } from './artifacts.ts';
import { missingFor } from './missing.ts';
import { measureInProcess } from './in-process.ts';
import type { InProcessFigures } from './in-process.ts';
import { measureCell } from './measure.ts';
import type { CellFigures } from './measure.ts';

/** What is to be measured. */
export interface BenchPlan {
  readonly pairs: readonly { readonly program: ProgramEntry; readonly footprint: FootprintEntry; readonly cell: Cell }[];
  /** Of each of the two phases. */
  readonly durationMs: number;
  readonly depth: number;
  readonly durability: 'fsync' | 'os' | 'memory';
}

/** One pair: figures, or why there are none. */
export interface BenchRow {
  readonly program: string;
  readonly footprint: string;
  readonly operation: string;
  readonly figures?: CellFigures;
  /** The pair does not exist, or the machine lacks something for it. */
  readonly skipped?: string;
  /** It exists and should have run. */
  readonly failure?: string;
}

/** Everything that was measured. */
export interface BenchReport {
  readonly cores: number;
  readonly node: string;
  readonly depth: number;
  readonly durability: string;
  readonly inProcess: InProcessFigures;
  readonly rows: readonly BenchRow[];
}

/** Name of the footprint that is also measured with the HMAC suite, whose key a group of components shares. */
const GROUP_FOOTPRINT = 'process';

/** `usig@process` with a group key: what the process costs where a certificate is a MAC. */
async function runGroupPair(plan: BenchPlan, measurement: Digest): Promise<BenchRow> {
  const names = { program: 'usig', footprint: 'process, HMAC suite', operation: 'certify' };
  const policy: AttestationPolicy = {
    programs: [{ name: 'usig', measurements: [measurement] }],
    footprints: [{ name: GROUP_FOOTPRINT, endorsedBy: [], carriers: [] }],
    roots: [],
  };
  const { depth, durability, durationMs } = plan;
  const settings = { argument: '', durability, durationMs, depth };
  try {
    const footprint = await footprintNamed(GROUP_FOOTPRINT);
    const prepare = async (folder: string): Promise<void> => {
      await makeGroup(folder, 0, JSON.stringify(policy));
    };
    return { ...names, figures: await measureCell(footprint, 'usig', workloadOf('usig')!, settings, prepare) };
  } catch (error) {
    return { ...names, failure: (error as Error).message };
  }
}

async function runPair(plan: BenchPlan, pair: BenchPlan['pairs'][number]): Promise<BenchRow> {
  const { program, footprint, cell } = pair;
  const workload = workloadOf(program.name);
  const names = { program: program.name, footprint: footprint.name, operation: workload?.operation ?? '-' };
  if (!cell.runs) return { ...names, skipped: cell.reason };
  if (workload === undefined) return { ...names, skipped: `the trusted part is ${program.builtOn ?? 'not measured'}: see there` };
  const lacks = await missingFor(footprint.name);
  if (lacks.length > 0) return { ...names, skipped: `this machine lacks ${lacks.join('; ')}` };
  try {
    const figures = await measureCell(await footprintNamed(footprint.name), program.name, workload, {
      argument: footprint.developmentArgument ?? '',
      durability: plan.durability,
      durationMs: plan.durationMs,
      depth: plan.depth,
    });
    return { ...names, figures };
  } catch (error) {
    return { ...names, failure: (error as Error).message };
  }
}

/** Measures all pairs; `tell` hears of each. */
export async function runTrustedBench(plan: BenchPlan, tell: (text: string) => void): Promise<BenchReport> {
  const inProcess = measureInProcess(plan.durationMs);
  const rows: BenchRow[] = [];
  for (const pair of plan.pairs) {
    tell(`${pair.program.name}@${pair.footprint.name} …`);
    rows.push(await runPair(plan, pair));
    if (pair.program.name === 'usig' && pair.footprint.name === GROUP_FOOTPRINT)
      rows.push(await runGroupPair(plan, readMeasurements().get('usig')!.sha256 as Digest));
  }
  const { depth, durability } = plan;
  return { cores: cpus().length, node: process.versions.node, depth, durability, inProcess, rows };
}

function microseconds(value: number): string {
  return value >= 1000 ? `${(value / 1000).toFixed(2)} ms` : `${value.toFixed(1)} µs`;
}

const BAR_COLUMNS = 24;

/** A bar on a logarithmic scale from 1 µs to 100 ms. */
function bar(valueUs: number): string {
  const share = Math.log10(Math.max(1, valueUs)) / 5;
  return '█'.repeat(Math.max(1, Math.min(BAR_COLUMNS, Math.round(share * BAR_COLUMNS))));
}

/** The report for a terminal. */
export function benchLines(report: BenchReport): string[] {
  const { inProcess, rows } = report;
  const measured = rows.filter((row) => row.figures !== undefined);
  const table = tableLines(
    ['pair', 'operation', 'p50', 'p99', `per second, ${report.depth} under way`, 'create', 'open', '1 µs to 100 ms, logarithmic'],
    measured.map(({ program, footprint, operation, figures }) => [
      `${program}@${footprint}`,
      operation,
      microseconds(figures!.p50Us),
      microseconds(figures!.p99Us),
      Math.round(figures!.perSecond),
      `${Math.round(figures!.createMs)} ms`,
      `${Math.round(figures!.openMs)} ms`,
      bar(figures!.p50Us),
    ]),
  );
  const failed = rows.filter((row) => row.failure !== undefined);
  return [
    `${report.cores} cores, Node ${report.node}, durability ${report.durability}`,
    `in process, HMAC suite: ${inProcess.certifyUs.toFixed(2)} µs a certificate; one HMAC-SHA-256 of the same ` +
      `136 bytes by the platform: ${inProcess.hmacUs.toFixed(2)} µs (ratio ${inProcess.ratio.toFixed(2)})`,
    '',
    ...table,
    '',
    ...skippedLines(rows),
    ...failed.map(({ program, footprint, failure }) => `${program}@${footprint}: FAILED: ${failure}`),
  ];
}

/** Pairs without figures, those of one reason in one line. */
function skippedLines(rows: readonly BenchRow[]): string[] {
  const pairs = new Map<string, string[]>();
  for (const { program, footprint, skipped } of rows) {
    if (skipped === undefined) continue;
    pairs.set(skipped, [...(pairs.get(skipped) ?? []), `${program}@${footprint}`]);
  }
  return [...pairs].map(([reason, names]) => `${names.join(', ')}: ${reason}`);
}

const SVG = { left: 190, right: 150, row: 20, top: 46, width: 900 } as const;

/** The report as a drawing: p50 of each pair on a logarithmic axis. */
export function benchSvg(report: BenchReport): string {
  const measured = report.rows.filter((row) => row.figures !== undefined);
  const height = SVG.top + measured.length * SVG.row + 30;
  const span = SVG.width - SVG.left - SVG.right;
  const x = (us: number): number => SVG.left + (Math.log10(Math.max(1, us)) / 5) * span;
  const grid = [1, 10, 100, 1000, 10_000, 100_000].map(
    (us) =>
      `<line x1="${x(us).toFixed(1)}" y1="${SVG.top - 6}" x2="${x(us).toFixed(1)}" y2="${height - 24}" stroke="#ccc"/>` +
      `<text x="${x(us).toFixed(1)}" y="${height - 8}" text-anchor="middle">${us >= 1000 ? `${us / 1000} ms` : `${us} µs`}</text>`,
  );
  const bars = measured.map(({ program, footprint, figures }, index) => {
    const y = SVG.top + index * SVG.row;
    const end = x(figures!.p50Us);
    return (
      `<text x="${SVG.left - 8}" y="${y + 12}" text-anchor="end">${program}@${footprint}</text>` +
      `<rect x="${SVG.left}" y="${y}" width="${Math.max(1, end - SVG.left).toFixed(1)}" height="14" fill="#3b6ea5"/>` +
      `<text x="${(end + 6).toFixed(1)}" y="${y + 12}">${microseconds(figures!.p50Us)}, ${Math.round(figures!.perSecond)}/s</text>`
    );
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SVG.width} ${height}" font-family="sans-serif" font-size="12">`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    `<text x="8" y="20" font-size="14">Median round trip of one call, and calls per second with ${report.depth} under way (durability ${report.durability})</text>`,
    ...grid,
    ...bars,
    '</svg>',
    '',
  ].join('\n');
}

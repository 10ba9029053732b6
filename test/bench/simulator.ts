/** How fast the simulator is, in processor time. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { runSchedule } from '../../src/sim/run-schedule.ts';
import type { Effort } from './measure.ts';
import type { SimulatedDecisions } from './simulator-worker.ts';

/** See the top of this file. */
export interface SimulatorFigures {
  readonly schedules: {
    /** Short schedules for each CPU-second. */
    readonly perSecond: number;
    /** Events of the queue, on average. */
    readonly events: number;
    /** Messages between replicas, on average. */
    readonly frames: number;
    /** Share of them in which the view changed. */
    readonly viewChanges: number;
  };
  /** PBFT without faults. */
  readonly decisions: readonly SimulatedDecisions[];
}

/** Schedules that are run before measuring, until most of the code is compiled. */
const WARM_UP = 3_000;
const FIRST_SEED = 1;
/** Faults that the clusters stand, with the batches that are decided in each. */
const CLUSTERS = [
  [1, 400],
  [5, 100],
  [21, 30],
  [42, 12],
  [85, 8],
  [333, 2],
] as const;
const QUICK_CLUSTERS = 3;
/** The largest cluster needs more than the usual heap for young and old objects together. */
const HEAP_MIB = 2_048;

function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function measureSchedules(count: number): SimulatorFigures['schedules'] {
  let seed = FIRST_SEED;
  const run = (): ReturnType<typeof runSchedule> =>
    runSchedule(seed++, { fidelity: 'core', replicas: 3, short: true });
  for (let index = 0; index < WARM_UP; index += 1) run();
  const begun = processorSeconds();
  let events = 0;
  let frames = 0;
  let changed = 0;
  for (let index = 0; index < count; index += 1) {
    const { stats } = run();
    events += stats.events;
    frames += stats.frames;
    if (stats.viewChanges > 0) changed += 1;
  }
  const seconds = processorSeconds() - begun;
  return {
    perSecond: Math.round(count / seconds),
    events: Math.round(events / count),
    frames: Math.round(frames / count),
    viewChanges: changed / count,
  };
}

/** Decides batches in a simulated cluster of PBFT, in a process of its own. */
export function measureDecisions(f: number, batches: number): SimulatedDecisions {
  const worker = fileURLToPath(new URL('simulator-worker.ts', import.meta.url));
  const args = [`--max-old-space-size=${HEAP_MIB}`, worker, 'pbft', String(f), String(batches)];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`simulated decisions failed: ${stderr}`);
  return JSON.parse(stdout) as SimulatedDecisions;
}

/** Measures. */
export function measureSimulator(effort: Effort): SimulatorFigures {
  const schedules = measureSchedules(effort.quick ? 500 : 6_000);
  effort.note(`  ${schedules.perSecond} schedules for each CPU-second`);
  const clusters = effort.quick ? CLUSTERS.slice(0, QUICK_CLUSTERS) : CLUSTERS;
  const decisions = clusters.map(([f, batches]) => {
    const figures = measureDecisions(f, batches);
    const { replicas, eachMs, peakMiB } = figures;
    effort.note(`  PBFT, N = ${replicas}: ${eachMs.toFixed(1)} ms for each decision, ${peakMiB} MiB`);
    return figures;
  });
  return { schedules, decisions };
}

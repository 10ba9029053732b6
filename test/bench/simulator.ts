/** How fast the simulator is, in processor time. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { runScenario } from '../../src/sim/run-schedule.ts';
import type { ScheduleResult } from '../../src/sim/run-schedule.ts';
import { drawScenario } from '../../src/sim/scenario.ts';
import type { Effort } from './measure.ts';
import type { SimulatedDecisions } from './simulator-worker.ts';

/** Schedules of one length. */
export interface ScheduleFigures {
  /** How often the bundles of a short schedule were asked for. */
  readonly load: number;
  /** Schedules for each CPU-second. */
  readonly perSecond: number;
  /** Events of the queue, on average. */
  readonly events: number;
  /** Messages between replicas, on average. */
  readonly frames: number;
  /** Share of them in which the view changed. */
  readonly viewChanges: number;
}

/** See the top of this file. */
export interface SimulatorFigures {
  readonly schedules: readonly ScheduleFigures[];
  /** PBFT without faults. */
  readonly decisions: readonly SimulatedDecisions[];
}

/** Schedules that are run before measuring, until most of the code is compiled. */
const WARM_UP = 3_000;
const FIRST_SEED = 1;
/** Short schedules as they are, and with so many times the bundles: those have about 700 events. */
const LOADS = [1, 8] as const;
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

/** The short schedule of a seed with `load` times the bundles in the same time. */
function runLoaded(seed: number, load: number): ScheduleResult {
  const drawn = drawScenario(seed, { replicas: 3, short: true });
  const clients = drawn.clients.map((client) => ({
    ...client,
    bundles: client.bundles * load,
    paceMs: client.paceMs / load,
  }));
  return runScenario({ ...drawn, clients }, { fidelity: 'core' });
}

function measureSchedules(load: number, count: number, warmUp: number): ScheduleFigures {
  let seed = FIRST_SEED;
  const run = (): ScheduleResult => runLoaded(seed++, load);
  for (let index = 0; index < warmUp; index += 1) run();
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
    load,
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
  const count = effort.quick ? 500 : 6_000;
  const schedules = LOADS.map((load) => {
    const figures = measureSchedules(load, Math.ceil(count / load), Math.ceil(WARM_UP / load));
    effort.note(`  ${figures.perSecond} schedules of ${figures.events} events for each CPU-second`);
    return figures;
  });
  const clusters = effort.quick ? CLUSTERS.slice(0, QUICK_CLUSTERS) : CLUSTERS;
  const decisions = clusters.map(([f, batches]) => {
    const figures = measureDecisions(f, batches);
    const { replicas, eachMs, peakMiB } = figures;
    effort.note(`  PBFT, N = ${replicas}: ${eachMs.toFixed(1)} ms for each decision, ${peakMiB} MiB`);
    return figures;
  });
  return { schedules, decisions };
}

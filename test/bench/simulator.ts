/** How fast the simulator is, in processor time of this process. */
import { protocolNamed } from '../../src/protocols/catalogue.ts';
import { measureCosts } from '../../src/sim/family/measure.ts';
import { runSchedule } from '../../src/sim/run-schedule.ts';
import type { Effort } from './measure.ts';

/** See the top of this file. */
export interface SimulatorFigures {
  readonly schedules: {
    /** Short schedules for each CPU-second. */
    readonly perSecond: number;
    /** On average. */
    readonly events: number;
    /** Share of them in which the view changed. */
    readonly viewChanges: number;
  };
  /** PBFT without faults. */
  readonly decisions: readonly {
    readonly replicas: number;
    readonly milliseconds: number;
    readonly residentMiB: number;
  }[];
}

const WARM_UP = 300;
const FIRST_SEED = 1;
/** Batches that `measureCosts` has decided. */
const BATCHES = 8;

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
  let changed = 0;
  for (let index = 0; index < count; index += 1) {
    const { stats } = run();
    events += stats.events;
    if (stats.viewChanges > 0) changed += 1;
  }
  const seconds = processorSeconds() - begun;
  return {
    perSecond: Math.round(count / seconds),
    events: Math.round(events / count),
    viewChanges: changed / count,
  };
}

/** Measures. */
export function measureSimulator(effort: Effort): SimulatorFigures {
  const schedules = measureSchedules(effort.quick ? 500 : 3_000);
  effort.note(`  ${schedules.perSecond} schedules for each CPU-second`);
  const decisions = (effort.quick ? [1, 5, 21] : [1, 5, 21, 42, 85]).map((f) => {
    const begun = processorSeconds();
    const { n } = measureCosts(protocolNamed('pbft')!, f);
    const milliseconds = Number((((processorSeconds() - begun) * 1000) / BATCHES).toFixed(2));
    effort.note(`  PBFT, N = ${n}: ${milliseconds} ms for each decision`);
    return { replicas: n, milliseconds, residentMiB: Math.round(process.memoryUsage().rss / 2 ** 20) };
  });
  return { schedules, decisions };
}

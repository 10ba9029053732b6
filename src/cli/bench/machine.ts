/** The machine that figures belong to. */
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';
import { rounded } from './measured.ts';

/** See the top of this file. */
export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  /** Processes that wanted to run, on average over a minute, before anything was measured. */
  readonly loadBefore: number;
}

/** Of this moment. */
export function thisMachine(): Machine {
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: rounded(totalmem() / 2 ** 30, 1),
    system: `${type()} ${release()}`,
    node: process.version,
    loadBefore: rounded(loadavg()[0] ?? 0, 2),
  };
}

/** In one line. */
export function machineText({ cores, processor, memoryGiB, system, node, loadBefore }: Machine): string {
  return `${cores} cores (${processor}), ${memoryGiB} GiB, ${system}, Node ${node}, load average ${loadBefore} before`;
}

/**
 * run.json in the data folder: who supervises the cluster now, how to reach that process, and which processes it has
 * started. Mode 0600: it holds the token that allows faults (decision C10). It may be stale: whoever reads it checks.
 */
import { readFileSync, rmSync } from 'node:fs';
import type { DataFolder } from '../data-folder.ts';

/** State of a supervised process, as people read it. */
export type ProcessState = 'running' | 'paused' | 'restarting' | 'stopped' | 'failed';

/** One supervised process. */
export interface ProcessReport {
  /** `replica 0` … or `gateway`. */
  readonly name: string;
  readonly state: ProcessState;
  readonly pid: number | null;
  /** Times it was started again by the supervisor because it had ended by itself. */
  readonly restarts: number;
  /** Why it is not running, if so. */
  readonly reason: string | null;
  /** Behaviour of a replica that lies on purpose. */
  readonly byzantine: string | null;
  /** Whether "moiety fault partition" has cut this replica off from the others. */
  readonly cutOff: boolean;
}

/** Content of run.json. */
export interface RunFile {
  readonly pid: number;
  /** Made anew at each start. */
  readonly token: string;
  /** Loopback port of the control server. */
  readonly controlPort: number;
  /** Port of the gateway. */
  readonly port: number;
  readonly startedAt: string;
  readonly processes: readonly ProcessReport[];
}

/** Reads run.json; undefined if there is none or it cannot be read. */
export function readRunFile(folder: DataFolder): RunFile | undefined {
  try {
    const run = JSON.parse(readFileSync(folder.run, 'utf8')) as Partial<RunFile>;
    const isWhole =
      Number.isSafeInteger(run.pid) &&
      Number.isSafeInteger(run.controlPort) &&
      Number.isSafeInteger(run.port) &&
      typeof run.token === 'string' &&
      Array.isArray(run.processes);
    return isWhole ? (run as RunFile) : undefined;
  } catch {
    return undefined;
  }
}

/** Writes run.json in one step. */
export function writeRunFile(folder: DataFolder, run: RunFile): void {
  folder.writeJson(folder.run, run, 0o600);
}

/** Removes run.json. */
export function removeRunFile(folder: DataFolder): void {
  rmSync(folder.run, { force: true });
}

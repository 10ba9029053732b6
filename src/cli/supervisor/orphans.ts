/**
 * Processes that an earlier supervisor left behind because it was killed itself. They are recognised by their command
 * line, which names a file of this data folder: a process id alone may belong to somebody else by now.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { stopTrustedProcess } from '../../footprints/process/launcher.ts';
import type { DataFolder } from '../data-folder.ts';
import { messageOf } from '../failure.ts';
import { readRunFile } from './run-file.ts';

const PATIENCE_MS = 5_000;
const POLL_MS = 25;

/** A process that has ended and whose parent has not asked yet how: it still has its number, and nothing else. */
function isZombie(pid: number): boolean {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).startsWith('Z');
  } catch {
    return false;
  }
}

/** Whether a process of this number runs. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Waits until `condition` holds; false if it does not in time. */
export async function waitUntil(condition: () => boolean, patienceMs: number): Promise<boolean> {
  const deadline = performance.now() + patienceMs;
  while (!condition()) {
    if (performance.now() >= deadline) return false;
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
  return true;
}

/** Sends a signal; nothing happens if the process is gone. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Words of a process's command line; undefined if it is gone or this system does not tell. */
function commandLine(pid: number): readonly string[] | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return undefined;
  }
}

/** Configuration files that name the processes of a data folder. */
function configsOf(folder: DataFolder, replicas: number): readonly string[] {
  const ids = Array.from({ length: replicas }, (_, id) => id);
  return [...ids.map((id) => folder.replica(id).config), folder.gatewayConfig];
}

/** Processes that run with a configuration of this folder: on Linux all of them, elsewhere those of run.json. */
function leftBehind(folder: DataFolder, replicas: number): readonly number[] {
  const configs = configsOf(folder, replicas);
  const isOurs = (pid: number): boolean =>
    pid !== process.pid && (commandLine(pid)?.some((word) => configs.includes(word)) ?? false);
  if (process.platform === 'linux')
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter(isOurs);
  const pids = (readRunFile(folder)?.processes ?? []).flatMap(({ pid }) => (pid === null ? [] : [pid]));
  return pids.filter((pid) => pid !== process.pid && isAlive(pid));
}

/** Ends replicas and the gateway that an earlier supervisor left behind. Returns how many there were. */
export async function endOrphans(folder: DataFolder, replicas: number): Promise<number> {
  const pids = leftBehind(folder, replicas);
  for (const pid of pids) {
    // A paused process takes no other signal.
    signal(pid, 'SIGCONT');
    signal(pid, 'SIGTERM');
  }
  if (!(await waitUntil(() => pids.every((pid) => !isAlive(pid)), PATIENCE_MS))) {
    for (const pid of pids) signal(pid, 'SIGKILL');
    await waitUntil(() => pids.every((pid) => !isAlive(pid)), PATIENCE_MS);
  }
  return pids.length;
}

/** Ends the trusted processes of a folder in order; sentences about those that could not be ended. */
export async function stopTrustedProcesses(folder: DataFolder, replicas: number): Promise<readonly string[]> {
  const outcomes = await Promise.allSettled(
    Array.from({ length: replicas }, (_, id) => stopTrustedProcess(folder.replica(id).trusted)),
  );
  return outcomes.flatMap((outcome, id) =>
    outcome.status === 'rejected' ? [`trusted process of replica ${id}: ${messageOf(outcome.reason)}`] : [],
  );
}

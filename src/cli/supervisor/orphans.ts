/**
 * Processes that an earlier supervisor left behind because it was killed itself. They are recognised by their command
 * line, which names a file of this data folder: a process id alone may belong to somebody else by now.
 */
import { existsSync } from 'node:fs';
import { rememberingProcesses, stopComponent } from '../../footprints/registry.ts';
import type { DataFolder } from '../data-folder.ts';
import { messageOf } from '../failure.ts';
import { killComponents } from './component-processes.ts';
import { commandLine, isAlive, processIds, signal, waitUntil } from './processes.ts';
import { readRunFile } from './run-file.ts';

const PATIENCE_MS = 5_000;

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
  if (process.platform === 'linux') return processIds().filter(isOurs);
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

/**
 * Ends the trusted components of a cluster in order, and whatever is left of them. What remembers for a component in
 * memory alone lives on, as it could not be continued without; `forGood`: nothing of them runs afterwards. Sentences
 * about those that could not be ended in order.
 */
export async function stopComponents(
  folder: DataFolder,
  replicas: number,
  forGood = false,
): Promise<readonly string[]> {
  const outcomes = await Promise.allSettled(
    Array.from({ length: replicas }, async (_, id) => {
      const { trusted } = folder.replica(id);
      // Replicas of some protocols have none.
      if (existsSync(trusted)) await stopComponent(trusted);
    }),
  );
  const problems = outcomes.flatMap((outcome, id) =>
    outcome.status === 'rejected' ? [`trusted component of replica ${id}: ${messageOf(outcome.reason)}`] : [],
  );
  for (let id = 0; id < replicas; id += 1) {
    const { trusted } = folder.replica(id);
    await killComponents(trusted, forGood ? [] : await rememberingProcesses(trusted));
  }
  return problems;
}

/** What an orderly stop has left running on purpose, as a sentence; undefined if nothing. */
export async function leftOnPurpose(folder: DataFolder, replicas: number): Promise<string | undefined> {
  const ids = Array.from({ length: replicas }, (_, id) => id);
  const left = await Promise.all(ids.map((id) => rememberingProcesses(folder.replica(id).trusted)));
  const whose = ids.filter((id) => left[id]!.length > 0);
  if (whose.length === 0) return undefined;
  return (
    `${left.flat().length} guards of the trusted components of replicas ${whose.join(', ')} go on: they alone remember the newest ` +
    'state, in memory. They end with the data folder ("moiety down --wipe"); if they end before, those components ' +
    'cannot be continued and must be replaced.'
  );
}

/**
 * Processes of a trusted component, whatever its footprint is: a trusted process, an emulated machine, a software TPM.
 * They are recognised by their command line or the folder that they work in, which is the component's. Linux only.
 */
import { basename } from 'node:path';
import { commandLine, isAlive, processIds, signal, waitUntil, workingFolder } from './processes.ts';

const PATIENCE_MS = 5_000;
/** What footprints start. An editor that has a file of the folder open is nobody's component. */
const PROGRAMS = /^(node(js)?(-\S*)?|bwrap|qemu-system-\S+|swtpm)$/;

/** Whether a path or word names this folder; tc-1 is not tc-10, unless `folder` is only the beginning of a name. */
function names(word: string, folder: string): boolean {
  const at = word.indexOf(folder);
  if (at < 0) return false;
  return folder.endsWith('-') || !/[\w.-]/.test(word[at + folder.length] ?? '');
}

function belongsTo(pid: number, folder: string): boolean {
  const words = commandLine(pid) ?? [];
  if (pid === process.pid || !PROGRAMS.test(basename(words[0] ?? ''))) return false;
  return [...words, workingFolder(pid) ?? ''].some((word) => names(word, folder));
}

/** Numbers of the processes of the component in this folder; see `killComponents`. */
export function componentProcesses(folder: string): readonly number[] {
  return processIds().filter((pid) => belongsTo(pid, folder));
}

/**
 * Kills (SIGKILL) the processes of the component in this folder, an absolute path; a path that ends with a hyphen means
 * all folders that begin so. Those in `spared` live on. Returns how many there were, when they are gone.
 */
export async function killComponents(folder: string, spared: readonly number[] = []): Promise<number> {
  const pids = componentProcesses(folder).filter((pid) => !spared.includes(pid));
  for (const pid of pids) signal(pid, 'SIGKILL');
  await waitUntil(() => pids.every((pid) => !isAlive(pid)), PATIENCE_MS);
  return pids.length;
}

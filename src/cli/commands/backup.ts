/**
 * `backup` and `restore`: the store of one replica, never its keys or trusted component. A restored store is older than
 * its trusted component; the triage at its start notices that and re-joins the replica (decision A3).
 */
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Option } from 'commander';
import type { Command } from 'commander';
import { DataFolder } from '../data-folder.ts';
import { CommandFailure, usageFailure } from '../failure.ts';
import { readJsonFile } from '../member-file.ts';
import { dataOption, wholeNumber, withJson } from '../options.ts';
import { printJson, printLine } from '../output.ts';
import { callControl, liveRun } from '../supervisor/control.ts';

const BACKUP_FORMAT = 'moiety-backup/1';
const DESCRIPTION = 'backup.json';

interface BackupFile {
  readonly format: string;
  readonly clusterId: string;
  readonly replica: number;
  readonly madeAt: string;
}

interface Options {
  readonly data: string;
  readonly replica: number;
  readonly json?: boolean;
}

/** Does something with the store of a replica while nothing writes to it; the others go on meanwhile. */
async function whileHeld(folder: DataFolder, replica: number, work: () => void): Promise<void> {
  const run = liveRun(folder);
  if (run === undefined) return work();
  const { wasUp } = await callControl<{ wasUp: boolean }>(run, 'POST', '/hold', { replica });
  try {
    work();
  } finally {
    if (wasUp) await callControl(run, 'POST', '/release', { replica });
  }
}

function checkReplica(folder: DataFolder, replica: number): string {
  const { replicas, clusterId } = folder.requireMarker();
  if (replica < replicas) return clusterId;
  throw usageFailure(`There is no replica ${replica}; this cluster has replicas 0 to ${replicas - 1}.`);
}

async function backup(options: Options & { out: string }): Promise<void> {
  const folder = new DataFolder(options.data);
  const clusterId = checkReplica(folder, options.replica);
  const out = resolve(options.out);
  if (existsSync(out) && readdirSync(out).length > 0)
    throw new CommandFailure(`${out} is not empty: nothing is overwritten.`);
  const { store } = folder.replica(options.replica);
  if (!existsSync(store)) throw new CommandFailure(`Replica ${options.replica} has no store yet.`);
  mkdirSync(out, { recursive: true, mode: 0o700 });
  await whileHeld(folder, options.replica, () => cpSync(store, join(out, 'store'), { recursive: true }));
  const madeAt = new Date().toISOString();
  const description: BackupFile = { format: BACKUP_FORMAT, clusterId, replica: options.replica, madeAt };
  // Written last: a backup without it was interrupted.
  writeFileSync(join(out, DESCRIPTION), `${JSON.stringify(description, undefined, 2)}\n`, { mode: 0o600 });
  if (options.json === true) printJson({ ...description, folder: out });
  else
    printLine(
      `The store of replica ${options.replica} is in ${out}; check it with "moiety audit ${out} --trust ${folder.trust}". Keys and trusted component are not in it.`,
    );
}

async function restore(options: Options & { from: string }): Promise<void> {
  const folder = new DataFolder(options.data);
  const clusterId = checkReplica(folder, options.replica);
  const from = resolve(options.from);
  if (!existsSync(join(from, DESCRIPTION)))
    throw new CommandFailure(
      `${from} holds no whole backup: ${DESCRIPTION}, which is written last, is not there.`,
    );
  const description = readJsonFile(join(from, DESCRIPTION)) as Partial<BackupFile>;
  if (description.format !== BACKUP_FORMAT || !existsSync(join(from, 'store')))
    throw new CommandFailure(`${from} is not a whole backup (${BACKUP_FORMAT}).`);
  if (description.clusterId !== clusterId)
    throw new CommandFailure(
      `${from} is a backup of another cluster (${description.clusterId?.slice(0, 16)}).`,
    );
  if (description.replica !== options.replica)
    throw new CommandFailure(
      `${from} is the store of replica ${description.replica}: a store belongs to the keys of its replica. Wipe replica ${options.replica} instead; it fetches the state from the others.`,
    );
  const { store } = folder.replica(options.replica);
  await whileHeld(folder, options.replica, () => {
    const incoming = `${store}.incoming`;
    rmSync(incoming, { recursive: true, force: true });
    cpSync(join(from, 'store'), incoming, { recursive: true });
    rmSync(store, { recursive: true, force: true });
    renameSync(incoming, store);
  });
  const { madeAt } = description;
  if (options.json === true) printJson({ replica: options.replica, madeAt });
  else
    printLine(
      `The store of replica ${options.replica} is the one of ${madeAt}. At its start the replica finds its trusted component ahead of it, renews that and is re-admitted.`,
    );
}

function replicaOption(): Option {
  return new Option('--replica <number>', 'whose store').argParser(wholeNumber(0, 99)).makeOptionMandatory();
}

/** Adds the commands. */
export function addBackup(program: Command): void {
  withJson(program.command('backup'))
    .summary('copy the store of a replica')
    .description(
      'Copies the store of one replica of a local cluster; the replica rests while it is copied, the others go on. Keys ' +
        'and trusted component are never copied.',
    )
    .addOption(replicaOption())
    .requiredOption('--out <folder>', 'new folder for the backup')
    .addOption(dataOption())
    .addHelpText('after', '\nExample:\n  moiety backup --replica 0 --out /backup/replica-0\n')
    .action(backup);
  withJson(program.command('restore'))
    .summary('put a backup back')
    .description(
      'Replaces the store of a replica by a backup of the same replica. It re-joins by itself afterwards.',
    )
    .addOption(replicaOption())
    .requiredOption('--from <folder>', 'backup')
    .addOption(dataOption())
    .addHelpText('after', '\nExample:\n  moiety restore --replica 0 --from /backup/replica-0\n')
    .action(restore);
}

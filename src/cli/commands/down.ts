/** `moiety down`: ends a local cluster, also one whose supervisor was killed. */
import type { Command } from 'commander';
import { DataFolder } from '../data-folder.ts';
import { CommandFailure, usageFailure } from '../failure.ts';
import { dataOption, portOption, withJson } from '../options.ts';
import { printJson, printLine } from '../output.ts';
import { liveRun, stopSupervisor } from '../supervisor/control.ts';
import { endOrphans, leftOnPurpose, stopComponents } from '../supervisor/orphans.ts';
import { removeRunFile } from '../supervisor/run-file.ts';

interface Options {
  readonly data: string;
  readonly port?: number;
  readonly wipe?: boolean;
  readonly json?: boolean;
}

async function down(options: Options): Promise<void> {
  const folder = new DataFolder(options.data);
  const { replicas } = folder.requireMarker();
  const run = liveRun(folder);
  if (options.port !== undefined && run !== undefined && options.port !== run.port)
    throw usageFailure(
      `The cluster in ${folder.path} has its gateway on port ${run.port}, not ${options.port}.`,
    );
  const wasRunning = await stopSupervisor(folder);
  const orphans = await endOrphans(folder, replicas);
  const problems = await stopComponents(folder, replicas, options.wipe === true);
  removeRunFile(folder);
  if (problems.length > 0) throw new CommandFailure(problems.join('\n'));
  if (options.wipe === true) folder.removeCluster();
  const words = wasRunning || orphans > 0 ? 'The cluster was stopped.' : 'The cluster was not running.';
  if (options.json === true)
    printJson({ wasRunning: wasRunning || orphans > 0, wiped: options.wipe === true });
  else if (options.wipe === true) printLine(`${words} Its data and keys were deleted.`);
  else {
    const left = await leftOnPurpose(folder, replicas);
    printLine(left === undefined ? words : `${words}\n${left}`);
  }
}

/** Adds the command. */
export function addDown(program: Command): void {
  withJson(
    program
      .command('down')
      .summary('stop a local cluster')
      .description(
        'Stops every process of a local cluster, trusted components included. Guards (usig@rote) live on, as they ' +
          'remember in memory alone; --wipe ends them too.',
      )
      .addOption(dataOption())
      .addOption(portOption())
      .option('--wipe', 'also delete its data, with all keys: the cluster is gone for ever'),
  )
    .addHelpText('after', '\nExamples:\n  moiety down\n  moiety down --wipe --data /tmp/five\n')
    .action(down);
}

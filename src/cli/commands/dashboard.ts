/** `moiety dashboard`: the address of the dashboard of a local cluster, or the page itself in a browser. */
import type { Command } from 'commander';
import { dashboardUrl, writeOpener } from '../dashboard-address.ts';
import { DataFolder } from '../data-folder.ts';
import { CommandFailure, EXIT, messageOf, usageFailure } from '../failure.ts';
import { dataOption, portOption, withJson } from '../options.ts';
import { openInBrowser } from '../open-browser.ts';
import { printJson, printLine } from '../output.ts';
import { liveRun } from '../supervisor/control.ts';

interface Options {
  readonly data: string;
  readonly port?: number;
  readonly open?: boolean;
  readonly json?: boolean;
}

async function dashboard(options: Options): Promise<void> {
  const folder = new DataFolder(options.data);
  folder.requireMarker();
  const run = liveRun(folder);
  if (run === undefined)
    throw new CommandFailure(
      `The cluster in ${folder.path} is not running: start it with "moiety up".`,
      EXIT.unreachable,
    );
  if (options.port !== undefined && options.port !== run.port)
    throw usageFailure(
      `The cluster in ${folder.path} has its gateway on port ${run.port}, not ${options.port}.`,
    );
  const url = dashboardUrl(run.port, run.token);
  if (options.json === true) printJson({ url });
  else printLine(url);
  if (options.open !== true) return;
  try {
    await openInBrowser(writeOpener(folder, url));
  } catch (error) {
    throw new CommandFailure(`No browser was opened (${messageOf(error)}): open the address yourself.`);
  }
}

/** Adds the command. */
export function addDashboard(program: Command): void {
  withJson(
    program
      .command('dashboard')
      .summary('print the address of the dashboard')
      .description(
        'Prints the address of the dashboard of a local cluster. What follows # allows faults: it is for the owner of ' +
          'the data folder, changes with each start, and the page takes it out of the address.',
      )
      .addOption(dataOption())
      .addOption(portOption())
      .option('--open', 'also open it in the browser'),
  )
    .addHelpText('after', '\nExamples:\n  moiety dashboard\n  moiety dashboard --open --data /tmp/five\n')
    .action(dashboard);
}

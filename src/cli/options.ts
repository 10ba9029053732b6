/** Options that many commands share, and how the gateway of a cluster is found. */
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { DataFolder, DEFAULT_DATA, DEFAULT_PORT } from './data-folder.ts';
import { liveRun } from './supervisor/control.ts';

/** Options that say which cluster is meant. */
export interface ClusterOptions {
  readonly data: string;
  readonly port?: number;
  readonly url?: string;
  readonly token?: string;
}

/** Reads a whole number within bounds; commander turns the error into a usage message. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}

/** `--data`. */
export function dataOption(): Option {
  return new Option('--data <folder>', 'data folder of the local cluster').default(DEFAULT_DATA);
}

/** `--port`. */
export function portOption(): Option {
  return new Option(
    '--port <number>',
    `port of the gateway (default: that of the data folder, or ${DEFAULT_PORT})`,
  ).argParser(wholeNumber(1, 65_535));
}

/** Adds the options of a command that talks to the gateway. */
export function withGateway(command: Command): Command {
  return command
    .addOption(dataOption())
    .addOption(portOption())
    .option('--url <url>', 'gateway of a cluster elsewhere, for example http://10.0.0.7:4600')
    .addOption(new Option('--token <token>', 'bearer token of that gateway').env('MOIETY_TOKEN'));
}

/** Adds `--json`. */
export function withJson(command: Command): Command {
  return command.option('--json', 'print JSON');
}

/** Address of the gateway that the options mean, without a slash at the end. */
export function gatewayUrl(options: ClusterOptions): string {
  if (options.url !== undefined) return options.url.replace(/\/+$/, '');
  if (options.port !== undefined) return `http://127.0.0.1:${options.port}`;
  const folder = new DataFolder(options.data);
  // Who names a folder means its cluster, and no other that happens to answer at the usual port.
  if (options.data !== DEFAULT_DATA) folder.requireMarker();
  const port = liveRun(folder)?.port ?? folder.marker()?.port ?? DEFAULT_PORT;
  return `http://127.0.0.1:${port}`;
}

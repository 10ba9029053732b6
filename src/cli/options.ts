/** Options that many commands share, and how the gateway of a cluster is found. */
import { Help, InvalidArgumentError, Option } from 'commander';
import type { Command, HelpConfiguration } from 'commander';
import { DataFolder, DEFAULT_DATA, DEFAULT_PORT } from './data-folder.ts';
import { liveRun } from './supervisor/control.ts';

/** Options that say which cluster is meant. */
export interface ClusterOptions {
  readonly data: string;
  readonly port?: number;
  readonly url?: string;
  readonly token?: string;
}

/** What each reader made by `wholeNumber` accepts, in words. */
const RANGES = new WeakMap<object, string>();
/** A bound from here on is none that anybody meets. */
const UNBOUNDED = 2 ** 48;

/** Reads a whole number within bounds; commander turns the error into a usage message. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  const read = (text: string): number => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
  RANGES.set(read, most >= UNBOUNDED ? `${least} or more` : `${least} to ${most}`);
  return read;
}

/** `1 to 64`: what an option or argument accepts that is read by `wholeNumber`; undefined for any other. */
export function rangeOf(read: unknown): string | undefined {
  return typeof read === 'function' ? RANGES.get(read) : undefined;
}

/** A description with the range behind its own words, unless they tell it. */
function withRange(text: string, description: string, read: unknown): string {
  const range = rangeOf(read);
  if (range === undefined || description.includes(range)) return text;
  return description === ''
    ? `${range} ${text}`.trimEnd()
    : text.replace(description, () => `${description}, ${range}`);
}

/** How help is written: as commander does, with the ranges of numbers, and with what cannot be left out. */
export const HELP: HelpConfiguration = {
  optionDescription(option) {
    const text = Help.prototype.optionDescription.call(this, option);
    const ranged = withRange(text, option.description, option.parseArg);
    return option.mandatory ? `${ranged} (required)` : ranged;
  },
  argumentDescription(argument) {
    return withRange(
      Help.prototype.argumentDescription.call(this, argument),
      argument.description,
      argument.parseArg,
    );
  },
};

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

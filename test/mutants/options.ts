/** The command line of `npm run mutants`. */
import { parseArgs } from 'node:util';
import { MUTANTS } from './mutants.ts';

/** What `--help` says. */
export const HELP = `npm run mutants -- [options]

Takes one rule after the other out of the product, in memory, and asks whether a judge of the simulator objects: in drawn
schedules, plain ones and those of a theme, and in a constructed history. After that the original goes through the same seeds and histories and must be
clean. Without --only the result is written to mutation-report.json.

  --only M07,S02   just these mutants, with their parts (M07/alone); the report stays as it is
  --write          with --only: renews the entries of these mutants in the report
  --drawn N        drawn schedules of the bare protocol for each mutant (default 2000; 0: none, the report keeps
                   what it has)
  --whole N        drawn schedules of whole replicas, for what the bare protocol leaves out (default 100; 0: none)
  --themed N       drawn schedules of the theme of a mutant (default 2000; 0: none)
  --jobs J         processes at once (default 2)
  --list           prints the catalogue
  --help           this text

Exit code 1: the original was not clean, or a mutant that must be noticed was not, or a masked one was; 2: wrong options.
`;

/** Options of a run. */
export interface RunOptions {
  readonly only: ReadonlySet<string> | undefined;
  readonly drawn: number;
  readonly whole: number;
  readonly themed: number;
  readonly jobs: number;
  readonly write: boolean;
  readonly list: boolean;
  readonly help: boolean;
}

/** Something on the command line cannot be; the message says what and what can. */
export class OptionError extends Error {}

function whole(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(value) || value < least)
    throw new OptionError(`--${name} takes a whole number from ${least} on, not "${text}"`);
  return value;
}

function chosen(text: string): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const id of text.split(',').map((one) => one.trim())) {
    const found = MUTANTS.filter((mutant) => mutant.id === id || mutant.id.startsWith(`${id}/`));
    if (found.length === 0) throw new OptionError(`no mutant is called "${id}"; --list shows them all`);
    for (const mutant of found) ids.add(mutant.id);
  }
  return ids;
}

/** Reads the command line; throws `OptionError`. */
export function readOptions(given: readonly string[]): RunOptions {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...given],
      options: {
        only: { type: 'string' },
        drawn: { type: 'string', default: '2000' },
        whole: { type: 'string', default: '100' },
        themed: { type: 'string', default: '2000' },
        jobs: { type: 'string', default: '2' },
        write: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }));
  } catch (error) {
    throw new OptionError((error as Error).message);
  }
  return {
    only: values.only === undefined ? undefined : chosen(values.only),
    drawn: whole('drawn', values.drawn, 0),
    whole: whole('whole', values.whole, 0),
    themed: whole('themed', values.themed, 0),
    jobs: whole('jobs', values.jobs, 1),
    write: values.write,
    list: values.list,
    help: values.help,
  };
}

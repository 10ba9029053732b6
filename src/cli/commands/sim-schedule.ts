/** Options that say which schedules are drawn; `moiety sim` and `moiety sim shrink` share them. */
import { Option } from 'commander';
import type { Command } from 'commander';
import type { Fidelity } from '../../sim/run-schedule.ts';
import type { FaultKind, ScenarioOverrides } from '../../sim/scenario.ts';
import type { Script } from '../../sim/script/script.ts';
import { usageFailure } from '../failure.ts';
import { wholeNumber } from '../options.ts';

/** See the top of this file. */
export interface DrawOptions {
  readonly seed: number;
  readonly replicas?: string;
  readonly faults?: string;
  readonly byzantine?: readonly string[];
  readonly liarClient?: string;
  readonly fork?: string;
  /** False with `--no-fence`. */
  readonly fence: boolean;
  readonly duration?: number;
  readonly short?: boolean;
  readonly fidelity: Fidelity;
}

/** What is fixed from outside; names are judged against the simulator's own tables. */
export async function overridesOf(options: DrawOptions): Promise<ScenarioOverrides> {
  const { FAULT_KINDS } = await import('../../sim/scenario.ts');
  const { behaviourOf } = await import('../../adversary/behaviours.ts');
  const { CLIENT_LIES, clientLieOf } = await import('../../sim/client-lies.ts');
  const { FORK_WAYS } = await import('../../sim/trusted-faults.ts');
  const faults = options.faults === 'none' ? [] : options.faults?.split(',');
  const stranger = faults?.find((name) => !(FAULT_KINDS as readonly string[]).includes(name));
  if (stranger !== undefined)
    throw usageFailure(
      `"${stranger}" is not a family of faults; there are ${FAULT_KINDS.join(', ')}, or none.`,
    );
  const byzantine = options.byzantine?.map((text) => {
    const match = /^(\d)=([a-z+-]+)$/.exec(text);
    const behaviour = behaviourOf(match?.[2] ?? '');
    if (match === null || behaviour === undefined)
      throw usageFailure('--byzantine takes REPLICA=BEHAVIOUR, for example 0=equivocate.');
    return { replica: Number(match[1]), behaviour };
  });
  const liarClient = clientLieOf(options.liarClient ?? '');
  if (options.liarClient !== undefined && liarClient === undefined)
    throw usageFailure(
      `"${options.liarClient}" is no lie of a client; there are ${CLIENT_LIES.map(({ name }) => name).join(', ')}.`,
    );
  const fork = FORK_WAYS.find((way) => way === options.fork);
  if (options.fork !== undefined && fork === undefined)
    throw usageFailure(`"${options.fork}" is no way to fork; there are ${FORK_WAYS.join(', ')}.`);
  return {
    ...(options.replicas === undefined ? {} : { replicas: Number(options.replicas) }),
    ...(faults === undefined ? {} : { faults: faults as FaultKind[] }),
    ...(byzantine === undefined ? {} : { byzantine }),
    ...(liarClient === undefined ? {} : { liarClient }),
    ...(fork === undefined ? {} : { fork }),
    ...(options.fence ? {} : { fence: false }),
    ...(options.duration === undefined ? {} : { durationMs: options.duration }),
    ...(options.short === true ? { short: true } : {}),
  };
}

/** What `moiety sim` judges: in the core fidelity only outcomes, unless it is told otherwise. */
export function judgesOf(fidelity: Fidelity): Script['judges'] {
  return fidelity === 'core' ? 'outcomes' : 'everything';
}

/** Adds them. */
export function withDraw(command: Command): Command {
  return command
    .addOption(
      new Option('--seed <number>', 'seed (the first one)').default(1).argParser(wholeNumber(0, 2 ** 48)),
    )
    .addOption(new Option('--replicas <count>', 'fixed number of replicas').choices(['3', '5', '7']))
    .option('--faults <list>', 'only these families of faults, with commas between them; or none')
    .addOption(
      new Option('--byzantine <replica=behaviour>', 'exactly these lies; may be repeated').argParser(
        (text: string, before: readonly string[] | undefined) => [...(before ?? []), text],
      ),
    )
    .option('--liar-client <lie>', 'beside the correct clients one that lies like this')
    .option('--fork <way>', 'a replica speaks with two voices: snapshot, restart, rollback or leak')
    .option('--no-fence', 'with --fork: trusted components do not notice old and copied folders')
    .addOption(
      new Option('--duration <ms>', 'length of the phase with faults').argParser(wholeNumber(1, 3_600_000)),
    )
    .option('--short', 'short schedules: few requests, little virtual time')
    .addOption(
      new Option(
        '--fidelity <name>',
        'the whole host on bytes, or the bare protocol core, many times as fast',
      )
        .choices(['whole', 'core'])
        .default('whole'),
    );
}

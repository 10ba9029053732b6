/** `moiety sim campaign` and `moiety sim merge`: very many schedules on all cores, and their reports. */
import { availableParallelism } from 'node:os';
import { Option } from 'commander';
import type { Command } from 'commander';
import type { ScenarioOverrides } from '../../sim/scenario.ts';
import { joinTallies } from '../../sim/campaign/tally.ts';
import type { Fidelity } from '../../sim/run-schedule.ts';
import {
  campaignPath,
  holdsCampaign,
  lockFolder,
  readCampaign,
  saveCampaign,
  writeWhole,
} from '../campaign/campaign-file.ts';
import type { CampaignPlan, CampaignState } from '../campaign/campaign-file.ts';
import { reportLines, reportOf, reportPage } from '../campaign/report.ts';
import { CampaignRunner } from '../campaign/runner.ts';
import { EXIT, usageFailure } from '../failure.ts';
import { wholeNumber, withJson } from '../options.ts';
import { printJson, printLine, printNote } from '../output.ts';

interface Options {
  readonly minutes?: number;
  readonly schedules?: number;
  readonly jobs: number;
  readonly seed?: number;
  readonly fidelity?: Fidelity | 'both';
  readonly wholeShare?: number;
  readonly index?: number;
  readonly of?: number;
  readonly replicas?: string;
  readonly faults?: string;
  readonly out: string;
  readonly resume?: boolean;
  readonly keepGoing: boolean;
  readonly json?: boolean;
}

const DEFAULT_FOLDER = 'moiety-campaign';
const DEFAULT_MINUTES = 1;
/** Share of CPU time for the whole fidelity in a campaign of both. */
const WHOLE_SHARE = 30;

async function planOf(options: Options): Promise<CampaignPlan> {
  const { FAULT_KINDS } = await import('../../sim/scenario.ts');
  const faults = options.faults === 'none' ? [] : options.faults?.split(',');
  const stranger = faults?.find((name) => !(FAULT_KINDS as readonly string[]).includes(name));
  if (stranger !== undefined)
    throw usageFailure(
      `"${stranger}" is not a family of faults; there are ${FAULT_KINDS.join(', ')}, or none.`,
    );
  const index = options.index ?? 0;
  const of = options.of ?? 1;
  if (index >= of)
    throw usageFailure(
      `--index ${index} is not a part of --of ${of}: the parts are 0 to ${of - 1}. Give both.`,
    );
  const fidelity = options.fidelity ?? 'both';
  const overrides: ScenarioOverrides = {
    ...(options.replicas === undefined ? {} : { replicas: Number(options.replicas) }),
    ...(faults === undefined ? {} : { faults: faults as NonNullable<ScenarioOverrides['faults']> }),
  };
  return {
    seed: options.seed ?? 1,
    index,
    of,
    fidelities: fidelity === 'both' ? ['core', 'whole'] : [fidelity],
    wholeShare: (options.wholeShare ?? WHOLE_SHARE) / 100,
    overrides,
  };
}

/** The campaign to go on with; undefined for a new one. */
function earlier(options: Options): CampaignState | undefined {
  if (options.resume !== true) {
    if (holdsCampaign(options.out))
      throw usageFailure(
        `${campaignPath(options.out)} holds a campaign already: go on with it by --resume, or give another folder with --out.`,
      );
    return undefined;
  }
  if (!holdsCampaign(options.out))
    throw usageFailure(
      `There is no campaign in ${options.out} to go on with; leave --resume out to begin one.`,
    );
  const fixed = ['seed', 'fidelity', 'wholeShare', 'index', 'of', 'replicas', 'faults'] as const;
  const { plan } = readCampaign(campaignPath(options.out));
  // An indexed job has its index in the environment each time.
  const same = (name: string): boolean => name === 'index' && options.index === plan.index;
  const given = fixed.filter((name) => options[name] !== undefined && !same(name));
  if (given.length > 0)
    throw usageFailure(
      `A campaign goes on with the plan that it began with: leave out ${given.map(optionName).join(', ')}.`,
    );
  return readCampaign(campaignPath(options.out));
}

const optionName = (name: string): string => `--${name.replace('wholeShare', 'whole-share')}`;

/** A line that shows where it stands: redrawn on a terminal, else written every ten seconds. */
function showProgress(runner: CampaignRunner, totalMs: number): () => void {
  const isTerminal = process.stderr.isTTY;
  const show = (): void => {
    const report = reportOf(runner.tally, runner.sessionMs);
    const done = Number.isFinite(totalMs) ? Math.min(1, runner.sessionMs / totalMs) : 0;
    const bar = `${'█'.repeat(Math.round(done * 20))}${'░'.repeat(20 - Math.round(done * 20))}`;
    const { coverage } = report;
    const text =
      `${bar} ${report.schedules} schedules, ${report.perCpuSecond}/CPU-s, ` +
      `${coverage.bothWays}/${coverage.guards} guards both ways, ${coverage.cells} cells, violations: ${report.violations}`;
    if (isTerminal) process.stderr.write(`\r${text.slice(0, (process.stderr.columns ?? 120) - 1)}\x1b[K`);
    else printNote(text);
  };
  const timer = setInterval(show, isTerminal ? 500 : 10_000);
  return () => {
    clearInterval(timer);
    if (isTerminal) process.stderr.write('\r\x1b[K');
  };
}

function publish(folder: string, state: CampaignState, json: boolean): void {
  const report = reportOf(state.tally, state.elapsedMs);
  writeWhole(folder, 'report.json', `${JSON.stringify(report, undefined, 1)}\n`);
  writeWhole(folder, 'report.html', reportPage(report));
  if (json) printJson(report);
  else {
    for (const line of reportLines(report)) printLine(line);
    printLine(`report: ${folder}/report.html, ${folder}/report.json`);
  }
  if (report.violations > 0) process.exitCode = EXIT.failed;
}

async function campaign(options: Options): Promise<void> {
  const before = earlier(options);
  const plan = before?.plan ?? (await planOf(options));
  const minutes = options.minutes ?? (options.schedules === undefined ? DEFAULT_MINUTES : Infinity);
  const forMs = Math.min(minutes * 60_000, 2 ** 31 - 1);
  // Before anything runs: a folder that cannot be written would lose all of it.
  const release = lockFolder(options.out);
  const runner = new CampaignRunner(
    plan,
    {
      forMs,
      schedules: options.schedules ?? Infinity,
      jobs: options.jobs,
      stopAtFirst: !options.keepGoing,
    },
    before,
    (state) => saveCampaign(options.out, state),
  );
  process.once('SIGINT', () => {
    printNote('\nfinishing what was begun; again to end at once');
    runner.stop();
    process.once('SIGINT', () => process.exit(130));
  });
  process.once('SIGTERM', () => runner.stop());
  const hide = showProgress(runner, Number.isFinite(minutes) ? forMs : Infinity);
  try {
    await runner.run();
  } finally {
    hide();
    release();
  }
  publish(options.out, runner.state, options.json === true);
}

interface MergeOptions {
  readonly out: string;
  readonly json?: boolean;
}

/** Whether two plans may have run the same schedule. */
function mayOverlap(a: CampaignPlan, b: CampaignPlan): boolean {
  const sameDraw = JSON.stringify(a.overrides) === JSON.stringify(b.overrides);
  const sameWorld = a.fidelities.some((fidelity) => b.fidelities.includes(fidelity));
  const apart = a.seed === b.seed && a.of === b.of && a.index !== b.index;
  return sameDraw && sameWorld && !apart;
}

function merge(folders: readonly string[], options: MergeOptions): void {
  const parts = folders.map((folder) =>
    readCampaign(folder.endsWith('.json') ? folder : campaignPath(folder)),
  );
  const [first, ...others] = parts;
  if (first === undefined) throw usageFailure('Name the folders of the campaigns to merge.');
  for (const [place, { plan }] of parts.entries()) {
    const twin = parts.slice(0, place).findIndex((other) => mayOverlap(other.plan, plan));
    if (twin >= 0)
      throw usageFailure(
        `${folders[place]} (seed ${plan.seed}, part ${plan.index} of ${plan.of}) may hold schedules that ${folders[twin]} holds too, ` +
          'which would count twice: parts to merge have one --seed, one --of, and an --index each.',
      );
  }
  const merged = others.reduce<CampaignState>(
    (sum, part) => ({
      ...sum,
      handedOut: {
        core: sum.handedOut.core + part.handedOut.core,
        whole: sum.handedOut.whole + part.handedOut.whole,
      },
      unfinished: [...sum.unfinished, ...part.unfinished],
      // They ran side by side.
      elapsedMs: Math.max(sum.elapsedMs, part.elapsedMs),
      tally: joinTallies(sum.tally, part.tally),
    }),
    first,
  );
  publish(options.out, merged, options.json === true);
}

/** Adds both commands below `sim`. */
export function addSimCampaign(sim: Command): void {
  withJson(
    sim
      .command('campaign')
      .summary('run schedules on all cores for a time, with a report')
      .description(
        'Runs drawn schedules in worker processes, in the core fidelity (bare protocol cores, very fast) and in the whole one ' +
          '(hosts, disks and bytes), and reports schedules per CPU-second, coverage of the numbered rules, violations and the ' +
          'slowest recovery. Exit code 1 if a judge found a violation.',
      )
      .addOption(
        new Option(
          '--minutes <number>',
          `how long (default: ${DEFAULT_MINUTES}, or until --schedules)`,
        ).argParser(wholeNumber(1, 20_000)),
      )
      .addOption(
        new Option('--schedules <count>', 'how many schedules at most').argParser(
          wholeNumber(1, 1_000_000_000),
        ),
      )
      .addOption(
        new Option('--jobs <count>', 'worker processes')
          .default(availableParallelism(), 'one for each core')
          .argParser(wholeNumber(1, 512)),
      )
      .addOption(new Option('--seed <number>', 'first seed (default: 1)').argParser(wholeNumber(0, 2 ** 48)))
      .addOption(
        new Option('--fidelity <kind>', 'which world (default: both)').choices(['core', 'whole', 'both']),
      )
      .addOption(
        new Option(
          '--whole-share <percent>',
          `share of CPU time for the whole fidelity if both run (default: ${WHOLE_SHARE})`,
        ).argParser(wholeNumber(1, 99)),
      )
      .addOption(
        new Option('--index <number>', 'run only part INDEX of --of parts (an indexed job sets it)')
          .env('JOB_COMPLETION_INDEX')
          .argParser(wholeNumber(0, 1_000_000)),
      )
      .addOption(
        new Option('--of <count>', 'number of parts (default: 1)').argParser(wholeNumber(1, 1_000_000)),
      )
      .addOption(new Option('--replicas <count>', 'fixed number of replicas').choices(['3', '5', '7']))
      .option('--faults <list>', 'only these families of faults, with commas between them; or none')
      .addOption(new Option('--out <folder>', 'folder of the campaign').default(DEFAULT_FOLDER))
      .option('--resume', 'go on with the campaign of that folder')
      .option('--no-keep-going', 'end at the first violation'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  moiety sim campaign --minutes 10\n  moiety sim campaign --resume --minutes 60\n' +
        '  moiety sim campaign --index 3 --of 16 --out part-3 && moiety sim merge part-* --out all\n',
    )
    .action(campaign);
  withJson(
    sim
      .command('merge')
      .summary('merge the campaigns of several machines into one report')
      .argument('<folders...>', 'folders (or campaign.json files) of the parts')
      .addOption(
        new Option('--out <folder>', 'folder of the merged report').default('moiety-campaign-merged'),
      ),
  ).action(merge);
}

/** `moiety sim explore`: searches that go through small scopes in an order of their own, beside the random swarm. */
import { setImmediate as breath } from 'node:timers/promises';
import { Option } from 'commander';
import type { Command } from 'commander';
import type { Search, SearchFinding } from '../../sim/explore/search.ts';
import { EXIT, usageFailure } from '../failure.ts';
import { wholeNumber, withJson } from '../options.ts';
import { plural, printJson, printLine, printNote } from '../output.ts';

const STRATEGIES = ['rounds', 'twins', 'guided', 'exhaustive'] as const;
type Strategy = (typeof STRATEGIES)[number];

interface Options {
  readonly strategy: Strategy;
  readonly budget?: number;
  readonly minutes?: number;
  readonly from?: number;
  readonly replicas?: string;
  readonly rounds?: number;
  readonly share?: number;
  readonly lineage?: string;
  readonly requests?: number;
  readonly timeouts?: number;
  readonly order?: 'any' | 'link';
  readonly depth?: number;
  readonly equivocate?: boolean;
  readonly hints?: boolean;
  readonly sleepSets?: boolean;
  readonly exact?: boolean;
  readonly keepGoing: boolean;
  readonly json?: boolean;
}

const DEFAULT_MINUTES = 1;
const DEFAULT_ROUNDS = 3;
const DEFAULT_SHARE = 30;
const DEFAULT_DEPTH = 80;
/** Global states of an exhaustive search are kept in memory. */
const STATES_MAX = 15_000_000;
/** Milliseconds between two breaths, in which signals are heard and progress is shown. */
const BREATH_MS = 250;
/** Progress lines where there is no terminal. */
const LINE_MS = 10_000;

/** Options that only some strategies know. */
const KNOWN_TO: Readonly<Record<string, readonly Strategy[]>> = {
  replicas: ['rounds'],
  rounds: ['twins'],
  share: ['guided'],
  lineage: ['guided'],
  from: ['rounds', 'twins', 'guided'],
  requests: ['exhaustive'],
  timeouts: ['exhaustive'],
  order: ['exhaustive'],
  depth: ['exhaustive'],
  equivocate: ['exhaustive'],
  hints: ['exhaustive'],
  sleepSets: ['exhaustive'],
  exact: ['exhaustive'],
};

function refuseStrangers(options: Options): void {
  for (const [name, strategies] of Object.entries(KNOWN_TO)) {
    if (options[name as keyof Options] === undefined || strategies.includes(options.strategy)) continue;
    throw usageFailure(
      `--${name} is for --strategy ${strategies.join(' or ')}, not for ${options.strategy}.`,
    );
  }
}

/** One schedule that was found before. */
class SingleRun implements Search {
  readonly findings: SearchFinding[] = [];
  violating = 0;
  readonly #play: () => SearchFinding | undefined;
  #isDone = false;

  constructor(play: () => SearchFinding | undefined) {
    this.#play = play;
  }

  advance(): boolean {
    if (this.#isDone) return false;
    this.#isDone = true;
    const finding = this.#play();
    if (finding === undefined) return true;
    this.violating = 1;
    this.findings.push(finding);
    return true;
  }

  figures(): Readonly<Record<string, number>> {
    return { schedules: this.#isDone ? 1 : 0 };
  }

  goOn(): undefined {
    return undefined;
  }
}

async function guidedOf(options: Options, budget: number): Promise<Search> {
  const { GuidedSearch, lineageText, parseLineage, runLineage } =
    await import('../../sim/explore/guided/guided.ts');
  const { from = 1, share = DEFAULT_SHARE } = options;
  if (options.lineage === undefined) return new GuidedSearch({ from, budget, share: share / 100 });
  const lineage = parseLineage(options.lineage);
  if (lineage === undefined)
    throw usageFailure(
      `--lineage takes numbers with points between them, as a finding names them, not "${options.lineage}".`,
    );
  const { findingOf } = await import('../../sim/explore/search.ts');
  return new SingleRun(() =>
    findingOf({ index: 0, text: `schedule ${lineageText(lineage)}`, result: runLineage(lineage) }),
  );
}

async function exhaustiveOf(options: Options, budget: number): Promise<Search> {
  const { ExhaustiveSearch } = await import('../../sim/explore/exhaustive/exhaustive.ts');
  const { requests = 1, timeouts = 1, order = 'link', depth = DEFAULT_DEPTH } = options;
  const scope = { requests, timeouts, order, depth, equivocates: options.equivocate === true };
  const walk = {
    hints: options.hints === true,
    reduce: options.sleepSets === true,
    merge: options.exact !== true,
  };
  return new ExhaustiveSearch({ ...scope, ...walk }, Math.min(budget, STATES_MAX));
}

async function searchOf(options: Options, budget: number): Promise<Search> {
  if (options.strategy === 'exhaustive') return exhaustiveOf(options, budget);
  if (options.strategy === 'guided') return guidedOf(options, budget);
  const { IndexedSearch } = await import('../../sim/explore/search.ts');
  const from = options.from ?? 0;
  if (options.strategy === 'rounds') {
    const { roundsExplorer } = await import('../../sim/explore/rounds.ts');
    const replicas = options.replicas === undefined ? {} : { replicas: Number(options.replicas) };
    const fixed = options.replicas === undefined ? '' : `--replicas ${options.replicas} `;
    return new IndexedSearch(roundsExplorer(replicas), from, budget, fixed);
  }
  const { twinsExplorer, twinsSize } = await import('../../sim/explore/twins.ts');
  const rounds = options.rounds ?? DEFAULT_ROUNDS;
  const size = twinsSize(rounds);
  if (from >= size)
    throw usageFailure(
      `With ${plural(rounds, 'round')} there are ${size} schedules, 0 to ${size - 1}: --from ${from} is none of them.`,
    );
  return new IndexedSearch(twinsExplorer({ rounds }), from, budget, `--rounds ${rounds} `);
}

/** Words of the figures, in their order. */
function figureText(figures: Readonly<Record<string, number>>): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)} ${value}`)
    .join(', ');
}

function show(search: Search, strategy: Strategy, isTerminal: boolean): void {
  const text = `${strategy}: ${figureText(search.figures())}, violations: ${search.violating}`;
  if (isTerminal) process.stderr.write(`\r${text.slice(0, (process.stderr.columns ?? 120) - 1)}\x1b[K`);
  else printNote(text);
}

/** Drives a search until it ends, time is up, somebody stops it or, if so wished, something is found. */
async function drive(search: Search, options: Options, forMs: number): Promise<number> {
  const isTerminal = process.stderr.isTTY;
  let isStopped = false;
  const stop = (): void => {
    isStopped = true;
    process.once('SIGINT', () => process.exit(130));
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  const start = performance.now();
  let rested = start;
  let shown = start;
  while (search.advance()) {
    if (search.violating > 0 && !options.keepGoing) break;
    const now = performance.now();
    if (now - start >= forMs) break;
    if (now - rested < BREATH_MS) continue;
    rested = now;
    if (isTerminal || now - shown >= LINE_MS) {
      shown = now;
      show(search, options.strategy, isTerminal);
    }
    await breath();
    if (isStopped) break;
  }
  if (isTerminal) process.stderr.write('\r\x1b[K');
  process.removeListener('SIGINT', stop);
  process.removeListener('SIGTERM', stop);
  return performance.now() - start;
}

async function explore(options: Options): Promise<void> {
  refuseStrangers(options);
  const { strategy } = options;
  const budget = options.budget ?? Infinity;
  const minutes = options.minutes ?? (options.budget === undefined ? DEFAULT_MINUTES : Infinity);
  const search = await searchOf(options, budget);
  const before = process.cpuUsage();
  const elapsedMs = await drive(search, options, minutes * 60_000);
  const { user, system } = process.cpuUsage(before);
  const cpuSeconds = Math.round((user + system) / 1e4) / 100;
  const figures = search.figures();
  const done = figures['schedules'] ?? figures['states'] ?? 0;
  const report = {
    strategy,
    ...figures,
    violations: search.violating,
    cpuSeconds,
    perCpuSecond: Math.round(done / Math.max(0.01, cpuSeconds)),
    elapsedSeconds: Math.round(elapsedMs / 10) / 100,
    goOn: search.goOn(),
    findings: search.findings,
  };
  if (options.json === true) printJson(report);
  else printReport(report, figures);
  if (search.violating > 0) process.exitCode = EXIT.failed;
}

function printReport(
  report: Pick<Search, 'findings'> & {
    readonly strategy: Strategy;
    readonly violations: number;
    readonly cpuSeconds: number;
    readonly perCpuSecond: number;
    readonly goOn: string | undefined;
  },
  figures: Readonly<Record<string, number>>,
): void {
  const { strategy, violations, cpuSeconds, perCpuSecond, goOn, findings } = report;
  for (const { text, judge, atMs, violation, reproduce } of findings) {
    printLine(text);
    printLine(`  ${judge} at ${atMs.toFixed(1)} ms: ${violation}`);
    printLine(`  repeat it: ${reproduce}`);
  }
  printLine(`${strategy}: ${figureText(figures)}`);
  printLine(
    `${plural(violations, 'violation')}; ${cpuSeconds} CPU-s, ${perCpuSecond} ${strategy === 'exhaustive' ? 'states' : 'schedules'} per CPU-s`,
  );
  if (goOn !== undefined) printLine(`go on: moiety sim explore --strategy ${strategy} ${goOn}`);
}

/** Options of the exhaustive search alone. */
function withScope(command: Command): Command {
  return command
    .addOption(
      new Option('--requests <count>', 'exhaustive: requests (default: 1)').argParser(wholeNumber(1, 2)),
    )
    .addOption(
      new Option(
        '--timeouts <count>',
        'exhaustive: time-outs of each replica, at most (default: 1)',
      ).argParser(wholeNumber(0, 3)),
    )
    .addOption(
      new Option(
        '--order <kind>',
        'exhaustive: messages arrive in any order, or as each link sent them (default: link)',
      ).choices(['link', 'any']),
    )
    .addOption(
      new Option(
        '--depth <events>',
        `exhaustive: events of a path, at most (default: ${DEFAULT_DEPTH})`,
      ).argParser(wholeNumber(1, 1_000)),
    )
    .option('--equivocate', 'exhaustive: the first primary seals two proposals for one sequence number')
    .option('--hints', 'exhaustive: STATUS and questions arrive too, instead of being lost')
    .option('--sleep-sets', 'exhaustive: leave out orders that commute')
    .option('--exact', 'exhaustive: tell states apart by the whole order of events of each replica');
}

/** Adds the command below `sim`. */
export function addSimExplore(sim: Command): void {
  withJson(
    withScope(
      sim
        .command('explore')
        .summary('search small scopes in order, beside the random swarm')
        .description(
          'Goes through schedules of a small scope. rounds: one or two faults of a Byzantine replica and of the network, each ' +
            'in one phase of one view, drawn by index. twins: every partition of every round with a replica that runs twice ' +
            'under one identity and one trusted component. guided: drawn schedules, and children of those that got to something new. exhaustive: every order of messages and time-outs of three replicas ' +
            'with one or two requests. Exit code 1 if a judge found a violation.',
        )
        .addOption(new Option('--strategy <name>', 'how to search').choices(STRATEGIES).makeOptionMandatory())
        .addOption(
          new Option(
            '--minutes <number>',
            `how long at most (default: ${DEFAULT_MINUTES}, or until --budget)`,
          ).argParser(wholeNumber(1, 20_000)),
        )
        .addOption(
          new Option('--budget <count>', 'how many schedules (exhaustive: states) at most').argParser(
            wholeNumber(1, 1_000_000_000),
          ),
        )
        .addOption(
          new Option('--from <index>', 'first index (default: 0); guided: first seed (default: 1)').argParser(
            wholeNumber(0, 2 ** 48),
          ),
        )
        .addOption(new Option('--replicas <count>', 'rounds: fixed number of replicas').choices(['3', '5']))
        .addOption(
          new Option(
            '--rounds <count>',
            `twins: rounds with a partition each (default: ${DEFAULT_ROUNDS})`,
          ).argParser(wholeNumber(1, 5)),
        )
        .addOption(
          new Option(
            '--share <percent>',
            `guided: schedules that are children of earlier ones (default: ${DEFAULT_SHARE}; 0: plain random)`,
          ).argParser(wholeNumber(0, 95)),
        )
        .option('--lineage <numbers>', 'guided: only the schedule with this lineage, as a finding names it')
        .option('--no-keep-going', 'end at the first violation'),
    ),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  moiety sim explore --strategy rounds --minutes 5\n  moiety sim explore --strategy twins --rounds 2 --json\n' +
        '  moiety sim explore --strategy twins --rounds 4 --from 50000 --budget 50000\n' +
        '  moiety sim explore --strategy exhaustive --equivocate --order any --minutes 5\n',
    )
    .action(explore);
}

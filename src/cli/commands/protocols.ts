/** `moiety protocols`: the protocols side by side, with what each costs as counted in the simulator. */
import type { Command } from 'commander';
import type { ProtocolRow } from '../../sim/family/table.ts';
import { withJson } from '../options.ts';
import { printBytes, printJson, printLine, tableLines } from '../output.ts';

interface Options {
  readonly json?: boolean;
  readonly markdown?: boolean;
}

const HEAD = [
  'protocol',
  'code',
  'N',
  'active',
  'component',
  'phases',
  'f',
  'n',
  'delays',
  'safe',
  'live',
  'messages',
  'formula',
  'TC calls',
];

const LEGEND = `
code       C classical: agree in phases, then execute and answer; S speculative: answer first, undo what turns
           out otherwise; O optimised: only some are active while nothing is wrong; A: with trusted components
N          replicas for f faulty ones; n is their number for the f of the line
active     replicas that order and execute while nothing is wrong; the others are passive: they apply changes
component  program of the trusted component that each replica has
phases     between replicas without faults
delays     of messages from a request to an answer that clients believe, without faults
safe       with up to so many faulty ones clients are never told two histories; live: it makes progress, too
messages   of one batch without faults, counted in a run; formula: what the definition says; TC calls: counted`;

function cellsOf(row: ProtocolRow, totalOf: (messages: Readonly<Record<string, number>>) => number) {
  return row.costs.map((cost, index) => [
    ...(index === 0
      ? [row.name, row.designCode, row.replicas, row.active, row.trustedComponent ?? 'none', row.phases]
      : ['', '', '', '', '', '']),
    cost.f,
    cost.n,
    cost.delays,
    cost.faultsSafe,
    cost.faultsLive,
    totalOf(cost.measured),
    totalOf(cost.formula),
    cost.trustedCallsMeasured,
  ]);
}

/** The table for people, with its legend: at most 110 columns wide. */
export function protocolLines(
  rows: readonly ProtocolRow[],
  totalOf: (messages: Readonly<Record<string, number>>) => number,
  kindsOf: (messages: Readonly<Record<string, number>>) => string,
): readonly string[] {
  const table = tableLines(
    HEAD,
    rows.flatMap((row) => cellsOf(row, totalOf)),
  );
  const details = rows.flatMap(({ name, costs, quorums }) => [
    `  ${name}`,
    `    quorums   ${quorums}`,
    `    messages  ${kindsOf(costs[0]!.measured)}`,
  ]);
  const heading = 'Quorums, and the messages of one batch in the smallest cluster:';
  return [...table, ...LEGEND.split('\n'), '', heading, ...details];
}

async function protocols(options: Options): Promise<void> {
  const { kindsOf, protocolRows, protocolsPage, totalOf } = await import('../../sim/family/table.ts');
  const rows = protocolRows();
  if (options.json === true) return printJson({ protocols: rows });
  if (options.markdown === true) return printBytes(new TextEncoder().encode(protocolsPage(rows)));
  for (const line of protocolLines(rows, totalOf, kindsOf)) printLine(line);
}

/** Adds the command. */
export function addProtocols(program: Command): void {
  withJson(program.command('protocols'))
    .summary('the protocols that this program knows')
    .description(
      'Shows the protocols side by side: replicas, quorums, phases, trusted components, how many faults each stands, and ' +
        'the messages and trusted calls of one batch, counted in a run of the simulator beside those of its formulas. ' +
        'docs/choosing.md says when to take which.',
    )
    .option('--markdown', 'print the page docs/protocols.md')
    .addHelpText('after', '\nExample:\n  moiety protocols --json\n')
    .action(protocols);
}

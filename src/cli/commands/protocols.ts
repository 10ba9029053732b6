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
  'trusted component',
  'phases',
  'delays',
  'f',
  'replicas',
  'safe',
  'live',
  'messages',
  'by formula',
  'TC calls',
];

function cellsOf(row: ProtocolRow, totalOf: (messages: Readonly<Record<string, number>>) => number) {
  return row.costs.map((cost, index) => [
    ...(index === 0
      ? [row.name, row.designCode, row.replicas, row.trustedComponent ?? 'none', row.phases, row.delays]
      : ['', '', '', '', '', '']),
    cost.f,
    cost.n,
    cost.faultsSafe,
    cost.faultsLive,
    totalOf(cost.measured),
    totalOf(cost.formula),
    cost.trustedCallsMeasured,
  ]);
}

async function protocols(options: Options): Promise<void> {
  const { kindsOf, protocolRows, protocolsPage, totalOf } = await import('../../sim/family/table.ts');
  const rows = protocolRows();
  if (options.json === true) return printJson({ protocols: rows });
  if (options.markdown === true) return printBytes(new TextEncoder().encode(protocolsPage(rows)));
  for (const line of tableLines(
    HEAD,
    rows.flatMap((row) => cellsOf(row, totalOf)),
  ))
    printLine(line);
  printLine();
  printLine('Messages of one batch without faults, for the smallest cluster:');
  for (const { name, costs, quorums } of rows) {
    printLine(`  ${name}: ${kindsOf(costs[0]!.measured)}`);
    printLine(`    quorums: ${quorums}`);
  }
}

/** Adds the command. */
export function addProtocols(program: Command): void {
  withJson(program.command('protocols'))
    .summary('the protocols that this program knows')
    .description(
      'Shows the protocols side by side: replicas, quorums, phases, trusted components, how many faults each stands, and ' +
        'the messages and trusted calls of one batch, counted in a run of the simulator beside those of its formulas.',
    )
    .option('--markdown', 'print the page docs/protocols.md')
    .addHelpText('after', '\nExample:\n  moiety protocols --json\n')
    .action(protocols);
}

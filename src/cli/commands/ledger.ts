/** `blocks`, `tail`, `transaction`: the ledger through the gateway. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { EXIT, messageOf, CommandFailure } from '../failure.ts';
import { callGateway, callGatewayJson } from '../gateway-client.ts';
import { wholeNumber, withGateway, withJson } from '../options.ts';
import type { ClusterOptions } from '../options.ts';
import { keyText, printJson, printLine, printNote, shortDigest } from '../output.ts';
import { readEventStream } from '../event-stream.ts';
import { checkTxId } from './receipts.ts';

type Options = ClusterOptions & { readonly json?: boolean };

interface TransactionJson {
  readonly txId: string;
  readonly client: string;
  readonly organisation: string;
  readonly operation: { readonly op: string; readonly key?: string };
  readonly result: { readonly ok?: boolean; readonly error?: string };
}

interface BlockJson {
  readonly height: number;
  readonly sequence: number;
  readonly headerHash: string;
  readonly header: { readonly time: number; readonly previous: string; readonly proposedInView: number };
  readonly signatures: readonly { readonly replica: number }[];
  readonly transactions: readonly TransactionJson[];
}

function describe({ operation, result, organisation, txId }: TransactionJson): string {
  const key = operation.key === undefined ? '' : ` ${keyText(operation.key)}`;
  const outcome = result.ok === false ? ` (${result.error ?? 'failed'})` : '';
  return `${shortDigest(txId)}  ${organisation}  ${operation.op}${key}${outcome}`;
}

function printBlock(block: BlockJson): void {
  printLine(
    `block ${block.height}  sequence ${block.sequence}  view ${block.header.proposedInView}  ${new Date(block.header.time).toISOString()}`,
  );
  printLine(`  header   ${block.headerHash}`);
  printLine(`  previous ${block.header.previous}`);
  printLine(`  signed by replicas ${block.signatures.map(({ replica }) => replica).join(', ')}`);
  for (const transaction of block.transactions) printLine(`  ${describe(transaction)}`);
}

async function latestHeight(options: Options): Promise<number> {
  const { replicas } = await callGatewayJson<{ replicas: { height?: number }[] }>(options, {
    path: '/v1/status',
  });
  const heights = replicas
    .flatMap(({ height }) => (height === undefined ? [] : [height]))
    .sort((a, b) => b - a);
  // The median of the answers: one replica that lies about its height cannot shift it beyond correct ones.
  return heights[Math.floor(heights.length / 2)] ?? 0;
}

async function blocks(height: number | undefined, options: Options & { count: number }): Promise<void> {
  const last = height ?? (await latestHeight(options));
  const first = height === undefined ? Math.max(1, last - options.count + 1) : height;
  if (last === 0) printNote('There are no blocks yet.');
  for (let at = first; at <= last; at += 1) {
    const block = await callGatewayJson<BlockJson>(options, { path: `/v1/blocks/${at}` });
    if (options.json === true) printJson(block);
    else printBlock(block);
  }
}

interface EventJson extends TransactionJson {
  readonly number: number;
  readonly height: number;
  readonly time: number;
}

/** Follows events; goes on behind the last one when the gateway was away. */
async function tail(options: Options & { from?: number; count?: number }): Promise<void> {
  let next: number | 'latest' = options.from ?? 'latest';
  let left = options.count ?? Number.POSITIVE_INFINITY;
  const stop = new AbortController();
  process.on('SIGINT', () => stop.abort());
  let failures = 0;
  while (left > 0 && !stop.signal.aborted) {
    try {
      const call = { path: `/v1/events?from=${next}`, signal: stop.signal };
      const response = await callGateway(options, call);
      failures = 0;
      for await (const data of readEventStream(response)) {
        const event = JSON.parse(data) as EventJson;
        next = event.number + 1;
        if (options.json === true) printJson(event);
        else printLine(`${event.number}  block ${event.height}  ${describe(event)}`);
        left -= 1;
        if (left <= 0) break;
      }
    } catch (error) {
      if (stop.signal.aborted) return;
      failures += 1;
      const isGone = error instanceof CommandFailure && error.exitCode === EXIT.unreachable;
      if (error instanceof CommandFailure && (!isGone || failures > 20)) throw error;
      if (failures === 1) printNote(`${messageOf(error)} Trying again …`);
    }
    if (left > 0 && !stop.signal.aborted) await new Promise((done) => setTimeout(done, 500));
  }
}

async function transaction(txId: string, options: Options): Promise<void> {
  const state = await callGatewayJson<Record<string, unknown>>(options, {
    path: `/v1/tx/${checkTxId(txId)}`,
  });
  if (options.json === true) printJson(state);
  else
    for (const [name, value] of Object.entries(state))
      printLine(`${name.padEnd(12)} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`);
}

/** Adds the commands. */
export function addLedger(program: Command): void {
  withJson(withGateway(program.command('blocks')))
    .summary('show blocks of the ledger')
    .description(
      'Shows one block, or the latest ones. Each was checked by the gateway against f+1 header signatures.',
    )
    .argument('[height]', 'height of one block', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .addOption(
      new Option('--count <number>', 'how many of the latest blocks')
        .default(5)
        .argParser(wholeNumber(1, 10_000)),
    )
    .addHelpText('after', '\nExamples:\n  moiety blocks\n  moiety blocks 1 --json\n')
    .action(blocks);
  withJson(withGateway(program.command('tail')))
    .summary('follow transactions as they are executed')
    .description(
      'Follows the events of the ledger: one line a transaction, densely numbered, without loss over restarts.',
    )
    .addOption(
      new Option('--from <number>', 'begin with this event (default: only new ones)').argParser(
        wholeNumber(1, Number.MAX_SAFE_INTEGER),
      ),
    )
    .addOption(
      new Option('--count <number>', 'end after so many events').argParser(
        wholeNumber(1, Number.MAX_SAFE_INTEGER),
      ),
    )
    .addHelpText('after', '\nExamples:\n  moiety tail\n  moiety tail --from 1 --json\n')
    .action(tail);
  withJson(withGateway(program.command('transaction')))
    .summary('where a transaction stands')
    .description('Says whether a transaction is pending, committed, rejected or unknown.')
    .argument('<txid>')
    .addHelpText('after', '\nExample:\n  moiety transaction 4f0c…\n')
    .action(transaction);
}

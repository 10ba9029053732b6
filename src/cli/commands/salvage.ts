/** `moiety salvage`: the operator's recovery after the loss of too many disks. */
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, writeFileSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { decodeKvOperation } from '../../apps/kv/operations.ts';
import { decodeKvResult } from '../../apps/kv/results.ts';
import { decodeOperation, decodeResult } from '../../ledger/operation.ts';
import type { Transaction } from '../../ledger/contract.ts';
import { CommandFailure } from '../failure.ts';
import { openLedgerCopy } from '../ledger-copy.ts';
import { withJson } from '../options.ts';
import { printJson, printLine } from '../output.ts';
import { Salvage } from '../salvage.ts';
import { readTrust } from './receipts.ts';

interface Options {
  readonly from: readonly string[];
  readonly trust: string;
  readonly out: string;
  readonly json?: boolean;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** Applies what a transaction did, as its recorded result says: nothing is executed anew. */
function apply(state: Map<string, string>, { operation, result }: Transaction): void {
  const decoded = decodeOperation(operation);
  const outcome = decodeResult(result);
  if (decoded?.kind !== 'app' || outcome?.ok !== true) return;
  const kv = decodeKvOperation(decoded.operation);
  const kind = decodeKvResult(outcome.payload)?.kind;
  if (!kv.ok) return;
  if (kv.operation.kind === 'put' && kind === 'put')
    state.set(base64(kv.operation.key), base64(kv.operation.value));
  if (kv.operation.kind === 'compareAndSwap' && kind === 'swapped')
    state.set(base64(kv.operation.key), base64(kv.operation.value));
  if (kv.operation.kind === 'delete' && kind === 'deleted') state.delete(base64(kv.operation.key));
}

function writeLedger(path: string, salvage: Salvage, provenHeight: number): Map<string, string> {
  const state = new Map<string, string>();
  const file = openSync(path, 'wx', 0o600);
  for (const { block, proven } of salvage.blocks(provenHeight)) {
    const { height, sequence, time } = block.header;
    for (const [index, transaction] of block.transactions.entries()) {
      apply(state, transaction);
      const { id, clientId, organisation, operation, result } = transaction;
      const line = { height, sequence, time, index, txId: id, client: clientId, organisation, proven };
      writeSync(
        file,
        `${JSON.stringify({ ...line, operation: base64(operation), result: base64(result) })}\n`,
      );
    }
  }
  closeSync(file);
  return state;
}

function writeSeed(path: string, state: ReadonlyMap<string, string>): void {
  const file = openSync(path, 'wx', 0o600);
  for (const [key, value] of state) writeSync(file, `${JSON.stringify({ key, value })}\n`);
  closeSync(file);
}

async function salvage(options: Options): Promise<void> {
  const out = resolve(options.out);
  if (existsSync(out) && readdirSync(out).length > 0)
    throw new CommandFailure(`${out} is not empty: nothing is overwritten.`);
  const trust = readTrust(options.trust);
  const copies = await Promise.all(
    options.from.map((path) => openLedgerCopy(resolve(path), trust.hostKeys.length)),
  );
  const work = new Salvage(copies, trust);
  const { provenHeight, height, doubts } = work.plan();
  mkdirSync(out, { recursive: true, mode: 0o700 });
  const state = writeLedger(join(out, 'ledger.ndjson'), work, provenHeight);
  writeSeed(join(out, 'seed.ndjson'), state);
  const report = {
    clusterId: trust.clusterId,
    from: copies.map(({ path }) => path),
    provenHeight,
    height,
    keys: state.size,
    doubts,
  };
  writeFileSync(join(out, 'report.json'), `${JSON.stringify(report, undefined, 2)}\n`, { mode: 0o600 });
  await Promise.all(copies.map((copy) => copy.close()));
  if (options.json === true) return printJson(report);
  printLine(
    `Saved ${height} blocks with ${state.size} keys into ${out}; blocks 1 to ${provenHeight} are certified.`,
  );
  for (const doubt of doubts) printLine(`  not proven: ${doubt}`);
  printLine('');
  printLine('To go on, make a new cluster and write the saved state into it:');
  printLine('  moiety up --data NEW');
  printLine(`  moiety load ${join(out, 'seed.ndjson')} --format seed --data NEW`);
  printLine('The new cluster has a new id: old receipts verify with the old trust file, so keep it.');
}

/** Adds the command. */
export function addSalvage(program: Command): void {
  withJson(program.command('salvage'))
    .summary('save what can be saved after the loss of too many disks')
    .description(
      'Reads the stores of all replicas that can still be reached (stop them first), takes the longest chain that f+1 ' +
        'signatures certify and then what was executed at any of them, and writes it down with a seed for a new ' +
        'cluster. It changes none of the stores and says what it cannot prove.',
    )
    .requiredOption('--from <folder...>', 'folders of replicas, their stores, or backups')
    .requiredOption('--trust <file>', 'trust file of the lost cluster')
    .requiredOption('--out <folder>', 'new folder for what is saved')
    .addHelpText(
      'after',
      '\nExample:\n  moiety salvage --from disk-a/replica-0 disk-b/replica-1 --trust trust.json --out saved\n',
    )
    .action(salvage);
}

/** `receipt` fetches a proof through the gateway; `verify` checks it offline, without any server. */
import type { Command } from 'commander';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RECEIPT_LENGTH_MAX } from '../../ledger/receipt.ts';
import { parseTrust } from '../../ledger/trust.ts';
import type { Trust } from '../../ledger/trust.ts';
import { verifyReceipt } from '../../ledger/verify.ts';
import { DEFAULT_DATA } from '../data-folder.ts';
import { CommandFailure, EXIT, messageOf, usageFailure } from '../failure.ts';
import { callGateway } from '../gateway-client.ts';
import { withGateway, withJson } from '../options.ts';
import type { ClusterOptions } from '../options.ts';
import { printBytes, printJson, printLine, printNote } from '../output.ts';

/** A transaction id as the gateway takes it. */
export function checkTxId(txId: string): string {
  if (/^[0-9a-f]{64}$/.test(txId)) return txId;
  throw usageFailure('A transaction id is 64 lower-case hexadecimal digits.');
}

async function receipt(txId: string, options: ClusterOptions & { output?: string }): Promise<void> {
  const response = await callGateway(options, { path: `/v1/receipts/${checkTxId(txId)}` });
  const bytes = new Uint8Array(await response.arrayBuffer());
  // Exactly the bytes of the receipt: a line feed behind them would be another text, which no verifier accepts (D5).
  if (options.output === undefined) {
    printBytes(bytes);
    if (process.stdout.isTTY) printLine();
    return;
  }
  writeFileSync(options.output, bytes);
  printNote(
    `${bytes.length} bytes written to ${options.output}; check them with "moiety verify ${options.output}".`,
  );
}

/** Reads a trust file. */
export function readTrust(path: string): Trust {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new CommandFailure(`Cannot read the trust file: ${messageOf(error)}`);
  }
  const trust = parseTrust(text);
  if (trust === undefined) throw new CommandFailure(`${path} is not a trust file (moiety-trust/1).`);
  return trust;
}

function readReceipt(path: string): string {
  try {
    // UTF-8 has several spellings for nothing of what a receipt may hold: latin1 keeps every byte apart.
    const length = path === '-' ? 0 : statSync(path).size;
    if (length > RECEIPT_LENGTH_MAX) throw new Error(`${length} bytes are too long for a receipt`);
    return readFileSync(path === '-' ? 0 : path, 'latin1');
  } catch (error) {
    throw new CommandFailure(`Cannot read the receipt: ${messageOf(error)}`);
  }
}

function verify(path: string, options: { trust: string; json?: boolean }): void {
  const verdict = verifyReceipt(readReceipt(path), readTrust(options.trust));
  const { valid, lines, reason, txId } = verdict;
  if (options.json === true) printJson({ valid, reason: reason ?? null, txId: txId ?? null, lines });
  else for (const line of lines) printLine(line);
  if (!valid) process.exitCode = EXIT.failed;
}

/** Adds the commands. */
export function addReceipts(program: Command): void {
  withGateway(program.command('receipt'))
    .summary('fetch the receipt of a transaction')
    .description(
      'Prints the receipt of a transaction: canonical JSON that proves its execution to anyone, offline.',
    )
    .argument('<txid>')
    .option('-o, --output <file>', 'write it to a file')
    .addHelpText(
      'after',
      '\nExample:\n  moiety receipt $(moiety put a 1 --json | jq -r .txId) -o receipt.json\n',
    )
    .action(receipt);
  withJson(program.command('verify'))
    .summary('check a receipt offline')
    .description(
      'Checks a receipt against a trust file, without any server. Five lines say what was checked; exit code 0 if it ' +
        'holds, 1 if not.',
    )
    .argument('<receipt>', 'file, or "-" for standard input')
    .option('--trust <file>', 'trust file of the cluster', join(DEFAULT_DATA, 'trust.json'))
    .addHelpText('after', '\nExample:\n  moiety verify receipt.json --trust trust.json\n')
    .action(verify);
}

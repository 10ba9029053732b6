/** `moiety audit`: checks a whole ledger copy offline, block by block. */
import type { Command } from 'commander';
import { resolve } from 'node:path';
import { LedgerAudit } from '../../ledger/audit.ts';
import type { AuditReport } from '../../ledger/audit.ts';
import { CommandFailure, EXIT, usageFailure } from '../failure.ts';
import { openLedgerCopy, trustFileNear } from '../ledger-copy.ts';
import { withJson } from '../options.ts';
import { plural, printJson, printLine } from '../output.ts';
import { readTrust } from './receipts.ts';

function printReport(report: AuditReport): void {
  printLine(
    `${plural(report.blocks, 'block')}, ${plural(report.transactions, 'transaction')}, ${plural(report.sessions, 'session')}`,
  );
  printLine(`last block ${report.height}, header ${report.headerHash}`);
  printLine(
    report.provenHeight === 0
      ? 'no block is proven: none of them has f + 1 valid signatures in this copy'
      : `proven up to block ${report.provenHeight}: f + 1 valid signatures and an unbroken chain`,
  );
  if (report.blocksLackingSignatures > 0)
    printLine(
      `${plural(report.blocksLackingSignatures, 'block')} with fewer than f + 1 signatures of their own: ` +
        report.lackingSignatures
          .slice(0, 10)
          .map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`))
          .join(', '),
    );
  if (report.badSignatures > 0)
    printLine(`${plural(report.badSignatures, 'signature')} are wrong and were not counted`);
  for (const { kind, height, detail } of report.problems)
    printLine(`PROBLEM  block ${height}: ${kind}: ${detail}`);
  if (report.problemCount > report.problems.length)
    printLine(`… and ${report.problemCount - report.problems.length} more problems`);
  if (!report.sound) return printLine('The copy is NOT sound.');
  const unproven = report.height - report.provenHeight;
  const beside =
    unproven === 0 ? '' : `; ${plural(unproven, 'block')} at its end fit the chain but are not proven`;
  printLine(`The copy is sound${beside}.`);
}

async function audit(folder: string, options: { trust?: string; json?: boolean }): Promise<void> {
  const path = resolve(folder);
  const trustPath = options.trust ?? trustFileNear(path);
  if (trustPath === undefined) throw usageFailure('Say which cluster is trusted: --trust trust.json.');
  const trust = readTrust(trustPath);
  const copy = await openLedgerCopy(path, trust.hostKeys.length);
  try {
    const work = new LedgerAudit({ trust });
    for (let height = 1; height <= copy.height; height += 1)
      // Damaged bytes are audited as what they are: no block.
      work.add(copy.entry(height) ?? { bytes: new Uint8Array(0), signatures: [] });
    const report = work.finish();
    if (options.json === true) printJson(report);
    else printReport(report);
    if (!report.sound) process.exitCode = EXIT.failed;
    if (report.blocks === 0 && options.json !== true) throw new CommandFailure('The copy holds no block.');
  } finally {
    await copy.close();
  }
}

/** Adds the command. */
export function addAudit(program: Command): void {
  withJson(program.command('audit'))
    .summary('check a ledger copy offline')
    .description(
      "Checks every block of a replica's store or of a backup: the chain, the Merkle roots, the signatures, and that " +
        'nothing was executed twice. Nothing is changed. Exit code 0 if it is sound, 1 if not.',
    )
    .argument('<folder>', 'folder of a replica, its store, or a backup')
    .option('--trust <file>', 'trust file (default: the nearest one above the folder)')
    .addHelpText('after', '\nExample:\n  moiety audit .moiety/replica-0 --trust trust.json\n')
    .action(audit);
}

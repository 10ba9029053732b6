/** The command line: `moiety <command>`. One file per command in `commands/`. */
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { addAbout } from './commands/about.ts';
import { addAudit } from './commands/audit.ts';
import { addBackup } from './commands/backup.ts';
import { addBench } from './commands/bench.ts';
import { addDashboard } from './commands/dashboard.ts';
import { addDown } from './commands/down.ts';
import { addExplain } from './commands/explain.ts';
import { addEvidence } from './commands/evidence.ts';
import { addFault } from './commands/fault.ts';
import { addKv } from './commands/kv.ts';
import { addLedger } from './commands/ledger.ts';
import { addLoad } from './commands/load.ts';
import { addMembers } from './commands/members.ts';
import { addProtocols } from './commands/protocols.ts';
import { addReceipts } from './commands/receipts.ts';
import { addSalvage } from './commands/salvage.ts';
import { addSim } from './commands/sim.ts';
import { addPlayground } from './commands/playground.ts';
import { addStatus } from './commands/status.ts';
import { addTrace } from './commands/trace.ts';
import { addTrusted } from './commands/trusted.ts';
import { addUp } from './commands/up.ts';
import { CommandFailure, EXIT, messageOf } from './failure.ts';
import { HELP } from './options.ts';
import { printNote, printText } from './output.ts';
import { programName } from './program-name.ts';

/** The whole program; tests parse with it. */
export function createProgram(): Command {
  const moiety = programName();
  const program = new Command('moiety')
    .description('Byzantine fault-tolerant ledger and replication: N = 2f+1 replicas, of which f may lie.')
    .enablePositionalOptions()
    .configureHelp(HELP)
    .configureOutput({ writeOut: printText })
    .showHelpAfterError('(see --help)')
    .showSuggestionAfterError()
    .exitOverride()
    .addHelpText(
      'after',
      `
Exit codes: ${EXIT.ok} done, ${EXIT.failed} failed or not valid, ${EXIT.usage} wrong usage, ${EXIT.unreachable} no cluster answers.

Begin with:
  ${moiety} up                    start three replicas and a gateway
  ${moiety} put hello world       in another terminal
  ${moiety} status
`,
    );
  addUp(program);
  addDown(program);
  addStatus(program);
  addExplain(program);
  addDashboard(program);
  addKv(program);
  addLedger(program);
  addReceipts(program);
  addLoad(program);
  addEvidence(program);
  addFault(program);
  addMembers(program);
  addTrusted(program);
  addBackup(program);
  addAudit(program);
  addSalvage(program);
  addSim(program);
  addTrace(program);
  addPlayground(program);
  addBench(program);
  addProtocols(program);
  addAbout(program);
  for (const command of program.commands) command.exitOverride();
  return program;
}

/** Runs one command line; the exit code is set, never forced, so that output is written to its end. */
export async function run(argv: readonly string[]): Promise<void> {
  try {
    await createProgram().parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version are no errors; commander has printed everything already.
      process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
      return;
    }
    printNote(`moiety: ${messageOf(error)}`);
    if (process.env['MOIETY_DEBUG'] !== undefined && error instanceof Error) printNote(error.stack ?? '');
    process.exitCode = error instanceof CommandFailure ? error.exitCode : EXIT.failed;
  }
}

const entry = process.argv[1];
const isLauncher = entry?.endsWith('moiety.mjs') === true || entry?.endsWith('moiety') === true;
if (isLauncher || (entry !== undefined && realpathSync(entry) === fileURLToPath(import.meta.url)))
  await run(process.argv.slice(2));

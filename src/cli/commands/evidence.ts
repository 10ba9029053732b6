/** `evidence`: what is proved against replicas, and how anybody checks it offline. */
import type { Command } from 'commander';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { verifyEvidence } from '../../client/evidence.ts';
import type { EvidenceTrust } from '../../client/evidence.ts';
import { EVIDENCE_LENGTH_MAX } from '../../ledger/evidence-document.ts';
import { readClusterFile } from '../cluster-file.ts';
import { DEFAULT_DATA } from '../data-folder.ts';
import { CommandFailure, EXIT, messageOf, usageFailure } from '../failure.ts';
import { callGateway, callGatewayJson } from '../gateway-client.ts';
import { HELP, withGateway, withJson } from '../options.ts';
import type { ClusterOptions } from '../options.ts';
import { printJson, printLine, printNote, plural } from '../output.ts';
import { readTrust } from './receipts.ts';

type Options = ClusterOptions & { readonly json?: boolean };

interface EvidenceJson {
  readonly id: string;
  readonly replica: number;
  readonly rule: string;
  readonly foundBy: readonly (number | string)[];
  readonly explanation: string;
}

async function list(_: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<Options>();
  const { evidence } = await callGatewayJson<{ evidence: EvidenceJson[] }>(options, { path: '/v1/evidence' });
  if (options.json === true) return printJson({ evidence });
  for (const { id, explanation, foundBy } of evidence) {
    printLine(id);
    printLine(`  ${explanation}`);
    printLine(
      `  found by ${foundBy.map((one) => (typeof one === 'number' ? `replica ${one}` : one)).join(', ')}`,
    );
  }
  if (evidence.length === 0) printLine('Nothing is proved against any replica.');
  else printNote(`${plural(evidence.length, 'record')}; "moiety evidence get <id> -o <file>" fetches one.`);
}

async function get(id: string, _: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<Options & { output?: string }>();
  if (!/^[A-Za-z0-9._-]{1,120}$/.test(id))
    throw usageFailure('That is no name of evidence: see "moiety evidence list".');
  const text = await (await callGateway(options, { path: `/v1/evidence/${id}` })).text();
  if (options.output === undefined) return printLine(text.trimEnd());
  writeFileSync(options.output, text);
  printNote(`Written to ${options.output}; check it with "moiety evidence verify ${options.output}".`);
}

function readEvidence(path: string): string {
  try {
    const length = path === '-' ? 0 : statSync(path).size;
    if (length > EVIDENCE_LENGTH_MAX) throw new Error(`${length} bytes are too long for evidence`);
    return readFileSync(path === '-' ? 0 : path, 'latin1');
  } catch (error) {
    throw new CommandFailure(`Cannot read the evidence: ${messageOf(error)}`);
  }
}

interface VerifyOptions {
  readonly trust?: string;
  readonly cluster?: string;
  readonly data: string;
  readonly json?: boolean;
}

/** cluster.json says all that the trust file says, and the keys of the trusted components. */
function known({ trust, cluster, data }: VerifyOptions): EvidenceTrust {
  if (cluster !== undefined) return { settings: readClusterFile(cluster) };
  if (trust !== undefined) return { trust: readTrust(trust) };
  return { settings: readClusterFile(join(data, 'cluster.json')) };
}

function verify(path: string, _: unknown, command: Command): void {
  const options = command.optsWithGlobals<VerifyOptions>();
  const { valid, lines, reason, replica, rule } = verifyEvidence(readEvidence(path), known(options));
  if (options.json === true)
    printJson({ valid, reason: reason ?? null, replica: replica ?? null, rule: rule ?? null, lines });
  else for (const line of lines) printLine(line);
  if (!valid) process.exitCode = EXIT.failed;
}

/** Adds the command. */
export function addEvidence(program: Command): void {
  const evidence = withJson(withGateway(program.command('evidence')))
    // Its options may stand anywhere in the line, as those of all commands about a cluster.
    .enablePositionalOptions(false)
    .configureHelp({ ...HELP, showGlobalOptions: true })
    .summary('proofs against faulty replicas')
    .description(
      'Evidence proves to anybody, offline, that a replica did what no correct replica does: it signed two different ' +
        'things, contradicted an agreed state, or signed a wrong answer. Silence and delay prove nothing: "moiety status" ' +
        'shows those as suspected.',
    )
    .addHelpText(
      'after',
      '\nExamples:\n  moiety evidence list --data /tmp/five\n  moiety evidence get replica-1-wrongReply-0123456789abcdef -o evidence.json\n' +
        '  moiety evidence verify evidence.json --cluster cluster.json\n',
    );
  evidence.command('list', { isDefault: true }).description('what the gateway has verified').action(list);
  evidence
    .command('get')
    .description('fetches one evidence file')
    .argument('<id>')
    .option('-o, --output <file>', 'write it to a file')
    .action(get);
  evidence
    .command('verify')
    .description(
      'Checks an evidence file without any server. Five lines say what was checked; exit code 0 if it proves the fault, ' +
        '1 if not. Wrong replies need the trust file or cluster.json, everything else cluster.json, where the keys of the ' +
        'trusted components stand.',
    )
    .argument('<file>', 'evidence file, or "-" for standard input')
    .option('--trust <file>', 'trust file of the cluster')
    .option('--cluster <file>', `cluster.json (default: that of the data folder, ${DEFAULT_DATA})`)
    .action(verify);
  for (const command of evidence.commands) command.exitOverride();
}

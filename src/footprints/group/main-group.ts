/**
 * The ceremony of a group key (`ceremony.ts`) on the folder of one trusted process that is not being served. Built into
 * one file, trusted/group-key.mjs: it is trusted like the process itself, since it holds the key.
 * Prints one line: hexadecimal bytes, `done`, or `refused: …`.
 */
import { readFileSync, statSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { bytesToHex, hexToBytes } from '../../core/bytes.ts';
import type { Digest } from '../../core/types.ts';
import { RECENT_DEPTH } from '../../trusted/contract.ts';
import { encodeBundleOfEvidence } from '../../trusted/attestation/bundle.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../../trusted/frames.ts';
import { startModule } from '../../trusted/module.ts';
import { FOLDER_FILES } from '../process/channel.ts';
import { claimFolder } from '../process/claim-folder.ts';
import { createEnvironment, programKeyOf } from '../process/environment.ts';
import { moduleOfFolder } from '../process/program-file.ts';
import { StateLog } from '../process/state-log.ts';
import { CeremonyRefusal, grantGroup, installGroup, makeGroup, requestGroup } from './ceremony.ts';
import type { OwnWord } from './ceremony.ts';
import type { GroupUse } from './group-key.ts';

const MODULES = new URL('./', import.meta.url);
const REPLICAS_END = 1_024;

/** Asks the program of the current folder for evidence, and signs the offer, both under the key of its own. */
function attest(challenge: Digest, offerOf: (possession: Uint8Array) => Uint8Array): OwnWord {
  const found = moduleOfFolder(MODULES);
  const log = StateLog.open('.', 'fsync', RECENT_DEPTH);
  const program = startModule(found.module, createEnvironment(log, 'fsync', found.measurement));
  log.begin(() => program.image?.());
  const answer = decodeTrustedResponse(program.handle(encodeTrustedRequest({ op: 'attest', challenge })));
  const key = programKeyOf(log.key);
  log.close();
  if (answer?.op !== 'attest') throw new CeremonyRefusal('the program of this component gives no evidence');
  const signature = new Uint8Array(key.authenticate(offerOf(answer.evidence)));
  return { evidence: encodeBundleOfEvidence({ possession: answer.evidence, endorsements: [] }), signature };
}

/** Lines of the input: hexadecimal bytes. */
function bytesOf(line: string | undefined): Uint8Array {
  const bytes = hexToBytes(line ?? '');
  if (bytes === undefined || bytes.length === 0) throw new CeremonyRefusal('the input is not hexadecimal');
  return bytes;
}

/** `input`: new: policy; request: offer of a member, policy; grant: own offer, newcomer's offer; install: grant. */
function perform(step: string, replica: number, use: GroupUse, input: string): string {
  const [first = '', ...others] = input.split('\n');
  const rest = others.join('\n');
  switch (step) {
    case 'new':
      return bytesToHex(makeGroup(replica, input, use, attest));
    case 'request':
      return bytesToHex(requestGroup(replica, rest, use, bytesOf(first), attest));
    case 'grant':
      return bytesToHex(grantGroup(bytesOf(first), bytesOf(rest)));
    case 'install':
      installGroup(bytesOf(first));
      return 'done';
    default:
      throw new CeremonyRefusal('--step is new, request, grant or install');
  }
}

async function main(): Promise<void> {
  process.umask(0o077);
  const { values } = parseArgs({
    options: {
      folder: { type: 'string' },
      step: { type: 'string', default: '' },
      replica: { type: 'string', default: '0' },
      use: { type: 'string', default: 'statements' },
    },
  });
  const { folder, step, use } = values;
  const replica = Number(values.replica);
  if (folder === undefined || statSync(folder, { throwIfNoEntry: false }) === undefined)
    throw new CeremonyRefusal('--folder names the folder of a trusted process');
  if (!Number.isSafeInteger(replica) || replica < 0 || replica >= REPLICAS_END)
    throw new CeremonyRefusal(`--replica is a number from 0 to ${REPLICAS_END - 1}`);
  if (use !== 'statements' && use !== 'requests')
    throw new CeremonyRefusal('--use is statements or requests');
  // Policy, offers and grants come by standard input: they are too long for arguments.
  const input = readFileSync(0, 'utf8').trimEnd();
  process.chdir(folder);
  if (!(await claimFolder(readFileSync(FOLDER_FILES.access))))
    throw new CeremonyRefusal('a process serves this component: stop it first');
  process.stdout.write(`${perform(step, replica, use, input)}\n`, () => process.exit(0));
}

main().catch((error: unknown) => {
  const text = error instanceof Error ? error.message : String(error);
  process.stdout.write(`refused: ${text}\n`, () => process.exit(1));
});

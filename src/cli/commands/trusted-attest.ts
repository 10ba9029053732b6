/**
 * `moiety trusted attest | endorse | verify-evidence`: asks a component what it is, puts the operator's word beside it,
 * and says in words whether a policy accepts it (docs/attestation.md).
 */
import { randomBytes, sign } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { Option } from 'commander';
import type { Command } from 'commander';
import { bytesToDigest, bytesToHex, digestToBytes } from '../../core/bytes.ts';
import { possessionChallenge } from '../../core/request.ts';
import type { Digest } from '../../core/types.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import type { TrustedConnection } from '../../footprints/contract.ts';
import { decodeBundleOfEvidence, encodeBundleOfEvidence } from '../../trusted/attestation/bundle.ts';
import type { Endorsement } from '../../trusted/attestation/bundle.ts';
import { judgeEvidence } from '../../trusted/attestation/judge.ts';
import {
  encodeOperatorEndorsement,
  OPERATOR_FORMAT,
  operatorStatementBytes,
} from '../../trusted/attestation/operator.ts';
import { registrationChallenge } from '../../trusted/attestation/registration.ts';
import { ENDORSE_CODE, TPM_FORMAT } from '../../trusted/attestation/tpm-quote.ts';
import { refusalOf, verdictLines } from '../../trusted/attestation/verdict.ts';
import type { TrustedIdentity, TrustedRequest, TrustedResponse } from '../../trusted/contract.ts';
import { decodeEvidence } from '../../trusted/evidence.ts';
import type { Evidence } from '../../trusted/evidence.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../../trusted/frames.ts';
import { bindDigestOf } from '../../trusted/statement.ts';
import { CommandFailure, EXIT, messageOf, usageFailure } from '../failure.ts';
import { readClusterFile } from '../cluster-file.ts';
import { readMemberFile } from '../member-file.ts';
import { wholeNumber, withJson } from '../options.ts';
import { printJson, printLine, printNote } from '../output.ts';
import {
  readEndorsementFile,
  readEvidenceFile,
  readPolicyFile,
  writeEndorsementFile,
  writeEvidenceFile,
  writePublic,
} from '../trusted/evidence-files.ts';
import { requireComponentFolder } from '../trusted/inspect.ts';
import type { EvidenceFile } from '../trusted/evidence-files.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

function digestOption(text: string): Digest {
  if (/^[0-9a-f]{64}$/.test(text)) return text as Digest;
  throw usageFailure(`"${text}" is not 32 bytes in lower-case hexadecimal.`);
}

/** One question to a component; rejects if it is lost before it answers. */
function ask(connection: TrustedConnection, request: TrustedRequest): Promise<TrustedResponse> {
  return new Promise((fulfil, reject) => {
    connection.send(encodeTrustedRequest(request), (bytes) => {
      const response = bytes === undefined ? undefined : decodeTrustedResponse(bytes);
      if (response !== undefined) fulfil(response);
      else reject(new CommandFailure('The trusted component ended, or answered with bytes that are none.'));
    });
  });
}

function evidenceOf(bundle: Uint8Array, file: string): Evidence {
  const decoded = decodeBundleOfEvidence(bundle);
  const evidence = decoded === undefined ? undefined : decodeEvidence(decoded.possession);
  if (evidence !== undefined) return evidence;
  throw new CommandFailure(`${file} holds no evidence of a trusted component: make it anew.`, EXIT.usage);
}

interface AttestOptions {
  readonly component: string;
  readonly nonce?: Digest;
  readonly member?: string;
  readonly cluster?: string;
  readonly replica?: number;
  readonly stop?: boolean;
  readonly out: string;
}

/** Asks the component in a folder for its evidence, and its footprint for what lies below. */
async function collectEvidence(
  folder: string,
  challengeOf: (identity: TrustedIdentity) => Digest,
): Promise<EvidenceFile & { readonly bind: Digest }> {
  const { openComponent, footprintNamed } = await import('../../footprints/registry.ts');
  const { readComponentFolder } = await import('../../footprints/component-note.ts');
  const { nodeHash } = await import('../../platform/sha256.ts');
  const { footprint } = readComponentFolder(folder);
  if (!(await footprintNamed(footprint)).persistent)
    throw new CommandFailure(
      `A component on the footprint ${footprint} lives in its replica only: whoever else opens ${folder} gets another one, ` +
        'with another key. Its replica attests it when it registers.',
    );
  const connection = await openComponent(folder, 'fsync').catch((error: unknown) => {
    throw new CommandFailure(`The trusted component in ${folder} cannot be reached: ${messageOf(error)}`);
  });
  try {
    const known = await ask(connection, { op: 'identify' });
    if (known.op !== 'identify')
      throw new CommandFailure(`The trusted component does not say who it is: it answered ${known.op}.`);
    const challenge = challengeOf(known.identity);
    const response = await ask(connection, { op: 'attest', challenge });
    if (response.op !== 'attest')
      throw new CommandFailure(`The trusted component does not attest: it answered ${response.op}.`);
    const evidence = decodeEvidence(response.evidence);
    if (evidence === undefined) throw new CommandFailure('The trusted component gave damaged evidence.');
    const bind = bindDigestOf(nodeHash, evidence);
    const below = await ask(connection, {
      op: 'extension',
      code: ENDORSE_CODE,
      body: digestToBytes(challenge),
    });
    const endorsements: Endorsement[] =
      below.op === 'extension' ? [{ format: TPM_FORMAT, body: below.body }] : [];
    const bundle = encodeBundleOfEvidence({ possession: response.evidence, endorsements });
    return { bundle, footprint, challenge, bind };
  } finally {
    connection.close();
  }
}

/** The occasion that the options name, as what the component has to seal. */
async function challengeFor(options: AttestOptions): Promise<(identity: TrustedIdentity) => Digest> {
  const { nodeHash } = await import('../../platform/sha256.ts');
  const { nonce, member: memberPath, cluster, replica } = options;
  const occasions = [nonce, memberPath, cluster].filter((one) => one !== undefined).length;
  if (occasions !== 1 || (cluster === undefined) !== (replica === undefined))
    throw usageFailure(
      'Give one of --nonce (what the verifier drew), --member (to register in a new cluster), or --cluster with --replica (for ' +
        'a RECOVER).',
    );
  if (nonce !== undefined) return () => nonce;
  if (memberPath !== undefined) {
    const challenge = registrationChallenge(nodeHash, readMemberFile(memberPath));
    return () => challenge;
  }
  const settings = readClusterFile(cluster!);
  if (settings.members[replica!] === undefined)
    throw usageFailure(`${cluster!} has no replica ${replica!}: it has 0 to ${settings.members.length - 1}.`);
  return ({ tcEpoch, tcId, publicKey: tcPublicKey }) =>
    possessionChallenge(nodeHash, settings, { replica: replica!, tcEpoch, tcId, tcPublicKey });
}

async function attest(options: AttestOptions): Promise<void> {
  const folder = resolve(options.component);
  requireComponentFolder(folder);
  const { bundle, footprint, bind, challenge } = await collectEvidence(folder, await challengeFor(options));
  if (options.stop === true) {
    const { stopComponent } = await import('../../footprints/registry.ts');
    await stopComponent(folder);
  }
  writeEvidenceFile(options.out, { footprint, challenge, bundle });
  const { measurement, tcId, tcEpoch } = evidenceOf(bundle, options.out);
  printLine(`Component ${tcId}, tcEpoch ${tcEpoch}, says that its program is ${measurement}.`);
  printLine(`Evidence is in ${options.out}; an endorsement must be about ${bind}.`);
}

interface EndorseOptions {
  readonly key: string;
  readonly carrier?: string;
  readonly release: number;
  readonly days: number;
  readonly out: string;
}

/** Signs as operator what an evidence file claims. */
async function endorse(file: string, options: EndorseOptions): Promise<void> {
  const { nodeAttestationCrypto } = await import('../../node/crypto.ts');
  const { ED25519 } = await import('../../platform/ed25519.ts');
  const { nodeHash } = await import('../../platform/sha256.ts');
  const { readKeyFile } = await import('../../node/keys.ts');
  const { bundle, footprint, challenge } = readEvidenceFile(file);
  const evidence = evidenceOf(bundle, file);
  const possession = judgeEvidence(bundle, { crypto: nodeAttestationCrypto(), challenge, footprint });
  if (!possession.accepted)
    throw new CommandFailure(`${file} is not worth a signature: ${refusalOf(possession)}`);
  const key = readKeyFile(options.key);
  const bind = bindDigestOf(nodeHash, evidence);
  const now = Date.now();
  const statement = {
    root: bytesToHex(ED25519.signer(key).publicKey),
    measurement: evidence.measurement,
    carrier:
      options.carrier === undefined ? ZERO_DIGEST : bytesToDigest(nodeHash(readCarrier(options.carrier))),
    footprint,
    version: options.release,
    bind,
    notBefore: now,
    notAfter: now + options.days * DAY_MS,
  };
  const body = encodeOperatorEndorsement(
    statement,
    new Uint8Array(sign(null, operatorStatementBytes(statement), key)),
  );
  writeEndorsementFile(options.out, bind, { format: OPERATOR_FORMAT, body });
  printNote(
    'You vouch for what the evidence claims: measure the program on that machine before you hand this out.',
  );
  printLine(`Endorsement of ${evidence.measurement} on ${footprint} is in ${options.out}.`);
  printLine(`Root of the policy: format operator, key ${statement.root}.`);
}

function readCarrier(path: string): Uint8Array {
  try {
    if (!statSync(path).isFile()) throw new Error('it is not a file');
    return readFileSync(path);
  } catch (error) {
    throw new CommandFailure(`The carrier ${path} cannot be measured: ${messageOf(error)}`, EXIT.usage);
  }
}

interface AttachOptions {
  readonly endorsement?: readonly string[];
  readonly member?: string;
  readonly out: string;
}

/** Puts endorsements into an evidence file, or evidence into the public file of a member. */
async function attach(file: string, options: AttachOptions): Promise<void> {
  const { nodeHash } = await import('../../platform/sha256.ts');
  const evidence = readEvidenceFile(file);
  const bind = bindDigestOf(nodeHash, evidenceOf(evidence.bundle, file));
  const bundle = decodeBundleOfEvidence(evidence.bundle)!;
  const added = (options.endorsement ?? []).map((path) => {
    const filed = readEndorsementFile(path);
    if (filed.bind === bind) return filed.endorsement;
    throw new CommandFailure(`${path} is about ${filed.bind}, but ${file} needs one about ${bind}.`);
  });
  const endorsements = [...bundle.endorsements, ...added];
  const whole = encodeBundleOfEvidence({ ...bundle, endorsements });
  if (options.member !== undefined) {
    const member = readMemberFile(options.member);
    if (registrationChallenge(nodeHash, member) !== evidence.challenge)
      throw new CommandFailure(
        `${file} was not made for ${options.member}: attest with --member ${options.member} first.`,
      );
    writePublic(options.out, { ...member, trusted: { ...member.trusted, evidence: bytesToHex(whole) } });
    return printLine(`The public file with its evidence is ${options.out}: hand out that one.`);
  }
  writeEvidenceFile(options.out, { ...evidence, bundle: whole });
  printLine(`Evidence with ${endorsements.length} endorsements is in ${options.out}.`);
}

interface VerifyOptions {
  readonly policy: string;
  readonly nonce?: Digest;
  readonly json?: boolean;
}

/** Judges an evidence file. Exit 0: accepted, 1: refused, 2: a file cannot be read as what it should be. */
async function verifyEvidence(file: string, options: VerifyOptions): Promise<void> {
  const { nodeAttestationCrypto } = await import('../../node/crypto.ts');
  const policy = readPolicyFile(options.policy);
  const { bundle, footprint, challenge } = readEvidenceFile(file);
  const verdict = judgeEvidence(bundle, {
    crypto: nodeAttestationCrypto(),
    challenge: options.nonce ?? challenge,
    footprint,
    policy,
    timeMs: Date.now(),
  });
  if (options.json === true) printJson({ ...verdict, fresh: options.nonce !== undefined });
  else {
    for (const line of verdictLines(verdict)) printLine(line);
    printLine(verdict.accepted ? 'ACCEPTED' : 'REFUSED');
  }
  if (options.nonce === undefined)
    printNote('Without --nonce this says nothing about when the evidence was made.');
  if (!verdict.accepted) process.exitCode = EXIT.failed;
}

function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

function addMaking(parent: Command): void {
  parent
    .command('attest')
    .summary('ask a trusted component what it is')
    .description('Asks the trusted component in a folder for evidence of its program, key and tcEpoch.')
    .requiredOption('--component <folder>', 'folder of the component')
    .addOption(new Option('--nonce <hex>', 'what the verifier drew, 32 bytes').argParser(digestOption))
    .option('--member <file>', 'public file of the member that registers the component in a new cluster')
    .option('--cluster <file>', 'cluster.json of the cluster in which a replica is to register it by RECOVER')
    .addOption(new Option('--replica <number>', 'that replica').argParser(wholeNumber(0, 1_000)))
    .option('--stop', 'end the component afterwards, where it has a process of its own')
    .option('--out <file>', 'where to write it', 'evidence.json')
    .addHelpText(
      'after',
      `\nExample:\n  moiety trusted attest --component alpha/trusted --nonce ${bytesToHex(randomBytes(32))}\n`,
    )
    .action(attest);
  parent
    .command('endorse')
    .summary("put an operator's signature to evidence")
    .description(
      'Signs as operator that the program, footprint and key of an evidence file are as it claims.',
    )
    .argument('<file>', 'evidence file')
    .requiredOption('--key <file>', "the operator's private key")
    .option('--carrier <file>', 'what carries the program, for example an image; its SHA-256 is signed')
    .addOption(
      new Option('--release <number>', 'version of the program')
        .argParser(wholeNumber(0, 2 ** 32 - 1))
        .default(0),
    )
    .addOption(new Option('--days <number>', 'validity').argParser(wholeNumber(1, 36_500)).default(365))
    .option('--out <file>', 'where to write it', 'endorsement.json')
    .addHelpText(
      'after',
      '\nThe key is an Ed25519 key of mode 0600:\n  openssl genpkey -algorithm ed25519 -out operator.pem\n\nExample:\n' +
        '  moiety trusted endorse evidence.json --key operator.pem --carrier image.bin --release 3 --out word.json\n',
    )
    .action(endorse);
}

/** Adds `attest`, `endorse`, `attach` and `verify-evidence` to `moiety trusted`. */
export function addAttestCommands(parent: Command): void {
  addMaking(parent);
  parent
    .command('attach')
    .summary('put endorsements into an evidence file')
    .description('Puts endorsements into an evidence file, or evidence into the public file of a member.')
    .argument('<file>', 'evidence file')
    .option('--endorsement <file>', 'endorsement; repeat it', collect)
    .option('--member <file>', 'public file of the member; writes it again with the evidence in it')
    .requiredOption('--out <file>', 'where to write it')
    .addHelpText(
      'after',
      '\nExamples:\n  moiety trusted attach evidence.json --endorsement word.json --out endorsed.json\n' +
        '  moiety trusted attach evidence.json --endorsement word.json --member alpha.json --out alpha-attested.json\n',
    )
    .action(attach);
  withJson(parent.command('verify-evidence'))
    .summary('judge evidence by a policy')
    .description(
      'Judges an evidence file by an attestation policy and says which check failed and what to do. Exit code 0: ' +
        'accepted, 1: refused, 2: one of the files is not what it should be.',
    )
    .argument('<file>', 'evidence file')
    .requiredOption('--policy <file>', 'attestation policy')
    .addOption(new Option('--nonce <hex>', 'what you drew, 32 bytes').argParser(digestOption))
    .addHelpText(
      'after',
      '\nExample:\n  moiety trusted verify-evidence evidence.json --policy policy.json --nonce $NONCE\n',
    )
    .action(verifyEvidence);
}

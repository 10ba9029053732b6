/** `keygen`, `init`, `replica`, `gateway`, `client`: a cluster across machines, whose members never share a private key. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Option } from 'commander';
import type { Command } from 'commander';
import type { MoietyClient } from '../../client/contract.ts';
import { bytesToHex, hexToBytes } from '../../core/bytes.ts';
import { NO_PROGRAM, noComponent } from '../../core/config.ts';
import type { Authenticator, PolicyRule, TrustedRegistration } from '../../core/config.ts';
import { isOrganisationName } from '../../ledger/transaction.ts';
import { formatComponentSpec } from '../../footprints/contract.ts';
import type { ComponentSpec } from '../../footprints/contract.ts';
import { authOption, requireAuthenticator } from '../auth-choice.ts';
import { composeCluster, readClusterFile, writeClusterFiles } from '../cluster-file.ts';
import {
  afterEndOf,
  afterLoss,
  defaultComponent,
  readComponentSpec,
  requireMembersOf,
  requireProgram,
  requireUsable,
} from '../component-choice.ts';
import { DEFAULT_PROTOCOL, protocolOption, requireProtocol } from '../protocol-choice.ts';
import { DataFolder } from '../data-folder.ts';
import { CommandFailure, usageFailure } from '../failure.ts';
import { CLIENT_FORMAT, MEMBER_FORMAT, readClientFile, readMemberFile } from '../member-file.ts';
import type { ClientFile, MemberFile } from '../member-file.ts';
import { dataOption, withJson } from '../options.ts';
import { readPolicyFile } from '../trusted/evidence-files.ts';
import { printJson, printLine, printNote } from '../output.ts';

interface KeygenOptions {
  readonly name: string;
  readonly organisation: string;
  readonly address?: string;
  readonly out?: string;
  readonly client?: boolean;
  readonly admin?: boolean;
  readonly tc?: ComponentSpec;
  readonly protocol?: string;
}

function writePublicFile(path: string, content: MemberFile | ClientFile): void {
  if (existsSync(path)) throw new CommandFailure(`${path} exists already: nothing is overwritten.`);
  writeFileSync(path, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o644 });
}

async function newKey(path: string): Promise<string> {
  const { createKeyFile } = await import('../../node/keys.ts');
  const { rawPublicKeyOf } = await import('../../platform/ed25519.ts');
  return bytesToHex(rawPublicKeyOf(createKeyFile(path))!);
}

async function keygenClient(options: KeygenOptions, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const key = await newKey(join(folder, 'client.pem'));
  const role = options.admin === true ? 'admin' : 'client';
  const { name, organisation } = options;
  const path = join(folder, `${name}.json`);
  writePublicFile(path, { format: CLIENT_FORMAT, name, organisation, key, role });
  printLine(`Client key made in ${folder}. Hand out ${path}; keep client.pem to yourself.`);
}

async function memberComponent(folder: string, spec: ComponentSpec): Promise<TrustedRegistration> {
  if (spec.program === NO_PROGRAM) return noComponent('ed25519');
  const { createComponent } = await import('../../footprints/registry.ts');
  return createComponent(folder, spec);
}

async function keygenMember(options: KeygenOptions, folder: string): Promise<void> {
  const { name, organisation } = options;
  const { parseAddress } = await import('../../node/peer-hello.ts');
  const address = options.address ?? '';
  if (parseAddress(address) === undefined)
    throw usageFailure(
      'A member needs --address host:port, where its replica listens, for example alpha.example:4601.',
    );
  const protocol = requireProtocol(options.protocol ?? DEFAULT_PROTOCOL);
  const spec = options.tc ?? defaultComponent(protocol);
  if (options.tc !== undefined) requireProgram(protocol, spec);
  await requireUsable([spec]);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const trusted = await memberComponent(join(folder, 'trusted'), spec);
  const hostKey = await newKey(join(folder, 'keys', 'host.pem'));
  const linkKey = await newKey(join(folder, 'keys', 'link.pem'));
  const path = join(folder, `${name}.json`);
  writePublicFile(path, { format: MEMBER_FORMAT, name, organisation, address, hostKey, linkKey, trusted });
  if ((await afterEndOf(spec.footprint)) === 'new component')
    printNote(
      `${formatComponentSpec(spec)} is volatile: one that has ended comes back as a new one, ${afterLoss(protocol)}. If ` +
        'such components of more than f members end at once, the cluster ends for good.',
    );
  const made = trusted.program === NO_PROGRAM ? 'Keys' : 'Keys and trusted component';
  printLine(`${made} made in ${folder}. Hand out ${path}; everything else stays here.`);
}

async function keygen(options: KeygenOptions): Promise<void> {
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(options.name))
    throw usageFailure('--name is 1 to 64 letters, digits, dots, underscores or hyphens.');
  // Before a key is made: what cluster.json would refuse later is refused here.
  if (!isOrganisationName(options.organisation))
    throw usageFailure('--organisation is 1 to 64 letters, digits, dots, underscores or hyphens.');
  const folder = resolve(options.out ?? options.name);
  const isClient = options.client === true || options.admin === true;
  await (isClient ? keygenClient(options, folder) : keygenMember(options, folder));
}

/** `PREFIX=ORGANISATION,ORGANISATION`; the prefix is text. */
function parsePolicy(text: string, before: readonly PolicyRule[] | undefined): readonly PolicyRule[] {
  const at = text.lastIndexOf('=');
  if (at < 0) throw usageFailure('--policy takes PREFIX=ORGANISATION,…; "*" stands for every organisation.');
  const prefix = bytesToHex(new TextEncoder().encode(text.slice(0, at)));
  return [...(before ?? []), { prefix, organisations: text.slice(at + 1).split(',') }];
}

function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

interface InitOptions {
  readonly protocol?: string;
  readonly member: readonly string[];
  readonly client?: readonly string[];
  readonly policy?: readonly PolicyRule[];
  readonly attestation?: string;
  readonly auth?: Authenticator;
  readonly out: string;
}

function init(options: InitOptions): void {
  const out = resolve(options.out);
  if (existsSync(out)) throw new CommandFailure(`${out} exists already: a cluster is made once.`);
  const protocol = requireProtocol(options.protocol ?? DEFAULT_PROTOCOL);
  const members = options.member.map((path) => ({ ...readMemberFile(path), path }));
  requireMembersOf(protocol, members);
  const clients = (options.client ?? []).map(readClientFile);
  if (clients.length === 0)
    throw usageFailure(
      'A cluster needs a client: name the public file of one with --client ("moiety keygen --client" makes it).',
    );
  const components = members.map(({ trusted: { program, footprint } }) => ({
    program,
    footprint,
    argument: '',
  }));
  requireAuthenticator(options.auth ?? 'bundle', protocol, components, false);
  const settings = composeCluster({
    protocol,
    members,
    clients,
    policy: options.policy ?? [],
    authenticator: options.auth ?? 'bundle',
    ...(options.attestation === undefined ? {} : { attestation: readPolicyFile(options.attestation) }),
  });
  const trust = join(dirname(out), 'trust.json');
  writeClusterFiles(settings, out, trust);
  printLine(
    `Cluster ${settings.clusterId}: ${settings.members.length} members, f = ${settings.f}, protocol ${settings.protocol}.`,
  );
  for (const { id, name, address } of settings.members) printLine(`  replica ${id}: ${name}, ${address}`);
  if (options.auth === 'mac')
    printLine(
      'Its trusted components need one group before the replicas start: "moiety trusted group --help".',
    );
  printLine(`Hand ${out} to every member; ${trust} to everyone who verifies receipts.`);
}

async function replica(options: { config: string }): Promise<void> {
  const { runReplica } = await import('../../node/run-replica.ts');
  await runReplica(options.config);
}

async function gateway(options: { config: string }): Promise<void> {
  const { mainGateway } = await import('../../gateway/main-gateway.ts');
  await mainGateway(['--config', options.config]);
}

interface AdminOptions {
  readonly data: string;
  readonly cluster?: string;
  readonly key?: string;
  readonly json?: boolean;
}

/** Connects as an administrator: the gateway signs for its users, and it is none. */
async function asAdmin<T>(options: AdminOptions, work: (client: MoietyClient) => Promise<T>): Promise<T> {
  const folder = new DataFolder(options.data);
  const { connect } = await import('../../client/client.ts');
  const { readKeyFile } = await import('../../client/keys.ts');
  const cluster = readClusterFile(options.cluster ?? folder.cluster);
  const client = await connect({ cluster, key: readKeyFile(options.key ?? folder.clientKey('admin')) });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

async function registerClient(file: string, options: AdminOptions): Promise<void> {
  const { key, organisation, role, name } = readClientFile(file);
  const raw = hexToBytes(key ?? '');
  if (raw === undefined) throw new CommandFailure(`${file}: its key is not hexadecimal.`);
  const committed = await asAdmin(options, (client) =>
    client.registerClient({ key: raw, organisation, role }),
  );
  if (options.json === true) printJson(committed);
  else
    printLine(
      `${name} of ${organisation} is registered (block ${committed.height}, transaction ${committed.txId}).`,
    );
}

async function revokeClient(file: string, options: AdminOptions): Promise<void> {
  const { clientIdOf } = await import('../../core/request.ts');
  const { nodeHash } = await import('../../platform/sha256.ts');
  const key = hexToBytes(readClientFile(file).key ?? '');
  if (key === undefined) throw new CommandFailure(`${file}: its key is not hexadecimal.`);
  const committed = await asAdmin(options, (client) => client.revokeClient(clientIdOf(nodeHash, key)));
  if (options.json === true) printJson(committed);
  else
    printLine(`The client is revoked for ever (block ${committed.height}, transaction ${committed.txId}).`);
}

function addClientCommands(program: Command): void {
  const client = program
    .command('client')
    .summary('register and revoke clients')
    .description('Registers and revokes clients of a cluster; needs the key of an administrator.')
    .addHelpText(
      'after',
      '\nExamples:\n  moiety client register shop.json\n  moiety client revoke shop.json\n',
    );
  const withAdmin = (command: Command): Command =>
    withJson(command)
      .argument('<file>', 'public file of the client, made by "moiety keygen --client"')
      .addOption(dataOption())
      .option('--cluster <file>', 'cluster.json (default: that of the data folder)')
      .option('--key <file>', "administrator's private key (default: that of the data folder)")
      .exitOverride();
  withAdmin(client.command('register')).summary('admit a client').action(registerClient);
  withAdmin(client.command('revoke')).summary('refuse a client for ever').action(revokeClient);
}

function addStarts(program: Command): void {
  program
    .command('replica')
    .summary('run one replica')
    .description(
      'Runs one replica of a cluster in the foreground until SIGTERM. docs/operations.md describes node.json.',
    )
    .requiredOption('--config <file>', 'node.json')
    .addHelpText('after', '\nExample:\n  moiety replica --config node.json\n')
    .action(replica);
  program
    .command('gateway')
    .summary('run a gateway')
    .description(
      'Runs a gateway of a cluster in the foreground until SIGTERM. docs/operations.md describes gateway.json.',
    )
    .requiredOption('--config <file>', 'gateway.json')
    .addHelpText('after', '\nExample:\n  moiety gateway --config gateway.json\n')
    .action(gateway);
}

/** Adds the commands. */
export function addMembers(program: Command): void {
  program
    .command('keygen')
    .summary("make a member's (or a client's) keys")
    .description(
      'Makes the keys and the trusted component of a member in a new folder, and a public file to hand out. With ' +
        '--client or --admin it makes the key of a client.',
    )
    .requiredOption('--name <name>', 'name of the member or client')
    .requiredOption('--organisation <name>', 'organisation that it belongs to')
    .option('--address <host:port>', 'where the replica of the member listens')
    .addOption(
      new Option(
        '--tc <component>',
        'trusted component of the member, program@footprint[:argument] (default: that of the protocol, for example usig@process)',
      ).argParser(readComponentSpec),
    )
    .addOption(protocolOption('protocol that the replica of the member will run'))
    .option('--out <folder>', 'folder to make (default: the name)')
    .option('--client', 'make the key of a client')
    .option('--admin', 'make the key of a client that may register others')
    .addHelpText(
      'after',
      '\nExamples:\n  moiety keygen --name alpha --organisation bank-a --address 10.0.0.1:4610\n  moiety keygen --client --name shop --organisation bank-a\n',
    )
    .action(keygen);
  program
    .command('init')
    .summary('compose cluster.json from public files')
    .description(
      'Composes cluster.json and trust.json from the public files of all members. It never sees a private key.',
    )
    .requiredOption(
      '--member <file>',
      'public file of a member, in the order of replica numbers; repeat it',
      collect,
    )
    .option('--client <file>', 'public file of a client; repeat it', collect)
    .addOption(
      new Option('--policy <prefix=organisations>', 'who may write below a key prefix; repeat it').argParser(
        parsePolicy,
      ),
    )
    .addOption(protocolOption())
    .addOption(authOption())
    .option('--attestation <file>', 'what the trusted components of the members must prove')
    .option('--out <file>', 'where to write it', 'cluster.json')
    .addHelpText(
      'after',
      '\nExample:\n  moiety init --member alpha.json --member beta.json --member gamma.json --client gate.json --out cluster.json\n',
    )
    .action(init);
  addStarts(program);
  addClientCommands(program);
}

/**
 * Entry of the gateway process: `--config gateway.json`. Under `up` the supervisor gives a fault token in the
 * environment and carries out faults over the process channel.
 */
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { connect } from '../client/client.ts';
import { openKeyFile } from '../client/keys.ts';
import { clusterIdProblem, parseClusterSettings } from '../ledger/genesis.ts';
import type { ClusterSettings } from '../core/config.ts';
import { protocolNeeds } from '../protocols/catalogue.ts';
import { EvidenceBook } from './evidence-book.ts';
import type { FaultList, FaultOrder, FaultPort } from './fault-port.ts';
import { startGateway } from './server.ts';
import { nodeHash } from '../platform/sha256.ts';

/** Name of the environment variable with the fault token of this start. */
export const FAULT_TOKEN_VARIABLE = 'MOIETY_FAULT_TOKEN';
/** A gateway's session window (decision C4). */
const WINDOW = 4_096;
const FAULT_MS = 30_000;

/** `gateway.json`; paths are relative to it. */
export interface GatewayConfig {
  /** Path of cluster.json. */
  readonly cluster: string;
  /** Path of the client key; made if it is not there. */
  readonly key: string;
  /** Path of the state file; default: the key's path with `.state` behind it. */
  readonly state?: string;
  /** Path of the folder where evidence against replicas is kept; default: `evidence` beside this file. */
  readonly evidence?: string;
  /** `host:port`; default 127.0.0.1:4600. */
  readonly listen?: string;
  /** Path of a file with the bearer token, readable by its owner only. */
  readonly token?: string;
  readonly hosts?: readonly string[];
  readonly origins?: readonly string[];
  readonly requestsPerSecond?: number;
  readonly burst?: number;
  readonly timeoutMs?: number;
  readonly logLevel?: string;
}

const TEXTS = ['cluster', 'key', 'state', 'evidence', 'listen', 'token', 'logLevel'];
const LISTS = ['hosts', 'origins'];
const NUMBERS = ['requestsPerSecond', 'burst', 'timeoutMs'];

/** Checks the parsed text of `gateway.json`; throws a sentence that names the field. */
export function checkGatewayConfig(value: unknown): GatewayConfig {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error('it is no JSON object');
  const fields = value as Readonly<Record<string, unknown>>;
  for (const [name, field] of Object.entries(fields)) {
    if (TEXTS.includes(name)) {
      if (typeof field !== 'string' || field === '') throw new Error(`"${name}" must be a text`);
    } else if (LISTS.includes(name)) {
      const isList = Array.isArray(field) && field.every((one) => typeof one === 'string');
      if (!isList) throw new Error(`"${name}" must be a list of texts`);
    } else if (NUMBERS.includes(name)) {
      if (!Number.isSafeInteger(field) || (field as number) < 1)
        throw new Error(`"${name}" must be a whole number from 1`);
    } else throw new Error(`"${name}" is not a known field`);
  }
  for (const name of ['cluster', 'key'])
    if (fields[name] === undefined) throw new Error(`"${name}" is missing`);
  return fields as unknown as GatewayConfig;
}

/** Splits `listen`; throws a sentence. */
export function parseListen(text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535) throw new Error(`"listen" must be host:port, not "${text}"`);
  return { host, port };
}

function readToken(path: string): string {
  if (process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0)
    throw new Error(`token file ${path} can be read by others: run chmod 600 on it`);
  const token = readFileSync(path, 'utf8').trim();
  if (!/^[\x21-\x7e]{16,512}$/.test(token))
    throw new Error(`token file ${path} must hold 16 to 512 printable characters`);
  return token;
}

function readCluster(path: string): ClusterSettings {
  const parsed = parseClusterSettings(JSON.parse(readFileSync(path, 'utf8')), protocolNeeds);
  if ('error' in parsed) throw new Error(`${path}: ${parsed.error}`);
  const problem = clusterIdProblem(nodeHash, parsed.settings);
  if (problem !== undefined) throw new Error(`${path}: ${problem}`);
  return parsed.settings;
}

interface FaultAnswer {
  readonly kind: 'faultDone';
  readonly id: number;
  readonly error?: string;
  readonly list?: FaultList;
}

/**
 * Faults over the channel to the parent process: {kind: 'fault', id, ...order} or {kind: 'faultList', id}, and back
 * {kind: 'faultDone', id, error?, list?}.
 */
function faultOverChannel(token: string): FaultPort {
  let nextId = 1;
  const open = new Map<number, (answer: FaultAnswer) => void>();
  process.on('message', (message: FaultAnswer) => {
    if (message?.kind === 'faultDone') open.get(message.id)?.(message);
  });
  const ask = (message: object): Promise<FaultAnswer> =>
    new Promise((resolvePromise, reject) => {
      const id = nextId;
      nextId += 1;
      const settle = (answer: FaultAnswer): void => {
        clearTimeout(timer);
        open.delete(id);
        if (answer.error === undefined) resolvePromise(answer);
        else reject(new Error(answer.error));
      };
      const late: FaultAnswer = { kind: 'faultDone', id, error: 'the supervisor does not answer' };
      const timer = setTimeout(settle, FAULT_MS, late);
      open.set(id, settle);
      process.send?.({ ...message, id });
    });
  return {
    token,
    perform: async (order: FaultOrder) => {
      await ask({ kind: 'fault', ...order });
    },
    list: async () => {
      const { list } = await ask({ kind: 'faultList' });
      if (list === undefined) throw new Error('the supervisor does not say which faults there are');
      return list;
    },
  };
}

async function run(configPath: string): Promise<void> {
  const folder = dirname(resolve(configPath));
  let config: GatewayConfig;
  try {
    config = checkGatewayConfig(JSON.parse(readFileSync(configPath, 'utf8')));
  } catch (error) {
    throw new Error(`cannot use ${configPath}: ${(error as Error).message}`);
  }
  const logger = pino({ name: 'gateway', level: config.logLevel ?? 'info' });
  const { host, port } = parseListen(config.listen ?? '127.0.0.1:4600');
  const keyPath = resolve(folder, config.key);
  const token = config.token === undefined ? undefined : readToken(resolve(folder, config.token));
  const settings = readCluster(resolve(folder, config.cluster));
  const evidence = new EvidenceBook({
    settings,
    folder: resolve(folder, config.evidence ?? 'evidence'),
    warn: (problem) => logger.warn(problem),
  });
  const client = await connect({
    cluster: settings,
    key: openKeyFile(keyPath),
    stateFile: config.state === undefined ? `${keyPath}.state` : resolve(folder, config.state),
    window: WINDOW,
    // The gateway serves before the cluster does: it says what is lacking.
    connectTimeoutMs: 0,
    onEvidence: (found) => {
      logger.warn({ replica: found.replica, rule: found.rule }, `proven: ${found.explanation}`);
      evidence.add(found);
    },
  });
  const faultToken = process.env[FAULT_TOKEN_VARIABLE];
  const fault =
    faultToken !== undefined && process.send !== undefined ? faultOverChannel(faultToken) : undefined;
  const { hosts, origins, requestsPerSecond, burst, timeoutMs } = config;
  const limits = { hosts, origins, requestsPerSecond, burst, timeoutMs };
  const gateway = await startGateway({ client, evidence, host, port, token, fault, logger, ...limits });
  logger.info({ url: gateway.url }, 'the gateway serves');
  process.send?.({ kind: 'ready', url: gateway.url });
  let isStopping = false;
  const stop = async (): Promise<void> => {
    if (isStopping) return;
    isStopping = true;
    await gateway.close();
    await client.close();
    process.exit(0);
  };
  process.on('SIGTERM', () => void stop());
  process.on('SIGINT', () => void stop());
  // A supervisor that died must not leave a gateway behind.
  if (process.send !== undefined) process.on('disconnect', () => void stop());
}

/** Runs the process; errors are one sentence on standard error and exit code 1. */
export async function mainGateway(args: readonly string[]): Promise<void> {
  try {
    const { values } = parseArgs({ args: [...args], options: { config: { type: 'string' } } });
    if (values.config === undefined) throw new Error('say --config gateway.json');
    await run(values.config);
  } catch (error) {
    process.stderr.write(`gateway: ${(error as Error).message}\n`);
    process.exit(1);
  }
}

const isEntry =
  process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url);
if (isEntry) await mainGateway(process.argv.slice(2));

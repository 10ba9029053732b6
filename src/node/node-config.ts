/**
 * The process settings of one replica (node.json): where its things lie and how it is run. Nothing here is agreed on
 * with the others; that is cluster.json, which is read and checked here, too.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { ClusterSettings } from '../core/config.ts';
import type { ReplicaId } from '../core/types.ts';
import { clusterIdProblem, parseClusterSettings } from '../ledger/genesis.ts';
import { protocolNeeds } from '../protocols/catalogue.ts';
import { registrationProblem } from '../trusted/attestation/registration.ts';
import { nodeAttestationCrypto } from './crypto.ts';
import type { Durability } from './journal.ts';
import { parseAddress } from './peer-hello.ts';
import { nodeHash } from '../platform/sha256.ts';

/** Exit codes of a replica process; documented in docs/operations.md. */
export const EXIT = { stopped: 0, badConfig: 2, storeRefused: 3, failed: 4, startAgain: 5 } as const;

/** A replica that cannot start; `message` is a sentence for the operator. */
export class StartRefused extends Error {
  override readonly name = 'StartRefused';
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT.badConfig) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Levels of the log. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** See the top of this file. Paths are absolute. */
export interface NodeConfig {
  readonly replica: ReplicaId;
  readonly clusterFile: string;
  /** The replica's own folder: `store/`, `evidence/`, and by default `keys/` and `trusted/`. */
  readonly folder: string;
  readonly hostKeyFile: string;
  readonly linkKeyFile: string;
  readonly trustedFolder: string;
  /** "host:port"; default: the member's address in cluster.json. */
  readonly listen: string | undefined;
  readonly durability: Durability;
  readonly logLevel: LogLevel;
  /** Default: standard error. */
  readonly logFile: string | undefined;
}

/** The file as JSON; relative paths count from the file's folder. */
export interface NodeConfigFile {
  readonly replica: number;
  readonly cluster: string;
  readonly folder: string;
  readonly hostKey?: string;
  readonly linkKey?: string;
  readonly trusted?: string;
  readonly listen?: string;
  readonly durability?: Durability;
  readonly logLevel?: LogLevel;
  readonly logFile?: string;
}

const TEXT_FIELDS = ['cluster', 'folder', 'hostKey', 'linkKey', 'trusted', 'listen', 'logFile'] as const;
const DURABILITIES: readonly unknown[] = ['fsync', 'os', 'memory'];
const LEVELS: readonly unknown[] = ['debug', 'info', 'warn', 'error', 'silent'];

function readJson(file: string, what: string): unknown {
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw new StartRefused(`The ${what} ${file} cannot be read: ${(error as Error).message}.`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new StartRefused(`The ${what} ${file} is not JSON: ${(error as Error).message}.`);
  }
}

/** Reads node.json; throws `StartRefused`. */
export function readNodeConfig(file: string): NodeConfig {
  const json = readJson(file, 'config file');
  const bad = (problem: string): StartRefused =>
    new StartRefused(`The config file ${file} is wrong: ${problem}.`);
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw bad('it is not an object');
  const fields = json as Record<string, unknown>;
  const known: readonly string[] = [...TEXT_FIELDS, 'replica', 'durability', 'logLevel'];
  const unknown = Object.keys(fields).find((name) => !known.includes(name));
  if (unknown !== undefined) throw bad(`unknown field "${unknown}" (known: ${known.join(', ')})`);
  for (const name of TEXT_FIELDS) {
    const value = fields[name];
    if (value === undefined && name !== 'cluster' && name !== 'folder') continue;
    if (typeof value !== 'string' || value === '') throw bad(`"${name}" must be a text`);
  }
  const { replica, durability = 'fsync', logLevel = 'info' } = fields;
  if (!Number.isInteger(replica) || (replica as number) < 0) throw bad('"replica" must be a number from 0');
  if (!DURABILITIES.includes(durability)) throw bad('"durability" must be fsync, os or memory');
  if (!LEVELS.includes(logLevel)) throw bad(`"logLevel" must be one of ${LEVELS.join(', ')}`);
  const config = json as NodeConfigFile;
  if (config.listen !== undefined && parseAddress(config.listen) === undefined)
    throw bad(`"listen" must be host:port, not "${config.listen}"`);
  const base = path.dirname(path.resolve(file));
  const folder = path.resolve(base, config.folder);
  return {
    replica: config.replica,
    clusterFile: path.resolve(base, config.cluster),
    folder,
    hostKeyFile: path.resolve(base, config.hostKey ?? path.join(folder, 'keys', 'host.pem')),
    linkKeyFile: path.resolve(base, config.linkKey ?? path.join(folder, 'keys', 'link.pem')),
    trustedFolder: path.resolve(base, config.trusted ?? path.join(folder, 'trusted')),
    listen: config.listen,
    durability: durability as Durability,
    logLevel: logLevel as LogLevel,
    logFile: config.logFile === undefined ? undefined : path.resolve(base, config.logFile),
  };
}

/** Reads and checks cluster.json; throws `StartRefused`. */
export function readClusterFile(file: string): ClusterSettings {
  const parsed = parseClusterSettings(readJson(file, 'cluster file'), protocolNeeds);
  if ('error' in parsed) throw new StartRefused(`The cluster file ${file} is wrong: ${parsed.error}.`);
  const problem = clusterIdProblem(nodeHash, parsed.settings);
  if (problem !== undefined) throw new StartRefused(`The cluster file ${file} is wrong: ${problem}.`);
  const refused = registrationProblem(parsed.settings, nodeAttestationCrypto());
  if (refused !== undefined) throw new StartRefused(`The cluster file ${file} cannot be used: ${refused}`);
  return parsed.settings;
}

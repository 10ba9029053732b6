/** cluster.json as a program that uses the client library reads it. */
import { readFileSync } from 'node:fs';
import type { ClusterSettings } from '../core/config.ts';
import { clusterIdProblem, parseClusterSettings } from '../ledger/genesis.ts';
import { protocolNeeds } from '../protocols/catalogue.ts';
import { ClientError } from './errors.ts';
import { nodeHash } from '../platform/sha256.ts';

/** Reads cluster.json with every check. Throws a `ClientError` (`invalid`) that says what is wrong with the file. */
export function readClusterSettings(path: string): ClusterSettings {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new ClientError('invalid', `cannot read cluster file ${path}: ${(error as Error).message}`);
  }
  const parsed = parseClusterSettings(json, protocolNeeds);
  if ('error' in parsed) throw new ClientError('invalid', `cluster file ${path}: ${parsed.error}`);
  const problem = clusterIdProblem(nodeHash, parsed.settings);
  if (problem !== undefined) throw new ClientError('invalid', `cluster file ${path}: ${problem}`);
  return parsed.settings;
}

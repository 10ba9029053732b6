/** cluster.json and trust.json: composed from public files, written, and read back with every check. */
import { writeFileSync } from 'node:fs';
import { hexToBytes } from '../core/bytes.ts';
import { DEFAULT_LIMITS, DEFAULT_TIMERS, ONE_MACHINE_TIMERS } from '../core/config.ts';
import type { AttestationPolicy, Authenticator, ClusterSettings, PolicyRule } from '../core/config.ts';
import type { Digest } from '../core/types.ts';
import {
  clusterIdOf,
  clusterIdProblem,
  clusterSettingsToJson,
  parseClusterSettings,
} from '../ledger/genesis.ts';
import { encodeTrust } from '../ledger/trust.ts';
import type { Trust } from '../ledger/trust.ts';
import { nodeAttestationCrypto } from '../node/crypto.ts';
import { protocolNeeds } from '../protocols/catalogue.ts';
import type { AnyProtocol } from '../protocols/catalogue.ts';
import { registrationProblem } from '../trusted/attestation/registration.ts';
import { CommandFailure } from './failure.ts';
import { readJsonFile } from './member-file.ts';
import type { ClientFile, MemberFile } from './member-file.ts';
import { faultsOf, possibleSizes } from './protocol-choice.ts';
import { nodeHash } from '../platform/sha256.ts';

/** What a new cluster is composed from. */
export interface Composition {
  readonly protocol: AnyProtocol;
  readonly members: readonly MemberFile[];
  readonly clients: readonly ClientFile[];
  readonly policy?: readonly PolicyRule[];
  readonly authenticator?: Authenticator;
  /** What the members' trusted components must prove; absent: nothing. */
  readonly attestation?: AttestationPolicy;
}

/** Puts genesis together and checks it as a replica would. Throws a CommandFailure that says which field is wrong. */
export function composeCluster(composition: Composition): ClusterSettings {
  const { protocol, members, clients, policy = [], authenticator = 'bundle', attestation } = composition;
  const f = faultsOf(protocol, members.length);
  if (f === undefined)
    throw new CommandFailure(
      `A cluster of the protocol ${protocol.name} has ${protocol.facts.replicas} members (${possibleSizes(protocol)}); ` +
        `${members.length} member files were given.`,
    );
  const withoutId = {
    configurationVersion: 0,
    protocol: protocol.name,
    f,
    suite: members[0]!.trusted?.suite ?? 'ed25519',
    members: members.map(({ name, organisation, address, hostKey, linkKey, trusted }, id) => ({
      id,
      name,
      organisation,
      hostKey,
      linkKey,
      address,
      trusted,
    })),
    clients: clients.map(({ key, organisation, role }) => ({ key, organisation, role })),
    policy,
    limits: DEFAULT_LIMITS,
    timers: members.every(({ address }) => address.startsWith('127.')) ? ONE_MACHINE_TIMERS : DEFAULT_TIMERS,
    ...(authenticator === 'bundle' ? {} : { authenticator }),
    ...(attestation === undefined ? {} : { attestation }),
  };
  // Judged before the id is computed: the id is defined for well-formed settings only.
  const zero = '0'.repeat(64) as Digest;
  const judged = parseClusterSettings(
    JSON.parse(JSON.stringify({ clusterId: zero, ...withoutId })),
    protocolNeeds,
  );
  if ('error' in judged) throw new CommandFailure(`The members do not make a cluster: ${judged.error}.`);
  const refused = registrationProblem(judged.settings, nodeAttestationCrypto(), Date.now());
  if (refused !== undefined) throw new CommandFailure(`The members do not make a cluster: ${refused}`);
  return { ...judged.settings, clusterId: clusterIdOf(nodeHash, judged.settings) };
}

/** What a verifier needs to know of a cluster. */
function trustOf(settings: ClusterSettings): Trust {
  const { clusterId, f, configurationVersion } = settings;
  return {
    clusterId,
    f,
    configurationVersion,
    hostKeys: settings.members.map(({ hostKey }) => hexToBytes(hostKey)!),
  };
}

/** Writes cluster.json; both files are public. */
export function writeClusterFiles(settings: ClusterSettings, clusterPath: string, trustPath: string): void {
  writeFileSync(clusterPath, `${JSON.stringify(clusterSettingsToJson(settings), undefined, 2)}\n`, {
    mode: 0o644,
  });
  writeFileSync(trustPath, encodeTrust(trustOf(settings)), { mode: 0o644 });
}

/** Reads cluster.json with every check. Throws a CommandFailure. */
export function readClusterFile(path: string): ClusterSettings {
  const parsed = parseClusterSettings(readJsonFile(path), protocolNeeds);
  if ('error' in parsed)
    throw new CommandFailure(`${path} is not a cluster file of this version: ${parsed.error}.`);
  const problem = clusterIdProblem(nodeHash, parsed.settings);
  if (problem !== undefined) throw new CommandFailure(`${path}: ${problem}.`);
  return parsed.settings;
}

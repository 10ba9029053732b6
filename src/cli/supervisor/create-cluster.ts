/** Makes a local cluster in an empty data folder: keys, trusted components, cluster.json, trust.json. */
import { bytesToHex } from '../../core/bytes.ts';
import { NO_PROGRAM, noComponent } from '../../core/config.ts';
import type { Authenticator, TrustedRegistration } from '../../core/config.ts';
import type { ComponentSpec } from '../../footprints/contract.ts';
import { createComponent } from '../../footprints/registry.ts';
import { createWasmComponents } from '../../footprints/wasm/component-folder.ts';
import { createKeyFile } from '../../node/keys.ts';
import type { AnyProtocol } from '../../protocols/catalogue.ts';
import { composeCluster, writeClusterFiles } from '../cluster-file.ts';
import { printableSpec } from '../component-choice.ts';
import type { DataFolder } from '../data-folder.ts';
import { CommandFailure, messageOf } from '../failure.ts';
import { CLIENT_FORMAT, MEMBER_FORMAT } from '../member-file.ts';
import type { ClientFile, MemberFile } from '../member-file.ts';
import { joinComponents } from './mac-group.ts';
import { killComponents } from './component-processes.ts';
import { rawPublicKeyOf } from '../../platform/ed25519.ts';

/** What is asked for. */
export interface NewCluster {
  readonly protocol: AnyProtocol;
  /** Port of the gateway; replica N gets this + 1 + N. */
  readonly port: number;
  /** The trusted component of each replica. */
  readonly components: readonly ComponentSpec[];
  /** Components of the HMAC suite instead of those (`--dev`). */
  readonly development: boolean;
  /** Absent: signed bundles. */
  readonly authenticator?: Authenticator | undefined;
}

/** The address of replica `id` in a local cluster. */
export function replicaPort(port: number, id: number): number {
  return port + 1 + id;
}

function newKey(path: string): string {
  return bytesToHex(rawPublicKeyOf(createKeyFile(path))!);
}

function member(folder: DataFolder, id: number, port: number, trusted: TrustedRegistration): MemberFile {
  const paths = folder.replica(id);
  return {
    format: MEMBER_FORMAT,
    name: `replica-${id}`,
    organisation: `organisation-${id}`,
    address: `127.0.0.1:${replicaPort(port, id)}`,
    hostKey: newKey(paths.hostKey),
    linkKey: newKey(paths.linkKey),
    trusted,
  };
}

function client(folder: DataFolder, name: 'gateway' | 'admin' | 'local'): ClientFile {
  const role = name === 'admin' ? 'admin' : 'client';
  return { format: CLIENT_FORMAT, name, organisation: 'local', key: newKey(folder.clientKey(name)), role };
}

async function createComponents(
  folders: readonly string[],
  specs: readonly ComponentSpec[],
): Promise<readonly TrustedRegistration[]> {
  const create = (path: string, spec: ComponentSpec): Promise<TrustedRegistration> =>
    spec.program === NO_PROGRAM ? Promise.resolve(noComponent('ed25519')) : createComponent(path, spec);
  const outcomes = await Promise.allSettled(folders.map((path, id) => create(path, specs[id]!)));
  return outcomes.map((outcome, id) => {
    if (outcome.status === 'fulfilled') return outcome.value;
    const what = printableSpec(specs[id]!);
    throw new CommandFailure(
      `The trusted component ${what} of replica ${id} cannot be made: ${messageOf(outcome.reason)}.`,
    );
  });
}

/**
 * Makes the cluster. Interrupted, it leaves a folder that the next call makes again from the start: nothing was sealed
 * yet.
 */
export async function createCluster(folder: DataFolder, wanted: NewCluster): Promise<void> {
  // Those of a creation that was interrupted.
  await killComponents(folder.at('tc-'));
  folder.beginCreation();
  const ids = wanted.components.map((_, id) => id);
  const trusted = ids.map((id) => folder.replica(id).trusted);
  const registrations = wanted.development
    ? createWasmComponents(trusted)
    : await createComponents(trusted, wanted.components);
  const { authenticator = 'bundle' } = wanted;
  if (authenticator === 'mac') await joinComponents(trusted, registrations[0]!.measurement);
  const settings = composeCluster({
    authenticator,
    protocol: wanted.protocol,
    members: ids.map((id) => member(folder, id, wanted.port, registrations[id]!)),
    clients: [client(folder, 'gateway'), client(folder, 'admin'), client(folder, 'local')],
  });
  writeClusterFiles(settings, folder.cluster, folder.trust);
  const { clusterId } = settings;
  const { port, development } = wanted;
  folder.finishCreation({ clusterId, replicas: ids.length, port, development });
}

/** For tests: the files of a small cluster on this machine, with real keys and real trusted folders if they are asked for. */
import { generateKeyPairSync } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { bytesToHex } from '../core/bytes.ts';
import type { ClusterSettings, TrustedRegistration } from '../core/config.ts';
import { DEFAULT_LIMITS, DEFAULT_TIMERS } from '../core/config.ts';
import type { Digest, TcEpoch } from '../core/types.ts';
import { createTrustedFolder } from '../footprints/process/launcher.ts';
import { clusterIdOf, clusterSettingsToJson } from '../ledger/genesis.ts';
import { createKeyFile } from './keys.ts';
import { nodeHash } from '../platform/sha256.ts';
import { rawPublicKeyOf } from '../platform/ed25519.ts';

/** Ports that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => net.createServer());
  await Promise.all(
    servers.map((server) => new Promise<void>((done) => server.listen(0, '127.0.0.1', () => done()))),
  );
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

/** Where the config of each replica lies. */
export interface ClusterFiles {
  readonly settings: ClusterSettings;
  readonly configs: readonly string[];
  readonly folders: readonly string[];
  readonly clientKeyFile: string;
}

/** Makes everything in `folder`. Without trusted folders the registration is a made-up one. */
export async function makeClusterFiles(
  folder: string,
  options: { readonly trusted: boolean; readonly replicas?: number },
): Promise<ClusterFiles> {
  const count = options.replicas ?? 3;
  const ports = await freePorts(count);
  const folders = Array.from({ length: count }, (_, id) => path.join(folder, `replica-${id}`));
  const members: ClusterSettings['members'][number][] = [];
  for (const [id, own] of folders.entries()) {
    const hostKey = createKeyFile(path.join(own, 'keys', 'host.pem'));
    const linkKey = createKeyFile(path.join(own, 'keys', 'link.pem'));
    const madeUp: TrustedRegistration = {
      program: 'usig',
      footprint: 'process',
      measurement: '11'.repeat(32) as Digest,
      suite: 'ed25519',
      tcId: bytesToHex(nodeHash(Uint8Array.of(id))).slice(0, 32),
      tcEpoch: bytesToHex(nodeHash(Uint8Array.of(id, 1))).slice(0, 16) as TcEpoch,
      publicKey: bytesToHex(rawPublicKeyOf(generateKeyPairSync('ed25519').publicKey)!),
    };
    const trusted = options.trusted ? await createTrustedFolder(path.join(own, 'trusted')) : madeUp;
    members.push({
      id,
      name: `replica-${id}`,
      organisation: `org${id}`,
      hostKey: bytesToHex(rawPublicKeyOf(hostKey)!),
      linkKey: bytesToHex(rawPublicKeyOf(linkKey)!),
      address: `127.0.0.1:${ports[id]}`,
      trusted,
    });
  }
  const clientKeyFile = path.join(folder, 'client.pem');
  const clientKey = createKeyFile(clientKeyFile);
  const content = {
    configurationVersion: 0,
    protocol: 'minbft',
    f: (count - 1) / 2,
    suite: 'ed25519' as const,
    members,
    clients: [{ key: bytesToHex(rawPublicKeyOf(clientKey)!), organisation: 'org0', role: 'admin' as const }],
    policy: [],
    limits: DEFAULT_LIMITS,
    timers: DEFAULT_TIMERS,
  };
  const settings: ClusterSettings = { clusterId: clusterIdOf(nodeHash, content), ...content };
  fs.writeFileSync(path.join(folder, 'cluster.json'), JSON.stringify(clusterSettingsToJson(settings)));
  const configs = folders.map((own, id) => {
    const file = path.join(folder, `node-${id}.json`);
    const config = { replica: id, cluster: 'cluster.json', folder: path.basename(own), logLevel: 'silent' };
    fs.writeFileSync(file, JSON.stringify(config));
    return file;
  });
  return { settings, configs, folders, clientKeyFile };
}

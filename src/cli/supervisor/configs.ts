/** Configuration files of the processes of a local cluster; written anew at each start. */
import { mkdirSync, rmSync } from 'node:fs';
import type { Durability } from '../../node/journal.ts';
import { EXIT as NODE_EXIT } from '../../node/node-config.ts';
import type { DataFolder } from '../data-folder.ts';

/** Exit codes of a replica after which starting it again cannot help: its log says why. */
export const FATAL_EXIT_CODES: readonly number[] = [
  NODE_EXIT.badConfig,
  NODE_EXIT.storeRefused,
  NODE_EXIT.failed,
];

/** Writes node.json of every replica and gateway.json. Paths are relative, so that the folder may be moved. */
export function writeConfigs(
  folder: DataFolder,
  settings: { readonly replicas: number; readonly port: number; readonly durability: Durability },
): void {
  const { replicas, port, durability } = settings;
  for (let id = 0; id < replicas; id += 1) {
    const { config } = folder.replica(id);
    folder.writeJson(config, {
      replica: id,
      cluster: '../cluster.json',
      folder: '.',
      hostKey: 'keys/host.pem',
      linkKey: 'keys/link.pem',
      trusted: `../tc-${id}`,
      durability,
    });
  }
  mkdirSync(folder.at('gateway'), { recursive: true, mode: 0o700 });
  folder.writeJson(folder.gatewayConfig, {
    cluster: '../cluster.json',
    key: '../keys/gateway.pem',
    state: 'session.state',
    listen: `127.0.0.1:${port}`,
  });
  // Nothing of this folder runs now: a lock of a killed gateway must not be taken for another process's.
  rmSync(folder.at('gateway', 'session.state.lock'), { force: true });
}

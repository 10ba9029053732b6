/** The folder of one replica: whose it is, which format it has, and that one process alone uses it. */
import { createHash } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import type { ClusterSettings } from '../core/config.ts';
import type { ReplicaId } from '../core/types.ts';
import { takeLock } from '../footprints/process/lock.ts';
import { writeFileAtomically } from './disk.ts';
import { EXIT, StartRefused } from './node-config.ts';

/** Version of everything below `store/`. */
const STORE_FORMAT = 3;
/** A process that was just killed may need a moment to be gone. */
const LOCK_PATIENCE_MS = 1_500;

/** Where things lie in a replica's folder. `store` is what a wipe removes; keys and trusted component are not in it. */
export function foldersOf(folder: string): {
  readonly store: string;
  readonly format: string;
  readonly journal: string;
  readonly blocks: string;
  readonly state: string;
  readonly evidence: string;
  readonly pid: string;
  readonly stopped: string;
} {
  const store = path.join(folder, 'store');
  return {
    store,
    format: path.join(store, 'format.json'),
    journal: path.join(store, 'journal'),
    blocks: path.join(store, 'blocks'),
    state: path.join(store, 'state'),
    evidence: path.join(folder, 'evidence'),
    pid: path.join(folder, 'replica.pid'),
    stopped: path.join(folder, 'stopped.json'),
  };
}

/** Gives a lock back before the process ends. */
export type ReleaseLock = () => void;

/**
 * Linux: a socket in the abstract namespace, which the kernel takes back when its process ends, however it ends.
 * Undefined if another process holds the name.
 */
function bindLock(name: string): Promise<ReleaseLock | undefined> {
  return new Promise((resolve, reject) => {
    const server = net.createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(`\0moiety-replica-${name}`, () => {
      resolve(() => server.close());
    });
    server.unref();
  });
}

async function acquire(folder: string, token: Uint8Array): Promise<ReleaseLock | undefined> {
  if (process.platform !== 'linux')
    return (await takeLock(folder, token, LOCK_PATIENCE_MS)) ? () => undefined : undefined;
  const { dev, ino } = fs.statSync(folder, { bigint: true });
  const name = createHash('sha256').update(token).update(`${dev}:${ino}`).digest('hex').slice(0, 40);
  const deadline = performance.now() + LOCK_PATIENCE_MS;
  for (;;) {
    const release = await bindLock(name);
    if (release !== undefined || performance.now() > deadline) return release;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Takes the folder for this process, for as long as it lives; throws `StartRefused` if another one has it. */
export async function lockDataFolder(folder: string, linkKey: KeyObject): Promise<ReleaseLock> {
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  // A secret of the replica, so that nobody else on this machine can take the name.
  const token = createHash('sha256')
    .update('moiety/replica-lock/v1')
    .update(linkKey.export({ format: 'der', type: 'pkcs8' }))
    .digest();
  const { pid } = foldersOf(folder);
  const release = await acquire(folder, token);
  if (release === undefined) {
    let holder = '';
    try {
      holder = ` (process ${fs.readFileSync(pid, 'utf8').trim()})`;
    } catch {
      // Nobody wrote who it is.
    }
    throw new StartRefused(
      `The data folder ${folder} is in use by another replica process${holder}. Stop that one, or give this one its own folder.`,
      EXIT.storeRefused,
    );
  }
  fs.writeFileSync(pid, `${process.pid}\n`, { mode: 0o600 });
  return release;
}

/** Checks that the store belongs to this replica of this cluster; marks it if it is new. Throws `StartRefused`. */
export function claimStore(folder: string, settings: ClusterSettings, replica: ReplicaId): void {
  const { store, format } = foldersOf(folder);
  fs.mkdirSync(store, { recursive: true, mode: 0o700 });
  let text: string | undefined;
  try {
    text = fs.readFileSync(format, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const refuse = (problem: string): StartRefused => new StartRefused(problem, EXIT.storeRefused);
  if (text === undefined) {
    if (fs.readdirSync(store).length > 0)
      throw refuse(
        `The folder ${store} holds something that is not a store of this program; name another folder.`,
      );
    const mark = { format: STORE_FORMAT, clusterId: settings.clusterId, replica };
    writeFileAtomically(format, `${JSON.stringify(mark)}\n`);
    return;
  }
  let mark: { format?: unknown; clusterId?: unknown; replica?: unknown } = {};
  try {
    mark = (JSON.parse(text) as typeof mark | null) ?? {};
  } catch {
    // Told below: it has no format.
  }
  if (!Number.isInteger(mark.format))
    throw refuse(
      `${format} is unreadable: the store is damaged; \`moiety fault wipe ${replica}\` removes it.`,
    );
  if (mark.format !== STORE_FORMAT)
    throw refuse(
      `The store ${store} has format ${String(mark.format)}, this version of moiety knows ${STORE_FORMAT}: ` +
        'start it with the version that wrote it, or wipe it and let it come back by state transfer.',
    );
  if (mark.clusterId !== settings.clusterId)
    throw refuse(
      `The store ${store} belongs to cluster ${String(mark.clusterId).slice(0, 16)}, cluster.json is of ` +
        `${settings.clusterId.slice(0, 16)}: name the right folder or the right cluster.json.`,
    );
  if (mark.replica !== replica)
    throw refuse(`The store ${store} belongs to replica ${String(mark.replica)}, not to replica ${replica}.`);
}

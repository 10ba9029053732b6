/**
 * Three (five, seven) replicas as real processes with real stores, keys, links and trusted components, each started as a
 * member would start it. Where the machine allows, each has a network of its own (a namespace with an address on a
 * bridge), and one keeps its store on a small file system of its own that can be filled and made read-only.
 */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { moiety, processesOf } from '../support/local-cluster.ts';
import { Network } from './network.ts';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const STORE_MIB = 192;

function must(args: readonly string[]): void {
  const ran = moiety(...args);
  if (ran.code !== 0) throw new Error(`moiety ${args.join(' ')}: ${ran.err}`);
}

/** One replica of a site. */
interface Member {
  readonly folder: string;
  child: ChildProcess | undefined;
  /** Whether it should be running: an end that nobody asked for is an offence. */
  wanted: boolean;
  stopped: boolean;
}

/** See the top of this file. */
export class Site {
  readonly root = mkdtempSync(join(tmpdir(), 'mo-nemesis-'));
  readonly n: number;
  readonly network: Network;
  readonly clusterFile = join(this.root, 'cluster.json');
  readonly #members: Member[] = [];
  #disposed = false;
  /** Replica whose store lies on a file system of its own; undefined if that is not possible here. */
  #fragile: number | undefined;
  /** Ends of processes that nobody asked for, in words. */
  readonly offences: string[] = [];
  /** Starts of replicas, the first ones included. */
  starts = 0;

  constructor(n: number) {
    this.n = n;
    this.network = Network.open(n);
  }

  /** Makes keys, cluster file and configurations, as members would. */
  prepare(clients: number): void {
    for (let id = 0; id < this.n; id += 1) {
      const folder = join(this.root, `r${id}`);
      const identity = [
        '--name',
        `r${id}`,
        '--organisation',
        `org-${id}`,
        '--address',
        this.network.address(id),
      ];
      must(['keygen', ...identity, '--out', folder]);
      writeFileSync(
        join(folder, 'node.json'),
        JSON.stringify({
          replica: id,
          cluster: this.clusterFile,
          folder: '.',
          logFile: 'replica.log',
          logLevel: 'info',
        }),
      );
      this.#members.push({ folder, child: undefined, wanted: false, stopped: false });
    }
    const given: string[] = [];
    for (let index = 0; index < clients; index += 1) {
      const folder = join(this.root, `c${index}`);
      must(['keygen', '--admin', '--name', `c${index}`, '--organisation', 'users', '--out', folder]);
      given.push('--client', join(folder, `c${index}.json`));
    }
    const members = this.#members.flatMap(({ folder }, id) => ['--member', join(folder, `r${id}.json`)]);
    must(['init', ...members, ...given, '--out', this.clusterFile]);
    this.#fragile = this.#mountStore(this.n - 1) ? this.n - 1 : undefined;
  }

  /** Private key file of a client. */
  clientKey(index: number): string {
    return join(this.root, `c${index}`, 'client.pem');
  }

  get fragile(): number | undefined {
    return this.#fragile;
  }

  /** Whether small file systems can be made here. */
  canMount(): boolean {
    const place = join(this.root, 'mount');
    mkdirSync(place);
    const mounted = run('mount', '-t', 'tmpfs', '-o', 'size=1m', 'moiety-test', place);
    if (mounted) run('umount', place);
    return mounted;
  }

  #mountStore(id: number): boolean {
    const store = join(this.#members[id]!.folder, 'store');
    mkdirSync(store, { recursive: true, mode: 0o700 });
    return run('mount', '-t', 'tmpfs', '-o', `size=${STORE_MIB}m,mode=0700`, 'moiety-test', store);
  }

  // ---- processes --------------------------------------------------------------------------------------------------

  /** Starts a replica; `ready` is not waited for. */
  start(id: number): void {
    const member = this.#members[id]!;
    if (member.child !== undefined || this.#disposed) return;
    this.starts += 1;
    member.wanted = true;
    const config = join(member.folder, 'node.json');
    const [command, ...args] = this.network.command(id, [
      process.execPath,
      MAIN,
      'replica',
      '--config',
      config,
    ]);
    const child = spawn(command!, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    member.child = child;
    let words = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (words = (words + text).slice(-2_000)));
    child.once('exit', (code, signal) => {
      member.child = undefined;
      if (!member.wanted) return;
      const note = join(member.folder, 'stopped.json');
      const last = existsSync(note) ? readFileSync(note, 'utf8').trim() : words.trim();
      this.offences.push(`replica ${id} ended by itself (${signal ?? `code ${code}`}): ${last}`);
    });
  }

  /** SIGKILL to the replica, to its trusted process, or to both. */
  async kill(id: number, what: 'replica' | 'trusted' | 'both'): Promise<void> {
    const member = this.#members[id]!;
    if (what !== 'trusted') member.wanted = false;
    // The command of the namespace is replaced by the replica, so the child is the replica itself.
    if (what !== 'trusted' && member.child?.pid !== undefined) process.kill(member.child.pid, 'SIGKILL');
    if (what !== 'replica')
      for (const pid of this.trustedProcesses(id)) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It went by itself meanwhile.
        }
      }
    while (what !== 'trusted' && member.child !== undefined) await new Promise((done) => setTimeout(done, 5));
    member.stopped = false;
  }

  trustedProcesses(id: number): number[] {
    return processesOf(join(this.#members[id]!.folder, 'trusted'));
  }

  /** SIGSTOP or SIGCONT. */
  pause(id: number, stopped: boolean): void {
    const member = this.#members[id]!;
    if (member.child?.pid === undefined) return;
    process.kill(member.child.pid, stopped ? 'SIGSTOP' : 'SIGCONT');
    member.stopped = stopped;
  }

  isUp(id: number): boolean {
    return this.#members[id]!.child !== undefined;
  }

  // ---- a file system that fails -----------------------------------------------------------------------------------

  /** Fills the small file system to the last byte, or gives the room back. */
  fill(full: boolean): void {
    const path = join(this.#members[this.#fragile!]!.folder, 'store', 'ballast');
    if (!full) return rmSync(path, { force: true });
    const file = openSync(path, 'w', 0o600);
    try {
      for (let size = 1 << 20; size >= 1; size >>= 4)
        for (;;) {
          try {
            if (writeSync(file, Buffer.alloc(size)) < size) break;
          } catch {
            break;
          }
        }
    } finally {
      closeSync(file);
    }
  }

  /** Makes the small file system read-only, or writable again. False if the system did not. */
  readOnly(on: boolean): boolean {
    const store = join(this.#members[this.#fragile!]!.folder, 'store');
    return run('mount', '-o', `remount,${on ? 'ro' : 'rw'}`, store);
  }

  /** From now on this replica may end by itself without offence (its disk fails); it has to be started again. */
  excuse(id: number): void {
    this.#members[id]!.wanted = false;
  }

  /** Its disk is well again: it must run, and an end by itself is an offence again. */
  demand(id: number): void {
    this.#members[id]!.wanted = true;
    this.start(id);
  }

  /** Folder of a replica. */
  folder(id: number): string {
    return this.#members[id]!.folder;
  }

  /** Ends every process, gives networks and file systems back; the folder goes unless it is kept. */
  async dispose(keep: boolean): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const member of this.#members) member.wanted = false;
    for (let round = 0; round < 50 && processesOf(this.root).length > 0; round += 1) {
      for (const pid of processesOf(this.root)) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // Gone already.
        }
      }
      await new Promise((done) => setTimeout(done, 50));
    }
    if (this.#fragile !== undefined && !keep)
      run('umount', join(this.#members[this.#fragile]!.folder, 'store'));
    this.network.close();
    if (!keep) rmSync(this.root, { recursive: true, force: true });
  }
}

/** Runs a system command; false if it failed or is not there. */
export function run(command: string, ...args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore', timeout: 20_000 }).status === 0;
}

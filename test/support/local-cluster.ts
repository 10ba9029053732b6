/** A cluster of real processes for tests: the command line is driven as a person would, every wait has a deadline. */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { killComponents } from '../../src/cli/supervisor/component-processes.ts';

const MAIN = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'src', 'cli', 'main.ts');
const START_MS = 60_000;
const CALL_MS = 300_000;

/** What a command line did. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A replica in `status --json`, as far as tests look at it. */
export interface SeenReplica {
  readonly id: number;
  readonly reachable?: boolean;
  readonly view: number;
  readonly role: string;
  readonly sequence: number;
  readonly height: number;
  readonly headerHash: string;
  readonly stateDigest: string;
  readonly tc: { readonly program: string; readonly footprint: string; readonly tcEpoch: string };
  readonly proven: readonly { readonly replica: number }[];
}

/** Waits until `probe` gives something; fails after `patienceMs`. */
export async function eventually<T>(
  what: string,
  patienceMs: number,
  probe: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`not in ${patienceMs} ms: ${what}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

/** Runs one command line to its end. */
export function moiety(...args: readonly string[]): Ran {
  const run = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', timeout: CALL_MS });
  return { code: run.status ?? -1, out: run.stdout, err: run.stderr };
}

/** Starts a command line and does not wait. */
export function startMoiety(...args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Processes whose command line names this text. */
export function processesOf(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return pid !== process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
      } catch {
        return false;
      }
    });
}

/** See the top of this file. */
export class LocalCluster {
  readonly root = mkdtempSync(join(tmpdir(), 'mo-'));
  readonly data = join(this.root, 'd');
  readonly port: number;
  #up: ChildProcess | undefined;
  output = '';

  constructor(port: number) {
    this.port = port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** A command of this cluster. */
  run(command: string, ...args: readonly string[]): Ran {
    return moiety(command, ...args, '--data', this.data);
  }

  /** `up`, until it says `ready`. */
  async start(...more: readonly string[]): Promise<void> {
    const child = startMoiety('up', '--data', this.data, '--port', String(this.port), ...more);
    this.#up = child;
    this.output = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    await eventually('ready', START_MS, () => {
      if (child.exitCode !== null) throw new Error(`up has ended: ${this.output}`);
      return /^ready$/m.test(this.output) ? true : undefined;
    });
  }

  /** Ends the supervisor with a signal and waits for it. */
  async signal(name: NodeJS.Signals): Promise<number | null> {
    const child = this.#up!;
    child.kill(name);
    await eventually(`end after ${name}`, 30_000, () =>
      child.exitCode !== null || child.signalCode !== null ? true : undefined,
    );
    return child.exitCode;
  }

  /** Every process of the cluster is killed at once: supervisor, replicas, trusted processes, gateway. */
  async killEverything(): Promise<void> {
    for (const pid of processesOf(this.data)) process.kill(pid, 'SIGKILL');
    await eventually('all gone', 10_000, () => (processesOf(this.data).length === 0 ? true : undefined));
  }

  replicas(): SeenReplica[] {
    const { out, err } = this.run('status', '--json');
    if (out === '') throw new Error(`status says nothing: ${err}`);
    return (JSON.parse(out) as { replicas: SeenReplica[] }).replicas;
  }

  /** Waits until all replicas are at one sequence number, height and header hash. */
  converged(patienceMs = 40_000): Promise<SeenReplica[]> {
    let last: SeenReplica[] = [];
    return eventually('replicas are equal', patienceMs, () => {
      last = this.replicas();
      const places = new Set(
        last.map(({ sequence, height, headerHash }) => `${sequence}/${height}/${headerHash}`),
      );
      const wellRoles = last.every(({ role }) => role === 'primary' || role === 'backup');
      return places.size === 1 && wellRoles ? last : undefined;
    }).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}: ${JSON.stringify(last).slice(0, 2_000)}`);
    });
  }

  /** Ends what is left and removes the folder. */
  async dispose(): Promise<void> {
    await this.killEverything();
    await killComponents(join(this.data, 'tc-'));
    rmSync(this.root, { recursive: true, force: true });
  }
}

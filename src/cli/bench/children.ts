/** Processes that make load: started, told to begin together, asked for what they measured; as often as wanted. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CommandFailure } from '../failure.ts';
import type { LoadSettings, Measured } from './measured.ts';

const SLACK_MS = 60_000;
const PROBLEM_LENGTH_MAX = 2_000;

/** Path of a program of this folder: a source in a clone, a built file in the published package. */
export function programFile(name: 'main-load' | 'main-floor' | 'main-raw'): string {
  const here = fileURLToPath(import.meta.url);
  return fileURLToPath(new URL(`./${name}${extname(here)}`, import.meta.url));
}

/** One child that answers over its channel. */
export class BenchChild {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #messages: unknown[] = [];
  #wake: (() => void) | undefined;
  #problem = '';

  /** `flags`: of Node. */
  constructor(name: string, program: string, args: readonly string[], flags: readonly string[] = []) {
    this.name = name;
    this.#child = spawn(process.execPath, [...flags, program, ...args], {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
    this.#child.on('message', (message) => {
      this.#messages.push(message);
      this.#wake?.();
    });
    this.#child.stderr?.setEncoding('utf8');
    this.#child.stderr?.on('data', (text: string) => {
      this.#problem = (this.#problem + text).slice(-PROBLEM_LENGTH_MAX);
    });
    this.#child.on('exit', () => this.#wake?.());
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  send(message: object): void {
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  /** The next message. Fails if the child ends or stays silent. */
  async next<T>(patienceMs: number): Promise<T> {
    const deadline = performance.now() + patienceMs;
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) return message as T;
      const leftMs = deadline - performance.now();
      if (this.#child.exitCode !== null || this.#child.signalCode !== null)
        throw new CommandFailure(`${this.name} has ended: ${this.#problem.trim() || 'it said nothing'}`);
      if (leftMs <= 0) throw new CommandFailure(`${this.name} does not answer: ${this.#problem.trim()}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Closes its channel, after which it ends by itself and in order (a profiled one then writes its profile). */
  async end(patienceMs: number): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    if (this.#child.connected) this.#child.disconnect();
    const timer = setTimeout(() => this.kill(), patienceMs);
    await ended;
    clearTimeout(timer);
  }

  /** Ends it at once. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/** What one child is to do. */
export interface Order<M extends object = object> {
  readonly child: BenchChild;
  readonly settings: LoadSettings & M;
}

/** Lets children that make load run together. `atWindow` is called when the warm-up is over and at the end. */
export async function runTogether<R extends Measured = Measured>(
  orders: readonly Order[],
  atWindow: (edge: 'begin' | 'end') => void,
): Promise<readonly R[]> {
  const { warmupMs, durationMs } = orders[0]!.settings;
  for (const { child, settings } of orders) child.send({ kind: 'start', settings });
  const timers = [
    setTimeout(atWindow, warmupMs, 'begin'),
    setTimeout(atWindow, warmupMs + durationMs, 'end'),
  ];
  try {
    return await Promise.all(orders.map(({ child }) => child.next<R>(warmupMs + durationMs + SLACK_MS)));
  } finally {
    for (const timer of timers) clearTimeout(timer);
  }
}

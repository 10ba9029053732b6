/** Load-making processes: started, told to begin together, asked for what they measured. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { CommandFailure } from '../failure.ts';
import type { LoadSettings, Measured } from './measured.ts';

const READY_MS = 30_000;
const SLACK_MS = 30_000;

/** One child that answers over its channel. */
export class BenchChild {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #messages: unknown[] = [];
  #wake: (() => void) | undefined;
  #problem = '';

  constructor(name: string, program: string, args: readonly string[]) {
    this.name = name;
    this.#child = spawn(process.execPath, [program, ...args], {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
    this.#child.on('message', (message) => {
      this.#messages.push(message);
      this.#wake?.();
    });
    this.#child.stderr?.setEncoding('utf8');
    this.#child.stderr?.on('data', (text: string) => (this.#problem = (this.#problem + text).slice(-2_000)));
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

  /** Ends it at once. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/** Lets all children that make load run together. `atWindow` is called when the warm-up is over and at the end. */
export async function runTogether(
  children: readonly BenchChild[],
  settings: LoadSettings,
  atWindow: (edge: 'begin' | 'end') => void,
): Promise<readonly Measured[]> {
  await Promise.all(children.map((child) => child.next(READY_MS)));
  for (const child of children) child.send({ kind: 'start', settings });
  const timers = [
    setTimeout(atWindow, settings.warmupMs, 'begin'),
    setTimeout(atWindow, settings.warmupMs + settings.durationMs, 'end'),
  ];
  try {
    const patienceMs = settings.warmupMs + settings.durationMs + SLACK_MS;
    return await Promise.all(children.map((child) => child.next<Measured>(patienceMs)));
  } finally {
    for (const timer of timers) clearTimeout(timer);
  }
}

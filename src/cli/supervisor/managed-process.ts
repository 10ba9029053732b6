/**
 * One supervised process. It is started again, with growing pauses, when it ends by itself or is killed from outside;
 * it stays down when it was stopped on purpose, or when it said that starting it again cannot help.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess, Serializable } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readSync, fstatSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ProcessReport, ProcessState } from './run-file.ts';

const RESTART_MS = 250;
const RESTART_CAP_MS = 10_000;
/** Having lived so long, a process starts with the shortest pause again. */
const SETTLED_MS = 5_000;
const STOP_PATIENCE_MS = 8_000;
const LOG_BYTES_MAX = 32 * 1024 * 1024;
const TAIL_BYTES = 16 * 1024;

/** How to start it. Asked anew at each start. */
export interface LaunchPlan {
  /** Program and arguments, for this Node. */
  readonly args: readonly string[];
  readonly byzantine: string | undefined;
}

/** What a managed process needs. */
export interface ManagedOptions {
  readonly name: string;
  readonly log: string;
  readonly plan: () => LaunchPlan;
  /** Exit codes that mean: do not start again, the log says why. */
  readonly fatalExitCodes: readonly number[];
  readonly onChange: () => void;
  /** More environment; variables of the caller are passed on. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Opens a channel to the process and gets what it says there. */
  readonly onMessage?: (message: unknown, answer: (value: Serializable) => void) => void;
  /** Said over the channel at each start; undefined: nothing. */
  readonly firstWords?: () => Serializable | undefined;
}

/** See the top of this file. */
export class ManagedProcess {
  readonly #options: ManagedOptions;
  #child: ChildProcess | undefined;
  #state: ProcessState = 'stopped';
  #reason: string | undefined;
  #byzantine: string | undefined;
  #restarts = 0;
  #attempts = 0;
  #startedAtMs = 0;
  #logStart = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Resolves when the present child has ended. */
  #ended: Promise<void> = Promise.resolve();
  #wanted = false;

  constructor(options: ManagedOptions) {
    this.#options = options;
  }

  /** What people are told. */
  get report(): Omit<ProcessReport, 'cutOff'> {
    return {
      name: this.#options.name,
      state: this.#state,
      pid: this.#child?.pid ?? null,
      restarts: this.#restarts,
      reason: this.#reason ?? null,
      byzantine: this.#byzantine ?? null,
    };
  }

  /** Whether a child exists, running or paused. */
  get isUp(): boolean {
    return this.#child !== undefined;
  }

  /** Starts it, unless it is up. From now on it is kept up. */
  start(): void {
    this.#wanted = true;
    this.#attempts = 0;
    clearTimeout(this.#timer);
    if (this.#child === undefined) this.#spawn();
  }

  #spawn(): void {
    const { args, byzantine } = this.#options.plan();
    const log = this.#openLog();
    // A group of its own: Ctrl-C in the terminal reaches only the supervisor, which ends everything in order.
    const { onMessage, environment } = this.#options;
    const child = spawn(process.execPath, args, {
      detached: true,
      stdio: onMessage === undefined ? ['ignore', log, log] : ['ignore', log, log, 'ipc'],
      env: { ...process.env, ...environment },
    });
    if (log !== 'ignore') closeSync(log);
    if (onMessage !== undefined)
      child.on('message', (message) =>
        onMessage(message, (value) => {
          if (child.connected) child.send(value, () => undefined);
        }),
      );
    this.#child = child;
    this.#byzantine = byzantine;
    this.#startedAtMs = performance.now();
    this.#state = 'running';
    this.#reason = undefined;
    this.#ended = new Promise((resolve) => {
      const onEnd = (why: string, code: number | null): void => {
        if (this.#child !== child) return;
        this.#child = undefined;
        this.#onEnd(why, code);
        resolve();
      };
      child.once('error', (error) => onEnd(error.message, null));
      child.once('exit', (code, name) =>
        onEnd(name === null ? `exit code ${code}` : `killed by ${name}`, code),
      );
    });
    const words = this.#options.firstWords?.();
    if (words !== undefined) this.tell(words);
    this.#options.onChange();
  }

  /** Says something over the channel, if the process is up. */
  tell(words: Serializable): void {
    if (this.#child?.connected === true) this.#child.send(words, () => undefined);
  }

  /** Where the child's output goes: its log, or nowhere if the disk does not take it. */
  #openLog(): number | 'ignore' {
    try {
      return this.#openLogFile();
    } catch {
      this.#logStart = 0;
      return 'ignore';
    }
  }

  #openLogFile(): number {
    const { log } = this.#options;
    mkdirSync(dirname(log), { recursive: true, mode: 0o700 });
    const long = statSync(log, { throwIfNoEntry: false })?.size ?? 0;
    const file = openSync(log, long > LOG_BYTES_MAX ? 'w' : 'a', 0o600);
    this.#logStart = fstatSync(file).size;
    return file;
  }

  #onEnd(why: string, code: number | null): void {
    if (!this.#wanted) {
      this.#state = 'stopped';
    } else if (code !== null && this.#options.fatalExitCodes.includes(code)) {
      this.#wanted = false;
      this.#state = 'failed';
      this.#reason = this.lastWords() ?? why;
    } else {
      if (performance.now() - this.#startedAtMs > SETTLED_MS) this.#attempts = 0;
      const delayMs = Math.min(RESTART_CAP_MS, RESTART_MS * 2 ** Math.min(this.#attempts, 16));
      this.#attempts += 1;
      this.#restarts += 1;
      this.#state = 'restarting';
      this.#reason = code === null ? why : (this.lastWords() ?? why);
      this.#timer = setTimeout(() => this.#spawn(), delayMs);
    }
    this.#options.onChange();
  }

  /** What the process last wrote since it was started: the message of its last line. */
  lastWords(): string | undefined {
    try {
      const file = openSync(this.#options.log, 'r');
      const { size } = fstatSync(file);
      const from = Math.max(this.#logStart, size - TAIL_BYTES);
      const buffer = Buffer.alloc(Math.max(0, size - from));
      readSync(file, buffer, 0, buffer.length, from);
      closeSync(file);
      return messageOfLog(buffer.toString('utf8'));
    } catch {
      return undefined;
    }
  }

  /** Ends it; it stays down. SIGTERM first, then, if it does not obey, SIGKILL. `reason` is shown to people. */
  async stop(reason: string, first: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    this.#wanted = false;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child !== undefined) {
      // A paused process takes no SIGTERM before it goes on.
      if (first === 'SIGTERM') child.kill('SIGCONT');
      child.kill(first);
      const impatience = setTimeout(() => child.kill('SIGKILL'), STOP_PATIENCE_MS);
      await this.#ended;
      clearTimeout(impatience);
    }
    this.#state = 'stopped';
    this.#reason = reason;
    this.#options.onChange();
  }

  /** Freezes it (SIGSTOP). False if it is not running. */
  pause(): boolean {
    return this.#switch('running', 'SIGSTOP', 'paused');
  }

  /** Lets it go on (SIGCONT). False if it is not paused. */
  resume(): boolean {
    return this.#switch('paused', 'SIGCONT', 'running');
  }

  #switch(from: ProcessState, name: NodeJS.Signals, to: ProcessState): boolean {
    if (this.#state !== from || this.#child === undefined) return false;
    this.#child.kill(name);
    this.#state = to;
    this.#options.onChange();
    return true;
  }
}

/** The last line that says something: the message of a structured log line, or the line as it is. */
function messageOfLog(text: string): string | undefined {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const fatal = [...lines].reverse().find((line) => /"level":(60|50|"fatal"|"error")/.test(line));
  // Of a crash with a stack, the words before the stack.
  const words = lines.filter((one) => !/^\s+at |^Node\.js v|^\s*[{}^]/.test(one));
  const crash = [...words].reverse().find((one) => /^\w*Error\b/.test(one));
  const line = fatal ?? crash ?? words.at(-1) ?? lines.at(-1);
  if (line === undefined) return undefined;
  try {
    const { msg, err } = JSON.parse(line) as { msg?: unknown; err?: { message?: unknown } };
    if (typeof msg === 'string' && msg !== '') return msg;
    if (typeof err?.message === 'string') return err.message;
  } catch {
    // Not structured.
  }
  return line.trim().slice(0, 500);
}

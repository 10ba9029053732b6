/** Runs a campaign: hands chunks of seeds to worker processes, adds up what they report, saves it as it goes. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EMPTY_TALLY, joinTallies } from '../../sim/campaign/tally.ts';
import type { Tally } from '../../sim/campaign/tally.ts';
import type { Fidelity } from '../../sim/run-schedule.ts';
import type { CampaignPlan, CampaignState } from './campaign-file.ts';
import type { Chunk, Done, Order } from './orders.ts';

/** When a campaign ends. */
export interface CampaignLimits {
  /** Duration of this session, milliseconds. */
  readonly forMs: number;
  /** Seeds of this session; a fidelity that has its share is not asked further. */
  readonly schedules: number;
  /** Worker processes. */
  readonly jobs: number;
  /** Ends at the first violation. */
  readonly stopAtFirst: boolean;
}

/** Chunks are cut to about this much work. */
const CHUNK_MS = 700;
const CHUNK_MAX = 5_000;
/** One chunk in so many has its rules traced. */
const TRACED_EVERY = 4;
/** One chunk in so many of the core fidelity is judged from the inside as well. */
const INSIDE_EVERY = 12;
/** How long workers may finish what they have when a campaign ends. */
const FINISH_MS = 30_000;
const SAVE_EVERY_MS = 5_000;

/** See the top of this file. */
export class CampaignRunner {
  readonly #plan: CampaignPlan;
  readonly #limits: CampaignLimits;
  readonly #save: (state: CampaignState) => void;
  readonly #handedOut: Record<Fidelity, number>;
  readonly #outstanding = new Map<ChildProcess, Chunk>();
  readonly #waiting: Chunk[];
  readonly #elapsedBefore: number;
  readonly #started = performance.now();
  #tally: Tally;
  #issuedHere = 0;
  #chunks = 0;
  #stopping = false;
  #savedAt = 0;
  #resolve: (() => void) | undefined;
  #reject: ((error: Error) => void) | undefined;

  /** `before`: the campaign to go on with; its plan must be the one given. */
  constructor(
    plan: CampaignPlan,
    limits: CampaignLimits,
    before: CampaignState | undefined,
    save: (state: CampaignState) => void,
  ) {
    this.#plan = plan;
    this.#limits = limits;
    this.#save = save;
    this.#handedOut = { core: 0, whole: 0, ...before?.handedOut };
    this.#waiting = [...(before?.unfinished ?? [])];
    this.#elapsedBefore = before?.elapsedMs ?? 0;
    this.#tally = before?.tally ?? EMPTY_TALLY;
  }

  /** What was added up so far. */
  get tally(): Tally {
    return this.#tally;
  }

  /** Milliseconds of this session. */
  get sessionMs(): number {
    return performance.now() - this.#started;
  }

  /** What the folder of the campaign holds at this moment. */
  get state(): CampaignState {
    return {
      format: 'moiety-campaign/1',
      plan: this.#plan,
      handedOut: { ...this.#handedOut },
      unfinished: [...this.#outstanding.values(), ...this.#waiting],
      elapsedMs: this.#elapsedBefore + this.sessionMs,
      tally: this.#tally,
    };
  }

  /** Hands out nothing more; `run` ends when the workers finished what they have. */
  stop(): void {
    this.#stopping = true;
  }

  /** Runs to the end of the session. Rejects if a worker dies: no schedule may end the process that runs it. */
  async run(): Promise<void> {
    const finished = new Promise<void>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const workers = Array.from({ length: this.#limits.jobs }, () => this.#startWorker());
    const deadline = setTimeout(() => this.stop(), this.#limits.forMs);
    const patience = setInterval(() => {
      if (this.sessionMs > this.#limits.forMs + FINISH_MS) this.#resolve?.();
    }, 1_000);
    for (const worker of workers) this.#feed(worker);
    try {
      await finished;
    } finally {
      clearTimeout(deadline);
      clearInterval(patience);
      for (const worker of workers) worker.kill('SIGKILL');
      this.#save(this.state);
    }
  }

  #startWorker(): ChildProcess {
    const path = fileURLToPath(new URL(`./main-worker${extname(import.meta.url)}`, import.meta.url));
    const worker = fork(path, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    worker.on('message', (done: Done) => this.#onDone(worker, done));
    worker.once('exit', (code, signal) => {
      const chunk = this.#outstanding.get(worker);
      if (chunk === undefined) return;
      this.#reject?.(
        new Error(
          `a worker ended (${signal ?? `exit code ${code}`}) in ${chunk.fidelity} schedules from seed ${chunk.from}, step ${chunk.step}, ${chunk.count} of them`,
        ),
      );
    });
    return worker;
  }

  #onDone(worker: ChildProcess, { tally }: Done): void {
    this.#outstanding.delete(worker);
    this.#tally = joinTallies(this.#tally, tally);
    try {
      this.#keep(tally);
    } catch (error) {
      return this.#reject?.(error as Error);
    }
    this.#feed(worker);
  }

  #keep(tally: Tally): void {
    if (this.#limits.stopAtFirst && tally.findings.length > 0) this.stop();
    if (this.sessionMs - this.#savedAt > SAVE_EVERY_MS) {
      this.#savedAt = this.sessionMs;
      this.#save(this.state);
    }
  }

  #feed(worker: ChildProcess): void {
    const chunk = this.#stopping ? undefined : (this.#waiting.shift() ?? this.#nextChunk());
    if (chunk === undefined) {
      if (this.#outstanding.size === 0) this.#resolve?.();
      return;
    }
    this.#outstanding.set(worker, chunk);
    this.#chunks += 1;
    const order: Order = {
      chunk,
      overrides: {
        ...this.#plan.overrides,
        fidelity: chunk.fidelity,
        short: chunk.fidelity === 'core',
        // The judges that look inside cost more than a short schedule itself: they see a part of those.
        ...(chunk.fidelity === 'core' ? { judging: { inside: this.#chunks % INSIDE_EVERY === 2 } } : {}),
      },
      traced: this.#chunks % TRACED_EVERY === 1,
    };
    worker.send(order);
  }

  #nextChunk(): Chunk | undefined {
    const left = this.#limits.schedules - this.#issuedHere;
    if (left <= 0) return undefined;
    const { seed, index, of } = this.#plan;
    const fidelity = this.#nextFidelity();
    const count = Math.min(left, this.#chunkSize(fidelity));
    const from = seed + index + this.#handedOut[fidelity] * of;
    this.#handedOut[fidelity] += count;
    this.#issuedHere += count;
    return { fidelity, from, step: of, count };
  }

  /** The whole fidelity gets its share of CPU time, as it was measured so far. */
  #nextFidelity(): Fidelity {
    const { fidelities, wholeShare } = this.#plan;
    if (fidelities.length === 1) return fidelities[0]!;
    const { core, whole } = this.#tally.byFidelity;
    if (this.#handedOut.whole === 0) return 'whole';
    if (this.#handedOut.core === 0) return 'core';
    return whole.cpuMs < wholeShare * (whole.cpuMs + core.cpuMs) ? 'whole' : 'core';
  }

  #chunkSize(fidelity: Fidelity): number {
    const { summary, cpuMs } = this.#tally.byFidelity[fidelity];
    if (summary.schedules === 0) return fidelity === 'core' ? 50 : 4;
    return Math.max(1, Math.min(CHUNK_MAX, Math.round((CHUNK_MS * summary.schedules) / Math.max(1, cpuMs))));
  }
}

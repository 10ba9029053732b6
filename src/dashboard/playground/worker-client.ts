/** The page's end of the line to its worker: questions with numbers, one answer each. */
import type { DrawnSchedule, Playback } from '../../sim/playback/contract.ts';
import type { PlaySource, WorkerAnswer, WorkerQuestion } from './worker-contract.ts';

/** How long a run may take, milliseconds: then the worker is ended, and a new one takes its place. */
const PATIENCE_MS = 30_000;

/** What is used of a `Worker`. */
export interface WorkerLike {
  postMessage(question: WorkerQuestion): void;
  terminate(): void;
  onmessage: ((event: { readonly data: WorkerAnswer }) => void) | null;
  onerror: ((event: { readonly message?: string }) => void) | null;
}

interface Waiting {
  readonly resolve: (answer: WorkerAnswer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** See the top of this file. Errors are sentences. */
export class WorkerClient {
  readonly #make: () => WorkerLike;
  readonly #patienceMs: number;
  #worker: WorkerLike | undefined;
  #nextId = 1;
  readonly #waiting = new Map<number, Waiting>();

  constructor(make: () => WorkerLike, patienceMs = PATIENCE_MS) {
    this.#make = make;
    this.#patienceMs = patienceMs;
  }

  /** Plays a scenario. A question that is still open is given up: only the last one counts. */
  async play(source: PlaySource): Promise<Playback> {
    if (this.#waiting.size > 0) this.stop('another scenario was chosen meanwhile');
    const answer = await this.#ask((id) => ({ kind: 'play', id, source }));
    if (answer.kind === 'played') return answer.playback;
    throw new Error(answer.kind === 'failed' ? answer.text : 'the worker answered something else');
  }

  /** SHA-256 of the event logs of drawn schedules. */
  async digests(schedules: readonly DrawnSchedule[]): Promise<readonly string[]> {
    const answer = await this.#ask((id) => ({ kind: 'digests', id, schedules }));
    if (answer.kind === 'digests') return answer.digests;
    throw new Error(answer.kind === 'failed' ? answer.text : 'the worker answered something else');
  }

  /** Ends the worker; what is open fails with this sentence. The next question starts a new one. */
  stop(why: string): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new Error(why));
    }
    this.#waiting.clear();
  }

  #ask(make: (id: number) => WorkerQuestion): Promise<WorkerAnswer> {
    const worker = (this.#worker ??= this.#start());
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.stop(`the run took longer than ${this.#patienceMs / 1000} s and was ended`),
        this.#patienceMs,
      );
      this.#waiting.set(id, { resolve, reject, timer });
      worker.postMessage(make(id));
    });
  }

  #start(): WorkerLike {
    const worker = this.#make();
    worker.onmessage = ({ data }) => {
      const waiting = this.#waiting.get(data.id);
      if (waiting === undefined) return;
      this.#waiting.delete(data.id);
      clearTimeout(waiting.timer);
      waiting.resolve(data);
    };
    worker.onerror = ({ message = 'no reason is known' }) => this.stop(`the worker failed: ${message}`);
    return worker;
  }
}

/**
 * Footprint (b) in a thread of its own: the module has its own memory, and its key is made and used there; the main
 * thread never sees it. Volatile, and no boundary against native code in the process or against its operator.
 */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { TrustedRegistration } from '../../core/config.ts';
import { registrationOf } from '../../trusted/client.ts';
import { decodeTrustedResponse } from '../../trusted/frames.ts';
import type { Footprint, OnResponse, TrustedConnection } from '../contract.ts';
import { alone } from './messages.ts';
import type { WorkerOrder, WorkerReport } from './messages.ts';

/** Name of this footprint in registrations. */
export const WORKER_FOOTPRINT = 'worker';

/** Requests that wait for an answer, at most. */
const OUTSTANDING_MAX = 1_024;

/** Starts the thread; resolves with its first answer, who it is. Rejects with a message for the operator. */
function startThread(
  order: WorkerOrder,
): Promise<{ readonly thread: Worker; readonly identity: Uint8Array }> {
  // The same file, whether it runs as it is written or as it is published.
  const thread = new Worker(new URL(`./main${extname(import.meta.url)}`, import.meta.url), {
    workerData: order,
    env: {},
    execArgv: [],
  });
  return new Promise((done, fail) => {
    const end = (reason: string): void => {
      void thread.terminate();
      fail(new Error(reason));
    };
    thread.once('error', (error) => end(`the trusted thread failed: ${error.message}`));
    thread.once('exit', () => end('the trusted thread ended at its start'));
    thread.once('message', (report: WorkerReport) => {
      if (!('ready' in report))
        return end('refused' in report ? report.refused : 'it answers what was not asked');
      for (const event of ['error', 'exit', 'message']) thread.removeAllListeners(event);
      thread.unref();
      done({ thread, identity: report.ready });
    });
  });
}

class ThreadConnection implements TrustedConnection {
  readonly #thread: Worker;
  /** In the order of the requests. */
  #waiting: OnResponse[] = [];
  #batch: Uint8Array[] = [];
  #closed: string | undefined;
  #listeners: ((reason: string) => void)[] = [];

  constructor(thread: Worker) {
    this.#thread = thread;
    thread.on('message', (report: WorkerReport) => this.#take(report));
    thread.on('error', (error) => this.#lose(`the trusted thread failed: ${error.message}`));
    thread.on('exit', () => this.#lose('the trusted thread ended'));
    thread.unref();
  }

  send(request: Uint8Array, onResponse: OnResponse): void {
    if (this.#closed !== undefined || this.#waiting.length >= OUTSTANDING_MAX) {
      queueMicrotask(() => onResponse(undefined));
      return;
    }
    // It keeps its replica alive as long as somebody waits for it.
    if (this.#waiting.push(onResponse) === 1) this.#thread.ref();
    // Requests of one turn leave in one message.
    if (this.#batch.push(alone(request)) > 1) return;
    process.nextTick(() => {
      const requests = this.#batch;
      this.#batch = [];
      if (this.#closed === undefined) this.#thread.postMessage(requests);
    });
  }

  onClose(listener: (reason: string) => void): void {
    if (this.#closed === undefined) this.#listeners.push(listener);
    else listener(this.#closed);
  }

  close(): void {
    this.#lose('closed by this process');
  }

  #take(report: WorkerReport): void {
    if (this.#closed !== undefined) return;
    if (!('answers' in report) || report.answers.length > this.#waiting.length) {
      this.#lose('the trusted thread answered what was not asked');
      return;
    }
    const served = this.#waiting.splice(0, report.answers.length);
    if (this.#waiting.length === 0) this.#thread.unref();
    served.forEach((onResponse, index) => onResponse(report.answers[index]));
  }

  #lose(reason: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    void this.#thread.terminate();
    for (const onResponse of this.#waiting.splice(0)) onResponse(undefined);
    for (const listener of this.#listeners.splice(0)) listener(reason);
  }
}

async function create(folder: string, program: string): Promise<TrustedRegistration> {
  const { thread, identity } = await startThread({ folder, program });
  await thread.terminate();
  const answer = decodeTrustedResponse(identity);
  if (answer?.op !== 'identify') throw new Error('the trusted thread does not say who it is');
  return registrationOf(answer.identity, WORKER_FOOTPRINT);
}

/** See the top of this file. */
export const workerFootprint: Footprint = {
  name: WORKER_FOOTPRINT,
  scenario: 'b',
  summary: 'module in a worker thread, volatile',
  persistent: false,
  missing: () => Promise.resolve([]),
  create: ({ folder, program }) => create(folder, program),
  open: async ({ folder }) => new ThreadConnection((await startThread({ folder })).thread),
  stop: () => Promise.resolve(false),
};

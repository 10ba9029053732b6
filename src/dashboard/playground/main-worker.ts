/** Plays scenarios beside the page, so that the page stays quick. */
import usig from '../../../trusted/usig.wasm';
import { answerTo } from './worker-answers.ts';
import type { WorkerQuestion } from './worker-contract.ts';

/** What the worker does: one answer to each question. */
export function answerQuestions(): void {
  addEventListener('message', ({ data }: MessageEvent<WorkerQuestion>) => {
    postMessage(answerTo(data, { usig }));
  });
}

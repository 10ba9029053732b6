/** What this page holds beside itself: read once, for it may be long. */
import type { Playback } from '../../sim/playback/contract.ts';
import { heldPlayback, heldWorker } from './embedded.ts';

let run: { readonly playback: Playback | string | undefined } | undefined;

/** The run that the page was opened for; a sentence if it is damaged, undefined if there is none. */
export function heldRun(): Playback | string | undefined {
  run ??= { playback: heldPlayback(document) };
  return run.playback;
}

/** A worker of this page: from its own file, or from the page where that is a single file. */
export function startWorker(): Worker {
  const program = heldWorker(document);
  if (program === undefined) return new Worker('worker.js');
  return new Worker(URL.createObjectURL(new Blob([program], { type: 'text/javascript' })));
}

/** What this page holds beside itself: read once, for it may be long. */
import type { Playback } from '../../sim/playback/contract.ts';
import { heldPlayback } from './embedded.ts';

let run: { readonly playback: Playback | string | undefined } | undefined;

/** The run that the page was opened for; a sentence if it is damaged, undefined if there is none. */
export function heldRun(): Playback | string | undefined {
  run ??= { playback: heldPlayback(document) };
  return run.playback;
}

/** The script that runs now; known only while it is read in. */
const own = typeof document === 'undefined' ? null : document.currentScript;

/** A worker of this page. It runs the same script, from its file or, where the page is a single file, from the page. */
export function startWorker(): Worker {
  if (!(own instanceof HTMLScriptElement)) throw new Error('this page does not know its own script');
  if (own.src !== '') return new Worker(own.src);
  return new Worker(URL.createObjectURL(new Blob([own.text], { type: 'text/javascript' })));
}

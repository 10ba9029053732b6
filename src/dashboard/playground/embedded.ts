/**
 * What a page of "moiety trace view" holds beside itself: an event log, in a block that no script runs, as a JSON text.
 */
import { playbackOfTrace } from '../../sim/playback/play.ts';
import type { Playback } from '../../sim/playback/contract.ts';
import { readTrace } from '../../sim/trace/read-trace.ts';

/** What is used of a page. */
export interface PageWithData {
  getElementById(id: string): { readonly textContent: string | null } | null;
}

function heldText(page: PageWithData, id: string): string | undefined {
  const text = page.getElementById(id)?.textContent;
  if (text === undefined || text === null) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The run that this page was opened for; a sentence if it is damaged, undefined if there is none. */
export function heldPlayback(page: PageWithData): Playback | string | undefined {
  const text = heldText(page, 'moiety-trace');
  if (text === undefined) return undefined;
  const trace = readTrace(text);
  return typeof trace === 'string' ? `The event log cannot be shown: ${trace}.` : playbackOfTrace(trace);
}

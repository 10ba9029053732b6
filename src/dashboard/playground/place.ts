/**
 * What the page shows, as its address says it. Choices stand in a script as its last comment line, so that a link brings
 * the form back as well; a script that was changed by hand is no choice any more.
 */
import type { Choices, DrawnSchedule, Playback } from '../../sim/playback/contract.ts';
import { DEFAULT_CHOICES } from './choice-words.ts';

/** What is to be run. */
export type RunSource =
  | { readonly kind: 'choices'; readonly choices: Choices }
  | { readonly kind: 'draw'; readonly schedule: DrawnSchedule }
  | { readonly kind: 'script'; readonly text: string }
  /** The event log that the page was opened for: shown as it is, not played again. */
  | { readonly kind: 'held'; readonly playback: Playback };

/** See the top of this file. `at`: a place of the events of the run. */
export type Place =
  | { readonly kind: 'explore'; readonly source: RunSource; readonly at: number | undefined }
  /** Both from 1 on; step 0 is the question at the end. */
  | { readonly kind: 'tour'; readonly lesson: number; readonly step: number }
  /** What is wrong with the address, in a sentence. */
  | { readonly kind: 'wrong'; readonly text: string };

/** Where an address without anything leads. */
export const DEFAULT_PLACE: Place = {
  kind: 'explore',
  source: { kind: 'choices', choices: DEFAULT_CHOICES },
  at: undefined,
};

const MARK = '# chosen ';

/** A script that remembers the choices it was made of. */
export function withChoices(script: string, choices: Choices): string {
  return `${script.trimEnd()}\n${MARK}${JSON.stringify(choices)}\n`;
}

/**
 * What a script was made of. `make` turns choices into the script that they stand for, undefined if they stand for none: what
 * the comment says counts only if that is this very script.
 */
export function sourceOfScript(text: string, make: (choices: Choices) => string | undefined): RunSource {
  const asScript: RunSource = { kind: 'script', text };
  const line = text.trimEnd().split('\n').at(-1) ?? '';
  if (!line.startsWith(MARK)) return asScript;
  try {
    const choices = JSON.parse(line.slice(MARK.length)) as Choices;
    const made = make(choices);
    return made !== undefined && withChoices(made, choices) === text
      ? { kind: 'choices', choices }
      : asScript;
  } catch {
    // A person wrote that line.
    return asScript;
  }
}

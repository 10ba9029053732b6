/**
 * What the page of the playground and its worker say to each other. One question, one answer with its number; a worker that
 * takes too long is ended by the page and started anew.
 */
import type { Choices, DrawnSchedule, Playback } from '../../sim/playback/contract.ts';

/** What is to be played. */
export type PlaySource =
  | { readonly kind: 'script'; readonly text: string }
  | { readonly kind: 'choices'; readonly choices: Choices }
  | { readonly kind: 'draw'; readonly schedule: DrawnSchedule };

/** To the worker. */
export type WorkerQuestion =
  | { readonly kind: 'play'; readonly id: number; readonly source: PlaySource }
  /** SHA-256 of the event logs of these schedules. */
  | { readonly kind: 'digests'; readonly id: number; readonly schedules: readonly DrawnSchedule[] };

/** From the worker. */
export type WorkerAnswer =
  | { readonly kind: 'played'; readonly id: number; readonly playback: Playback }
  | { readonly kind: 'digests'; readonly id: number; readonly digests: readonly string[] }
  /** What is wrong, in a sentence. */
  | { readonly kind: 'failed'; readonly id: number; readonly text: string };

/**
 * What a lesson of the tour is made of: runs, and steps that each show a place in one of them. What a text claims stands
 * beside it as data, so that a test can hold it against the run.
 */
import type { EventQuery } from './find.ts';

/** Something that the text of a step says about the run. */
export interface Claim {
  readonly find: EventQuery;
  /** How often it has happened by then. `some`: at least once. */
  readonly times: number | 'some' | 'none';
  /** By the place of the step (default), or in the whole run. */
  readonly by?: 'here' | 'end';
}

/** What else should be looked at, beside the place itself. */
export type Look =
  | { readonly kind: 'replica'; readonly replica: number }
  /** The first message like this, sent before or at the place or after it. */
  | { readonly kind: 'message'; readonly find: EventQuery };

/** A numbered rule that is at work at a step. */
export interface LessonRule {
  readonly rule: string;
  readonly passed: boolean;
  /** The rule that it was checked as a part of; absent: it is told by itself. */
  readonly within?: string;
}

/** One step of a lesson. */
export interface LessonStep {
  readonly title: string;
  /** Two to four sentences. */
  readonly text: string;
  /** Place in `Lesson.runs`; absent: the first one. */
  readonly run?: number;
  /** To which event the diagram moves: the first one like this, or the one with this ordinal. */
  readonly at: EventQuery;
  readonly nth?: number;
  /** Absent: the place itself. */
  readonly look?: Look;
  /** Numbered rules that are at work here. */
  readonly rules?: readonly LessonRule[];
  /** A small drawing beside the text. `pairs`: two pairs out of three replicas, and the one that both share. */
  readonly figure?: 'pairs';
  readonly claims: readonly Claim[];
}

/** A run of a lesson: a scenario script beside this file. */
export interface LessonRun {
  /** Name of the script, without `.txt`. */
  readonly script: string;
  /** What is different in it, in a few words. */
  readonly label: string;
  /** Judges that must object; empty: none may. */
  readonly objections: readonly string[];
}

/** See the top of this file. */
export interface Lesson {
  readonly title: string;
  /** What one knows afterwards, in a sentence. */
  readonly summary: string;
  readonly runs: readonly LessonRun[];
  readonly steps: readonly LessonStep[];
  /** Another lesson that goes on with this one, for those who have little time; from 1 on. */
  readonly shortcut?: { readonly lesson: number; readonly text: string };
  readonly question: string;
  readonly answer: string;
}

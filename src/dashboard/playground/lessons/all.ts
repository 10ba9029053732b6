/** The lessons of the tour, in order. */
import { ACTIVE_AND_PASSIVE } from './active-and-passive.ts';
import { CLONED_COMPONENT } from './cloned-component.ts';
import { EQUIVOCATION } from './equivocation.ts';
import type { Lesson } from './lesson.ts';
import { MINBFT_LESSON } from './minbft.ts';
import { PBFT_LESSON } from './pbft.ts';
import { SPECULATION } from './speculation.ts';
import { TRUSTED_COUNTER } from './trusted-counter.ts';
import { VIEW_CHANGE } from './view-change.ts';

/** See the top of this file. Lesson 1 stands at place 0. */
export const LESSONS: readonly Lesson[] = [
  EQUIVOCATION,
  PBFT_LESSON,
  TRUSTED_COUNTER,
  MINBFT_LESSON,
  VIEW_CHANGE,
  SPECULATION,
  ACTIVE_AND_PASSIVE,
  CLONED_COMPONENT,
];

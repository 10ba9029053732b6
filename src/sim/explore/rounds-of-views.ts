/**
 * Rounds: a run seen as a sequence of views, each a sequence of phases. A round is one phase of one view, whenever its
 * messages travel; what repeats a message belongs to the round of the message. Hints (STATUS and questions) have none.
 */
import type { SequenceNumber, View } from '../../core/types.ts';
import type { Draft, MinbftMessage } from '../../smr/usig-stream/messages.ts';

/** Phases of a view, in the order in which they come. View 0 begins with PREPARE. */
const PHASES = [
  'REQUEST-VIEW-CHANGE',
  'VIEW-CHANGE',
  'NEW-VIEW',
  'COMMIT-NEW-VIEW',
  'PREPARE',
  'COMMIT',
  'CHECKPOINT',
] as const;
export type Phase = (typeof PHASES)[number];

/** Phases that view 0 does not have. */
const SKIPPED = PHASES.indexOf('PREPARE');

/** Where a message belongs. */
export interface Place {
  /** 0 is PREPARE of view 0. */
  readonly round: number;
  readonly view: View;
  /** Of phases that are about one sequence number. */
  readonly sequence: SequenceNumber | undefined;
}

/** Number of a round. */
export function roundOf(view: View, phase: Phase): number {
  return view * PHASES.length + PHASES.indexOf(phase) - SKIPPED;
}

/** `PREPARE of view 0`. */
export function roundText(round: number): string {
  const place = round + SKIPPED;
  return `${PHASES[place % PHASES.length]!} of view ${Math.floor(place / PHASES.length)}`;
}

/** Rounds of the views 0 to `last`. */
export function roundsThrough(last: View): number {
  return roundOf(last, 'CHECKPOINT') + 1;
}

function place(view: View, phase: Phase, sequence?: SequenceNumber): Place {
  return { round: roundOf(view, phase), view, sequence };
}

/** Where a message or a draft belongs; undefined for hints and what only carries others' messages. */
export function placeOf(message: MinbftMessage | Draft): Place | undefined {
  switch (message.kind) {
    case 'PREPARE':
      return place(message.view, 'PREPARE', message.sequence);
    case 'COMMIT':
      return place(message.prepare.view, 'COMMIT', message.prepare.sequence);
    case 'CHECKPOINT':
      return place(message.last.view, 'CHECKPOINT', message.sequence);
    case 'REQUEST-VIEW-CHANGE':
      return place(message.target, 'REQUEST-VIEW-CHANGE');
    case 'VIEW-CHANGE':
      return place(message.view, 'VIEW-CHANGE');
    case 'NEW-VIEW-HEADER':
      return place(message.view, 'NEW-VIEW');
    case 'NEW-VIEW':
    case 'NEW-VIEW-CERTIFICATE':
      return place(message.header.view, 'NEW-VIEW');
    case 'COMMIT-NEW-VIEW':
      return place(message.header?.view ?? 0, 'COMMIT-NEW-VIEW');
    default:
      return undefined;
  }
}

/**
 * A log of inverse steps, for state that may have to go back to an earlier sequence number. Whoever changes such state
 * notes beforehand how to take the change back; the steps are run in reverse order, so each of them sees exactly what
 * its change left behind. While nothing is marked, nothing is noted.
 */
import { assert } from './assert.ts';
import type { SequenceNumber } from './types.ts';

interface Section {
  readonly sequence: SequenceNumber;
  readonly steps: (() => void)[];
}

/** Inverse steps, in sections by sequence number. */
export class UndoLog {
  readonly #sections: Section[] = [];
  #steps: (() => void)[] | undefined;

  /** Whether changes must be noted now. */
  get recording(): boolean {
    return this.#steps !== undefined;
  }

  /** Steps that are kept. */
  get size(): number {
    return this.#sections.reduce((sum, section) => sum + section.steps.length, 0);
  }

  /** What is noted from now on belongs to `sequence`, which is above that of every section before. */
  mark(sequence: SequenceNumber): void {
    assert((this.#sections.at(-1)?.sequence ?? -1) < sequence, 'sections of an undo log ascend');
    this.#steps = [];
    this.#sections.push({ sequence, steps: this.#steps });
  }

  /** Notes how to take back the change that is made next. Nothing while nothing is recorded. */
  note(step: () => void): void {
    this.#steps?.push(step);
  }

  /** Takes back everything that belongs to sequence numbers above `to`. */
  undoTo(to: SequenceNumber): void {
    let section = this.#sections.at(-1);
    while (section !== undefined && section.sequence > to) {
      for (let index = section.steps.length - 1; index >= 0; index -= 1) section.steps[index]!();
      this.#sections.pop();
      section = this.#sections.at(-1);
    }
    this.#steps = section?.steps;
  }

  /** Forgets how to take back what belongs to sequence numbers up to `through`. */
  forgetThrough(through: SequenceNumber): void {
    const kept = this.#sections.findIndex((section) => section.sequence > through);
    this.#sections.splice(0, kept < 0 ? this.#sections.length : kept);
    this.#steps = this.#sections.at(-1)?.steps;
  }

  /** Forgets everything. */
  clear(): void {
    this.#sections.length = 0;
    this.#steps = undefined;
  }
}

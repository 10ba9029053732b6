/** What was answered in the present view, and what clients wait for: the cores said, the commits asked for. */
import type { Digest, Milliseconds, SequenceNumber } from '../../core/types.ts';
import type { Message, SpecResponse } from './messages.ts';

/** See the top of this file. Everything is above the stable checkpoint, so in a window. */
export class AnswerBook {
  /** Own cores that a word was asked for: which history they say. */
  readonly #said = new Map<SequenceNumber, Digest>();
  /** Own cores that are durable and signed. */
  readonly #cores = new Map<SequenceNumber, Message<SpecResponse>>();
  /** Orders whose certificates clients have shown and that are not acknowledged yet. */
  readonly #wanted = new Set<SequenceNumber>();
  /** When an answer was last repeated. */
  readonly #given = new Map<string, Milliseconds>();
  /** Highest order up to which a LOCAL-COMMIT was asked a word for, and has got it. */
  committing: SequenceNumber = 0;
  committed: SequenceNumber = 0;

  /** Notes that a core is said; false if the same was said before. */
  say(sequence: SequenceNumber, history: Digest): boolean {
    if (this.#said.get(sequence) === history) return false;
    this.#said.set(sequence, history);
    return true;
  }

  /** An own core has looped back. */
  put(core: Message<SpecResponse>): void {
    const { sequence, history } = core.content;
    this.#said.set(sequence, history);
    this.#cores.set(sequence, core);
  }

  core(sequence: SequenceNumber): Message<SpecResponse> | undefined {
    return this.#cores.get(sequence);
  }

  want(sequence: SequenceNumber): void {
    this.#wanted.add(sequence);
  }

  /** Wanted orders that may be acknowledged; they are not wanted any more. */
  takeWanted(through: SequenceNumber): SequenceNumber[] {
    const taken = [...this.#wanted].filter((sequence) => sequence <= through);
    for (const sequence of taken) this.#wanted.delete(sequence);
    return taken;
  }

  /** Whether an answer may be given again: not more often than every `pauseMs`, whoever asks. */
  mayGive(what: string, now: Milliseconds, pauseMs: Milliseconds): boolean {
    const last = this.#given.get(what);
    if (last !== undefined && now - last < pauseMs) return false;
    this.#given.set(what, now);
    return true;
  }

  dropThrough(sequence: SequenceNumber): void {
    for (const known of this.#said.keys()) if (known <= sequence) this.#said.delete(known);
    for (const known of this.#cores.keys()) if (known <= sequence) this.#cores.delete(known);
    this.takeWanted(sequence);
    this.#given.clear();
  }

  /** Another view or another history began. */
  clear(): void {
    this.#said.clear();
    this.#cores.clear();
    this.#wanted.clear();
    this.#given.clear();
    this.committing = 0;
    this.committed = 0;
  }
}

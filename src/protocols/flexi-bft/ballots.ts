/** Who vouched for what, by sequence number, of any view: a quorum of equal words decides for ever. */
import type { Digest, ReplicaId, SequenceNumber } from '../../core/types.ts';
import type { FlexiSealed, PrePrepare, Prepare } from './messages.ts';

/** Words of one replica that are kept for one sequence number: those of its highest views. */
const WORDS_PER_REPLICA = 4;

/** What a quorum vouched for, and its words. */
export interface Outcome {
  readonly batch: Digest;
  readonly words: readonly FlexiSealed[];
}

const isEqual = (a: PrePrepare | Prepare, b: PrePrepare | Prepare): boolean =>
  a.view === b.view && a.batch === b.batch;

/** See the top of this file. */
export class Ballots {
  readonly #words = new Map<SequenceNumber, Map<ReplicaId, FlexiSealed[]>>();

  /** Takes in a PREPREPARE or PREPARE; a second one of the same replica in the same view changes nothing. */
  add(message: FlexiSealed, content: PrePrepare | Prepare): void {
    const { author } = message;
    let all = this.#words.get(content.sequence);
    if (all === undefined) this.#words.set(content.sequence, (all = new Map()));
    const words = all.get(author) ?? [];
    if (words.some((one) => (one.content as Prepare).view === content.view)) return;
    words.push(message);
    words.sort((a, b) => (b.content as Prepare).view - (a.content as Prepare).view);
    words.length = Math.min(words.length, WORDS_PER_REPLICA);
    all.set(author, words);
  }

  /** The equal words of most replicas about a sequence number; undefined if there are none. */
  best(sequence: SequenceNumber): Outcome | undefined {
    const all = [...(this.#words.get(sequence)?.values() ?? [])].flat();
    let best: Outcome | undefined;
    for (const { content } of all) {
      const wanted = content as Prepare;
      const words = all.filter((one) => isEqual(one.content as Prepare, wanted));
      if (words.length > (best?.words.length ?? 0)) best = { batch: wanted.batch, words };
    }
    return best;
  }

  /** What is at or below a stable checkpoint is past. */
  dropThrough(sequence: SequenceNumber): void {
    for (const known of [...this.#words.keys()]) if (known <= sequence) this.#words.delete(known);
  }
}

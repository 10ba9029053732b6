/**
 * What replicas answered to one request, and whether it is enough to believe it: by standing and by what their proofs
 * must have in common (`ClientRules`). Written apart from the product's client: a judge does not share the code of the
 * judged.
 */
import type { WireResult } from '../../core/client-wire.ts';
import type { ClientRules, Standing } from '../../core/protocol.ts';
import type { ReplicaId } from '../../core/types.ts';
import { sameResult } from '../client.ts';

/** Clients of protocols that say nothing of their own: f+1 equal final answers. */
export const PLAIN_RULES: ClientRules = {
  needed: (standing, _n, f) => (standing === 'final' ? f + 1 : undefined),
};

/** One answer whose proof was read and holds. */
export interface CountedAnswer {
  readonly replica: ReplicaId;
  readonly standing: Standing;
  /** What must be equal in proofs that count together. */
  readonly key: string;
  readonly proof: Uint8Array;
  readonly result: WireResult;
}

/** See the top of this file. */
export class Ballot {
  readonly #rules: ClientRules;
  readonly #n: number;
  readonly #f: number;
  /** By standing and replica: the latest answer. */
  readonly #answers = new Map<string, CountedAnswer>();

  constructor(rules: ClientRules, n: number, f: number) {
    this.#rules = rules;
    this.#n = n;
    this.#f = f;
  }

  /** Counts an answer; true if its result may be believed now. */
  count(answer: CountedAnswer): boolean {
    this.#answers.set(`${answer.standing}/${answer.replica}`, answer);
    const needed = this.#rules.needed(answer.standing, this.#n, this.#f);
    return needed !== undefined && this.#like(answer).length >= needed;
  }

  /** Answers that count together with this one. */
  #like({ standing, key, result }: CountedAnswer): CountedAnswer[] {
    const alike: CountedAnswer[] = [];
    for (const other of this.#answers.values()) {
      if (other.standing !== standing || other.key !== key) continue;
      if (other.result === result || sameResult(other.result, result)) alike.push(other);
    }
    return alike;
  }

  /** Speculative answers that are enough for a certificate, if there are such. */
  certifiable(): readonly CountedAnswer[] | undefined {
    const needed = this.#rules.certificate?.needed(this.#n, this.#f);
    if (needed === undefined) return undefined;
    for (const answer of this.#answers.values()) {
      if (answer.standing !== 'speculative') continue;
      const alike = this.#like(answer);
      if (alike.length >= needed) return alike.slice(0, needed);
    }
    return undefined;
  }
}

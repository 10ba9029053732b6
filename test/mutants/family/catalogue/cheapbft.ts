/** Rules of CheapBFT: CheapTiny, the agreement on one history, the turns, and the seam to the fallback. */
import { inFile } from '../../catalogue/mutant.ts';
import type { FamilyMutant } from '../mutant.ts';
import { mutantsOf } from '../mutant.ts';

const replica = 'src/protocols/cheapbft/replica.ts';
const turns = 'src/protocols/cheapbft/turns.ts';
const history = 'src/protocols/cheapbft/history.ts';
const inner = 'src/protocols/cheapbft/inner.ts';

/** See the top of this file. */
export const CHEAPBFT_MUTANTS: readonly FamilyMutant[] = mutantsOf('cheapbft', [
  {
    removes: 'all active replicas commit: one fewer decides',
    rules: ['CheapBFT.T4'],
    patches: inFile(replica, [
      `const isCommitted = words.length === active.length;`,
      `const isCommitted = words.length >= active.length - 1 && words.length > 0;`,
    ]),
  },
  {
    removes: 'a PREPARE or COMMIT has the value of its offset',
    rules: ['CheapBFT.T2.counter'],
    patches: inFile(replica, [
      `return this.rule('CheapBFT.T2.counter', fits, content.kind);`,
      `return this.rule('CheapBFT.T2.counter', fits, content.kind) || true;`,
    ]),
  },
  {
    removes: 'one order is committed to after the other: a HISTORY may hide in a gap',
    rules: ['CheapBFT.T4'],
    patches: inFile(replica, [
      `const follows = sequence - 1 <= this.executed || this.decisions.has(sequence - 1);`,
      `const follows = sequence > 0;`,
    ]),
  },
  {
    removes: 'updates that all active replicas told alike: that of one is enough',
    rules: ['CheapBFT.T5.equal'],
    patches: inFile(replica, [
      `new UpdateExchange<CheapContent>(this, this.f + 1)`,
      `new UpdateExchange<CheapContent>(this, 1)`,
    ]),
  },
  {
    removes: 'a HISTORY waits for the words of own PREPAREs and COMMITs',
    rules: ['CheapBFT.S2'],
    patches: inFile(replica, [
      `if (!this.rule('CheapBFT.S2', this.#given === this.#said, 'HISTORY')) return;`,
      `this.#said = this.#given;`,
    ]),
  },
  {
    removes: 'the closing value of a HISTORY: entries can be left out at its end',
    rules: ['CheapBFT.S3'],
    patches: inFile(history, [
      `if (!hasValue(message, instance.number, first + entries.length)) return undefined;`,
      ``,
    ]),
  },
  {
    removes: 'only histories whose batches are here are agreed to',
    rules: ['CheapBFT.S4'],
    patches: inFile(replica, [
      `return this.rule('CheapBFT.S4', all, 'HISTORY');`,
      `return this.rule('CheapBFT.S4', all, 'HISTORY') || true;`,
    ]),
  },
  {
    removes: 'the first history that is ordered counts: the last one does',
    rules: ['CheapBFT.S5'],
    patches: inFile(replica, [`this.#ordered === undefined && digest !== undefined`, `digest !== undefined`]),
  },
  {
    removes: 'an instance begins with f+1 CHECKPOINTs for the end of the last one',
    rules: ['CheapBFT.S8'],
    patches: inFile(turns, [
      `    this.#stateSays = this.#after(sequence);\n`,
      `    this.#stateSays = this.#after(sequence);\n` +
        `    if (this.#stateSays.number > this.instance.number) return this.#enter(this.#stateSays);\n`,
    ]),
  },
  {
    removes: 'orders of the fallback beyond its end are void',
    rules: ['CheapBFT.F1'],
    patches: inFile(turns, [`if (!this.rule('CheapBFT.F1', sequence <= end)) return;`, ``]),
  },
  {
    removes: 'the fallback re-admits no components',
    rules: ['CheapBFT.F2'],
    patches: inFile(inner, [
      `if (seal.kind === 'evidence') return undefined;`,
      `if (seal.kind === 'evidence') continue;`,
    ]),
  },
  {
    removes: 'what hosts sign for the fallback counts in one instance only',
    rules: ['CheapBFT.F2'],
    patches: inFile(inner, [`domain).u64(instance).digest(digest)`, `domain).digest(digest)`]),
  },
]);

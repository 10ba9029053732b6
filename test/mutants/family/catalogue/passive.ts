/** Rules of protocols with passive replicas: RePBFT and what it shares. */
import { inFile } from '../../catalogue/mutant.ts';
import type { FamilyMutant } from '../mutant.ts';
import { mutantsOf } from '../mutant.ts';
import { withoutRule } from '../removing.ts';

const inbox = 'src/smr/passive/update-inbox.ts';
const schedule = 'src/smr/passive/mode-schedule.ts';
const replica = 'src/protocols/repbft/replica.ts';

/** See the top of this file. */
export const PASSIVE_MUTANTS: readonly FamilyMutant[] = mutantsOf('repbft', [
  { removes: 'passive replicas do not vote', rules: ['RePBFT.R3'], patches: withoutRule('RePBFT.R3') },
  {
    removes: 'f+1 equal updates: one is applied',
    rules: ['RePBFT.U.equal'],
    patches: inFile(inbox, [`.length >= this.#needed) return told;`, `.length >= 1) return told;`]),
  },
  {
    removes: 'the bytes of an update are those that were told',
    rules: ['RePBFT.U.equal'],
    patches: inFile(inbox, [
      `if (bytesToDigest(this.#hash(bytes)) === update) assembly.whole`,
      `if (bytes.length > 0) assembly.whole`,
    ]),
  },
  {
    removes: 'A contains the primary of its view',
    rules: ['RePBFT.M.fit'],
    patches: inFile(schedule, [`active.includes(primaryOf(view))`, `active.includes(active[0]!)`]),
  },
  {
    removes: 'nobody votes beyond a MODE that it does not know',
    rules: ['RePBFT.M.known'],
    patches: inFile(replica, [`|| sequence <= this.#known + 1`, `|| sequence > 0`]),
  },
  {
    removes: 'a MODE counts in its own view only',
    rules: ['RePBFT.R2'],
    patches: inFile(schedule, [
      `record?.view === view && sequence > record.sequence ?`,
      `record !== undefined && sequence > record.sequence ?`,
    ]),
  },
  {
    removes: 'decisions outlive a restart',
    rules: ['PBFT.N5'],
    patches: inFile(replica, [`if (decision !== undefined) this.decisions.keep(sequence);`, ``]),
  },
  {
    removes: 'each return to the normal case that ends soon makes the next one wait longer',
    rules: ['RePBFT.M.due'],
    patches: inFile(schedule, [
      `return soon ? Math.min(record.exponent + 1, EXPONENT_MAX) : 0;`,
      `return 0;`,
    ]),
  },
]);

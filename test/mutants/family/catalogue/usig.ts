/** Rules of the protocols on USIG streams beside MinBFT: MinZyzzyva and EBAWA. */
import { inFile } from '../../catalogue/mutant.ts';
import type { FamilyMutant } from '../mutant.ts';
import { mutantsOf } from '../mutant.ts';

const speculation = 'src/protocols/minzyzzyva/speculation.ts';
const slots = 'src/protocols/ebawa/slots.ts';
const owners = 'src/protocols/ebawa/owners.ts';

/** Rules of MinZyzzyva. */
export const MINZYZZYVA_MUTANTS: readonly FamilyMutant[] = mutantsOf('minzyzzyva', [
  {
    removes: 'an execution is final on votes of streams: the own one is at once',
    rules: ['MinZyzzyva.DUR.1'],
    patches: inFile(speculation, [
      `      this.#answer(sequence);
      if (sequence`,
      `      this.#answer(sequence);
      if (sequence === s.executed + 1) this.#makeFinal(this.#tentative.get(sequence)!);
      if (sequence`,
    ]),
  },
  {
    removes: 'what is final replaces what was executed otherwise',
    rules: ['MinZyzzyva.DUR.2', 'MinZyzzyva.VC.2'],
    patches: inFile(
      speculation,
      [`known !== undefined && sameEntry(known.entry, entry)`, `known !== undefined`],
      [`kept === this.#reached)) this.#rollback(kept);`, `kept >= 0)) this.#rollback(kept);`],
    ),
  },
  {
    removes: 'entering a view undoes what its base does not confirm',
    rules: ['MinZyzzyva.VC.2'],
    patches: inFile(speculation, [
      `kept === this.#reached)) this.#rollback(kept);`,
      `kept >= 0)) this.#rollback(kept);`,
    ]),
  },
  {
    removes: 'a certificate is a hint: it makes an order final',
    rules: ['MinZyzzyva.CC.1'],
    patches: inFile(speculation, [
      `    this.#wanted.add(sequence);
    for (const statement`,
      `    if (this.#tentative.has(sequence)) this.#answerFinally(sequence);
    for (const statement`,
    ]),
  },
  {
    removes: 'a request waits until its order is final',
    rules: ['MinZyzzyva.DUR.4'],
    patches: inFile(speculation, [`return this.#open.has(bundle.digest);`, `return false;`]),
  },
  {
    removes: 'answers of different views and histories do not count together',
    rules: ['MinZyzzyva.CLI.2'],
    patches: inFile('src/protocols/minzyzzyva/messages.ts', [
      '`${view}/${newViewCounter}/${maker}/${sequence}/${history}/',
      '`${view * 0}/${newViewCounter * 0}/${maker.slice(16)}/${sequence}/${history.slice(64)}/',
    ]),
  },
  {
    removes: 'all replicas answer alike: f+1 speculative answers are enough',
    rules: ['MinZyzzyva.CLI.2'],
    patches: inFile('src/protocols/minzyzzyva/client.ts', [
      `if (standing === 'speculative') return n;`,
      `if (standing === 'speculative') return n - f;`,
    ]),
  },
]);

/** Rules of EBAWA. */
export const EBAWA_MUTANTS: readonly FamilyMutant[] = mutantsOf('ebawa', [
  {
    removes: 'the window counts to the last slot of a run',
    rules: ['EBAWA.STEP.1'],
    patches: inFile(slots, [
      `  const last = lastSlotOf(newView, prepare);
  if (last >`,
      `  const last = prepare.sequence;
  if (last >`,
    ]),
  },
  {
    removes: "the owner's counters ascend in the votes of one stream",
    rules: ['EBAWA.STEP.2'],
    patches: inFile(slots, [`if (ui.counter <= last.counter)`, `if (ui.counter < 0)`]),
  },
  {
    removes: 'slots of an owner are skipped only where a checkpoint covers them',
    rules: ['EBAWA.STEP.2'],
    patches: inFile(slots, [
      `sequence - ownersOf(newView).length > checkpointSequence`,
      `sequence < checkpointSequence`,
    ]),
  },
  {
    removes: 'whoever skipped slots shows the checkpoint that covers them',
    rules: ['EBAWA.STEP.3'],
    patches: inFile(slots, [
      `highest = Math.max(highest, prepare.sequence - ownersOf(newView).length);`,
      `highest = Math.max(highest, 0);`,
    ]),
  },
  {
    removes: 'a SKIP needs f+1 votes: it is learnt from its owner',
    rules: ['EBAWA.EXEC.2'],
    patches: inFile('src/smr/usig-replica/execution.ts', [
      `  if (!group.votes.hasVoters(n, s.quorum)) return undefined;`,
      `  const shown = group.votes.candidates(n)[0]?.proposal;
  if (shown !== undefined && s.part.impliedBody?.(shown) !== undefined) return shown;
  if (!group.votes.hasVoters(n, s.quorum)) return undefined;`,
    ]),
  },
  {
    removes: 'after a restart nothing is executed in a view below that of what was executed before',
    rules: ['EBAWA.EXEC.3'],
    patches: inFile(owners, [
      `if (reader.done()) this.#s.executionFloor`,
      `if (reader.failed) this.#s.executionFloor`,
    ]),
  },
  {
    removes: 'an owner whose slot stays undecided is suspected',
    rules: ['EBAWA.VC.1'],
    patches: inFile('src/protocols/ebawa/suspects.ts', [
      `    this.suspect(owner);
    requestViewChangeTo(s, s.view + 1);`,
      ``,
    ]),
  },
  {
    removes: 'the owners of a view follow from what it starts from',
    rules: ['EBAWA.VC.4'],
    patches: inFile('src/smr/usig-stream/owners.ts', [
      `return same ? undefined`,
      `return same || true ? undefined`,
    ]),
  },
]);

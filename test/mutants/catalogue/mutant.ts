/** What a mutant is: one rule taken out of the product by exact search and replace. */

/** One exact replacement in one file. */
export interface Patch {
  /** From the root of the repository. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/**
 * `core`: drawn schedules of bare protocol objects, thousands a second. `whole`: hosts, disks, bytes and the ledger too,
 * for what the first kind leaves out.
 */
export type Fidelity = 'core' | 'whole';

/** A rule that is taken out. */
export interface Mutant {
  /** M01 to M40 of the catalogue, S01... for rules that proofs lean on, `M17/alone` for a part of one. */
  readonly id: string;
  /** Two or three words. */
  readonly name: string;
  /** What is removed. */
  readonly removes: string;
  /** Rule numbers or decisions. */
  readonly rules: readonly string[];
  readonly patches: readonly Patch[];
  /** Judges of which one is expected to object. */
  readonly judges: readonly string[];
  /** Drawn schedules that can show the difference; undefined: none can (the code is not part of the simulator). */
  readonly drawn: Fidelity | undefined;
  /** Theme (`themes.ts`) whose drawn schedules are likelier to show it. */
  readonly theme?: string;
  /** Constructed history that shows it. */
  readonly history?: string;
  /**
   * `killed`: a judge must object. `masked`: another rule holds the same; no judge may object in its history, and the
   * mutant without that rule (`control`) must be killed.
   */
  readonly expected: 'killed' | 'masked';
  /** The mutant that removes this rule and what masks it. */
  readonly control?: string;
  readonly remark?: string;
}

/** A list of patches of one file. */
export function inFile(
  file: string,
  ...changes: readonly (readonly [find: string, replace: string])[]
): Patch[] {
  return changes.map(([find, replace]) => ({ file, find, replace }));
}

/** Files that more than one mutant touches. */
export const FILE = {
  stream: 'src/smr/usig-stream/stream.ts',
  viewChange: 'src/smr/usig-stream/view-change.ts',
  base: 'src/smr/usig-stream/base.ts',
  anchors: 'src/smr/usig-stream/anchors.ts',
  streams: 'src/smr/usig-replica/streams.ts',
  execution: 'src/smr/usig-replica/execution.ts',
  ownViewChange: 'src/smr/usig-replica/view-change.ts',
  sealing: 'src/smr/usig-replica/sealing.ts',
  transfer: 'src/host/transfer.ts',
} as const;

/** V6: whoever skipped orders shows the checkpoint that covers them. */
export const WITHOUT_V6: readonly Patch[] = inFile(FILE.viewChange, [
  `if (sequence > state.lastSequence + 1 && stable.sequence < sequence - 1)`,
  `if (sequence > state.lastSequence + 1 && stable.sequence < 0)`,
]);

/** A COMMIT counts for every proposal up to its own. */
export const INFERRED_VOTES: readonly Patch[] = inFile(FILE.streams, [
  `    if (n > s.executed) group.votes.add(n, \`\${prepare.ui.counter}/\${prepare.digest}\`, prepare, voter);`,
  `    if (n > s.executed)
      for (const other of [...group.proposals.values(), prepare])
        if (other.sequence > s.executed && other.sequence <= prepare.sequence)
          group.votes.add(other.sequence, \`\${other.ui.counter}/\${other.digest}\`, other, voter);`,
]);

/** COMMIT.1: no COMMIT after the own VIEW-CHANGE. */
export const COMMIT_WHILE_CHANGING: readonly Patch[] = inFile(FILE.stream, [
  `if (state.mode !== 'active') return invalid('MinBFT.STEP.COMMIT.1', 'commits while changing the view');`,
  '',
]);

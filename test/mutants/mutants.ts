/**
 * The ten removals (and their controls): each takes one rule out of the product by exact search and replace. The
 * product has no switch for any of this. A text that is not found exactly once makes the run fail loudly, so a mutant
 * cannot silently become the original when the code moves.
 */

/** One exact replacement in one file. */
export interface Patch {
  /** From the root of the repository. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** What finds a mutant: a constructed history under several seeds, or drawn schedules. */
export type Hunt = GuidedHunt | { readonly kind: 'drawn'; readonly from: number; readonly count: number };

/** A constructed history; the seed moves delays a little. */
export interface GuidedHunt {
  readonly kind: 'guided';
  readonly scenario: string;
  readonly from: number;
  readonly count: number;
}

/** Seeds that a constructed history is played under. */
export const GUIDED_SEEDS = { from: 1, count: 5 } as const;

function guided(scenario: string): GuidedHunt {
  return { kind: 'guided', scenario, ...GUIDED_SEEDS };
}

/** A rule that is taken out. */
export interface Mutant {
  /** Number in the list of the ten; controls have that of the mutant that they belong to. */
  readonly number: number;
  readonly id: string;
  /** What is removed, in the words of the sheet. */
  readonly removes: string;
  /** Rule numbers. */
  readonly rules: readonly string[];
  readonly patches: readonly Patch[];
  readonly hunt: GuidedHunt;
  /** `killed`: a judge must object. `survives`: a control that must stay clean, and why. */
  readonly expected: 'killed' | 'survives';
  readonly remark?: string;
}

const stream = 'src/smr/usig-stream/stream.ts';
const viewChange = 'src/smr/usig-stream/view-change.ts';
const execution = 'src/protocols/minbft/execution.ts';

const WITHOUT_V6: Patch = {
  file: viewChange,
  find: `if (sequence > state.lastSequence + 1 && stable.sequence < sequence - 1)`,
  replace: `if (sequence > state.lastSequence + 1 && stable.sequence < 0)`,
};

const INFERRED_VOTES: Patch = {
  file: 'src/protocols/minbft/streams.ts',
  find: `  group.votes.add(prepare.sequence, \`\${prepare.ui.counter}/\${prepare.digest}\`, prepare, voter);`,
  replace: `  for (const other of [...group.proposals.values(), prepare])
    if (other.sequence > s.executed && other.sequence <= prepare.sequence)
      group.votes.add(other.sequence, \`\${other.ui.counter}/\${other.digest}\`, other, voter);`,
};

/** Every mutant, by number; controls after the mutant that they explain. */
export const MUTANTS: readonly Mutant[] = [
  {
    number: 1,
    id: 'client-seal',
    removes: 'client seal at backups',
    rules: ['MinBFT.BACKUP.3'],
    patches: [
      {
        file: 'src/host/link-desk.ts',
        find: `return verifier.verifyMany([{ kind: 'client', key, digest, signature }]) === 'valid';`,
        replace: `return verifier.verifyMany([{ kind: 'client', key, digest, signature }]) !== 'unknownKey';`,
      },
    ],
    hunt: guided('forged-request'),
    expected: 'killed',
  },
  {
    number: 1,
    id: 'client-seal/commit-only',
    removes: 'client seal as a condition of COMMIT, while execution still looks at it',
    rules: ['MinBFT.BACKUP.3'],
    patches: [
      {
        file: 'src/protocols/minbft/ordering.ts',
        find: `if (batch.bundleAuthentic.includes(false) || batch.recoverAuthentic.includes(false)) return false;`,
        replace: `if (batch.recoverAuthentic.includes(false)) return false;`,
      },
    ],
    hunt: guided('forged-request'),
    expected: 'survives',
    remark:
      'what was committed without a valid seal is a no-op for everybody when it is executed, as in a base; so the ' +
      'check belongs to the verification of the body, and that is what mutant 1 takes out',
  },
  {
    number: 2,
    id: 'body-before-commit',
    removes: 'body present before COMMIT',
    rules: ['MinBFT.BACKUP.3'],
    patches: [
      {
        file: 'src/protocols/minbft/ordering.ts',
        find: `    wantBody(s, prepare, prepare.sequence);
    return false;`,
        replace: `    wantBody(s, prepare, prepare.sequence);
    return true;`,
      },
    ],
    hunt: guided('withheld-body'),
    expected: 'killed',
  },
  {
    number: 3,
    id: 'commit-after-view-change',
    removes: 'COMMIT after the own VIEW-CHANGE is refused',
    rules: ['MinBFT.STEP.COMMIT.1'],
    patches: [
      {
        file: stream,
        find: `if (state.mode !== 'active') return invalid('MinBFT.STEP.COMMIT.1', 'commits while changing the view');`,
        replace: '',
      },
    ],
    hunt: guided('late-commit'),
    expected: 'killed',
  },
  {
    number: 4,
    id: 'log-contiguity',
    removes: 'contiguity of the log in VIEW-CHANGE',
    rules: ['MinBFT.V4'],
    patches: [
      {
        file: viewChange,
        find: `if (ui.counter !== start.counter + log.length + 1)`,
        replace: `if (ui.counter < 0)`,
      },
    ],
    hunt: guided('truncated-log'),
    expected: 'killed',
  },
  {
    number: 5,
    id: 'v6',
    removes: 'V6, together with explicit votes',
    rules: ['MinBFT.V6', 'MinBFT.EXEC.1'],
    patches: [WITHOUT_V6, INFERRED_VOTES],
    hunt: guided('skipped-orders'),
    expected: 'killed',
    remark: 'V6 and explicit votes guard the same thing twice; see the two controls',
  },
  {
    number: 5,
    id: 'v6/alone',
    removes: 'V6 alone',
    rules: ['MinBFT.V6'],
    patches: [WITHOUT_V6],
    hunt: guided('skipped-orders'),
    expected: 'survives',
    remark: 'masked by explicit votes: docs/testing.md has the argument',
  },
  {
    number: 5,
    id: 'v6/inferred-votes-alone',
    removes: 'explicit votes alone',
    rules: ['MinBFT.EXEC.1'],
    patches: [INFERRED_VOTES],
    hunt: guided('skipped-orders'),
    expected: 'survives',
    remark: 'V6 refuses the VIEW-CHANGE that would lose the orders',
  },
  {
    number: 6,
    id: 'n3',
    removes: 'N3: NEW-VIEW directly follows the VIEW-CHANGE of its primary',
    rules: ['MinBFT.N3'],
    patches: [
      {
        file: viewChange,
        find: `if (own.ui.tcEpoch !== header.ui.tcEpoch || own.ui.counter + 1 !== header.ui.counter)`,
        replace: `if (own.ui.tcEpoch !== header.ui.tcEpoch)`,
      },
    ],
    hunt: guided('two-new-views'),
    expected: 'killed',
  },
  {
    number: 7,
    id: 'base-on-arrival',
    removes: 'base executed only after f+1 NEW-VIEW votes',
    rules: ['MinBFT.EXEC.2', 'MinBFT.EXEC.6'],
    patches: [
      {
        file: execution,
        find: `distinctReplicas(group.entrants) >= s.quorum)`,
        replace: `distinctReplicas(group.entrants) >= 1)`,
      },
      {
        file: execution,
        find: `return distinctReplicas(counted) >= s.quorum;`,
        replace: `return distinctReplicas(counted) >= 1;`,
      },
    ],
    hunt: guided('lonely-base'),
    expected: 'killed',
  },
  {
    number: 8,
    id: 'r1',
    removes: 'R1: an anchor is old enough',
    rules: ['MinBFT.R1'],
    patches: [
      {
        file: 'src/smr/usig-stream/anchors.ts',
        find: `if (anchor.sequence > stable - (context.pipelineFactor - 1) * context.checkpointInterval)`,
        replace: `if (anchor.sequence > stable)`,
      },
    ],
    hunt: guided('pipelined-cut'),
    expected: 'killed',
  },
  {
    number: 9,
    id: 'incarnation-pin',
    removes: 'pin of the incarnation: a vote counts only under the incarnation that the registry names',
    rules: ['MinBFT.EXEC.3'],
    patches: [
      {
        file: execution,
        find: `const current = currentEntry(s.registry, voter.replica).incarnation === voter.incarnation;`,
        replace: `const current = voter.incarnation >= 0;`,
      },
    ],
    hunt: guided('retired-votes'),
    expected: 'killed',
  },
  {
    number: 10,
    id: 'client-table-digest',
    removes: 'client table in the checkpoint digest',
    rules: ['D3'],
    patches: [
      {
        file: 'src/ledger/state-tree.ts',
        find: `  const input = new Uint8Array(CHUNK_PREFIX.length + 8 + bytes.length);`,
        replace: `  if (index >= 3 && index < 3 + 256) bytes = new Uint8Array(0);
  const input = new Uint8Array(CHUNK_PREFIX.length + 8 + bytes.length);`,
      },
    ],
    hunt: guided('stale-table'),
    expected: 'killed',
  },
];

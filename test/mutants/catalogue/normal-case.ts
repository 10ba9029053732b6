/** M01 to M11, M13 and M14: streams, seals, votes and execution in one view. */
import { FILE, inFile, INFERRED_VOTES, WITHOUT_V6 } from './mutant.ts';
import type { Mutant, Patch } from './mutant.ts';

const voteKeeper = 'src/smr/vote-keeper.ts';

const REPEATED_VOTES: readonly Patch[] = inFile(
  voteKeeper,
  [`if (!known) candidate.voters.push(voter);`, `candidate.voters.push(voter);`],
  [`if (!seen.includes(replica)) seen.push(replica);`, `seen.push(replica);`],
);

const ANY_COMMIT_ORDER: readonly Patch[] = inFile(
  FILE.stream,
  [`if (prepare.ui.counter <= state.lastPrimaryCounter)`, `if (prepare.ui.counter < 0)`],
  [`if (sequence <= state.lastSequence)`, `if (sequence < 0)`],
);

const SKIPPING_COMMITS: readonly Patch[] = inFile(FILE.stream, [
  `if (sequence > Math.max(state.lastSequence, state.checkpointSequence) + 1)`,
  `if (sequence < 0)`,
]);

/** See the top of this file. */
export const NORMAL_CASE: readonly Mutant[] = [
  {
    id: 'M01',
    name: 'counter gap',
    removes: 'the next counter value is waited for: whatever comes next in a stream is taken at once',
    rules: ['MinBFT.STEP.PRE.3'],
    patches: [
      ...inFile(FILE.stream, [`if (ui.counter !== state.counter + 1)`, `if (ui.counter <= state.counter)`]),
      ...inFile(FILE.streams, [
        `const item = slot.buffer.get(slot.state.counter + 1);`,
        `const item = slot.buffer.lowest();`,
      ]),
      ...inFile('src/smr/stream-buffer.ts', [
        `  /** Drops everything at or below a counter. */`,
        `  lowest(): M | undefined {
    let lowest: CounterValue | undefined;
    for (const held of this.#messages.keys()) if (lowest === undefined || held < lowest) lowest = held;
    return lowest === undefined ? undefined : this.#messages.get(lowest);
  }

  /** Drops everything at or below a counter. */`,
      ]),
    ],
    judges: ['liveness', 'accusation', 'agreement'],
    drawn: 'core',
    expected: 'killed',
  },
  {
    id: 'M02',
    name: 'old counters',
    removes:
      'a counter value that was processed is not processed again: a repeated message puts its stream back',
    rules: ['MinBFT.STEP.PRE.3'],
    patches: inFile(FILE.streams, [
      `    completeRelayed(slot, item, ui.counter);
    return;`,
      `    slot.state = { ...slot.state, counter: ui.counter - 1 };
    slot.buffer.put(ui.counter, item);
    return;`,
    ]),
    judges: ['accusation', 'liveness'],
    drawn: 'core',
    expected: 'killed',
  },
  {
    id: 'M03',
    name: 'certificates unchecked',
    removes: 'the certificate of a sealed message is verified',
    rules: ['B4', 'MinBFT.STEP.PRE.2'],
    patches: inFile('src/crypto/seal-verifier.ts', [
      `: verifyCounter(trusted, seal.ui, seal.digest);
    return holds ? 'valid' : 'invalid';`,
      `: verifyCounter(trusted, seal.ui, seal.digest) || true;
    return holds ? 'valid' : 'invalid';`,
    ]),
    judges: ['agreement', 'validity', 'start', 'accusation', 'liveness'],
    drawn: 'whole',
    history: 'forged-seal',
    expected: 'killed',
  },
  {
    id: 'M04',
    name: 'certificate without digest',
    removes: 'the certificate of the trusted component covers the digest of the message',
    rules: ['TCS1 statement'],
    patches: inFile('src/trusted/statement.ts', [
      `    value: counter,
    digest,
  });`,
      `    value: counter,
    digest: ZERO_DIGEST,
  });`,
    ]),
    judges: ['agreement', 'accusation', 'liveness'],
    drawn: 'whole',
    history: 'two-faced-seal',
    expected: 'killed',
  },
  {
    id: 'M05',
    name: 'incarnation not pinned',
    removes: 'a vote counts only under the incarnation that the registry names before the order',
    rules: ['MinBFT.EXEC.3'],
    patches: inFile(FILE.execution, [
      `const current = currentEntry(s.registry, voter.replica).incarnation === voter.incarnation;`,
      `const current = voter.incarnation >= 0;`,
    ]),
    judges: ['agreement'],
    drawn: 'core',
    history: 'retired-votes',
    expected: 'killed',
  },
  {
    id: 'M06',
    name: 'f commits',
    removes: 'f+1 votes decide an order: f do',
    rules: ['MinBFT.EXEC.1'],
    patches: inFile(
      FILE.execution,
      [`if (!group.votes.hasVoters(n, s.quorum)) return undefined;`, ``],
      [
        `return group.votes.decided(n, s.quorum, (voter, proposal) => {`,
        `return group.votes.decided(n, s.quorum - 1, (voter, proposal) => {`,
      ],
    ),
    judges: ['agreement', 'reply'],
    drawn: 'core',
    history: 'lonely-primary',
    expected: 'killed',
  },
  {
    id: 'M07',
    name: 'repeated votes',
    removes: 'a replica has one vote for an order, and commits to an order once',
    rules: ['MinBFT.EXEC.1', 'MinBFT.STEP.COMMIT.7', 'MinBFT.STEP.COMMIT.8'],
    patches: [...REPEATED_VOTES, ...ANY_COMMIT_ORDER],
    judges: ['agreement'],
    drawn: 'core',
    theme: 'bridge',
    history: 'double-commit',
    expected: 'killed',
  },
  {
    id: 'M07/alone',
    name: 'repeated votes alone',
    removes: 'a replica has one vote for an order',
    rules: ['MinBFT.EXEC.1'],
    patches: REPEATED_VOTES,
    judges: [],
    drawn: 'core',
    history: 'double-commit',
    expected: 'masked',
    control: 'M07',
    remark:
      'every message of a stream is processed once, by its counter, and COMMIT.7 and COMMIT.8 allow one commitment to ' +
      'an order in a view; so no replica ever gives the same vote twice',
  },
  {
    id: 'M08',
    name: 'inner PREPARE unchecked',
    removes: 'the certificate of the PREPARE inside a COMMIT is verified',
    rules: ['B4'],
    patches: inFile(
      'src/smr/usig-stream/seals.ts',
      [`return [counterSeal(message), counterSeal(message.prepare)];`, `return [counterSeal(message)];`],
      [`if ('prepare' in message) this.prepare(message.prepare);`, `if ('prepare' in message) return;`],
    ),
    judges: ['agreement', 'accusation', 'liveness'],
    drawn: 'whole',
    theme: 'statements',
    history: 'forged-inner',
    expected: 'killed',
  },
  {
    id: 'M09',
    name: 'anybody proposes',
    removes: 'only the primary of the view proposes',
    rules: ['MinBFT.STEP.PREPARE.2', 'MinBFT.STEP.COMMIT.5'],
    patches: inFile(
      FILE.stream,
      [`if (author !== context.primaryOf(state.newView.view))`, `if (author < 0)`],
      [`if (prepare.ui.replica !== context.primaryOf(prepare.view))`, `if (prepare.ui.replica < 0)`],
    ),
    judges: ['agreement', 'liveness'],
    drawn: 'core',
    theme: 'usurper',
    history: 'usurper',
    expected: 'killed',
  },
  {
    id: 'M10',
    name: 'any sequence number',
    removes: 'a PREPARE has the next sequence number of its stream',
    rules: ['MinBFT.STEP.PREPARE.5'],
    patches: inFile(FILE.stream, [
      `if (message.sequence !== state.lastSequence + 1)`,
      `if (message.sequence < 1)`,
    ]),
    judges: ['agreement', 'liveness'],
    drawn: 'core',
    theme: 'statements',
    history: 'double-prepare',
    expected: 'killed',
  },
  {
    id: 'M11',
    name: 'old views',
    removes: 'a PREPARE or COMMIT of an older view than that of its stream is refused',
    rules: ['MinBFT.STEP.PREPARE.3', 'MinBFT.STEP.COMMIT.3', 'MinBFT.STEP.COMMIT.5'],
    patches: inFile(
      FILE.stream,
      [`if (message.view !== state.newView.view)`, `if (message.view > state.newView.view)`],
      [`if (prepare.view !== newView.view)`, `if (prepare.view > newView.view)`],
      [
        `if (prepare.ui.replica !== context.primaryOf(prepare.view))`,
        `if (prepare.ui.replica !== context.primaryOf(newView.view))`,
      ],
    ),
    judges: ['agreement', 'liveness'],
    drawn: 'core',
    history: 'stale-prepare',
    expected: 'killed',
  },
  {
    id: 'M13',
    name: 'client seals unchecked',
    removes: 'the seals of clients in the body of a batch are verified',
    rules: ['MinBFT.BACKUP.3'],
    patches: inFile('src/host/request-judge.ts', [
      `return verifier.verifyMany([{ kind: 'client', key, digest, signature }]) === 'valid';`,
      `return verifier.verifyMany([{ kind: 'client', key, digest, signature }]) !== 'unknownKey';`,
    ]),
    judges: ['validity'],
    drawn: 'whole',
    theme: 'fabricated',
    history: 'forged-request',
    expected: 'killed',
  },
  {
    id: 'M13/commit',
    name: 'client seals unchecked at COMMIT',
    removes: 'a valid client seal as a condition of COMMIT, while execution still looks at it',
    rules: ['MinBFT.BACKUP.3'],
    patches: inFile('src/smr/usig-replica/ordering.ts', [
      `if (batch.bundleAuthentic.includes(false) || batch.recoverAuthentic.includes(false)) return false;`,
      `if (batch.recoverAuthentic.includes(false)) return false;`,
    ]),
    judges: [],
    drawn: 'whole',
    history: 'forged-request',
    expected: 'masked',
    control: 'M13',
    remark:
      'what was committed without a valid seal is a no-op for everybody when it is executed, as in a base; so the ' +
      'check belongs to the verification of the body, and that is what M13 takes out',
  },
  {
    id: 'M14',
    name: 'not exactly once',
    removes: 'a request that was executed is not executed again',
    rules: ['C4'],
    patches: inFile('src/ledger/request-runner.ts', [`if (session.isDone(request.number)) return;`, ``]),
    judges: ['exactly-once', 'reply'],
    drawn: 'whole',
    history: 'proposed-twice',
    expected: 'killed',
  },
  {
    id: 'M17',
    name: 'skipped commitments',
    removes:
      'a replica commits to orders one after the other, in live streams and in logs; with V6 and explicit votes',
    rules: [
      'MinBFT.STEP.COMMIT.7',
      'MinBFT.STEP.COMMIT.8',
      'MinBFT.STEP.COMMIT.9',
      'MinBFT.V6',
      'MinBFT.EXEC.1',
    ],
    patches: [...ANY_COMMIT_ORDER, ...SKIPPING_COMMITS, ...WITHOUT_V6, ...INFERRED_VOTES],
    judges: ['agreement'],
    drawn: 'core',
    history: 'bare-skip',
    expected: 'killed',
  },
  {
    id: 'M17/alone',
    name: 'skipped commitments alone',
    removes: 'a replica commits to orders one after the other, in live streams and in logs',
    rules: ['MinBFT.STEP.COMMIT.7', 'MinBFT.STEP.COMMIT.8', 'MinBFT.STEP.COMMIT.9'],
    patches: [...ANY_COMMIT_ORDER, ...SKIPPING_COMMITS],
    judges: [],
    drawn: 'core',
    history: 'bare-skip',
    expected: 'masked',
    control: 'M17',
    remark:
      'V6 refuses a log with a hole, and votes are explicit: a vote for n says nothing about the orders below n, so ' +
      'each decided order stands in some log by itself (docs/testing.md, "V6 is held twice")',
  },
];

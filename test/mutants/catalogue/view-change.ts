/** M12, M15, M16 and M18 to M25: leaving a view, starting one, and what clients believe. */
import { COMMIT_WHILE_CHANGING, FILE, inFile } from './mutant.ts';
import type { Mutant, Patch } from './mutant.ts';

const VOTES_ON: readonly Patch[] = inFile(
  FILE.sealing,
  [
    `return commit === undefined ? undefined : { draft: commit };`,
    `if (commit !== undefined) return { draft: commit };`,
  ],
  [
    `if (!s.rule('MinBFT.BACKUP.1', state.newView.view === state.view)) return undefined;`,
    `s.rule('MinBFT.BACKUP.1', state.newView.view === state.view);`,
  ],
);

/** See the top of this file. */
export const VIEW_CHANGE: readonly Mutant[] = [
  {
    id: 'M12',
    name: 'votes on after VIEW-CHANGE',
    removes:
      'a replica that has asked for another view commits to nothing in the old one, and nobody counts it',
    rules: ['MinBFT.BACKUP.1', 'MinBFT.STEP.COMMIT.1'],
    patches: [...VOTES_ON, ...COMMIT_WHILE_CHANGING],
    judges: ['agreement', 'liveness'],
    drawn: 'core',
    history: 'late-proposal',
    expected: 'killed',
  },
  {
    id: 'M12/alone',
    name: 'wants to vote on after VIEW-CHANGE',
    removes: 'a replica that has asked for another view does not want to commit in the old one',
    rules: ['MinBFT.BACKUP.1'],
    patches: VOTES_ON,
    judges: [],
    drawn: 'core',
    history: 'late-proposal',
    expected: 'masked',
    control: 'M12',
    remark:
      'a correct replica asks the rules of its own stream before it seals anything; COMMIT.1 refuses there, so ' +
      'nothing is sealed',
  },
  {
    id: 'M15',
    name: 'holes in the log',
    removes: 'the log in a VIEW-CHANGE has every counter value between its start and the VIEW-CHANGE',
    rules: ['MinBFT.V4'],
    patches: inFile(FILE.viewChange, [
      `if (ui.counter !== start.counter + log.length + 1)`,
      `if (ui.counter < 0)`,
    ]),
    judges: ['agreement'],
    drawn: 'core',
    history: 'truncated-log',
    expected: 'killed',
  },
  {
    id: 'M16',
    name: 'log not replayed',
    removes:
      'the messages in the log of a VIEW-CHANGE follow the rules of the stream (their number still counts)',
    rules: ['MinBFT.V4'],
    patches: inFile(FILE.viewChange, [
      `    if (result.kind !== 'accepted')
      return invalid('MinBFT.V4'`,
      `    if (result.kind !== 'accepted') {
      state = { ...state, counter: state.counter + 1 };
      continue;
    }
    if (state.counter < 0)
      return invalid('MinBFT.V4'`,
    ]),
    judges: ['agreement'],
    drawn: 'core',
    theme: 'logs',
    history: 'foreign-entry',
    expected: 'killed',
  },
  {
    id: 'M18',
    name: 'f VIEW-CHANGEs',
    removes: 'f+1 VIEW-CHANGEs make a NEW-VIEW: f do',
    rules: ['MinBFT.N1'],
    patches: [
      ...inFile(FILE.viewChange, [
        `if (references.length !== context.f + 1)`,
        `if (references.length < context.f)`,
      ]),
      ...inFile(FILE.ownViewChange, [
        `for (const choice of choicesOf(others, s.f)) {`,
        `for (const choice of choicesOf(others, s.f - 1)) {`,
      ]),
    ],
    judges: ['agreement', 'reply'],
    drawn: 'core',
    history: 'lonely-new-view',
    expected: 'killed',
  },
  {
    id: 'M19',
    name: 'base not recomputed',
    removes: 'low, end and base of a NEW-VIEW are what follows from its VIEW-CHANGEs',
    rules: ['MinBFT.N2'],
    patches: inFile(FILE.viewChange, [
      `  if (!agrees)
    return invalid('MinBFT.N2'`,
      `  if (header.view < 0)
    return invalid('MinBFT.N2'`,
    ]),
    judges: ['agreement', 'accusation', 'liveness'],
    drawn: 'core',
    history: 'shortened-base',
    expected: 'killed',
  },
  {
    id: 'M20',
    name: 'longest log wins',
    removes:
      'the highest view that anybody entered decides what a base is built from: the highest sequence number does',
    rules: ['MinBFT.BASE.2'],
    patches: inFile(FILE.base, [
      `  let best = viewChanges[0]!.checked.end.newView;
  for (const { checked } of viewChanges) {
    const { newView } = checked.end;
    const newer =
      newView.view - best.view || newView.incarnation - best.incarnation || best.counter - newView.counter;
    if (newer > 0) best = newView;
  }
  return best;`,
      `  let best = viewChanges[0]!.checked.end;
  for (const { checked } of viewChanges)
    if (checked.end.lastSequence > best.lastSequence) best = checked.end;
  return best.newView;`,
    ]),
    judges: ['agreement'],
    drawn: 'core',
    theme: 'cuts',
    history: 'longer-old-log',
    expected: 'killed',
  },
  {
    id: 'M21',
    name: 'tail dropped',
    removes: 'the last entry of a base',
    rules: ['MinBFT.BASE.6'],
    patches: inFile(FILE.base, [
      `  return {
    ...start,
    end: start.low + base.length,`,
      `  base.pop();
  return {
    ...start,
    end: start.low + base.length,`,
    ]),
    judges: ['agreement', 'reply'],
    drawn: 'core',
    history: 'truthful-log',
    expected: 'killed',
  },
  {
    id: 'M22',
    name: 'one suspicion suffices',
    removes: 'f+1 replicas ask for a view before anybody goes there: one does',
    rules: ['MinBFT.VC.1'],
    patches: inFile(
      FILE.ownViewChange,
      [`if (above < s.quorum) return view;`, `if (above < 1) return view;`],
      [`return asked[s.f]!;`, `return asked[0]!;`],
    ),
    judges: ['view-justification', 'liveness'],
    drawn: 'core',
    theme: 'views',
    history: 'restless',
    expected: 'killed',
  },
  {
    id: 'M23',
    name: 'justification ignored',
    removes:
      'the wishes that a VIEW-CHANGE carries count for its receiver; with the request timer of R0, which masks it',
    rules: ['MinBFT.VC.5', 'MinBFT.VC.2'],
    patches: [
      ...inFile(FILE.streams, [
        `for (const request of message.justification) noteRequestViewChange(s, request);`,
        ``,
      ]),
      ...inFile('src/smr/usig-replica/replica.ts', [
        `if (!s.rule('MinBFT.VC.2', !s.pending.isOverdue(s.now, s.isDone))) {`,
        `if (s.self !== 0 && s.pending.isOverdue(s.now, s.isDone)) {`,
      ]),
    ],
    judges: ['liveness'],
    drawn: 'core',
    theme: 'deserters',
    history: 'one-told',
    expected: 'killed',
  },
  {
    id: 'M23/alone',
    name: 'justification ignored alone',
    removes: 'the wishes that a VIEW-CHANGE carries count for its receiver',
    rules: ['MinBFT.VC.5'],
    patches: inFile(FILE.streams, [
      `for (const request of message.justification) noteRequestViewChange(s, request);`,
      ``,
    ]),
    judges: [],
    drawn: 'core',
    history: 'one-told',
    expected: 'masked',
    control: 'M23',
    remark:
      'who lacks a quorum in its view suspects the primary by its own request timer soon after; the justification ' +
      'saves that wait, nothing else',
  },
  {
    id: 'M24',
    name: 'one reply believed',
    removes: 'a client believes a result that f+1 replicas gave alike: one reply is enough',
    rules: ['C7'],
    patches: inFile('src/client/bundle-tracker.ts', [
      `countEqualTo(vote, votes) >= needed)`,
      `countEqualTo(vote, votes) >= 1)`,
    ]),
    judges: ['reply'],
    drawn: undefined,
    theme: 'clients',
    history: 'lying-reply',
    expected: 'killed',
    remark:
      'the client of the product is not in the simulator, whose own client is written apart; its part is played alone',
  },
  {
    id: 'M25',
    name: 'early votes lost',
    removes: 'votes in a view that this replica has not entered yet are kept for later',
    rules: ['MinBFT.EXEC.1'],
    patches: inFile(FILE.streams, [
      `  noteVote(s, voter.replica, prepare);`,
      `  noteVote(s, voter.replica, prepare);
  if (slot.state.newView.view > s.own.state.newView.view) return;`,
    ]),
    judges: ['liveness'],
    drawn: 'core',
    history: 'late-new-view',
    expected: 'killed',
  },
];

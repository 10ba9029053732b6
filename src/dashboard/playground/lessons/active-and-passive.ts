/** Lesson 7: two work, one only follows. */
import type { Lesson } from './lesson.ts';

/** See the top of this file. */
export const ACTIVE_AND_PASSIVE: Lesson = {
  title: 'Two work, one follows',
  summary: 'How a replica can save its strength until it is needed.',
  runs: [{ script: 'cheapbft', label: 'CheapBFT', objections: [] }],
  steps: [
    {
      title: 'Only two are active',
      text:
        'Two of three are enough to decide (lesson 4). So why let the third one work? In CheapBFT replicas 0 and 1 are active, and replica ' +
        '2 is passive. The leader proposes to the other active replica only.',
      at: { kind: 'deliver', message: 'PREPARE', from: 0, to: 1 },
      claims: [
        { find: { kind: 'send', message: 'PREPARE', from: 0, to: 1 }, times: 'some' },
        { find: { kind: 'send', message: 'PREPARE', to: 2 }, times: 'none' },
      ],
    },
    {
      title: 'Both must agree',
      text:
        'Replica 1 answers with its COMMIT, and both execute. Nobody may be missing: two is all that there are. The statements are ' +
        'numbered by trusted counters here, too.',
      at: { kind: 'execute', replica: 0, sequence: 1 },
      rules: [{ rule: 'CheapBFT.T4', passed: true }],
      claims: [
        { find: { kind: 'deliver', message: 'COMMIT', from: 1, to: 0 }, times: 1 },
        { find: { kind: 'send', message: 'COMMIT', to: 2 }, times: 'none' },
      ],
    },
    {
      title: 'The passive one takes over the result',
      text:
        'Both tell replica 2 what has changed: UPDATE. It compares the two and takes the change over without doing the work. If the two ' +
        'differed it would raise the alarm.',
      at: { kind: 'deliver', message: 'UPDATE', to: 2, sequence: 1 },
      nth: 2,
      rules: [{ rule: 'CheapBFT.T5.equal', passed: true }],
      claims: [{ find: { kind: 'deliver', message: 'UPDATE', to: 2, sequence: 1 }, times: 2 }],
    },
    {
      title: 'Cheap',
      text:
        'The client has its two equal answers. One PREPARE, one COMMIT, two UPDATEs and two answers were sent: six messages, where MinBFT ' +
        'needs nine and PBFT 28. And only two machines did the work.',
      at: { kind: 'believe', client: 0 },
      claims: [
        { find: { kind: 'send', message: 'PREPARE' }, times: 1 },
        { find: { kind: 'send', message: 'COMMIT' }, times: 1 },
        { find: { kind: 'send', message: 'UPDATE' }, times: 2 },
        { find: { kind: 'answered' }, times: 2 },
      ],
    },
    {
      title: 'The leader dies',
      text:
        'Now replica 0 dies, and the next request gets nowhere: the two active replicas can do nothing without each other. When patience ' +
        'ends, the two that are left send PANIC. That stops this cheap way of working.',
      at: { kind: 'deliver', message: 'PANIC', to: 1 },
      rules: [{ rule: 'CheapBFT.S1', passed: true }],
      claims: [
        { find: { kind: 'fault', text: 'crash of 0' }, times: 1 },
        { find: { kind: 'note', name: 'panic' }, times: 'some' },
      ],
    },
    {
      title: 'What has been done',
      text:
        'Replica 1 shows its HISTORY: all that it agreed to, with the numbers of its counter, and one more that closes it. Leaving something ' +
        'out would leave a hole. So nothing that was settled can be lost.',
      at: { kind: 'deliver', message: 'HISTORY', from: 1, to: 2 },
      claims: [{ find: { kind: 'deliver', message: 'HISTORY', from: 1, to: 2 }, times: 1 }],
    },
    {
      title: 'All hands',
      text:
        'Replicas 1 and 2 agree on that history and go on with MinBFT (its messages are packed in FALLBACK here). The passive replica works ' +
        'now: it executes n2, and soon what clients ask for meanwhile.',
      at: { kind: 'execute', replica: 2, sequence: 2 },
      rules: [{ rule: 'CheapBFT.S5', passed: true }],
      claims: [
        { find: { kind: 'note', name: 'history', replica: 2 }, times: 1 },
        { find: { kind: 'deliver', message: 'FALLBACK' }, times: 'some' },
      ],
    },
  ],
  question: 'What is the price of having only two active replicas?',
  answer:
    'Any trouble of one of the two stops everything until the others have changed over, which takes as long as their patience. With three ' +
    'active replicas, as in MinBFT, the loss of a backup goes unnoticed.',
};

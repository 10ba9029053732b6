/** Lesson 8: what if the trusted component itself is tricked. */
import type { Lesson } from './lesson.ts';

/** See the top of this file. */
export const CLONED_COMPONENT: Lesson = {
  title: 'When the box counts twice',
  summary: 'What all of this rests on, how it breaks, and what a fence stops and does not stop.',
  runs: [
    { script: 'component-put-back', label: 'fence off', objections: ['agreement'] },
    { script: 'component-put-back-fenced', label: 'fence on', objections: [] },
    { script: 'component-taken-in', label: 'taken in again', objections: [] },
  ],
  steps: [
    {
      title: 'One promise carries it all',
      text:
        'Three replicas suffice because a counter never gives a number twice. The box has to remember its number when the power goes, so it ' +
        'keeps it on a disk. What if its operator copies that disk, lets the box run, and puts the old copy back?',
      at: { kind: 'asked', client: 1, to: 0 },
      claims: [{ find: { kind: 'send', message: 'PREPARE' }, times: 'none' }],
    },
    {
      title: 'Number 1',
      text:
        'The operator of replica 0 has kept a copy. The box gives the number 1 to a proposal for n1, and replica 1 is shown it: ' +
        '[0:1]. Replica 1 votes and executes. Its vote does not reach replica 2 in time.',
      at: { kind: 'execute', replica: 1, sequence: 1 },
      claims: [
        { find: { kind: 'deliver', message: 'PREPARE', from: 0, to: 1, sequence: 1, counter: 1 }, times: 1 },
        { find: { kind: 'deliver', message: 'COMMIT', from: 1, to: 2 }, times: 'none', by: 'end' },
      ],
    },
    {
      title: 'Number 1 again',
      text:
        'Now the copy is put back, and the box believes that it has never given a number. It gives the number 1 once more, to another ' +
        'proposal for n1. Replica 2 is shown that one: [0:1] as well, with a valid signature, and no number is missing.',
      at: { kind: 'deliver', message: 'PREPARE', from: 0, to: 2, counter: 1 },
      rules: [{ rule: 'MinBFT.STEP.PRE.3', passed: true, within: 'MinBFT.STEP.PREPARE' }],
      claims: [
        { find: { kind: 'fault', text: 'component of 0 put back' }, times: 1 },
        { find: { kind: 'deliver', message: 'PREPARE', from: 0, to: 2, sequence: 1, counter: 1 }, times: 1 },
        { find: { kind: 'note', name: 'evidence' }, times: 'none', by: 'end' },
      ],
    },
    {
      title: 'The checker finds the fork',
      text:
        'Both backups execute n1, and not the same: the checker reports it. It is lesson 1 again: without a counter that can be ' +
        'relied on, three replicas are too few. No protocol of this kind promises anything once a box gives a number twice.',
      at: { kind: 'violation' },
      look: { kind: 'replica', replica: 2 },
      claims: [
        { find: { kind: 'execute', replica: 1, sequence: 1 }, times: 1 },
        { find: { kind: 'execute', replica: 2, sequence: 1 }, times: 1 },
      ],
    },
    {
      title: 'The same with a fence',
      run: 1,
      text:
        'The same attack on a box with a fence: whenever it starts, it checks with something that cannot be put back whether its disk ' +
        'is the newest one. It is not, so it draws a new key. Its next number is 1 again, but under a key that nobody knows: replica ' +
        '2 refuses the second story.',
      at: { kind: 'note', name: 'ignored', replica: 2 },
      look: { kind: 'message', find: { kind: 'send', message: 'PREPARE', from: 0, to: 2 } },
      claims: [
        { find: { kind: 'fault', text: 'component of 0 put back' }, times: 1 },
        { find: { kind: 'deliver', message: 'PREPARE', from: 0, to: 2, counter: 1 }, times: 1 },
        { find: { kind: 'execute', replica: 1, sequence: 1 }, times: 1 },
      ],
    },
    {
      title: 'One history',
      run: 1,
      text:
        'The late vote comes, and with it the proposal with the old, true [0:1]. Replica 2 executes what replica 1 executed: one n1. ' +
        'But a fence only looks when the box starts. Whoever copies the memory of a running box has two that look alike, and no fence ' +
        'sees it.',
      at: { kind: 'execute', replica: 2, sequence: 1 },
      claims: [{ find: { kind: 'execute', sequence: 1 }, times: 2 }],
    },
    {
      title: 'Taken in again',
      run: 2,
      text:
        'A box that lost its memory can come back. Its replica asks the others to take the new key: RECOVER, further up. They order that ' +
        'like any request and go on in view 1 meanwhile. Until a checkpoint covers it, the replica has no voice. Now one does, and ' +
        'replica 0 speaks again.',
      at: { kind: 'seal', replica: 0 },
      nth: 2,
      claims: [
        { find: { kind: 'deliver', message: 'RECOVER', from: 0, to: 1 }, times: 'some' },
        { find: { kind: 'note', name: 'incarnation', replica: 1 }, times: 1 },
        { find: { kind: 'note', name: 'viewEntered', view: 1 }, times: 'some' },
        { find: { kind: 'seal', replica: 0 }, times: 2 },
        { find: { kind: 'believe' }, times: 4, by: 'end' },
      ],
    },
  ],
  question: 'Does the fence help against everything that can be done to the box?',
  answer:
    'No. Whoever copies the memory of a running box has two that look alike, and the fence sees nothing. That is why it matters what the box ' +
    'is made of: a process, a virtual machine, or a chip. The number of machines goes down because you trust that box.',
};

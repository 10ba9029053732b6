/** Lesson 8: what if the trusted component itself is tricked. */
import type { Lesson } from './lesson.ts';

/** See the top of this file. */
export const CLONED_COMPONENT: Lesson = {
  title: 'When the box is cloned',
  summary: 'What all of this rests on, how it breaks, and what the fence stops.',
  runs: [
    { script: 'component-put-back', label: 'fence off', objections: ['agreement'] },
    { script: 'component-put-back-fenced', label: 'fence on', objections: [] },
  ],
  steps: [
    {
      title: 'One promise carries it all',
      text:
        'Three replicas suffice because a counter never gives a number twice. The box has to remember its number when the power goes, so it ' +
        'keeps it on a disk. What if its operator copies that disk, lets the box run, and puts the old copy back?',
      at: { kind: 'asked', to: 0 },
      claims: [{ find: { kind: 'send', message: 'PREPARE' }, times: 'none' }],
    },
    {
      title: 'Number 1',
      text:
        'Here the operator of replica 0 does so, and the fence that watches for it is switched off. The box gives the number 1 to a proposal, ' +
        'and replica 1 is shown it: [0:1].',
      at: { kind: 'deliver', message: 'PREPARE', from: 0, to: 1, counter: 1 },
      claims: [
        { find: { kind: 'deliver', message: 'PREPARE', from: 0, to: 1, sequence: 1, counter: 1 }, times: 1 },
      ],
    },
    {
      title: 'Number 1 again',
      text:
        'Then the box is put back and gives the number 1 once more, to another proposal for n1. Replica 2 is shown that one. It is [0:1] as ' +
        'well, with a valid signature, and no number is missing. Only what it says differs: it names another batch of requests.',
      at: { kind: 'deliver', message: 'PREPARE', from: 0, to: 2, counter: 1 },
      rules: [{ rule: 'MinBFT.STEP.PRE.3', passed: true, within: 'MinBFT.STEP.PREPARE' }],
      claims: [
        { find: { kind: 'deliver', message: 'PREPARE', from: 0, to: 2, sequence: 1, counter: 1 }, times: 1 },
        { find: { kind: 'note', name: 'evidence' }, times: 'none', by: 'end' },
      ],
    },
    {
      title: 'The checker finds the fork',
      text:
        'Both backups execute n1, and not the same. It is lesson 1 again: without a counter that can be relied on, three replicas are too ' +
        'few. This lies outside of what the protocol promises, and the checker says so plainly.',
      at: { kind: 'violation' },
      claims: [
        { find: { kind: 'execute', replica: 1, sequence: 1 }, times: 1 },
        { find: { kind: 'execute', replica: 2, sequence: 1 }, times: 1 },
      ],
    },
    {
      title: 'With the fence',
      run: 1,
      text:
        'The same attack with the fence. A box that is started again does not trust its disk: it draws a new key. What it signs from ' +
        'now on has nothing to do with the old [0:1], and nobody takes it for the word of replica 0.',
      at: { kind: 'note', name: 'renewing', replica: 0 },
      claims: [
        { find: { kind: 'execute', sequence: 1, replica: 1 }, times: 1 },
        { find: { kind: 'execute', sequence: 1, replica: 2 }, times: 1 },
      ],
    },
    {
      title: 'It has to ask',
      run: 1,
      text:
        'Replica 0 must ask the others to take its new key: RECOVER. Until they have agreed on that, like on any request, it has no voice. ' +
        'Meanwhile they get on with a new primary.',
      at: { kind: 'deliver', message: 'RECOVER', from: 0, to: 1 },
      claims: [
        { find: { kind: 'deliver', message: 'RECOVER', from: 0, to: 1 }, times: 'some' },
        { find: { kind: 'note', name: 'viewEntered', view: 1 }, times: 'some', by: 'end' },
      ],
    },
    {
      title: 'Taken in again',
      run: 1,
      text:
        'The request is ordered, and replica 0 counts again, under its new key. There was never more than one n1, every request was ' +
        'answered, and the checkers found nothing.',
      at: { kind: 'note', name: 'incarnation', replica: 1 },
      claims: [
        { find: { kind: 'note', name: 'incarnation', replica: 1 }, times: 1 },
        { find: { kind: 'believe' }, times: 4, by: 'end' },
      ],
    },
  ],
  question: 'Does the fence help against everything that can be done to the box?',
  answer:
    'No. Whoever copies the memory of a running box has two that look alike, and the fence sees nothing. That is why it matters what the box ' +
    'is made of: a process, a virtual machine, or a chip. The number of machines goes down because you trust that box.',
};

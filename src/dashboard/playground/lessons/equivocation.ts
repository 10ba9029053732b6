/** Lesson 1: one liar among three replicas, and why there are four without trusted components. */
import type { Lesson } from './lesson.ts';

/** See the top of this file. */
export const EQUIVOCATION: Lesson = {
  title: 'One liar, two stories',
  summary: 'Why three replicas are not enough if any one of them may lie, and why four are.',
  runs: [
    { script: 'three-replicas-without-counters', label: 'three replicas', objections: ['agreement'] },
    { script: 'four-replicas-without-counters', label: 'four replicas', objections: [] },
  ],
  steps: [
    {
      title: 'Three copies of one service',
      text:
        'Time runs downward. Each line is a machine, each arrow a message; a red machine may lie (such a one is called Byzantine). Replicas ' +
        '0, 1 and 2 are copies of one service, so that it goes on when one of them breaks. On the left are two clients, and each asks for ' +
        'something. The copies stay equal only if all of them do the same things in the same order.',
      at: { kind: 'asked', client: 0, to: 0 },
      claims: [
        { find: { kind: 'ask', client: 0, to: 0 }, times: 'some' },
        { find: { kind: 'ask', client: 1, to: 0 }, times: 'some' },
      ],
    },
    {
      title: 'One proposes the order',
      text:
        'Somebody has to say what comes first. Here it is replica 0, the primary. It tells replica 1: “the request of client 0 is ' +
        'number 1”. In the picture n1 stands for number 1, and a proposal is called PRE-PREPARE, or PP where there ' +
        'is little room.',
      at: { kind: 'deliver', message: 'PRE-PREPARE', from: 0, to: 1, sequence: 1 },
      claims: [{ find: { kind: 'send', message: 'PRE-PREPARE', from: 0, to: 1, sequence: 1 }, times: 1 }],
    },
    {
      title: 'Two of three must say the same',
      text:
        'Replica 1 does not just believe that. It asks around (PREPARE and COMMIT in the picture, see lesson 2), and does the work once ' +
        'two of the three replicas tell the same story. It cannot wait for all three: one of them may be broken and never answer. Replica ' +
        '0 and replica 1 agree, so replica 1 executes n1; what stands behind it is a short name of the request.',
      at: { kind: 'execute', replica: 1, sequence: 1 },
      rules: [{ rule: 'PBFT.N4', passed: true }],
      claims: [{ find: { kind: 'deliver', message: 'COMMIT', from: 0, to: 1, sequence: 1 }, times: 'some' }],
    },
    {
      title: 'The lie',
      text:
        'Replica 0 lies: it is two machines under one name. The second one tells replica 2 that number 1 is the request of client 1. ' +
        'The message is well made and has the right signature, so nothing about it looks wrong. Telling two people two different ' +
        'things is called equivocation.',
      at: { kind: 'deliver', message: 'PRE-PREPARE', from: 0, to: 2, sequence: 1 },
      rules: [{ rule: 'PBFT.N2.primary', passed: true }],
      claims: [
        { find: { kind: 'deliver', message: 'PRE-PREPARE', from: 0, to: 2, sequence: 1 }, times: 1 },
        { find: { kind: 'refusal', rule: 'PBFT.N2.once' }, times: 'none', by: 'end' },
      ],
    },
    {
      title: 'The second pair',
      text:
        'Replica 2 does exactly what replica 1 did: it hears the same story from two of the three, itself and replica 0, and executes ' +
        'another request as n1. It has heard replica 1 tell something else, but cannot know which of the two lies, and may not wait for ' +
        'a third. Both honest replicas kept every rule.',
      at: { kind: 'execute', replica: 2, sequence: 1 },
      rules: [{ rule: 'PBFT.N4', passed: true }],
      claims: [
        { find: { kind: 'execute', replica: 1, sequence: 1 }, times: 1 },
        { find: { kind: 'execute', replica: 2, sequence: 1 }, times: 1 },
      ],
    },
    {
      title: 'What the checker says',
      text:
        'A checker stands outside of the run and compares what honest replicas did. It found two histories of one service, and that ' +
        'ends the run. The two pairs had only replica 0 in common, and replica 0 told each of them what it wanted to hear.',
      at: { kind: 'violation' },
      look: { kind: 'replica', replica: 0 },
      claims: [{ find: { kind: 'execute', sequence: 1, replica: 2 }, times: 1 }],
    },
    {
      title: 'The same liar among four',
      run: 1,
      text:
        'Now there are four replicas, and one waits for three that say the same: one may still be broken. Replicas 0, 1 and 2 tell ' +
        'one story, so replica 1 executes n1.',
      at: { kind: 'execute', replica: 1, sequence: 1 },
      rules: [{ rule: 'PBFT.N4', passed: true }],
      claims: [{ find: { kind: 'execute', replica: 1, sequence: 1 }, times: 1 }],
    },
    {
      title: 'No third voice',
      run: 1,
      text:
        'Replica 3 was told the other story. It says so to everybody, but replicas 1 and 2 say something else, and two voices are ' +
        'not three. Any two groups of three among four share two replicas, and one of those two is honest. With f liars it takes ' +
        '3f+1 replicas.',
      at: { kind: 'end' },
      look: { kind: 'replica', replica: 3 },
      claims: [
        { find: { kind: 'send', message: 'PREPARE', from: 3, sequence: 1 }, times: 3 },
        { find: { kind: 'execute', replica: 3 }, times: 'none' },
        { find: { kind: 'execute', replica: 2, sequence: 1 }, times: 1 },
      ],
    },
  ],
  question: 'Why not keep three replicas and wait for all three of them?',
  answer:
    'Then a single replica that never answers stops the service for ever. With three replicas one may wait for two and be lied to, or ' +
    'wait for three and be stopped. Four are the fewest where waiting for all but one is safe, if every replica can lie as it likes.',
};

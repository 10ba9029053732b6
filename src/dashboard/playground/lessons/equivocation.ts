/** Lesson 1: one liar among three replicas, and why there are four without trusted components. */
import type { Lesson } from './lesson.ts';

/** See the top of this file. */
export const EQUIVOCATION: Lesson = {
  title: 'One liar, two stories',
  summary:
    'Why three replicas are not enough if any one of them may lie, and why four are. Lessons 1, 3 and 4 alone say why three can be enough, in a few minutes.',
  runs: [
    { script: 'three-replicas-without-counters', label: 'three replicas', objections: ['agreement'] },
    { script: 'four-replicas-without-counters', label: 'four replicas', objections: [] },
  ],
  steps: [
    {
      title: 'Three copies of one service',
      text:
        'Each line is a machine, each arrow a message, and time runs downward. Replicas 0, 1 and 2 are copies of one service: if one ' +
        'breaks, the others go on. Two clients ask for something, and all copies must do it in the same order. The red one may lie; ' +
        'such a machine is called Byzantine.',
      at: { kind: 'asked', client: 0, to: 0 },
      claims: [
        { find: { kind: 'ask', client: 0, to: 0 }, times: 'some' },
        { find: { kind: 'ask', client: 1, to: 0 }, times: 'some' },
      ],
    },
    {
      title: 'One proposes the order',
      text:
        'Somebody has to say what comes first: replica 0, the primary. It tells replica 1 that the request of client 0 is number 1, in the ' +
        'picture n1. A proposal is called PRE-PREPARE here, PP where there is little room.',
      at: { kind: 'deliver', message: 'PRE-PREPARE', from: 0, to: 1, sequence: 1 },
      claims: [{ find: { kind: 'send', message: 'PRE-PREPARE', from: 0, to: 1, sequence: 1 }, times: 1 }],
    },
    {
      title: 'Two of three must say the same',
      text:
        'Replica 1 asks around (lesson 2 shows how) and executes n1 once two of the three, itself and one other, tell the same story. ' +
        'It cannot wait for all three, for one may be broken and never answer. What stands behind n1 is a short name of the request.',
      at: { kind: 'execute', replica: 1, sequence: 1 },
      rules: [{ rule: 'PBFT.N4', passed: true }],
      claims: [{ find: { kind: 'deliver', message: 'COMMIT', from: 0, to: 1, sequence: 1 }, times: 'some' }],
    },
    {
      title: 'The lie',
      text:
        'Replica 0 lies: it is two machines under one name. The second one tells replica 2 that n1 is the request of client 1. The message has ' +
        'the right signature, and nothing about it looks wrong. Two stories for two listeners: that is called equivocation.',
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
        'Replica 2 does what replica 1 did: it hears one story from two of the three, itself and replica 0, and executes another n1. It hears ' +
        'replica 1 say something else, but cannot know who lies, and may not wait for a third. Both honest replicas kept every rule.',
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
        'A checker stands outside and compares what honest replicas did. It found two histories of one service. The two pairs had only ' +
        'replica 0 in common, and it told each of them what it wanted to hear.',
      at: { kind: 'violation' },
      look: { kind: 'replica', replica: 0 },
      figure: 'pairs',
      claims: [{ find: { kind: 'execute', sequence: 1, replica: 2 }, times: 1 }],
    },
    {
      title: 'The same liar among four',
      run: 1,
      text:
        'Four replicas, and one waits for three that say the same, for one may still be broken. Replicas 0, 1 and 2 tell one story: replica 1 ' +
        'executes n1.',
      at: { kind: 'execute', replica: 1, sequence: 1 },
      rules: [{ rule: 'PBFT.N4', passed: true }],
      claims: [{ find: { kind: 'execute', replica: 1, sequence: 1 }, times: 1 }],
    },
    {
      title: 'No third voice',
      run: 1,
      text:
        'Replica 3 was told the other story, but two voices are not three. Any two groups of three among four share two replicas, and ' +
        'one of those two is honest. That is for one liar; for f liars it takes 3f+1 replicas.',
      at: { kind: 'end' },
      look: { kind: 'replica', replica: 3 },
      claims: [
        { find: { kind: 'send', message: 'PREPARE', from: 3, sequence: 1 }, times: 3 },
        { find: { kind: 'execute', replica: 3 }, times: 'none' },
        { find: { kind: 'execute', replica: 2, sequence: 1 }, times: 1 },
      ],
    },
  ],
  shortcut: { lesson: 3, text: 'In a hurry: lesson 3, what a counter changes' },
  question: 'Why not keep three replicas and wait for all three of them?',
  answer:
    'Then a single replica that never answers stops the service for ever. With three replicas one may wait for two and be lied to, or ' +
    'wait for three and be stopped. Four are the fewest where waiting for all but one is safe, if every replica can lie as it likes.',
};

/** Lesson 3: what changes when every statement has a number that a trusted counter gave it. */
import type { Lesson } from './lesson.ts';

/** See the top of this file. */
export const TRUSTED_COUNTER: Lesson = {
  title: 'A counter that only counts up',
  summary: 'How a tiny trusted counter beside each replica turns a lie into a proof.',
  runs: [{ script: 'two-stories-with-a-counter', label: 'a liar with a counter', objections: [] }],
  steps: [
    {
      title: 'A small honest helper',
      text:
        'In lesson 1 the liar could say two things because nothing tied its words together. Now each replica has a small trusted ' +
        'component: a counter and a key in a box. Each proposal and each vote is signed by the box, together with the next number. It ' +
        'never gives a number twice, not even to a liar.',
      at: { kind: 'asked', to: 0 },
      claims: [{ find: { kind: 'seal' }, times: 'none' }],
    },
    {
      title: 'The first story',
      text:
        'Replica 0 is the liar again. It tells replica 1 that n1 is one request; a proposal is called PREPARE here (in lesson 1 that ' +
        'was a vote). Behind it stands [0:1]: the box of replica 0 gave it the number 1. Replica 1 votes for it with a COMMIT and ' +
        'executes n1, for two of three are enough (lesson 4 says why).',
      at: { kind: 'execute', replica: 1, sequence: 1 },
      rules: [{ rule: 'MinBFT.STEP.PRE.3', passed: true, within: 'MinBFT.STEP.PREPARE' }],
      claims: [
        { find: { kind: 'asked', to: 0 }, times: 2 },
        { find: { kind: 'deliver', message: 'PREPARE', from: 0, to: 1, sequence: 1, counter: 1 }, times: 1 },
        { find: { kind: 'send', message: 'COMMIT', from: 1, counter: 1 }, times: 'some', by: 'end' },
      ],
    },
    {
      title: 'The second story',
      text:
        'It tells replica 2 that n1 is another request. But the box counts on: this message has the number 2, [0:2]. Replica 0 cannot ' +
        'change that, for nobody takes a proposal that its box has not signed.',
      at: { kind: 'deliver', message: 'PREPARE', from: 0, to: 2, counter: 2 },
      claims: [
        { find: { kind: 'deliver', message: 'PREPARE', from: 0, to: 2, sequence: 1, counter: 2 }, times: 1 },
        {
          find: { kind: 'deliver', message: 'PREPARE', from: 0, to: 2, counter: 1 },
          times: 'none',
          by: 'end',
        },
      ],
    },
    {
      title: 'A number is missing',
      text:
        'Replica 2 takes the messages of another replica in the order of their numbers and leaves none out. It has [0:2] but not ' +
        '[0:1], so it waits. It neither votes for the second story nor executes it.',
      at: { kind: 'send', message: 'RESEND-REQUEST', from: 2 },
      look: { kind: 'replica', replica: 2 },
      claims: [
        { find: { kind: 'execute', replica: 2 }, times: 'none' },
        { find: { kind: 'send', message: 'COMMIT', from: 2 }, times: 'none' },
      ],
    },
    {
      title: 'Caught',
      text:
        'The vote of replica 1 arrives. A vote carries the proposal that it votes for: here is [0:1], signed by the box, so nobody ' +
        'can have made it up. Now [0:2] may come next, but n1 is taken: replica 2 refuses it and executes the first story, like ' +
        'replica 1. Two signatures of one box that say two things about n1 are a proof that anybody can check.',
      at: { kind: 'execute', replica: 2, sequence: 1 },
      rules: [{ rule: 'MinBFT.STEP.PREPARE.5', passed: false }],
      claims: [
        { find: { kind: 'deliver', message: 'COMMIT', from: 1, to: 2, sequence: 1 }, times: 1 },
        { find: { kind: 'note', name: 'evidence', replica: 2, against: 0 }, times: 1 },
      ],
    },
    {
      title: 'A liar can only fall silent',
      text:
        'Both honest replicas did the same, and replica 2 asks for another primary. A liar with such a counter may stop speaking. It ' +
        'cannot tell two stories: whoever hears the second one first waits for the first one.',
      at: { kind: 'deliver', message: 'REQUEST-VIEW-CHANGE', from: 2, to: 1 },
      claims: [
        { find: { kind: 'execute', sequence: 1 }, times: 2, by: 'end' },
        { find: { kind: 'send', message: 'REQUEST-VIEW-CHANGE', from: 2 }, times: 'some' },
      ],
    },
  ],
  question: 'What if replica 0 had shown the message with the number 1 to nobody at all?',
  answer:
    'Then nobody would ever take its message with the number 2, nor any later one: it would have silenced itself. For the others that is ' +
    'a replica that broke, and they go on without it.',
};

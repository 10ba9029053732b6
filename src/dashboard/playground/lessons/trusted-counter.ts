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
        'component: a counter and a key in a box. Whatever a replica says, the box signs it together with the next number. It ' +
        'never gives a number twice, not even to a liar.',
      at: { kind: 'asked', to: 0 },
      claims: [{ find: { kind: 'seal' }, times: 'none' }],
    },
    {
      title: 'The first story',
      text:
        'Replica 0 is the liar again. It tells replica 1 that n1 is one request. A proposal is called PREPARE here. Behind it stands ' +
        '[0:1]: the box of replica 0 gave it the number 1.',
      at: { kind: 'deliver', message: 'PREPARE', from: 0, to: 1, counter: 1 },
      rules: [{ rule: 'MinBFT.STEP.PRE.3', passed: true, within: 'MinBFT.STEP.PREPARE' }],
      claims: [
        { find: { kind: 'asked', to: 0 }, times: 2 },
        { find: { kind: 'deliver', message: 'PREPARE', from: 0, to: 1, sequence: 1, counter: 1 }, times: 1 },
      ],
    },
    {
      title: 'The second story',
      text:
        'It tells replica 2 that n1 is another request. But the box counts on: this message has the number 2, [0:2]. Replica 0 cannot ' +
        'change that, for without the signature of its box nobody listens.',
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
      title: 'Something is missing',
      text:
        'Replica 2 takes the messages of another replica in the order of their numbers, and leaves none out. It has 2 but not 1, so it ' +
        'waits and asks around. It does not vote and does not execute anything.',
      at: { kind: 'send', message: 'RESEND-REQUEST', from: 2 },
      look: { kind: 'replica', replica: 2 },
      claims: [
        { find: { kind: 'execute', replica: 2 }, times: 'none', by: 'end' },
        { find: { kind: 'send', message: 'COMMIT', from: 2 }, times: 'none', by: 'end' },
      ],
    },
    {
      title: 'The missing message',
      text:
        'Replica 1 has the message with the number 1 and passes it on. It cannot forge it, and need not be trusted: the signature of ' +
        'the box of replica 0 is on it. So what a liar shows to anybody may reach everybody.',
      at: { kind: 'deliver', message: 'PREPARE', from: 1, to: 2, author: 0, counter: 1 },
      claims: [
        { find: { kind: 'deliver', message: 'PREPARE', from: 1, to: 2, author: 0, counter: 1 }, times: 1 },
      ],
    },
    {
      title: 'Caught',
      text:
        'Now replica 2 holds both: two statements signed by the same box, which say two things about n1. An honest replica never does ' +
        'that. The pair is a proof that anybody can check, and replica 2 never listens to replica 0 again.',
      at: { kind: 'note', name: 'evidence', replica: 2, against: 0 },
      rules: [{ rule: 'MinBFT.STEP.PREPARE.5', passed: false }],
      claims: [{ find: { kind: 'note', name: 'evidence', replica: 2, against: 0 }, times: 1 }],
    },
    {
      title: 'A liar can only fall silent',
      text:
        'Nobody has executed anything wrong. Replica 2 asks for another primary. A liar with such a counter may stop speaking, but it ' +
        'cannot tell two stories: whoever hears the second one first waits for the first one.',
      at: { kind: 'send', message: 'REQUEST-VIEW-CHANGE', from: 2 },
      claims: [{ find: { kind: 'execute', replica: 2 }, times: 'none', by: 'end' }],
    },
  ],
  question: 'What if replica 0 had shown the message with the number 1 to nobody at all?',
  answer:
    'Then nobody would ever take its message with the number 2, nor any later one: it would have silenced itself. For the others that is ' +
    'a replica that broke, and they go on without it.',
};

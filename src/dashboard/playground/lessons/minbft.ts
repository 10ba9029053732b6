/** Lesson 4: MinBFT, and why three replicas suffice. */
import type { Lesson } from './lesson.ts';

/** See the top of this file. */
export const MINBFT_LESSON: Lesson = {
  title: 'MinBFT: why three suffice',
  summary: 'Three replicas and two kinds of messages are enough, and here is the reason.',
  runs: [{ script: 'minbft', label: 'MinBFT', objections: [] }],
  steps: [
    {
      title: 'The setting',
      text:
        'Three replicas, each with a trusted counter as in lesson 3. One of the three may lie or break. A client sends its request; ' +
        'replica 0 is the primary.',
      at: { kind: 'asked', to: 0 },
      claims: [{ find: { kind: 'ask', client: 0, to: 0 }, times: 'some' }],
    },
    {
      title: 'First kind: PREPARE',
      text:
        'The primary proposes n1 to the two others, the backups, with one number of its counter: [0:1]. It is one statement for ' +
        'everybody. A different one for replica 2 would have another number, and would give the liar away.',
      at: { kind: 'deliver', message: 'PREPARE', from: 0, sequence: 1 },
      nth: 2,
      rules: [{ rule: 'MinBFT.STEP.PRE.3', passed: true, within: 'MinBFT.STEP.PREPARE' }],
      claims: [{ find: { kind: 'send', message: 'PREPARE', from: 0, sequence: 1, counter: 1 }, times: 2 }],
    },
    {
      title: 'Second kind: COMMIT',
      text:
        'A backup that has taken the proposal votes for it, with the next number of its own counter. Its vote and the proposal are two ' +
        'voices of three. That is enough: replica 2 executes n1 right away.',
      at: { kind: 'execute', replica: 2, sequence: 1 },
      rules: [{ rule: 'MinBFT.EXEC.1', passed: true }],
      claims: [{ find: { kind: 'seal', message: 'COMMIT', replica: 2, counter: 1 }, times: 1, by: 'end' }],
    },
    {
      title: 'The primary hears one vote',
      text:
        'The COMMIT of replica 2, [2:1], reaches the primary. Its own proposal and this vote are two voices, too, and it executes n1. ' +
        'Everybody waits for two of three, so one broken replica stops nothing. For f liars it is f+1 of 2f+1.',
      at: { kind: 'execute', replica: 0, sequence: 1 },
      rules: [{ rule: 'MinBFT.EXEC.1', passed: true }],
      claims: [{ find: { kind: 'deliver', message: 'COMMIT', to: 0, sequence: 1 }, times: 1 }],
    },
    {
      title: 'Why two of three are enough',
      text:
        'Suppose two replicas settle n1 one way and two settle it another way. Two pairs out of three replicas always share one. That ' +
        'one would have said two things about n1. In lesson 1 it could. With its counter it cannot: both statements have numbers, the ' +
        'others skip none, and the second one is refused.',
      at: { kind: 'deliver', message: 'COMMIT', from: 1, to: 2, sequence: 1 },
      look: { kind: 'replica', replica: 0 },
      figure: 'pairs',
      rules: [{ rule: 'MinBFT.STEP.PRE.3', passed: true, within: 'MinBFT.STEP.PREPARE' }],
      claims: [
        { find: { kind: 'execute', sequence: 1 }, times: 3, by: 'end' },
        { find: { kind: 'note', name: 'evidence' }, times: 'none', by: 'end' },
      ],
    },
    {
      title: 'The client believes two',
      text:
        'The client waits for two equal answers: one of two is by an honest replica. It took 2 PREPAREs, 4 COMMITs and 3 answers: 9 ' +
        'messages. PBFT, the classic protocol of lesson 2, needs four replicas and 28 messages.',
      at: { kind: 'believe', client: 0 },
      claims: [
        { find: { kind: 'answered' }, times: 2 },
        { find: { kind: 'send', message: 'PREPARE', sequence: 1 }, times: 2, by: 'end' },
        { find: { kind: 'send', message: 'COMMIT', sequence: 1 }, times: 4, by: 'end' },
      ],
    },
    {
      title: 'One replica less',
      text:
        'Replica 2 dies. The third request is proposed, replica 1 votes, and both execute it. Two of three are there, and two are all ' +
        'that any step waits for.',
      at: { kind: 'execute', replica: 0, sequence: 3 },
      look: { kind: 'replica', replica: 2 },
      claims: [
        { find: { kind: 'fault', text: 'crash of 2' }, times: 1 },
        { find: { kind: 'execute', sequence: 3 }, times: 2 },
        { find: { kind: 'believe' }, times: 3, by: 'end' },
      ],
    },
  ],
  question: 'Say in one sentence why three replicas suffice here.',
  answer:
    'Whatever is decided has two of three replicas behind it, any two such pairs share one replica, and a shared replica cannot get two ' +
    'things believed, because its trusted counter numbers its proposals and votes, and the others leave no number out. That holds ' +
    'while one replica leads; what joins the old to the new when that changes is lesson 5.',
};

/** Lesson 6: executing first and agreeing later. */
import type { Lesson } from './lesson.ts';

/** See the top of this file. */
export const SPECULATION: Lesson = {
  title: 'Do it first, agree later',
  summary: 'What is gained when replicas execute at once, and how they undo what turns out otherwise.',
  runs: [
    { script: 'zyzzyva', label: 'Zyzzyva', objections: [] },
    { script: 'speculation-undone', label: 'undone', objections: [] },
  ],
  steps: [
    {
      title: 'No rounds at all',
      text:
        'Most of the time everybody is honest and awake. Zyzzyva bets on that: the primary says what n1 is, and every replica executes ' +
        'it at once and answers, without a word to the others. That is called speculation. There are no trusted counters here, so there ' +
        'are four replicas.',
      at: { kind: 'execute', replica: 1, sequence: 1 },
      claims: [
        { find: { kind: 'deliver', message: 'ORDER-REQ', to: 1, sequence: 1 }, times: 1 },
        { find: { kind: 'send', message: 'COMMIT' }, times: 'none', by: 'end' },
      ],
    },
    {
      title: 'The client compares',
      text:
        'Now the client must find out whether they agree. If all four answer alike, n1 can never be undone, for any three of them that ' +
        'start a later view have done the same. It took three steps: request, order, answer. PBFT takes five.',
      at: { kind: 'believe', client: 0 },
      claims: [
        { find: { kind: 'answered' }, times: 4 },
        { find: { kind: 'execute', sequence: 1 }, times: 4 },
      ],
    },
    {
      title: 'One is missing',
      text:
        'Replica 3 dies. Three replicas execute the second request, and their three equal answers are on the way to the client. Three ' +
        'are not enough by themselves, and it will wait in vain for the fourth.',
      at: { kind: 'execute', sequence: 2 },
      nth: 3,
      look: { kind: 'replica', replica: 3 },
      claims: [
        { find: { kind: 'fault', text: 'crash of 3' }, times: 1 },
        { find: { kind: 'believe' }, times: 1 },
      ],
    },
    {
      title: 'A certificate',
      text:
        'So the client does the missing round itself. It puts the three signed answers together, a certificate, and sends them to the ' +
        'replicas. When three say that they hold it, the client believes. The bet was lost, and it took longer.',
      at: { kind: 'believe', client: 0 },
      nth: 2,
      rules: [{ rule: 'Zyzzyva.CC.1', passed: true }],
      claims: [{ find: { kind: 'believe' }, times: 2 }],
    },
    {
      title: 'A bet that goes wrong',
      run: 1,
      text:
        'This is MinZyzzyva, the same with trusted counters, so three replicas suffice. The primary executes n1 and tells the others, ' +
        'but its messages to them are lost. It has done something that no other replica knows of.',
      at: { kind: 'execute', replica: 0, sequence: 1 },
      claims: [
        { find: { kind: 'execute', replica: 0, sequence: 1 }, times: 1 },
        { find: { kind: 'believe' }, times: 'none' },
      ],
    },
    {
      title: 'The others go on',
      run: 1,
      text:
        'Replicas 1 and 2 lose patience and begin view 1 without it. They have never heard of its n1, so replica 1 gives the number to ' +
        'what it thinks right.',
      at: { kind: 'execute', replica: 1, sequence: 1 },
      claims: [{ find: { kind: 'note', name: 'viewEntered', view: 1, replica: 1 }, times: 1 }],
    },
    {
      title: 'Undone',
      run: 1,
      text:
        'Replica 0 hears of view 1. What it executed alone is not in there, so it undoes it, step by step, and then executes what ' +
        'the others did.',
      at: { kind: 'note', name: 'rollback', replica: 0 },
      rules: [{ rule: 'MinZyzzyva.VC.2', passed: true }],
      claims: [{ find: { kind: 'note', name: 'rollback', replica: 0 }, times: 1 }],
    },
    {
      title: 'No client was misled',
      run: 1,
      text:
        'The undone answer was the word of one replica, and no client believes one. Each client believed one result, and the ' +
        'checkers found nothing wrong.',
      at: { kind: 'believe' },
      nth: 2,
      claims: [{ find: { kind: 'believe' }, times: 2 }],
    },
  ],
  question: 'When would you rather not speculate?',
  answer:
    'When replicas are often slow or down: each time the client misses an answer it has to do an extra round. And where undoing is hard: ' +
    'the service has to be able to take back what it did.',
};

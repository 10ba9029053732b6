/** Lesson 2: PBFT, step by step. */
import type { Lesson } from './lesson.ts';

/** See the top of this file. */
export const PBFT_LESSON: Lesson = {
  title: 'PBFT in three rounds',
  summary: 'How four replicas agree on an order although any one of them may lie.',
  runs: [{ script: 'pbft', label: 'PBFT', objections: [] }],
  steps: [
    {
      title: 'A request',
      text:
        'A client asks the service to do something. It sends its request to the replicas and waits. The primary, replica 0, gives it ' +
        'the next free number.',
      at: { kind: 'asked', to: 0 },
      claims: [{ find: { kind: 'ask', client: 0, to: 0 }, times: 'some' }],
    },
    {
      title: 'Round one: the proposal',
      text:
        'Replica 0 proposes to all others: “this request is n1”. The other three are called backups. Each of them checks that the ' +
        'proposal is by the primary, and that it has not heard of another n1.',
      at: { kind: 'deliver', message: 'PRE-PREPARE', from: 0, sequence: 1 },
      nth: 3,
      rules: [
        { rule: 'PBFT.N2.primary', passed: true },
        { rule: 'PBFT.N2.once', passed: true },
      ],
      claims: [{ find: { kind: 'send', message: 'PRE-PREPARE', from: 0, sequence: 1 }, times: 3 }],
    },
    {
      title: 'Round two: “I was told this”',
      text:
        'Every backup tells all others what it was told: PREPARE. A replica that finds three of four telling the same, itself and the ' +
        'primary among them, knows that no other request can be agreed on as n1. A second group of three would have to share an ' +
        'honest replica with this one.',
      at: { kind: 'deliver', message: 'PREPARE', to: 1, sequence: 1 },
      rules: [{ rule: 'PBFT.N3', passed: true }],
      claims: [{ find: { kind: 'send', message: 'PREPARE', sequence: 1 }, times: 9, by: 'end' }],
    },
    {
      title: 'Round three: “enough of us know”',
      text:
        'But do the others know it, too? If the primary died now, its successor might never hear of n1. So each replica says once more ' +
        'what it has seen: COMMIT. Nobody acts yet.',
      at: { kind: 'deliver', message: 'COMMIT', sequence: 1 },
      claims: [
        { find: { kind: 'execute' }, times: 'none' },
        { find: { kind: 'send', message: 'COMMIT', sequence: 1 }, times: 12, by: 'end' },
      ],
    },
    {
      title: 'Executed',
      text:
        'Replica 0 has three equal COMMITs, its own among them. From now on n1 can never be anything else, whoever dies. It executes ' +
        'the request and answers the client.',
      at: { kind: 'execute', replica: 0, sequence: 1 },
      rules: [{ rule: 'PBFT.N4', passed: true }],
      claims: [{ find: { kind: 'deliver', message: 'COMMIT', to: 0, sequence: 1 }, times: 2 }],
    },
    {
      title: 'The client believes two',
      text:
        'A single answer may come from the liar. The client waits for two equal ones: at least one of them is by an honest replica. In ' +
        'general it waits for f+1 answers where f replicas may lie.',
      at: { kind: 'believe', client: 0 },
      claims: [{ find: { kind: 'answered' }, times: 2 }],
    },
    {
      title: 'One replica less',
      text:
        'Now replica 3 dies. The second request goes the same way among the three that are left, because three is all that any ' +
        'step waits for.',
      at: { kind: 'execute', sequence: 2 },
      look: { kind: 'replica', replica: 3 },
      claims: [
        { find: { kind: 'fault', text: 'crash of 3' }, times: 1 },
        { find: { kind: 'execute', sequence: 2 }, times: 3, by: 'end' },
        { find: { kind: 'believe' }, times: 2, by: 'end' },
      ],
    },
    {
      title: 'What it costs',
      text:
        'For the first request the replicas sent 3 proposals, 9 PREPAREs, 12 COMMITs and 4 answers: 28 messages in five steps of ' +
        'time. And it takes four machines to stand one liar. The next lessons bring both down.',
      at: { kind: 'believe', client: 0 },
      nth: 2,
      claims: [
        { find: { kind: 'send', message: 'PRE-PREPARE', sequence: 1 }, times: 3 },
        { find: { kind: 'send', message: 'PREPARE', sequence: 1 }, times: 9 },
        { find: { kind: 'send', message: 'COMMIT', sequence: 1 }, times: 12 },
      ],
    },
  ],
  question: 'What would go wrong without the third round?',
  answer:
    'A replica could execute n1 and die before any other replica knows that the matter is settled. The next primary might then give the ' +
    'number 1 to another request. The third round makes sure that whoever takes over finds somebody honest who knows.',
};

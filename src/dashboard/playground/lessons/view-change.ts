/** Lesson 5: a view change. */
import type { Lesson } from './lesson.ts';

/** See the top of this file. */
export const VIEW_CHANGE: Lesson = {
  title: 'The primary dies',
  summary: 'How the others choose a new primary without losing what was already settled.',
  runs: [{ script: 'view-change', label: 'a view change', objections: [] }],
  steps: [
    {
      title: 'View 0',
      text:
        'The time in which one replica is primary is called a view. This is view 0, which replica 0 leads; messages of later views ' +
        'say v1, v2 in the picture. The first request is settled as in lesson 4.',
      at: { kind: 'execute', replica: 0, sequence: 1 },
      claims: [{ find: { kind: 'execute', sequence: 1 }, times: 3, by: 'end' }],
    },
    {
      title: 'Only one backup knows',
      text:
        'The proposal for n2 reaches replica 1 and is lost on its way to replica 2. Replica 1 votes, has two voices, and executes n2. ' +
        'Its votes are lost as well: beside the primary nobody else has any idea of n2.',
      at: { kind: 'execute', replica: 1, sequence: 2 },
      rules: [{ rule: 'MinBFT.EXEC.1', passed: true }],
      claims: [
        {
          find: { kind: 'deliver', message: 'PREPARE', to: 2, sequence: 2, view: 0 },
          times: 'none',
          by: 'end',
        },
        { find: { kind: 'execute', replica: 1, sequence: 2 }, times: 1 },
      ],
    },
    {
      title: 'The primary dies',
      text:
        'At this moment replica 0 crashes. Replica 1 has done n2, replica 2 has not, and the client of n2 still waits. If n2 became ' +
        'anything else now, there would be two histories.',
      at: { kind: 'fault', text: 'crash of 0' },
      look: { kind: 'replica', replica: 0 },
      claims: [{ find: { kind: 'execute', replica: 2, sequence: 2 }, times: 'none' }],
    },
    {
      title: 'Patience ends',
      text:
        'Replica 2 knows of a request that nobody proposes. After a while it suspects the primary and asks for view 1. One alone ' +
        'changes nothing: it might be the liar. When a second one asks, one of the two is honest, and view 0 is over.',
      at: { kind: 'deliver', message: 'REQUEST-VIEW-CHANGE', from: 1, to: 2, view: 1 },
      rules: [{ rule: 'MinBFT.VC.1', passed: true }],
      claims: [
        { find: { kind: 'note', name: 'suspect', replica: 2 }, times: 1 },
        { find: { kind: 'note', name: 'suspect', replica: 1 }, times: 1 },
      ],
    },
    {
      title: 'All cards on the table',
      text:
        'Each of them sends a VIEW-CHANGE: everything that it has said, counter value by counter value. Replica 1 said COMMIT to n2 ' +
        'with a number of its counter. If it left that out, a number would be missing, and nobody would accept its VIEW-CHANGE. The ' +
        'COMMIT that it shows gives replica 2 a second voice for n2, and it executes it at once.',
      at: { kind: 'deliver', message: 'VIEW-CHANGE', from: 1, to: 2, view: 1 },
      rules: [{ rule: 'MinBFT.V4', passed: true, within: 'MinBFT.STEP.VIEW-CHANGE' }],
      claims: [
        { find: { kind: 'deliver', message: 'VIEW-CHANGE', from: 2, to: 1, view: 1 }, times: 1, by: 'end' },
      ],
    },
    {
      title: 'View 1 begins',
      text:
        'Replica 1, the next in line, is primary now. Its NEW-VIEW quotes both VIEW-CHANGEs, and what the view begins with follows ' +
        'from them: n2 is in it. What a client believes, two of three have settled. Any two that are left include one of those two, ' +
        'and it cannot leave it out: so nothing is lost that a client believed.',
      at: { kind: 'deliver', message: 'NEW-VIEW', from: 1, to: 2, view: 1 },
      rules: [
        { rule: 'MinBFT.N1', passed: true, within: 'MinBFT.STEP.NEW-VIEW' },
        { rule: 'MinBFT.N2', passed: true, within: 'MinBFT.STEP.NEW-VIEW' },
      ],
      claims: [{ find: { kind: 'execute', replica: 2, sequence: 2 }, times: 1, by: 'end' }],
    },
    {
      title: 'Nothing is lost',
      text:
        'Both have executed n2 alike, and its client has its answers. The next request becomes n3 in view 1. Two of three were enough ' +
        'again, and the dead primary was one of the three.',
      at: { kind: 'execute', replica: 1, sequence: 3 },
      claims: [
        { find: { kind: 'note', name: 'viewEntered', view: 1 }, times: 2 },
        { find: { kind: 'believe' }, times: 5, by: 'end' },
      ],
    },
  ],
  question: 'Could replica 1 have kept quiet about n2, to get another request in its place?',
  answer:
    'No. Its COMMIT to n2 took a number of its counter. A VIEW-CHANGE has to show all numbers up to its own, and one that does not is no ' +
    'use to anybody. It may refuse to take part, but then it is as good as dead.',
};

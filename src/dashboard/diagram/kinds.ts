/** Kinds of messages by what they are for: one colour each, the same in every protocol. */

/** A colour of `theme.css`, as its class. */
export type Purpose = 'request' | 'proposal' | 'vote' | 'confirm' | 'checkpoint' | 'view' | 'start' | 'other';

/** What the legend says. */
export const PURPOSE_TEXTS: Readonly<Record<Purpose, string>> = {
  request: 'client and replies',
  proposal: 'proposes an order',
  vote: 'votes for it',
  confirm: 'confirms the votes',
  checkpoint: 'checkpoint, update',
  view: 'leaves a view',
  start: 'starts a view',
  other: 'other',
};

const KINDS: Readonly<Record<Exclude<Purpose, 'other'>, readonly string[]>> = {
  request: ['REQUEST', 'REPLY', 'bundle', 'SPEC-RESPONSE', 'LOCAL-COMMIT', 'COMMIT-CERTIFICATE'],
  proposal: ['PREPARE', 'PRE-PREPARE', 'PREPREPARE', 'ORDER-REQ'],
  vote: ['COMMIT', 'VOTE', 'COMMIT-VECTOR', 'SPEC'],
  confirm: ['DECIDED', 'PROOF'],
  checkpoint: ['CHECKPOINT', 'CHECKPOINT-PROOF', 'UPDATE', 'UPDATE-PART', 'UPDATE-FETCH', 'EXECUTED'],
  view: [
    'REQ-VIEW-CHANGE',
    'REQUEST-VIEW-CHANGE',
    'VIEW-CHANGE',
    'VIEW-CHANGE-ACK',
    'VIEW-CHANGE-COPY',
    'VIEW-CHANGE-STUB',
    'I-HATE-THE-PRIMARY',
    'PANIC',
    'POM',
    'LEAVE',
    'BARRIER',
  ],
  start: [
    'NEW-VIEW',
    'NEW-VIEW-HEADER',
    'NEW-VIEW-CERTIFICATE',
    'COMMIT-NEW-VIEW',
    'NV-ACK',
    'VIEW-CONFIRM',
    'HISTORY',
    'FALLBACK',
    'ENTER',
    'ENTERED',
    'RECOVER',
  ],
};

const BY_KIND: ReadonlyMap<string, Purpose> = new Map(
  Object.entries(KINDS).flatMap(([purpose, kinds]) =>
    kinds.map((kind) => [kind, purpose as Purpose] as const),
  ),
);

/** Protocols with three phases: PREPARE is the vote there, and COMMIT confirms the votes. */
const THREE_PHASES: Readonly<Record<string, Purpose>> = { PREPARE: 'vote', COMMIT: 'confirm' };

/** Whether its protocol has three phases: a PREPARE after it is a vote. */
export function isFirstOfThree(kind: string): boolean {
  return kind === 'PRE-PREPARE' || kind === 'PREPREPARE';
}

/** What a kind is for. `hasThreePhases`: its protocol proposes with PRE-PREPARE. */
export function purposeOf(kind: string, hasThreePhases: boolean): Purpose {
  return (hasThreePhases ? THREE_PHASES[kind] : undefined) ?? BY_KIND.get(kind) ?? 'other';
}

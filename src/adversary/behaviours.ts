/**
 * What a lying replica does, by name. The simulator draws from this table, and a development cluster starts a replica
 * with one of it (`--byzantine 0=equivocate`). Decision B3: adversaries sit between the logic and the trusted component
 * and on the wire; their seals come from the real trusted component, for a Byzantine host may call it as it likes but
 * cannot forge.
 */

/** What a behaviour is and what a correct cluster makes of it. */
export interface BehaviourEntry {
  readonly name: string;
  /** One sentence for documents and `--help`. */
  readonly text: string;
  /** How `status` of the others is expected to name the replica in the end; `unseen`: it may escape notice. */
  readonly seenAs: 'proven' | 'suspected' | 'counted' | 'unseen';
  /** `simulator`: needs what only a simulated machine has, and is refused for real processes. */
  readonly where: 'anywhere' | 'simulator';
  /** False: seeds do not draw it, for the protocol does not promise to be unharmed. */
  readonly drawn?: false;
}

const TABLE = [
  {
    name: 'equivocate',
    text: 'Seals two statements for one place: as primary two batches for one sequence number, each shown to one half; as backup two different checkpoints.',
    seenAs: 'proven',
    where: 'anywhere',
  },
  {
    name: 'silent',
    text: 'Sends nothing to anybody any more, but goes on listening.',
    seenAs: 'suspected',
    where: 'anywhere',
  },
  {
    name: 'delay',
    text: 'Sends everything late, by about as much as the others are willing to wait.',
    seenAs: 'suspected',
    where: 'anywhere',
  },
  {
    name: 'corrupt-reply',
    text: 'Answers clients with wrong results under its own valid signature.',
    seenAs: 'proven',
    where: 'anywhere',
  },
  {
    name: 'lie-checkpoint',
    text: 'Seals checkpoints with a state digest that is not the one of its state.',
    seenAs: 'proven',
    where: 'anywhere',
  },
  {
    name: 'withhold',
    text: 'Sends its messages to some replicas only.',
    seenAs: 'suspected',
    where: 'anywhere',
  },
  {
    name: 'replay',
    text: 'Sends old frames of its own again and again, and damaged copies of them.',
    seenAs: 'counted',
    where: 'anywhere',
  },
  {
    name: 'stale-view',
    text: 'Leaves a view and goes on in it: proposals, commits and checkpoints of the old view after its own VIEW-CHANGE.',
    seenAs: 'proven',
    where: 'anywhere',
  },
  {
    name: 'double-new-view',
    text: 'Starts one view twice, each NEW-VIEW for one half, or lets its NEW-VIEW not follow its VIEW-CHANGE.',
    seenAs: 'suspected',
    where: 'anywhere',
  },
  {
    name: 'hidden-view-change',
    text: 'Shows each of its VIEW-CHANGEs to some replicas only.',
    seenAs: 'suspected',
    where: 'anywhere',
  },
  {
    name: 'truncated-log',
    text: 'Leaves something out of the log in its VIEW-CHANGE: the tail, the first entry, one in the middle, all, its anchor or what vouches for it.',
    seenAs: 'suspected',
    where: 'anywhere',
  },
  {
    name: 'forged-log',
    text: 'Puts into the log of its VIEW-CHANGE what does not belong there: entries of others, altered ones, a NEW-VIEW that nothing justifies.',
    seenAs: 'suspected',
    where: 'anywhere',
  },
  {
    name: 'wrong-base',
    text: 'Starts a view from another base than the one that follows from the VIEW-CHANGEs: shorter, longer, reordered, foreign, or from too few of them.',
    seenAs: 'suspected',
    where: 'anywhere',
  },
  {
    name: 'skip-commit',
    text: 'Commits out of order: it skips sequence numbers, repeats one, or commits to proposals of another view.',
    seenAs: 'suspected',
    where: 'anywhere',
  },
  {
    name: 'usurp',
    text: 'Proposes although another replica is the primary, or commits although it is the primary itself.',
    seenAs: 'suspected',
    where: 'anywhere',
  },
  {
    name: 'burn',
    text: 'Uses up counter values for statements that it shows to nobody, or only much later.',
    seenAs: 'suspected',
    where: 'anywhere',
  },
  {
    name: 'run-ahead',
    text: 'Hides one statement and seals hundreds behind it, which all have to wait for it.',
    seenAs: 'suspected',
    where: 'simulator',
    drawn: false,
  },
  {
    name: 'fabricate-request',
    text: 'Proposes batches with requests that no client signed, with requests twice or executed long ago, with wrong times, or without ever showing the body.',
    seenAs: 'suspected',
    where: 'anywhere',
  },
  {
    name: 'misdate',
    text: 'Dates its proposals decades ahead, so that a view that takes one over moves the time of the blocks for good.',
    seenAs: 'suspected',
    where: 'simulator',
    drawn: false,
  },
  {
    name: 'lie-transfer',
    text: 'Serves lies to replicas that catch up: wrong chunks, nodes and blocks, old or damaged certificates, streams without vouchers.',
    seenAs: 'counted',
    where: 'anywhere',
  },
  {
    name: 'inflate',
    text: 'Reports progress that nobody made, up to the largest number there is, and then less than before.',
    seenAs: 'unseen',
    where: 'anywhere',
  },
  {
    name: 'mutate',
    text: 'Changes one field of a message before it is sealed or sent: a number by one, a digest to another known one, an element of a list dropped, doubled or exchanged.',
    seenAs: 'suspected',
    where: 'anywhere',
  },
  {
    name: 'relabel',
    text: 'Sends the seal of one message under another kind of message, and altered content under seals that it has.',
    seenAs: 'counted',
    where: 'anywhere',
  },
  {
    name: 'shun',
    text: 'Keeps everything from some replicas, for good.',
    seenAs: 'suspected',
    where: 'anywhere',
  },
  {
    name: 'censor',
    text: 'Ignores the requests of one client.',
    seenAs: 'suspected',
    where: 'anywhere',
  },
  {
    name: 'spam-views',
    text: 'Asks for a change of the view all the time, for the next view, for far future ones, and to some replicas only.',
    seenAs: 'unseen',
    where: 'anywhere',
  },
  {
    name: 'coalition',
    text: 'Acts with all other replicas of this behaviour on one plan: primaries mute or forking view by view, the same halves, votes for one another.',
    seenAs: 'suspected',
    where: 'anywhere',
  },
  {
    name: 'twins',
    text: 'Runs two copies of the replica with one identity and one trusted component, each connected to a part of the others.',
    seenAs: 'suspected',
    where: 'simulator',
  },
  {
    name: 'adaptive',
    text: 'Decides for each message from what it has heard: it works against whoever is going to lead, and keeps the last vote that a quorum needs.',
    seenAs: 'suspected',
    where: 'anywhere',
  },
] as const satisfies readonly BehaviourEntry[];

/** One behaviour. */
export type Behaviour = (typeof TABLE)[number]['name'];

/** One behaviour, or several at a time with `+` between them. */
export type Lie = Behaviour | `${Behaviour}+${string}`;

/** All behaviours, in the order in which they are shown. */
export const BEHAVIOURS: readonly (BehaviourEntry & { readonly name: Behaviour })[] = TABLE;

/** The behaviours that there were first: what seeds of early regressions were drawn from. */
export const FIRST_BEHAVIOURS: readonly Behaviour[] = TABLE.slice(0, 7).map(({ name }) => name);

/** What seeds draw from. */
export const DRAWN_BEHAVIOURS: readonly Behaviour[] = BEHAVIOURS.filter(({ drawn }) => drawn !== false).map(
  ({ name }) => name,
);

/** Names of the behaviours that a replica process of a development cluster may be started with. */
export const PROCESS_BEHAVIOURS: readonly string[] = BEHAVIOURS.filter(
  ({ where }) => where === 'anywhere',
).map(({ name }) => name);

/** Why a replica process cannot be started with a behaviour of that name; undefined if it can. */
export function refusalForProcess(name: string): string | undefined {
  if (PROCESS_BEHAVIOURS.includes(name)) return undefined;
  return behaviourOf(name) === undefined || name.includes('+')
    ? `A replica process takes one behaviour: ${PROCESS_BEHAVIOURS.join(', ')}.`
    : `"${name}" needs the simulator ("moiety sim --byzantine 0=${name}"); a replica process cannot do it.`;
}

/** Behaviours of one replica at a time, at most. */
export const TOGETHER_MAX = 3;

/** The lie of that name, or undefined. Several behaviours at a time are joined by `+`. */
export function behaviourOf(name: string): Lie | undefined {
  const parts = name.split('+');
  const known = parts.every((part) => BEHAVIOURS.some((entry) => entry.name === part));
  const distinct = new Set(parts).size === parts.length;
  return known && distinct && parts.length <= TOGETHER_MAX ? (name as Lie) : undefined;
}

/** The single behaviours of a lie. */
export function partsOf(lie: Lie): readonly Behaviour[] {
  return lie.split('+') as Behaviour[];
}

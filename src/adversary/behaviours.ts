/**
 * What a lying replica does, by name. The simulator draws from this table, and a development cluster starts a replica
 * with one of it (`--byzantine 0=equivocate`). Decision B3: adversaries sit between the logic and the trusted component
 * and on the wire; their seals come from the real trusted component, for a Byzantine host may call it as it likes but
 * cannot forge.
 */

/** One behaviour. */
export type Behaviour =
  'equivocate' | 'silent' | 'delay' | 'corrupt-reply' | 'lie-checkpoint' | 'withhold' | 'replay';

/** What a behaviour is and what a correct cluster makes of it. */
export interface BehaviourEntry {
  readonly name: Behaviour;
  /** One sentence for documents and `--help`. */
  readonly text: string;
  /** How `status` of the others is expected to name the replica in the end. */
  readonly seenAs: 'proven' | 'suspected' | 'counted';
}

/** All behaviours, in the order in which they are shown. */
export const BEHAVIOURS: readonly BehaviourEntry[] = [
  {
    name: 'equivocate',
    text: 'Seals two statements for one place: as primary two batches for one sequence number, each shown to one half; as backup two different checkpoints.',
    seenAs: 'proven',
  },
  { name: 'silent', text: 'Sends nothing to anybody any more, but goes on listening.', seenAs: 'suspected' },
  {
    name: 'delay',
    text: 'Sends everything late, by about as much as the others are willing to wait.',
    seenAs: 'suspected',
  },
  {
    name: 'corrupt-reply',
    text: 'Answers clients with wrong results under its own valid signature.',
    seenAs: 'proven',
  },
  {
    name: 'lie-checkpoint',
    text: 'Seals checkpoints with a state digest that is not the one of its state.',
    seenAs: 'proven',
  },
  { name: 'withhold', text: 'Sends its messages to some replicas only.', seenAs: 'suspected' },
  {
    name: 'replay',
    text: 'Sends old frames of its own again and again, and damaged copies of them.',
    seenAs: 'counted',
  },
];

/** The behaviour of that name, or undefined. */
export function behaviourOf(name: string): Behaviour | undefined {
  return BEHAVIOURS.find((entry) => entry.name === name)?.name;
}

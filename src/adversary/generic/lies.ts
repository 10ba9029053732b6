/**
 * Lies that need no knowledge of the protocol: what a Byzantine replica of any protocol does, by name. All of them wrap
 * a correct replica; its seals are those that its own host key and its own trusted component give.
 */

/** What a lie is. */
export interface GenericLieEntry {
  readonly name: string;
  /** One sentence. */
  readonly text: string;
}

const TABLE = [
  { name: 'silent', text: 'Speaks for a while and then never again.' },
  { name: 'delay', text: 'Sends everything late.' },
  { name: 'withhold', text: 'Sends its frames, or only bodies, to some replicas only; to whom changes.' },
  { name: 'replay', text: 'Sends old frames again and again, to anybody.' },
  { name: 'corrupt-reply', text: 'Answers clients with wrong results, standings and proofs.' },
  { name: 'mute-kinds', text: 'Never sends some kinds of messages, to anybody or to some.' },
  {
    name: 'reseal',
    text: 'Changes fields of what it sends and seals it again with its own key, also two ways at once.',
  },
  {
    name: 'gullible',
    text: 'Takes changed messages of others at their word, and acts and seals accordingly.',
  },
  { name: 'lie-checkpoint', text: 'Believes in a state digest that is not the one of its state.' },
  { name: 'lie-update', text: 'Tells passive replicas of changes that did not happen.' },
  { name: 'spam-views', text: 'Lets its timers run out at any time.' },
  { name: 'patient', text: 'Never lets a timer run out.' },
  { name: 'censor', text: 'Ignores the requests of one client.' },
  { name: 'deaf', text: 'Ignores most of what some replicas say.' },
  {
    name: 'invent',
    text: 'Says well-formed messages that its replica never would, for views that it leads, near and far.',
  },
  {
    name: 'forge',
    text: 'Changes what its replica is about to say before it is vouched for, for all or for some.',
  },
  { name: 'collude', text: 'Gives clients the same wrong results as everybody else who tells this lie.' },
] as const satisfies readonly GenericLieEntry[];

/** One lie. */
export type GenericLie = (typeof TABLE)[number]['name'];

/** Lies that came later: seeds draw the others as before, and these apart or never. */
export const LATER_LIES: readonly GenericLie[] = ['invent', 'forge', 'collude'];

/** Lies in the contents of messages: told in protocols whose messages are attested one by one. */
export const CONTENT_LIES: readonly GenericLie[] = ['invent', 'forge'];

/** All of them, in the order in which they are shown. */
export const GENERIC_LIES: readonly (GenericLieEntry & { readonly name: GenericLie })[] = TABLE;

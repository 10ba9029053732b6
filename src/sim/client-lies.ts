/** What Byzantine clients do, by name (`liar-client.ts`). */

/** What a Byzantine client does. */
export interface ClientLieEntry {
  readonly name: string;
  /** One sentence for documents and `--help`. */
  readonly text: string;
  /** False: seeds do not draw it unless it is asked for, so that they keep what they drew before it was there. */
  readonly drawn?: false;
}

const TABLE = [
  {
    name: 'two-faced',
    text: 'Signs two different requests under one number, each for one half of the replicas.',
  },
  { name: 'partial', text: 'Sends each bundle to a few replicas only, and never again.' },
  { name: 'backups-only', text: 'Never sends anything to the replica that seems to be the primary.' },
  { name: 'huge', text: 'Sends operations and bundles at every limit of size and number, and one beyond.' },
  { name: 'replay', text: 'Sends old bundles of its own again, long after they were answered.' },
  { name: 'forged', text: 'Sends bundles in the name of other clients, under seals that do not hold.' },
  {
    name: 'numbers',
    text: 'Uses request numbers with gaps, backwards, at the ends of the window and of the integers.',
  },
  {
    name: 'foreign-session',
    text: 'Uses sessions of others, sessions that do not exist, and none where one is needed.',
  },
  { name: 'stranger', text: 'Was never admitted, and sends well-formed bundles all the same.' },
  { name: 'revoked', text: 'An administrator that revokes itself and goes on as if nothing had happened.' },
  { name: 'open-storm', text: 'Opens session after session, each with several numbers and times.' },
  { name: 'garbage', text: 'Sends noise, cut and altered frames, and questions that make no sense.' },
  { name: 'flood', text: 'Sends the same bundles again and again, as fast as it can.' },
  {
    name: 'other-cluster',
    text: 'Sends bundles that it signed for another cluster, as anybody could who heard them there.',
    drawn: false,
  },
  {
    name: 'two-seals',
    text: 'Sends the same bundles to half of the replicas under a seal that holds, and to the others under one that does not.',
    drawn: false,
  },
] as const satisfies readonly ClientLieEntry[];

/** All of them, in the order in which they are shown. */
export const CLIENT_LIES: readonly (ClientLieEntry & { readonly name: ClientLie })[] = TABLE;
/** Name of one. */
export type ClientLie = (typeof TABLE)[number]['name'];

/** Those that seeds draw. */
export const DRAWN_LIES: readonly ClientLie[] = CLIENT_LIES.filter(({ drawn }) => drawn !== false).map(
  ({ name }) => name,
);

/** The lie of that name, or undefined. */
export function clientLieOf(name: string): ClientLie | undefined {
  return CLIENT_LIES.find((entry) => entry.name === name)?.name;
}

/**
 * What a Byzantine machine of the core fidelity does with what it sends: silence, delay, withholding, replay, wrong
 * answers to clients. Lies of bytes have no counterpart here; lies before the seal are those of `adversary/`.
 */
import { partsOf } from '../../adversary/behaviours.ts';
import { delayed, drawnDelay, silenced, withheld } from '../../adversary/quiet-links.ts';
import type { Links } from '../../adversary/quiet-links.ts';
import type { Behaviour, Lie } from '../../adversary/behaviours.ts';
import type { WireResult } from '../../core/client-wire.ts';
import type { Prng } from '../../core/prng.ts';
import type { Milliseconds, ReplicaId } from '../../core/types.ts';
import type { CoreFrame, CoreReply } from './frame.ts';

/** Where a machine sends. */
export type CoreLinks<M> = Links<CoreFrame<M>, CoreReply>;

/** What lies on links are made of. */
export interface LinkLiarOptions {
  readonly self: ReplicaId;
  readonly n: number;
  readonly random: Prng;
  readonly after: (delayMs: Milliseconds, action: () => void) => void;
  /** About how long the others wait before they suspect. */
  readonly patienceMs: Milliseconds;
}

/** Frames that `replay` remembers. */
const MEMORY = 128;

/** Links that lie as every part of `lie` says; behaviours of other places leave them as they are. */
export function wrapLinks<M>(lie: Lie, options: LinkLiarOptions, links: CoreLinks<M>): CoreLinks<M> {
  return partsOf(lie).reduce((inner, behaviour) => wrapOnce(behaviour, options, inner), links);
}

function wrapOnce<M>(behaviour: Behaviour, options: LinkLiarOptions, links: CoreLinks<M>): CoreLinks<M> {
  switch (behaviour) {
    case 'silent':
      return silenced(options.random, links);
    case 'delay':
      return delayed(options.random, drawnDelay(options.random, options.patienceMs), options.after, links);
    case 'withhold':
      return withheld(options.random, options.n, (frame) => frame.kind === 'body', links);
    case 'replay':
      return replays(options, links);
    case 'corrupt-reply':
      return {
        ...links,
        toClient: (client, reply) => links.toClient(client, corrupted(options.random, reply)),
      };
    default:
      return links;
  }
}

function replays<M>(options: LinkLiarOptions, links: CoreLinks<M>): CoreLinks<M> {
  const { random, n, self } = options;
  const remembered: CoreFrame<M>[] = [];
  return {
    ...links,
    toPeer: (to, frame) => {
      links.toPeer(to, frame);
      if (remembered.length < MEMORY) remembered.push(frame);
      else remembered[random.between(0, MEMORY - 1)] = frame;
      const other = random.between(0, n - 1);
      if (other !== self && random.chance(0.3)) links.toPeer(other, random.pick(remembered));
    },
  };
}

/** A reply with one wrong result. */
function corrupted(random: Prng, reply: CoreReply): CoreReply {
  if (reply.results.length === 0) return reply;
  const wrong = random.between(0, reply.results.length - 1);
  const results = reply.results.map((result, index) => (index === wrong ? altered(random, result) : result));
  return { ...reply, results };
}

function altered(random: Prng, result: WireResult): WireResult {
  if (random.chance(0.2)) return { ...result, sequence: result.sequence + 1 };
  if (random.chance(0.2)) return { ...result, height: result.height + 1 };
  const bytes = result.result.slice();
  const at = random.between(0, bytes.length - 1);
  bytes[at] = bytes[at]! ^ (1 + random.between(0, 254));
  return { ...result, result: bytes };
}

/** What the lies of a schedule make of a machine: its replica wrapped, its links wrapped, for any protocol. */
import { wrapGeneric } from '../../adversary/generic/replica-lies.ts';
import type { GenericLie } from '../../adversary/generic/lies.ts';
import type { Prng } from '../../core/prng.ts';
import type { ProtocolDefinition, Standing } from '../../core/protocol.ts';
import type { CoreReply } from '../core/frame.ts';
import { nameOfFrame } from '../core/frame.ts';
import { corruptCore } from '../core/run.ts';
import type { CoreLinks, LinkLiarOptions } from '../core/link-lies.ts';
import { wrapLinks } from '../core/link-lies.ts';
import type { CoreCorruption, CoreCorruptionContext } from '../core/world.ts';

/** Share of wrong answers that also claim to be worth more, or prove something else. */
const WORSE_SHARE = 0.3;
const NO_BYTES = new Uint8Array(0);
const STANDINGS: readonly Standing[] = ['speculative', 'committed', 'final'];

/** The lies of one Byzantine machine; a twin has none beside being two. */
export function corruptFamily<M extends object>(
  definition: ProtocolDefinition<M>,
  context: CoreCorruptionContext,
): CoreCorruption<M> {
  // Lies in streams of a USIG: whoever draws them has seen to it that the protocol is on such streams.
  if (context.behaviour !== undefined) return corruptCore(context) as unknown as CoreCorruption<M>;
  const { replica: self, scenario, genesis, random, after, signAsHost: sign } = context;
  const { n, timers, family } = scenario;
  const lies = family?.liars.find(({ replica }) => replica === self)?.lies ?? [];
  const { decoding } = genesis;
  const links = { self, n, random: random.fork(), after, patienceMs: timers.requestMs };
  const inside = { self, n, definition, decoding, random: random.fork(), sign };
  return {
    wrapReplica: (replica) => lies.reduce((inner, lie) => wrapGeneric(lie, inside, inner), replica),
    wrapLinks: (inner) => lies.reduce((wrapped, lie) => wrapFamilyLinks(lie, links, wrapped), inner),
  };
}

function wrapFamilyLinks<M>(lie: GenericLie, options: LinkLiarOptions, links: CoreLinks<M>): CoreLinks<M> {
  switch (lie) {
    case 'silent':
    case 'delay':
    case 'withhold':
    case 'replay':
      return wrapLinks(lie, options, links);
    case 'corrupt-reply':
      return withWorse(options.random, wrapLinks(lie, options, links));
    case 'collude':
      return { ...links, toClient: (client, reply) => links.toClient(client, agreedLie(reply)) };
    case 'mute-kinds':
      return withoutKinds(options, links);
    default:
      return links;
  }
}

/** Answers that claim another standing, or come with a damaged proof. */
function withWorse<M>(random: Prng, links: CoreLinks<M>): CoreLinks<M> {
  const worse = (reply: CoreReply): CoreReply => {
    if (!random.chance(WORSE_SHARE)) return reply;
    if (random.chance(0.5) || reply.proof.length === 0) return { ...reply, standing: random.pick(STANDINGS) };
    const proof = reply.proof.slice();
    const at = random.between(0, proof.length - 1);
    proof[at] = proof[at]! ^ (1 + random.between(0, 254));
    return { ...reply, proof };
  };
  return { ...links, toClient: (client, reply) => links.toClient(client, worse(reply)) };
}

/** The answer that liars agree on without a word: wrong in the same place, and worth as much as can be. */
function agreedLie(reply: CoreReply): CoreReply {
  const results = reply.results.map((result) => ({
    ...result,
    result: result.result.map((byte) => byte ^ 1),
  }));
  const isFinal = reply.standing === 'final';
  return { ...reply, results, standing: 'final', proof: isFinal ? reply.proof : NO_BYTES };
}

/** Some kinds of messages never leave, for anybody or for some. */
function withoutKinds<M>({ random, n }: LinkLiarOptions, links: CoreLinks<M>): CoreLinks<M> {
  const muted = new Map<string, boolean>();
  const victims = Array.from({ length: n }, () => random.chance(0.7));
  const isMuted = (kind: string): boolean => {
    const known = muted.get(kind) ?? random.chance(0.4);
    muted.set(kind, known);
    return known;
  };
  return {
    ...links,
    toPeer: (to, frame) => {
      if (!victims[to]! || !isMuted(nameOfFrame(frame))) links.toPeer(to, frame);
    },
  };
}

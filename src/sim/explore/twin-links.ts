/**
 * Two copies of a replica under one identity and one shared trusted component, on links of their own: who reaches which
 * copy is asked anew for every message. Around `Twins`, which knows only one part of the others for each copy.
 */
import { Twins } from '../../adversary/strategies/twins.ts';
import { StreamLiar } from '../../adversary/liar.ts';
import { Conspiracy } from '../../adversary/conspiracy.ts';
import type { StreamLiarOptions } from '../../adversary/stream-liar.ts';
import type { Effect, Input, Replica } from '../../core/protocol.ts';
import type { Digest, ReplicaId } from '../../core/types.ts';
import { minbft } from '../../protocols/minbft/definition.ts';
import type { MinbftMessage } from '../../smr/usig-stream/messages.ts';

/** One of the two copies. */
export type Copy = 0 | 1;
const COPIES: readonly Copy[] = [0, 1];

/** Whether a copy and another replica hear one another as far as this message is concerned. */
export type Reaches = (copy: Copy, other: ReplicaId, message: MinbftMessage) => boolean;

type StreamEffect = Effect<MinbftMessage>;
type StreamInput = Input<MinbftMessage>;

/** A copy that says only what reaches its hearers. */
function onLinks(
  copy: Copy,
  others: readonly ReplicaId[],
  reaches: Reaches,
  inner: Replica<MinbftMessage>,
): Replica<MinbftMessage> {
  const pass = (effect: StreamEffect): readonly StreamEffect[] => {
    if (effect.kind !== 'send' && effect.kind !== 'broadcast') return [effect];
    const { message } = effect;
    const hearers = effect.kind === 'send' ? [effect.to] : others;
    return hearers
      .filter((to) => reaches(copy, to, message))
      .map((to): StreamEffect => ({ kind: 'send', to, message }));
  };
  return {
    step: (input, now) => inner.step(input, now).flatMap(pass),
    inspect: (now) => inner.inspect(now),
  };
}

/** The replica and a twin of it. */
export function twinsOnLinks(
  options: StreamLiarOptions,
  first: Replica<MinbftMessage>,
  reaches: Reaches,
): Replica<MinbftMessage> {
  const { self, settings, domain, hash, random, sign } = options;
  const others = settings.members.map(({ id }) => id).filter((id) => id !== self);
  const executed = new Set<Digest>();
  const second = minbft.createReplica({
    self,
    settings,
    domain,
    hash,
    isExecuted: (bundle) => executed.has(bundle.digest),
    signAsHost: (digest) => sign!(digest),
    seed: random.u32(),
  });
  const conspiracy = options.conspiracy ?? new Conspiracy(1, settings.members.length, [self]);
  let hearing: Copy = 0;
  const twins = new Twins({
    others,
    part: { has: () => hearing === 1 },
    first: onLinks(0, others, reaches, first),
    second: onLinks(1, others, reaches, second),
    onExecuted: (batch) => {
      for (const bundle of batch.bundles) executed.add(bundle.digest);
    },
    lied: (kind) => conspiracy.lied(self, 'twins', kind),
  });
  const step = (input: StreamInput, now: number): readonly StreamEffect[] => {
    if (input.kind !== 'message') return twins.step(input, now);
    const { from, message } = input;
    return COPIES.filter((copy) => reaches(copy, from, message)).flatMap((copy) => {
      hearing = copy;
      return twins.step(input, now);
    });
  };
  // Both copies believe that they sealed what one of them did: a liar's books tell what was.
  const liar = new StreamLiar(options, conspiracy.memoryOf(self), {
    step,
    inspect: (now) => twins.inspect(now),
  });
  liar.follow([]);
  return liar;
}

/**
 * Lies of a whole replica, for any protocol: a wrapper between a correct replica and its host. It changes what the
 * replica is told (messages, checkpoints, updates, timers) or what it sends; what it asks host key and trusted component
 * for is asked truly, so every seal of it is one that it may have.
 */
import type { DecodeContext, Effect, Input, ProtocolDefinition, Replica } from '../../core/protocol.ts';
import type { Prng } from '../../core/prng.ts';
import type { Digest, Milliseconds, ReplicaId, SessionId, Verified } from '../../core/types.ts';
import type { Content, Sealed } from '../../smr/attested/sealed.ts';
import { SealedCodec } from '../../smr/attested/sealed.ts';
import { altered, SeenNames } from './alter.ts';
import { forging, inventing } from './inventions.ts';
import type { GenericLie } from './lies.ts';
import { tongueOf } from './tongues.ts';

/** What a lie is made of. */
export interface GenericLiarOptions<M> {
  readonly self: ReplicaId;
  readonly n: number;
  readonly definition: Pick<ProtocolDefinition<M>, 'name' | 'encode' | 'decode' | 'seals'>;
  readonly decoding: DecodeContext;
  readonly random: Prng;
  /** Signs with the replica's own host key. */
  readonly sign: (digest: Digest) => Uint8Array;
}

/** The replica, lying as `lie` says; lies of links leave it as it is. */
export function wrapGeneric<M extends object>(
  lie: GenericLie,
  options: GenericLiarOptions<M>,
  inner: Replica<M>,
): Replica<M> {
  const make = MAKERS[lie];
  return make === undefined ? inner : make(options, inner);
}

type Maker = <M extends object>(options: GenericLiarOptions<M>, inner: Replica<M>) => Replica<M>;

const MAKERS: Partial<Readonly<Record<GenericLie, Maker>>> = {
  reseal: (options, inner) => resealing(options, inner),
  gullible: (options, inner) => gullible(options, inner),
  'lie-checkpoint': (options, inner) => believing(inner, checkpointLie(options.random)),
  'lie-update': (options, inner) => believing(inner, updateLie(options.random)),
  'spam-views': (options, inner) => impatient(options.random, inner),
  patient: (_options, inner) =>
    filtered(inner, (input) => input.kind !== 'timeout' || input.timer === 'status'),
  censor: (options, inner) => censoring(options.random, inner),
  deaf: (options, inner) => deafened(options, inner),
  invent: inventing,
  forge: forging,
};

function deafened<M>({ random, n }: GenericLiarOptions<M>, inner: Replica<M>): Replica<M> {
  const ignored = Array.from({ length: n }, () => random.chance(0.5));
  const share = random.pick([0.5, 0.9, 1]);
  return filtered(
    inner,
    (input) => input.kind !== 'message' || !ignored[input.from]! || !random.chance(share),
  );
}

function filtered<M>(inner: Replica<M>, passes: (input: Input<M>) => boolean): Replica<M> {
  return {
    step: (input, now) => (passes(input) ? inner.step(input, now) : []),
    inspect: (now) => inner.inspect(now),
  };
}

function believing<M>(inner: Replica<M>, told: Told): Replica<M> {
  return { step: (input, now) => inner.step(told(input), now), inspect: (now) => inner.inspect(now) };
}

type Told = <M>(input: Input<M>) => Input<M>;

function checkpointLie(random: Prng): Told {
  const share = random.pick([0.3, 1]);
  return (input) => {
    if (input.kind !== 'executed' || input.checkpoint === undefined || !random.chance(share)) return input;
    const { sequence, stateDigest } = input.checkpoint;
    const other = ((stateDigest.startsWith('a') ? 'b' : 'a') + stateDigest.slice(1)) as Digest;
    return { ...input, checkpoint: { sequence, stateDigest: other } };
  };
}

function updateLie(random: Prng): Told {
  return (input) => {
    if (input.kind !== 'executed' || input.update === undefined || !random.chance(0.5)) return input;
    const update = input.update.slice();
    if (update.length > 0) update[random.between(0, update.length - 1)]! ^= 1 + random.between(0, 254);
    return { ...input, update };
  };
}

/** Ignores one session from the moment on at which it first hears of it. */
function censoring<M>(random: Prng, inner: Replica<M>): Replica<M> {
  let victim: SessionId | undefined;
  return filtered(inner, (input) => {
    if (input.kind !== 'bundle') return true;
    if (victim === undefined && random.chance(0.5)) victim = input.bundle.session;
    return input.bundle.session !== victim;
  });
}

/** Whether the answer to `execute` or `apply` has to come next (H5). */
function asksService<M>(effects: readonly Effect<M>[]): boolean {
  return effects.some(({ kind }) => kind === 'execute' || kind === 'apply');
}

/** Between two timers that run out too early: more would be a flood, which is not what this lie is about. */
const RUSH_EVERY_MS = 2;

function impatient<M>(random: Prng, inner: Replica<M>): Replica<M> {
  const timers = new Set<string>();
  const share = random.pick([0.02, 0.1, 0.3]);
  const noted = (effects: readonly Effect<M>[]): readonly Effect<M>[] => {
    for (const effect of effects) {
      if (effect.kind === 'setTimer') timers.add(effect.timer);
      else if (effect.kind === 'cancelTimer') timers.delete(effect.timer);
    }
    return effects;
  };
  let nextMs = 0;
  const rush = (effects: readonly Effect<M>[], now: Milliseconds): readonly Effect<M>[] => {
    if (asksService(effects) || timers.size === 0 || now < nextMs || !random.chance(share)) return effects;
    nextMs = now + RUSH_EVERY_MS;
    const timer = random.pick([...timers]);
    // Far in the future everything is overdue.
    const late = now + random.pick([0, 1_000, 100_000]);
    return [...effects, ...noted(inner.step({ kind: 'timeout', timer }, late))];
  };
  return {
    step: (input, now) => {
      const effects = noted(inner.step(input, now));
      return input.kind === 'message' || input.kind === 'timeout' ? rush(effects, now) : effects;
    },
    inspect: (now) => inner.inspect(now),
  };
}

/** The message with one change as others would decode it; undefined if they would not. */
function alteration<M extends object>(
  { definition, decoding, random }: GenericLiarOptions<M>,
  names: SeenNames,
  message: M,
): M | undefined {
  let changed = message;
  try {
    for (let count = random.pick([1, 1, 1, 2]); count > 0; count -= 1)
      changed = rewritten(definition.name, decoding, changed, altered(changed, random, names));
    if (changed === message) return undefined;
    return definition.decode(definition.encode(changed), decoding);
  } catch {
    // An encoder may refuse what no correct replica would ever hand to it.
    return undefined;
  }
}

/** A message whose content was changed is written anew: what travels are its bytes. */
function rewritten<M extends object>(protocol: string, decoding: DecodeContext, before: M, after: M): M {
  const tongue = 'content' in after ? tongueOf(protocol) : undefined;
  const sealed = after as unknown as Sealed<Content>;
  if (tongue === undefined || sealed.content === (before as unknown as Sealed<Content>).content) return after;
  const codec = new SealedCodec(decoding, tongue.options);
  return { ...after, ...codec.encodeContent(sealed.author, sealed.content) };
}

function gullible<M extends object>(options: GenericLiarOptions<M>, inner: Replica<M>): Replica<M> {
  const { random } = options;
  const names = new SeenNames(random);
  const share = random.pick([0.05, 0.2, 0.5]);
  return {
    step: (input, now) => {
      if (input.kind !== 'message') return inner.step(input, now);
      names.note(input.message);
      const lie = random.chance(share) ? alteration(options, names, input.message) : undefined;
      if (lie === undefined) return inner.step(input, now);
      try {
        return inner.step({ ...input, message: lie as Verified<M> }, now);
      } catch {
        // What was never verified may break a correct replica; this one goes on as if nothing had happened.
        return [];
      }
    },
    inspect: (now) => inner.inspect(now),
  };
}

function resealing<M extends object>(options: GenericLiarOptions<M>, inner: Replica<M>): Replica<M> {
  const { random, self, n, definition, sign } = options;
  const names = new SeenNames(random);
  const share = random.pick([0.05, 0.2, 0.6]);
  const lieAbout = (message: M): M | undefined => {
    const lie = alteration(options, names, message);
    if (lie === undefined) return undefined;
    for (const seal of definition.seals(lie))
      if (seal.kind === 'host' && seal.replica === self) sign(seal.digest);
    return lie;
  };
  const spread = (message: M): Effect<M>[] => {
    const isDivided = random.chance(0.6);
    const effects: Effect<M>[] = [];
    const lie = lieAbout(message);
    for (let to = 0; to < n; to += 1) {
      if (to === self) continue;
      const isLie = lie !== undefined && (!isDivided || random.chance(0.5));
      effects.push({ kind: 'send', to, message: isLie ? lie : message });
    }
    return effects;
  };
  return {
    step: (input, now) => {
      const lies: Effect<M>[] = [];
      for (const effect of inner.step(input, now)) {
        if (effect.kind !== 'send' && effect.kind !== 'broadcast') {
          lies.push(effect);
          continue;
        }
        names.note(effect.message);
        if (!random.chance(share)) lies.push(effect);
        else if (effect.kind === 'broadcast') lies.push(...spread(effect.message));
        else lies.push({ ...effect, message: lieAbout(effect.message) ?? effect.message });
      }
      return lies;
    },
    inspect: (now) => inner.inspect(now),
  };
}

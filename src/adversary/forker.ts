/**
 * The forker: a Byzantine host that has a second voice under one identity, because its trusted component was cloned,
 * rolled back or robbed of its key. It lets its logic propose as ever, has the second voice certify another proposal
 * under the same counter value, and shows the one to some replicas and the other to the rest. Each side has a quorum
 * with the forker in it, so both decide. Nothing in the product can stop it while both voices are believed; what stops
 * it is that a second voice under the *same* tcEpoch cannot be had (decision A5).
 */
import type { Domain } from '../core/domain.ts';
import type { ClusterSettings } from '../core/config.ts';
import type { Prng } from '../core/prng.ts';
import type { Effect, Input, Replica, UniqueIdentifier } from '../core/protocol.ts';
import type { Batch } from '../core/request.ts';
import type { CounterValue, Digest, Hash, Milliseconds, ReplicaId } from '../core/types.ts';
import { buildBatch } from '../smr/batcher.ts';
import { completeDraft, decodeDraft, encodeDraft } from '../smr/usig-stream/codec.ts';
import { createStreamContext } from '../smr/usig-stream/context.ts';
import type { StreamContext } from '../smr/usig-stream/context.ts';
import type { MinbftMessage, Prepare, PrepareContent } from '../smr/usig-stream/messages.ts';

type StreamEffect = Effect<MinbftMessage>;

/** The second voice of a forker. */
export interface SecondVoice {
  /**
   * A certificate over `digest`, meant to be under `counter`; undefined if the component gives none. A fenced component
   * gives one under a tcEpoch and counter of its own, which nobody is fooled by.
   */
  certify(counter: CounterValue, digest: Digest): UniqueIdentifier | undefined;
}

/** What a forker is made of. */
export interface ForkerOptions {
  readonly self: ReplicaId;
  readonly settings: ClusterSettings;
  readonly domain: Domain;
  readonly hash: Hash;
  readonly random: Prng;
  readonly voice: SecondVoice;
  /** Who is shown the second proposal. */
  readonly others: readonly ReplicaId[];
  /** Proposals that pass untouched first. */
  readonly patience: number;
  /** Told when two certificates under one counter value exist. */
  readonly onForked?: (counter: CounterValue) => void;
}

/** Bodies that a forker remembers, to make other ones of them. */
const BODIES_MAX = 16;
/** Forked proposals that a forker remembers, to stick to what it told whom. */
const FORKS_MAX = 64;

/** See the top of this file. */
export class Forker implements Replica<MinbftMessage> {
  readonly #options: ForkerOptions;
  readonly #inner: Replica<MinbftMessage>;
  readonly #context: StreamContext;
  readonly #others: ReadonlySet<ReplicaId>;
  readonly #bodies = new Map<Digest, Batch>();
  /** What the others are shown in place of the own proposal, by its counter. */
  readonly #forks = new Map<CounterValue, Prepare>();
  #patience: number;
  #candidate: { readonly counter: CounterValue; readonly draft: PrepareContent } | undefined;

  constructor(options: ForkerOptions, inner: Replica<MinbftMessage>) {
    const { settings, hash, domain } = options;
    this.#options = options;
    this.#inner = inner;
    this.#context = createStreamContext(settings, hash, domain, settings.protocol);
    this.#others = new Set(options.others);
    this.#patience = options.patience;
  }

  inspect(now: Milliseconds): ReturnType<Replica<MinbftMessage>['inspect']> {
    return this.#inner.inspect(now);
  }

  step(input: Input<MinbftMessage>, now: Milliseconds): readonly StreamEffect[] {
    const effects: StreamEffect[] = [];
    for (const effect of this.#inner.step(input, now)) this.#bend(effect, effects);
    return effects;
  }

  #bend(effect: StreamEffect, out: StreamEffect[]): void {
    switch (effect.kind) {
      case 'shareBody':
        this.#remember(effect.batch);
        break;
      case 'seal': {
        const draft = decodeDraft(this.#context, effect.draft);
        this.#candidate = draft?.kind === 'PREPARE' ? { counter: effect.counter, draft } : undefined;
        break;
      }
      case 'broadcast':
        return this.#tell(effect.message, out);
      case 'send':
        if (this.#others.has(effect.to)) {
          out.push({ ...effect, message: this.#told(effect.message) });
          return;
        }
        break;
      default:
        break;
    }
    out.push(effect);
  }

  #remember(batch: Batch): void {
    this.#bodies.set(batch.digest, batch);
    for (const oldest of this.#bodies.keys()) {
      if (this.#bodies.size <= BODIES_MAX) break;
      this.#bodies.delete(oldest);
    }
  }

  /** A message of its own goes to everybody: each side gets the version that is meant for it. */
  #tell(message: MinbftMessage, out: StreamEffect[]): void {
    const candidate = this.#candidate;
    const isNew = message.kind === 'PREPARE' && message.ui.counter === candidate?.counter;
    if (isNew && message.ui.replica === this.#options.self) {
      this.#candidate = undefined;
      this.#patience -= 1;
      if (this.#patience < 0) this.#fork(candidate.counter, candidate.draft, out);
    }
    const told = this.#told(message);
    if (told === message) {
      out.push({ kind: 'broadcast', message });
      return;
    }
    for (const { id } of this.#options.settings.members) {
      if (id === this.#options.self) continue;
      out.push({ kind: 'send', to: id, message: this.#others.has(id) ? told : message });
    }
  }

  #fork(counter: CounterValue, draft: PrepareContent, out: StreamEffect[]): void {
    const body = this.#otherBody(draft);
    const content: PrepareContent = { ...draft, batchDigest: body.digest, recovers: body.recovers };
    const ui = this.#options.voice.certify(counter, encodeDraft(this.#context, content).digest);
    if (ui === undefined) return;
    this.#options.onForked?.(counter);
    this.#forks.set(counter, completeDraft(this.#context, content, ui));
    for (const oldest of this.#forks.keys()) {
      if (this.#forks.size <= FORKS_MAX) break;
      this.#forks.delete(oldest);
    }
    out.push({ kind: 'store', entries: [{ key: `body/${body.digest}`, value: body.bytes }] });
    for (const to of this.#options.others) out.push({ kind: 'shareBody', batch: body, to });
  }

  /** Other content for the same place: the same bundles in another order, or none, under another time. */
  #otherBody(draft: PrepareContent): Batch {
    const { hash, domain, random } = this.#options;
    const original = this.#bodies.get(draft.batchDigest);
    const keeps = original !== undefined && random.chance(0.5);
    return buildBatch(hash, domain, {
      proposedInView: draft.view,
      time: (original?.time ?? 0) + 1,
      recovers: keeps ? original.recovers : [],
      bundles: keeps ? [...original.bundles].reverse() : [],
    });
  }

  #told(message: MinbftMessage): MinbftMessage {
    if (message.kind !== 'PREPARE' || message.ui.replica !== this.#options.self) return message;
    const other = this.#forks.get(message.ui.counter);
    return other === undefined || other.sequence !== message.sequence ? message : other;
  }
}

/**
 * Lies between the logic and the trusted component, for protocols on USIG streams. The logic is a correct replica that
 * does not know what is sealed in its name: the liar puts another statement into a seal that the logic asked for, so
 * counters stay in step and every seal is a real one. Lying after the seal would find nothing: the counter gap masks it.
 */
import type { Effect, Input, Replica, UniqueIdentifier } from '../core/protocol.ts';
import type { Batch } from '../core/request.ts';
import { batchDigest, encodeBatch } from '../core/request.ts';
import type { ClusterSettings } from '../core/config.ts';
import type { Domain } from '../core/domain.ts';
import type { Prng } from '../core/prng.ts';
import type { CounterValue, Digest, Hash, Milliseconds, ReplicaId } from '../core/types.ts';
import { completeDraft, decodeDraft, encodeDraft } from '../smr/usig-stream/codec.ts';
import { createStreamContext } from '../smr/usig-stream/context.ts';
import type { StreamContext } from '../smr/usig-stream/context.ts';
import { viewChangeContent } from '../smr/usig-stream/builders.ts';
import type {
  CheckpointContent,
  Draft,
  LogEntry,
  MinbftMessage,
  PrepareContent,
  StreamMessage,
  ViewChangeContent,
} from '../smr/usig-stream/messages.ts';
import type { Behaviour } from './behaviours.ts';

type StreamEffect = Effect<MinbftMessage>;
type SealEffect = StreamEffect & { readonly kind: 'seal' };

/** What lies in a stream are made of. */
export interface StreamLiarOptions {
  readonly self: ReplicaId;
  readonly settings: ClusterSettings;
  readonly domain: Domain;
  readonly hash: Hash;
  readonly random: Prng;
  /** Lies at the first occasion and to everybody, so that a demonstration does not depend on chance. */
  readonly eager?: boolean;
}

/** The replica with a liar before its trusted component; behaviours of the wire leave it as it is. */
export function wrapReplica(
  behaviour: Behaviour,
  options: StreamLiarOptions,
  replica: Replica<MinbftMessage>,
): Replica<MinbftMessage> {
  const lies = behaviour === 'equivocate' || behaviour === 'lie-checkpoint';
  return lies ? new StreamLiar(behaviour, options, replica) : replica;
}

/** A PREPARE that has a twin: which half of the replicas sees which. */
interface Fork {
  readonly honest: CounterValue;
  readonly twin: CounterValue;
}

class StreamLiar implements Replica<MinbftMessage> {
  readonly #behaviour: 'equivocate' | 'lie-checkpoint';
  readonly #options: StreamLiarOptions;
  readonly #inner: Replica<MinbftMessage>;
  readonly #context: StreamContext;
  /** What was sealed in place of what the logic thinks, by counter. */
  readonly #replaced = new Map<CounterValue, Draft>();
  /** Bodies that the logic proposed lately, to make twins of. */
  readonly #bodies = new Map<Digest, Batch>();
  readonly #half: ReadonlySet<ReplicaId>;
  readonly #hides: boolean;
  #fork: Fork | undefined;
  #patience: number;
  #candidate: { readonly counter: CounterValue; readonly draft: PrepareContent } | undefined;

  constructor(
    behaviour: 'equivocate' | 'lie-checkpoint',
    options: StreamLiarOptions,
    inner: Replica<MinbftMessage>,
  ) {
    const { settings, hash, domain, random } = options;
    this.#behaviour = behaviour;
    this.#options = options;
    this.#inner = inner;
    this.#context = createStreamContext(settings, hash, domain, settings.protocol);
    this.#half = new Set(settings.members.map((member) => member.id).filter(() => random.chance(0.5)));
    this.#hides = random.chance(0.5);
    this.#patience = random.pick([0, 0, 2, 6]);
    if (options.eager !== true) return;
    this.#hides = false;
    this.#patience = 0;
  }

  inspect(now: Milliseconds): ReturnType<Replica<MinbftMessage>['inspect']> {
    return this.#inner.inspect(now);
  }

  step(input: Input<MinbftMessage>, now: Milliseconds): readonly StreamEffect[] {
    if (input.kind === 'start') this.#replaced.clear();
    const effects: StreamEffect[] = [];
    for (const effect of this.#inner.step(input, now)) effects.push(...this.#bend(effect));
    return effects;
  }

  #bend(effect: StreamEffect): readonly StreamEffect[] {
    switch (effect.kind) {
      case 'seal':
        return this.#bendSeal(effect);
      case 'shareBody':
        this.#remember(effect.batch);
        return [effect];
      case 'broadcast':
        return this.#bendBroadcast(effect.message);
      case 'send':
        return this.#isHidden(effect.message, effect.to)
          ? []
          : [{ ...effect, message: this.#told(effect.message) }];
      default:
        return [effect];
    }
  }

  #remember(batch: Batch): void {
    this.#bodies.set(batch.digest, batch);
    for (const oldest of this.#bodies.keys()) {
      if (this.#bodies.size <= 16) break;
      this.#bodies.delete(oldest);
    }
  }

  // ---- before the seal --------------------------------------------------------------------------------------------

  #bendSeal(effect: SealEffect): readonly StreamEffect[] {
    const draft = decodeDraft(this.#context, effect.draft);
    if (draft === undefined) return [effect];
    if (draft.kind === 'VIEW-CHANGE') return [this.#sealing(effect, this.#truthfulLog(draft))];
    if (this.#behaviour === 'lie-checkpoint') return [this.#lieAbout(effect, draft)];
    return this.#fork === undefined ? this.#mayFork(effect, draft) : [effect];
  }

  #lieAbout(effect: SealEffect, draft: Draft): StreamEffect {
    if (draft.kind !== 'CHECKPOINT') return effect;
    return this.#sealing(effect, this.#wrongCheckpoint(draft));
  }

  #wrongCheckpoint(draft: CheckpointContent): CheckpointContent {
    const first = draft.stateDigest.startsWith('0') ? '1' : '0';
    return { ...draft, stateDigest: (first + draft.stateDigest.slice(1)) as Digest };
  }

  /** Lets one PREPARE pass, and seals a second one for the same sequence number with the value that comes next. */
  #mayFork(effect: SealEffect, draft: Draft): readonly StreamEffect[] {
    const candidate = this.#candidate;
    if (candidate !== undefined && effect.counter === candidate.counter + 1) {
      this.#candidate = undefined;
      this.#fork = { honest: candidate.counter, twin: effect.counter };
      const { body, twin } = this.#twinOf(candidate.draft);
      const stored: StreamEffect = {
        kind: 'store',
        entries: [{ key: `body/${body.digest}`, value: body.bytes }],
      };
      return [stored, { kind: 'shareBody', batch: body }, this.#sealing(effect, twin)];
    }
    if (draft.kind === 'CHECKPOINT' && this.#patience <= 0 && this.#options.random.chance(0.3)) {
      // A backup has no twin to offer but of its checkpoints: this one says something that its state does not.
      return [this.#sealing(effect, this.#wrongCheckpoint(draft))];
    }
    if (draft.kind === 'PREPARE') {
      this.#patience -= 1;
      if (this.#patience < 0) this.#candidate = { counter: effect.counter, draft };
    }
    return [effect];
  }

  /** Another batch for the same place: the same bundles in another order or none, under another time. */
  #twinOf(draft: PrepareContent): { readonly body: Batch; readonly twin: PrepareContent } {
    const { hash, domain, random } = this.#options;
    const original = this.#bodies.get(draft.batchDigest);
    const keeps = original !== undefined && random.chance(0.5);
    const bundles = keeps ? [...original.bundles].reverse() : [];
    const recovers = keeps ? original.recovers : [];
    const proposedInView = draft.view;
    const time = (original?.time ?? 0) + 1;
    const bytes = encodeBatch({
      proposedInView,
      time,
      recovers,
      bundles: bundles.map((bundle) => bundle.bytes),
    });
    const digest = batchDigest(hash, domain, bytes);
    const bundleAuthentic = bundles.map(() => true);
    const recoverAuthentic = recovers.map(() => true);
    const body: Batch = {
      digest,
      bytes,
      proposedInView,
      time,
      recovers,
      bundles,
      bundleAuthentic,
      recoverAuthentic,
    };
    return { body, twin: { ...draft, batchDigest: digest, recovers } };
  }

  #sealing(effect: SealEffect, draft: Draft): SealEffect {
    const encoded = encodeDraft(this.#context, draft);
    if (encoded.digest === effect.digest) return effect;
    this.#replaced.set(effect.counter, draft);
    return { ...effect, digest: encoded.digest, draft: encoded.bytes };
  }

  /** A VIEW-CHANGE must show what was really sealed: the logic's own log would not even verify. */
  #truthfulLog(draft: ViewChangeContent): ViewChangeContent {
    const anchor = draft.anchor && this.#told(draft.anchor);
    const log = draft.log.map((entry) => this.#toldEntry(entry));
    if (anchor?.kind !== 'CHECKPOINT' && anchor !== undefined) return draft;
    const { view, stable, vouchers } = draft;
    return viewChangeContent(this.#context, { view, stable, anchor, vouchers, log });
  }

  #toldEntry(entry: LogEntry): LogEntry {
    const draft = entry.ui.replica === this.#options.self ? this.#replaced.get(entry.ui.counter) : undefined;
    if (draft === undefined || entry.kind === 'VIEW-CHANGE-STUB') return entry;
    const told = completeDraft(this.#context, draft, entry.ui);
    return told.kind === 'VIEW-CHANGE' ? entry : told;
  }

  // ---- after the seal ---------------------------------------------------------------------------------------------

  #bendBroadcast(message: MinbftMessage): readonly StreamEffect[] {
    const told = this.#told(message);
    const counter = this.#ownUi(message)?.counter;
    const fork = this.#fork;
    if (fork === undefined || counter === undefined || (counter !== fork.honest && counter !== fork.twin))
      return [{ kind: 'broadcast', message: told }];
    const effects: StreamEffect[] = [];
    for (const { id } of this.#options.settings.members) {
      if (id === this.#options.self || this.#half.has(id) !== (counter === fork.honest)) continue;
      effects.push({ kind: 'send', to: id, message: told });
    }
    return effects;
  }

  #isHidden(message: MinbftMessage, to: ReplicaId): boolean {
    const counter = this.#ownUi(message)?.counter;
    const fork = this.#fork;
    if (!this.#hides || fork === undefined || counter === undefined) return false;
    return (counter === fork.honest && !this.#half.has(to)) || (counter === fork.twin && this.#half.has(to));
  }

  #ownUi(message: MinbftMessage): UniqueIdentifier | undefined {
    const ui = message.kind === 'NEW-VIEW' ? message.header.ui : 'ui' in message ? message.ui : undefined;
    return ui?.replica === this.#options.self ? ui : undefined;
  }

  /** The message that was really sealed, where it is another one than the logic sends. */
  #told<T extends MinbftMessage | StreamMessage>(message: T): MinbftMessage {
    const ui = this.#ownUi(message);
    const draft = ui === undefined ? undefined : this.#replaced.get(ui.counter);
    if (ui === undefined || draft === undefined) return message;
    if (message.kind === 'VIEW-CHANGE') {
      const { newViews, justification } = message;
      return draft.kind === 'VIEW-CHANGE'
        ? completeDraft(this.#context, draft, ui, { newViews, justification })
        : message;
    }
    const told = completeDraft(this.#context, draft, ui);
    return told.kind === 'NEW-VIEW-HEADER' ? message : told;
  }
}

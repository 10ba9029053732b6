/**
 * One way to lie in a stream. A strategy sees what the logic hears, wishes to seal and wants to say, and changes it;
 * the desk that it works at keeps everything consistent with the counters of the trusted component.
 */
import type { ClusterSettings } from '../../core/config.ts';
import type { Domain } from '../../core/domain.ts';
import type { Effect, Input, ReplicaInspection } from '../../core/protocol.ts';
import type { Prng } from '../../core/prng.ts';
import type { Batch } from '../../core/request.ts';
import type { CounterValue, Digest, Hash, Milliseconds, ReplicaId } from '../../core/types.ts';
import type { StreamContext } from '../../smr/usig-stream/context.ts';
import type {
  Draft,
  MinbftMessage,
  RequestViewChange,
  NewViewProof,
  StreamMessage,
  ViewChange,
} from '../../smr/usig-stream/messages.ts';
import type { Conspiracy } from '../conspiracy.ts';
import type { SpareComponent } from '../options.ts';
import type { Overheard } from './overheard.ts';

/** An effect of a replica of this protocol. */
export type StreamEffect = Effect<MinbftMessage>;
/** An input of a replica of this protocol. */
export type StreamInput = Input<MinbftMessage>;

/** What travels with a sealed draft outside its seal. */
export interface Extras {
  readonly newViews?: readonly NewViewProof[];
  readonly justification?: readonly RequestViewChange[];
  /** For a NEW-VIEW, in the order of its references. */
  readonly viewChanges?: readonly ViewChange[];
}

/** What a strategy works with. */
export interface LiarDesk {
  readonly self: ReplicaId;
  readonly n: number;
  readonly settings: ClusterSettings;
  readonly domain: Domain;
  readonly hash: Hash;
  readonly context: StreamContext;
  readonly random: Prng;
  /** Lies at the first occasion, so that a demonstration does not depend on chance. */
  readonly eager: boolean;
  readonly conspiracy: Conspiracy;
  readonly heard: Overheard;
  /** Host signature over a digest; undefined where the host key is not at hand. */
  readonly sign: ((digest: Digest) => Uint8Array) | undefined;
  /** Another trusted component of the liar; undefined where it has none. */
  readonly spare: ((mark: number) => SpareComponent) | undefined;
  /** What the logic shows of itself. */
  inspect(): ReplicaInspection;
  /** Counts a lie of this strategy. */
  lied(kind: string): void;
  /**
   * Has `draft` sealed as the next own statement although the logic did not ask for it. The logic finds its own next
   * wish "sealed" with that counter value. `then` gets the message; without it the message is told to everybody.
   */
  insert(draft: Draft, extras?: Extras, then?: (message: StreamMessage) => void): void;
  /** Says something to one replica or to all others, as the strategies here let it pass. */
  say(message: MinbftMessage, to?: ReplicaId): void;
  /** Says something to one replica, past the strategies. */
  send(to: ReplicaId, message: MinbftMessage): void;
  /** Stores a body, so that whoever asks for it gets it, and shares it with everybody. */
  share(batch: Batch): void;
  /** Does something later. */
  later(delayMs: Milliseconds, action: () => void): void;
}

/** See the top of this file. All parts are optional; what is left out changes nothing. */
export interface Strategy {
  /** Sees an input before the logic does; false keeps it from the logic. */
  hears?(input: StreamInput): boolean;
  /** What to seal in place of a draft that the logic (or an earlier strategy) wants. */
  seals?(draft: Draft, counter: CounterValue): Draft;
  /** What travels with a VIEW-CHANGE or NEW-VIEW of that content in place of what the logic would attach. */
  extras?(draft: Draft): Extras | undefined;
  /** An own statement that was sealed, whoever wished for it. */
  sealed?(message: StreamMessage): void;
  /** What `to` gets in place of a message: nothing, another one, more than one. */
  tells?(message: MinbftMessage, to: ReplicaId): readonly MinbftMessage[];
  /** Whether `to` may get a body or a bundle. */
  gives?(effect: StreamEffect & { readonly kind: 'shareBody' | 'forward' }, to: ReplicaId): boolean;
}

/** Makes a strategy at a desk. */
export type StrategyFactory = (desk: LiarDesk) => Strategy;

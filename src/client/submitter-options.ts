/** What the ordered path of a client (`submitter.ts`) is made of. */
import type { Domain } from '../core/domain.ts';
import type { Digest, Hash, Milliseconds, ReplicaId } from '../core/types.ts';
import type { Signer } from '../crypto/port.ts';
import type { AnswerRules } from './answer-rules.ts';
import type { Sealing } from './mac-sealing.ts';
import type { ReplicaChannels } from './replica-channels.ts';
import type { ReplyWatch } from './reply-watch.ts';
import type { StateFile } from './state-file.ts';

/** See the top of this file. */
export interface SubmitterOptions {
  readonly hash: Hash;
  readonly domain: Domain;
  readonly signer: Signer;
  readonly sealing?: Sealing | undefined;
  readonly clientId: Digest;
  /** f+1. */
  readonly quorum: number;
  /** When answers are believed. */
  readonly rules: AnswerRules;
  readonly channels: () => ReplicaChannels;
  /** Checks a host signature over 32 bytes. */
  readonly verifyHost: (replica: ReplicaId, message: Uint8Array, signature: Uint8Array) => boolean;
  readonly replicas: number;
  readonly window: number;
  /** Requests of one bundle, at most. */
  readonly bundleRequestsMax?: number | undefined;
  readonly state: StateFile | undefined;
  readonly now: () => Milliseconds;
  /** Time of the replicated state, as f+1 replicas have it or later; undefined if too few answer. */
  readonly agreedTime: () => Promise<Milliseconds | undefined>;
  /** Finds wrong signed replies. */
  readonly watch: ReplyWatch;
}

/** What lies in a stream are made of. */
import type { ClusterSettings } from '../core/config.ts';
import type { Domain } from '../core/domain.ts';
import type { Prng } from '../core/prng.ts';
import type { Digest, Hash, ReplicaId } from '../core/types.ts';
import type { TrustedIdentity } from '../trusted/contract.ts';
import type { Conspiracy } from './conspiracy.ts';

/** A trusted component that a liar owns beside its first one. */
export interface SpareComponent {
  readonly identity: TrustedIdentity;
  attest(challenge: Digest): Uint8Array;
}

/** The same of a component of a simulator. */
export function spareOf(trusted: {
  identity(): TrustedIdentity;
  attest(challenge: Digest): Uint8Array;
}): SpareComponent {
  return { identity: trusted.identity(), attest: (challenge) => trusted.attest(challenge) };
}

/** See the top of this file. */
export interface StreamLiarOptions {
  readonly self: ReplicaId;
  readonly settings: ClusterSettings;
  readonly domain: Domain;
  readonly hash: Hash;
  readonly random: Prng;
  /** Lies at the first occasion and to everybody, so that a demonstration does not depend on chance. */
  readonly eager?: boolean;
  /** The liar's own host key, for messages that it signs. Without it some lies are left out. */
  readonly sign?: (digest: Digest) => Uint8Array;
  /** Another component of the liar; equal marks give equal ones. Without it some lies are left out. */
  readonly spare?: (mark: number) => SpareComponent;
  /** What all liars of the cluster share; without it the liar acts alone and forgets at a restart. */
  readonly conspiracy?: Conspiracy;
}

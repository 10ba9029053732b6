/**
 * How a replica makes a message its own. Every message that others may rely on is *attested*: it becomes durable, then
 * somebody vouches for it, and only then it comes back to the protocol and may leave (effect `attest`, input
 * `attested`). Who vouches depends on the protocol: nobody (the link alone authenticates it, as a MAC would), the host
 * key, or one object of the trusted component.
 */
import type { CounterValue, Digest, ReplicaId, TcEpoch } from './types.ts';

/** Who is asked to vouch for a message. */
export type Attestor =
  /** Nobody: durable, and authentic only on the link of its author. */
  | { readonly kind: 'link' }
  /** The host key signs the digest. */
  | { readonly kind: 'host' }
  /** An object of the trusted component gives it the value `value`; the object is made when it is first used. */
  | {
      readonly kind: 'object';
      /** 8 bytes, hexadecimal. */
      readonly object: string;
      /** `counter`: ADVANCE; `log`: an entry of an A2M log. */
      readonly form: 'counter' | 'log';
      /** `step`: values ascend by one; `jump`: any greater value; `strict`: a log without jumps. */
      readonly mode: 'step' | 'jump' | 'strict';
      readonly value: CounterValue;
    };

/** What an object of a trusted component said about a message. */
export interface ObjectAttestation {
  readonly kind: 'object';
  readonly replica: ReplicaId;
  readonly tcEpoch: TcEpoch;
  readonly object: string;
  readonly form: 'counter' | 'log';
  /** Value of the object before: what comes between was skipped for ever. */
  readonly previous: CounterValue;
  readonly value: CounterValue;
  /** History digest of the log after this entry; absent for counters. */
  readonly history?: Digest;
  /** The log has no jumps and makes all of its history itself: `history` commits to every entry before. */
  readonly strict?: true;
  readonly authenticator: Uint8Array;
}

/** The word that was given. */
export type Attestation =
  | { readonly kind: 'link'; readonly replica: ReplicaId }
  | { readonly kind: 'host'; readonly replica: ReplicaId; readonly signature: Uint8Array }
  | ObjectAttestation;

/** An own message as the host keeps it: content, and the word given for it. */
export interface AttestedDraft {
  /** Consecutive numbers of own messages, from 1; never used twice. */
  readonly id: number;
  readonly digest: Digest;
  readonly draft: Uint8Array;
  readonly attestation: Attestation;
}

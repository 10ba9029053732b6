/**
 * Two kinds of settings: *cluster settings* must be equal at every replica (they are part of genesis and hashed into
 * the cluster id), *process settings* may differ and live in `node/`. All relations between limits are asserted here.
 */
import { assert } from './assert.ts';
import { ZERO_DIGEST } from './types.ts';
import type { ConfigurationVersion, Digest, Milliseconds, ReplicaId, TcEpoch } from './types.ts';

/** Seal suite of a cluster (decision A2). The number is the suite byte of a TCS1 statement. */
export type Suite = 'hmac-sha256' | 'ed25519';

/**
 * How requests are authentic (decision C1): a signature for each request, a signature for a bundle of them, or a MAC for
 * each that trusted components judge (docs/decisions/0021).
 */
export const AUTHENTICATORS = ['bundle', 'request', 'mac'] as const;
export type Authenticator = (typeof AUTHENTICATORS)[number];

/** The trusted component of one replica, as registered. */
export interface TrustedRegistration {
  readonly program: string;
  readonly footprint: string;
  /** SHA-256 of the trusted program. */
  readonly measurement: Digest;
  readonly suite: Suite;
  /** 16 bytes, hexadecimal. */
  readonly tcId: string;
  readonly tcEpoch: TcEpoch;
  /** Raw public key, hexadecimal; empty for the HMAC suite, and where there is no component. */
  readonly publicKey: string;
  /** Evidence bundle over `registrationChallenge`, hexadecimal; absent in clusters without an attestation policy. */
  readonly evidence?: string;
}

/** Name of program and footprint of a member whose protocol needs no trusted component. */
export const NO_PROGRAM = 'none';

/** The registration of such a member: nothing is registered. */
export function noComponent(suite: Suite): TrustedRegistration {
  return {
    program: NO_PROGRAM,
    footprint: NO_PROGRAM,
    measurement: ZERO_DIGEST,
    suite,
    tcId: '0'.repeat(32),
    tcEpoch: '0'.repeat(16) as TcEpoch,
    publicKey: '',
  };
}

/** Programs that may be a member's trusted component. */
export interface AllowedProgram {
  readonly name: string;
  /** SHA-256 of each release that is allowed. */
  readonly measurements: readonly Digest[];
}

/** A footprint that programs may run on. */
export interface AllowedFootprint {
  readonly name: string;
  /** Evidence formats of which each must vouch for the component, under a root; empty: possession of the key is enough. */
  readonly endorsedBy: readonly string[];
  /** What carries the program (an image, platform registers), as digests; empty: not looked at. */
  readonly carriers: readonly Digest[];
}

/** Somebody whose word about a component counts. */
export interface AttestationRoot {
  /** Evidence format, for example "operator". */
  readonly format: string;
  readonly name: string;
  /** Public key, hexadecimal, in the encoding of the format. */
  readonly key: string;
  /** Versions below this are refused; what a version is depends on the format. */
  readonly minimumVersion: number;
}

/** What a trusted component must prove before its key counts (docs/attestation.md). */
export interface AttestationPolicy {
  readonly programs: readonly AllowedProgram[];
  readonly footprints: readonly AllowedFootprint[];
  readonly roots: readonly AttestationRoot[];
}

/** One member. Keys are raw Ed25519 public keys, 32 bytes, hexadecimal. */
export interface MemberSettings {
  readonly id: ReplicaId;
  readonly name: string;
  readonly organisation: string;
  /** Signs replies, block headers, REQ-VIEW-CHANGE, RECOVER. */
  readonly hostKey: string;
  /** Authenticates links (mutual TLS, decision D7). */
  readonly linkKey: string;
  /** host:port of the replica's listener. */
  readonly address: string;
  readonly trusted: TrustedRegistration;
}

/** A client that genesis admits. */
export interface ClientSettings {
  readonly key: string;
  readonly organisation: string;
  /** `admin` may register and revoke clients. */
  readonly role: 'client' | 'admin';
}

/** Minimum policy (decision C9): who may write below a key prefix. The longest matching prefix decides. */
export interface PolicyRule {
  /** Key prefix as hexadecimal bytes; empty matches every key. */
  readonly prefix: string;
  readonly organisations: readonly string[];
}

/** Limits that every replica must share. */
export interface ClusterLimits {
  /** cp: sequence numbers between checkpoints. */
  readonly checkpointInterval: number;
  /** w: the window is w * cp. */
  readonly pipelineFactor: number;
  /** Requests of one batch, at most. */
  readonly batchRequestsMax: number;
  /** Bytes of one batch body, at most. */
  readonly batchBytesMax: number;
  /** Own-log entries of a VIEW-CHANGE, at most; part of its validity. */
  readonly logEntriesMax: number;
  /** Sessions kept in the client table, at most. */
  readonly sessionsMax: number;
  /** Window of request numbers that a session may be granted, at most. */
  readonly sessionWindowMax: number;
}

/** Waits, all in milliseconds of the replica's own clock. */
export interface ClusterTimers {
  readonly batchDelayMs: Milliseconds;
  readonly statusMs: Milliseconds;
  readonly requestMs: Milliseconds;
  readonly newViewMs: Milliseconds;
  /** Cap of every back-off (decision E8). */
  readonly backoffCapMs: Milliseconds;
  readonly gapMs: Milliseconds;
  readonly idleBatchMs: Milliseconds;
}

/** Everything that the members agree on before the first request: the genesis of a cluster. */
export interface ClusterSettings {
  /** Digest of all other fields; see `ledger/genesis.ts`. */
  readonly clusterId: Digest;
  readonly configurationVersion: ConfigurationVersion;
  readonly protocol: string;
  readonly f: number;
  readonly suite: Suite;
  readonly members: readonly MemberSettings[];
  readonly clients: readonly ClientSettings[];
  readonly policy: readonly PolicyRule[];
  readonly limits: ClusterLimits;
  readonly timers: ClusterTimers;
  /** Absent: `bundle`. */
  readonly authenticator?: Exclude<Authenticator, 'bundle'>;
  /** Absent: a component proves possession of its key, and nothing about its code is asked. */
  readonly attestation?: AttestationPolicy;
}

/** Defaults of a new cluster on a local network (decision E8). */
export const DEFAULT_LIMITS: ClusterLimits = {
  checkpointInterval: 128,
  pipelineFactor: 2,
  batchRequestsMax: 4096,
  batchBytesMax: 512 * 1024,
  logEntriesMax: 64 * 256,
  sessionsMax: 4096,
  sessionWindowMax: 8192,
};

/** Defaults of a new cluster on a local network (decision E8). */
export const DEFAULT_TIMERS: ClusterTimers = {
  batchDelayMs: 2,
  statusMs: 250,
  requestMs: 500,
  newViewMs: 1_000,
  backoffCapMs: 30_000,
  gapMs: 60,
  idleBatchMs: 100,
};

/**
 * For a cluster whose replicas share one machine: they also share its processors, so a busy moment must not look like a
 * silent primary (docs/decisions/0008).
 */
export const ONE_MACHINE_TIMERS: ClusterTimers = { ...DEFAULT_TIMERS, requestMs: 1_500, newViewMs: 1_500 };

/** How requests of this cluster are authentic. */
export function authenticatorOf(settings: Pick<ClusterSettings, 'authenticator'>): Authenticator {
  return settings.authenticator ?? 'bundle';
}

/** The window L = w * cp. */
export function windowOf(limits: ClusterLimits): number {
  return limits.checkpointInterval * limits.pipelineFactor;
}

/** Relations between limits that the protocols rely on; each with its reason. */
export function assertLimits(limits: ClusterLimits): void {
  assert(limits.checkpointInterval >= 1, 'checkpointInterval is at least 1');
  assert(limits.pipelineFactor >= 1, 'pipelineFactor is at least 1');
  // A VIEW-CHANGE must be able to hold everything since an anchor that lies up to w + 1 checkpoints back, several times over.
  assert(limits.logEntriesMax >= 64 * windowOf(limits), 'logEntriesMax is at least 64 windows');
  // A batch must be able to hold one bundle of the largest size.
  assert(limits.batchBytesMax >= 80 * 1024, 'batchBytesMax holds at least one bundle');
}

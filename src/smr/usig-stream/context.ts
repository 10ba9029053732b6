/**
 * What the rules of the streams are parameterised by: the static configuration of one cluster (decision E5). Every
 * function of this folder is pure in (context, bytes, certified registry).
 */
import { domainTag, domainWriter, finishDigest } from '../../core/domain.ts';
import type { Domain } from '../../core/domain.ts';
import type { ClusterSettings, Suite } from '../../core/config.ts';
import type { Digest, Hash, ReplicaId, View } from '../../core/types.ts';
import { encodeRegistry, genesisRegistry } from '../registry.ts';
import type { Registry } from '../registry.ts';

/** Static configuration of the streams of one cluster. */
export interface StreamContext {
  /** Lower-case name of the protocol; part of every digest (decision B6). */
  readonly protocol: string;
  readonly hash: Hash;
  readonly domain: Domain;
  /** N: number of replicas. */
  readonly n: number;
  readonly f: number;
  /** cp: sequence numbers between checkpoints. */
  readonly checkpointInterval: number;
  /** w. */
  readonly pipelineFactor: number;
  /** L = w * cp: how far a replica may commit beyond its own last CHECKPOINT. */
  readonly window: number;
  /** Entries of a log in a VIEW-CHANGE, at most (rule V4). */
  readonly logEntriesMax: number;
  readonly genesis: Registry;
  /** `registryDigest` of the genesis registry. */
  readonly genesisRegistryDigest: Digest;
  /** Digest of the fixed NEW-VIEW of view 0 (GENESIS-NV). */
  readonly genesisNewView: Digest;
  readonly suite: Suite;
  /** Bytes of a UI's authenticator under `suite`. */
  readonly authenticatorBytes: number;
  readonly primaryOf: (view: View) => ReplicaId;
}

/** Bytes of an authenticator: a MAC or an Ed25519 signature. */
const AUTHENTICATOR_BYTES: Readonly<Record<Suite, number>> = { 'hmac-sha256': 32, ed25519: 64 };

/** The context of a cluster. */
export function createStreamContext(
  settings: ClusterSettings,
  hash: Hash,
  domain: Domain,
  protocol: string,
): StreamContext {
  const { limits, f, suite } = settings;
  const n = settings.members.length;
  const genesis = genesisRegistry(settings);
  const base = { protocol, hash, domain };
  return {
    ...base,
    n,
    f,
    checkpointInterval: limits.checkpointInterval,
    pipelineFactor: limits.pipelineFactor,
    window: limits.checkpointInterval * limits.pipelineFactor,
    logEntriesMax: limits.logEntriesMax,
    genesis,
    genesisRegistryDigest: registryDigest(base, genesis),
    genesisNewView: genesisNewViewDigest(base),
    suite,
    authenticatorBytes: AUTHENTICATOR_BYTES[suite],
    primaryOf: (view) => view % n,
  };
}

/** What digests depend on. */
export type DigestContext = Pick<StreamContext, 'protocol' | 'hash' | 'domain'>;

/** Digest of the fixed NEW-VIEW that view 0 starts with: view 0, counter 0, empty base, no UI. */
export function genesisNewViewDigest(context: DigestContext): Digest {
  return finishDigest(
    context.hash,
    domainWriter(domainTag(context.protocol, 'GENESIS-NEW-VIEW'), context.domain),
  );
}

/** Digest of a registry, as CHECKPOINT carries it (`registryDigest`). */
export function registryDigest(context: DigestContext, registry: Registry): Digest {
  const writer = domainWriter(domainTag(context.protocol, 'REGISTRY'), context.domain);
  return finishDigest(context.hash, writer.bytes(encodeRegistry(registry)));
}

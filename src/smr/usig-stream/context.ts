/**
 * What the rules of the streams are parameterised by: the static configuration of one cluster (decision E5). Every
 * function of this folder is pure in (context, bytes, certified registry).
 */
import { Writer } from '../../core/codec.ts';
import { domainTag, domainWriter, finishDigest } from '../../core/domain.ts';
import type { Domain } from '../../core/domain.ts';
import type { ClusterSettings, Suite } from '../../core/config.ts';
import type { DecodeContext } from '../../core/protocol.ts';
import type { Digest, Hash, ReplicaId, View } from '../../core/types.ts';
import { encodeRegistry, genesisRegistry } from '../registry.ts';
import type { Registry } from '../registry.ts';
import type { SlotRules } from './slots.ts';

/** Everything that is hashed here; each has its own tag, so that no digest can be taken for another (decision B6). */
export const DIGEST_KINDS = [
  'PREPARE',
  'COMMIT',
  'CHECKPOINT',
  'VIEW-CHANGE-BODY',
  'VIEW-CHANGE',
  'NEW-VIEW',
  'COMMIT-NEW-VIEW',
  'REQUEST-VIEW-CHANGE',
  'BASE',
  'REGISTRY',
  'GENESIS-NEW-VIEW',
  'SPEC',
  'HISTORY',
  'COMMIT-VECTOR',
] as const;

/** Kind of a digest. */
export type DigestKind = (typeof DIGEST_KINDS)[number];

/** Kind of message by which a replica stands for a proposal that is not its own. */
export type VoteKind = 'COMMIT' | 'SPEC' | 'COMMIT-VECTOR';

/** Static configuration of the streams of one cluster. */
export interface StreamContext {
  /** Lower-case name of the protocol; part of every digest (decision B6). */
  readonly protocol: string;
  /** The only kind of vote that its messages may hold. */
  readonly vote: VoteKind;
  /** Rules of views with several owners; undefined: each view has one primary, who proposes everything. */
  readonly slots: SlotRules | undefined;
  readonly hash: Hash;
  readonly domain: Domain;
  /** What every digest of a kind starts with: tag, cluster, membership. */
  readonly prefixes: Readonly<Record<DigestKind, Uint8Array>>;
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

/** Contexts by settings: replicas, decoders and restarts of one process share them. */
const CONTEXTS = new WeakMap<ClusterSettings, StreamContext>();

/** The context of a cluster. Settings never change. */
export function createStreamContext(
  settings: ClusterSettings,
  hash: Hash,
  domain: Domain,
  protocol: string,
  vote: VoteKind = 'COMMIT',
  slots: SlotRules | undefined = undefined,
): StreamContext {
  const known = CONTEXTS.get(settings);
  const fits =
    known?.hash === hash &&
    known.protocol === protocol &&
    known.vote === vote &&
    known.slots === slots &&
    known.domain.clusterId === domain.clusterId &&
    known.domain.configurationVersion === domain.configurationVersion;
  if (fits) return known;
  const made = makeStreamContext(settings, hash, domain, protocol, vote, slots);
  CONTEXTS.set(settings, made);
  return made;
}

/** The contexts of one protocol, by decode context: they are derived from it once. */
export function streamContextsOf(
  protocol: string,
  vote: VoteKind,
  slots?: SlotRules,
): (context: DecodeContext) => StreamContext {
  const known = new WeakMap<DecodeContext, StreamContext>();
  return (context) => {
    const held = known.get(context);
    if (held !== undefined) return held;
    const { settings, hash, domain } = context;
    const made = createStreamContext(settings, hash, domain, protocol, vote, slots);
    known.set(context, made);
    return made;
  };
}

function makeStreamContext(
  settings: ClusterSettings,
  hash: Hash,
  domain: Domain,
  protocol: string,
  vote: VoteKind,
  slots: SlotRules | undefined,
): StreamContext {
  const { limits, f, suite } = settings;
  const n = settings.members.length;
  const genesis = genesisRegistry(settings);
  const prefixes = Object.fromEntries(
    DIGEST_KINDS.map((kind) => [kind, domainWriter(domainTag(protocol, kind), domain).finish()]),
  ) as Record<DigestKind, Uint8Array>;
  const base = { hash, prefixes };
  return {
    ...base,
    protocol,
    vote,
    slots,
    domain,
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
export type DigestContext = Pick<StreamContext, 'hash' | 'prefixes'>;

/** Digest of canonical content under its kind. */
export function digestOf(context: DigestContext, kind: DigestKind, content: Uint8Array): Digest {
  return finishDigest(context.hash, digestWriter(context, kind).raw(content));
}

/** A writer that holds what every digest of a kind starts with: add the content, then `finishDigest`. */
export function digestWriter(context: DigestContext, kind: DigestKind): Writer {
  return new Writer().raw(context.prefixes[kind]);
}

/** Digest of the fixed NEW-VIEW that view 0 starts with: view 0, counter 0, empty base, no UI. */
function genesisNewViewDigest(context: DigestContext): Digest {
  return digestOf(context, 'GENESIS-NEW-VIEW', new Uint8Array(0));
}

/** Digest of a registry, as CHECKPOINT carries it (`registryDigest`). */
export function registryDigest(context: DigestContext, registry: Registry): Digest {
  return digestOf(context, 'REGISTRY', encodeRegistry(registry));
}

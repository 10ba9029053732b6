/**
 * Messages of the fallback inside of those of CheapBFT. Its words of a counter are those of the label of this instance
 * and role, and its host signatures cover both, so that nothing of one instance counts in another.
 */
import type { ClusterSettings } from '../../core/config.ts';
import type { Domain } from '../../core/domain.ts';
import { domainTag, domainWriter, finishDigest } from '../../core/domain.ts';
import type { DecodeContext, ProtocolDefinition, Seal } from '../../core/protocol.ts';
import type { Digest, Hash } from '../../core/types.ts';
import type { Inner, Role } from './messages.ts';
import { objectWordOf, PROTOCOL_NAME } from './messages.ts';

/** Any protocol with one stream of counter values: what it says only it can read. */
export type FallbackDefinition = ProtocolDefinition<object>;

/** A message of the fallback, and what has to hold in it. */
export interface Carried {
  readonly message: object;
  readonly seals: readonly Seal[];
}

/** One order is enough to agree on a history, so no checkpoint ever comes; the window leaves room all the same. */
const SWITCH_LIMITS = { checkpointInterval: 64, pipelineFactor: 2 } as const;

const CONTEXTS = new WeakMap<ClusterSettings, DecodeContext>();
const CARRIED = new WeakMap<Inner, Carried>();

/** What the fallback is to know of the cluster in a role. */
export function contextFor(role: Role, context: DecodeContext): DecodeContext {
  if (role === 'order') return context;
  const { settings, domain, hash } = context;
  const known = CONTEXTS.get(settings);
  if (known?.domain === domain && known.hash === hash) return known;
  const made = { settings: { ...settings, limits: { ...settings.limits, ...SWITCH_LIMITS } }, domain, hash };
  CONTEXTS.set(settings, made);
  return made;
}

/** What a host signs for a digest of the fallback: it counts in one instance and role. */
export function boundDigest(
  hash: Hash,
  domain: Domain,
  { role, instance }: Pick<Inner, 'role' | 'instance'>,
  digest: Digest,
): Digest {
  return finishDigest(
    hash,
    domainWriter(domainTag(PROTOCOL_NAME, role), domain).u64(instance).digest(digest),
  );
}

/** The content that carries a message. */
export function wrapInner(
  fallback: FallbackDefinition,
  context: DecodeContext,
  where: Pick<Inner, 'role' | 'instance'>,
  message: object,
): Inner {
  const { role, instance } = where;
  const content: Inner = { kind: 'FALLBACK', instance, role, bytes: fallback.encode(message) };
  CARRIED.set(content, { message, seals: sealsOf(fallback, context, content, message) ?? [] });
  return content;
}

/** What a content carries, if it was made or read here. */
export function carriedBy(content: Inner): Carried | undefined {
  return CARRIED.get(content);
}

/** Reads what a content carries; false unless it is a message of the fallback that may come. */
export function readInner(fallback: FallbackDefinition, context: DecodeContext, content: Inner): boolean {
  const message = fallback.decode(content.bytes, contextFor(content.role, context));
  const seals = message && sealsOf(fallback, context, content, message);
  if (message === undefined || seals === undefined) return false;
  CARRIED.set(content, { message, seals });
  return true;
}

/** Rule F2: undefined for a message with evidence of a component in it. Components are those of genesis for ever. */
function sealsOf(
  fallback: FallbackDefinition,
  { hash, domain }: DecodeContext,
  { role, instance }: Inner,
  message: object,
): Seal[] | undefined {
  const seals: Seal[] = [];
  for (const seal of fallback.seals(message)) {
    if (seal.kind === 'evidence') return undefined;
    if (seal.kind === 'counter')
      seals.push({ kind: 'object', attestation: objectWordOf(seal.ui, role, instance), digest: seal.digest });
    else if (seal.kind === 'host')
      seals.push({ ...seal, digest: boundDigest(hash, domain, { role, instance }, seal.digest) });
    else seals.push(seal);
  }
  return seals;
}

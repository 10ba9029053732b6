/**
 * From what the store holds to a running state: snapshot, journal, re-execution, keys. Damage is found here and refused
 * with a sentence; nothing is guessed.
 */
import { decodeWhole, Writer } from '../core/codec.ts';
import type { ClusterSettings } from '../core/config.ts';
import { possessionChallenge, readRecover, recoverDigest, writeRecover } from '../core/request.ts';
import type { Batch, RecoverRequest } from '../core/request.ts';
import type { Digest, Hash, ReplicaId, SequenceNumber } from '../core/types.ts';
import type { CryptoPort } from '../crypto/port.ts';
import type { LedgerExecutor } from '../ledger/contract.ts';
import { genesisRegistry, registryOfState, trustedKeyOf } from '../smr/registry.ts';
import { encodeBundleOfEvidence } from '../trusted/attestation/bundle.ts';
import type { Endorsement } from '../trusted/attestation/bundle.ts';
import type { TrustedIdentity } from '../trusted/contract.ts';
import { bindDigestOf } from '../trusted/statement.ts';
import type { AppliedRecord, ExecutedRecord, JournalImage } from './image.ts';
import type { BlockPort, StoredImage, TrustedPort } from './ports.ts';
import { decodeSnapshotMeta } from './snapshot-meta.ts';
import type { OtherOwner } from './triage.ts';

/** What restoring needs. */
export interface RestoreParts {
  readonly self: ReplicaId;
  readonly settings: ClusterSettings;
  readonly crypto: CryptoPort;
  readonly executor: LedgerExecutor;
  readonly image: JournalImage;
  readonly blocks: BlockPort;
  readonly checkBatch: (bytes: Uint8Array) => Batch | undefined;
  /** Whether the protocol state is a registry of trusted components that can be renewed. */
  readonly hasRegistry: boolean;
  /** Executes or applies one step again, without telling anybody; false if it does not fit. */
  readonly replay: (step: ExecutedRecord | AppliedRecord, batch: Batch | undefined) => boolean;
}

/** Outcome: the sequence number of the snapshot that was found, or what is damaged. */
export type Restored =
  | { readonly kind: 'restored'; readonly snapshot: SequenceNumber }
  | { readonly kind: 'damaged'; readonly what: string };

const damaged = (what: string): Restored => ({ kind: 'damaged', what });

/** Restores executor, image and keys from the store. */
export function restoreStore(parts: RestoreParts, stored: StoredImage): Restored {
  const { executor, image, blocks } = parts;
  let snapshot = 0;
  if (stored.snapshot !== undefined) {
    const checkpoint = decodeSnapshotMeta(stored.snapshot.meta);
    if (checkpoint === undefined || !executor.install(checkpoint, stored.snapshot.chunk)) {
      return damaged('the stored snapshot does not have the digest that it was stored under');
    }
    snapshot = checkpoint.sequence;
  }
  for (const record of stored.journal) {
    if (!image.apply(record)) return damaged('the journal holds a record that cannot be read');
  }
  // Blocks above the snapshot are made again by the re-execution; some may come from a transfer that did not finish.
  blocks.truncateAbove(executor.height);
  const missing = reExecute(parts);
  if (missing !== undefined) return damaged(missing);
  image.coverThrough(snapshot);
  return trustKeys(parts)
    ? { kind: 'restored', snapshot }
    : damaged('the record of a renewed trusted component');
}

function reExecute(parts: RestoreParts): string | undefined {
  const { executor, image } = parts;
  image.coverThrough(executor.executed);
  for (const step of image.steps()) {
    const { sequence } = step;
    const body = 'batch' in step ? image.body(step.batch) : undefined;
    const batch = body === undefined ? undefined : parts.checkBatch(body);
    const isWhole = 'update' in step || batch?.digest === step.batch;
    if (sequence !== executor.executed + 1 || !isWhole)
      return `the body of executed batch ${sequence} is missing or damaged`;
    if (!parts.replay(step, batch)) return `the update of batch ${sequence} does not fit the state before it`;
  }
  return undefined;
}

/** Keys of genesis, of the registry that was executed, and of a component that waits for its RECOVER. */
function trustKeys(parts: RestoreParts): boolean {
  const { settings, executor, crypto, image } = parts;
  if (!parts.hasRegistry) {
    for (const { id: replica, trusted } of settings.members) crypto.verifier.trust({ replica, ...trusted });
    return true;
  }
  const executed = registryOfState(executor.protocolState, settings.members.length);
  for (const registry of executed === undefined
    ? [genesisRegistry(settings)]
    : [genesisRegistry(settings), executed]) {
    registry.members.forEach((entries, replica) => {
      for (const entry of entries) crypto.verifier.trust(trustedKeyOf(replica, entry));
    });
  }
  if (image.recover === undefined) return true;
  const request = decodeWhole(image.recover, readRecover);
  if (request === undefined) return false;
  const { replica, tcEpoch, tcId, tcPublicKey: publicKey } = request;
  crypto.verifier.trust({ replica, tcEpoch, tcId, publicKey });
  return true;
}

/**
 * The other replica that genesis or the executed registry names for this component, and whether `self` expects it, too;
 * undefined if it is nobody else's. A used key stays its replica's for ever, so retired entries count.
 */
export function otherOwnerOf(
  self: ReplicaId,
  settings: ClusterSettings,
  executor: Pick<LedgerExecutor, 'protocolState'>,
  image: { readonly recover?: Uint8Array | undefined },
  identity: TrustedIdentity,
): OtherOwner | undefined {
  // Before anything was executed the registry is that of genesis: folders mixed up at the first start are found, too.
  const { members } =
    registryOfState(executor.protocolState, settings.members.length) ?? genesisRegistry(settings);
  // By its id, which follows from its key, or with the HMAC suite from its replica; a tcEpoch anybody may claim.
  const names = ({ tcId }: { readonly tcId: string }): boolean => tcId === identity.tcId;
  const replica = members.findIndex((entries, id) => id !== self && entries.some(names));
  if (replica < 0) return undefined;
  const pending = image.recover === undefined ? undefined : decodeWhole(image.recover, readRecover);
  return { replica, isExpectedHere: members[self]!.some(names) || (pending !== undefined && names(pending)) };
}

/** Who asks for what: what a RECOVER is made from. */
export interface RecoverParts {
  readonly self: ReplicaId;
  readonly settings: ClusterSettings;
  readonly hash: Hash;
  readonly sign: (digest: Digest) => Uint8Array;
  readonly trusted: Pick<TrustedPort, 'footprint' | 'endorsements'>;
}

/** What a component is asked to attest before its replica asks for it by RECOVER. */
export function recoverChallengeFor(parts: RecoverParts, identity: TrustedIdentity): Digest {
  const { tcEpoch, tcId, publicKey: tcPublicKey } = identity;
  return possessionChallenge(parts.hash, parts.settings, { replica: parts.self, tcEpoch, tcId, tcPublicKey });
}

/** What others must vouch for in that RECOVER: key and challenge as one digest. */
function recoverBindFor(parts: RecoverParts, identity: TrustedIdentity): Digest {
  const { suite, tcId, tcEpoch, publicKey } = identity;
  const challenge = recoverChallengeFor(parts, identity);
  return bindDigestOf(parts.hash, { suite, tcId, tcEpoch, publicKey, challenge });
}

/** Whether the attestation policy asks for somebody else's word about the component of this replica. */
export function needsEndorsement({ self, settings, trusted }: RecoverParts): boolean {
  const footprint = trusted.footprint ?? settings.members[self]!.trusted.footprint;
  const allowed = settings.attestation?.footprints.find(({ name }) => name === footprint);
  return allowed !== undefined && allowed.endorsedBy.length > 0;
}

/** The RECOVER request for a component with what it attested, signed with the host key. */
export function recoverRequestFor(
  parts: RecoverParts,
  identity: TrustedIdentity,
  possession: Uint8Array,
  endorsements: readonly Endorsement[] = [],
): RecoverRequest {
  const { self, settings, hash, sign, trusted } = parts;
  const { tcId, tcEpoch, publicKey, measurement } = identity;
  const others = trusted.endorsements?.(recoverBindFor(parts, identity)) ?? [];
  const content = {
    replica: self,
    // A first guess; the protocol asks again with the incarnation that it finds in the newest state (rule 10).
    expectedIncarnation: 0,
    tcEpoch,
    tcId,
    tcPublicKey: publicKey,
    measurement,
    footprint: trusted.footprint ?? settings.members[self]!.trusted.footprint,
    evidence: encodeBundleOfEvidence({ possession, endorsements: [...endorsements, ...others] }),
  };
  return { ...content, signature: sign(recoverDigest(hash, settings, content)) };
}

/** Bytes of a RECOVER, as the journal keeps them. */
export function encodeRecover(request: RecoverRequest): Uint8Array {
  const writer = new Writer(1024);
  writeRecover(writer, request);
  return writer.finish();
}

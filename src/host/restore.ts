/**
 * From what the store holds to a running state: snapshot, journal, re-execution, keys. Damage is found here and refused
 * with a sentence; nothing is guessed.
 */
import { digestToBytes } from '../core/bytes.ts';
import { decodeWhole, Writer } from '../core/codec.ts';
import type { ClusterSettings } from '../core/config.ts';
import type { Domain } from '../core/domain.ts';
import { readRecover, recoverDigest, writeRecover } from '../core/request.ts';
import type { Batch } from '../core/request.ts';
import type { Hash, ReplicaId, SequenceNumber } from '../core/types.ts';
import type { CryptoPort } from '../crypto/port.ts';
import type { LedgerExecutor } from '../ledger/contract.ts';
import { decodeRegistry, genesisRegistry, trustedKeyOf } from '../smr/registry.ts';
import type { TrustedIdentity } from '../trusted/contract.ts';
import type { JournalImage } from './image.ts';
import type { BlockPort, StoredImage } from './ports.ts';
import { decodeSnapshotMeta } from './snapshot-meta.ts';

/** What restoring needs. */
export interface RestoreParts {
  readonly self: ReplicaId;
  readonly settings: ClusterSettings;
  readonly crypto: CryptoPort;
  readonly executor: LedgerExecutor;
  readonly image: JournalImage;
  readonly blocks: BlockPort;
  readonly checkBatch: (bytes: Uint8Array) => Batch | undefined;
  /** Executes one batch again, without telling anybody. */
  readonly replay: (sequence: SequenceNumber, batch: Batch, protocolState: Uint8Array) => void;
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
  image.executed = image.executed.filter((record) => record.sequence > executor.executed);
  for (const record of image.executed) {
    const body = image.body(record.batch);
    const batch = body === undefined ? undefined : parts.checkBatch(body);
    if (record.sequence !== executor.executed + 1 || batch?.digest !== record.batch) {
      return `the body of executed batch ${record.sequence} is missing or damaged`;
    }
    parts.replay(record.sequence, batch, record.protocolState ?? executor.protocolState);
  }
  return undefined;
}

/** Keys of genesis, of the registry that was executed, and of a component that waits for its RECOVER. */
function trustKeys(parts: RestoreParts): boolean {
  const { settings, executor, crypto, image } = parts;
  const executed = decodeRegistry(executor.protocolState, settings.members.length);
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

/** Whether the executed registry binds this component to another replica. */
export function isTakenByAnother(
  self: ReplicaId,
  settings: ClusterSettings,
  executor: Pick<LedgerExecutor, 'protocolState'>,
  identity: TrustedIdentity,
): boolean {
  // Before anything was executed the registry is that of genesis: folders mixed up at the first start are found, too.
  const registry =
    decodeRegistry(executor.protocolState, settings.members.length) ?? genesisRegistry(settings);
  return registry.members.some(
    (entries, replica) =>
      replica !== self &&
      entries.some(
        (entry) =>
          entry.tcEpoch === identity.tcEpoch ||
          (entry.publicKey !== '' && entry.publicKey === identity.publicKey),
      ),
  );
}

/** The RECOVER request of a renewed component, signed with the host key. */
export function recoverRequestFor(
  self: ReplicaId,
  crypto: { readonly hash: Hash; readonly hostSigner: Pick<CryptoPort['hostSigner'], 'sign'> },
  domain: Domain,
  identity: TrustedIdentity,
): Uint8Array {
  const content = {
    replica: self,
    // A first guess; the protocol asks again with the incarnation that it finds in the newest state (rule 10).
    expectedIncarnation: 0,
    tcEpoch: identity.tcEpoch,
    tcId: identity.tcId,
    tcPublicKey: identity.publicKey,
    // Of a process footprint the measurement is all there is; hardware footprints carry their quote here.
    evidence: digestToBytes(identity.measurement),
  };
  const signature = crypto.hostSigner.sign(recoverDigest(crypto.hash, domain, content));
  const writer = new Writer(512);
  writeRecover(writer, { ...content, signature });
  return writer.finish();
}

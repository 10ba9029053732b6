/** Records in the durable map of a replica (W1, W4): keys, and their bytes. Read back only by this program. */
import { Reader, Writer } from '../../core/codec.ts';
import { finishPiece } from '../../core/pieces.ts';
import type { CounterValue, Digest, SequenceNumber } from '../../core/types.ts';
import { decodeMessage, encodeMessage } from '../usig-stream/codec.ts';
import type { StreamContext } from '../usig-stream/context.ts';
import type {
  Checkpoint,
  CheckpointCertificate,
  UsigMessage,
  NewViewProof,
  RegistryLink,
  RequestViewChange,
  ViewChange,
} from '../usig-stream/messages.ts';
import type { Boundary } from './state.ts';

/** Keys, or prefixes of keys. Bodies live where the host answers for them. */
export const STORE_KEY = {
  body: 'body/',
  /** Which seals of a stored body do not hold; only where one does not. */
  bodyFlags: 'body-flags/',
  newView: 'new-view/',
  /** VIEW-CHANGEs that an own NEW-VIEW quotes, by the digest of its header. */
  ownNewView: 'own-new-view/',
  why: 'why',
  stable: 'stable',
  /** Certificate of the state that is being fetched: without it an installed state could be served to nobody. */
  fetched: 'fetched',
  last: 'last',
  /** What `last` will say when the boundary that is being executed is: it may survive where `last` does not. */
  next: 'next',
  link: 'link/',
} as const;

const MESSAGE_BYTES_MAX = 256 * 1024 * 1024;

/** Record of the latest stable checkpoint (W4). */
export interface StableRecord {
  readonly certificate: CheckpointCertificate;
  /** Counter of the own CHECKPOINT where the own log starts; 0: it starts at counter 1. */
  readonly anchor: CounterValue;
  readonly vouchers: readonly Checkpoint[];
}

function writeMessage(writer: Writer, message: UsigMessage): void {
  writer.bytes(encodeMessage(message));
}

function readMessage<K extends UsigMessage['kind']>(
  context: StreamContext,
  reader: Reader,
  kind: K,
): Extract<UsigMessage, { kind: K }> | undefined {
  const message = decodeMessage(context, reader.bytes(MESSAGE_BYTES_MAX));
  if (message?.kind !== kind) {
    reader.fail();
    return undefined;
  }
  return message as Extract<UsigMessage, { kind: K }>;
}

/** Bytes of the stable record. */
export function encodeStable(record: StableRecord): Uint8Array {
  const writer = new Writer(4096).u64(record.anchor);
  writeMessage(writer, { kind: 'CHECKPOINT-PROOF', certificate: record.certificate, links: [] });
  return finishPiece(writer.list(record.vouchers, writeMessage));
}

/** The stable record; undefined if damaged. */
export function decodeStable(context: StreamContext, bytes: Uint8Array): StableRecord | undefined {
  const reader = new Reader(bytes);
  const anchor = reader.u64();
  const proof = readMessage(context, reader, 'CHECKPOINT-PROOF');
  const vouchers = reader.list(context.n, (r) => readMessage(context, r, 'CHECKPOINT'));
  if (!reader.done() || proof === undefined) return undefined;
  return { certificate: proof.certificate, anchor, vouchers: vouchers.filter((one) => one !== undefined) };
}

/** Bytes of a certificate. */
export function encodeCertificate(certificate: CheckpointCertificate): Uint8Array {
  return encodeMessage({ kind: 'CHECKPOINT-PROOF', certificate, links: [] });
}

/** A certificate; undefined if damaged. */
export function decodeCertificate(
  context: StreamContext,
  bytes: Uint8Array,
): CheckpointCertificate | undefined {
  const message = decodeMessage(context, bytes);
  return message?.kind === 'CHECKPOINT-PROOF' ? message.certificate : undefined;
}

/** Bytes of a link of the chain of incarnations. */
export function encodeLink(link: RegistryLink): Uint8Array {
  return encodeMessage({ kind: 'CHECKPOINT-PROOF', certificate: link.certificate, links: [link] });
}

/** A link; undefined if damaged. */
export function decodeLink(context: StreamContext, bytes: Uint8Array): RegistryLink | undefined {
  const message = decodeMessage(context, bytes);
  return message?.kind === 'CHECKPOINT-PROOF' ? message.links[0] : undefined;
}

/** Bytes of what justified a VIEW-CHANGE (rvcProof). */
export function encodeWhy(justification: readonly RequestViewChange[]): Uint8Array {
  return finishPiece(new Writer(1024).list(justification, writeMessage));
}

/** The justification; empty if damaged: it is not part of the validity of the VIEW-CHANGE. */
export function decodeWhy(context: StreamContext, bytes: Uint8Array): RequestViewChange[] {
  const reader = new Reader(bytes);
  const list = reader.list(context.n, (r) => readMessage(context, r, 'REQUEST-VIEW-CHANGE'));
  return reader.done() ? list.filter((one) => one !== undefined) : [];
}

/** Bytes of the VIEW-CHANGEs that an own NEW-VIEW quotes. */
export function encodeViewChanges(viewChanges: readonly ViewChange[]): Uint8Array {
  return finishPiece(new Writer(4096).list(viewChanges, writeMessage));
}

/** What `encodeViewChanges` wrote; undefined if damaged. */
export function decodeViewChanges(context: StreamContext, bytes: Uint8Array): ViewChange[] | undefined {
  const reader = new Reader(bytes);
  const list = reader.list(context.n, (r) => readMessage(context, r, 'VIEW-CHANGE'));
  return reader.done() ? list.filter((one) => one !== undefined) : undefined;
}

/** Bytes of the view and primary counter of the entry at a boundary, which a later CHECKPOINT must name. */
export function encodeLast(sequence: SequenceNumber, boundary: Boundary): Uint8Array {
  const { last, registryDigest, checkpoint } = boundary;
  const writer = new Writer(128).u64(sequence).u64(last.view).u64(last.primaryCounter);
  return finishPiece(writer.digest(registryDigest).digest(checkpoint.stateDigest));
}

/** What `encodeLast` wrote; undefined if damaged. */
export function decodeLast(bytes: Uint8Array): Boundary | undefined {
  const reader = new Reader(bytes);
  const sequence = reader.u64();
  const last = { view: reader.u64(), primaryCounter: reader.u64() };
  const registryDigest = reader.digest();
  const stateDigest = reader.digest();
  return reader.done() ? { checkpoint: { sequence, stateDigest }, last, registryDigest } : undefined;
}

/** A NEW-VIEW's content as stored; undefined if damaged. */
export function decodeProof(context: StreamContext, bytes: Uint8Array): NewViewProof | undefined {
  const message = decodeMessage(context, bytes);
  return message?.kind === 'NEW-VIEW' || message?.kind === 'NEW-VIEW-CERTIFICATE' ? message : undefined;
}

/** Bytes of the seals of a body that do not hold: their positions, bundles first. */
export function encodeFlags(bundles: readonly boolean[], recovers: readonly boolean[]): Uint8Array {
  const write = (writer: Writer, flag: boolean): unknown => writer.bool(flag);
  return new Writer(64).list(bundles, write).list(recovers, write).finish();
}

/** What `encodeFlags` wrote; undefined if damaged. */
export function decodeFlags(bytes: Uint8Array): { bundles: boolean[]; recovers: boolean[] } | undefined {
  const reader = new Reader(bytes);
  const bundles = reader.list(1 << 20, (r) => r.bool());
  const recovers = reader.list(1 << 20, (r) => r.bool());
  return reader.done() ? { bundles, recovers } : undefined;
}

/** The digest in a key such as `body/<digest>`. */
export function digestOfKey(key: string, prefix: string): Digest | undefined {
  return key.startsWith(prefix) ? (key.slice(prefix.length) as Digest) : undefined;
}

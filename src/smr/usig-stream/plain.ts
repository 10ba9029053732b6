/** Canonical bytes of the messages that hold no counter seal of their own. */
import { Writer } from '../../core/codec.ts';
import type { Reader } from '../../core/codec.ts';
import { finishPiece } from '../../core/pieces.ts';
import { readRecover, recoverDigest } from '../../core/request.ts';
import type { StreamContext } from './context.ts';
import type {
  CheckpointProof,
  FetchLinks,
  FetchNewView,
  UsigMessage,
  Recover,
  RegistryLink,
  ResendRequest,
  Status,
  StreamBatch,
  StreamSync,
} from './messages.ts';
import {
  KIND,
  readCertificate,
  readCheckpoint,
  readCheckpoints,
  readKind,
  readPositions,
  readReplica,
  readVote,
  writeCertificate,
  writePosition,
} from './wire.ts';

/** Links in one CHECKPOINT-PROOF, at most. */
export const LINKS_MAX = 64;
/** Votes in one STREAM-BATCH, at most. */
export const STREAM_BATCH_MAX = 256;
/** Bytes of an encoded registry, at most. */
const REGISTRY_BYTES_MAX = 4 * 1024 * 1024;

/** Messages that are encoded when they are sent. */
export type PlainMessage = Exclude<UsigMessage, { readonly bytes: Uint8Array }>;

/** Bytes of a plain message. */
export function encodePlain(message: PlainMessage): Uint8Array {
  const writer = new Writer(256).u8(KIND[message.kind]);
  switch (message.kind) {
    case 'STATUS':
      writer.u64(message.view).bool(message.changing).u64(message.executed).u64(message.stable);
      writer.list(message.streams, writePosition).u64(message.committedView);
      break;
    case 'RESEND-REQUEST':
      writer.u32(message.author).u32(message.incarnation).u64(message.counter);
      break;
    case 'STREAM-SYNC':
      writer.u32(message.author).raw(message.anchor.bytes);
      writer.list(message.vouchers, (w, voucher) => w.raw(voucher.bytes));
      break;
    case 'CHECKPOINT-PROOF':
      writeCertificate(writer, message.certificate);
      writer.list(message.links, writeLink);
      break;
    case 'FETCH-LINKS':
      writer.u64(message.above);
      break;
    case 'FETCH-NEW-VIEW':
      writer.u64(message.view).digest(message.digest);
      break;
    case 'STREAM-BATCH':
      writer.list(message.votes, (w, vote) => w.raw(vote.bytes));
      break;
  }
  return finishPiece(writer);
}

/** Writes a link of the chain of incarnations. */
function writeLink(writer: Writer, link: RegistryLink): void {
  writeCertificate(writer, link.certificate);
  writer.bytes(link.registry);
}

/** Reads what `writeLink` wrote. */
function readLink(context: StreamContext, reader: Reader): RegistryLink {
  return { certificate: readCertificate(context, reader), registry: reader.bytes(REGISTRY_BYTES_MAX) };
}

/** Reads a RECOVER or a plain message. */
export function readPlain(context: StreamContext, reader: Reader): PlainMessage | Recover | undefined {
  switch (reader.peek()) {
    case KIND.RECOVER:
      return readRecoverMessage(context, reader);
    case KIND.STATUS:
      return readStatus(context, reader);
    case KIND['RESEND-REQUEST']:
      return readResendRequest(context, reader);
    case KIND['STREAM-SYNC']:
      return readStreamSync(context, reader);
    case KIND['CHECKPOINT-PROOF']:
      return readCheckpointProof(context, reader);
    case KIND['FETCH-LINKS']:
      return readFetchLinks(reader);
    case KIND['FETCH-NEW-VIEW']:
      return readFetchNewView(reader);
    case KIND['STREAM-BATCH']:
      return readStreamBatch(context, reader);
    default:
      reader.fail();
      return undefined;
  }
}

function readRecoverMessage(context: StreamContext, reader: Reader): Recover {
  const start = reader.position;
  readKind(reader, KIND.RECOVER);
  const request = readRecover(reader);
  if (request.replica >= context.n) reader.fail();
  const bytes = reader.since(start);
  const digest = recoverDigest(context.hash, context.domain, request);
  return { kind: 'RECOVER', request, digest, bytes };
}

function readStatus(context: StreamContext, reader: Reader): Status {
  readKind(reader, KIND.STATUS);
  const view = reader.u64();
  const changing = reader.bool();
  const executed = reader.u64();
  const stable = reader.u64();
  const streams = readPositions(context, reader);
  return { kind: 'STATUS', view, changing, executed, stable, streams, committedView: reader.u64() };
}

function readResendRequest(context: StreamContext, reader: Reader): ResendRequest {
  readKind(reader, KIND['RESEND-REQUEST']);
  const author = readReplica(context, reader);
  const incarnation = reader.u32();
  return { kind: 'RESEND-REQUEST', author, incarnation, counter: reader.u64() };
}

function readStreamSync(context: StreamContext, reader: Reader): StreamSync {
  readKind(reader, KIND['STREAM-SYNC']);
  const author = readReplica(context, reader);
  const anchor = readCheckpoint(context, reader);
  return { kind: 'STREAM-SYNC', author, anchor, vouchers: readCheckpoints(context, reader) };
}

function readCheckpointProof(context: StreamContext, reader: Reader): CheckpointProof {
  readKind(reader, KIND['CHECKPOINT-PROOF']);
  const certificate = readCertificate(context, reader);
  const links = reader.list(LINKS_MAX, (r) => readLink(context, r));
  return { kind: 'CHECKPOINT-PROOF', certificate, links };
}

function readFetchLinks(reader: Reader): FetchLinks {
  readKind(reader, KIND['FETCH-LINKS']);
  return { kind: 'FETCH-LINKS', above: reader.u64() };
}

function readStreamBatch(context: StreamContext, reader: Reader): StreamBatch {
  readKind(reader, KIND['STREAM-BATCH']);
  return { kind: 'STREAM-BATCH', votes: reader.list(STREAM_BATCH_MAX, (r) => readVote(context, r)) };
}

function readFetchNewView(reader: Reader): FetchNewView {
  readKind(reader, KIND['FETCH-NEW-VIEW']);
  const view = reader.u64();
  return { kind: 'FETCH-NEW-VIEW', view, digest: reader.digest() };
}

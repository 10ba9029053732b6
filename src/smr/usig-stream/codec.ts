/**
 * Canonical bytes of drafts and messages. Decoding recomputes every digest, so a decoded message's digest always fits
 * its content; whether the seals hold is for verification to say.
 */
import { decodeWhole, Writer } from '../../core/codec.ts';
import type { Reader } from '../../core/codec.ts';
import { finishPiece } from '../../core/pieces.ts';
import type { UniqueIdentifier } from '../../core/protocol.ts';
import type { Digest } from '../../core/types.ts';
import { digestOf } from './context.ts';
import type { StreamContext } from './context.ts';
import type {
  Checkpoint,
  CheckpointContent,
  Commit,
  CommitContent,
  CommitNewView,
  CommitNewViewContent,
  Draft,
  UsigMessage,
  NewViewHeader,
  NewViewHeaderContent,
  NewViewProof,
  Prepare,
  PrepareContent,
  RequestViewChange,
  Spec,
  SpecContent,
  ViewChange,
  ViewChangeContent,
  Vote,
} from './messages.ts';
import {
  decodeNested,
  makeViewChange,
  readNewViewCertificate,
  readRequestViewChange,
  readViewChangeContent,
  writeViewChangeContent,
} from './nested.ts';
import { encodePlain, readPlain } from './plain.ts';
import {
  commitNewViewDigest,
  KIND,
  normalNewViewContent,
  readCheckpointContent,
  readCommitNewViewContent,
  readLogEntry,
  readNewViewContent,
  readPrepareContent,
  readVoteContent,
  recoverDigestsOf,
  viewChangeDigest,
  voteDigest,
  writeCheckpointContent,
  writeCommitNewViewContent,
  writeNewViewContent,
  writePrepareContent,
  writeUi,
  writeVoteContent,
} from './wire.ts';

/** A sealed message as it is right after sealing. A NEW-VIEW is its header; `fullNewView` adds the VIEW-CHANGEs. */
export type Sealed = Prepare | Vote | Checkpoint | NewViewHeader | CommitNewView | ViewChange;

/** What travels with a VIEW-CHANGE outside its UI. */
export interface Attachments {
  readonly newViews: readonly NewViewProof[];
  readonly justification: readonly RequestViewChange[];
}

const NO_ATTACHMENTS: Attachments = { newViews: [], justification: [] };

/** A draft in the form that goes to the trusted component and to the disk. */
export interface EncodedDraft {
  /** What the UI certifies. */
  readonly digest: Digest;
  /** Canonical bytes, to be stored with the intent. */
  readonly bytes: Uint8Array;
}

function draftBytes(draft: Draft): Uint8Array {
  const writer = new Writer(512);
  switch (draft.kind) {
    case 'PREPARE':
      writePrepareContent(writer, draft);
      break;
    case 'COMMIT':
    case 'SPEC':
    case 'COMMIT-VECTOR':
      writeVoteContent(writer, draft);
      break;
    case 'CHECKPOINT':
      writeCheckpointContent(writer, draft);
      break;
    case 'NEW-VIEW-HEADER':
      writeNewViewContent(writer, draft);
      break;
    case 'COMMIT-NEW-VIEW':
      writeCommitNewViewContent(writer, draft);
      break;
    case 'VIEW-CHANGE':
      writeViewChangeContent(writer, draft);
      break;
  }
  return finishPiece(writer);
}

function draftDigest(context: StreamContext, draft: Draft, bytes: Uint8Array): Digest {
  switch (draft.kind) {
    case 'PREPARE':
    case 'CHECKPOINT':
      return digestOf(context, draft.kind, bytes);
    case 'NEW-VIEW-HEADER':
      return digestOf(context, 'NEW-VIEW', bytes);
    case 'COMMIT':
    case 'SPEC':
    case 'COMMIT-VECTOR':
      return voteDigest(context, draft);
    case 'COMMIT-NEW-VIEW':
      return commitNewViewDigest(context, draft);
    case 'VIEW-CHANGE':
      return viewChangeDigest(context, draft);
  }
}

/** Digest that the UI certifies, and the canonical bytes that are stored with the intent. */
export function encodeDraft(context: StreamContext, draft: Draft): EncodedDraft {
  const bytes = draftBytes(draft);
  return { digest: draftDigest(context, draft, bytes), bytes };
}

/** The draft that `encodeDraft` gave these bytes for; undefined unless canonical. */
export function decodeDraft(context: StreamContext, bytes: Uint8Array): Draft | undefined {
  return decodeWhole(bytes, (reader): Draft => {
    switch (reader.peek()) {
      case KIND[context.vote]:
        return readVoteContent(context, reader);
      case KIND.CHECKPOINT:
        return readCheckpointContent(context, reader);
      case KIND['NEW-VIEW-HEADER']:
        return readNewViewContent(context, reader);
      case KIND['COMMIT-NEW-VIEW']:
        return readCommitNewViewContent(context, reader);
      case KIND['VIEW-CHANGE']:
        return readViewChangeContent(context, reader);
      default:
        return readPrepareContent(context, reader);
    }
  });
}

/**
 * The sealed message of a draft. `attachments` matters for a VIEW-CHANGE alone. A draft completed with an empty
 * authenticator is good for `stepStream` (looking before sealing), never for the wire. `encoded`: what `encodeDraft`
 * gave for this draft, if that is at hand.
 */
export function completeDraft(context: StreamContext, draft: PrepareContent, ui: UniqueIdentifier): Prepare;
export function completeDraft(context: StreamContext, draft: CommitContent, ui: UniqueIdentifier): Commit;
export function completeDraft(context: StreamContext, draft: SpecContent, ui: UniqueIdentifier): Spec;
export function completeDraft(
  context: StreamContext,
  draft: CheckpointContent,
  ui: UniqueIdentifier,
): Checkpoint;
export function completeDraft(
  context: StreamContext,
  draft: NewViewHeaderContent,
  ui: UniqueIdentifier,
): NewViewHeader;
export function completeDraft(
  context: StreamContext,
  draft: CommitNewViewContent,
  ui: UniqueIdentifier,
): CommitNewView;
export function completeDraft(
  context: StreamContext,
  draft: ViewChangeContent,
  ui: UniqueIdentifier,
  attachments?: Attachments,
): ViewChange;
export function completeDraft(
  context: StreamContext,
  draft: Draft,
  ui: UniqueIdentifier,
  attachments?: Attachments,
  encoded?: EncodedDraft,
): Sealed;
export function completeDraft(
  context: StreamContext,
  draft: Draft,
  ui: UniqueIdentifier,
  attachments: Attachments = NO_ATTACHMENTS,
  encoded?: EncodedDraft,
): Sealed {
  if (draft.kind === 'VIEW-CHANGE')
    return makeViewChange({ ...draft, ...attachments, ui, digest: viewChangeDigest(context, draft) });
  const { digest, bytes: content } = encoded ?? encodeDraft(context, draft);
  const bytes = finishPiece(writeUi(new Writer().raw(content), ui));
  return withSeal(context, draft, ui, digest, bytes);
}

/**
 * The message that a draft would become: good for `stepStream` (looking before sealing), never for the wire, since it
 * has no authenticator and its bytes are those of the draft.
 */
export function previewDraft(
  context: StreamContext,
  draft: Draft,
  encoded: EncodedDraft,
  ui: UniqueIdentifier,
  attachments: Attachments = NO_ATTACHMENTS,
): Sealed {
  if (draft.kind === 'VIEW-CHANGE') return completeDraft(context, draft, ui, attachments);
  return withSeal(context, draft, ui, encoded.digest, encoded.bytes);
}

function withSeal(
  context: StreamContext,
  draft: Exclude<Draft, ViewChangeContent>,
  ui: UniqueIdentifier,
  digest: Digest,
  bytes: Uint8Array,
): Exclude<Sealed, ViewChange> {
  switch (draft.kind) {
    case 'PREPARE':
      return { ...draft, ui, digest, bytes, recoverDigests: recoverDigestsOf(context, draft) };
    case 'COMMIT':
    case 'SPEC':
    case 'COMMIT-VECTOR':
      return { ...draft, ui, digest, bytes };
    case 'CHECKPOINT':
      return { ...draft, ui, digest, bytes };
    case 'NEW-VIEW-HEADER':
      return { ...normalNewViewContent(draft), ui, digest, bytes };
    case 'COMMIT-NEW-VIEW':
      return { ...draft, ui, digest, bytes };
  }
}

/** Bytes of a message for a link. */
export function encodeMessage(message: UsigMessage): Uint8Array {
  return 'bytes' in message ? message.bytes : encodePlain(message);
}

/**
 * The message, or undefined if the bytes are not exactly one canonical, bounded message. The message keeps views into
 * `bytes`, which must not change any more.
 */
export function decodeMessage(context: StreamContext, bytes: Uint8Array): UsigMessage | undefined {
  const kind = bytes[0];
  if (kind === KIND['VIEW-CHANGE'] || kind === KIND['NEW-VIEW']) return decodeNested(context, bytes);
  return decodeWhole(bytes, (reader) => readMessage(context, reader));
}

function readMessage(context: StreamContext, reader: Reader): UsigMessage | undefined {
  switch (reader.peek()) {
    case KIND.PREPARE:
    case KIND[context.vote]:
    case KIND.CHECKPOINT:
    case KIND['COMMIT-NEW-VIEW']: {
      const entry = readLogEntry(context, reader);
      return entry.kind === 'VIEW-CHANGE-STUB' || entry.kind === 'NEW-VIEW-HEADER' ? undefined : entry;
    }
    case KIND['NEW-VIEW-CERTIFICATE']:
      return readNewViewCertificate(context, reader);
    case KIND['REQUEST-VIEW-CHANGE']:
      return readRequestViewChange(context, reader);
    default:
      return readPlain(context, reader);
  }
}

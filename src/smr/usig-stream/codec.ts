/**
 * Canonical bytes of drafts and messages.
 */
import type { UniqueIdentifier } from '../../core/protocol.ts';
import type { Digest } from '../../core/types.ts';
import type { StreamContext } from './context.ts';
import type {
  Checkpoint,
  CheckpointContent,
  Commit,
  CommitContent,
  CommitNewView,
  CommitNewViewContent,
  Draft,
  MinbftMessage,
  NewViewHeader,
  NewViewHeaderContent,
  NewViewProof,
  Prepare,
  PrepareContent,
  RequestViewChange,
  ViewChange,
  ViewChangeContent,
} from './messages.ts';

/** A sealed message as it is right after sealing. A NEW-VIEW is its header; `fullNewView` adds the VIEW-CHANGEs. */
export type Sealed = Prepare | Commit | Checkpoint | NewViewHeader | CommitNewView | ViewChange;

/** What travels with a VIEW-CHANGE outside its UI. */
export interface Attachments {
  readonly newViews: readonly NewViewProof[];
  readonly justification: readonly RequestViewChange[];
}

/** Digest that the UI certifies, and the canonical bytes that are stored with the intent. */
export function encodeDraft(
  context: StreamContext,
  draft: Draft,
): { readonly digest: Digest; readonly bytes: Uint8Array } {
  throw new Error(`pending ${context.n} ${draft.kind}`);
}

/** The draft that `encodeDraft` gave these bytes for; undefined unless canonical. */
export function decodeDraft(context: StreamContext, bytes: Uint8Array): Draft | undefined {
  throw new Error(`pending ${context.n} ${bytes.length}`);
}

/** The sealed message of a draft. `attachments` matters for a VIEW-CHANGE alone. */
export function completeDraft(context: StreamContext, draft: PrepareContent, ui: UniqueIdentifier): Prepare;
export function completeDraft(context: StreamContext, draft: CommitContent, ui: UniqueIdentifier): Commit;
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
): Sealed;
export function completeDraft(
  context: StreamContext,
  draft: Draft,
  ui: UniqueIdentifier,
  attachments?: Attachments,
): Sealed {
  throw new Error(`pending ${context.n} ${draft.kind} ${ui.counter} ${attachments?.newViews.length}`);
}

/** Bytes of a message for a link. */
export function encodeMessage(message: MinbftMessage): Uint8Array {
  throw new Error(`pending ${message.kind}`);
}

/** The message, or undefined if the bytes are not exactly one canonical, bounded message. */
export function decodeMessage(context: StreamContext, bytes: Uint8Array): MinbftMessage | undefined {
  throw new Error(`pending ${context.n} ${bytes.length}`);
}

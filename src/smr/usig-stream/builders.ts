/** Makes the messages that no trusted counter seals, and the contents that hold a computed digest. */
import { assert } from '../../core/assert.ts';
import { Writer } from '../../core/codec.ts';
import { finishPiece } from '../../core/pieces.ts';
import { recoverDigest, writeRecover } from '../../core/request.ts';
import type { RecoverRequest } from '../../core/request.ts';
import type { ReplicaId, View } from '../../core/types.ts';
import type { StreamContext } from './context.ts';
import type {
  CommitNewView,
  FullNewView,
  NewViewCertificate,
  NewViewHeader,
  Prepare,
  Recover,
  RequestViewChange,
  ViewChange,
  ViewChangeContent,
  ViewChangeStub,
} from './messages.ts';
import {
  encodeNewViewCertificate,
  makeFullNewView,
  requestViewChangeDigest,
  viewChangeBodyDigest,
} from './nested.ts';
import { KIND } from './wire.ts';

export { requestViewChangeDigest };

/** A signed wish to leave the view; `signature` (64 bytes) covers `requestViewChangeDigest`. */
export function requestViewChange(
  context: StreamContext,
  replica: ReplicaId,
  target: View,
  signature: Uint8Array,
): RequestViewChange {
  const digest = requestViewChangeDigest(context, replica, target);
  const writer = new Writer(80).u8(KIND['REQUEST-VIEW-CHANGE']).u32(replica).u64(target).raw(signature);
  return { kind: 'REQUEST-VIEW-CHANGE', replica, target, signature, digest, bytes: finishPiece(writer) };
}

/** RECOVER as a message. */
export function recoverMessage(context: StreamContext, request: RecoverRequest): Recover {
  const writer = new Writer(512).u8(KIND.RECOVER);
  writeRecover(writer, request);
  const digest = recoverDigest(context.hash, context.domain, request);
  return { kind: 'RECOVER', request, digest, bytes: writer.finish() };
}

/** Content of a VIEW-CHANGE; computes `bodyDigest`. */
export function viewChangeContent(
  context: StreamContext,
  parts: Omit<ViewChangeContent, 'kind' | 'bodyDigest'>,
): ViewChangeContent {
  return { kind: 'VIEW-CHANGE', ...parts, bodyDigest: viewChangeBodyDigest(context, parts) };
}

/** The stub that represents an older own VIEW-CHANGE in a log. */
export function stubOf(message: ViewChange): ViewChangeStub {
  const { view, bodyDigest, ui, digest } = message;
  return { kind: 'VIEW-CHANGE-STUB', view, bodyDigest, ui, digest };
}

/** NEW-VIEW with its VIEW-CHANGEs, which are put into the order of the references. All must be there. */
export function fullNewView(header: NewViewHeader, viewChanges: readonly ViewChange[]): FullNewView {
  const ordered = header.references.map((reference) => {
    const found = viewChanges.find(
      ({ ui, digest }) => ui.replica === reference.replica && digest === reference.digest,
    );
    assert(found !== undefined, 'every VIEW-CHANGE that a NEW-VIEW refers to is given');
    return found;
  });
  return makeFullNewView(header, ordered);
}

/** Compact form of a NEW-VIEW that f others have committed to. */
export function newViewCertificate(
  header: NewViewHeader,
  base: readonly Prepare[] | undefined,
  commits: readonly CommitNewView[],
): NewViewCertificate {
  const content = { kind: 'NEW-VIEW-CERTIFICATE', header, base, commits } as const;
  return { ...content, bytes: encodeNewViewCertificate(content) };
}

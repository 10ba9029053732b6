/** Makes the messages that no trusted counter seals, and the contents that hold a computed digest. */
import type { ReplicaId, View } from '../../core/types.ts';
import type { RecoverRequest } from '../../core/request.ts';
import type { Digest } from '../../core/types.ts';
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

/** Digest that the host key signs in a REQ-VIEW-CHANGE. */
export function requestViewChangeDigest(context: StreamContext, replica: ReplicaId, target: View): Digest {
  throw new Error(`pending ${context.n} ${replica} ${target}`);
}

/** A signed wish to leave the view. */
export function requestViewChange(
  context: StreamContext,
  replica: ReplicaId,
  target: View,
  signature: Uint8Array,
): RequestViewChange {
  throw new Error(`pending ${context.n} ${replica} ${target} ${signature.length}`);
}

/** RECOVER as a message. */
export function recoverMessage(context: StreamContext, request: RecoverRequest): Recover {
  throw new Error(`pending ${context.n} ${request.replica}`);
}

/** Content of a VIEW-CHANGE; computes `bodyDigest`. */
export function viewChangeContent(
  context: StreamContext,
  parts: Omit<ViewChangeContent, 'kind' | 'bodyDigest'>,
): ViewChangeContent {
  throw new Error(`pending ${context.n} ${parts.view}`);
}

/** The stub that represents an older own VIEW-CHANGE in a log. */
export function stubOf(message: ViewChange): ViewChangeStub {
  throw new Error(`pending ${message.kind}`);
}

/** NEW-VIEW with its VIEW-CHANGEs, which are put into the order of the references. */
export function fullNewView(header: NewViewHeader, viewChanges: readonly ViewChange[]): FullNewView {
  throw new Error(`pending ${header.kind} ${viewChanges.length}`);
}

/** Compact form of a NEW-VIEW that f others have committed to. */
export function newViewCertificate(
  header: NewViewHeader,
  base: readonly Prepare[] | undefined,
  commits: readonly CommitNewView[],
): NewViewCertificate {
  throw new Error(`pending ${header.kind} ${base?.length} ${commits.length}`);
}

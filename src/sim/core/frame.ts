/** What travels over links of the core fidelity: the objects themselves. What is shared is never changed. */
import type { WireResult } from '../../core/client-wire.ts';
import type { Standing } from '../../core/protocol.ts';
import type { Batch, Bundle } from '../../core/request.ts';
import type { Digest, ReplicaId, SessionId, View } from '../../core/types.ts';

/** A message of the protocol. All receivers of a broadcast share the frame, and what was found about its seals. */
export interface CoreMessageFrame<M> {
  readonly kind: 'protocol';
  readonly message: M;
  /** Whether all its seals were seen to hold under keys that everybody knows. */
  isGenuine: boolean;
}

/** Between replicas; `bundle` also from a client to a replica. */
export type CoreFrame<M> =
  | CoreMessageFrame<M>
  | { readonly kind: 'body'; readonly batch: Batch }
  | { readonly kind: 'fetchBody'; readonly digest: Digest }
  | { readonly kind: 'bundle'; readonly bundle: Bundle };

/** From a replica to a client. Its link says who sent it, so there is no signature. */
export interface CoreReply {
  readonly replica: ReplicaId;
  readonly session: SessionId;
  /** Hint for the primary. */
  readonly view: View;
  /** What the results are worth. */
  readonly standing: Standing;
  /** What the protocol says about them; empty where it says nothing. */
  readonly proof: Uint8Array;
  readonly results: readonly WireResult[];
}

/** A short name of a frame, for people and for the trace. */
export function nameOfFrame(frame: CoreFrame<unknown>): string {
  if (frame.kind !== 'protocol') return frame.kind;
  const { message } = frame;
  return typeof message === 'object' && message !== null && 'kind' in message
    ? String(message.kind)
    : 'message';
}

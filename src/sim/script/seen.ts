/** What travels over a link, read once for everybody who asks: rules of a script, puppets, a trace. */
import type { MessageLabel } from '../../core/live.ts';
import type { DecodeContext, ProtocolDefinition } from '../../core/protocol.ts';
import type { ReplicaId } from '../../core/types.ts';
import { decodeLinkFrame } from '../../host/link-frames.ts';
import { labelOfMessage } from '../../host/message-label.ts';
import type { CoreFrame } from '../core/frame.ts';

/** A frame between two replicas, of any fidelity; `message` if it holds one of the protocol. */
export interface Seen<M = unknown> {
  /** Of the frame: `protocol`, `body`, `bundle` and others. */
  readonly kind: string;
  readonly message: M | undefined;
}

/** Reads a frame of the whole fidelity; garbage has a kind of its own. */
export function seeBytes<M>(
  definition: ProtocolDefinition<M>,
  context: DecodeContext,
  bytes: Uint8Array,
): Seen<M> {
  const frame = decodeLinkFrame(bytes);
  if (frame === undefined) return { kind: 'garbage', message: undefined };
  const message = frame.kind === 'protocol' ? definition.decode(frame.bytes, context) : undefined;
  return { kind: frame.kind, message };
}

/** The same for the core fidelity. */
export function seeObject<M>(frame: CoreFrame<M>): Seen<M> {
  return { kind: frame.kind, message: frame.kind === 'protocol' ? frame.message : undefined };
}

/** What a person wants to know of a frame: kind, author, place. */
export type Label = MessageLabel;

/** The label of a frame: that of its message, or the frame's kind alone if it holds none. */
export function labelOf({ kind, message }: Seen): Label {
  return message === undefined ? { kind } : labelOfMessage(message);
}

/** Where a frame goes. */
export interface Way {
  readonly from: ReplicaId;
  readonly to: ReplicaId;
}

/** What travels over a link, read once for everybody who asks: rules of a script, puppets, a trace. */
import type { DecodeContext, ProtocolDefinition } from '../../core/protocol.ts';
import type { ReplicaId } from '../../core/types.ts';
import { decodeLinkFrame } from '../../host/link-frames.ts';
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

/** What a person wants to know of a frame: kind, author, place. Fields that a kind does not have are undefined. */
export interface Label {
  /** Kind of the message, or of the frame if it holds none. */
  readonly kind: string;
  readonly view: number | undefined;
  readonly sequence: number | undefined;
  /** Who made it, whoever sends it. */
  readonly author: ReplicaId | undefined;
  /** Certified counter value. */
  readonly counter: number | undefined;
}

function numberOf(record: Record<string, unknown>, ...names: readonly string[]): number | undefined {
  for (const name of names) if (typeof record[name] === 'number') return record[name];
  return undefined;
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/**
 * The label of a message; a COMMIT has the place of its PREPARE, a NEW-VIEW that of its header, an attested message that
 * of its content and the value that an object of its component gave it.
 */
export function labelOfMessage(message: unknown): Label {
  const record = recordOf(message);
  const inner = recordOf(record['prepare'] ?? record['header'] ?? record['content']);
  const ui = recordOf(record['ui'] ?? (record['kind'] === 'COMMIT' ? undefined : inner['ui']));
  return {
    kind: String(record['kind']),
    view: numberOf(record, 'view', 'target') ?? numberOf(inner, 'view'),
    sequence: numberOf(record, 'sequence') ?? numberOf(inner, 'sequence'),
    author: numberOf(ui, 'replica') ?? numberOf(record, 'author', 'replica'),
    counter: numberOf(ui, 'counter') ?? numberOf(recordOf(record['attestation']), 'value'),
  };
}

/** The label of a frame. */
export function labelOf({ kind, message }: Seen): Label {
  if (message !== undefined) return labelOfMessage(message);
  return { kind, view: undefined, sequence: undefined, author: undefined, counter: undefined };
}

/** Where a frame goes. */
export interface Way {
  readonly from: ReplicaId;
  readonly to: ReplicaId;
}

/** Frames in words, for the record of a run. */
import type { DecodeContext, ProtocolDefinition } from '../core/protocol.ts';
import { decodeLinkFrame } from '../host/link-frames.ts';

/** Fields of a message that are worth a line, wherever they occur. */
const FIELDS = [
  'view',
  'sequence',
  'target',
  'executed',
  'stable',
  'author',
  'counter',
  'low',
  'end',
] as const;

/** One line about a frame of a link. */
export function describeFrame<M>(
  definition: ProtocolDefinition<M>,
  context: DecodeContext,
  bytes: Uint8Array,
): string {
  const frame = decodeLinkFrame(bytes);
  if (frame === undefined) return `garbage of ${bytes.length} bytes`;
  if (frame.kind !== 'protocol') return frame.kind;
  const message = definition.decode(frame.bytes, context);
  if (message !== undefined) return describeMessage(message);
  return `undecodable message of kind byte ${frame.bytes[0]}, ${frame.bytes.length} bytes`;
}

function describeMessage(message: unknown): string {
  const record = message as Record<string, unknown>;
  const parts = [String(record['kind'])];
  for (const field of FIELDS) if (typeof record[field] === 'number') parts.push(`${field}=${record[field]}`);
  const ui = record['ui'] as { readonly replica: number; readonly counter: number } | undefined;
  if (ui !== undefined) parts.push(`@${ui.replica}:${ui.counter}`);
  for (const inner of ['prepare', 'header'] as const) {
    if (typeof record[inner] === 'object' && record[inner] !== null)
      parts.push(`(${describeMessage(record[inner])})`);
  }
  const digest = record['batchDigest'] ?? record['stateDigest'];
  if (typeof digest === 'string') parts.push(digest.slice(0, 6));
  if (Array.isArray(record['streams'])) {
    const streams = record['streams'] as readonly { readonly counter: number }[];
    parts.push(`[${streams.map((position) => position.counter).join(' ')}]`);
  }
  return parts.join(' ');
}

/** What a person wants to know of a message: kind, author, place. Works for the messages of every protocol. */
import type { MessageLabel } from '../core/live.ts';
import { ABOUT_CHARACTERS } from '../core/live.ts';

/** A label that is being written, or something larger that begins with one. */
export type LabelDraft = { -readonly [K in keyof MessageLabel]: MessageLabel[K] };
type Fields = Readonly<Record<string, unknown>>;

/** Kinds that a drawing leaves out unless all are wanted: they repeat, or carry what others announce. */
export const BACKGROUND_KINDS: ReadonlySet<string> = new Set([
  'STATUS',
  'RESEND-REQUEST',
  'CHECKPOINT-PROOF',
  'STREAM-SYNC',
  'FETCH-LINKS',
  'FETCH-NEW-VIEW',
  'body',
  'fetchBody',
  'bundle',
  'headerSignature',
  'fragment',
  'fetchNode',
  'node',
  'fetchChunks',
  'chunks',
  'fetchBlocks',
  'blocks',
  'gone',
  'garbage',
]);

const NOTHING: Fields = {};

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : NOTHING;
}

function numberOf(fields: Fields, name: string): number | undefined {
  const value = fields[name];
  return typeof value === 'number' ? value : undefined;
}

/** A digest of a batch as a label has it; undefined if it is none. */
export function aboutOf(digest: unknown): string | undefined {
  return typeof digest === 'string' ? digest.slice(0, ABOUT_CHARACTERS) : undefined;
}

/**
 * The digest of the batch that a message is about, as it stands in it. `digest` is a batch's only in the content of an
 * attested message that has a place in the order: elsewhere it is that of the message itself, or of a view.
 */
function batchOf(fields: Fields, inner: Fields): unknown {
  const named = fields['batchDigest'] ?? inner['batchDigest'];
  if (named !== undefined || fields['content'] === undefined) return named;
  const quoted = fieldsOf(fieldsOf(inner['prepare'])['content']);
  const placed = inner['sequence'] === undefined ? undefined : inner['digest'];
  return inner['batch'] ?? quoted['batch'] ?? placed;
}

/** The label of a message. */
export function labelOfMessage(message: unknown): MessageLabel {
  return writeLabel({ kind: '' }, message);
}

/**
 * Writes the label of a message onto `label`, and gives that; a COMMIT has the place of its PREPARE, a NEW-VIEW that of its header, an attested message that
 * of its content and the value that an object of its component gave it.
 */
export function writeLabel<T extends LabelDraft>(label: T, message: unknown): T {
  const fields = fieldsOf(message);
  const inner = fieldsOf(fields['prepare'] ?? fields['header'] ?? fields['content']);
  const ui = fieldsOf(fields['ui'] ?? (fields['kind'] === 'COMMIT' ? undefined : inner['ui']));
  label.kind = String(fields['kind']);
  const view = numberOf(fields, 'view') ?? numberOf(fields, 'target') ?? numberOf(inner, 'view');
  if (view !== undefined) label.view = view;
  const sequence = numberOf(fields, 'sequence') ?? numberOf(inner, 'sequence');
  if (sequence !== undefined) label.sequence = sequence;
  const author = numberOf(ui, 'replica') ?? numberOf(fields, 'author') ?? numberOf(fields, 'replica');
  if (author !== undefined) label.author = author;
  const counter = numberOf(ui, 'counter') ?? numberOf(fieldsOf(fields['attestation']), 'value');
  if (counter !== undefined) label.counter = counter;
  const about = aboutOf(batchOf(fields, inner));
  if (about !== undefined) label.about = about;
  return label;
}

/**
 * Messages of ReMinBFT and the counters that vouch for them. PREPARE and COMMIT take the value of their view and sequence
 * number on the counter `ord`, so no replica can make two different ones; UPDATEs rest on their link alone.
 */
import type { Attestor } from '../../core/attestation.ts';
import type { Reader, Writer } from '../../core/codec.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import type { CounterValue, Digest, ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import type { Sealed, SealedCodec } from '../../smr/attested/sealed.ts';
import type { UpdateContent } from '../../smr/passive/messages.ts';
import {
  isUpdateContent,
  readUpdateContent,
  UPDATE_KINDS,
  writeUpdateContent,
} from '../../smr/passive/messages.ts';
import type { ChainContent, ChainEntry, OrderCodec } from '../../smr/slot-chain/messages.ts';
import { chainCodec } from '../../smr/slot-chain/messages.ts';
import { slotOf } from '../../smr/slot-chain/slots.ts';
import type { Vote } from '../../smr/slot-chain/view-change.ts';
import { fitsAttestor } from '../../smr/slot-chain/view-change.ts';

/** Name in settings, on the command line and in digests. */
export const PROTOCOL_NAME = 'reminbft';

/** The primary proposes a batch. */
export interface Prepare {
  readonly kind: 'PREPARE';
  readonly view: View;
  readonly sequence: SequenceNumber;
  /** Digest of the batch body. */
  readonly digest: Digest;
  /**
   * From the order after this one on, the view is in normal-case mode; undefined: in fault-handling mode. A PREPARE that
   * names its own order is the command MODE.
   */
  readonly since: SequenceNumber | undefined;
}

/** A backup agrees; it shows what it agrees to. View, sequence number and digest are those of the PREPARE. */
export interface Commit {
  readonly kind: 'COMMIT';
  readonly view: View;
  readonly sequence: SequenceNumber;
  readonly digest: Digest;
  readonly prepare: Sealed<ReContent>;
}

/** What a replica says about an order, and what it tells passive ones of its execution. */
export type ReOrder = Prepare | Commit | UpdateContent;

/** Everything that a replica says. */
export type ReContent = ChainContent<ReOrder>;

/** The two counters (8 bytes, hexadecimal; class 1: counter). */
export const COUNTER = { order: '0101000000000001', newView: '0101000000000002' } as const;

function value(object: string, counter: CounterValue): Attestor {
  return { kind: 'object', object, form: 'counter', mode: 'jump', value: counter };
}

/** Who vouches for a content. */
export function attestorOf(content: ReContent): Attestor {
  switch (content.kind) {
    case 'PREPARE':
    case 'COMMIT':
      return value(COUNTER.order, slotOf(content.view, content.sequence));
    case 'BARRIER':
      return value(COUNTER.order, slotOf(content.view, 0));
    case 'NEW-VIEW':
      return value(COUNTER.newView, content.view);
    case 'UPDATE':
    case 'UPDATE-PART':
    case 'UPDATE-FETCH':
      return { kind: 'link' };
    case 'CHECKPOINT':
    case 'REQ-VIEW-CHANGE':
    case 'VIEW-CHANGE':
    case 'NV-ACK':
      return { kind: 'host' };
  }
}

/** The PREPARE that a COMMIT agrees to, if it is by the primary of its view and has its value. */
export function prepareOf(
  primaryOf: (view: View) => ReplicaId,
  { prepare, view }: Commit,
): Prepare | undefined {
  const { content, author } = prepare;
  const isPrimary = content.kind === 'PREPARE' && author === primaryOf(view);
  return isPrimary && fitsAttestor<ReOrder>({ attestorOf }, prepare) ? content : undefined;
}

/** The vote that a value of `ord` stands for: the primary's PREPARE, or a backup's COMMIT to one. */
export function voteOf(
  primaryOf: (view: View) => ReplicaId,
  { message, proof }: ChainEntry<ReOrder>,
): Vote | undefined {
  const { content, author } = message;
  if (proof.length > 0) return undefined;
  if (content.kind === 'PREPARE') return author === primaryOf(content.view) ? content : undefined;
  if (content.kind !== 'COMMIT' || author === primaryOf(content.view)) return undefined;
  return prepareOf(primaryOf, content);
}

/** `since` travels as one more than it is; 0: fault-handling mode. */
function writeSince(writer: Writer, since: SequenceNumber | undefined): Writer {
  return writer.u64(since === undefined ? 0 : since + 1);
}

function readSince(reader: Reader): SequenceNumber | undefined {
  const since = reader.u64();
  return since === 0 ? undefined : since - 1;
}

const ORDERS: OrderCodec<ReOrder> = {
  protocol: PROTOCOL_NAME,
  kinds: ['PREPARE', 'COMMIT', ...UPDATE_KINDS],
  write: (writer, content, codec) => {
    if (isUpdateContent(content)) return writeUpdateContent(writer, content);
    if (content.kind === 'COMMIT') return codec.writeSealed(writer, content.prepare);
    writer.u64(content.view).u64(content.sequence).digest(content.digest);
    writeSince(writer, content.since);
  },
  read: (kind, reader, codec) => {
    if (kind === 'COMMIT') return readCommit(reader, codec);
    if (kind !== 'PREPARE') return readUpdateContent(kind, reader);
    const order = { view: reader.u64(), sequence: reader.u64(), digest: reader.digest() };
    return { kind, ...order, since: readSince(reader) };
  },
  quoted: (content) => (content.kind === 'COMMIT' ? [content.prepare] : []),
};

function readCommit(reader: Reader, codec: SealedCodec<ReContent>): Commit {
  const prepare = codec.readSealed(reader);
  const quoted = reader.failed ? undefined : prepare.content;
  if (quoted?.kind !== 'PREPARE') {
    reader.fail();
    return { kind: 'COMMIT', view: 0, sequence: 0, digest: ZERO_DIGEST, prepare };
  }
  const { view, sequence, digest } = quoted;
  return { kind: 'COMMIT', view, sequence, digest, prepare };
}

/** How these messages travel. */
export const RE_MESSAGES = chainCodec(ORDERS);

/**
 * What MinZyzzyva says beside the messages of USIG streams: the statement that goes with a speculative answer, and the
 * certificate that a client makes of f+1 of them. A statement names the sealed message by digest and UI, so that it
 * stays small whatever the PREPARE holds.
 */
import { decodeWhole, Reader, Writer } from '../../core/codec.ts';
import type { UniqueIdentifier } from '../../core/protocol.ts';
import type { CounterValue, Digest, SequenceNumber, View } from '../../core/types.ts';
import { digestWriter } from '../../smr/usig-stream/context.ts';
import type { StreamContext } from '../../smr/usig-stream/context.ts';
import type { UsigMessage } from '../../smr/usig-stream/messages.ts';
import { readUi, writeUi } from '../../smr/usig-stream/wire.ts';
import { finishDigest } from '../../core/domain.ts';

/** A digest that a trusted component sealed. */
export interface SealedDigest {
  readonly digest: Digest;
  readonly ui: UniqueIdentifier;
}

/** How a replica stands for an order: by its PREPARE, its SPEC, or as one that entered a view whose base holds it. */
export type Stand =
  | { readonly kind: 'prepare' }
  | { readonly kind: 'spec'; readonly ui: UniqueIdentifier }
  | { readonly kind: 'newView'; readonly newView: SealedDigest }
  | { readonly kind: 'commitNewView'; readonly newView: SealedDigest; readonly ui: UniqueIdentifier };

/** What a replica says with a speculative answer (SPEC-REPLY). */
export interface Statement {
  readonly view: View;
  readonly newViewCounter: CounterValue;
  readonly sequence: SequenceNumber;
  /** h_n. */
  readonly history: Digest;
  /** The PREPARE of the order, in whatever view it was made. */
  readonly entry: SealedDigest;
  readonly stand: Stand;
}

/**
 * COMMIT-CERT: statements of f+1 replicas that agree, put together by a client. It only says whose streams to bring up
 * and how far, so its seals are not asked for: a liar among the f+1 cannot make it useless by a bad one.
 */
export interface CommitCertificate {
  readonly kind: 'COMMIT-CERTIFICATE';
  readonly statements: readonly Statement[];
}

/** Everything that replicas and clients of this protocol send. */
export type MinzyzzyvaMessage = UsigMessage | CommitCertificate;

/** First byte of a COMMIT-CERT; the kinds of USIG streams are below. */
export const CERTIFICATE_KIND = 64;
const STATEMENT_BYTES_MAX = 2048;
const STANDS = ['prepare', 'spec', 'newView', 'commitNewView'] as const;

/** h_n of h_{n-1} and the batch of order n. */
export function extendHistory(context: StreamContext, before: Digest, batch: Digest): Digest {
  return finishDigest(context.hash, digestWriter(context, 'HISTORY').digest(before).digest(batch));
}

function writeSealed(writer: Writer, sealed: SealedDigest): void {
  writeUi(writer.digest(sealed.digest), sealed.ui);
}

function readSealed(context: StreamContext, reader: Reader): SealedDigest {
  return { digest: reader.digest(), ui: readUi(context, reader) };
}

/** Bytes of a statement: the proof of a speculative answer. */
export function encodeStatement(statement: Statement): Uint8Array {
  const { stand } = statement;
  const writer = new Writer(512).u64(statement.view).u64(statement.newViewCounter).u64(statement.sequence);
  writeSealed(writer.digest(statement.history), statement.entry);
  writer.u8(STANDS.indexOf(stand.kind));
  if ('newView' in stand) writeSealed(writer, stand.newView);
  if ('ui' in stand) writeUi(writer, stand.ui);
  return writer.finish();
}

function readStand(context: StreamContext, reader: Reader): Stand {
  const kind = STANDS[reader.u8()];
  switch (kind) {
    case 'prepare':
      return { kind };
    case 'spec':
      return { kind, ui: readUi(context, reader) };
    case 'newView':
      return { kind, newView: readSealed(context, reader) };
    case 'commitNewView':
      return { kind, newView: readSealed(context, reader), ui: readUi(context, reader) };
    default:
      reader.fail();
      return { kind: 'prepare' };
  }
}

/** The statement; undefined unless the bytes are exactly one. */
export function decodeStatement(context: StreamContext, bytes: Uint8Array): Statement | undefined {
  return decodeWhole(bytes, (reader): Statement => {
    const view = reader.u64();
    const newViewCounter = reader.u64();
    const sequence = reader.u64();
    const history = reader.digest();
    const entry = readSealed(context, reader);
    return { view, newViewCounter, sequence, history, entry, stand: readStand(context, reader) };
  });
}

/** Who makes the statement: the author of the message that it stands on. */
export function authorOf({ entry, stand }: Statement): UniqueIdentifier {
  if ('ui' in stand) return stand.ui;
  return stand.kind === 'newView' ? stand.newView.ui : entry.ui;
}

/**
 * What must be equal for statements to count together: view, its NEW-VIEW, order, history, and the PREPARE by its place
 * in the stream of its primary.
 */
export function statementKey({ view, newViewCounter, sequence, history, entry, stand }: Statement): string {
  const { replica, tcEpoch, counter } = entry.ui;
  const maker = 'newView' in stand ? stand.newView.ui.tcEpoch : tcEpoch;
  return `${view}/${newViewCounter}/${maker}/${sequence}/${history}/${replica}.${tcEpoch}.${counter}`;
}

/** Bytes of a COMMIT-CERT of these encoded statements. */
export function encodeCertificateOf(statements: readonly Uint8Array[]): Uint8Array {
  return new Writer(2048)
    .u8(CERTIFICATE_KIND)
    .list(statements, (writer, bytes) => writer.bytes(bytes))
    .finish();
}

/** The COMMIT-CERT; undefined unless the bytes are exactly one. */
export function decodeCommitCertificate(
  context: StreamContext,
  bytes: Uint8Array,
): CommitCertificate | undefined {
  return decodeWhole(bytes, (reader): CommitCertificate => {
    if (reader.u8() !== CERTIFICATE_KIND) reader.fail();
    const statements: Statement[] = [];
    for (const encoded of reader.list(context.n, (r) => r.bytes(STATEMENT_BYTES_MAX))) {
      const statement = decodeStatement(context, encoded);
      if (statement === undefined) reader.fail();
      else statements.push(statement);
    }
    return { kind: 'COMMIT-CERTIFICATE', statements };
  });
}

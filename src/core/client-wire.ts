/**
 * Frames between a client and a replica. The channel is mutual TLS: replica keys are pinned by cluster.json, the
 * client proves its key in the first frame's handshake (`HELLO` is signed over the channel binding). Both sides
 * decode with the same bounded reader; whatever does not decode closes the connection.
 */
import { decodeWhole, Reader, Writer } from './codec.ts';
import { domainTag } from './domain.ts';
import type { Standing } from './protocol.ts';
import { BUNDLE_BYTES_MAX, OPERATION_BYTES_MAX } from './request.ts';
import type {
  Digest,
  Height,
  Milliseconds,
  ReplicaId,
  RequestNumber,
  SequenceNumber,
  SessionId,
  View,
} from './types.ts';

/** Version of these frames. 2: replies carry standing and proof, clients send certificates. */
export const CLIENT_WIRE_VERSION = 2;
/** What the signed bytes of a reply begin with (decision B6); until version 1 of these frames it was "REPLY". */
export const REPLY_TAG = domainTag('host', 'ANSWER');
/** Bytes of what a protocol says about one reply, at most. */
export const PROOF_BYTES_MAX = 4096;
/** Bytes of a message that a client makes of replies, at most. */
export const CERTIFICATE_BYTES_MAX = 64 * 1024;
/** Results of one reply frame, at most. */
const RESULTS_MAX = 4096;
const SIGNATURE_BYTES = 64;
const ENVELOPE_BYTES_MAX = 256;
/** Bytes of one answer to a query (a block, at most). */
export const QUERY_ANSWER_BYTES_MAX = 8 * 1024 * 1024;

/** One request's result in a reply frame. */
export interface WireResult {
  readonly number: RequestNumber;
  readonly txId: Digest;
  readonly sequence: SequenceNumber;
  readonly height: Height;
  readonly result: Uint8Array;
}

/** Client -> replica. */
export type ClientFrame =
  /** First frame: version, cluster, own key. */
  | {
      readonly kind: 'hello';
      readonly version: number;
      readonly clusterId: Digest;
      readonly clientKey: Uint8Array;
    }
  /** A signed bundle (`encodeBundle`). */
  | { readonly kind: 'bundle'; readonly bytes: Uint8Array }
  /** A message of the cluster's protocol that a client made of replies (`ClientRules.certificate`). */
  | { readonly kind: 'certificate'; readonly bytes: Uint8Array }
  /** Fast read (decision C6): answered from the last executed state. */
  | { readonly kind: 'read'; readonly id: number; readonly operation: Uint8Array }
  /** Asks for the own key for MACs, to a one-time key that the client signed (`keyQueryDigest`, decision C3). */
  | {
      readonly kind: 'keyQuery';
      readonly id: number;
      readonly version: number;
      readonly agreementKey: Uint8Array;
      readonly signature: Uint8Array;
    }
  /** Question about ledger or replica, answered by this replica alone (blocks, status, transactions). JSON out. */
  | { readonly kind: 'query'; readonly id: number; readonly topic: QueryTopic; readonly argument: string };

/** Topics of a query. Answers are JSON; each is one replica's word unless it carries its own proof. */
export type QueryTopic =
  'status' | 'block' | 'transaction' | 'receipt' | 'events' | 'evidence' | 'metrics' | 'live';
const TOPICS: readonly QueryTopic[] = [
  'status',
  'block',
  'transaction',
  'receipt',
  'events',
  'evidence',
  'metrics',
  'live',
];

/** Replica -> client. */
export type ReplicaFrame =
  | {
      readonly kind: 'welcome';
      readonly version: number;
      readonly replica: ReplicaId;
      readonly clusterId: Digest;
    }
  /** Results of one session out of one batch, signed as a whole by the host key. */
  | SignedReply
  /** Over capacity: try again later; f+1 of them are believed (decision C7). */
  | { readonly kind: 'busy'; readonly bundle: Digest; readonly retryAfterMs: Milliseconds }
  /** This replica will never order the bundle; f+1 of them are believed. */
  | { readonly kind: 'refused'; readonly bundle: Digest; readonly reason: string }
  | {
      readonly kind: 'readAnswer';
      readonly id: number;
      readonly sequence: SequenceNumber;
      readonly height: Height;
      readonly result: Uint8Array;
    }
  /**
   * The envelope of the trusted component (`crypto/key-envelope.ts`), empty if it gives none, and the version of the
   * client's key that counts here; 0: there is no such key.
   */
  | {
      readonly kind: 'keyEnvelope';
      readonly id: number;
      readonly version: number;
      readonly envelope: Uint8Array;
    }
  /** `found` false: unknown topic argument; `bytes` is JSON in UTF-8. */
  | {
      readonly kind: 'queryAnswer';
      readonly id: number;
      readonly found: boolean;
      readonly bytes: Uint8Array;
    };

/** What a replica signs when it answers a session. */
export interface ReplyContent {
  readonly replica: ReplicaId;
  readonly session: SessionId;
  /** Hint for the primary; never compared. */
  readonly view: View;
  /** What the results are worth; `final` in protocols that do not speculate. */
  readonly standing: Standing;
  /** What the protocol says about the results (`ClientRules.readProof`); empty where it says nothing. */
  readonly proof: Uint8Array;
  readonly results: readonly WireResult[];
}

/** A reply as it came. */
export type SignedReply = ReplyContent & {
  readonly kind: 'reply';
  /** Canonical bytes of all other fields, which the signature covers; a view into the frame. */
  readonly content: Uint8Array;
  readonly signature: Uint8Array;
};

/** Reads the results of a reply: canonical bytes of a list; undefined unless they are that, and bounded. */
export type ResultsReader = (bytes: Uint8Array) => readonly WireResult[] | undefined;

/** Results up to this length are compared with the one before: to make a view of so few bytes costs more. */
const SHORT_RESULT_BYTES = 16;

/** Reads the results of a reply. They are views into `bytes`; short ones in a row that say the same share one. */
export const readResults: ResultsReader = (bytes) => {
  let before: WireResult | undefined;
  return decodeWhole(bytes, (reader) =>
    reader.list(RESULTS_MAX, (one) => (before = readResult(one, bytes, before?.result))),
  );
};

/** The order of these words is part of the wire. */
const STANDINGS: readonly Standing[] = ['speculative', 'committed', 'final'];

function readStanding(reader: Reader): Standing {
  const standing = STANDINGS[reader.u8()];
  if (standing === undefined) reader.fail();
  return standing ?? 'speculative';
}

function writeResult(writer: Writer, result: WireResult): void {
  writer.u64(result.number).digest(result.txId).u64(result.sequence).u64(result.height).bytes(result.result);
}

/** `all`, `before`: all that is being read, and the result before it there, to be shared. */
function readResult(reader: Reader, all?: Uint8Array, before?: Uint8Array): WireResult {
  return {
    number: reader.u64(),
    txId: reader.digest(),
    sequence: reader.u64(),
    height: reader.u64(),
    result: takeSame(reader, all, before) ?? reader.bytes(OPERATION_BYTES_MAX),
  };
}

/** Passes over the byte string that comes next in `all` if it is short and says what `known` says, which is given then. */
function takeSame(reader: Reader, all?: Uint8Array, known?: Uint8Array): Uint8Array | undefined {
  if (all === undefined || known === undefined || known.length > SHORT_RESULT_BYTES) return undefined;
  const { length } = known;
  // The length, of which the last byte says all, and the bytes; beyond the end there is nothing that equals one.
  const at = reader.position;
  if (all[at] !== 0 || all[at + 1] !== 0 || all[at + 2] !== 0 || all[at + 3] !== length) return undefined;
  for (let index = 0; index < length; index += 1) if (all[at + 4 + index] !== known[index]) return undefined;
  reader.skip(4 + length);
  return known;
}

/** Canonical bytes of a reply's content: what the signature covers, after the domain prefix (`REPLY_TAG`). */
export function writeReplyContent(writer: Writer, reply: ReplyContent): Writer {
  return writer
    .u32(reply.replica)
    .u64(reply.session)
    .u64(reply.view)
    .u8(STANDINGS.indexOf(reply.standing))
    .bytes(reply.proof)
    .list(reply.results, writeResult);
}

function readReplyHead(reader: Reader): Omit<ReplyContent, 'results'> {
  return {
    replica: reader.u32(),
    session: reader.u64(),
    view: reader.u64(),
    standing: readStanding(reader),
    proof: reader.bytes(PROOF_BYTES_MAX),
  };
}

/** Reads what `writeReplyContent` wrote. */
export function readReplyContent(reader: Reader): ReplyContent {
  return { ...readReplyHead(reader), results: reader.list(RESULTS_MAX, (one) => readResult(one)) };
}

/** The bytes of a reply's content that list its results, from canonical content; a view. */
export function resultsPartOf(content: Uint8Array): Uint8Array {
  const reader = new Reader(content);
  readReplyHead(reader);
  return content.subarray(reader.position);
}

/** Where each result begins in a reply's canonical content, by request number; the first one of a number. */
export function resultPlaces(content: Uint8Array): ReadonlyMap<RequestNumber, number> {
  const places = new Map<RequestNumber, number>();
  const reader = new Reader(content);
  readReplyHead(reader);
  reader.list(RESULTS_MAX, (one) => {
    const place = one.position;
    const { number } = readResult(one);
    if (!places.has(number)) places.set(number, place);
  });
  return places;
}

/** The result that begins there (`resultPlaces`); a view. */
export function resultAt(content: Uint8Array, place: number): WireResult {
  return readResult(new Reader(content.subarray(place)));
}

function readSignedReply(reader: Reader, readList: ResultsReader): SignedReply {
  const start = reader.position;
  const head = readReplyHead(reader);
  const results = readList(reader.raw(Math.max(0, reader.remaining - SIGNATURE_BYTES)));
  if (results === undefined) reader.fail();
  const content = reader.since(start);
  return { kind: 'reply', ...head, results: results ?? [], content, signature: reader.raw(SIGNATURE_BYTES) };
}

/** A bundle is long and sent often: one copy, no more. */
function encodeBundleFrame(bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(1 + 4 + bytes.length);
  Writer.over(frame).u8(2).bytes(bytes);
  return frame;
}

/** Bytes of a client's frame. */
export function encodeClientFrame(frame: ClientFrame): Uint8Array {
  if (frame.kind === 'bundle') return encodeBundleFrame(frame.bytes);
  const writer = new Writer(512);
  switch (frame.kind) {
    case 'hello':
      return writer.u8(1).u16(frame.version).digest(frame.clusterId).raw(frame.clientKey).finish();
    case 'read':
      return writer.u8(3).u32(frame.id).bytes(frame.operation).finish();
    case 'query':
      return writer.u8(4).u32(frame.id).u8(TOPICS.indexOf(frame.topic)).ascii(frame.argument).finish();
    case 'certificate':
      return writer.u8(5).bytes(frame.bytes).finish();
    case 'keyQuery':
      writer.u8(6).u32(frame.id).u32(frame.version);
      return writer.raw(frame.agreementKey).raw(frame.signature).finish();
  }
}

/** Reads a client's frame; undefined unless canonical and bounded. */
export function decodeClientFrame(bytes: Uint8Array): ClientFrame | undefined {
  return decodeWhole(bytes, (reader): ClientFrame | undefined => {
    switch (reader.u8()) {
      case 1:
        return {
          kind: 'hello',
          version: reader.u16(),
          clusterId: reader.digest(),
          clientKey: reader.raw(32),
        };
      case 2:
        return { kind: 'bundle', bytes: reader.bytes(BUNDLE_BYTES_MAX) };
      case 3:
        return { kind: 'read', id: reader.u32(), operation: reader.bytes(OPERATION_BYTES_MAX) };
      case 4: {
        const id = reader.u32();
        const topic = TOPICS[reader.u8()];
        const argument = reader.ascii(1024);
        if (topic === undefined) reader.fail();
        return { kind: 'query', id, topic: topic ?? 'status', argument };
      }
      case 5:
        return { kind: 'certificate', bytes: reader.bytes(CERTIFICATE_BYTES_MAX) };
      case 6: {
        const [id, version, agreementKey] = [reader.u32(), reader.u32(), reader.raw(32)];
        return { kind: 'keyQuery', id, version, agreementKey, signature: reader.raw(SIGNATURE_BYTES) };
      }
      default:
        reader.fail();
        return undefined;
    }
  });
}

/** Bytes of a replica's frame. */
export function encodeReplicaFrame(
  frame: Exclude<ReplicaFrame, SignedReply> | Omit<SignedReply, 'content'>,
): Uint8Array {
  const writer = new Writer(512);
  switch (frame.kind) {
    case 'welcome':
      return writer.u8(1).u16(frame.version).u32(frame.replica).digest(frame.clusterId).finish();
    case 'reply':
      return writeReplyContent(writer.u8(2), frame).raw(frame.signature).finish();
    case 'busy':
      return writer.u8(3).digest(frame.bundle).u32(frame.retryAfterMs).finish();
    case 'refused':
      return writer.u8(4).digest(frame.bundle).ascii(frame.reason).finish();
    case 'readAnswer':
      return writer.u8(5).u32(frame.id).u64(frame.sequence).u64(frame.height).bytes(frame.result).finish();
    case 'keyEnvelope':
      return writer.u8(7).u32(frame.id).u32(frame.version).bytes(frame.envelope).finish();
    case 'queryAnswer':
      return writer.u8(6).u32(frame.id).bool(frame.found).bytes(frame.bytes).finish();
  }
}

/** Bytes of the frame of a signed reply, whose content is encoded already (`writeReplyContent`). */
export function encodeReplyFrame(content: Uint8Array, signature: Uint8Array): Uint8Array {
  const frame = new Uint8Array(1 + content.length + signature.length);
  frame[0] = 2;
  frame.set(content, 1);
  frame.set(signature, 1 + content.length);
  return frame;
}

/**
 * Reads a replica's frame; undefined unless canonical and bounded. `readList` may know a list of results already: the
 * replicas of a cluster say the same ones.
 */
export function decodeReplicaFrame(
  bytes: Uint8Array,
  readList: ResultsReader = readResults,
): ReplicaFrame | undefined {
  return decodeWhole(bytes, (reader): ReplicaFrame | undefined => {
    switch (reader.u8()) {
      case 1:
        return { kind: 'welcome', version: reader.u16(), replica: reader.u32(), clusterId: reader.digest() };
      case 2:
        return readSignedReply(reader, readList);
      case 3:
        return { kind: 'busy', bundle: reader.digest(), retryAfterMs: reader.u32() };
      case 4:
        return { kind: 'refused', bundle: reader.digest(), reason: reader.ascii(256) };
      case 5:
        return {
          kind: 'readAnswer',
          id: reader.u32(),
          sequence: reader.u64(),
          height: reader.u64(),
          result: reader.bytes(OPERATION_BYTES_MAX),
        };
      case 6:
        return {
          kind: 'queryAnswer',
          id: reader.u32(),
          found: reader.bool(),
          bytes: reader.bytes(QUERY_ANSWER_BYTES_MAX),
        };
      case 7:
        return {
          kind: 'keyEnvelope',
          id: reader.u32(),
          version: reader.u32(),
          envelope: reader.bytes(ENVELOPE_BYTES_MAX),
        };
      default:
        reader.fail();
        return undefined;
    }
  });
}

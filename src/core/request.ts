/**
 * What clients send and what replicas order. A client signs a *bundle* of requests once (decision C2), or gives each
 * request a MAC (C3); a primary
 * orders a *batch* of bundles (and of RECOVER requests) under one digest. Requests stay views into the received
 * bytes: nothing is copied between the socket and execution.
 */
import { bytesToDigest, bytesToHex } from './bytes.ts';
import { decodeWhole, Reader, Writer } from './codec.ts';
import type { Domain } from './domain.ts';
import { digestOf, domainTag, domainWriter, finishDigest, finishDigestOver } from './domain.ts';
import { finishPiece } from './pieces.ts';
import type {
  Digest,
  Hash,
  Incarnation,
  Milliseconds,
  ReplicaId,
  RequestNumber,
  SessionId,
  TcEpoch,
  View,
} from './types.ts';

/** Bytes of a bundle, at most (decision C2). */
export const BUNDLE_BYTES_MAX = 64 * 1024;
/** Requests of one bundle, at most. */
export const BUNDLE_REQUESTS_MAX = 1024;
/** Bytes of one operation, at most (a bundle holds it and its own frame). */
export const OPERATION_BYTES_MAX = BUNDLE_BYTES_MAX - 1024;
const LENGTH_BYTES = 4;
/** RECOVER requests in one batch, at most. */
export const BATCH_RECOVERS_MAX = 16;

/** One operation of a client's session. */
export interface Request {
  readonly number: RequestNumber;
  /** Opaque here; the ledger's operation codec reads it. A view into the bundle's bytes. */
  readonly operation: Uint8Array;
}

/** Tags in place of a signature (decision C3): one for each request, under the key of the client's `keyVersion`. */
export interface BundleMacs {
  readonly keyVersion: number;
  /** 32 bytes for each request, in their order. */
  readonly tags: Uint8Array;
}

/** A session's requests under one client signature, or with a MAC each; the unit that is ordered and retransmitted, byte for byte. */
export interface Bundle {
  /** Digest that the client signed, or with MACs of all bytes; identifies the bundle. */
  readonly digest: Digest;
  /** The whole encoding, signature included. */
  readonly bytes: Uint8Array;
  /** Ed25519 public key, 32 bytes. */
  readonly clientKey: Uint8Array;
  /** 0 for the request that opens a session. */
  readonly session: SessionId;
  /** Strictly ascending numbers; at least one. A bundle that came from elsewhere makes this list at each look. */
  readonly requests: readonly Request[];
  readonly requestCount: number;
  readonly firstNumber: RequestNumber;
  readonly lastNumber: RequestNumber;
  /** 64 bytes; empty where `macs` is there. */
  readonly signature: Uint8Array;
  readonly macs?: BundleMacs;
}

/** What a client signs; `requests` in strictly ascending number order. */
export interface BundleContent {
  readonly clientKey: Uint8Array;
  readonly session: SessionId;
  readonly requests: readonly Request[];
  /** Under which version of its key a bundle with MACs was made. */
  readonly macs?: Pick<BundleMacs, 'keyVersion'>;
}

function writeRequest(writer: Writer, { number, operation }: Request): void {
  writer.u64(number).bytes(operation);
}

function writeBundleContent(writer: Writer, content: BundleContent): Writer {
  return writer.u8(1).raw(content.clientKey).u64(content.session).list(content.requests, writeRequest);
}

/** Digest to sign for a bundle. */
export function bundleDigest(hash: Hash, domain: Domain, content: BundleContent): Digest {
  const writer = writeBundleContent(new Writer(1024), content);
  return writer.finishInto((body) => digestOfBundleBody(hash, domain, body));
}

/** Holds what is hashed before a bundle's length and body: it is for one cluster. */
function bundleWriter(domain: Domain): Writer {
  return domainWriter(domainTag('client', 'BUNDLE'), domain);
}

function digestOfBundleBody(hash: Hash, domain: Domain, body: Uint8Array): Digest {
  return finishDigestOver(hash, bundleWriter(domain), body);
}

/** The bytes of a signed bundle (signature: 64 bytes). */
export function encodeBundle(content: BundleContent, signature: Uint8Array): Uint8Array {
  return finishPiece(writeBundleContent(new Writer(1024), content).raw(signature));
}

/** Makes a bundle: encodes once what is signed and what is sent. */
export function signBundle(
  hash: Hash,
  domain: Domain,
  content: BundleContent,
  sign: (digest: Digest) => Uint8Array,
): Bundle {
  const writer = bundleWriter(domain);
  const start = writer.length + LENGTH_BYTES;
  return writer.nested(content, writeBundleContent).finishInto((signed) => {
    const digest = digestOf(hash, signed);
    const signature = sign(digest);
    const bytes = new Uint8Array(signed.length - start + signature.length);
    bytes.set(signed.subarray(start));
    bytes.set(signature, signed.length - start);
    const { clientKey, session, requests } = content;
    return { clientKey, session, requests, ...numbersOf(requests), digest, bytes, signature };
  });
}

/** What a bundle says of its requests, of which there is at least one. */
export function numbersOf(
  requests: readonly Request[],
): Pick<Bundle, 'requestCount' | 'firstNumber' | 'lastNumber'> {
  const [first, last] = [requests[0]!, requests.at(-1)!];
  return { requestCount: requests.length, firstNumber: first.number, lastNumber: last.number };
}

/** Bytes of a tag of a request. */
const TAG_BYTES = 32;
/** First byte of a bundle with MACs. */
const MAC_BUNDLE = 2;
const NO_SIGNATURE = new Uint8Array(0);

/** Digest of a bundle with MACs: of all its bytes, so that two which are judged apart are never taken for one. */
function macBundleDigest(hash: Hash, domain: Domain, bytes: Uint8Array): Digest {
  return finishDigestOver(hash, domainWriter(domainTag('client', 'MAC-BUNDLE'), domain), bytes);
}

/**
 * What the tag of each request is over: cluster, client, session, number and operation, and between which numbers its
 * bundle lies, so that nobody but the client cuts a bundle in two. `clientId`: of the client key.
 */
export function requestMacDigests(
  hash: Hash,
  domain: Domain,
  clientId: Digest,
  bundle: Pick<Bundle, 'session' | 'requests'>,
): Digest[] {
  const { session, requests } = bundle;
  const { firstNumber, lastNumber, requestCount } = numbersOf(requests);
  const head = domainWriter(domainTag('client', 'MAC-REQUEST'), domain).digest(clientId).u64(session);
  const prefix = head.u64(firstNumber).u64(lastNumber).u32(requestCount).finish();
  return requests.map((request) => {
    const writer = new Writer(prefix.length + 12 + request.operation.length).raw(prefix);
    writeRequest(writer, request);
    return finishDigest(hash, writer);
  });
}

/** Makes a bundle with MACs; `tagOf` makes the tag (32 bytes) over a digest. */
export function macBundle(
  hash: Hash,
  domain: Domain,
  content: BundleContent,
  keyVersion: number,
  tagOf: (digest: Digest) => Uint8Array,
): Bundle {
  const { clientKey, session, requests } = content;
  const writer = new Writer(1024).u8(MAC_BUNDLE).raw(clientKey).u64(session).u32(keyVersion);
  writer.list(requests, writeRequest);
  const tags = new Uint8Array(TAG_BYTES * requests.length);
  const digests = requestMacDigests(hash, domain, clientIdOf(hash, clientKey), content);
  digests.forEach((digest, index) => tags.set(tagOf(digest), TAG_BYTES * index));
  const bytes = finishPiece(writer.raw(tags));
  const digest = macBundleDigest(hash, domain, bytes);
  const macs = { keyVersion, tags };
  return {
    clientKey,
    session,
    requests,
    ...numbersOf(requests),
    digest,
    bytes,
    signature: NO_SIGNATURE,
    macs,
  };
}

/** Where the number of requests stands in a bundle's bytes: behind version, key and session; with MACs the key's version. */
const REQUESTS_AT = 1 + 32 + 8;
const MAC_REQUESTS_AT = REQUESTS_AT + 4;

/** Reads the list of requests; `visit` is told where the operation began that the reader has just passed. */
function walkRequests(reader: Reader, visit: (number: RequestNumber, from: number) => void): number {
  let previous = 0;
  const count = reader.u32();
  if (count === 0 || count > BUNDLE_REQUESTS_MAX) reader.fail();
  for (let index = 0; index < count && !reader.failed; index += 1) {
    const number = reader.u64();
    const length = reader.u32();
    if (number <= previous || length > OPERATION_BYTES_MAX) reader.fail();
    previous = number;
    reader.skip(length);
    if (!reader.failed) visit(number, reader.position - length);
  }
  return count;
}

/**
 * A bundle as it came. It is kept until what orders it is stable, but the list of its requests only while somebody looks
 * at it: objects for each request that live that long would be most of what a replica has in memory.
 */
class ReceivedBundle implements Bundle {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  readonly clientKey: Uint8Array;
  readonly session: SessionId;
  readonly requestCount: number;
  readonly firstNumber: RequestNumber;
  readonly lastNumber: RequestNumber;
  readonly signature: Uint8Array;
  readonly macs?: BundleMacs;

  constructor(parts: Omit<Bundle, 'requests'>) {
    this.digest = parts.digest;
    this.bytes = parts.bytes;
    this.clientKey = parts.clientKey;
    this.session = parts.session;
    this.requestCount = parts.requestCount;
    this.firstNumber = parts.firstNumber;
    this.lastNumber = parts.lastNumber;
    this.signature = parts.signature;
    if (parts.macs !== undefined) this.macs = parts.macs;
  }

  get requests(): readonly Request[] {
    const requests: Request[] = [];
    const at = this.macs === undefined ? REQUESTS_AT : MAC_REQUESTS_AT;
    const reader = new Reader(this.bytes.subarray(at));
    walkRequests(reader, (number, from) => requests.push({ number, operation: reader.since(from) }));
    return requests;
  }
}

/** Reads a bundle; undefined if the bytes are not exactly one canonical, bounded bundle. Seals are not checked here. */
export function decodeBundle(hash: Hash, domain: Domain, bytes: Uint8Array): Bundle | undefined {
  if (bytes.length > BUNDLE_BYTES_MAX) return undefined;
  const reader = new Reader(bytes);
  const version = reader.u8();
  if (version !== 1 && version !== MAC_BUNDLE) return undefined;
  const clientKey = reader.raw(32);
  const session = reader.u64();
  const keyVersion = version === MAC_BUNDLE ? reader.u32() : 0;
  let firstNumber = 0;
  let lastNumber = 0;
  const requestCount = walkRequests(reader, (number) => {
    if (firstNumber === 0) firstNumber = number;
    lastNumber = number;
  });
  const body = reader.since(0);
  const numbers = { requestCount, firstNumber, lastNumber };
  if (version === MAC_BUNDLE) {
    const tags = reader.raw(TAG_BYTES * requestCount);
    if (!reader.done()) return undefined;
    const digest = macBundleDigest(hash, domain, bytes);
    const seal = { signature: NO_SIGNATURE, macs: { keyVersion, tags } };
    return new ReceivedBundle({ digest, bytes, clientKey, session, ...numbers, ...seal });
  }
  const signature = reader.raw(64);
  if (!reader.done()) return undefined;
  const digest = digestOfBundleBody(hash, domain, body);
  return new ReceivedBundle({ digest, bytes, clientKey, session, ...numbers, signature });
}

/** clientId = SHA-256 of the client's public key (decision C3). */
export function clientIdOf(hash: Hash, clientKey: Uint8Array): Digest {
  return bytesToDigest(hash(clientKey));
}

/** RECOVER: replica j asks to speak with a new trusted component. */
export interface RecoverRequest {
  readonly replica: ReplicaId;
  /** The incarnation that the registry must name when this takes effect. */
  readonly expectedIncarnation: Incarnation;
  readonly tcEpoch: TcEpoch;
  /** 16 bytes, hexadecimal. */
  readonly tcId: string;
  /** Raw public key, hexadecimal; empty for the HMAC suite. */
  readonly tcPublicKey: string;
  /** SHA-256 of the trusted program, as claimed; the evidence must say the same. */
  readonly measurement: Digest;
  /** Where the program runs, as claimed. */
  readonly footprint: string;
  /**
   * Evidence bundle (`trusted/attestation/bundle.ts`): the component's own seal over `possessionChallenge`, and what
   * others say about its code. Judged alike everywhere (decision A9, docs/decisions/0012); at most 8 KiB.
   */
  readonly evidence: Uint8Array;
  /** Ed25519 signature of the replica's host key over `recoverDigest`. */
  readonly signature: Uint8Array;
}

/** Bytes of a TC's evidence, at most. */
export const EVIDENCE_BYTES_MAX = 8 * 1024;
/** Name of a footprint in a RECOVER, at most. */
const FOOTPRINT_BYTES_MAX = 32;

function writeRecoverContent(writer: Writer, request: Omit<RecoverRequest, 'signature'>): Writer {
  return writer
    .u32(request.replica)
    .u32(request.expectedIncarnation)
    .tcEpoch(request.tcEpoch)
    .hex(request.tcId)
    .ascii(request.tcPublicKey)
    .digest(request.measurement)
    .ascii(request.footprint)
    .bytes(request.evidence);
}

/** Whose component it is, and which: what a proof of possession is about. */
export type PossessionContent = Pick<RecoverRequest, 'replica' | 'tcEpoch' | 'tcId' | 'tcPublicKey'>;

/**
 * What a component seals so that its replica may register it by RECOVER. It names the replica: a proof that was copied
 * from another replica's RECOVER proves nothing. Static, because keys are never used twice
 * (docs/decisions/0012).
 */
export function possessionChallenge(hash: Hash, domain: Domain, content: PossessionContent): Digest {
  const writer = domainWriter(domainTag('host', 'RECOVER-POSSESSION'), domain);
  writer.u32(content.replica).tcEpoch(content.tcEpoch).hex(content.tcId).ascii(content.tcPublicKey);
  return finishDigest(hash, writer);
}

/** Digest that the host key signs. */
export function recoverDigest(
  hash: Hash,
  domain: Domain,
  request: Omit<RecoverRequest, 'signature'>,
): Digest {
  return finishDigest(hash, writeRecoverContent(domainWriter(domainTag('host', 'RECOVER'), domain), request));
}

/** Writes a RECOVER with its signature. */
export function writeRecover(writer: Writer, request: RecoverRequest): void {
  writeRecoverContent(writer, request).raw(request.signature);
}

/** Reads a RECOVER; whether its seal holds is another question. */
export function readRecover(reader: Reader): RecoverRequest {
  const replica = reader.u32();
  const expectedIncarnation = reader.u32();
  const tcEpoch = reader.tcEpoch();
  const tcId = bytesToHex(reader.raw(16));
  const tcPublicKey = reader.ascii(130);
  const measurement = reader.digest();
  const footprint = reader.ascii(FOOTPRINT_BYTES_MAX);
  const evidence = reader.bytes(EVIDENCE_BYTES_MAX);
  const signature = reader.raw(64);
  return {
    replica,
    expectedIncarnation,
    tcEpoch,
    tcId,
    tcPublicKey,
    measurement,
    footprint,
    evidence,
    signature,
  };
}

/** The content of one sequence number. */
export interface Batch {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  /** View in which it was first proposed; survives re-proposal (decision D1). */
  readonly proposedInView: View;
  /** The primary's clock when it proposed (decision D4). */
  readonly time: Milliseconds;
  readonly recovers: readonly RecoverRequest[];
  readonly bundles: readonly Bundle[];
  /** For each bundle, whether its client seal holds: a pure function of the bytes. */
  readonly bundleAuthentic: readonly boolean[];
  /** For each RECOVER, whether its host seal and its evidence hold: a pure function of the bytes. */
  readonly recoverAuthentic: readonly boolean[];
}

/** What a primary puts into a batch. */
export interface BatchContent {
  readonly proposedInView: View;
  readonly time: Milliseconds;
  readonly recovers: readonly RecoverRequest[];
  readonly bundles: readonly Uint8Array[];
}

/** Bytes of a batch without RECOVER requests and bundles: version, view, time, two counts. */
const BATCH_HEAD_BYTES = 25;

/** Canonical bytes of a batch. */
export function encodeBatch(content: BatchContent): Uint8Array {
  let length = BATCH_HEAD_BYTES;
  for (const bytes of content.bundles) length += 4 + bytes.length;
  const writer = new Writer(length).u8(1).u64(content.proposedInView).u64(content.time);
  writer.list(content.recovers, writeRecover).list(content.bundles, (w, bytes) => w.bytes(bytes));
  return finishPiece(writer);
}

/** Digest that a proposal names. */
export function batchDigest(hash: Hash, domain: Domain, bytes: Uint8Array): Digest {
  return finishDigestOver(hash, domainWriter(domainTag('smr', 'BATCH'), domain), bytes);
}

/** A decoded batch whose seals were not looked at yet. */
export type UncheckedBatch = Omit<Batch, 'bundleAuthentic' | 'recoverAuthentic'>;

/** Reads a batch of at most `bundlesMax` bundles; undefined unless canonical. */
export function decodeBatch(
  hash: Hash,
  domain: Domain,
  bytes: Uint8Array,
  bundlesMax: number,
): UncheckedBatch | undefined {
  const content = decodeWhole(bytes, (reader) => {
    if (reader.u8() !== 1) reader.fail();
    const proposedInView = reader.u64();
    const time = reader.u64();
    const recovers = reader.list(BATCH_RECOVERS_MAX, readRecover);
    const encoded = reader.list(bundlesMax, (r) => r.bytes(BUNDLE_BYTES_MAX));
    return { proposedInView, time, recovers, encoded };
  });
  if (content === undefined) return undefined;
  const bundles: Bundle[] = [];
  for (const bundleBytes of content.encoded) {
    const bundle = decodeBundle(hash, domain, bundleBytes);
    if (bundle === undefined) return undefined;
    bundles.push(bundle);
  }
  const { proposedInView, time, recovers } = content;
  return { digest: batchDigest(hash, domain, bytes), bytes, proposedInView, time, recovers, bundles };
}

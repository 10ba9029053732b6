/**
 * Canonical bytes of the sealed messages that nest nothing but each other's headers. A sealed message is its draft
 * followed by its UI, so the bytes stored with an intent are a prefix of what is sent later.
 */
import { Writer } from '../../core/codec.ts';
import type { Reader } from '../../core/codec.ts';
import { finishDigest } from '../../core/domain.ts';
import type { UniqueIdentifier } from '../../core/protocol.ts';
import { BATCH_RECOVERS_MAX, readRecover, recoverDigest, writeRecover } from '../../core/request.ts';
import type { Digest, ReplicaId } from '../../core/types.ts';
import { digestOf, digestWriter } from './context.ts';
import type { StreamContext } from './context.ts';
import type {
  Checkpoint,
  CheckpointCertificate,
  CheckpointContent,
  CommitNewView,
  CommitNewViewContent,
  LogEntry,
  NewViewHeader,
  NewViewHeaderContent,
  NewViewReference,
  Owner,
  Prepare,
  PrepareContent,
  StreamPosition,
  StreamSummary,
  ViewChangeReference,
  ViewChangeStub,
  Vote,
  VoteContent,
} from './messages.ts';

/** First byte of every encoding. */
export const KIND = {
  PREPARE: 1,
  COMMIT: 2,
  CHECKPOINT: 3,
  'VIEW-CHANGE-STUB': 4,
  'NEW-VIEW-HEADER': 5,
  'COMMIT-NEW-VIEW': 6,
  'VIEW-CHANGE': 7,
  'NEW-VIEW': 8,
  'NEW-VIEW-CERTIFICATE': 9,
  'REQUEST-VIEW-CHANGE': 10,
  RECOVER: 11,
  STATUS: 12,
  'RESEND-REQUEST': 13,
  'STREAM-SYNC': 14,
  'CHECKPOINT-PROOF': 15,
  'FETCH-LINKS': 16,
  'FETCH-NEW-VIEW': 17,
  SPEC: 18,
  'STREAM-BATCH': 19,
  'COMMIT-VECTOR': 20,
} as const;

const NO_AUTHENTICATOR = new Uint8Array(0);

/** Reads the kind byte; anything but `expected` fails. */
export function readKind(reader: Reader, expected: number): void {
  if (reader.u8() !== expected) reader.fail();
}

/** Reads a replica id below n. */
export function readReplica(context: StreamContext, reader: Reader): ReplicaId {
  const replica = reader.u32();
  if (replica >= context.n) reader.fail();
  return replica;
}

/** Who made a seal, without the authenticator: the part that digests cover. */
export function writeUiName(writer: Writer, ui: UniqueIdentifier): Writer {
  return writer.u32(ui.replica).tcEpoch(ui.tcEpoch).u64(ui.counter);
}

/** Writes a UI; the reader knows the length of the authenticator from the suite. */
export function writeUi(writer: Writer, ui: UniqueIdentifier): Writer {
  return writeUiName(writer, ui).raw(ui.authenticator);
}

function readUiName(context: StreamContext, reader: Reader): Omit<UniqueIdentifier, 'authenticator'> {
  const replica = readReplica(context, reader);
  const tcEpoch = reader.tcEpoch();
  const counter = reader.u64();
  if (counter === 0) reader.fail();
  return { replica, tcEpoch, counter };
}

/** Reads a UI. */
export function readUi(context: StreamContext, reader: Reader): UniqueIdentifier {
  return { ...readUiName(context, reader), authenticator: reader.raw(context.authenticatorBytes) };
}

// ---- PREPARE

/** Draft bytes of PREPARE. */
export function writePrepareContent(writer: Writer, content: PrepareContent): void {
  writer.u8(KIND.PREPARE).u64(content.view).u64(content.configurationVersion).u64(content.newViewCounter);
  writer.u64(content.sequence).digest(content.batchDigest).list(content.recovers, writeRecover);
  if (content.run !== undefined) writer.u32(content.run);
}

/** Reads what `writePrepareContent` wrote. */
export function readPrepareContent(context: StreamContext, reader: Reader): PrepareContent {
  readKind(reader, KIND.PREPARE);
  const view = reader.u64();
  const configurationVersion = reader.u64();
  const newViewCounter = reader.u64();
  const sequence = reader.u64();
  const batchDigest = reader.digest();
  const recovers = reader.list(BATCH_RECOVERS_MAX, (r) => {
    const request = readRecover(r);
    if (request.replica >= context.n) r.fail();
    return request;
  });
  const content = { kind: 'PREPARE', view, configurationVersion, newViewCounter, sequence } as const;
  if (context.slots === undefined) return { ...content, batchDigest, recovers };
  const run = reader.u32();
  if (run < 1 || run > context.slots.runMax) reader.fail();
  return { ...content, batchDigest, recovers, run };
}

const NO_DIGESTS: readonly Digest[] = [];

/** Digests of the RECOVERs of a PREPARE, for their host seals. */
export function recoverDigestsOf(context: StreamContext, content: PrepareContent): readonly Digest[] {
  if (content.recovers.length === 0) return NO_DIGESTS;
  return content.recovers.map((request) => recoverDigest(context.hash, context.domain, request));
}

/** Reads a sealed PREPARE. */
export function readPrepare(context: StreamContext, reader: Reader): Prepare {
  const start = reader.position;
  const content = readPrepareContent(context, reader);
  const digest = digestOf(context, 'PREPARE', reader.since(start));
  const recoverDigests = reader.failed ? NO_DIGESTS : recoverDigestsOf(context, content);
  const ui = readUi(context, reader);
  return { ...content, ui, digest, bytes: reader.since(start), recoverDigests };
}

// ---- votes

/** Proposals in one COMMIT-VEC, at most. */
export const VECTOR_MAX = 256;

/** Draft bytes of a vote: the whole PREPARE header, seal included, and what this kind of vote says besides. */
export function writeVoteContent(writer: Writer, content: VoteContent): void {
  writer.u8(KIND[content.kind]);
  if (content.kind === 'COMMIT-VECTOR') {
    writer.list(content.prepares, (w, prepare) => w.raw(prepare.bytes));
    return;
  }
  writer.raw(content.prepare.bytes);
  if (content.kind === 'SPEC') writer.digest(content.history);
}

/** Reads what `writeVoteContent` wrote; a vote of another protocol fails. */
export function readVoteContent(context: StreamContext, reader: Reader): VoteContent {
  readKind(reader, KIND[context.vote]);
  if (context.vote === 'COMMIT-VECTOR')
    return { kind: 'COMMIT-VECTOR', prepares: reader.list(VECTOR_MAX, (r) => readPrepare(context, r)) };
  const prepare = readPrepare(context, reader);
  if (context.vote === 'COMMIT') return { kind: 'COMMIT', prepare };
  return { kind: 'SPEC', prepare, history: reader.digest() };
}

/** What the UI of a vote covers: the PREPARE and its place in the primary's stream, and the history of a SPEC. */
export function voteDigest(context: StreamContext, content: VoteContent): Digest {
  if (content.kind === 'COMMIT-VECTOR') {
    const vector = digestWriter(context, content.kind).list(content.prepares, (w, { digest, ui }) =>
      writeUiName(w.digest(digest), ui),
    );
    return finishDigest(context.hash, vector);
  }
  const writer = digestWriter(context, content.kind).digest(content.prepare.digest);
  writeUiName(writer, content.prepare.ui);
  return finishDigest(context.hash, content.kind === 'SPEC' ? writer.digest(content.history) : writer);
}

/** Reads a sealed vote. */
export function readVote(context: StreamContext, reader: Reader): Vote {
  const start = reader.position;
  const content = readVoteContent(context, reader);
  const digest = voteDigest(context, content);
  const ui = readUi(context, reader);
  return { ...content, ui, digest, bytes: reader.since(start) };
}

// ---- CHECKPOINT

function writeNewViewReference(writer: Writer, reference: NewViewReference): void {
  writer.u64(reference.view).u32(reference.incarnation).u64(reference.counter);
  writer.digest(reference.digest).u64(reference.end);
  if (reference.owners !== undefined) writer.list(reference.owners, writeOwner);
}

function readNewViewReference(context: StreamContext, reader: Reader): NewViewReference {
  const view = reader.u64();
  const incarnation = reader.u32();
  const counter = reader.u64();
  const reference = { view, incarnation, counter, digest: reader.digest(), end: reader.u64() };
  return context.slots === undefined ? reference : { ...reference, owners: readOwners(context, reader) };
}

function writeOwner(writer: Writer, owner: Owner): void {
  writer.u32(owner.replica).u32(owner.incarnation);
}

/** Reads owners; a view has at least one. */
function readOwners(context: StreamContext, reader: Reader): Owner[] {
  const owners = reader.list(context.n, (r) => ({ replica: readReplica(context, r), incarnation: r.u32() }));
  if (owners.length === 0) reader.fail();
  return owners;
}

function readSummary(context: StreamContext, reader: Reader): StreamSummary {
  const newView = readNewViewReference(context, reader);
  const lastSequence = reader.u64();
  const lastPrimaryCounter = reader.u64();
  const summary = { newView, lastSequence, lastPrimaryCounter, checkpointSequence: reader.u64() };
  if (context.slots === undefined) return summary;
  const last = reader.list(context.n, (r) => ({ sequence: r.u64(), counter: r.u64() }));
  if (last.length !== newView.owners?.length) reader.fail();
  return { ...summary, last };
}

/** Writes a position in a stream. */
export function writePosition(writer: Writer, position: StreamPosition): void {
  writer.u32(position.incarnation).u64(position.counter);
}

/** Reads one position for each replica, by id. */
export function readPositions(context: StreamContext, reader: Reader): StreamPosition[] {
  const positions = reader.list(context.n, (r) => ({ incarnation: r.u32(), counter: r.u64() }));
  if (positions.length !== context.n) reader.fail();
  return positions;
}

/** Draft bytes of CHECKPOINT. */
export function writeCheckpointContent(writer: Writer, content: CheckpointContent): void {
  const { self } = content;
  writer.u8(KIND.CHECKPOINT).u64(content.sequence).digest(content.stateDigest);
  writer.u64(content.last.view).u64(content.last.primaryCounter);
  writer.u64(content.configurationVersion).digest(content.registryDigest);
  writeNewViewReference(writer, self.newView);
  writer.u64(self.lastSequence).u64(self.lastPrimaryCounter).u64(self.checkpointSequence);
  if (self.last !== undefined)
    writer.list(self.last, (w, { sequence, counter }) => w.u64(sequence).u64(counter));
  writer.list(content.seen, writePosition);
}

/** Reads what `writeCheckpointContent` wrote. */
export function readCheckpointContent(context: StreamContext, reader: Reader): CheckpointContent {
  readKind(reader, KIND.CHECKPOINT);
  const sequence = reader.u64();
  const stateDigest = reader.digest();
  const last = { view: reader.u64(), primaryCounter: reader.u64() };
  const configurationVersion = reader.u64();
  const registryDigest = reader.digest();
  const self = readSummary(context, reader);
  const seen = readPositions(context, reader);
  return {
    kind: 'CHECKPOINT',
    sequence,
    stateDigest,
    last,
    configurationVersion,
    registryDigest,
    self,
    seen,
  };
}

/** Reads a sealed CHECKPOINT. */
export function readCheckpoint(context: StreamContext, reader: Reader): Checkpoint {
  const start = reader.position;
  const content = readCheckpointContent(context, reader);
  const digest = digestOf(context, 'CHECKPOINT', reader.since(start));
  const ui = readUi(context, reader);
  return { ...content, ui, digest, bytes: reader.since(start) };
}

/** Writes a certificate. */
export function writeCertificate(writer: Writer, certificate: CheckpointCertificate): void {
  writer.list(certificate.checkpoints, (w, checkpoint) => w.raw(checkpoint.bytes));
}

/** Reads CHECKPOINTs, one for each replica at most. */
export function readCheckpoints(context: StreamContext, reader: Reader): Checkpoint[] {
  return reader.list(context.n, (r) => readCheckpoint(context, r));
}

/** Reads what `writeCertificate` wrote. */
export function readCertificate(context: StreamContext, reader: Reader): CheckpointCertificate {
  return { checkpoints: readCheckpoints(context, reader) };
}

// ---- NEW-VIEW header

/** Draft bytes of NEW-VIEW. The quoted VIEW-CHANGEs are named without authenticators: nobody would check those. */
export function writeNewViewContent(writer: Writer, content: NewViewHeaderContent): void {
  writer.u8(KIND['NEW-VIEW-HEADER']).u64(content.view).u64(content.configurationVersion);
  writer.list(content.references, (w, reference) => writeUiName(w, reference.ui).digest(reference.digest));
  writer.u64(content.low).digest(content.lowDigest).digest(content.lowRegistryDigest);
  writer.u64(content.end).digest(content.baseDigest);
  if (content.owners !== undefined) writer.list(content.owners, writeOwner);
}

function readViewChangeReference(context: StreamContext, reader: Reader): ViewChangeReference {
  const name = readUiName(context, reader);
  const ui = { ...name, authenticator: NO_AUTHENTICATOR };
  return { replica: name.replica, ui, digest: reader.digest() };
}

/** Reads what `writeNewViewContent` wrote. */
export function readNewViewContent(context: StreamContext, reader: Reader): NewViewHeaderContent {
  readKind(reader, KIND['NEW-VIEW-HEADER']);
  const view = reader.u64();
  const configurationVersion = reader.u64();
  const references = reader.list(context.n, (r) => readViewChangeReference(context, r));
  const low = reader.u64();
  const lowDigest = reader.digest();
  const lowRegistryDigest = reader.digest();
  const end = reader.u64();
  const baseDigest = reader.digest();
  return {
    kind: 'NEW-VIEW-HEADER',
    view,
    configurationVersion,
    references,
    low,
    lowDigest,
    lowRegistryDigest,
    end,
    baseDigest,
    ...(context.slots === undefined ? {} : { owners: readOwners(context, reader) }),
  };
}

/** The content with what the wire leaves out removed, so that a decoded one equals it. */
export function normalNewViewContent(content: NewViewHeaderContent): NewViewHeaderContent {
  const references = content.references.map(({ ui, digest }) => ({
    replica: ui.replica,
    ui: { ...ui, authenticator: NO_AUTHENTICATOR },
    digest,
  }));
  return { ...content, references };
}

/** Reads a sealed NEW-VIEW header. */
export function readNewViewHeader(context: StreamContext, reader: Reader): NewViewHeader {
  const start = reader.position;
  const content = readNewViewContent(context, reader);
  const digest = digestOf(context, 'NEW-VIEW', reader.since(start));
  const ui = readUi(context, reader);
  return { ...content, ui, digest, bytes: reader.since(start) };
}

// ---- COMMIT-NV

/** Draft bytes of COMMIT-NV. */
export function writeCommitNewViewContent(writer: Writer, content: CommitNewViewContent): void {
  writer.u8(KIND['COMMIT-NEW-VIEW']).option(content.header, (w, header) => w.raw(header.bytes));
}

/** Reads what `writeCommitNewViewContent` wrote. */
export function readCommitNewViewContent(context: StreamContext, reader: Reader): CommitNewViewContent {
  readKind(reader, KIND['COMMIT-NEW-VIEW']);
  return { kind: 'COMMIT-NEW-VIEW', header: reader.option((r) => readNewViewHeader(context, r)) };
}

/** What the UI of a COMMIT-NV covers: the NEW-VIEW and its place in the primary's stream, or GENESIS-NV. */
export function commitNewViewDigest(context: StreamContext, content: CommitNewViewContent): Digest {
  const { header } = content;
  const writer = digestWriter(context, 'COMMIT-NEW-VIEW').bool(header !== undefined);
  if (header === undefined) writer.digest(context.genesisNewView);
  else writeUiName(writer.digest(header.digest), header.ui);
  return finishDigest(context.hash, writer);
}

/** Reads a sealed COMMIT-NV. */
export function readCommitNewView(context: StreamContext, reader: Reader): CommitNewView {
  const start = reader.position;
  const content = readCommitNewViewContent(context, reader);
  const digest = commitNewViewDigest(context, content);
  const ui = readUi(context, reader);
  return { ...content, ui, digest, bytes: reader.since(start) };
}

// ---- VIEW-CHANGE stub and log

/** What the UI of a VIEW-CHANGE covers. */
export function viewChangeDigest(
  context: StreamContext,
  content: { readonly view: number; readonly bodyDigest: Digest },
): Digest {
  const writer = digestWriter(context, 'VIEW-CHANGE').u64(content.view).digest(content.bodyDigest);
  return finishDigest(context.hash, writer);
}

function writeStub(writer: Writer, stub: ViewChangeStub): void {
  writer.u8(KIND['VIEW-CHANGE-STUB']).u64(stub.view).digest(stub.bodyDigest);
  writeUi(writer, stub.ui);
}

function readStub(context: StreamContext, reader: Reader): ViewChangeStub {
  readKind(reader, KIND['VIEW-CHANGE-STUB']);
  const view = reader.u64();
  const bodyDigest = reader.digest();
  const digest = viewChangeDigest(context, { view, bodyDigest });
  return { kind: 'VIEW-CHANGE-STUB', view, bodyDigest, ui: readUi(context, reader), digest };
}

/** Writes one entry of a log. */
export function writeLogEntry(writer: Writer, entry: LogEntry): void {
  if (entry.kind === 'VIEW-CHANGE-STUB') writeStub(writer, entry);
  else writer.raw(entry.bytes);
}

/** Reads one entry of a log. */
export function readLogEntry(context: StreamContext, reader: Reader): LogEntry {
  switch (reader.peek()) {
    case KIND.PREPARE:
      return readPrepare(context, reader);
    case KIND[context.vote]:
      return readVote(context, reader);
    case KIND.CHECKPOINT:
      return readCheckpoint(context, reader);
    case KIND['NEW-VIEW-HEADER']:
      return readNewViewHeader(context, reader);
    case KIND['COMMIT-NEW-VIEW']:
      return readCommitNewView(context, reader);
    default:
      return readStub(context, reader);
  }
}

/** Messages of Zyzzyva, and how they are written. The body of a batch travels apart, under its digest. */
import type { Reader } from '../../core/codec.ts';
import { decodeWhole, Writer } from '../../core/codec.ts';
import type { Digest, SequenceNumber, View } from '../../core/types.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import type { Sealed, SealedCodecOptions } from '../../smr/attested/sealed.ts';
import { isOf, SealedCodec } from '../../smr/attested/sealed.ts';
import type { Position } from './history.ts';

/** Name in settings, on the command line and in digests. */
export const PROTOCOL_NAME = 'zyzzyva';

/** The primary gives a batch its place. */
export interface OrderReq {
  readonly kind: 'ORDER-REQ';
  readonly view: View;
  readonly sequence: SequenceNumber;
  /** h_n. */
  readonly history: Digest;
  /** Digest of the batch body. */
  readonly digest: Digest;
}

/** What SPEC-RESPONSE and LOCAL-COMMIT are about: an order of a view that began with `base` (g of the README). */
export interface Core {
  readonly view: View;
  readonly base: Position;
  readonly sequence: SequenceNumber;
  readonly history: Digest;
}

/** The ordering core of an answer: this replica has executed the history up to here. 2f+1 equal ones are a certificate. */
export interface SpecResponse extends Core {
  readonly kind: 'SPEC-RESPONSE';
}

/** This replica holds a commit certificate that covers the core. Told to clients, by `answer`; replicas need it not. */
export interface LocalCommit extends Core {
  readonly kind: 'LOCAL-COMMIT';
}

/** Somebody lacks what comes after `after` in this view. */
export interface FillHole {
  readonly kind: 'FILL-HOLE';
  readonly view: View;
  readonly after: Position;
}

/** Proof of misbehaviour: the primary of the view did what no correct one does. */
export interface Pom {
  readonly kind: 'POM';
  readonly view: View;
  readonly proof: readonly Sealed<ZyzzyvaContent>[];
}

/** IHTP: this replica suspects the primary of the view. */
export interface Hate {
  readonly kind: 'I-HATE-THE-PRIMARY';
  readonly view: View;
}

/** Its author leaves for `view` and shows its history. */
export interface ViewChange {
  readonly kind: 'VIEW-CHANGE';
  readonly view: View;
  /** CHECKPOINTs of a quorum for the stable checkpoint; empty for genesis. */
  readonly checkpoints: readonly Sealed<ZyzzyvaContent>[];
  /** Last view that the author has entered. */
  readonly label: View;
  /** CC: equal SPEC-RESPONSEs or VIEW-CONFIRMs of a quorum, of view `label`; empty only for view 0. */
  readonly certificate: readonly Sealed<ZyzzyvaContent>[];
  /** Batches after the stable checkpoint. */
  readonly digests: readonly Digest[];
  /** Hash at the end of them. */
  readonly history: Digest;
  /** Why `view - 1` is left: f+1 IHTP, or what a POM shows. */
  readonly reason: readonly Sealed<ZyzzyvaContent>[];
}

/** The new primary shows a quorum of VIEW-CHANGEs, and the base that follows from them. */
export interface NewView {
  readonly kind: 'NEW-VIEW';
  readonly view: View;
  readonly viewChanges: readonly Sealed<ZyzzyvaContent>[];
  readonly base: Position;
}

/** Its author promises to enter `view` with this base and no other. Not a SPEC-RESPONSE: it has entered nothing yet. */
export interface ViewConfirm {
  readonly kind: 'VIEW-CONFIRM';
  readonly view: View;
  readonly base: Position;
}

/** A boundary was executed with this state, and a certificate of this view covers it. */
export interface Checkpoint {
  readonly kind: 'CHECKPOINT';
  readonly view: View;
  readonly sequence: SequenceNumber;
  readonly history: Digest;
  readonly stateDigest: Digest;
}

export type ZyzzyvaContent =
  | OrderReq
  | SpecResponse
  | LocalCommit
  | FillHole
  | Pom
  | Hate
  | ViewChange
  | NewView
  | ViewConfirm
  | Checkpoint;

/** A message of one kind. */
export type Message<C extends ZyzzyvaContent = ZyzzyvaContent> = Sealed<ZyzzyvaContent> & {
  readonly content: C;
};

/** Kinds, in the order of their tags. */
const KINDS = [
  'ORDER-REQ',
  'SPEC-RESPONSE',
  'LOCAL-COMMIT',
  'FILL-HOLE',
  'POM',
  'I-HATE-THE-PRIMARY',
  'VIEW-CHANGE',
  'NEW-VIEW',
  'VIEW-CONFIRM',
  'CHECKPOINT',
] as const satisfies readonly ZyzzyvaContent['kind'][];

/** Bytes of one message inside a client's proof, at most. */
const PROOF_MAX = 1_024;

function writePosition(writer: Writer, { length, history }: Position): void {
  writer.u64(length).digest(history);
}

function readPosition(reader: Reader): Position {
  return { length: reader.u64(), history: reader.digest() };
}

function writeCore(writer: Writer, core: Core): Writer {
  writer.u64(core.view);
  writePosition(writer, core.base);
  return writer.u64(core.sequence).digest(core.history);
}

function readCore(reader: Reader): Core {
  return {
    view: reader.u64(),
    base: readPosition(reader),
    sequence: reader.u64(),
    history: reader.digest(),
  };
}

function write(writer: Writer, content: ZyzzyvaContent, codec: SealedCodec<ZyzzyvaContent>): void {
  switch (content.kind) {
    case 'ORDER-REQ':
      writer.u64(content.view).u64(content.sequence).digest(content.history).digest(content.digest);
      return;
    case 'SPEC-RESPONSE':
    case 'LOCAL-COMMIT':
      writeCore(writer, content);
      return;
    case 'FILL-HOLE':
      return writePosition(writer.u64(content.view), content.after);
    case 'POM':
      writer.u64(content.view).list(content.proof, codec.writeSealed);
      return;
    case 'I-HATE-THE-PRIMARY':
      writer.u64(content.view);
      return;
    case 'VIEW-CHANGE':
      writer.u64(content.view).list(content.checkpoints, codec.writeSealed).u64(content.label);
      writer.list(content.certificate, codec.writeSealed);
      writer.list(content.digests, (w, digest) => w.digest(digest)).digest(content.history);
      writer.list(content.reason, codec.writeSealed);
      return;
    case 'NEW-VIEW':
      writer.u64(content.view).list(content.viewChanges, codec.writeSealed);
      return writePosition(writer, content.base);
    case 'VIEW-CONFIRM':
      return writePosition(writer.u64(content.view), content.base);
    case 'CHECKPOINT':
      writer.u64(content.view).u64(content.sequence).digest(content.history).digest(content.stateDigest);
  }
}

function read(
  kind: ZyzzyvaContent['kind'],
  reader: Reader,
  codec: SealedCodec<ZyzzyvaContent>,
): ZyzzyvaContent {
  const oneOfEach = (): Sealed<ZyzzyvaContent>[] => reader.list(codec.members, codec.readSealed);
  // A proof against a primary is its own word and one of each.
  const proof = (): Sealed<ZyzzyvaContent>[] => reader.list(codec.members + 1, codec.readSealed);
  const view = kind === 'SPEC-RESPONSE' || kind === 'LOCAL-COMMIT' ? 0 : reader.u64();
  switch (kind) {
    case 'ORDER-REQ':
      return { kind, view, sequence: reader.u64(), history: reader.digest(), digest: reader.digest() };
    case 'SPEC-RESPONSE':
    case 'LOCAL-COMMIT':
      return { kind, ...readCore(reader) };
    case 'FILL-HOLE':
      return { kind, view, after: readPosition(reader) };
    case 'POM':
      return { kind, view, proof: proof() };
    case 'I-HATE-THE-PRIMARY':
      return { kind, view };
    case 'VIEW-CHANGE':
      return {
        kind,
        view,
        checkpoints: oneOfEach(),
        label: reader.u64(),
        certificate: oneOfEach(),
        // The own stable checkpoint may be a window below the base of the view.
        digests: reader.list(2 * codec.window, (r) => r.digest()),
        history: reader.digest(),
        reason: proof(),
      };
    case 'NEW-VIEW':
      return { kind, view, viewChanges: oneOfEach(), base: readPosition(reader) };
    case 'VIEW-CONFIRM':
      return { kind, view, base: readPosition(reader) };
    case 'CHECKPOINT':
      return {
        kind,
        view,
        sequence: reader.u64(),
        history: reader.digest(),
        stateDigest: reader.digest(),
      };
  }
}

function quoted(content: ZyzzyvaContent): readonly Sealed<ZyzzyvaContent>[] {
  switch (content.kind) {
    case 'POM':
      return content.proof;
    case 'VIEW-CHANGE':
      return [...content.checkpoints, ...content.certificate, ...content.reason];
    case 'NEW-VIEW':
      return content.viewChanges;
    default:
      return [];
  }
}

/** What the codec is made of. */
export const ZYZZYVA_MESSAGES: SealedCodecOptions<ZyzzyvaContent> = {
  protocol: PROTOCOL_NAME,
  kinds: KINDS,
  write,
  read,
  quoted,
};

/** Equal for cores that count together; never equal for two views or two bases. */
export function coreKey({ view, base, sequence, history }: Core): string {
  return `${view}/${base.length}/${base.history}/${sequence}/${history}`;
}

// ---- what answers carry --------------------------------------------------------------------------------------------

const SPECULATIVE = 0;
const COMMITTED = 1;
const CODEC_WITHOUT_DIGESTS = new SealedCodec<ZyzzyvaContent>(
  { hash: (bytes) => bytes, domain: { clusterId: ZERO_DIGEST, configurationVersion: 0 } },
  ZYZZYVA_MESSAGES,
);

/** Proof of a speculative answer: the signed core. */
export function encodeSpecProof(message: Message<SpecResponse>): Uint8Array {
  const signed = new Writer(256);
  CODEC_WITHOUT_DIGESTS.writeSealed(signed, message);
  return new Writer(256).u8(SPECULATIVE).bytes(signed.finish()).finish();
}

/** Proof of a committed answer: which core; the signature of the answer covers it. */
export function encodeCommitProof(core: Core): Uint8Array {
  return writeCore(new Writer(128).u8(COMMITTED), core).finish();
}

/** What a proof says. */
export type AnswerProof =
  | { readonly kind: 'speculative'; readonly message: Message<SpecResponse> }
  | { readonly kind: 'committed'; readonly core: Core };

/** Reads a proof; undefined unless canonical. */
export function decodeProof(bytes: Uint8Array, codec: SealedCodec<ZyzzyvaContent>): AnswerProof | undefined {
  return decodeWhole(bytes, (reader): AnswerProof | undefined => {
    const kind = reader.u8();
    if (kind === COMMITTED) return { kind: 'committed', core: readCore(reader) };
    const signed = kind === SPECULATIVE ? reader.bytes(PROOF_MAX) : undefined;
    const message = signed === undefined ? undefined : decodeWhole(signed, codec.readSealed);
    if (isOf(message, 'SPEC-RESPONSE')) return { kind: 'speculative', message };
    reader.fail();
    return undefined;
  });
}

/** The COMMIT of a client: a message with the SPEC-RESPONSEs of these proofs. */
export function joinProofs(proofs: readonly Uint8Array[]): Uint8Array {
  const messages: Sealed<ZyzzyvaContent>[] = [];
  for (const proof of proofs) {
    const read = decodeProof(proof, CODEC_WITHOUT_DIGESTS);
    if (read?.kind === 'speculative') messages.push(read.message);
  }
  return CODEC_WITHOUT_DIGESTS.encode({ kind: 'PROOF', messages });
}

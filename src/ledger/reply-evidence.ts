/**
 * Evidence of a wrong signed reply: one signed reply that contradicts f+1 signed replies of distinct replicas about the
 * same request of the same session. Self-contained; a trust file is enough to verify it offline. Pure, for browsers too.
 *
 * Why it proves: a session executes each request number at most once, session numbers are never given twice (decision
 * C4), and what correct replicas sign about an execution is a function of the executed sequence. One of f+1 signers is
 * correct, so whoever signed something else is not. What proves nothing is left out: `view` is a hint; "forgotten" says
 * only that a replica does not keep the result any more; session 0 (OPEN) is shared by all clients and a refused OPEN
 * may be tried again; what may still be undone (a standing below `final`) is a correct replica's right to say otherwise
 * later. It holds as long as replicas lose nothing that they acknowledged (`--durability fsync`).
 */
import { digestToBytes, equalBytes } from '../core/bytes.ts';
import { readReplyContent, REPLY_TAG } from '../core/client-wire.ts';
import type { ReplyContent, WireResult } from '../core/client-wire.ts';
import type { Reader, Writer } from '../core/codec.ts';
import { decodeWhole } from '../core/codec.ts';
import type { Domain } from '../core/domain.ts';
import { domainTag, domainWriter, finishDigest } from '../core/domain.ts';
import type { Standing } from '../core/protocol.ts';
import type {
  ConfigurationVersion,
  Digest,
  Hash,
  ReplicaId,
  RequestNumber,
  SessionId,
} from '../core/types.ts';
import { errorOfResult } from './operation.ts';
import type { Trust } from './trust.ts';
import { PORTABLE_VERIFIER_CRYPTO } from './verify.ts';
import type { VerifierCrypto } from './verify.ts';

/** Name of the rule that such evidence speaks of. */
export const WRONG_REPLY = 'wrongReply';
/** Bytes of a record, at most. */
export const REPLY_EVIDENCE_BYTES_MAX = 4 * 1024 * 1024;
const REPLY_BYTES_MAX = 2 * 1024 * 1024;
const WITNESSES_MAX = 128;
const SIGNATURE_BYTES = 64;
const FORMAT_TAG = domainTag('evidence', 'WRONG-REPLY');

/** A reply as it was signed. */
export interface SignedBytes {
  /** Canonical bytes of a `ReplyContent`. */
  readonly content: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/** A record before it is judged. */
export interface ReplyEvidence {
  readonly clusterId: Digest;
  readonly configurationVersion: ConfigurationVersion;
  readonly session: SessionId;
  readonly number: RequestNumber;
  readonly wrong: SignedBytes;
  /** Of f+1 distinct replicas, ascending by replica. */
  readonly right: readonly SignedBytes[];
}

/** Why bytes prove nothing. */
export type ReplyEvidenceFault =
  | 'notCanonical'
  | 'otherCluster'
  | 'otherConfiguration'
  | 'wrongNumberOfWitnesses'
  | 'unknownReplica'
  | 'witnessesDisagree'
  | 'notFinal'
  | 'noContradiction'
  | 'badSignature';

/** A judgement. */
export type ReplyEvidenceVerdict =
  | { readonly valid: false; readonly fault: ReplyEvidenceFault }
  | {
      readonly valid: true;
      /** Who signed the wrong reply. */
      readonly replica: ReplicaId;
      readonly claimed: WireResult;
      readonly agreed: WireResult;
      readonly witnesses: readonly ReplicaId[];
      /** One sentence for people. */
      readonly explanation: string;
    };

/** Digest that a host key signs for a reply whose content is already encoded (decision B6). */
export function signedReplyDigest(hash: Hash, domain: Domain, content: Uint8Array): Digest {
  return finishDigest(hash, domainWriter(REPLY_TAG, domain).raw(content));
}

/** Whether two results say the same about one request. */
export function sameWireResult(a: WireResult, b: WireResult): boolean {
  if (a === b) return true;
  return (
    a.number === b.number &&
    a.txId === b.txId &&
    a.sequence === b.sequence &&
    a.height === b.height &&
    equalBytes(a.result, b.result)
  );
}

/** Whether a result states what came of the request; "forgotten" does not. */
export function isStatement({ result }: WireResult): boolean {
  const error = errorOfResult(result);
  return error !== 'resultForgotten' && error !== 'requestForgotten';
}

/** Whether no correct replica can have signed `claimed` if a correct one signed `agreed`; see the top of this file. */
export function isContradiction(session: SessionId, agreed: WireResult, claimed: WireResult): boolean {
  if (session === 0 || agreed.number !== claimed.number || sameWireResult(agreed, claimed)) return false;
  return isStatement(agreed) && isStatement(claimed);
}

function writeSigned(writer: Writer, { content, signature }: SignedBytes): void {
  writer.bytes(content).raw(signature);
}

function readSigned(reader: Reader): SignedBytes {
  return { content: reader.bytes(REPLY_BYTES_MAX), signature: reader.raw(SIGNATURE_BYTES) };
}

/** Canonical bytes of a record. */
export function encodeReplyEvidence(evidence: ReplyEvidence): Uint8Array {
  const writer = domainWriter(FORMAT_TAG, evidence).u64(evidence.session).u64(evidence.number);
  writeSigned(writer, evidence.wrong);
  return writer.list(evidence.right, writeSigned).finish();
}

/** Reads a record; undefined unless canonical and bounded. Nothing in it is verified yet. */
export function decodeReplyEvidence(bytes: Uint8Array): ReplyEvidence | undefined {
  if (bytes.length > REPLY_EVIDENCE_BYTES_MAX) return undefined;
  return decodeWhole(bytes, (reader) => {
    if (reader.ascii(FORMAT_TAG.length) !== FORMAT_TAG) reader.fail();
    return {
      clusterId: reader.digest(),
      configurationVersion: reader.u64(),
      session: reader.u64(),
      number: reader.u64(),
      wrong: readSigned(reader),
      right: reader.list(WITNESSES_MAX, readSigned),
    };
  });
}

/** One reply of a record, read. */
interface Said extends SignedBytes {
  readonly replica: ReplicaId;
  readonly standing: Standing;
  readonly result: WireResult;
}

/** What a reply says about the request of the record; undefined if nothing, or if it is not canonical. */
function readSaid(evidence: ReplyEvidence, signed: SignedBytes): Said | undefined {
  const reply: ReplyContent | undefined = decodeWhole(signed.content, readReplyContent);
  const result = reply?.results.find(({ number }) => number === evidence.number);
  if (reply?.session !== evidence.session || result === undefined) return undefined;
  return { ...signed, replica: reply.replica, standing: reply.standing, result };
}

const fault = (which: ReplyEvidenceFault): ReplyEvidenceVerdict => ({ valid: false, fault: which });

/**
 * Judges a record against what is trusted of a cluster. Never throws, whatever the bytes. Valid means: this replica
 * signed a result that no correct replica can have signed.
 */
export function verifyReplyEvidence(
  bytes: Uint8Array,
  trust: Trust,
  crypto: VerifierCrypto = PORTABLE_VERIFIER_CRYPTO,
): ReplyEvidenceVerdict {
  const evidence = decodeReplyEvidence(bytes);
  if (evidence === undefined) return fault('notCanonical');
  if (evidence.clusterId !== trust.clusterId) return fault('otherCluster');
  if (evidence.configurationVersion !== trust.configurationVersion) return fault('otherConfiguration');
  const wrong = readSaid(evidence, evidence.wrong);
  const right = evidence.right.map((signed) => readSaid(evidence, signed));
  if (wrong === undefined) return fault('notCanonical');
  const known = right.filter((said) => said !== undefined);
  if (known.length !== right.length) return fault('notCanonical');
  const distinct = known.every((said, at) => at === 0 || known[at - 1]!.replica < said.replica);
  if (!distinct || known.length !== trust.f + 1) return fault('wrongNumberOfWitnesses');
  if ([wrong, ...known].some(({ standing }) => standing !== 'final')) return fault('notFinal');
  const agreed = known[0]!.result;
  if (known.some((said) => !sameWireResult(said.result, agreed))) return fault('witnessesDisagree');
  if (!isContradiction(evidence.session, agreed, wrong.result)) return fault('noContradiction');
  for (const said of [wrong, ...known]) {
    const key = trust.hostKeys[said.replica];
    if (key === undefined) return fault('unknownReplica');
    const digest = digestToBytes(signedReplyDigest(crypto.hash, trust, said.content));
    if (!crypto.verifySignature(key, digest, said.signature)) return fault('badSignature');
  }
  const witnesses = known.map(({ replica }) => replica);
  return {
    valid: true,
    replica: wrong.replica,
    claimed: wrong.result,
    agreed,
    witnesses,
    explanation:
      `replica ${wrong.replica} signed ${differenceOf(agreed, wrong.result)} for request ${evidence.number} of ` +
      `session ${evidence.session}, where replicas ${witnesses.join(', ')} signed the same other answer`,
  };
}

/** Which part of the answer is a lie. */
function differenceOf(agreed: WireResult, claimed: WireResult): string {
  if (claimed.txId !== agreed.txId) return `transaction ${claimed.txId.slice(0, 12)}…`;
  if (claimed.sequence !== agreed.sequence)
    return `sequence number ${claimed.sequence} (not ${agreed.sequence})`;
  if (claimed.height !== agreed.height) return `block height ${claimed.height} (not ${agreed.height})`;
  return 'a wrong result';
}

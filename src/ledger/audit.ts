/**
 * Audit of a whole ledger copy, offline: the chain of blocks, their roots, their signatures, and that no request was
 * executed twice. Streaming: a block is forgotten when it was checked. What stays in memory is, for each session ever
 * used, at most one window of request numbers.
 */
import type {
  Digest,
  Height,
  Milliseconds,
  RequestNumber,
  SequenceNumber,
  SessionId,
} from '../core/types.ts';
import { ZERO_DIGEST } from '../core/types.ts';
import { blockRootsFit, decodeBlock } from './block.ts';
import type { Block, BlockHeader, HeaderSignature, Transaction } from './contract.ts';
import type { Trust } from './trust.ts';
import type { VerifierCrypto } from './verify.ts';
import { PORTABLE_VERIFIER_CRYPTO, validHeaderSignatures } from './verify.ts';

/** Problems that are described; further ones are only counted. */
const PROBLEMS_MAX = 100;
/** Height ranges that are listed; further blocks without enough signatures are only counted. */
const RANGES_MAX = 1000;
/** Window of request numbers that a session may have, unless the caller says otherwise (`sessionWindowMax`). */
const SESSION_WINDOW_DEFAULT = 8192;

/** One block of the copy, in order of height. */
export interface AuditEntry {
  /** Canonical bytes of the block. */
  readonly bytes: Uint8Array;
  readonly signatures: readonly HeaderSignature[];
}

/** What can be wrong with a copy. Each is impossible in the ledger of a correct replica. */
export type AuditProblemKind =
  | 'undecodable'
  | 'otherCluster'
  | 'otherConfiguration'
  | 'heightNotDense'
  | 'brokenChain'
  | 'sequenceNotAscending'
  | 'timeWentBack'
  | 'checkpointWentBack'
  | 'rootsDoNotFit'
  | 'executedTwice'
  | 'numberOutOfWindow'
  | 'sessionOfTwoClients'
  | 'noSession';

/** One problem. `height` is that of the block, or the one it should have had. */
export interface AuditProblem {
  readonly kind: AuditProblemKind;
  readonly height: Height;
  readonly detail: string;
}

/** Consecutive blocks with equally many (too few) valid signatures. */
export interface SignatureRange {
  readonly from: Height;
  readonly to: Height;
  /** Valid signatures of each of these blocks, below f+1. */
  readonly signatures: number;
}

/** What an audit found. */
export interface AuditReport {
  /** No problem was found. Blocks above `provenHeight` are then consistent, but not proved. */
  readonly sound: boolean;
  readonly blocks: number;
  readonly transactions: number;
  readonly sessions: number;
  /** Height and header hash of the last block; 0 and ZERO_DIGEST if there is none. */
  readonly height: Height;
  readonly headerHash: Digest;
  /**
   * Highest block with f+1 valid signatures whose chain down to the first block is unbroken: it and everything below
   * is the one ledger of the cluster, for signed headers name their predecessors by hash.
   */
  readonly provenHeight: Height;
  /** Ranges of blocks with fewer than f+1 valid signatures of their own. */
  readonly lackingSignatures: readonly SignatureRange[];
  /** Blocks in such ranges, listed or not. */
  readonly blocksLackingSignatures: number;
  /** Signatures in the copy that are wrong, repeated or of no member. */
  readonly badSignatures: number;
  readonly problemCount: number;
  readonly firstProblem: AuditProblem | undefined;
  /** The first hundred problems. */
  readonly problems: readonly AuditProblem[];
}

/** Settings of an audit. */
export interface AuditOptions {
  readonly trust: Trust;
  readonly crypto?: VerifierCrypto;
  /** `limits.sessionWindowMax` of the cluster. */
  readonly sessionWindowMax?: number;
}

/** Request numbers of one session that were seen, as far back as a correct replica could still execute one. */
class SessionTrack {
  readonly clientId: Digest;
  /** Numbers at or below are done or too old. */
  #low = 0;
  #highest = 0;
  readonly #done = new Set<RequestNumber>();

  constructor(clientId: Digest) {
    this.clientId = clientId;
  }

  add(number: RequestNumber, window: number): 'new' | 'executedTwice' | 'numberOutOfWindow' {
    if (this.#done.has(number)) return 'executedTwice';
    // Numbers without a leaf (reads) only make the real window stand higher than this one, never lower.
    if (number <= this.#highest - window) return 'numberOutOfWindow';
    if (number <= this.#low) return 'executedTwice';
    this.#done.add(number);
    if (number > this.#highest) this.#raise(number, window);
    while (this.#done.delete(this.#low + 1)) this.#low += 1;
    return 'new';
  }

  #raise(number: RequestNumber, window: number): void {
    this.#highest = number;
    const low = Math.max(this.#low, number - window);
    if (low - this.#low > window) {
      for (const done of this.#done) if (done <= low) this.#done.delete(done);
    } else {
      for (let old = this.#low + 1; old <= low; old += 1) this.#done.delete(old);
    }
    this.#low = low;
  }
}

/** An audit under way: `add` each block in order, then `finish`. */
export class LedgerAudit {
  readonly #trust: Trust;
  readonly #crypto: VerifierCrypto;
  readonly #window: number;
  readonly #sessions = new Map<SessionId, SessionTrack>();
  readonly #problems: AuditProblem[] = [];
  #problemCount = 0;
  readonly #ranges: SignatureRange[] = [];
  #blocksLacking = 0;
  #badSignatures = 0;
  #blocks = 0;
  #transactions = 0;
  #height: Height = 0;
  /** Header hash of the block before; undefined after one that could not be decoded. */
  #previous: Digest | undefined = ZERO_DIGEST;
  #headerHash: Digest = ZERO_DIGEST;
  #sequence: SequenceNumber = 0;
  #time: Milliseconds = 0;
  #checkpointHeight: Height = 0;
  #unbroken = true;
  #provenHeight: Height = 0;

  constructor(options: AuditOptions) {
    this.#trust = options.trust;
    this.#crypto = options.crypto ?? PORTABLE_VERIFIER_CRYPTO;
    this.#window = options.sessionWindowMax ?? SESSION_WINDOW_DEFAULT;
  }

  #report(kind: AuditProblemKind, height: Height, detail: string): void {
    this.#problemCount += 1;
    if (this.#problems.length < PROBLEMS_MAX) this.#problems.push({ kind, height, detail });
  }

  /** Checks the next block. Never throws, whatever the bytes. */
  add(entry: AuditEntry): void {
    this.#blocks += 1;
    const block = decodeBlock(this.#crypto.hash, entry.bytes);
    if (block === undefined) {
      this.#height += 1;
      this.#previous = undefined;
      this.#unbroken = false;
      this.#report('undecodable', this.#height, `${entry.bytes.length} bytes are not a block`);
      return;
    }
    this.#checkHeader(block);
    this.#checkSignatures(block, entry.signatures);
    this.#transactions += block.transactions.length;
    for (const transaction of block.transactions) this.#checkOnce(transaction, block.header.height);
  }

  #checkHeader(block: Block): void {
    const { header } = block;
    const before = this.#problemCount;
    for (const [kind, detail] of this.#headerProblems(header)) this.#report(kind, header.height, detail);
    if (!blockRootsFit(this.#crypto.hash, block)) {
      const detail = 'the roots in the header are not those of the transactions and results';
      this.#report('rootsDoNotFit', header.height, detail);
    }
    if (this.#problemCount > before) this.#unbroken = false;
    this.#height = header.height;
    this.#previous = block.headerHash;
    this.#headerHash = block.headerHash;
    this.#sequence = header.sequence;
    this.#time = header.time;
    this.#checkpointHeight = header.checkpoint.height;
  }

  #headerProblems(header: BlockHeader): [AuditProblemKind, string][] {
    const { clusterId, configurationVersion, height, sequence, time, checkpoint } = header;
    const found: [AuditProblemKind, string][] = [];
    if (clusterId !== this.#trust.clusterId) found.push(['otherCluster', `block of cluster ${clusterId}`]);
    if (configurationVersion !== this.#trust.configurationVersion)
      found.push(['otherConfiguration', `block of membership ${configurationVersion}`]);
    if (height !== this.#height + 1)
      found.push(['heightNotDense', `height ${height} follows height ${this.#height}`]);
    if (this.#previous !== undefined && header.previous !== this.#previous)
      found.push(['brokenChain', `names ${header.previous}, but the block before is ${this.#previous}`]);
    if (sequence <= this.#sequence)
      found.push(['sequenceNotAscending', `sequence ${sequence} follows ${this.#sequence}`]);
    if (time < this.#time) found.push(['timeWentBack', `time ${time} follows ${this.#time}`]);
    if (checkpoint.height < this.#checkpointHeight || checkpoint.height > height)
      found.push(['checkpointWentBack', `checkpoint ${checkpoint.height} follows ${this.#checkpointHeight}`]);
    return found;
  }

  #checkSignatures(block: Block, signatures: readonly HeaderSignature[]): void {
    const needed = this.#trust.f + 1;
    const members = this.#trust.hostKeys.length;
    // More than one for each member are not looked at: nobody correct stores them.
    const offered = signatures.slice(0, members);
    const valid = validHeaderSignatures(block.headerHash, offered, this.#trust, this.#crypto).length;
    this.#badSignatures += signatures.length - valid;
    const { height } = block.header;
    if (valid >= needed) {
      if (this.#unbroken) this.#provenHeight = height;
      return;
    }
    this.#blocksLacking += 1;
    const last = this.#ranges.at(-1);
    if (last !== undefined && last.to === height - 1 && last.signatures === valid)
      this.#ranges[this.#ranges.length - 1] = { ...last, to: height };
    else if (this.#ranges.length < RANGES_MAX)
      this.#ranges.push({ from: height, to: height, signatures: valid });
  }

  #checkOnce(transaction: Transaction, height: Height): void {
    const { session, number, clientId, id } = transaction;
    const name = `transaction ${id} (session ${session}, request ${number})`;
    // Opening a session makes no leaf (decision D2), so every leaf belongs to an open one.
    if (session === 0 || number === 0) return this.#report('noSession', height, `${name} has no session`);
    let track = this.#sessions.get(session);
    if (track === undefined) {
      track = new SessionTrack(clientId);
      this.#sessions.set(session, track);
    }
    if (track.clientId !== clientId)
      return this.#report('sessionOfTwoClients', height, `${name} uses another client's session`);
    const standing = track.add(number, this.#window);
    if (standing === 'executedTwice') this.#report('executedTwice', height, `${name} was executed before`);
    if (standing === 'numberOutOfWindow')
      this.#report('numberOutOfWindow', height, `${name} is too old to be executed any more`);
  }

  /** What was found. */
  finish(): AuditReport {
    return {
      sound: this.#problemCount === 0,
      blocks: this.#blocks,
      transactions: this.#transactions,
      sessions: this.#sessions.size,
      height: this.#height,
      headerHash: this.#headerHash,
      provenHeight: this.#provenHeight,
      lackingSignatures: [...this.#ranges],
      blocksLackingSignatures: this.#blocksLacking,
      badSignatures: this.#badSignatures,
      problemCount: this.#problemCount,
      firstProblem: this.#problems[0],
      problems: [...this.#problems],
    };
  }
}

/** Audits blocks in order of height, starting with block 1. */
export function auditLedger(entries: Iterable<AuditEntry>, options: AuditOptions): AuditReport {
  const audit = new LedgerAudit(options);
  for (const entry of entries) audit.add(entry);
  return audit.finish();
}

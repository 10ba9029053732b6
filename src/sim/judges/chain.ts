/**
 * Ledgers on disks and receipts from them. What a correct replica stores is the agreed chain, from the first block on,
 * after restarts and transfers too (`chain`). A correct replica signs only headers of that chain; receipts that verify
 * tell what the chain tells, and never two things of one transaction (`receipt`, check S10).
 */
import { bytesToHex } from '../../core/bytes.ts';
import type { Digest, Hash, Height, ReplicaId } from '../../core/types.ts';
import type { HeaderSignature } from '../../ledger/contract.ts';
import type { Trust } from '../../ledger/trust.ts';
import { encodeReceipt, makeReceipt } from '../../ledger/receipt.ts';
import { validHeaderSignatures, verifyReceipt } from '../../ledger/verify.ts';
import type { VerifierCrypto } from '../../ledger/verify.ts';
import type { Bench } from './bench.ts';
import type { OrderJudge } from './order.ts';

/** Receipts that are made and verified at the end of a run, at most. */
const RECEIPTS_MAX = 12;

/** What receipts are verified with. */
export interface ReceiptVerifier {
  readonly hash: Hash;
  readonly trust: Trust;
  readonly crypto: VerifierCrypto;
}

/** Blocks that a replica stores. */
export interface StoredChain {
  readonly replica: ReplicaId;
  readonly height: Height;
  readonly read: (height: Height) => Uint8Array | undefined;
}

/** See the top of this file. */
export class ChainJudge {
  readonly #bench: Bench;
  readonly #order: OrderJudge;
  readonly #verifier: ReceiptVerifier | undefined;
  /** Header signatures that replicas keep, by height, then header hash. */
  readonly #signatures = new Map<Height, Map<Digest, Map<ReplicaId, HeaderSignature>>>();
  /** Receipts that were verified. */
  receipts = 0;

  constructor(bench: Bench, order: OrderJudge, verifier: ReceiptVerifier | undefined) {
    this.#bench = bench;
    this.#order = order;
    this.#verifier = verifier;
  }

  /** A correct replica keeps a header signature, its own or one that it was told. */
  onHeaderSigned(keeper: ReplicaId, height: Height, headerHash: Digest, signature: HeaderSignature): void {
    const agreed = this.#order.blockAt(height);
    if (signature.replica === keeper && agreed !== undefined && agreed.headerHash !== headerHash)
      this.#bench.report(
        'receipt',
        `replica ${keeper} signed another header at ${height} than the agreed one`,
      );
    const headers = this.#signatures.get(height) ?? new Map<Digest, Map<ReplicaId, HeaderSignature>>();
    this.#signatures.set(height, headers);
    const signers = headers.get(headerHash) ?? new Map<ReplicaId, HeaderSignature>();
    headers.set(headerHash, signers);
    // What a liar gave may differ from keeper to keeper; the first one is as good as any.
    if (!signers.has(signature.replica)) signers.set(signature.replica, signature);
  }

  /** At the end: compares the stored chains with the agreed one. */
  checkStored(chains: readonly StoredChain[]): void {
    for (const { replica, height, read } of chains) {
      if (height > this.#order.height)
        this.#bench.report(
          'chain',
          `replica ${replica} stores ${height} blocks, ${this.#order.height} are agreed`,
        );
      for (let at = 1; at <= Math.min(height, this.#order.height); at += 1) {
        const bytes = read(at);
        const agreed = this.#order.blockAt(at)!;
        if (bytes === undefined)
          this.#bench.report('chain', `replica ${replica} stores ${height} blocks, but not number ${at}`);
        else if (bytes !== agreed.bytes && bytesToHex(bytes) !== bytesToHex(agreed.bytes))
          this.#bench.report('chain', `block ${at} of replica ${replica} is not the agreed one`);
        else continue;
        break;
      }
    }
  }

  /** At the end: makes receipts of what was signed, and compares what they prove. */
  checkReceipts(): void {
    const verifier = this.#verifier;
    if (verifier === undefined) return;
    const heights = [...this.#signatures.keys()].sort((a, b) => a - b);
    const step = Math.max(1, Math.ceil(heights.length / RECEIPTS_MAX));
    for (const [index, height] of heights.entries()) {
      const headers = this.#signatures.get(height)!;
      // One header is the rule: of those a sample is enough. Two are what this judge looks for.
      if (headers.size === 1 && index % step !== 0) continue;
      for (const [headerHash, signers] of headers) this.#checkHeader(verifier, height, headerHash, signers);
    }
  }

  #checkHeader(
    verifier: ReceiptVerifier,
    height: Height,
    headerHash: Digest,
    signers: ReadonlyMap<ReplicaId, HeaderSignature>,
  ): void {
    const { hash, trust, crypto } = verifier;
    const signatures = validHeaderSignatures(headerHash, [...signers.values()], trust, crypto);
    if (signatures.length <= trust.f) return;
    const block = this.#order.blockAt(height);
    if (block?.headerHash !== headerHash) {
      this.#bench.report(
        'receipt',
        `f+1 replicas signed a header at ${height} that is not of the agreed chain`,
      );
      return;
    }
    const index = height % block.transactions.length;
    const receipt = makeReceipt({ hash, block, index, signatures, f: trust.f });
    if (receipt === undefined) return;
    this.onReceipt(encodeReceipt(receipt), true);
  }

  /** A receipt turned up; `mustHold`: it was made of what correct replicas keep. */
  onReceipt(text: string, mustHold: boolean): void {
    const verifier = this.#verifier;
    if (verifier === undefined) return;
    const verdict = verifyReceipt(text, verifier.trust, verifier.crypto);
    this.receipts += 1;
    if (!verdict.valid || verdict.receipt === undefined) {
      if (mustHold)
        this.#bench.report('receipt', `a receipt of signed headers does not hold: ${verdict.reason}`);
      return;
    }
    const { header, transaction, index } = verdict.receipt;
    const agreed = this.#order.blockAt(header.height);
    const told = agreed?.transactions[index];
    const agrees =
      told !== undefined &&
      agreed?.header.sequence === header.sequence &&
      told.id === verdict.txId &&
      bytesToHex(told.result) === bytesToHex(transaction.result);
    if (!agrees)
      this.#bench.report(
        'receipt',
        `a receipt that verifies tells of ${String(verdict.txId).slice(0, 8)} at ${header.height}, the agreed chain does not`,
      );
  }
}

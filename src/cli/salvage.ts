/**
 * What can be saved from the disks of a cluster that lost too many of them (decision D6): the longest certified chain,
 * then what was executed at any of them. It reads only, and says what it cannot prove.
 */
import { decodeBlock, blockRootsFit } from '../ledger/block.ts';
import type { Block, HeaderSignature } from '../ledger/contract.ts';
import type { Trust } from '../ledger/trust.ts';
import { validHeaderSignatures } from '../ledger/verify.ts';
import type { Digest, Height } from '../core/types.ts';
import { ZERO_DIGEST } from '../core/types.ts';
import type { LedgerCopy } from './ledger-copy.ts';
import { nodeHash } from '../platform/sha256.ts';

/** A block of some copies, as far as it must be remembered. */
interface Candidate {
  readonly headerHash: Digest;
  readonly previous: Digest;
  /** Copies that hold it. */
  readonly copies: number[];
}

/** A block that was chosen. */
export interface SalvagedBlock {
  readonly block: Block;
  readonly proven: boolean;
}

/** What was found. */
export interface SalvagePlan {
  /** Highest block of the certified chain; 0 if nothing is certified. */
  readonly provenHeight: Height;
  /** Highest block that is saved at all. */
  readonly height: Height;
  /** Sentences about everything that cannot be proved or was left out. */
  readonly doubts: readonly string[];
}

/** See the top of this file. */
export class Salvage {
  readonly #copies: readonly LedgerCopy[];
  readonly #trust: Trust;
  readonly #byHeight: Candidate[][] = [];
  readonly #chosen: Candidate[] = [];
  readonly #doubts: string[] = [];

  constructor(copies: readonly LedgerCopy[], trust: Trust) {
    this.#copies = copies;
    this.#trust = trust;
  }

  /** Reads all copies and chooses. */
  plan(): SalvagePlan {
    for (const [index, copy] of this.#copies.entries()) this.#index(index, copy);
    const provenHeight = this.#chooseCertified();
    this.#extend();
    const height = this.#chosen.length;
    if (height > provenHeight)
      this.#doubts.push(
        `Blocks ${provenHeight + 1} to ${height} lack f + 1 = ${this.#trust.f + 1} valid signatures on these disks: they were executed at ` +
          'a replica, but another order cannot be excluded.',
      );
    this.#doubts.push(
      'Operations that were acknowledged but stand in no block on these disks are lost; receipts that clients hold show which.',
    );
    return { provenHeight, height, doubts: this.#doubts };
  }

  #read(height: Height, copy: LedgerCopy): Block | undefined {
    const entry = copy.entry(height);
    return entry === undefined ? undefined : decodeBlock(nodeHash, entry.bytes);
  }

  #index(index: number, copy: LedgerCopy): void {
    let damaged = 0;
    for (let height = 1; height <= copy.height; height += 1) {
      const block = this.#read(height, copy);
      const isSound =
        block !== undefined &&
        block.header.height === height &&
        block.header.clusterId === this.#trust.clusterId &&
        blockRootsFit(nodeHash, block);
      if (!isSound) {
        damaged += 1;
        continue;
      }
      const here = (this.#byHeight[height - 1] ??= []);
      const known = here.find(({ headerHash }) => headerHash === block.headerHash);
      if (known !== undefined) known.copies.push(index);
      else here.push({ headerHash: block.headerHash, previous: block.header.previous, copies: [index] });
    }
    if (damaged > 0)
      this.#doubts.push(
        `${copy.path}: ${damaged} blocks are damaged or of another cluster; they were passed over.`,
      );
  }

  #isCertified(height: Height, { headerHash, copies }: Candidate): boolean {
    const signatures: HeaderSignature[] = copies.flatMap((index) => [
      ...(this.#copies[index]!.entry(height)?.signatures ?? []),
    ]);
    const distinct = new Map(
      signatures.map((one) => [`${one.replica}/${Buffer.from(one.signature).toString('latin1')}`, one]),
    );
    return validHeaderSignatures(headerHash, [...distinct.values()], this.#trust).length > this.#trust.f;
  }

  /** From the highest block with f + 1 signatures down to the first: signed headers name their predecessors by hash. */
  #chooseCertified(): Height {
    for (let top = this.#byHeight.length; top >= 1; top -= 1) {
      const head = this.#byHeight[top - 1]?.find((candidate) => this.#isCertified(top, candidate));
      if (head === undefined) continue;
      const chain: Candidate[] = [head];
      for (let height = top - 1; height >= 1; height -= 1) {
        const wanted = chain.at(-1)!.previous;
        const parent = this.#byHeight[height - 1]?.find(({ headerHash }) => headerHash === wanted);
        if (parent === undefined) {
          this.#doubts.push(
            `Block ${height} is on none of these disks; what stands above it up to block ${top} cannot be replayed.`,
          );
          break;
        }
        chain.push(parent);
      }
      if (chain.length < top) continue;
      this.#chosen.push(...chain.reverse());
      return top;
    }
    return 0;
  }

  /** Goes on with what was executed anywhere; where copies differ, the block of most of them, and a sentence. */
  #extend(): void {
    for (;;) {
      const height = this.#chosen.length + 1;
      const tip = this.#chosen.at(-1)?.headerHash ?? ZERO_DIGEST;
      const next = (this.#byHeight[height - 1] ?? []).filter(({ previous }) => previous === tip);
      if (next.length === 0) return;
      next.sort((a, b) => b.copies.length - a.copies.length || a.copies[0]! - b.copies[0]!);
      if (next.length > 1)
        this.#doubts.push(
          `Block ${height} differs between copies and none is certified; the one of ${this.#copies[next[0]!.copies[0]!]!.path} was taken.`,
        );
      this.#chosen.push(next[0]!);
    }
  }

  /** The chosen blocks, in order. Call `plan` first. */
  *blocks(provenHeight: Height): Generator<SalvagedBlock, void, void> {
    for (const [index, { copies }] of this.#chosen.entries()) {
      const block = this.#read(index + 1, this.#copies[copies[0]!]!);
      if (block !== undefined) yield { block, proven: index + 1 <= provenHeight };
    }
  }
}

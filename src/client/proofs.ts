/**
 * What carries its own proof: a block is believed when f+1 hosts signed its header hash (decision D5) and its
 * transactions have the roots that the header names. Signatures may come from different replicas.
 */
import { digestToBytes, hexToBytes } from '../core/bytes.ts';
import type { ClusterSettings } from '../core/config.ts';
import type { Digest, Hash, Height, ReplicaId } from '../core/types.ts';
import { blockRootsFit, decodeBlock } from '../ledger/block.ts';
import type { Block, HeaderSignature } from '../ledger/contract.ts';
import { headerSignatureDigest } from '../ledger/receipt.ts';
import type { ProvenBlock } from './contract.ts';

/** Checks a host's signature over 32 bytes. */
export type HostCheck = (replica: ReplicaId, message: Uint8Array, signature: Uint8Array) => boolean;

/** Signatures of one answer, at most. */
const SIGNATURES_MAX = 64;

/** Parses JSON of at most the wire's bound; undefined unless it is an object. */
export function parseObject(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** A safe integer of at least `least`, or undefined. */
export function integerOf(value: unknown, least = 0): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= least ? (value as number) : undefined;
}

/** Collects the answers to "block at this height" until one of them is proved. */
export class BlockProof {
  readonly #hash: Hash;
  readonly #settings: ClusterSettings;
  readonly #height: Height;
  readonly #check: HostCheck;
  readonly #blocks = new Map<Digest, Block>();
  readonly #signatures = new Map<Digest, Map<ReplicaId, Uint8Array>>();

  constructor(parts: { hash: Hash; settings: ClusterSettings; height: Height; check: HostCheck }) {
    this.#hash = parts.hash;
    this.#settings = parts.settings;
    this.#height = parts.height;
    this.#check = parts.check;
  }

  /** Whether some replica gave a block that only lacks signatures. */
  get hasCandidate(): boolean {
    return this.#blocks.size > 0;
  }

  /** Takes the JSON of one replica's `BlockAnswer`; gives the block once f+1 signatures hold. */
  add(bytes: Uint8Array): ProvenBlock | undefined {
    const answer = parseObject(bytes);
    if (typeof answer?.['block'] !== 'string' || !Array.isArray(answer['signatures'])) return undefined;
    const block = decodeBlock(this.#hash, new Uint8Array(Buffer.from(answer['block'], 'base64')));
    if (block === undefined || !this.#isCandidate(block)) return undefined;
    // The header hash binds the transactions only through the roots: a block with wrong ones is no block.
    if (!this.#blocks.has(block.headerHash)) {
      if (!blockRootsFit(this.#hash, block)) return undefined;
      this.#blocks.set(block.headerHash, block);
    }
    return this.#countSignatures(block.headerHash, answer['signatures']);
  }

  #isCandidate(block: Block): boolean {
    const { clusterId, height } = block.header;
    // One answer of each replica: the number of candidates is bounded by N.
    return clusterId === this.#settings.clusterId && height === this.#height;
  }

  #countSignatures(hash: Digest, list: readonly unknown[]): ProvenBlock | undefined {
    const message = digestToBytes(headerSignatureDigest(this.#hash, this.#settings, hash));
    const valid = this.#signatures.get(hash) ?? new Map<ReplicaId, Uint8Array>();
    this.#signatures.set(hash, valid);
    for (const item of list.slice(0, SIGNATURES_MAX) as readonly Record<string, unknown>[]) {
      const replica = integerOf(item?.['replica']);
      const hex = item?.['signature'];
      if (replica === undefined || typeof hex !== 'string' || valid.has(replica)) continue;
      const signature = hexToBytes(hex);
      if (signature === undefined || !this.#check(replica, message, signature)) continue;
      valid.set(replica, signature);
    }
    if (valid.size <= this.#settings.f) return undefined;
    const signatures: HeaderSignature[] = [...valid]
      .map(([replica, signature]) => ({ replica, signature }))
      .sort((a, b) => a.replica - b.replica);
    return { block: this.#blocks.get(hash)!, signatures };
  }
}

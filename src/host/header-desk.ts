/**
 * Signatures over block headers (decision D5): a replica signs what it has executed, tells the others, and keeps what
 * they tell beside the block. The latest own ones are told again when a link comes up, because a store that was cut off
 * by a crash may have lost what it learnt (decision D6).
 */
import type { Domain } from '../core/domain.ts';
import type { ReplicaId } from '../core/types.ts';
import type { CryptoPort } from '../crypto/port.ts';
import type { Block } from '../ledger/contract.ts';
import { headerSignatureDigest } from '../ledger/receipt.ts';
import type { LinkFrame } from './link-frames.ts';
import type { BlockPort } from './ports.ts';

/** Own signatures that are told again. */
const RECENT_MAX = 1024;

type SignatureFrame = Extract<LinkFrame, { kind: 'headerSignature' }>;

/** What the desk is made of. */
export interface HeaderDeskOptions {
  readonly self: ReplicaId;
  readonly domain: Domain;
  readonly crypto: CryptoPort;
  readonly blocks: BlockPort;
  /** To one peer, or to all others. */
  readonly share: (frame: SignatureFrame, to: ReplicaId | undefined) => void;
}

/** See the top of this file. */
export class HeaderDesk {
  readonly #options: HeaderDeskOptions;
  readonly #recent: SignatureFrame[] = [];

  constructor(options: HeaderDeskOptions) {
    this.#options = options;
  }

  /** A block was executed here; `live` is false while a restart executes again what was told before. */
  onBlock(block: Block, live: boolean): void {
    const { self, domain, crypto, blocks, share } = this.#options;
    const { headerHash } = block;
    const { height } = block.header;
    blocks.append(block);
    const signature = crypto.hostSigner.sign(headerSignatureDigest(crypto.hash, domain, headerHash));
    blocks.sign(height, headerHash, { replica: self, signature });
    const frame: SignatureFrame = { kind: 'headerSignature', height, headerHash, signature };
    this.#recent.push(frame);
    if (this.#recent.length > 2 * RECENT_MAX) this.#recent.splice(0, RECENT_MAX);
    if (live) share(frame, undefined);
  }

  /** A link came up. */
  tellAgain(peer: ReplicaId): void {
    for (const frame of this.#recent.slice(-RECENT_MAX)) this.#options.share(frame, peer);
  }
}

/**
 * Answers to clients' queries (`core/client-queries.ts`): this replica's word, as JSON. Beside what is described there:
 *
 * - `receipt`: txId. Answer: the canonical JSON of a receipt; `found` false if there is no such transaction or fewer than
 *   f+1 valid header signatures are here yet.
 * - `evidence`: empty: list of what is kept; a name of that list: the evidence file.
 * - `live`: a cursor, or anything else. Answer: `LiveAnswer`.
 * - `metrics`: ignored. Answer: `{"contentType":…,"text":…}` for Prometheus.
 */
import type { Registry } from 'prom-client';
import { bytesToHex } from '../core/bytes.ts';
import type { BlockAnswer, EventPosition, TransactionAnswer } from '../core/client-queries.ts';
import type { QueryTopic } from '../core/client-wire.ts';
import type { LiveAnswer } from '../core/live.ts';
import type { ClusterSettings } from '../core/config.ts';
import type { Digest, Height, ReplicaId } from '../core/types.ts';
import type { CryptoPort } from '../crypto/port.ts';
import type { HostStatus } from '../host/status.ts';
import { decodeBlock } from '../ledger/block.ts';
import type { Block, HeaderSignature } from '../ledger/contract.ts';
import { encodeReceipt, headerSignatureDigest, makeReceipt } from '../ledger/receipt.ts';
import type { BlockStore } from './block-store.ts';
import type { EvidenceStore } from './evidence-store.ts';
import type { BlockIndex } from './block-index.ts';

/** What the answers are made of. */
export interface QuerySources {
  readonly settings: ClusterSettings;
  readonly crypto: CryptoPort;
  readonly blocks: BlockStore;
  readonly index: BlockIndex;
  readonly evidence: EvidenceStore;
  readonly status: () => HostStatus;
  /** What happened since a cursor, for those who watch. */
  readonly live: (cursor: string) => LiveAnswer;
  readonly metrics: Registry;
  /** Number of the own replica. */
  readonly self: ReplicaId;
  /** Height up to which blocks are known to lead to a state that is agreed on; 0 while blocks are being fetched. */
  readonly settledHeight: () => Height;
  /** Facts of the process for `status`: version, durability ... */
  readonly processFacts: () => Readonly<Record<string, unknown>>;
}

/** A query's answer. */
export interface QueryAnswer {
  readonly found: boolean;
  readonly bytes: Uint8Array;
}

const NOT_FOUND: QueryAnswer = { found: false, bytes: new Uint8Array(0) };
const TX_ID = /^[0-9a-f]{64}$/;
const DECIMAL = /^[1-9][0-9]{0,14}$/;

function found(value: unknown): QueryAnswer {
  return { found: true, bytes: new TextEncoder().encode(JSON.stringify(value)) };
}

function wholeNumber(text: string): number | undefined {
  return DECIMAL.test(text) ? Number(text) : undefined;
}

/** See the top of this file. */
export class Queries {
  readonly #sources: QuerySources;

  constructor(sources: QuerySources) {
    this.#sources = sources;
  }

  /** Answers one query. `argument` is whatever a client sent. */
  async answer(topic: QueryTopic, argument: string): Promise<QueryAnswer> {
    switch (topic) {
      case 'status':
        return found(this.#status());
      case 'block':
        return this.#block(argument);
      case 'transaction': {
        const place = this.#find(argument);
        if (place === undefined) return NOT_FOUND;
        const { block, index } = place;
        const { height, sequence } = block.header;
        return found({ state: 'committed', height, sequence, index } satisfies TransactionAnswer);
      }
      case 'receipt':
        return this.#receipt(argument);
      case 'events':
        return this.#position(argument);
      case 'evidence': {
        const { evidence } = this.#sources;
        if (argument === '') return found(evidence.list());
        const text = evidence.read(argument);
        return text === undefined ? NOT_FOUND : { found: true, bytes: new TextEncoder().encode(text) };
      }
      case 'metrics': {
        const { metrics } = this.#sources;
        return found({ contentType: metrics.contentType, text: await metrics.metrics() });
      }
      case 'live':
        return found(this.#sources.live(argument));
    }
  }

  /** The host's status, with what was proved before the last restart and facts of the process. */
  #status(): Record<string, unknown> {
    const status = this.#sources.status();
    const proven = [...status.proven];
    for (const { replica, rule, atMs } of this.#sources.evidence.list()) {
      if (!proven.some((one) => one.replica === replica && one.rule === rule))
        proven.push({ replica, rule, atMs });
    }
    const { transactionCount: transactions } = this.#sources.blocks;
    return { ...status, transactions, proven, process: this.#sources.processFacts() };
  }

  #block(argument: string): QueryAnswer {
    const height = wholeNumber(argument);
    const bytes = height === undefined ? undefined : this.#sources.blocks.read(height);
    if (height === undefined || bytes === undefined) return NOT_FOUND;
    const block = decodeBlock(this.#sources.crypto.hash, bytes);
    const signatures = block === undefined ? [] : this.#signaturesOf(block);
    const answer: BlockAnswer = {
      block: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64'),
      signatures: signatures.map(({ replica, signature }) => ({ replica, signature: bytesToHex(signature) })),
    };
    return found(answer);
  }

  /**
   * Signatures that are kept for a block, the own one always among them. A replica that was given the block by others
   * (state transfer) has never signed it, and if all replicas were given it in turn nobody could prove it any more; as
   * it leads to a state that is agreed on, it is committed, so the replica may sign it now (decision D5).
   */
  #signaturesOf(block: Block): readonly HeaderSignature[] {
    const { blocks, crypto, settings, self, settledHeight } = this.#sources;
    const { height } = block.header;
    const kept = blocks.signatures(height);
    if (height > settledHeight() || kept.some(({ replica }) => replica === self)) return kept;
    const digest = headerSignatureDigest(crypto.hash, settings, block.headerHash);
    const own = { replica: self, signature: crypto.hostSigner.sign(digest) };
    blocks.sign(height, block.headerHash, own);
    return [...kept, own];
  }

  /** The block that holds this transaction. */
  #find(txId: string): { readonly block: Block; readonly index: number } | undefined {
    if (!TX_ID.test(txId)) return undefined;
    return this.#sources.index.find(txId as Digest);
  }

  #receipt(txId: string): QueryAnswer {
    const place = this.#find(txId);
    if (place === undefined) return NOT_FOUND;
    const { settings, crypto } = this.#sources;
    const { block, index } = place;
    const digest = headerSignatureDigest(crypto.hash, settings, block.headerHash);
    const isValid = ({ replica, signature }: HeaderSignature): boolean =>
      crypto.verifier.verifyMany([{ kind: 'host', replica, digest, signature }]) === 'valid';
    const signatures = this.#signaturesOf(block).filter(isValid);
    const receipt = makeReceipt({ hash: crypto.hash, block, index, signatures, f: settings.f });
    if (receipt === undefined) return NOT_FOUND;
    return { found: true, bytes: new TextEncoder().encode(encodeReceipt(receipt)) };
  }

  #position(argument: string): QueryAnswer {
    const { blocks } = this.#sources;
    const separator = argument.indexOf(':');
    const kind = argument.slice(0, separator);
    const value = wholeNumber(argument.slice(separator + 1));
    if (value === undefined || (kind !== 'height' && kind !== 'number')) return NOT_FOUND;
    const height = kind === 'height' ? value : blocks.heightOfNumber(value);
    const numbers = height === undefined ? undefined : blocks.numbersOf(height);
    if (height === undefined || numbers === undefined) return NOT_FOUND;
    return found({ height, firstNumber: numbers.first } satisfies EventPosition);
  }
}

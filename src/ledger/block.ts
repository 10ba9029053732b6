/**
 * Blocks: what was executed, hash-chained (decisions D1, D2). Header bytes are the same at every replica, and the
 * header hash is what a replica signs with its host key. Pure and free of the node, so that verifiers can use it.
 */
import { decodeWhole, Reader, Writer } from '../core/codec.ts';
import { domainTag, domainWriter, finishDigest } from '../core/domain.ts';
import { OPERATION_BYTES_MAX } from '../core/request.ts';
import type { Digest, Hash } from '../core/types.ts';
import type { Block, BlockHeader, Transaction } from './contract.ts';
import { LEAVES_MAX, merkleProof, merkleRoot } from './merkle.ts';
import type { MerkleProof } from './merkle.ts';
import { ORGANISATION_LENGTH_MAX, outcomeDigest, transactionId } from './transaction.ts';
import { isOrganisationName } from './transaction.ts';

/** Blocks of signed requests, and of requests with MACs. */
const BLOCK_VERSION = 1;
const MAC_BLOCK_VERSION = 2;

function writeHeader(writer: Writer, header: BlockHeader): Writer {
  return writer
    .u8(header.authenticatedBy === 'mac' ? MAC_BLOCK_VERSION : BLOCK_VERSION)
    .digest(header.clusterId)
    .u64(header.configurationVersion)
    .digest(header.configurationDigest)
    .u64(header.height)
    .u64(header.sequence)
    .digest(header.previous)
    .u64(header.proposedInView)
    .u64(header.time)
    .digest(header.transactionsRoot)
    .digest(header.resultsRoot)
    .u64(header.checkpoint.height)
    .digest(header.checkpoint.stateDigest);
}

function readHeader(reader: Reader): BlockHeader {
  const version = reader.u8();
  if (version !== BLOCK_VERSION && version !== MAC_BLOCK_VERSION) reader.fail();
  const clusterId = reader.digest();
  const configurationVersion = reader.u64();
  const configurationDigest = reader.digest();
  const height = reader.u64();
  const sequence = reader.u64();
  const previous = reader.digest();
  const proposedInView = reader.u64();
  const time = reader.u64();
  const transactionsRoot = reader.digest();
  const resultsRoot = reader.digest();
  const checkpoint = { height: reader.u64(), stateDigest: reader.digest() };
  return {
    clusterId,
    configurationVersion,
    configurationDigest,
    height,
    sequence,
    previous,
    proposedInView,
    time,
    transactionsRoot,
    resultsRoot,
    checkpoint,
    ...(version === MAC_BLOCK_VERSION ? { authenticatedBy: 'mac' as const } : {}),
  };
}

/** Canonical bytes of a header. */
export function encodeHeader(header: BlockHeader): Uint8Array {
  return writeHeader(new Writer(320), header).finish();
}

/** Reads a header; undefined unless canonical. */
export function decodeHeader(bytes: Uint8Array): BlockHeader | undefined {
  return decodeWhole(bytes, readHeader);
}

/**
 * Header hash: domain-separated digest (decision B6) of the canonical header. These 32 bytes are what a replica's host
 * key signs (decision D5) and what the next header names as `previous`.
 */
export function headerHash(hash: Hash, header: BlockHeader): Digest {
  const writer = domainWriter(domainTag('ledger', 'HEADER'), header);
  return finishDigest(hash, writeHeader(writer, header));
}

/** Author and session of transactions that follow one another are mostly the same: their bytes are copied then. */
class TransactionWriter {
  readonly #writer: Writer;
  #last: Transaction | undefined;
  #start = 0;
  #end = 0;

  constructor(writer: Writer) {
    this.#writer = writer;
  }

  write(transaction: Transaction): void {
    const last = this.#last;
    const { clientId, organisation, session } = transaction;
    const isSame =
      last?.session === session && last.clientId === clientId && last.organisation === organisation;
    if (isSame) this.#writer.again(this.#start, this.#end);
    else {
      this.#start = this.#writer.length;
      this.#writer.digest(clientId).ascii(organisation).u64(session);
      this.#end = this.#writer.length;
      this.#last = transaction;
    }
    this.#writer.u64(transaction.number).bytes(transaction.operation).bytes(transaction.result);
  }
}

/** Builds a block from its parts; the roots in `header` must already be those of `transactions`. */
export function makeBlock(hash: Hash, header: BlockHeader, transactions: readonly Transaction[]): Block {
  const writer = writeHeader(new Writer(512 + 256 * transactions.length), header);
  const each = new TransactionWriter(writer);
  const bytes = writer.list(transactions, (_, transaction) => each.write(transaction)).finish();
  return { header, headerHash: headerHash(hash, header), transactions, bytes };
}

/**
 * Reads a block; undefined unless canonical and bounded. txIds are computed, not stored. Whether the roots fit is
 * `blockRootsFit`, whether it belongs to a chain or is signed is for the caller.
 */
export function decodeBlock(hash: Hash, bytes: Uint8Array): Block | undefined {
  return decodeWhole(bytes, (reader) => {
    const header = readHeader(reader);
    const transactions = reader.list(LEAVES_MAX, (r): Transaction => {
      const clientId = r.digest();
      const organisation = r.ascii(ORGANISATION_LENGTH_MAX);
      if (!isOrganisationName(organisation)) r.fail();
      const session = r.u64();
      const number = r.u64();
      const operation = r.bytes(OPERATION_BYTES_MAX);
      const result = r.bytes(OPERATION_BYTES_MAX);
      const id = transactionId(hash, header.clusterId, clientId, session, number, operation);
      return { id, clientId, organisation, session, number, operation, result };
    });
    return { header, headerHash: headerHash(hash, header), transactions, bytes };
  });
}

/** Leaves of the transactions root: the txIds. */
export function transactionLeaves(transactions: readonly Transaction[]): Digest[] {
  return transactions.map((transaction) => transaction.id);
}

/** Leaves of the results root: the outcome digests. */
export function outcomeLeaves(hash: Hash, transactions: readonly Transaction[]): Digest[] {
  return transactions.map((transaction) => outcomeDigest(hash, transaction));
}

/** Whether a decoded block has at least one transaction and the roots that its header names (decision D2). */
export function blockRootsFit(hash: Hash, block: Block): boolean {
  const { header, transactions } = block;
  return (
    transactions.length > 0 &&
    merkleRoot(hash, transactionLeaves(transactions)) === header.transactionsRoot &&
    merkleRoot(hash, outcomeLeaves(hash, transactions)) === header.resultsRoot
  );
}

/** Paths of the transaction at `index` under both roots of its block's header: what a receipt carries. */
export function transactionProofs(
  hash: Hash,
  block: Block,
  index: number,
): { readonly transaction: MerkleProof; readonly outcome: MerkleProof } {
  return {
    transaction: merkleProof(hash, transactionLeaves(block.transactions), index),
    outcome: merkleProof(hash, outcomeLeaves(hash, block.transactions), index),
  };
}

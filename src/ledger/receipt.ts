/**
 * Receipts (decision D5): that a transaction was executed, with what result, at which place of the ledger, provable to
 * anyone who knows the cluster's public keys. Canonical JSON: one receipt has exactly one text, so that changing any
 * byte breaks it. Format: docs/receipts.md.
 */
import { bytesToHex } from '../core/bytes.ts';
import type { Domain } from '../core/domain.ts';
import { domainTag, domainWriter, finishDigest } from '../core/domain.ts';
import { OPERATION_BYTES_MAX } from '../core/request.ts';
import type { Digest, Hash, RequestNumber, SessionId } from '../core/types.ts';
import { transactionProofs } from './block.ts';
import type { Block, BlockHeader, HeaderSignature } from './contract.ts';
import { DocumentFields } from './document-fields.ts';
import { PATH_LENGTH_MAX } from './merkle.ts';
import { isOrganisationName } from './transaction.ts';

/** Value of the field `format`. */
export const RECEIPT_FORMAT = 'moiety-receipt/1';
/** Header signatures of one receipt, at most. */
const RECEIPT_SIGNATURES_MAX = 256;
/** Characters of a receipt, at most: operation, result, paths and signatures in hexadecimal, and room for the rest. */
export const RECEIPT_LENGTH_MAX = 4 * OPERATION_BYTES_MAX + 192 * RECEIPT_SIGNATURES_MAX + 16 * 1024;

/** A transaction as a receipt shows it; the txId follows from it and the cluster. */
export interface ReceiptTransaction {
  readonly client: Digest;
  readonly organisation: string;
  readonly session: SessionId;
  readonly number: RequestNumber;
  readonly operation: Uint8Array;
  readonly result: Uint8Array;
}

/** What a receipt says; nothing of it is checked before `verifyReceipt`. */
export interface Receipt {
  readonly header: BlockHeader;
  readonly transaction: ReceiptTransaction;
  /** Position of the transaction among the `leaves` transactions of its block. */
  readonly index: number;
  readonly leaves: number;
  /** Siblings from the leaf upwards, under the transactions root and under the results root. */
  readonly paths: { readonly transaction: readonly Digest[]; readonly result: readonly Digest[] };
  /** Strictly ascending by replica. */
  readonly signatures: readonly HeaderSignature[];
}

/**
 * Digest that a replica's host key signs for a block (decisions B6, D5). Only when committed, never when speculative.
 * `domain`: clusterId and configurationVersion; a header is one.
 */
export function headerSignatureDigest(hash: Hash, domain: Domain, headerHash: Digest): Digest {
  return finishDigest(hash, domainWriter(domainTag('host', 'HEADER'), domain).digest(headerHash));
}

/**
 * Receipt of the transaction at `index` of a block: takes the f+1 signatures with the lowest replica numbers.
 * Undefined if there are fewer (each replica counts once), or no such transaction. The signatures must be valid
 * already, see `validHeaderSignatures`.
 */
export function makeReceipt(options: {
  readonly hash: Hash;
  readonly block: Block;
  readonly index: number;
  readonly signatures: readonly HeaderSignature[];
  readonly f: number;
}): Receipt | undefined {
  const { hash, block, index, f } = options;
  const transaction = block.transactions[index];
  const ordered = [...options.signatures].sort((a, b) => a.replica - b.replica);
  const distinct = ordered.filter((one, at) => at === 0 || one.replica !== ordered[at - 1]!.replica);
  if (transaction === undefined || distinct.length < f + 1) return undefined;
  const { clientId: client, organisation, session, number, operation, result } = transaction;
  const proofs = transactionProofs(hash, block, index);
  return {
    header: block.header,
    transaction: { client, organisation, session, number, operation, result },
    index,
    leaves: block.transactions.length,
    paths: { transaction: proofs.transaction.path, result: proofs.outcome.path },
    signatures: distinct.slice(0, f + 1),
  };
}

/** The one text of a receipt: fields in fixed order, no white space, lower-case hexadecimal, no final line feed. */
export function encodeReceipt(receipt: Receipt): string {
  const { header, transaction, index, leaves, paths, signatures } = receipt;
  return JSON.stringify({
    format: RECEIPT_FORMAT,
    header: {
      clusterId: header.clusterId,
      configurationVersion: header.configurationVersion,
      configurationDigest: header.configurationDigest,
      height: header.height,
      sequence: header.sequence,
      previous: header.previous,
      proposedInView: header.proposedInView,
      time: header.time,
      transactionsRoot: header.transactionsRoot,
      resultsRoot: header.resultsRoot,
      checkpoint: { height: header.checkpoint.height, stateDigest: header.checkpoint.stateDigest },
      ...(header.authenticatedBy === undefined ? {} : { authenticatedBy: header.authenticatedBy }),
    },
    transaction: {
      client: transaction.client,
      organisation: transaction.organisation,
      session: transaction.session,
      number: transaction.number,
      operation: bytesToHex(transaction.operation),
      result: bytesToHex(transaction.result),
    },
    index,
    leaves,
    paths: { transaction: paths.transaction, result: paths.result },
    signatures: signatures.map(({ replica, signature }) => ({ replica, signature: bytesToHex(signature) })),
  });
}

function readHeader(fields: DocumentFields): BlockHeader {
  const checkpoint = fields.object('checkpoint');
  return {
    clusterId: fields.digest('clusterId'),
    configurationVersion: fields.integer('configurationVersion'),
    configurationDigest: fields.digest('configurationDigest'),
    height: fields.integer('height'),
    sequence: fields.integer('sequence'),
    previous: fields.digest('previous'),
    proposedInView: fields.integer('proposedInView'),
    time: fields.integer('time'),
    transactionsRoot: fields.digest('transactionsRoot'),
    resultsRoot: fields.digest('resultsRoot'),
    checkpoint: { height: checkpoint.integer('height'), stateDigest: checkpoint.digest('stateDigest') },
    // Anything but "mac" is not what the one text of a receipt has here.
    ...(fields.has('authenticatedBy') ? { authenticatedBy: 'mac' as const } : {}),
  };
}

function readTransaction(fields: DocumentFields): ReceiptTransaction {
  const organisation = fields.text('organisation');
  if (!isOrganisationName(organisation)) fields.fail();
  return {
    client: fields.digest('client'),
    organisation,
    session: fields.integer('session'),
    number: fields.integer('number'),
    operation: fields.bytes('operation', OPERATION_BYTES_MAX),
    result: fields.bytes('result', OPERATION_BYTES_MAX),
  };
}

function readSignature(fields: DocumentFields): HeaderSignature {
  const signature = fields.bytes('signature', 64);
  if (signature.length !== 64) fields.fail();
  return { replica: fields.integer('replica'), signature };
}

/**
 * Reads a receipt; undefined unless the text is exactly what `encodeReceipt` makes of it (unknown or repeated fields,
 * other orders, white space, upper-case digits and other spellings of a number all fail by that). Checks no proof.
 */
export function parseReceipt(text: string): Receipt | undefined {
  const fields = DocumentFields.parse(text, RECEIPT_LENGTH_MAX);
  const paths = fields.object('paths');
  const receipt: Receipt = {
    header: readHeader(fields.object('header')),
    transaction: readTransaction(fields.object('transaction')),
    index: fields.integer('index'),
    leaves: fields.integer('leaves'),
    paths: {
      transaction: paths.digests('transaction', PATH_LENGTH_MAX),
      result: paths.digests('result', PATH_LENGTH_MAX),
    },
    signatures: fields.objects('signatures', RECEIPT_SIGNATURES_MAX).map(readSignature),
  };
  const ascending = receipt.signatures.every(
    ({ replica }, at) => at === 0 || replica > receipt.signatures[at - 1]!.replica,
  );
  if (fields.failed || !ascending) return undefined;
  return encodeReceipt(receipt) === text ? receipt : undefined;
}

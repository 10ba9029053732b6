/** A small ledger with its replicas' keys, for the tests of receipts and audits. */
import { asciiBytes, bytesToDigest, concatBytes } from '../core/bytes.ts';
import type { Signer } from '../crypto/port.ts';
import { createPortableSigner, portableHash } from '../crypto/portable.ts';
import type { Digest } from '../core/types.ts';
import { ZERO_DIGEST } from '../core/types.ts';
import { makeBlock, outcomeLeaves, transactionLeaves } from './block.ts';
import type { Block, BlockHeader, HeaderSignature, Transaction } from './contract.ts';
import { merkleRoot } from './merkle.ts';
import { headerSignatureDigest } from './receipt.ts';
import { transactionId } from './transaction.ts';
import type { Trust } from './trust.ts';

const digestOf = (text: string): Digest => bytesToDigest(portableHash(asciiBytes(text)));

/** What a sample transaction needs. */
export interface SampleRequest {
  readonly client?: string;
  readonly session?: number;
  readonly number: number;
}

/** A cluster of 2f+1 replicas that signs what it is told to. */
export class SampleCluster {
  readonly trust: Trust;
  readonly signers: readonly Signer[];

  constructor(name = 'sample', f = 1) {
    this.signers = Array.from({ length: 2 * f + 1 }, (_, replica) =>
      createPortableSigner(portableHash(asciiBytes(`${name}/${replica}`))),
    );
    const hostKeys = this.signers.map((signer) => signer.publicKey);
    this.trust = { clusterId: digestOf(name), f, configurationVersion: 1, hostKeys };
  }

  /** A transaction with an operation and a result of its own. */
  transaction(request: SampleRequest): Transaction {
    const { client = 'client', session = 5, number } = request;
    const clientId = digestOf(client);
    const operation = asciiBytes(`operation ${number}`);
    const { clusterId } = this.trust;
    const id = transactionId(portableHash, clusterId, clientId, session, number, operation);
    const result = concatBytes(asciiBytes('result '), Uint8Array.of(number & 255));
    return { id, clientId, organisation: 'org-a', session, number, operation, result };
  }

  /** The block after `previous` with these transactions; `changes` override header fields after the roots. */
  block(
    previous: Block | undefined,
    transactions: readonly Transaction[],
    changes: Partial<BlockHeader> = {},
  ): Block {
    const height = (previous?.header.height ?? 0) + 1;
    const header: BlockHeader = {
      clusterId: this.trust.clusterId,
      configurationVersion: this.trust.configurationVersion,
      configurationDigest: digestOf('configuration'),
      height,
      sequence: (previous?.header.sequence ?? 0) + 2,
      previous: previous?.headerHash ?? ZERO_DIGEST,
      proposedInView: 0,
      time: (previous?.header.time ?? 1_700_000_000_000) + 3,
      transactionsRoot: merkleRoot(portableHash, transactionLeaves(transactions)),
      resultsRoot: merkleRoot(portableHash, outcomeLeaves(portableHash, transactions)),
      checkpoint: { height: 0, stateDigest: ZERO_DIGEST },
      ...changes,
    };
    return makeBlock(portableHash, header, transactions);
  }

  /** Signatures of the given replicas over a block. */
  sign(block: Block, replicas: readonly number[]): HeaderSignature[] {
    const digest = headerSignatureDigest(portableHash, block.header, block.headerHash);
    return replicas.map((replica) => ({ replica, signature: this.signers[replica]!.sign(digest) }));
  }
}

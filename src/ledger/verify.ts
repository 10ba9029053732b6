/**
 * Verification of receipts, offline: a pure function of receipt, trust file and cryptography. Nothing here needs a
 * server, a node or Node.js; it runs in a browser as it is (`verify.test.ts` bundles it and watches its size).
 */
import { digestToBytes } from '../core/bytes.ts';
import { verifyEd25519Portable } from '../crypto/ed25519-rule.ts';
import { portableHash } from '../crypto/portable.ts';
import type { SignatureCheck } from '../crypto/seal-verifier.ts';
import type { Digest, Hash } from '../core/types.ts';
import { headerHash } from './block.ts';
import type { HeaderSignature } from './contract.ts';
import { merkleRootOfProof } from './merkle.ts';
import type { Receipt } from './receipt.ts';
import { headerSignatureDigest, parseReceipt, RECEIPT_FORMAT } from './receipt.ts';
import { outcomeDigest, transactionId } from './transaction.ts';
import type { Trust } from './trust.ts';

/** Cryptography that a verifier needs. */
export interface VerifierCrypto {
  readonly hash: Hash;
  readonly verifySignature: SignatureCheck;
}

/** The portable one: SHA-256 and Ed25519 without any system library. */
export const PORTABLE_VERIFIER_CRYPTO: VerifierCrypto = {
  hash: portableHash,
  verifySignature: verifyEd25519Portable,
};

/** Why a receipt does not hold: the first check that failed. */
export type ReceiptFault =
  | 'notCanonical'
  | 'otherCluster'
  | 'otherConfiguration'
  | 'transactionNotInBlock'
  | 'resultNotInBlock'
  | 'wrongNumberOfSignatures'
  | 'unknownReplica'
  | 'badSignature';

/** Verdict on a receipt. */
export interface ReceiptVerdict {
  readonly valid: boolean;
  /** Five lines for people: what was checked, each beginning with "ok", "FAILED" or "skipped". */
  readonly lines: readonly string[];
  /** Present if it is not valid. */
  readonly reason?: ReceiptFault;
  /** Present if it is valid: what it proves. */
  readonly receipt?: Receipt;
  readonly txId?: Digest;
}

/** The signatures that are right for a header hash: of known replicas, each once, ascending by replica. */
export function validHeaderSignatures(
  headerHashToSign: Digest,
  signatures: readonly HeaderSignature[],
  trust: Trust,
  crypto: VerifierCrypto = PORTABLE_VERIFIER_CRYPTO,
): HeaderSignature[] {
  const digest = digestToBytes(headerSignatureDigest(crypto.hash, trust, headerHashToSign));
  const valid: HeaderSignature[] = [];
  for (const one of [...signatures].sort((a, b) => a.replica - b.replica)) {
    const key = trust.hostKeys[one.replica];
    if (key === undefined || valid.at(-1)?.replica === one.replica) continue;
    if (crypto.verifySignature(key, digest, one.signature)) valid.push(one);
  }
  return valid;
}

/** One line of the explanation: what holds, or what is wrong. */
interface Check {
  readonly fault?: ReceiptFault;
  readonly says: string;
}

const short = (digest: Digest): string => `${digest.slice(0, 12)}…`;

function checkCluster(receipt: Receipt, trust: Trust): Check {
  const { clusterId, configurationVersion } = receipt.header;
  if (clusterId !== trust.clusterId) {
    const says = `The receipt is of cluster ${short(clusterId)}, the trust file of ${short(trust.clusterId)}.`;
    return { fault: 'otherCluster', says };
  }
  if (configurationVersion !== trust.configurationVersion) {
    const says = `The receipt is of membership ${configurationVersion}, the trust file of ${trust.configurationVersion}: get the trust file of that membership.`;
    return { fault: 'otherConfiguration', says };
  }
  return {
    says: `Cluster ${short(clusterId)}, membership ${configurationVersion}: those of the trust file.`,
  };
}

function idOf(receipt: Receipt, hash: Hash): Digest {
  const { client, session, number, operation } = receipt.transaction;
  return transactionId(hash, receipt.header.clusterId, client, session, number, operation);
}

function checkTransaction(receipt: Receipt, hash: Hash): Check {
  const { header, transaction, index, leaves: count, paths } = receipt;
  const id = idOf(receipt, hash);
  const root = merkleRootOfProof(hash, id, { index, count, path: paths.transaction });
  if (root !== header.transactionsRoot) {
    const says = `Transaction ${short(id)} does not lead to the transactions root of block ${header.height}.`;
    return { fault: 'transactionNotInBlock', says };
  }
  const who = `client ${short(transaction.client)}, session ${transaction.session}, request ${transaction.number}`;
  const place = `is number ${index + 1} of ${count} in block ${header.height}`;
  const by =
    header.authenticatedBy === 'mac'
      ? ' It was authenticated by MAC, which proves its author to nobody else.'
      : '';
  return { says: `Transaction ${id} (${who}) ${place}.${by}` };
}

function checkResult(receipt: Receipt, hash: Hash): Check {
  const { header, transaction, index, leaves: count, paths } = receipt;
  const { organisation, result } = transaction;
  const leaf = outcomeDigest(hash, { id: idOf(receipt, hash), organisation, result });
  const root = merkleRootOfProof(hash, leaf, { index, count, path: paths.result });
  if (root !== header.resultsRoot) {
    const says = `The result does not lead to the results root of block ${header.height}.`;
    return { fault: 'resultNotInBlock', says };
  }
  const says = `Its result (${result.length} bytes) for organisation ${organisation} is under the results root of the same block.`;
  return { says };
}

function checkSignatures(receipt: Receipt, trust: Trust, crypto: VerifierCrypto): Check {
  const { header, signatures } = receipt;
  const needed = trust.f + 1;
  if (signatures.length !== needed) {
    const says = `There are ${signatures.length} signatures; f + 1 = ${needed} are needed, neither more nor fewer.`;
    return { fault: 'wrongNumberOfSignatures', says };
  }
  const unknown = signatures.find(({ replica }) => trust.hostKeys[replica] === undefined);
  if (unknown !== undefined)
    return { fault: 'unknownReplica', says: `The trust file has no replica ${unknown.replica}.` };
  const signed = headerHash(crypto.hash, header);
  const valid = validHeaderSignatures(signed, signatures, trust, crypto);
  if (valid.length !== needed) {
    const wrong = signatures.filter((one) => !valid.includes(one)).map(({ replica }) => replica);
    const says = `The signature of replica ${wrong.join(', ')} over header ${short(signed)} is wrong.`;
    return { fault: 'badSignature', says };
  }
  const who = valid.map(({ replica }) => replica).join(', ');
  const says = `Replicas ${who} signed header ${signed}: ${needed} of ${trust.hostKeys.length}, at least one of them correct, so the block is final.`;
  return { says };
}

const SKIPPED = [
  'Cluster and membership.',
  'Transaction in the block.',
  'Result in the block.',
  'Signatures.',
];

/**
 * Checks a receipt against what is trusted. Valid means: a correct replica of that cluster vouches that this
 * transaction was executed with this result at this place of the one ledger. Never throws, whatever the text.
 */
export function verifyReceipt(
  receiptText: string,
  trust: Trust,
  crypto: VerifierCrypto = PORTABLE_VERIFIER_CRYPTO,
): ReceiptVerdict {
  const receipt = parseReceipt(receiptText);
  if (receipt === undefined) {
    const lines = [`FAILED  This is not a receipt in its canonical form (${RECEIPT_FORMAT}).`];
    for (const about of SKIPPED) lines.push(`skipped ${about}`);
    return { valid: false, lines, reason: 'notCanonical' };
  }
  const lines = [`ok      The receipt is in its canonical form (${RECEIPT_FORMAT}).`];
  const checks: readonly (() => Check)[] = [
    () => checkCluster(receipt, trust),
    () => checkTransaction(receipt, crypto.hash),
    () => checkResult(receipt, crypto.hash),
    () => checkSignatures(receipt, trust, crypto),
  ];
  let reason: ReceiptFault | undefined;
  for (const [at, check] of checks.entries()) {
    if (reason !== undefined) {
      lines.push(`skipped ${SKIPPED[at]}`);
      continue;
    }
    const { fault, says } = check();
    reason = fault;
    lines.push(fault === undefined ? `ok      ${says}` : `FAILED  ${says}`);
  }
  if (reason !== undefined) return { valid: false, lines, reason };
  return { valid: true, lines, receipt, txId: idOf(receipt, crypto.hash) };
}

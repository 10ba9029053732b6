/** Builds a receipt from a proved block and checks it with the offline verifier before anyone gets it (decision D5). */
import type { ClusterSettings } from '../core/config.ts';
import type { Hash } from '../core/types.ts';
import { encodeReceipt, makeReceipt } from '../ledger/receipt.ts';
import { trustOf } from '../ledger/trust.ts';
import { verifyReceipt } from '../ledger/verify.ts';
import { ED25519 } from '../platform/ed25519.ts';
import type { ProvenBlock } from './contract.ts';
import { ClientError } from './errors.ts';

/** Canonical text (UTF-8) of the receipt of one transaction of a block. */
export function receiptOf(
  settings: ClusterSettings,
  hash: Hash,
  proven: ProvenBlock,
  index: number,
): Uint8Array {
  const { block, signatures } = proven;
  const receipt = makeReceipt({ hash, block, index, signatures, f: settings.f });
  const text = receipt === undefined ? '' : encodeReceipt(receipt);
  const verdict = verifyReceipt(text, trustOf(settings), {
    hash,
    verifySignature: ED25519.verify,
  });
  if (!verdict.valid) {
    const message = `the receipt would not verify (${verdict.reason ?? 'no receipt'}): use the settings of this cluster`;
    throw new ClientError('refused', message, { reason: verdict.reason ?? 'noReceipt' });
  }
  return new TextEncoder().encode(text);
}

/** A genuine receipt and what it is verified against. */
import type { Receipt } from '../../src/ledger/receipt.ts';
import { makeReceipt } from '../../src/ledger/receipt.ts';
import { SampleCluster } from '../../src/ledger/sample-ledger.testing.ts';
import type { Trust } from '../../src/ledger/trust.ts';
import type { VerifierCrypto } from '../../src/ledger/verify.ts';
import { createSignatureCheck } from '../../src/node/crypto.ts';
import { nodeHash } from '../../src/platform/sha256.ts';

/** See the top of this file. */
export interface GenuineReceipt {
  readonly receipt: Receipt;
  readonly trust: Trust;
  /** Fast cryptography with the same rule as the portable one. */
  readonly crypto: VerifierCrypto;
}

/** Makes one, the same every time. */
export function genuineReceipt(): GenuineReceipt {
  const cluster = new SampleCluster('fuzz');
  const transactions = [1, 2, 3].map((number) => cluster.transaction({ number }));
  const block = cluster.block(undefined, transactions);
  const signatures = cluster.sign(block, [0, 1]);
  const receipt = makeReceipt({ hash: nodeHash, f: 1, block, index: 1, signatures });
  if (receipt === undefined) throw new Error('the sample ledger gives no receipt');
  return {
    receipt,
    trust: cluster.trust,
    crypto: { hash: nodeHash, verifySignature: createSignatureCheck() },
  };
}

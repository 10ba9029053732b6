/** The program in docs/receipts.md, which knows nothing of this code, must judge receipts as this code does. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { portableHash } from '../crypto/portable.ts';
import type { Receipt } from './receipt.ts';
import { encodeReceipt, makeReceipt } from './receipt.ts';
import { SampleCluster } from './sample-ledger.testing.ts';
import { encodeTrust } from './trust.ts';
import { verifyReceipt } from './verify.ts';

const cluster = new SampleCluster();
const block = cluster.block(
  undefined,
  [1, 2, 3, 4, 5, 6, 7].map((number) => cluster.transaction({ number })),
);

function receiptOf(index: number): Receipt {
  const signatures = cluster.sign(block, [0, 2]);
  return makeReceipt({ hash: portableHash, block, index, signatures, f: 1 })!;
}

test('the program in the document agrees with the verifier', () => {
  const page = readFileSync(new URL('../../docs/receipts.md', import.meta.url), 'utf8');
  const program = /```js\n(.*?)```/s.exec(page)![1]!;
  const folder = mkdtempSync(join(tmpdir(), 'moiety-receipt-'));
  try {
    const at = (name: string): string => join(folder, name);
    writeFileSync(at('verify.mjs'), program);
    writeFileSync(at('trust.json'), encodeTrust(cluster.trust));
    const good = receiptOf(6);
    const text = encodeReceipt(good);
    const cases: [string, boolean][] = [
      [encodeReceipt(receiptOf(0)), true],
      [text, true],
      [`${text}\n`, false],
      [text.replace('"leaves":7', '"leaves":8'), false],
      [encodeReceipt({ ...good, transaction: { ...good.transaction, organisation: 'org-b' } }), false],
      [encodeReceipt({ ...good, header: { ...good.header, sequence: 9 } }), false],
      [encodeReceipt({ ...good, signatures: good.signatures.toReversed() }), false],
    ];
    for (const [receipt, valid] of cases) {
      writeFileSync(at('receipt.json'), receipt);
      const args = [at('verify.mjs'), at('receipt.json'), at('trust.json')];
      const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
      assert.equal(status, valid ? 0 : 1, stdout);
      const verdict = verifyReceipt(receipt, cluster.trust);
      assert.equal(verdict.valid, valid);
      if (valid) assert.equal(stdout, `valid: transaction ${verdict.txId} in block 1\n`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

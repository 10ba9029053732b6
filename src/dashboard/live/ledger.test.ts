/** Blocks, transactions and receipts in the page. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { portableHash } from '../../crypto/portable.ts';
import { encodeReceipt, makeReceipt } from '../../ledger/receipt.ts';
import { SampleCluster } from '../../ledger/sample-ledger.testing.ts';
import { encodeTrust } from '../../ledger/trust.ts';
import { GatewayClient } from './gateway-client.ts';
import {
  askBlock,
  askReceipt,
  askTransaction,
  operationWords,
  provenHeight,
  readBlock,
  readTransaction,
  verifyHere,
} from './ledger.ts';

const TRANSACTION = {
  txId: 'ab',
  index: 0,
  client: 'cd',
  organisation: 'local',
  session: 1,
  number: 2,
  operation: { op: 'cas', key: 'a%2Fb', expected: null, value: { text: 'x', base64: 'eA==' } },
  result: { ok: true, swapped: false },
};
const BLOCK = {
  height: 7,
  sequence: 9,
  headerHash: 'ee',
  header: { previous: 'pp', transactionsRoot: 't', resultsRoot: 'r', proposedInView: 1, time: 5 },
  signatures: [{ replica: 0 }, { replica: 2 }],
  transactions: [TRANSACTION],
};

function clientOf(status: number, body: string): GatewayClient {
  return new GatewayClient(
    () => Promise.resolve(new Response(body, { status })),
    () => undefined,
  );
}

describe('the ledger in the page', () => {
  it('reads blocks and transactions', async () => {
    const block = readBlock(JSON.stringify(BLOCK))!;
    assert.deepEqual([block.height, block.signedBy, block.proposedInView], [7, [0, 2], 1]);
    const [one] = block.transactions;
    assert.deepEqual([one!.op, one!.value, one!.expected, one!.result], ['cas', 'x', null, 'not swapped']);
    assert.equal(operationWords(one!), 'cas a/b');
    const found = await askBlock(clientOf(200, JSON.stringify(BLOCK)), 7);
    assert.ok('found' in found && found.found.height === 7);
    const none = await askBlock(clientOf(404, '{"detail":"there is no block 8 yet"}'), 8);
    assert.ok('sentence' in none && none.sentence === 'There is no block 8 yet.');
    const odd = await askBlock(clientOf(200, '[]'), 8);
    assert.ok('sentence' in odd && odd.sentence.includes('cannot read'));
  });

  it('asks for no block that f+1 replicas do not have for good', () => {
    const base = { isReachable: true, role: 'backup', isTransferring: false, proven: [], suspects: [] };
    const heights = [9, 7, 5].map((height, id) => ({
      ...base,
      id,
      height,
      sequence: height,
      confirmed: height,
    }));
    assert.equal(provenHeight(heights, 1), 7);
    assert.equal(provenHeight(heights.slice(0, 1), 1), 0);
    const away = heights.map((one) => ({ ...one, isReachable: one.id !== 1 }));
    assert.equal(provenHeight(away, 1), 5);
    const speculative = heights.map((one) => ({ ...one, height: 9, sequence: 20, confirmed: 17 }));
    assert.equal(provenHeight(speculative, 1), 6);
    assert.equal(provenHeight([], 0), 0);
  });

  it('says where a transaction stands', async () => {
    const committed = readTransaction(JSON.stringify({ ...TRANSACTION, state: 'committed', height: 7 }))!;
    assert.ok(committed.state === 'committed' && committed.height === 7);
    const said = ['pending', 'unknown', 'rejected'].map((state) => {
      const read = readTransaction(JSON.stringify({ state, reason: 'too long' }))!;
      return read.state === 'other' ? read.sentence : '';
    });
    assert.deepEqual(said, [
      'It waits to be ordered, or to be final.',
      'No replica knows this transaction (any more, or yet).',
      'It was rejected: too long.',
    ]);
    const asked = await askTransaction(clientOf(200, '{"state":"pending"}'), 'ab');
    assert.ok('found' in asked);
  });

  it('keeps a receipt as it came, and verifies it with the verifier of the command line', async () => {
    const cluster = new SampleCluster();
    const transactions = [1, 2].map((number) => cluster.transaction({ number }));
    const block = cluster.block(undefined, transactions);
    const signatures = cluster.sign(block, [0, 1, 2]);
    const receipt = makeReceipt({ hash: portableHash, block, index: 1, signatures, f: 1 })!;
    const text = encodeReceipt(receipt);
    const asked = await askReceipt(clientOf(200, text), 'ab');
    assert.ok('found' in asked && asked.found === text);
    const trust = encodeTrust(cluster.trust);
    const id = transactions[1]!.id;
    const good = verifyHere(text, trust, id, 'file');
    assert.ok(good.isValid && good.lines.length === 5);
    assert.match(
      verifyHere(text, trust, id, 'gateway').sentence,
      /gateway that lies could have sent its own/,
    );
    const other = verifyHere(text, trust, transactions[0]!.id, 'file');
    assert.deepEqual(
      [other.isValid, other.sentence],
      [false, 'The receipt holds, but it is of another transaction.'],
    );
    const spoilt = verifyHere(text.replace(/"index":1/, '"index":0'), trust, id, 'file');
    assert.ok(!spoilt.isValid && spoilt.sentence.startsWith('The receipt does not hold.'));
    const foreign = verifyHere(text, encodeTrust(new SampleCluster('another').trust), id, 'file');
    assert.equal(foreign.isValid, false);
    assert.match(verifyHere(text, '{}', id, 'file').sentence, /no trust file/);
    assert.match(verifyHere('', trust, id, 'gateway').sentence, /does not hold/);
  });
});

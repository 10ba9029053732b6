import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { put, sha256, TestLedger } from '../../test/support/ledger-fixture.ts';
import {
  blockRootsFit,
  decodeBlock,
  decodeHeader,
  encodeHeader,
  headerHash,
  transactionProofs,
} from './block.ts';
import type { Block } from './contract.ts';
import { merkleRootOfProof } from './merkle.ts';
import { outcomeDigest, transactionId, TransactionHasher } from './transaction.ts';

function someBlock(): Block {
  const ledger = new TestLedger();
  const session = ledger.openSession(2);
  const requests = [1, 2, 3, 4, 5].map((number): [number, ReturnType<typeof put>] => [
    number,
    put(`key ${number}`, `value ${number}`),
  ]);
  return ledger.run([ledger.bundle(2, session, requests)]).block!;
}

test('a block and its header read back equal, and its roots fit', () => {
  const block = someBlock();
  assert.deepEqual(decodeBlock(sha256, block.bytes), block);
  assert.deepEqual(decodeHeader(encodeHeader(block.header)), block.header);
  assert.equal(headerHash(sha256, block.header), block.headerHash);
  assert.ok(blockRootsFit(sha256, block));
});

test('every byte of a block counts: a flip is refused, changes the header hash or breaks a root', () => {
  const block = someBlock();
  for (let at = 0; at < block.bytes.length; at += 1) {
    const bytes = block.bytes.slice();
    bytes[at]! ^= 1;
    const read = decodeBlock(sha256, bytes);
    if (read === undefined) continue;
    assert.ok(read.headerHash !== block.headerHash || !blockRootsFit(sha256, read), `byte ${at}`);
  }
});

test('arbitrary and truncated bytes never throw', () => {
  const { bytes } = someBlock();
  for (let length = 0; length < bytes.length; length += 1)
    assert.equal(decodeBlock(sha256, bytes.subarray(0, length)), undefined);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (noise) => {
      decodeBlock(sha256, noise);
      decodeHeader(noise);
    }),
  );
});

test('a block without transactions never fits (decision D2)', () => {
  assert.ok(!blockRootsFit(sha256, { ...someBlock(), transactions: [] }));
});

test('the paths of a transaction lead to both roots, and the outcome binds organisation and result', () => {
  const block = someBlock();
  block.transactions.forEach((transaction, index) => {
    const proofs = transactionProofs(sha256, block, index);
    const { transactionsRoot, resultsRoot } = block.header;
    assert.equal(merkleRootOfProof(sha256, transaction.id, proofs.transaction), transactionsRoot);
    assert.equal(merkleRootOfProof(sha256, outcomeDigest(sha256, transaction), proofs.outcome), resultsRoot);
    const elsewhere = outcomeDigest(sha256, { ...transaction, organisation: 'gamma' });
    assert.notEqual(merkleRootOfProof(sha256, elsewhere, proofs.outcome), resultsRoot);
  });
});

test('the batched hasher gives the ids and outcomes of the plain functions', () => {
  const [first] = someBlock().transactions;
  const { id, clientId, session, number, operation, organisation, result } = first!;
  const cluster = someBlock().header.clusterId;
  assert.equal(transactionId(sha256, cluster, clientId, session, number, operation), id);
  const hasher = new TransactionHasher(sha256, cluster).begin(clientId, 2 ** 40 + 7);
  const long = new Uint8Array(100_000).fill(3);
  for (const bytes of [operation, long, operation]) {
    const expected = transactionId(sha256, cluster, clientId, 2 ** 40 + 7, 2 ** 33, bytes);
    assert.equal(hasher.id(2 ** 33, bytes), expected);
  }
  for (const bytes of [result, long, result]) {
    const expected = outcomeDigest(sha256, { id, organisation, result: bytes });
    assert.equal(hasher.outcome(id, organisation, bytes), expected);
  }
});

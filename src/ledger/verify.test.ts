import assert from 'node:assert/strict';
import { createPublicKey, hash as nodeHash, verify } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { createContext, runInContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { isAdmissibleSignature } from '../crypto/ed25519-rule.ts';
import { encodeReceipt, makeReceipt, parseReceipt, RECEIPT_LENGTH_MAX } from './receipt.ts';
import type { Receipt } from './receipt.ts';
import { portableHash } from '../crypto/portable.ts';
import { SampleCluster } from './sample-ledger.testing.ts';
import { encodeTrust, parseTrust } from './trust.ts';
import type { VerifierCrypto } from './verify.ts';
import { verifyReceipt } from './verify.ts';

/** The system's library: for the tests that verify thousands of receipts. */
const FAST: VerifierCrypto = {
  hash: (bytes) => new Uint8Array(nodeHash('sha256', bytes, 'buffer')),
  verifySignature: (publicKey, message, signature) => {
    const key = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url') };
    if (!isAdmissibleSignature(signature)) return false;
    return verify(null, message, createPublicKey({ key, format: 'jwk' }), signature);
  },
};

/** Bytes of the bundle when gzipped, at most. */
const SIZE_MAX = 24 * 1024;

const cluster = new SampleCluster();
const { trust } = cluster;
const first = cluster.block(undefined, [cluster.transaction({ number: 1 })]);
const transactions = [2, 3, 4, 5, 6].map((number) => cluster.transaction({ number }));
const block = cluster.block(first, transactions);

function receiptOf(index: number, replicas: readonly number[] = [0, 1, 2]): Receipt {
  const signatures = cluster.sign(block, replicas);
  const receipt = makeReceipt({ hash: portableHash, block, index, signatures, f: trust.f });
  assert.ok(receipt !== undefined);
  return receipt;
}

const receipt = receiptOf(2);
const text = encodeReceipt(receipt);

function faultOf(changed: Receipt, known = trust): string | undefined {
  const verdict = verifyReceipt(encodeReceipt(changed), known, FAST);
  assert.equal(verdict.lines.length, 5);
  assert.equal(verdict.valid, verdict.reason === undefined);
  return verdict.reason;
}

test('a receipt of every transaction verifies, in five lines, with either cryptography', () => {
  for (let index = 0; index < transactions.length; index += 1) {
    for (const replicas of [
      [0, 1],
      [2, 0],
      [1, 2],
      [2, 1, 0],
    ]) {
      const verdict = verifyReceipt(encodeReceipt(receiptOf(index, replicas)), trust, FAST);
      assert.deepEqual(
        [verdict.valid, verdict.txId, verdict.lines.length],
        [true, transactions[index]!.id, 5],
      );
    }
  }
  const verdict = verifyReceipt(text, trust);
  assert.ok(verdict.valid && verdict.lines.every((line) => line.startsWith('ok ')));
  assert.match(verdict.lines[2]!, /is number 3 of 5 in block 2/);
  assert.match(verdict.lines[4]!, /Replicas 0, 1 signed header .*: 2 of 3/);
  assert.deepEqual(verdict.receipt, receipt);
});

test('a receipt with any byte changed fails', () => {
  const hex = '0123456789abcdef';
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at]!;
    const code = char.charCodeAt(0);
    const replacements = new Set([
      String.fromCharCode(code ^ 1),
      String.fromCharCode(code ^ 32),
      ' ',
      '\uffff',
    ]);
    // A digit that stays a digit gets past the parser: the proofs must catch it.
    if (hex.includes(char)) replacements.add(hex[(hex.indexOf(char) + 1) % 16]!);
    if (char >= '0' && char <= '9') replacements.add(char === '9' ? '1' : String.fromCharCode(code + 1));
    replacements.delete(char);
    for (const other of replacements) {
      const changed = text.slice(0, at) + other + text.slice(at + 1);
      assert.ok(!verifyReceipt(changed, trust, FAST).valid, `position ${at}: ${char} -> ${other}`);
    }
    assert.ok(!verifyReceipt(text.slice(0, at) + text.slice(at + 1), trust, FAST).valid, `removed ${at}`);
    assert.ok(!verifyReceipt(text.slice(0, at), trust, FAST).valid, `cut at ${at}`);
  }
  for (const longer of [`${text}\n`, ` ${text}`, `\ufeff${text}`, `${text}${text}`])
    assert.equal(verifyReceipt(longer, trust, FAST).reason, 'notCanonical');
});

test('another cluster, another membership, other host keys: fails', () => {
  const other = new SampleCluster('other');
  assert.equal(faultOf(receipt, other.trust), 'otherCluster');
  assert.equal(faultOf(receipt, { ...trust, configurationVersion: 2 }), 'otherConfiguration');
  assert.equal(faultOf(receipt, { ...trust, hostKeys: other.trust.hostKeys }), 'badSignature');
  assert.equal(faultOf(receipt, { ...trust, f: 2 }), 'wrongNumberOfSignatures');
  assert.equal(faultOf(receipt, { ...trust, hostKeys: trust.hostKeys.slice(0, 1) }), 'unknownReplica');
});

test('signatures: exactly f+1, ascending, of distinct members, over this header', () => {
  const [zero, one, two] = cluster.sign(block, [0, 1, 2]);
  const withSignatures = (...signatures: Receipt['signatures'][number][]): Receipt => ({
    ...receipt,
    signatures,
  });
  assert.equal(faultOf(withSignatures(zero!, two!)), undefined);
  assert.equal(faultOf(withSignatures(zero!)), 'wrongNumberOfSignatures');
  assert.equal(faultOf(withSignatures()), 'wrongNumberOfSignatures');
  assert.equal(faultOf(withSignatures(zero!, one!, two!)), 'wrongNumberOfSignatures');
  assert.equal(faultOf(withSignatures(one!, zero!)), 'notCanonical');
  assert.equal(faultOf(withSignatures(one!, one!)), 'notCanonical');
  assert.equal(faultOf(withSignatures(zero!, { ...zero!, replica: 1 })), 'badSignature');
  assert.equal(faultOf(withSignatures(zero!, { ...one!, replica: 3 })), 'unknownReplica');
  const [elsewhere] = cluster.sign(first, [1]);
  assert.equal(faultOf(withSignatures(zero!, elsewhere!)), 'badSignature');
});

test('every part of transaction, result and place is bound by the proofs', () => {
  const changed = (change: Partial<Receipt['transaction']>): Receipt => {
    return { ...receipt, transaction: { ...receipt.transaction, ...change } };
  };
  assert.equal(faultOf(changed({ number: 99 })), 'transactionNotInBlock');
  assert.equal(faultOf(changed({ session: 6 })), 'transactionNotInBlock');
  assert.equal(faultOf(changed({ client: block.headerHash })), 'transactionNotInBlock');
  assert.equal(faultOf(changed({ operation: new Uint8Array(3) })), 'transactionNotInBlock');
  assert.equal(faultOf(changed({ organisation: 'org-b' })), 'resultNotInBlock');
  assert.equal(faultOf(changed({ result: new Uint8Array(3) })), 'resultNotInBlock');
  assert.equal(faultOf({ ...receipt, index: 3 }), 'transactionNotInBlock');
  assert.equal(faultOf({ ...receipt, leaves: 6 }), 'transactionNotInBlock');
  assert.equal(faultOf({ ...receipt, paths: { ...receipt.paths, result: [] } }), 'resultNotInBlock');
  assert.equal(faultOf({ ...receipt, header: { ...receipt.header, height: 3 } }), 'badSignature');
  assert.equal(faultOf({ ...receipt, header: first.header }), 'transactionNotInBlock');
});

test('no receipt is made of too few signatures, of repeated ones, or of a transaction that is not there', () => {
  const make = (index: number, replicas: number[]): Receipt | undefined => {
    return makeReceipt({ hash: portableHash, block, index, signatures: cluster.sign(block, replicas), f: 1 });
  };
  assert.equal(make(0, [1]), undefined);
  assert.equal(make(0, [1, 1]), undefined);
  assert.equal(make(5, [0, 1]), undefined);
  assert.deepEqual(
    make(0, [2, 1, 0])?.signatures.map(({ replica }) => replica),
    [0, 1],
  );
});

test('whatever the text, the parser answers; other spellings of the same receipt are none', () => {
  assert.deepEqual(parseReceipt(text), receipt);
  const parsed = JSON.parse(text) as Record<string, unknown>;
  const spellings = [
    '',
    'null',
    '[]',
    '{}',
    '"x"',
    '['.repeat(100_000),
    JSON.stringify(parsed, undefined, 1),
    JSON.stringify({ ...parsed, note: 'x' }),
    JSON.stringify(Object.fromEntries(Object.entries(parsed).reverse())),
    text.replace('{"format"', '{"format":"x","format"'),
    text.replace('"index":2', '"index":2.0'),
    text.replace('"index":2', '"index":02'),
    text.replace('"index":2', '"index":-2'),
    text.replace('"index":2', '"index":9007199254740993'),
    text.replace('"index":2', '"__proto__":{},"index":2'),
    text.replace(block.header.previous, block.header.previous.toUpperCase()),
    text.replace('org-a', 'org\\u002da'),
    text.replace('moiety-receipt/1', 'moiety-receipt/2'),
    'x'.repeat(RECEIPT_LENGTH_MAX + 1),
  ];
  for (const spelling of spellings) {
    assert.equal(parseReceipt(spelling), undefined, spelling.slice(0, 60));
    assert.equal(verifyReceipt(spelling, trust).lines.length, 5);
  }
});

test('the largest receipt is within the bound', () => {
  const operation = new Uint8Array(63 * 1024);
  const digests = Array.from({ length: 20 }, () => block.headerHash);
  const signature = new Uint8Array(64);
  const largest: Receipt = {
    ...receipt,
    transaction: { ...receipt.transaction, organisation: 'o'.repeat(64), operation, result: operation },
    paths: { transaction: digests, result: digests },
    signatures: Array.from({ length: 256 }, (_, at) => ({ replica: at, signature })),
  };
  assert.deepEqual(parseReceipt(encodeReceipt(largest)), largest);
});

test('a trust file is read back, and refused with anything odd in it', () => {
  assert.deepEqual(parseTrust(encodeTrust(trust)), trust);
  assert.deepEqual(parseTrust(JSON.stringify(JSON.parse(encodeTrust(trust)))), trust);
  const keys = trust.hostKeys;
  const neutral = new Uint8Array(32);
  neutral[0] = 1;
  for (const odd of [
    { ...trust, hostKeys: [keys[0]!, keys[1]!] },
    { ...trust, hostKeys: [keys[0]!, keys[1]!, keys[1]!] },
    { ...trust, hostKeys: [keys[0]!, keys[1]!, keys[2]!.subarray(1)] },
    { ...trust, hostKeys: [keys[0]!, keys[1]!, neutral] },
    { ...trust, f: -1 },
    { ...trust, f: 0.5 },
  ])
    assert.equal(parseTrust(encodeTrust(odd)), undefined);
  const document = JSON.parse(encodeTrust(trust)) as Record<string, unknown>;
  assert.equal(parseTrust(JSON.stringify({ ...document, comment: 'x' })), undefined);
  assert.equal(parseTrust(JSON.stringify({ ...document, format: 'moiety-trust/2' })), undefined);
  assert.equal(parseTrust('{'), undefined);
});

test('the verifier is a small bundle that needs nothing of Node.js', async (context) => {
  const entry = fileURLToPath(new URL('./verify.ts', import.meta.url));
  const trustEntry = fileURLToPath(new URL('./trust.ts', import.meta.url));
  const contents = `export { verifyReceipt } from ${JSON.stringify(entry)}; export { parseTrust } from ${JSON.stringify(trustEntry)};`;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: fileURLToPath(new URL('.', import.meta.url)) },
    bundle: true,
    minify: true,
    write: false,
    platform: 'browser',
    format: 'iife',
    globalName: 'moiety',
    target: 'es2022',
  });
  const code = outputFiles[0]!.text;
  const zipped = gzipSync(code, { level: 9 }).length;
  context.diagnostic(`verifier: ${code.length} bytes minified, ${zipped} bytes gzipped`);
  assert.ok(zipped < SIZE_MAX, `${zipped} bytes gzipped`);
  // A realm with the language alone: no process, no Buffer, no require.
  const realm = createContext({ text, trustText: encodeTrust(trust), TextEncoder, Uint8Array });
  const run = `${code};moiety.verifyReceipt(text, moiety.parseTrust(trustText)).valid`;
  assert.equal(runInContext(run, realm), true);
});

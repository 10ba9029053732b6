import assert from 'node:assert/strict';
import { createHash, createHmac, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { test } from 'node:test';
import { asciiBytes, bytesToHex } from '../core/bytes.ts';
import type { Digest, TcEpoch } from '../core/types.ts';
import { COUNTER_SENTINEL, STATEMENT_BYTES, USIG_OBJECT_ID } from './contract.ts';
import type { Statement } from './contract.ts';
import {
  bindDigestOf,
  decodeStatement,
  domainDigestOf,
  encodeCertificate,
  encodeStatement,
  statementForUi,
  statementKeyOf,
  tcIdOf,
} from './statement.ts';

const hash = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
const hmac = (key: Uint8Array, message: Uint8Array): Uint8Array =>
  createHmac('sha256', key).update(message).digest();

const GROUP_ID = Uint8Array.from({ length: 16 }, (_, index) => index);
const PUBLIC_KEY = 'a09aa5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f0';
const DIGEST = '84dfaaf8effb9ee7dc0dbca2cbdcb19bf29ce43eddcbf6b62e3e6fb15b3c17b1' as Digest;
const TC_EPOCH = '0000000000000007' as TcEpoch;
const seed = Buffer.alloc(32, 0x22);
const privateKey = createPrivateKey({
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
  format: 'der',
  type: 'pkcs8',
});

test('vector: digest of a message under its domain', () => {
  assert.equal(domainDigestOf(hash, 'demo/PREPARE', asciiBytes('hello')), DIGEST);
});

test('vector: HMAC statement, key and tag', () => {
  const tcId = tcIdOf(hash, { suite: 'hmac-sha256', groupId: GROUP_ID, replica: 2 });
  assert.equal(tcId, '1e03b218be6310d6c5f608ce126f4106');
  const key = statementKeyOf(hmac, new Uint8Array(32).fill(0x11), GROUP_ID);
  assert.equal(bytesToHex(key), '3ae84866f353fb5411fb4f814d18d7fe503fcc6759101e26688434bbb6b9e1d8');
  const parts = { tcId, tcEpoch: TC_EPOCH, counter: 42, digest: DIGEST };
  const statement = statementForUi({ suite: 'hmac-sha256', ...parts });
  const expected = `5443533101010000${tcId}${TC_EPOCH}01010000000000000000000000000029000000000000002a${DIGEST}${'0'.repeat(96)}`;
  assert.equal(bytesToHex(statement), expected);
  assert.equal(
    bytesToHex(hmac(key, statement)),
    'a383006dc64c456c5f11137e16fc791cf21870379fdf4c8f58741c6c2d8b5a00',
  );
});

test('vector: Ed25519 statement and signature', () => {
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  assert.equal(bytesToHex(spki.subarray(-32)), PUBLIC_KEY);
  const tcId = tcIdOf(hash, { suite: 'ed25519', publicKey: spki.subarray(-32) });
  assert.equal(tcId, 'e8bb9b474f0d7c6c4e40fd78a0cbb76f');
  const parts = { tcId, tcEpoch: TC_EPOCH, counter: 42, digest: DIGEST };
  const statement = statementForUi({ suite: 'ed25519', ...parts });
  assert.equal(statement[5], 2);
  const signature = sign(null, statement, privateKey);
  assert.equal(
    bytesToHex(signature),
    'ed6d512f0bdbb2ef52d055c0d7b0b0716ad07d845122474e4da9baef32d878507ce39d5be07555f9f335be44d6cdd832ad8580ef8b3049c2038dd9b25fc68902',
  );
  assert.equal(encodeCertificate(statement, signature).length, 202);
});

test('vector: digest that binds key and challenge', () => {
  const bind = bindDigestOf(hash, {
    suite: 'ed25519',
    tcId: 'e8bb9b474f0d7c6c4e40fd78a0cbb76f',
    tcEpoch: TC_EPOCH,
    publicKey: PUBLIC_KEY,
    challenge: '33'.repeat(32) as Digest,
  });
  assert.equal(bind, '642d10be65d370b76b0412d9b8b1ad28c54cbdd2b0d18d52f3f550dde5ee2a0e');
});

test('statements are read back exactly; sentinel, aux and nonce too', () => {
  const statement: Statement = {
    kind: 3,
    suite: 'ed25519',
    flags: 1,
    tcId: 'e8bb9b474f0d7c6c4e40fd78a0cbb76f',
    tcEpoch: TC_EPOCH,
    objectId: USIG_OBJECT_ID,
    previous: COUNTER_SENTINEL,
    value: Number.MAX_SAFE_INTEGER,
    digest: DIGEST,
    aux: DIGEST,
    nonce: 'ab'.repeat(16),
  };
  const bytes = encodeStatement(statement);
  assert.equal(bytes.length, STATEMENT_BYTES);
  assert.equal(bytesToHex(bytes.subarray(40, 56)), 'ffffffffffffffff001fffffffffffff');
  assert.deepEqual(decodeStatement(bytes), statement);
});

test('what is no statement is not read', () => {
  const tcId = 'e8bb9b474f0d7c6c4e40fd78a0cbb76f';
  const good = statementForUi({ tcId, suite: 'ed25519', tcEpoch: TC_EPOCH, counter: 1, digest: DIGEST });
  assert.notEqual(decodeStatement(good), undefined);
  const changed = (at: number, value: number): Uint8Array => {
    const bytes = good.slice();
    bytes[at] = value;
    return bytes;
  };
  assert.equal(decodeStatement(good.subarray(1)), undefined);
  assert.equal(decodeStatement(changed(0, 0x55)), undefined, 'magic');
  assert.equal(decodeStatement(changed(4, 99)), undefined, 'kind');
  assert.equal(decodeStatement(changed(5, 3)), undefined, 'suite');
  assert.equal(decodeStatement(changed(7, 1)), undefined, 'zero byte');
  assert.equal(decodeStatement(changed(40, 1)), undefined, 'integer above 2^53');
});

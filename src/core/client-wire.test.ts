import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CERTIFICATE_BYTES_MAX,
  decodeClientFrame,
  decodeReplicaFrame,
  encodeClientFrame,
  encodeReplicaFrame,
  PROOF_BYTES_MAX,
  readResults,
  resultsPartOf,
  writeReplyContent,
} from './client-wire.ts';
import type { ClientFrame, ReplicaFrame, ReplyContent, SignedReply } from './client-wire.ts';
import { Writer } from './codec.ts';
import type { Digest } from './types.ts';

const digest = (byte: string): Digest => byte.repeat(32) as Digest;

const CLIENT_FRAMES: readonly ClientFrame[] = [
  { kind: 'hello', version: 2, clusterId: digest('c1'), clientKey: new Uint8Array(32).fill(3) },
  { kind: 'bundle', bytes: new Uint8Array([1, 2, 3]) },
  { kind: 'read', id: 7, operation: new Uint8Array([4]) },
  { kind: 'query', id: 8, topic: 'block', argument: '12' },
  { kind: 'certificate', bytes: new Uint8Array([5, 6]) },
];

const SAID: ReplyContent = {
  replica: 2,
  session: 9,
  view: 4,
  standing: 'speculative',
  proof: new Uint8Array([8, 8, 8]),
  results: [{ number: 1, txId: digest('ab'), sequence: 5, height: 3, result: new Uint8Array([0, 1]) }],
};
/** A reply as it comes back from its bytes. */
function replyOf(said: ReplyContent): SignedReply {
  const content = writeReplyContent(new Writer(64), said).finish();
  return { kind: 'reply', ...said, content, signature: new Uint8Array(64).fill(6) };
}
const REPLY = replyOf(SAID);
const REPLICA_FRAMES: readonly ReplicaFrame[] = [
  { kind: 'welcome', version: 2, replica: 1, clusterId: digest('c1') },
  REPLY,
  replyOf({ ...SAID, standing: 'committed', proof: new Uint8Array(PROOF_BYTES_MAX) }),
  replyOf({ ...SAID, standing: 'final', proof: new Uint8Array(0), results: [] }),
  { kind: 'busy', bundle: digest('0b'), retryAfterMs: 100 },
  { kind: 'refused', bundle: digest('0b'), reason: 'unknownClient' },
  { kind: 'readAnswer', id: 7, sequence: 5, height: 3, result: new Uint8Array([1]) },
  { kind: 'queryAnswer', id: 8, found: true, bytes: new Uint8Array([123, 125]) },
];

test('every frame comes back as it was, and no part or extension of it is one', () => {
  for (const frame of CLIENT_FRAMES) {
    const bytes = encodeClientFrame(frame);
    assert.deepEqual(decodeClientFrame(bytes), frame);
    assert.equal(decodeClientFrame(new Uint8Array([...bytes, 0])), undefined);
    for (let end = 0; end < bytes.length; end += 1)
      assert.equal(decodeClientFrame(bytes.subarray(0, end)), undefined, `${frame.kind} ${end}`);
  }
  for (const frame of REPLICA_FRAMES) {
    const bytes = encodeReplicaFrame(frame);
    assert.deepEqual(decodeReplicaFrame(bytes), frame);
    assert.equal(decodeReplicaFrame(new Uint8Array([...bytes, 0])), undefined);
    for (let end = 0; end < bytes.length; end += Math.max(1, bytes.length >> 7))
      assert.equal(decodeReplicaFrame(bytes.subarray(0, end)), undefined, `${frame.kind} ${end}`);
  }
});

test('what is signed tells standings and proofs apart', () => {
  const contents = [
    REPLY,
    { ...REPLY, standing: 'committed' as const },
    { ...REPLY, standing: 'final' as const },
    { ...REPLY, proof: new Uint8Array(0) },
    { ...REPLY, proof: new Uint8Array([8, 8]) },
  ].map((reply) => writeReplyContent(new Writer(64), reply).finish().join());
  assert.equal(new Set(contents).size, contents.length);
});

test('unknown standings and oversized parts are no frame', () => {
  const bytes = encodeReplicaFrame(REPLY);
  const at = 1 + 4 + 8 + 8;
  assert.equal(bytes[at], 0);
  for (const standing of [3, 4, 255]) {
    const copy = bytes.slice();
    copy[at] = standing;
    assert.equal(decodeReplicaFrame(copy), undefined);
  }
  const long = { ...REPLY, proof: new Uint8Array(PROOF_BYTES_MAX + 1) };
  assert.equal(decodeReplicaFrame(encodeReplicaFrame(long)), undefined);
  const most = { kind: 'certificate', bytes: new Uint8Array(CERTIFICATE_BYTES_MAX) } as const;
  assert.deepEqual(decodeClientFrame(encodeClientFrame(most)), most);
  const more = { kind: 'certificate', bytes: new Uint8Array(CERTIFICATE_BYTES_MAX + 1) } as const;
  assert.equal(decodeClientFrame(encodeClientFrame(more)), undefined);
});

/** Canonical bytes of results that say this, one after the other. */
function resultsOf(...said: readonly (readonly number[])[]): Uint8Array {
  const results = said.map((bytes, index) => ({
    ...{ number: 1 + index, txId: digest('ab'), sequence: 5, height: 3 },
    result: Uint8Array.from(bytes),
  }));
  return resultsPartOf(writeReplyContent(new Writer(), { ...SAID, results }).finish());
}

test('short results in a row that say the same share their bytes, which changes nothing of what is read', () => {
  const long = Array.from({ length: 100 }, () => 1);
  const said = [[1, 2, 3], [1, 2, 3], [1, 2, 4], [1, 2], [1, 2, 3, 4], [], [], [1, 2, 3], long, long];
  const bytes = resultsOf(...said);
  const results = readResults(bytes)!;
  assert.deepEqual(
    results.map(({ result }) => [...result]),
    said,
  );
  assert.deepEqual(
    results.map(({ number }) => number),
    said.map((_, index) => 1 + index),
  );
  const shared = results.filter(({ result }, index) => result === results[index - 1]?.result);
  assert.deepEqual(
    shared.map(({ number }) => number),
    [2, 7],
    'only a few bytes are compared',
  );
  const cut = resultsOf([1, 2, 3], [1, 2, 3]);
  for (let length = 0; length < cut.length; length += 1)
    assert.equal(readResults(cut.subarray(0, length)), undefined, 'cut off');
  assert.equal(readResults(Uint8Array.from([...cut, 0])), undefined, 'too long');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeReplyContent } from '../core/client-wire.ts';
import type { SignedReply, WireResult } from '../core/client-wire.ts';
import { Writer } from '../core/codec.ts';
import type { Digest, ReplicaId } from '../core/types.ts';
import { signedReplyDigest } from '../ledger/reply-evidence.ts';
import { trustOf } from '../ledger/trust.ts';
import { verifyReplyEvidence } from '../ledger/reply-evidence.ts';
import { connect } from './client.ts';
import { FakeCluster } from './fake-cluster.testing.ts';
import type { Behaviour } from './fake-cluster.testing.ts';
import { createKeySigner } from './keys.ts';
import { ReplyWatch } from './reply-watch.ts';
import type { FoundEvidence } from './reply-watch.ts';
import { ED25519 } from '../platform/ed25519.ts';
import { nodeHash } from '../platform/sha256.ts';

const key = new Uint8Array([1]);

async function evidenceOf(
  behaviours: readonly Behaviour[],
  f: number,
  writes: number,
): Promise<FoundEvidence[]> {
  const cluster = new FakeCluster(f);
  behaviours.forEach((behaviour, replica) => (cluster.replicas[replica]!.behaviour = behaviour));
  const found: FoundEvidence[] = [];
  const client = await connect({
    cluster: cluster.settings,
    key: cluster.clientKey,
    openChannel: cluster.openChannel,
    onEvidence: (one) => found.push(one),
  });
  for (let index = 0; index < writes; index += 1) await client.put(key, new Uint8Array([index]));
  // Replies that come after the result count, too.
  await new Promise((resolve) => setTimeout(resolve, 20));
  await client.close();
  for (const { bytes, replica } of found) {
    const verdict = verifyReplyEvidence(bytes, trustOf(cluster.settings));
    assert.ok(verdict.valid);
    assert.equal(verdict.replica, replica);
  }
  return found;
}

for (const liar of [0, 1, 2])
  test(`a wrong signed reply of replica ${liar} becomes evidence, before or after the result`, async () => {
    const behaviours: Behaviour[] = ['correct', 'correct', 'correct'];
    behaviours[liar] = 'lying';
    const found = await evidenceOf(behaviours, 1, 8);
    assert.equal(found.length, 4, 'a few records against one replica are enough');
    for (const { replica, rule } of found) assert.deepEqual([replica, rule], [liar, 'wrongReply']);
  });

test('two liars of five are both proved, nobody else is', async () => {
  const found = await evidenceOf(['lying', 'correct', 'correct', 'lying', 'correct'], 2, 8);
  assert.deepEqual([...new Set(found.map(({ replica }) => replica))].sort(), [0, 3]);
});

test('correct and silent replicas are not accused', async () => {
  assert.deepEqual(await evidenceOf(['mute', 'correct', 'correct'], 1, 4), []);
});

const result = (number: number, value = 1): WireResult => ({
  number,
  txId: number.toString(16).padStart(64, '0') as Digest,
  sequence: 9,
  height: 4,
  result: new Uint8Array([0, value]),
});

/** A watch that is told what replicas of a cluster sign. */
function watching() {
  const cluster = new FakeCluster(1);
  const trust = trustOf(cluster.settings);
  const found: FoundEvidence[] = [];
  const crypto = { hash: nodeHash, verifySignature: ED25519.verify };
  const watch = new ReplyWatch({ trust, crypto, onEvidence: (one) => found.push(one) });
  const sign = (replica: ReplicaId, session: number, results: readonly WireResult[]): SignedReply => {
    const said = { replica, session, view: 0, standing: 'final', proof: new Uint8Array(0), results } as const;
    const content = writeReplyContent(new Writer(64), said).finish();
    const { sign: signWith } = createKeySigner(cluster.replicas[replica]!.hostKey);
    const signature = signWith(signedReplyDigest(nodeHash, cluster.settings, content));
    return { kind: 'reply', ...said, content, signature };
  };
  const accept = (session: number, results: readonly WireResult[]): void => {
    const kept = [0, 1].map((replica) => {
      const { content, signature } = sign(replica, session, results);
      return watch.keep(replica, content, signature);
    });
    for (const one of results) {
      const said = { standing: 'final', key: '', proof: new Uint8Array(0) } as const;
      watch.onAccepted(
        session,
        one,
        kept.map((reply) => ({ result: one, word: { ...said, reply } })),
      );
    }
  };
  const late = (session: number, results: readonly WireResult[]): boolean => {
    const reply = sign(2, session, results);
    const isSuspect = watch.contradicts(reply);
    if (isSuspect) watch.onReply(watch.keep(2, reply.content, reply.signature), session, results);
    return isSuspect;
  };
  return { accept, late, found, trust };
}

test('a late reply is compared result by result, however it is cut', () => {
  const { accept, late, found, trust } = watching();
  accept(5, [result(1), result(2), result(3)]);
  accept(5, [result(4), result(5)]);
  assert.equal(late(5, [result(1), result(2), result(3)]), false);
  assert.equal(late(5, [result(2), result(3), result(4)]), false, 'the same in another reply');
  assert.equal(late(5, [result(7, 9)]), false, 'not accepted yet');
  assert.equal(late(6, [result(2, 9)]), false, 'another session');
  assert.equal(found.length, 0);
  assert.equal(late(5, [result(3), result(4), result(5, 9)]), true);
  assert.equal(found.length, 1);
  const verdict = verifyReplyEvidence(found[0]!.bytes, trust);
  assert.ok(verdict.valid);
  assert.deepEqual([verdict.replica, verdict.claimed.number, verdict.claimed.result[1]], [2, 5, 9]);
});

test('the latest results of a session are remembered, older ones make room', () => {
  const { accept, late, found } = watching();
  const all = Array.from({ length: 10_000 }, (_, index) => result(1 + index));
  for (let from = 0; from < all.length; from += 500) accept(5, all.slice(from, from + 500));
  assert.equal(late(5, [result(1, 9)]), false);
  assert.equal(late(5, [result(10_000 - 8_191, 9)]), true);
  assert.equal(late(5, [result(10_000, 9)]), true);
  assert.equal(found.length, 2);
});

import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { test } from 'node:test';
import { bytesToHex } from '../core/bytes.ts';
import type { ClusterSettings } from '../core/config.ts';
import { Prng } from '../core/prng.ts';
import type { Digest, ReplicaId } from '../core/types.ts';
import { ZERO_DIGEST } from '../core/types.ts';
import { encodeEvidenceDocument, parseEvidenceDocument } from '../ledger/evidence-document.ts';
import { trustOf } from '../ledger/trust.ts';
import { encodeEvidence } from '../smr/usig-replica/evidence.ts';
import type { Evidence } from '../smr/usig-replica/evidence.ts';
import { completeDraft, encodeDraft } from '../smr/usig-stream/codec.ts';
import { createStreamContext } from '../smr/usig-stream/context.ts';
import type { Checkpoint, Draft, Prepare } from '../smr/usig-stream/messages.ts';
import { statementForUi } from '../trusted/statement.ts';
import { verifyEvidence } from './evidence.ts';
import { FakeCluster } from './fake-cluster.testing.ts';
import { nodeHash } from '../platform/sha256.ts';
import { ED25519, rawPublicKeyOf } from '../platform/ed25519.ts';

const trustedKeys: KeyObject[] = [0, 1, 2].map(() => generateKeyPairSync('ed25519').privateKey);
const base = new FakeCluster().settings;
const settings: ClusterSettings = {
  ...base,
  members: base.members.map((member, id) => ({
    ...member,
    trusted: { ...member.trusted, publicKey: bytesToHex(rawPublicKeyOf(trustedKeys[id]!)!) },
  })),
};
const { clusterId, configurationVersion } = settings;
const context = createStreamContext(settings, nodeHash, { clusterId, configurationVersion }, 'minbft');

/** What the trusted component of a replica makes of a draft. */
function sealed(replica: ReplicaId, counter: number, draft: Draft, tcEpoch?: string): unknown {
  const registered = settings.members[replica]!.trusted;
  const ui = { replica, tcEpoch: (tcEpoch as typeof registered.tcEpoch) ?? registered.tcEpoch, counter };
  const { digest } = encodeDraft(context, draft);
  const statement = statementForUi({ ...ui, tcId: registered.tcId, suite: 'ed25519', digest });
  const authenticator = new Uint8Array(sign(null, statement, trustedKeys[replica]!));
  return completeDraft(context, draft as never, { ...ui, authenticator });
}

function prepare(replica: ReplicaId, counter: number, over: object = {}, tcEpoch?: string): Prepare {
  const content = { view: 0, configurationVersion, newViewCounter: 0, sequence: 7, recovers: [] };
  const batchDigest = counter.toString(16).padStart(64, '0') as Digest;
  const draft: Draft = { kind: 'PREPARE', ...content, batchDigest, ...over };
  return sealed(replica, counter, draft, tcEpoch) as Prepare;
}

function checkpoint(replica: ReplicaId, stateDigest: Digest, over: object = {}): Checkpoint {
  const { checkpointInterval: sequence } = settings.limits;
  const newView = { view: 0, incarnation: 0, counter: 0, digest: ZERO_DIGEST, end: 0 };
  const self = { newView, lastSequence: sequence, lastPrimaryCounter: sequence, checkpointSequence: 0 };
  const draft = {
    kind: 'CHECKPOINT',
    sequence,
    stateDigest,
    last: { view: 0, primaryCounter: sequence },
    configurationVersion,
    registryDigest: ZERO_DIGEST,
    self,
    seen: [0, 1, 2].map(() => ({ incarnation: 0, counter: 5 })),
    ...over,
  } as Draft;
  return sealed(replica, sequence + 1, draft) as Checkpoint;
}

const A = 'a'.repeat(64) as Digest;
const B = 'b'.repeat(64) as Digest;

function fileOf(replica: ReplicaId, evidence: Evidence, rule: string = evidence.kind): string {
  const bytes = encodeEvidence(evidence);
  return encodeEvidenceDocument({ clusterId, replica, rule, foundBy: 1, atMs: 5, bytes });
}

const double = fileOf(0, { kind: 'doubleProposal', first: prepare(0, 8), second: prepare(0, 9) });
const certificate = { checkpoints: [checkpoint(0, A), checkpoint(1, A)] };
const wrong = fileOf(2, { kind: 'wrongCheckpoint', certificate, checkpoint: checkpoint(2, B) });

test('two proposals for one order, and a lie against a stable checkpoint, verify offline with cluster.json', () => {
  for (const [text, replica] of [
    [double, 0],
    [wrong, 2],
  ] as const) {
    const verdict = verifyEvidence(text, { settings });
    assert.equal(verdict.valid, true, verdict.lines.join('\n'));
    assert.equal(verdict.replica, replica);
    assert.equal(verdict.lines.length, 5);
    assert.ok(verdict.lines.every((line) => line.startsWith('ok ')));
  }
});

test('what is lacking or wrong is said', () => {
  const reason = (text: string, over: object = {}): string | undefined => {
    const verdict = verifyEvidence(text, { settings: { ...settings, ...over } });
    assert.equal(verdict.lines.length, 5);
    return verdict.valid ? 'valid' : verdict.reason;
  };
  assert.equal(verifyEvidence(double, { trust: trustOf(settings) }).reason, 'needsClusterFile');
  assert.equal(reason('{}'), 'notEvidence');
  assert.equal(reason(double, { clusterId: A }), 'otherCluster');
  assert.equal(reason(double, { configurationVersion: 9 }), 'badSeal');
  assert.equal(reason(double, { suite: 'hmac-sha256' }), 'notTransferable');
  assert.equal(reason(double, { protocol: 'other' }), 'provesNothing');
  assert.equal(reason(double.replace('"replica":0', '"replica":1')), 'provesSomethingElse');
  assert.equal(reason(double.replace('doubleProposal', 'wrongCheckpoint')), 'provesSomethingElse');
  assert.equal(reason(double.replace('doubleProposal', 'wrongReply')), 'notCanonical');
  // Keys of re-admitted components stand in no public file.
  const [first, second] = [prepare(0, 8, {}, 'fe'.repeat(8)), prepare(0, 9, {}, 'fe'.repeat(8))];
  assert.equal(reason(fileOf(0, { kind: 'doubleProposal', first, second })), 'renewedComponent');
  const before = prepare(0, 8);
  assert.equal(reason(fileOf(0, { kind: 'doubleProposal', first: before, second })), 'provesNothing');
});

test('genuine messages of correct replicas make no proof', () => {
  const reason = (replica: ReplicaId, evidence: Evidence): string | undefined =>
    verifyEvidence(fileOf(replica, evidence), { settings }).reason;
  const first = prepare(0, 8);
  assert.equal(reason(0, { kind: 'doubleProposal', first, second: first }), 'provesNothing');
  const later = prepare(0, 9, { sequence: 8 });
  assert.equal(reason(0, { kind: 'doubleProposal', first, second: later }), 'provesNothing');
  const same = checkpoint(2, A);
  assert.equal(reason(2, { kind: 'wrongCheckpoint', certificate, checkpoint: same }), 'provesNothing');
  const other = checkpoint(2, B, { sequence: 2 * settings.limits.checkpointInterval });
  assert.equal(reason(2, { kind: 'wrongCheckpoint', certificate, checkpoint: other }), 'provesNothing');
  // f liars are too few to make a certificate against the others.
  const alone = { checkpoints: [checkpoint(2, B)] };
  assert.equal(
    reason(0, { kind: 'wrongCheckpoint', certificate: alone, checkpoint: checkpoint(0, A) }),
    'provesNothing',
  );
  const doubled = { checkpoints: [checkpoint(2, B), checkpoint(2, B)] };
  assert.equal(
    reason(0, { kind: 'wrongCheckpoint', certificate: doubled, checkpoint: checkpoint(0, A) }),
    'provesNothing',
  );
});

test('any flipped byte of a record makes it worthless, or leaves the accusation as it is', () => {
  const random = new Prng(9);
  const crypto = { hash: nodeHash, verifySignature: ED25519.verify };
  for (const [text, accused] of [
    [double, 0],
    [wrong, 2],
  ] as const) {
    const document = parseEvidenceDocument(text)!;
    for (let at = 0; at < document.bytes.length; at += 1) {
      const bytes = document.bytes.slice();
      bytes[at] = bytes[at]! ^ (1 << random.between(0, 7));
      const verdict = verifyEvidence(encodeEvidenceDocument({ ...document, bytes }), { settings }, crypto);
      assert.ok(!verdict.valid || verdict.replica === accused);
      // It would say so if the seals held and the record were about somebody else.
      assert.ok(!verdict.lines.some((line) => line.includes('The record is about replica')), `byte ${at}`);
    }
  }
});

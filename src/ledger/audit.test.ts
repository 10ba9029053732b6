import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { test } from 'node:test';
import { portableHash } from '../crypto/portable.ts';
import type { Block, BlockHeader, HeaderSignature, Transaction } from './contract.ts';
import type { AuditEntry, AuditReport } from './audit.ts';
import { auditLedger } from './audit.ts';
import { decodeBlock } from './block.ts';
import type { SampleRequest } from './sample-ledger.testing.ts';
import { SampleCluster } from './sample-ledger.testing.ts';
import type { VerifierCrypto } from './verify.ts';

const FAST: VerifierCrypto = {
  hash: portableHash,
  verifySignature: (publicKey, message, signature) => {
    const key = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url') };
    return verify(null, message, createPublicKey({ key, format: 'jwk' }), signature);
  },
};

const cluster = new SampleCluster();
const { trust } = cluster;

/** A ledger under construction. */
class Chain {
  readonly entries: AuditEntry[] = [];
  last: Block | undefined;

  add(
    requests: readonly SampleRequest[],
    changes: Partial<BlockHeader> = {},
    replicas: readonly number[] = [0, 2],
  ): this {
    const transactions = requests.map((request) => cluster.transaction(request));
    this.last = cluster.block(this.last, transactions, changes);
    this.entries.push({ bytes: this.last.bytes, signatures: cluster.sign(this.last, replicas) });
    return this;
  }
}

const chain = (...numbers: number[]): Chain =>
  numbers.reduce((built, number) => built.add([{ number }]), new Chain());

function audit(entries: readonly AuditEntry[], sessionWindowMax?: number): AuditReport {
  const window = sessionWindowMax === undefined ? {} : { sessionWindowMax };
  return auditLedger(entries, { trust, crypto: FAST, ...window });
}

const kindsOf = (report: AuditReport): string[] => report.problems.map(({ kind }) => kind);

test('a sound ledger: everything is counted and proved to its end', () => {
  const built = new Chain()
    .add([{ number: 1 }, { number: 2 }])
    .add([{ number: 4 }, { client: 'another', session: 9, number: 1 }], {}, [0, 1, 2])
    .add([{ number: 3 }]);
  const report = audit(built.entries);
  assert.deepEqual(report, {
    sound: true,
    blocks: 3,
    transactions: 5,
    sessions: 2,
    height: 3,
    headerHash: built.last!.headerHash,
    provenHeight: 3,
    lackingSignatures: [],
    blocksLackingSignatures: 0,
    badSignatures: 0,
    problemCount: 0,
    firstProblem: undefined,
    problems: [],
  });
  assert.deepEqual(auditLedger(built.entries, { trust }), report, 'and with portable cryptography');
  const empty = audit([]);
  assert.deepEqual([empty.sound, empty.height, empty.provenHeight], [true, 0, 0]);
});

test('a block missing, repeated, exchanged or of another chain breaks the chain at its place', () => {
  const { entries } = chain(1, 2, 3, 4);
  const [one, two, three, four] = entries as [AuditEntry, AuditEntry, AuditEntry, AuditEntry];
  const missing = audit([one, three, four]);
  assert.deepEqual(kindsOf(missing), ['heightNotDense', 'brokenChain']);
  assert.deepEqual([missing.firstProblem?.height, missing.provenHeight, missing.sound], [3, 1, false]);
  assert.deepEqual(kindsOf(audit([two, three])), ['heightNotDense', 'brokenChain']);
  assert.ok(kindsOf(audit([one, two, two])).includes('heightNotDense'));
  const branch = chain(1, 7, 3);
  assert.deepEqual(kindsOf(audit([one, branch.entries[1]!, three])), ['brokenChain']);
});

test('each header rule is checked', () => {
  const kindsWith = (changes: Partial<BlockHeader>): string[] =>
    kindsOf(audit(chain(1, 2).add([{ number: 3 }], changes).entries));
  const { clusterId } = new SampleCluster('other').trust;
  assert.deepEqual(kindsWith({}), []);
  assert.deepEqual(kindsWith({ configurationVersion: 2 }), ['otherConfiguration']);
  assert.deepEqual(kindsWith({ sequence: 4 }), ['sequenceNotAscending']);
  assert.deepEqual(kindsWith({ time: 5 }), ['timeWentBack']);
  assert.deepEqual(kindsWith({ height: 4 }), ['heightNotDense']);
  assert.deepEqual(kindsWith({ previous: clusterId }), ['brokenChain']);
  assert.deepEqual(kindsWith({ transactionsRoot: clusterId }), ['rootsDoNotFit']);
  assert.deepEqual(kindsWith({ resultsRoot: clusterId }), ['rootsDoNotFit']);
  assert.deepEqual(kindsWith({ checkpoint: { height: 4, stateDigest: clusterId } }), ['checkpointWentBack']);
  // Another cluster means other txIds, so the roots do not fit either.
  assert.deepEqual(kindsWith({ clusterId }), ['otherCluster', 'rootsDoNotFit']);
  const back = chain(1, 2)
    .add([{ number: 3 }], { checkpoint: { height: 2, stateDigest: clusterId } })
    .add([{ number: 4 }], { checkpoint: { height: 1, stateDigest: clusterId } });
  assert.deepEqual(kindsOf(audit(back.entries)), ['checkpointWentBack']);
});

test('every flipped byte of a block is noticed', () => {
  const { entries } = chain(1, 2, 3);
  const { bytes, signatures } = entries[1]!;
  for (let at = 0; at < bytes.length; at += 1) {
    const changed = bytes.slice();
    changed[at]! ^= 1;
    const report = audit([entries[0]!, { bytes: changed, signatures }, entries[2]!]);
    assert.ok(!report.sound && report.provenHeight === 1, `byte ${at}`);
  }
  assert.deepEqual(kindsOf(audit([{ bytes: new Uint8Array(5), signatures: [] }])), ['undecodable']);
});

test('blocks that lack signatures are listed by range; a later proved block proves them too', () => {
  const built = chain(1);
  built
    .add([{ number: 2 }], {}, [1])
    .add([{ number: 3 }], {}, [2])
    .add([{ number: 4 }], {}, []);
  built.add([{ number: 5 }]).add([{ number: 6 }], {}, [0]);
  const report = audit(built.entries);
  assert.ok(report.sound);
  assert.equal(report.provenHeight, 5);
  assert.equal(report.blocksLackingSignatures, 4);
  assert.deepEqual(report.lackingSignatures, [
    { from: 2, to: 3, signatures: 1 },
    { from: 4, to: 4, signatures: 0 },
    { from: 6, to: 6, signatures: 1 },
  ]);
});

test('signatures that are wrong, repeated, of strangers or of another block do not count', () => {
  const built = chain(1, 2);
  const [elsewhere] = built.entries[0]!.signatures as [HeaderSignature];
  const [zero, two] = built.entries[1]!.signatures as [HeaderSignature, HeaderSignature];
  const withSignatures = (...signatures: HeaderSignature[]): AuditReport =>
    audit([built.entries[0]!, { bytes: built.entries[1]!.bytes, signatures }]);
  for (const bad of [zero, elsewhere, { ...two, replica: 1 }, { ...two, replica: 3 }]) {
    const report = withSignatures(zero, bad);
    assert.deepEqual([report.provenHeight, report.badSignatures], [1, 1]);
  }
  assert.equal(withSignatures(two, zero).provenHeight, 2, 'order is free here');
});

test('a request executed twice is found, in its block and in a later one, whatever its operation', () => {
  assert.deepEqual(kindsOf(audit(chain(1, 2, 1).entries)), ['executedTwice']);
  const sameBlock = new Chain().add([{ number: 3 }, { number: 3 }]);
  assert.deepEqual(kindsOf(audit(sameBlock.entries)), ['executedTwice']);
  const otherSession = new Chain().add([{ number: 1 }]).add([{ number: 1, session: 6 }]);
  assert.ok(audit(otherSession.entries).sound);
  const twoClients = new Chain().add([{ number: 1 }]).add([{ number: 2, client: 'thief' }]);
  assert.deepEqual(kindsOf(audit(twoClients.entries)), ['sessionOfTwoClients']);
  assert.deepEqual(kindsOf(audit(new Chain().add([{ number: 1, session: 0 }]).entries)), ['noSession']);
});

test('numbers may come out of order inside the window, and not from behind it', () => {
  assert.ok(audit(chain(8, 3, 5, 1, 2, 11, 4).entries, 8).sound);
  assert.deepEqual(kindsOf(audit(chain(8, 3, 5, 1, 11, 3).entries, 8)), ['numberOutOfWindow']);
  assert.deepEqual(kindsOf(audit(chain(8, 5, 11, 5).entries, 8)), ['executedTwice']);
  assert.deepEqual(kindsOf(audit(chain(1, 2 ** 50, 2 ** 50 - 3, 2).entries, 8)), ['numberOutOfWindow']);
});

test('problems and ranges are bounded, and all of them are counted', () => {
  const { entries } = chain(1);
  const undecodable: AuditEntry = { bytes: new Uint8Array(1), signatures: [] };
  const report = audit([...entries, ...new Array<AuditEntry>(300).fill(undecodable)]);
  assert.deepEqual([report.problemCount, report.problems.length], [300, 100]);
  assert.equal(report.firstProblem?.height, 2);
});

test('samples are blocks as replicas write them', () => {
  const { entries } = chain(1, 2);
  const transactions: readonly Transaction[] = decodeBlock(portableHash, entries[1]!.bytes)!.transactions;
  assert.deepEqual(
    transactions.map(({ number }) => number),
    [2],
  );
});

/** When clients of MinZyzzyva believe an answer: MinZyzzyva.CLI. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { UniqueIdentifier } from '../../core/protocol.ts';
import type { Digest, TcEpoch } from '../../core/types.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import { minzyzzyva } from './definition.ts';
import { Cluster } from './fixture.test.ts';
import { decodeCommitCertificate, encodeStatement } from './messages.ts';
import type { Statement } from './messages.ts';
import { contextOf, lose, reach, scene } from './scenes.testing.ts';

const rules = minzyzzyva.client!;
const cluster = new Cluster();
const streams = contextOf(cluster);
const where = { settings: cluster.settings, domain: cluster.domain, hash: streams.hash };

function ui(replica: number, counter: number): UniqueIdentifier {
  const tcEpoch = cluster.settings.members[replica]!.trusted.tcEpoch;
  return { replica, tcEpoch, counter, authenticator: new Uint8Array(64) };
}

const statement: Statement = {
  view: 0,
  newViewCounter: 0,
  sequence: 3,
  history: ZERO_DIGEST,
  entry: { digest: ZERO_DIGEST, ui: ui(0, 4) },
  stand: { kind: 'spec', ui: ui(1, 9) },
};

function keyOf(changed: Partial<Statement>, replica = 1): string | undefined {
  const proof = encodeStatement({ ...statement, ...changed });
  return rules.readProof!(proof, replica, where, 'speculative')?.key;
}

test('MinZyzzyva.CLI.2: answers count together only if all that they follow from is equal (scenarios 8, 12)', () => {
  assert.equal(rules.needed('speculative', 5, 2), 5);
  const digest = 'ab'.repeat(32) as Digest;
  const other: Partial<Statement>[] = [
    { view: 1 },
    { newViewCounter: 7 },
    { sequence: 4 },
    { history: digest },
    { entry: { digest: ZERO_DIGEST, ui: ui(0, 5) } },
    { entry: { digest: ZERO_DIGEST, ui: { ...ui(0, 4), tcEpoch: '00000000000000ff' as TcEpoch } } },
    { stand: { kind: 'commitNewView', newView: { digest, ui: ui(1, 3) }, ui: ui(1, 9) } },
  ];
  const keys = [keyOf({}), ...other.map((changed) => keyOf(changed))];
  assert.equal(new Set(keys).size, keys.length);
  assert.ok(!keys.includes(undefined));
  // Who stands for it does not matter, and how neither.
  assert.equal(keyOf({ stand: { kind: 'spec', ui: ui(2, 1) } }, 2), keyOf({}));
  assert.equal(keyOf({ stand: { kind: 'prepare' } }, 0), keyOf({}));
});

test("MinZyzzyva.CLI.6: a proof that is another replica's, or none, does not count; no seal is asked for", () => {
  assert.equal(keyOf({}, 2), undefined);
  assert.equal(rules.readProof!(new Uint8Array(3), 1, where, 'speculative'), undefined);
  assert.equal(rules.readProof!(new Uint8Array(0), 1, where, 'speculative'), undefined);
  assert.deepEqual(rules.readProof!(encodeStatement(statement), 1, where, 'speculative')!.seals, []);
  for (const stand of [
    { kind: 'newView', newView: { digest: ZERO_DIGEST, ui: ui(1, 3) } },
    { kind: 'commitNewView', newView: { digest: ZERO_DIGEST, ui: ui(2, 3) }, ui: ui(1, 9) },
  ] as const)
    assert.ok(keyOf({ stand }, 1) !== undefined);
});

test('MinZyzzyva.CLI.3: f+1 equal answers make a certificate that replicas can read', () => {
  assert.equal(rules.certificate!.needed(5, 2), 3);
  const statements = [statement, { ...statement, stand: { kind: 'prepare' } } as const];
  const proofs = statements.map((one, index) => ({ replica: 1 - index, proof: encodeStatement(one) }));
  const bytes = rules.certificate!.make(proofs);
  assert.deepEqual(decodeCommitCertificate(streams, bytes)!.statements, statements);
  const decoded = minzyzzyva.decode(bytes, where)!;
  assert.deepEqual(minzyzzyva.encode(decoded), bytes);
  for (const wrong of [bytes.subarray(0, -1), new Uint8Array([...bytes, 0]), new Uint8Array([64])])
    assert.equal(minzyzzyva.decode(wrong, where), undefined);
});

test('MinZyzzyva.CLI.4: f+1 final answers complete, whether or not there was a certificate', () => {
  assert.equal(rules.needed('final', 5, 2), 3);
  assert.equal(rules.needed('committed', 5, 2), undefined);
  assert.deepEqual(rules.readProof!(new Uint8Array(0), 1, where, 'final'), { key: '', seals: [] });
  assert.equal(rules.readProof!(encodeStatement(statement), 1, where, 'final'), undefined);
});

test('MinZyzzyva.CLI.1, MinZyzzyva.CLI.5: a retry is enough where nobody makes certificates (scenario 16)', () => {
  const running = scene({ limits: { checkpointInterval: 2 } });
  lose(running, (_message, from, to) => from === 2 || to === 2);
  const asked = [1, 2, 3, 4, 5].map((number) => {
    const waiting = running.ask(running.bundle(number), { certificates: false });
    reach(running, 20_000, () => waiting.accepted !== undefined);
    assert.equal(waiting.certificates, 0);
    return waiting;
  });
  for (const { accepted } of asked) assert.equal(accepted!.how, 'final');
  running.judgeAccepted();
});

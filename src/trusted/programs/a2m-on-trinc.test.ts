/** A log on TrInc: what its host's table refuses, and what it does at its bounds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../../core/types.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import { checkSignature, digestOf, sha256, TestComponent } from '../conformance/environment.testing.ts';
import type { TrustedCertificate, TrustedRequest } from '../contract.ts';
import { createRequests, endClaimOf, HostLog, ROWS_MAX, slotClaimOf } from './a2m-on-trinc.ts';
import type { LogReader } from './a2m-on-trinc.ts';
import { historyAfter } from './a2m/answers.ts';

const COUNTERS = { slots: '0101000000000001', floor: '0101000000000002' };
const NONCE = '0a'.repeat(16);

interface Scene {
  readonly component: TestComponent;
  readonly host: HostLog;
  readonly reader: LogReader;
}

function begin(seed = 0): Scene {
  const component = new TestComponent({ program: 'trinc', seed });
  for (const request of createRequests(COUNTERS)) assert.equal(component.ask(request).op, 'done');
  const answer = component.ask({ op: 'identify' });
  assert.ok(answer.op === 'identify');
  const pin = answer.identity;
  const checkSeal = (statement: Uint8Array, authenticator: Uint8Array): boolean =>
    checkSignature(pin.publicKey, statement, authenticator);
  return { component, host: new HostLog(sha256, COUNTERS), reader: { hash: sha256, pin, log: COUNTERS, checkSeal } };
}

function ask({ component }: Scene, request: TrustedRequest): TrustedCertificate {
  const answer = component.ask(request);
  assert.ok(answer.op === 'certificates', JSON.stringify(answer));
  return answer.certificates[0]!;
}

function append(scene: Scene, entry: Digest): void {
  const intent = scene.host.append(entry)!;
  assert.ok(scene.host.absorb(intent, ask(scene, scene.host.requestOf(intent))));
}

test('attack: the log of another component, and rows with another entry or history', () => {
  const [scene, other] = [begin(1), begin(2)];
  for (const each of [scene, other]) append(each, digestOf('entry'));
  const row = scene.host.rows[0]!;
  assert.ok(slotClaimOf(scene.reader, 1, NONCE, { kind: 'move', row }).ok);
  const wrong = [
    other.host.rows[0]!,
    { ...row, entry: digestOf('other') },
    { ...row, history: digestOf('other') },
    { ...row, certificate: { ...row.certificate, authenticator: new Uint8Array(64) } },
    { ...row, certificate: { ...row.certificate, statement: new Uint8Array(136) } },
  ];
  for (const shown of wrong) assert.ok(!slotClaimOf(scene.reader, 1, NONCE, { kind: 'move', row: shown }).ok);
  assert.ok(!slotClaimOf(scene.reader, 2, NONCE, { kind: 'move', row }).ok, 'says nothing about another slot');
  const status = ask(scene, scene.host.endRequest(NONCE));
  assert.ok(endClaimOf(scene.reader, NONCE, scene.host.endProof(status)).ok);
  assert.ok(!endClaimOf(other.reader, NONCE, scene.host.endProof(status)).ok);
});

test('a table takes the certificate of its next intent and no other', () => {
  const scene = begin();
  const { host } = scene;
  const intent = host.append(digestOf('entry'))!;
  const certificate = ask(scene, host.requestOf(intent));
  assert.equal(host.absorb({ ...intent, slot: 2 }, certificate), false);
  assert.equal(host.absorb({ ...intent, entry: digestOf('other') }, certificate), false);
  assert.equal(host.absorb(intent, { ...certificate, statement: new Uint8Array(10) }), false);
  assert.equal(host.absorb(intent, certificate), true);
  assert.equal(host.absorb(intent, certificate), false, 'once');
  assert.equal(host.last, 1);
  assert.equal(host.rows[0]!.history, historyAfter(sha256, 1, digestOf('entry'), ZERO_DIGEST));
});

test('truncating keeps the last row, which shows the end, and only goes up', () => {
  const scene = begin();
  const { host, reader } = scene;
  for (let slot = 1; slot <= 4; slot += 1) append(scene, digestOf(slot));
  assert.equal(host.truncateRequest(6), undefined);
  ask(scene, host.truncateRequest(5)!);
  host.dropBelow(5);
  assert.equal(host.truncateRequest(4), undefined);
  assert.deepEqual(host.rows.map(({ slot }) => slot), [4]);
  const end = endClaimOf(reader, NONCE, host.endProof(ask(scene, host.endRequest(NONCE))));
  assert.ok(end.ok && end.claim.slot === 4);
  const found = host.lookup(4, NONCE);
  assert.ok(found.op === 'ask' && found.kind === 'below');
  const claim = slotClaimOf(reader, 4, NONCE, { kind: 'below', status: ask(scene, found.request) });
  assert.ok(claim.ok && claim.claim.kind === 'forgotten');
  append(scene, digestOf(5));
  assert.equal(host.last, 5);
});

test('a table has a bound', () => {
  const scene = begin();
  append(scene, digestOf('entry'));
  const rows = Array.from({ length: ROWS_MAX }, (_, index) => ({ ...scene.host.rows[0]!, slot: index + 1 }));
  const full = new HostLog(sha256, COUNTERS, rows);
  assert.equal(full.append(ZERO_DIGEST), undefined);
  full.dropBelow(3);
  assert.notEqual(full.append(ZERO_DIGEST), undefined);
  assert.equal(full.advance(5, ZERO_DIGEST, ZERO_DIGEST), undefined, 'the slot is given');
  assert.equal(full.advance(2 ** 53, ZERO_DIGEST, ZERO_DIGEST), undefined);
});

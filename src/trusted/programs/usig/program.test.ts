import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { test } from 'node:test';
import { bytesToTcEpoch } from '../../../core/bytes.ts';
import { Prng } from '../../../core/prng.ts';
import type { Digest } from '../../../core/types.ts';
import { runCheck } from '../../conformance/harness.ts';
import { CONFORMANCE_CHECKS } from '../../conformance/usig.ts';
import { USIG_OBJECT_ID } from '../../contract.ts';
import type { ProgramEnvironment, ProgramKey, TrustedRequest, TrustedResponse } from '../../contract.ts';
import { decodeEvidence } from '../../evidence.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../../frames.ts';
import { bindDigestOf, tcIdOf } from '../../statement.ts';
import { createUsig, decodeUsigRecord, encodeUsigRecord } from './program.ts';

const hash = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
const measurement = '77'.repeat(32) as Digest;

/** A footprint of the test: an HMAC key that changes at each renewal, records in an array. */
class TestFootprint {
  readonly records: Uint8Array[] = [];
  readonly persistent = true;
  disk: 'good' | 'full' = 'good';
  #generation = 1;

  environment(): ProgramEnvironment {
    return {
      measurement,
      persistent: this.persistent,
      hash,
      key: this.#key(),
      records: [...this.records],
      persist: (record) => {
        if (this.disk === 'full') return false;
        this.records.push(record);
        return true;
      },
      replaceKey: () => {
        if (this.disk === 'full') return undefined;
        this.records.length = 0;
        this.#generation += 1;
        return this.#key();
      },
    };
  }

  #key(): ProgramKey {
    const secret = new Uint8Array(32).fill(this.#generation);
    const mac = (bytes: Uint8Array): Uint8Array => createHmac('sha256', secret).update(bytes).digest();
    return {
      suite: 'hmac-sha256',
      tcId: tcIdOf(hash, { suite: 'hmac-sha256', groupId: new Uint8Array(16), replica: 0 }),
      tcEpoch: bytesToTcEpoch(new Uint8Array(8).fill(this.#generation)),
      publicKey: '',
      authenticate: mac,
      verify: (bytes, authenticator) => Buffer.from(authenticator).equals(mac(bytes)),
    };
  }
}

function asker(footprint: TestFootprint): (request: TrustedRequest) => TrustedResponse {
  const program = createUsig(footprint.environment());
  return (request) => decodeTrustedResponse(program.handle(encodeTrustedRequest(request)))!;
}

const digest = '01'.repeat(32) as Digest;
const certify: TrustedRequest = { op: 'certify', objectId: USIG_OBJECT_ID, digest, core: new Uint8Array(3) };

for (const { name, run } of CONFORMANCE_CHECKS) {
  test(`conformance: ${name}`, () => {
    const footprint = new TestFootprint();
    const start = createUsig(footprint.environment());
    const check = run({ prng: new Prng(1), calls: 10_000 });
    runCheck(check, start, () => createUsig(footprint.environment()));
  });
}

test('a record that cannot be kept uses no value', () => {
  const footprint = new TestFootprint();
  const ask = asker(footprint);
  assert.equal(ask(certify).op, 'certify');
  footprint.disk = 'full';
  for (const request of [certify, { op: 'renew' } as const]) {
    const answer = ask(request);
    assert.equal(answer.op === 'error' && answer.code, 'STORAGE');
  }
  footprint.disk = 'good';
  const next = ask(certify);
  assert.equal(next.op === 'certify' && next.value, 2);
});

test('records that do not follow each other are not continued; renew helps', () => {
  for (const spoil of [
    (records: Uint8Array[]) => records.splice(1, 1),
    (records: Uint8Array[]) => records.shift(),
    (records: Uint8Array[]) => records.push(records[0]!),
    (records: Uint8Array[]) => (records[2] = new Uint8Array(5)),
  ]) {
    const footprint = new TestFootprint();
    const ask = asker(footprint);
    for (let index = 0; index < 3; index += 1) ask(certify);
    spoil(footprint.records);
    const again = asker(footprint);
    const answer = again(certify);
    assert.equal(answer.op === 'error' && answer.code, 'NOT_READY');
    assert.equal(again({ op: 'renew' }).op, 'renew');
    const first = again(certify);
    assert.equal(first.op === 'certify' && first.value, 1);
  }
});

test('evidence binds the key to the challenge', () => {
  const ask = asker(new TestFootprint());
  const challenge = '0f'.repeat(32) as Digest;
  const answer = ask({ op: 'attest', challenge });
  assert.ok(answer.op === 'attest');
  const evidence = decodeEvidence(answer.evidence);
  assert.ok(evidence !== undefined);
  assert.equal(evidence.challenge, challenge);
  assert.equal(evidence.measurement, measurement);
  assert.equal(bindDigestOf(hash, evidence).length, 64);
  assert.equal(decodeEvidence(answer.evidence.subarray(1)), undefined);
});

test('records are read back exactly', () => {
  const tcEpoch = bytesToTcEpoch(new Uint8Array(8));
  const record = { tcEpoch, counter: 9, digest, core: Uint8Array.of(1, 2, 3) };
  assert.deepEqual(decodeUsigRecord(encodeUsigRecord(record)), record);
  assert.equal(decodeUsigRecord(encodeUsigRecord(record).subarray(1)), undefined);
});

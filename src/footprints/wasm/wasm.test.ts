import assert from 'node:assert/strict';
import { createHash, createHmac, webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { bytesToHex } from '../../core/bytes.ts';
import { Prng } from '../../core/prng.ts';
import type { Digest, TcEpoch } from '../../core/types.ts';
import { runCheck } from '../../trusted/conformance/harness.ts';
import { CONFORMANCE_CHECKS } from '../../trusted/conformance/usig.ts';
import { USIG_OBJECT_ID } from '../../trusted/contract.ts';
import type { TrustedProgram, TrustedRequest, TrustedResponse } from '../../trusted/contract.ts';
import { decodeEvidence } from '../../trusted/evidence.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../../trusted/frames.ts';
import { bindDigestOf, statementForUi, statementKeyOf } from '../../trusted/statement.ts';
import { randomTcEpoch, startGroupComponent } from './loader.ts';

const bytes = readFileSync(new URL('../../../trusted/usig.wasm', import.meta.url));
const hash = (data: Uint8Array): Uint8Array => createHash('sha256').update(data).digest();
const hmac = (key: Uint8Array, message: Uint8Array): Uint8Array =>
  createHmac('sha256', key).update(message).digest();
const groupKey = new Uint8Array(32).fill(0x11);
const groupId = Uint8Array.from({ length: 16 }, (_, index) => index);
const newTcEpoch = (): TcEpoch => randomTcEpoch((target) => void webcrypto.getRandomValues(target as never));

function start(tcEpoch: TcEpoch = newTcEpoch()): TrustedProgram {
  return startGroupComponent(bytes, { groupKey, groupId, replica: 2, tcEpoch, newTcEpoch, hash, hmac });
}

function ask(program: TrustedProgram, request: TrustedRequest): TrustedResponse {
  return decodeTrustedResponse(program.handle(encodeTrustedRequest(request)))!;
}

for (const { name, run } of CONFORMANCE_CHECKS) {
  test(`conformance: ${name}`, () => {
    runCheck(run({ prng: new Prng(4), calls: 10_000 }), start(), () => start());
  });
}

test('id, key and tags are as laid down, against another HMAC', () => {
  const tcEpoch = '0000000000000007' as TcEpoch;
  const program = start(tcEpoch);
  const identity = ask(program, { op: 'identify' });
  assert.ok(identity.op === 'identify');
  const { tcId, suite, persistent } = identity.identity;
  assert.equal(tcId, '1e03b218be6310d6c5f608ce126f4106');
  assert.equal(persistent, false);
  const digest = '84dfaaf8effb9ee7dc0dbca2cbdcb19bf29ce43eddcbf6b62e3e6fb15b3c17b1' as Digest;
  const key = statementKeyOf(hmac, groupKey, groupId);
  const request = { op: 'certify', objectId: USIG_OBJECT_ID, digest, core: new Uint8Array(0) } as const;
  for (let counter = 1; counter <= 300; counter += 1) {
    const response = ask(program, request);
    assert.ok(response.op === 'certify' && response.value === counter);
    const expected = hmac(key, statementForUi({ tcId, suite, tcEpoch, counter, digest }));
    assert.equal(bytesToHex(response.authenticator), bytesToHex(expected));
    if (counter === 42)
      assert.equal(
        bytesToHex(response.authenticator),
        'a383006dc64c456c5f11137e16fc791cf21870379fdf4c8f58741c6c2d8b5a00',
      );
  }
});

test('a member verifies what another one certified', () => {
  const tcEpoch = newTcEpoch();
  const author = start(tcEpoch);
  const digest = '0a'.repeat(32) as Digest;
  const sealed = ask(author, { op: 'certify', objectId: USIG_OBJECT_ID, digest, core: new Uint8Array(0) });
  assert.ok(sealed.op === 'certify');
  const tcId = '1e03b218be6310d6c5f608ce126f4106';
  const statement = statementForUi({ tcId, suite: 'hmac-sha256', tcEpoch, counter: 1, digest });
  const options = { groupId, replica: 0, tcEpoch: newTcEpoch(), hash, hmac };
  const member = startGroupComponent(bytes, { ...options, groupKey });
  const stranger = startGroupComponent(bytes, { ...options, groupKey: new Uint8Array(32) });
  const { authenticator } = sealed;
  assert.deepEqual(ask(member, { op: 'verify', statement, authenticator }), { op: 'verify', valid: true });
  assert.deepEqual(ask(stranger, { op: 'verify', statement, authenticator }), { op: 'verify', valid: false });
});

test('evidence is bound to the challenge; renew without chance is refused', () => {
  const options = { groupKey, groupId, replica: 2, tcEpoch: newTcEpoch(), hash, hmac };
  const program = startGroupComponent(bytes, options);
  const answer = ask(program, { op: 'attest', challenge: '0c'.repeat(32) as Digest });
  const evidence = answer.op === 'attest' ? decodeEvidence(answer.evidence) : undefined;
  assert.ok(evidence !== undefined);
  const expected = hmac(
    statementKeyOf(hmac, groupKey, groupId),
    Buffer.from(bindDigestOf(hash, evidence), 'hex'),
  );
  assert.equal(bytesToHex(evidence.authenticator), bytesToHex(expected));
  const refused = ask(program, { op: 'renew' });
  assert.equal(refused.op === 'error' && refused.code, 'STORAGE');
});

test('the module is small and can reach nothing but its keys and its records', () => {
  assert.ok(bytes.length < 12 * 1024, `${bytes.length} bytes`);
  const { WebAssembly: wasm } = globalThis as unknown as {
    readonly WebAssembly: {
      readonly Module: { new (data: Uint8Array): object; imports(module: object): { name: string }[] };
    };
  };
  const imports = wasm.Module.imports(new wasm.Module(bytes)).map(({ name }) => name);
  assert.deepEqual(imports.sort(), ['authenticate', 'check', 'clientRoot', 'persist', 'replaceKey']);
});

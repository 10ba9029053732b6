import assert from 'node:assert/strict';
import { generateKeyPairSync, hash } from 'node:crypto';
import { readFileSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { AttestationPolicy } from '../../core/config.ts';
import type { Digest } from '../../core/types.ts';
import { encodeBundleOfEvidence } from '../../trusted/attestation/bundle.ts';
import { decodeKeyOffer, encodeKeyOffer, groupKeyChallenge } from '../../trusted/attestation/group-key.ts';
import { USIG_OBJECT_ID } from '../../trusted/contract.ts';
import type { TrustedRequest, TrustedResponse } from '../../trusted/contract.ts';
import { decodeEvidence } from '../../trusted/evidence.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../../trusted/frames.ts';
import { statementForUi } from '../../trusted/statement.ts';
import { createTrustedFolder, openTrustedProcess, stopTrustedProcess } from '../process/launcher.ts';
import { clientMacKeyOf, hmacOver, requestTag } from '../../crypto/request-mac.ts';
import { nodeHash } from '../../platform/sha256.ts';
import { decodeGroupKey, groupClientRoot } from './group-key.ts';
import { grantGroup, GroupRefusal, installGroup, makeGroup, requestGroup } from './group.ts';

const measurements = JSON.parse(
  readFileSync(new URL('../../../trusted/measurements.json', import.meta.url), 'utf8'),
) as Record<string, { sha256: Digest }>;

function policyFor(measurement: Digest): string {
  const policy: AttestationPolicy = {
    programs: [{ name: 'usig', measurements: [measurement] }],
    footprints: [{ name: 'process', endorsedBy: [], carriers: [] }],
    roots: [],
  };
  return JSON.stringify(policy);
}

async function ask(folder: string, request: TrustedRequest): Promise<TrustedResponse> {
  const connection = await openTrustedProcess({ folder, durability: 'memory', hardening: 'off' });
  try {
    return decodeTrustedResponse(await connection.call(encodeTrustedRequest(request)))!;
  } finally {
    connection.close();
  }
}

describe('a group key goes from component to component, after evidence (decisions A2 and C3)', () => {
  const parent = mkdtempSync(join(tmpdir(), 'moiety-group-'));
  const folder = (name: string): string => join(parent, name);
  const names = ['first', 'second', 'third', 'stranger'];
  const released = measurements['usig.wasm']!.sha256;
  let offer: Uint8Array = new Uint8Array(0);

  before(async () => {
    for (const name of names) await createTrustedFolder(folder(name), { hardening: 'off' });
  });

  after(async () => {
    for (const name of names) await stopTrustedProcess(folder(name));
    rmSync(parent, { recursive: true, force: true });
  });

  it('a member verifies what another one certified; nobody outside holds the key', async () => {
    offer = await makeGroup(folder('first'), 0, policyFor(released));
    assert.equal(statSync(join(folder('first'), 'group')).mode & 0o777, 0o600);
    const request = await requestGroup(folder('second'), 1, policyFor(released), offer);
    const grant = await grantGroup(folder('first'), offer, request);
    const secret = readFileSync(join(folder('first'), 'group')).subarray(1, 33);
    assert.equal(Buffer.from(grant).indexOf(secret), -1);
    await installGroup(folder('second'), grant);
    assert.deepEqual(readFileSync(join(folder('second'), 'group')).subarray(1, 33), secret);

    const digest = '0a'.repeat(32) as Digest;
    const who = await ask(folder('first'), { op: 'identify' });
    const certified = await ask(folder('first'), {
      op: 'certify',
      objectId: USIG_OBJECT_ID,
      digest,
      core: new Uint8Array(0),
    });
    assert.ok(who.op === 'identify' && certified.op === 'certify' && who.identity.suite === 'hmac-sha256');
    const { tcId, tcEpoch } = { ...who.identity, tcEpoch: certified.tcEpoch };
    const statement = statementForUi({
      tcId,
      suite: 'hmac-sha256',
      tcEpoch,
      counter: certified.value,
      digest,
    });
    const { authenticator } = certified;
    const verify: TrustedRequest = { op: 'verify', statement, authenticator };
    assert.deepEqual(await ask(folder('second'), verify), { op: 'verify', valid: true });
    const wrong = Uint8Array.from(authenticator, (byte, index) => (index === 7 ? byte ^ 1 : byte));
    const changed: TrustedRequest = { op: 'verify', statement, authenticator: wrong };
    assert.deepEqual(await ask(folder('second'), changed), { op: 'verify', valid: false });
    assert.ok((await ask(folder('stranger'), verify)).op === 'error');
  });

  it('a group for requests: the same tags at all members, each of which seals under its own key', async () => {
    for (const name of ['left', 'right']) {
      await createTrustedFolder(folder(name), { hardening: 'off' });
      names.push(name);
    }
    const policy = policyFor(released);
    const before = await ask(folder('left'), { op: 'identify' });
    const first = await makeGroup(folder('left'), 0, policy, 'requests');
    const request = await requestGroup(folder('right'), 1, policy, first, 'requests');
    await installGroup(folder('right'), await grantGroup(folder('left'), first, request));
    assert.deepEqual(await ask(folder('left'), { op: 'identify' }), before);

    const group = decodeGroupKey(readFileSync(join(folder('right'), 'group')))!;
    const clientId = '0b'.repeat(32) as Digest;
    const digest = '0c'.repeat(32) as Digest;
    const tag = requestTag(
      hmacOver(nodeHash),
      clientMacKeyOf(hmacOver(nodeHash), groupClientRoot(group), clientId, 1),
      digest,
    );
    const claims = [
      { clientId, version: 1, digest, tag },
      { clientId, version: 2, digest, tag },
    ];
    const judged = { op: 'verifyTags', valid: [true, false] };
    for (const name of ['left', 'right'])
      assert.deepEqual(await ask(folder(name), { op: 'verifyTags', claims }), judged);
    // The key of another group is another one.
    const wrong = { op: 'verifyTags', valid: [false, false] };
    assert.deepEqual(await ask(folder('first'), { op: 'verifyTags', claims }), wrong);
    assert.ok((await ask(folder('stranger'), { op: 'verifyTags', claims })).op === 'error');
  });

  it('a changed offer, a changed grant, a grant for another one and a stranger are refused', async () => {
    const request = await requestGroup(folder('third'), 2, policyFor(released), offer);
    const flip = (bytes: Uint8Array, at: number): Uint8Array =>
      bytes.map((byte, index) => (index === at ? byte ^ 1 : byte));
    // The envelope key stands behind the version and the group: evidence was made for another one.
    await assert.rejects(grantGroup(folder('first'), offer, flip(request, 20)), /FAILED {2}challenge/);
    await assert.rejects(grantGroup(folder('first'), request, request), /not the one of this component/);
    await assert.rejects(grantGroup(folder('stranger'), offer, request), /no group key to give/);
    const grant = await grantGroup(folder('first'), offer, request);
    await assert.rejects(
      installGroup(folder('third'), flip(grant, grant.length - 1)),
      /was changed on its way/,
    );
    await assert.rejects(installGroup(folder('stranger'), grant), /did not ask/);
    await installGroup(folder('third'), grant);
    await assert.rejects(requestGroup(folder('third'), 2, policyFor(released), offer), /belongs to a group/);
  });

  it('evidence that a host had its component make for a key of the host brings no group key', async () => {
    const { groupId, policy } = decodeKeyOffer(offer)!;
    const { publicKey } = generateKeyPairSync('x25519');
    const envelopeKey = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));
    const challenge = groupKeyChallenge((bytes) => hash('sha256', bytes, 'buffer'), groupId, envelopeKey);
    const answer = await ask(folder('stranger'), { op: 'attest', challenge });
    assert.ok(answer.op === 'attest');
    const evidence = encodeBundleOfEvidence({ possession: answer.evidence, endorsements: [] });
    // The best signature that the host can get under that key is the one of the evidence.
    const signature = decodeEvidence(answer.evidence)!.authenticator;
    const made = encodeKeyOffer({ groupId, envelopeKey, policy, signature, footprint: 'process', evidence });
    await assert.rejects(grantGroup(folder('first'), offer, made), /is refused: [^F]*FAILED {2}offer: found/);
  });

  it('a component that would hand the key on by another policy gets none', async () => {
    const lax = JSON.stringify(JSON.parse(policyFor(released)), undefined, 1);
    const request = await requestGroup(folder('stranger'), 1, lax, offer);
    await assert.rejects(
      grantGroup(folder('first'), offer, request),
      /is refused: [^F]*FAILED {2}group policy/,
    );
  });

  it('a program that the policy does not allow gets no key, and the refusal says what to do', async () => {
    const strict = policyFor('ee'.repeat(32) as Digest);
    await createTrustedFolder(folder('founder'), { hardening: 'off' });
    names.push('founder');
    const other = await makeGroup(folder('founder'), 0, strict);
    const request = await requestGroup(folder('stranger'), 1, strict, other);
    const refused = (error: Error): boolean => {
      assert.ok(error instanceof GroupRefusal);
      assert.match(error.message, /FAILED {2}program: found .*Put the released file back/s);
      return true;
    };
    await assert.rejects(grantGroup(folder('founder'), other, request), refused);
  });
});

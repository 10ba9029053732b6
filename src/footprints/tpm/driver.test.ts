import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { attestationKeyOf, decodeTpmAttest, nvNameOf } from '../../trusted/attestation/tpm-attest.ts';
import { defineIndex } from './anchor.ts';
import {
  COMMAND,
  decodeAnswer,
  encodeCommand,
  encodeNvPublic,
  NO_PASSWORD,
  NV_ATTRIBUTE,
} from './commands.ts';
import { Tpm, TpmRefusal } from './driver.ts';
import { noSwtpm, sha256, testCrypto, testFolder, testTpm } from './tpm.testing.ts';
import { openTransport, TpmUnreachable } from './transport.ts';
import type { TpmTransport } from './transport.ts';

const folder = testFolder();
const place = noSwtpm === false ? await testTpm(join(folder, 'tpm')) : '';

/** A TPM that says what it is told to say. */
function scripted(answers: readonly (Uint8Array | Error)[]): { tpm: Tpm; sent: Uint8Array[] } {
  const sent: Uint8Array[] = [];
  const transport: TpmTransport = {
    exchange: (command) => {
      const answer = answers[Math.min(sent.length, answers.length - 1)]!;
      sent.push(command);
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
    close: () => Promise.resolve(),
  };
  return { tpm: new Tpm(transport, 0), sent };
}

/** An answer of a code and a body, without sessions. */
function answer(code: number, body = ''): Uint8Array {
  const head = Buffer.alloc(10);
  head.writeUInt16BE(0x8001, 0);
  head.writeUInt32BE(10 + body.length / 2, 2);
  head.writeUInt32BE(code, 6);
  return Buffer.concat([head, Buffer.from(body, 'hex')]);
}

test('a command is marshalled as the specification has it', () => {
  const random = encodeCommand({ code: COMMAND.getRandom, parameters: Uint8Array.of(0, 32) });
  assert.equal(Buffer.from(random).toString('hex'), '80010000000c0000017b0020');
  const handles = [0x01800001, 0x01800001];
  const count = encodeCommand({ code: COMMAND.nvIncrement, handles, auths: [NO_PASSWORD] });
  assert.equal(
    Buffer.from(count).toString('hex'),
    '80020000001f00000134' + '0180000101800001' + '00000009' + '400000090000010000',
  );
});

test('what the TPM asks to have sent again is sent again, and not for ever', async () => {
  const busy = scripted([answer(0x922), answer(0x908), answer(0, '0002abcd')]);
  assert.deepEqual([...(await busy.tpm.random(2))], [0xab, 0xcd]);
  assert.equal(busy.sent.length, 3);
  assert.deepEqual(busy.sent[0], busy.sent[2]);
  const stuck = scripted([answer(0x922)]);
  await assert.rejects(stuck.tpm.random(2), (error) => error instanceof TpmRefusal && error.kind === 0x922);
  assert.equal(stuck.sent.length, 11);
});

test('answers that are none are refused, whatever they look like', async () => {
  const good = answer(0, '0002abcd');
  const bad: Uint8Array[] = [new Uint8Array(0), new Uint8Array(10), answer(0), answer(0, '0003abcd')];
  bad.push(answer(0, '0002abcdef'), answer(0x922, '00'), new Uint8Array(5000));
  for (let length = 0; length < good.length; length += 1) bad.push(good.slice(0, length));
  for (const bytes of bad) await assert.rejects(scripted([bytes]).tpm.random(2), TpmUnreachable);
  const command = { code: COMMAND.nvIncrement, handles: [1], auths: [NO_PASSWORD] };
  assert.equal(decodeAnswer(command, good), undefined, 'an answer without the session that was used');
  await assert.rejects(scripted([new TpmUnreachable('gone')]).tpm.random(2), /gone/);
});

test('a wrong password, a missing index and a closed door have words', { skip: noSwtpm }, async () => {
  const tpm = await Tpm.open(place);
  const attributes = NV_ATTRIBUTE.counter | NV_ATTRIBUTE.authRead | NV_ATTRIBUTE.authWrite;
  const nv = await defineIndex(tpm, attributes | NV_ATTRIBUTE.noDictionaryAttack, 8);
  const stranger = { index: nv.index, password: Buffer.from('guess') };
  await assert.rejects(tpm.nvIncrement(stranger), /refuses to count: wrong password/);
  await assert.rejects(tpm.nvCounter(nv), /never written/);
  assert.equal(await tpm.nvPublic(0x01bfffff), undefined);
  await tpm.nvUndefine(nv.index);
  await tpm.close();
  await assert.rejects(openTransport('/dev/no-such-tpm'), /there is no TPM at/);
  await assert.rejects(openTransport(folder), /neither a TPM device nor a socket/);
  await assert.rejects(openTransport(`tcp:127.0.0.1:1`), /no TPM answers/);
});

test('a device that is no TPM is left', async () => {
  // It takes a command like a device, and answers nothing.
  await assert.rejects(Tpm.open('/dev/null'), /by bytes that are no answer/);
});

test('a peer that floods or talks unasked is left', async () => {
  const path = join(folder, 'noise');
  const server = createServer((socket) => socket.write(Buffer.alloc(10_000))).listen(path);
  await new Promise((done) => server.once('listening', done));
  const transport = await openTransport(path);
  await new Promise((done) => setTimeout(done, 20));
  await assert.rejects(transport.exchange(answer(0)), TpmUnreachable);
  server.close();
});

test('keys, attestations and credentials of a TPM', { skip: noSwtpm }, async () => {
  const tpm = await Tpm.open(place);
  const password = Buffer.from('of the key');
  const before = await tpm.pcrRead(16);
  await tpm.pcrExtend(16, sha256(Buffer.from('measured')));
  assert.deepEqual(await tpm.pcrRead(16), sha256(Buffer.concat([before, sha256(Buffer.from('measured'))])));
  await tpm.withStorageRoot(async (root) => {
    const blob = await tpm.createAttestationKey(root, password);
    const key = attestationKeyOf(blob.publicArea);
    assert.ok(typeof key !== 'string');
    await tpm.withObject(root, blob, async (handle) => {
      const ak = { handle, password };
      const data = sha256(Buffer.from('nonce'));
      const quote = await tpm.quote(ak, data, [16]);
      assert.ok(testCrypto.verifyP256!(key.publicKey, quote.attest, quote.signature));
      const said = decodeTpmAttest(quote.attest)!;
      assert.deepEqual(said.data, data);
      assert.ok(said.content.kind === 'quote' && said.content.pcrs === 1 << 16);
      assert.equal(said.content.pcrDigest, Buffer.from(sha256(await tpm.pcrRead(16))).toString('hex'));
      await assert.rejects(tpm.quote({ handle, password: Buffer.from('x') }, data, [16]), /wrong password/);
      // Whoever certifies the key encrypts to the endorsement key: only the TPM that has both can open it.
      const name = nvNameOf(sha256, await tpm.readPublic(handle));
      await tpm.withEndorsementKey(async (endorsementKey) => {
        const secret = await tpm.random(32);
        const sealed = await tpm.makeCredential(endorsementKey, secret, name);
        assert.deepEqual(await tpm.activateCredential(ak, endorsementKey, sealed), secret);
        const other = await tpm.makeCredential(endorsementKey, secret, nvNameOf(sha256, name));
        await assert.rejects(tpm.activateCredential(ak, endorsementKey, other), TpmRefusal);
      });
    });
  });
  await tpm.close();
});

test('places that a killed process left are given back', { skip: noSwtpm }, async () => {
  for (let round = 0; round < 5; round += 1) {
    const tpm = await Tpm.open(place);
    // Gone in the middle: the objects stay in the TPM, which has three places.
    await new Promise<void>((done) => {
      void tpm.withStorageRoot((root) => {
        void tpm.createAttestationKey(root, Buffer.from('x')).then(() => done());
        return new Promise(() => undefined);
      });
    });
    await tpm.close();
  }
  const tpm = await Tpm.open(place);
  assert.ok((await tpm.withStorageRoot((root) => Promise.resolve(root))) > 0);
  await tpm.close();
});

test('commands that are asked at once are sent one by one', { skip: noSwtpm }, async () => {
  const tpm = await Tpm.open(place);
  const attributes = NV_ATTRIBUTE.counter | NV_ATTRIBUTE.authRead | NV_ATTRIBUTE.authWrite;
  const nv = await defineIndex(tpm, attributes, 8);
  await Promise.all(Array.from({ length: 20 }, () => tpm.nvIncrement(nv)));
  const value = await tpm.nvCounter(nv);
  await tpm.nvIncrement(nv);
  assert.equal(await tpm.nvCounter(nv), value + 1);
  const area = (await tpm.nvPublic(nv.index))!;
  assert.equal(area.attributes, attributes | NV_ATTRIBUTE.written);
  assert.equal(nvNameOf(sha256, encodeNvPublic(area)).length, 34);
  // A counter that is made anew starts above all counters of before: removing it takes nobody back.
  await tpm.nvUndefine(nv.index);
  const again = await defineIndex(tpm, attributes, 8);
  await tpm.nvIncrement(again);
  assert.ok((await tpm.nvCounter(again)) > value);
  await tpm.close();
});

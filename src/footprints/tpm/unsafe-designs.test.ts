/**
 * Designs that look like a trusted counter and are none (decision A8): each test shows the equivocation. None of this is
 * used anywhere.
 */
import assert from 'node:assert/strict';
import { chmodSync, cpSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { equalBytes } from '../../core/bytes.ts';
import { attestationKeyOf, decodeTpmAttest } from '../../trusted/attestation/tpm-attest.ts';
import {
  CHAIN_START,
  chainData,
  chainIdentityProblem,
  followChain,
} from '../../trusted/attestation/tpm-chain.ts';
import { encodeChainAuthenticator } from '../../trusted/attestation/tpm-chain.ts';
import { isRegistered } from '../../trusted/client.ts';
import { stopTrustedProcess } from '../process/launcher.ts';
import { defineCounter, defineIndex } from './anchor.ts';
import { encodeNvPublic, NV_ATTRIBUTE } from './commands.ts';
import { Tpm } from './driver.ts';
import type { AttestationKey } from './driver.ts';
import { ChainBroken, ExtendChain } from './extend-chain.ts';
import { tpmFootprint } from './footprint.ts';
import { stopSwtpm } from './swtpm.ts';
import { certify, digestOf, identify, noSwtpm, testCrypto, testFolder, testTpm } from './tpm.testing.ts';

const root = testFolder();
const place = noSwtpm === false ? await testTpm(join(root, 'tpm')) : '';

async function withTpm(use: (tpm: Tpm) => Promise<void>): Promise<void> {
  const tpm = await Tpm.open(place);
  try {
    await use(tpm);
  } finally {
    await tpm.close();
  }
}

/** Lends an attestation key and its public area. */
async function withKey(
  tpm: Tpm,
  use: (key: AttestationKey, area: Uint8Array) => Promise<void>,
): Promise<void> {
  const password = Buffer.from('of the key');
  await tpm.withStorageRoot(async (parent) => {
    const blob = await tpm.createAttestationKey(parent, password);
    await tpm.withObject(parent, blob, (handle) => use({ handle, password }, blob.publicArea));
  });
}

test('UNSAFE NV counter + NV_Certify: two messages under one counter value', { skip: noSwtpm }, async () => {
  await withTpm(async (tpm) => {
    const nv = await defineCounter(tpm);
    await withKey(tpm, async (key, area) => {
      const publicKey = attestationKeyOf(area);
      assert.ok(typeof publicKey !== 'string');
      const said = [];
      for (const message of ['pay Alice', 'pay Bob']) {
        const digest = Buffer.from(digestOf(message.length), 'hex');
        const { attest, signature } = await tpm.nvCertify(key, nv, digest, 8);
        assert.ok(testCrypto.verifyP256!(publicKey.publicKey, attest, signature));
        said.push(decodeTpmAttest(attest)!);
      }
      const [one, two] = said;
      assert.ok(one!.content.kind === 'nv' && two!.content.kind === 'nv');
      // Both verify, the value is the same, the messages differ: that is an equivocation.
      assert.deepEqual(one!.content.bytes, two!.content.bytes);
      assert.ok(!equalBytes(one!.data, two!.data));
    });
  });
});

test(
  'UNSAFE counter moved first, then certified: the message is chosen after the value',
  { skip: noSwtpm },
  async () => {
    await withTpm(async (tpm) => {
      const nv = await defineCounter(tpm);
      await withKey(tpm, async (key) => {
        await tpm.nvIncrement(nv);
        const value = await tpm.nvCounter(nv);
        const contents = [];
        for (let message = 0; message < 3; message += 1) {
          const { attest } = await tpm.nvCertify(key, nv, Buffer.from(digestOf(message), 'hex'), 8);
          const { content } = decodeTpmAttest(attest)!;
          assert.ok(content.kind === 'nv');
          contents.push(Number(Buffer.from(content.bytes).readBigUInt64BE()));
        }
        assert.deepEqual(contents, [value, value, value]);
      });
    });
  },
);

test(
  'UNSAFE EXTEND index that its owner can remove: the chain begins again under the same name',
  { skip: noSwtpm },
  async () => {
    await withTpm(async (tpm) => {
      const attributes = NV_ATTRIBUTE.extend | NV_ATTRIBUTE.authRead | NV_ATTRIBUTE.authWrite;
      const nv = await defineIndex(tpm, attributes | NV_ATTRIBUTE.noDictionaryAttack, 32);
      await withKey(tpm, async (key, keyArea) => {
        const certificates = [];
        for (const message of [1, 2]) {
          const digest = digestOf(message);
          await tpm.nvExtend(nv, chainData(testCrypto.hash, 1, digest));
          const signed = await tpm.nvCertify(key, nv, new Uint8Array(0), 32);
          certificates.push({ digest, authenticator: encodeChainAuthenticator(signed) });
          const area = (await tpm.nvPublic(nv.index))!;
          await tpm.nvUndefine(nv.index);
          await tpm.nvDefine({ ...area, attributes: area.attributes & ~NV_ATTRIBUTE.written }, nv.password);
          const identity = { keyArea, indexArea: encodeNvPublic(area) };
          const next = followChain(testCrypto, identity, CHAIN_START, certificates.at(-1)!);
          // Value 1 again and again, each time for another message, and the signatures hold.
          assert.ok(typeof next !== 'string' && next.value === 1);
          // Which is why such an index is refused when a chain is registered.
          assert.match(chainIdentityProblem(identity)!, /nobody can remove/);
        }
        assert.notEqual(certificates[0]!.digest, certificates[1]!.digest);
      });
    });
  },
);

test(
  'EXTEND index of the platform: its owner cannot remove it, values are unique',
  { skip: noSwtpm },
  async () => {
    await withTpm(async (tpm) => {
      const folder = join(root, 'chain');
      const chain = await ExtendChain.create(tpm, folder);
      const identity = await chain.identity();
      assert.equal(chainIdentityProblem(identity), undefined);
      const given = await Promise.all([1, 2, 3].map((n) => chain.certify(digestOf(n), Uint8Array.of(n))));
      let state = CHAIN_START;
      for (const [at, certificate] of given.entries()) {
        const next = followChain(testCrypto, identity, state, certificate);
        assert.ok(typeof next !== 'string', String(next));
        assert.equal(next.value, certificate.value);
        assert.equal(certificate.digest, digestOf(at + 1));
        state = next;
      }
      const index = Buffer.from(identity.indexArea).readUInt32BE(0);
      await assert.rejects(tpm.nvUndefine(index), /refuses to remove an NV index/);
      // It goes on after a restart, shows its last certificates, and notices an old copy of its folder.
      const copy = join(root, 'chain-copy');
      cpSync(folder, copy, { recursive: true });
      const again = await ExtendChain.open(tpm, folder);
      assert.deepEqual(again.recent(2), given.slice(1));
      const fourth = await again.certify(digestOf(4), new Uint8Array(0));
      assert.ok(typeof followChain(testCrypto, identity, state, fourth) !== 'string');
      await assert.rejects(ExtendChain.open(tpm, copy), ChainBroken);
    });
  },
);

test(
  'EXTEND: a crash between the TPM and the answer is completed, one before it is forgotten',
  { skip: noSwtpm },
  async () => {
    await withTpm(async (tpm) => {
      const folder = join(root, 'crashing');
      const chain = await ExtendChain.create(tpm, folder);
      await chain.certify(digestOf(1), new Uint8Array(0));
      for (const [name, lost] of [
        ['nvCertify', 'after'],
        ['nvExtend', 'before'],
      ] as const) {
        const crashing = new Proxy(tpm, {
          get: (target, key) => {
            if (key === name) return () => Promise.reject(new Error('power cut'));
            const value = Reflect.get(target, key, target) as unknown;
            return typeof value === 'function' ? (value.bind(target) as unknown) : value;
          },
        });
        const cut = await ExtendChain.open(crashing, folder);
        await assert.rejects(cut.certify(digestOf(77), Uint8Array.of(9)), /power cut/);
        const reopened = await ExtendChain.open(tpm, folder);
        const last = reopened.recent(1)[0]!;
        if (lost === 'after') assert.deepEqual([last.digest, last.core], [digestOf(77), Uint8Array.of(9)]);
        else assert.equal(last.value, 2);
      }
    });
  },
);

test(
  'UNSAFE swtpm: its state copied back with the folder is a rollback that it cannot notice',
  { skip: noSwtpm },
  async () => {
    const folder = join(root, 'emulated');
    const options = { folder, program: 'usig', argument: 'swtpm' };
    const registration = await tpmFootprint.create(options);
    await stopSwtpm(folder);
    const yesterday = join(root, 'emulated-yesterday');
    cpSync(folder, yesterday, { recursive: true });
    const certificates = [];
    for (const message of [1, 2]) {
      const connection = await tpmFootprint.open(options);
      assert.ok(isRegistered(await identify(connection), registration));
      certificates.push(await certify(connection, message));
      connection.close();
      await stopTrustedProcess(folder);
      await stopSwtpm(folder);
      rmSync(folder, { recursive: true });
      cpSync(yesterday, folder, { recursive: true });
      chmodSync(folder, 0o700);
    }
    const [one, two] = certificates;
    assert.equal(one!.tcEpoch, two!.tcEpoch);
    assert.equal(one!.value, two!.value);
    assert.notEqual(one!.digest, two!.digest);
    assert.equal(existsSync(join(folder, 'swtpm-state')), true);
  },
);

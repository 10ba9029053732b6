import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { chmodSync, cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bytesToHex, digestToBytes, hexToBytes } from '../../core/bytes.ts';
import type { AttestationPolicy } from '../../core/config.ts';
import type { Digest } from '../../core/types.ts';
import { encodeBundleOfEvidence } from '../../trusted/attestation/bundle.ts';
import { judgeEvidence } from '../../trusted/attestation/judge.ts';
import { nvNameOf, tpmEpochOf } from '../../trusted/attestation/tpm-attest.ts';
import {
  decodeTpmEndorsement,
  ENDORSE_CODE,
  keyCertificateBytes,
  TPM_FORMAT,
} from '../../trusted/attestation/tpm-quote.ts';
import type { Verdict } from '../../trusted/attestation/verdict.ts';
import { encodeEvidence } from '../../trusted/evidence.ts';
import { bindDigestOf, tcIdOf } from '../../trusted/statement.ts';
import type { TrustedConnection } from '../contract.ts';
import { stopTrustedProcess } from '../process/launcher.ts';
import { TPM_FILES } from './component-files.ts';
import { storeKeyCertificate, tpmFootprint } from './footprint.ts';
import {
  afterwards,
  ask,
  digestOf,
  noSwtpm,
  sha256,
  testCrypto,
  testFolder,
  testTpm,
} from './tpm.testing.ts';

const root = testFolder();
const place = noSwtpm === false ? await testTpm(join(root, 'tpm')) : '';
const [folder, copy] = [join(root, 'component'), join(root, 'copy')];
const options = { folder, program: 'usig', argument: place };
afterwards(async () => {
  for (const one of [folder, copy]) await stopTrustedProcess(one);
});

const operator = generateKeyPairSync('ed25519');
const operatorKey = bytesToHex(operator.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));

/** Evidence of a component with the word of its TPM. */
async function evidenceOf(connection: TrustedConnection, challenge: Digest): Promise<Uint8Array> {
  const possession = await ask(connection, { op: 'attest', challenge });
  assert.ok(possession.op === 'attest');
  const endorsements = [{ format: TPM_FORMAT, body: await wordOf(connection, challenge) }];
  return encodeBundleOfEvidence({ possession: possession.evidence, endorsements });
}

/** What the TPM says when its component is asked with these 32 bytes. */
async function wordOf(connection: TrustedConnection, asked: Digest): Promise<Uint8Array> {
  const body = digestToBytes(asked);
  const word = await ask(connection, { op: 'extension', code: ENDORSE_CODE, body });
  assert.ok(word.op === 'extension' && word.code === ENDORSE_CODE);
  return word.body;
}

function judge(evidence: Uint8Array, challenge: Digest, changes: Partial<AttestationPolicy> = {}): Verdict {
  const policy: AttestationPolicy = {
    programs: [{ name: 'usig', measurements: [measurement] }],
    footprints: [{ name: 'tpm', carriers: [], endorsedBy: ['tpm'] }],
    roots: [{ format: TPM_FORMAT, name: 'operator', key: operatorKey, minimumVersion: 0 }],
    ...changes,
  };
  return judgeEvidence(evidence, { crypto: testCrypto, challenge, footprint: 'tpm', policy });
}
const failures = ({ checks }: Verdict): string[] =>
  checks.filter(({ passed }) => !passed).map(({ check }) => check);

let measurement: Digest;

test(
  'evidence of a component with the word of its TPM is accepted, and only as it is',
  { skip: noSwtpm },
  async () => {
    ({ measurement } = await tpmFootprint.create(options));
    const keyArea = hexToBytes(
      (JSON.parse(readFileSync(join(folder, TPM_FILES.settings), 'utf8')) as { keyPublic: string }).keyPublic,
    )!;
    const challenge = digestOf(1);
    const connection = await tpmFootprint.open(options);
    const bare = await evidenceOf(connection, challenge);
    assert.deepEqual(failures(judge(bare, challenge)), ['tpm root', 'tpm certificate']);
    storeKeyCertificate(folder, operatorKey, sign(null, keyCertificateBytes(keyArea), operator.privateKey));
    const evidence = await evidenceOf(connection, challenge);
    const verdict = judge(evidence, challenge);
    assert.deepEqual(failures(verdict), []);
    assert.ok(verdict.accepted);
    // A replay: its challenge is another one's.
    assert.deepEqual(failures(judge(evidence, digestOf(2))), ['challenge']);
    // A boot that the policy does not know.
    const footprints = [{ name: 'tpm', carriers: [digestOf(3)], endorsedBy: ['tpm'] }];
    assert.deepEqual(failures(judge(evidence, challenge, { footprints })), ['tpm platform']);
    for (let at = 0; at < evidence.length; at += 7) {
      const flipped = Uint8Array.from(evidence);
      flipped[at]! ^= 0x10;
      assert.ok(!judge(flipped, challenge).accepted, `byte ${at}`);
    }
    connection.close();
  },
);

/** Evidence that the host makes for a key of its own, whose tcEpoch follows from the counter as it should. */
function ownEvidence(
  counterArea: Uint8Array,
  born: number,
  challenge: Digest,
): { bytes: Uint8Array; bind: Digest } {
  const { publicKey: key, privateKey } = generateKeyPairSync('ed25519');
  const raw = new Uint8Array(key.export({ format: 'der', type: 'spki' }).subarray(-32));
  const counterName = nvNameOf(sha256, counterArea);
  const parts = {
    suite: 'ed25519',
    tcId: tcIdOf(sha256, { suite: 'ed25519', publicKey: raw }),
    tcEpoch: tpmEpochOf(sha256, { counterName, born, publicKey: raw }),
    publicKey: bytesToHex(raw),
    challenge,
  } as const;
  const bind = bindDigestOf(sha256, parts);
  const authenticator = new Uint8Array(sign(null, digestToBytes(bind), privateKey));
  return { bytes: encodeEvidence({ ...parts, platform: 'none', measurement, authenticator }), bind };
}

test(
  'the TPM vouches for no key that the host made, whatever its component is asked',
  { skip: noSwtpm },
  async () => {
    const connection = await tpmFootprint.open(options);
    const challenge = digestOf(6);
    const { counterArea, born } = decodeTpmEndorsement(await wordOf(connection, challenge))!;
    const { bytes, bind } = ownEvidence(counterArea, born, challenge);
    for (const asked of [bind, challenge]) {
      const endorsements = [{ format: TPM_FORMAT, body: await wordOf(connection, asked) }];
      const verdict = judge(encodeBundleOfEvidence({ possession: bytes, endorsements }), challenge);
      assert.deepEqual(failures(verdict), ['tpm counter occasion', 'tpm quote occasion']);
    }
    connection.close();
  },
);

test('certificates go on while the TPM is asked; answers keep their order', { skip: noSwtpm }, async () => {
  const connection = await tpmFootprint.open(options);
  const order: string[] = [];
  const challenge = digestOf(4);
  const asked = [
    ask(connection, { op: 'identify' }).then(() => order.push('identify')),
    ask(connection, { op: 'extension', code: ENDORSE_CODE, body: digestToBytes(challenge) }).then(() =>
      order.push('endorse'),
    ),
    ask(connection, { op: 'attest', challenge }).then(() => order.push('attest')),
  ];
  await Promise.all(asked);
  assert.deepEqual(order, ['identify', 'endorse', 'attest']);
  connection.close();
});

test(
  'clone by restart: once a copy was started, the TPM speaks against the first',
  { skip: noSwtpm },
  async () => {
    const challenge = digestOf(5);
    const first = await tpmFootprint.open(options);
    assert.ok(judge(await evidenceOf(first, challenge), challenge).accepted);
    cpSync(folder, copy, { recursive: true, filter: (path) => !path.endsWith('socket') });
    chmodSync(copy, 0o700);
    const second = await tpmFootprint.open({ ...options, folder: copy });
    assert.deepEqual(failures(judge(await evidenceOf(first, challenge), challenge)), ['tpm newest start']);
    assert.ok(judge(await evidenceOf(second, challenge), challenge).accepted);
    first.close();
    second.close();
  },
);

import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'node:test';
import { bytesToHex } from '../../core/bytes.ts';
import { Writer } from '../../core/codec.ts';
import type { Digest } from '../../core/types.ts';
import { nodeAttestationCrypto } from '../../node/crypto.ts';
import type { FormatContext } from './format.ts';
import {
  attestationKeyOf,
  decodeTpmAttest,
  isOneWayIndex,
  nvNameOf,
  tpmEpochOf,
  tpmQualifyingData,
} from './tpm-attest.ts';
import { CHAIN_START, chainData, chainIdentityProblem, encodeChainAuthenticator, extended, followChain } from './tpm-chain.ts';
import { decodeTpmEndorsement, encodeTpmEndorsement, keyCertificateBytes, tpmFormat } from './tpm-quote.ts';
import type { SignedAttest, TpmEndorsement } from './tpm-quote.ts';

const crypto = nodeAttestationCrypto();
const { hash } = crypto;
const digestOf = (text: string): Digest => createHash('sha256').update(text).digest('hex') as Digest;

const KEY_ATTRIBUTES = 0x00050072;
const COUNTER_ATTRIBUTES = 0x22040014;
const EXTEND_ATTRIBUTES = 0x62040444;

/** A TPM made of OpenSSL: an attestation key, and attestations laid out by the specification. */
function modelTpm(attributes = KEY_ATTRIBUTES): {
  readonly keyArea: Uint8Array;
  readonly attestNv: (data: Uint8Array, area: Uint8Array, bytes: Uint8Array) => SignedAttest;
  readonly attestPcrs: (data: Uint8Array, pcrDigest: Digest, mask?: number) => SignedAttest;
  readonly signed: (attest: Uint8Array) => SignedAttest;
} {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x, y } = publicKey.export({ format: 'jwk' });
  const part = (text: string): Uint8Array => Buffer.from(text, 'base64url');
  const keyArea = new Writer()
    .u16(0x23)
    .u16(0xb)
    .u32(attributes)
    .u16(0)
    .u16(0x10)
    .u16(0x18)
    .u16(0xb)
    .u16(3)
    .u16(0x10)
    .u16(32)
    .raw(part(x!))
    .u16(32)
    .raw(part(y!))
    .finish();
  const signed = (attest: Uint8Array): SignedAttest => ({
    attest,
    signature: new Uint8Array(sign('sha256', attest, { key: privateKey, dsaEncoding: 'ieee-p1363' })),
  });
  const head = (type: number, data: Uint8Array): Writer => {
    const writer = new Writer().u32(0xff544347).u16(type).u16(34).raw(nvNameOf(hash, keyArea));
    return writer.u16(data.length).raw(data).raw(new Uint8Array(25).fill(7));
  };
  return {
    keyArea,
    signed,
    attestNv: (data, area, bytes) => {
      const writer = head(0x8014, data).u16(34).raw(nvNameOf(hash, area)).u16(0);
      return signed(writer.u16(bytes.length).raw(bytes).finish());
    },
    attestPcrs: (data, pcrDigest, mask = 0x3ff) => {
      const bits = Uint8Array.of(mask & 255, (mask >> 8) & 255, mask >> 16);
      const writer = head(0x8018, data).u32(1).u16(0xb).u8(3).raw(bits);
      return signed(writer.u16(32).digest(pcrDigest).finish());
    },
  };
}

function nvArea(attributes: number, dataBytes: number, policy = ''): Uint8Array {
  const writer = new Writer().u32(0x01800007).u16(0xb).u32(attributes);
  return writer.u16(policy.length / 2).hex(policy).u16(dataBytes).finish();
}

const operator = generateKeyPairSync('ed25519');
const rootKey = bytesToHex(operator.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));
const tpm = modelTpm();
const counterArea = nvArea(COUNTER_ATTRIBUTES, 8);
const publicKey = '11'.repeat(32);
const bind = digestOf('bind');
const booted = digestOf('booted');
const program = digestOf('program');
const [born, run] = [5, 9];

function contextOf(changes: Partial<FormatContext> = {}): FormatContext {
  const tcEpoch = tpmEpochOf(hash, {
    counterName: nvNameOf(hash, counterArea),
    born,
    publicKey: Buffer.from(publicKey, 'hex'),
  });
  return {
    crypto,
    evidence: {
      platform: 'none',
      measurement: program,
      suite: 'ed25519',
      tcId: '22'.repeat(16),
      tcEpoch,
      publicKey,
      challenge: digestOf('challenge'),
      authenticator: new Uint8Array(64),
    },
    bind,
    program: undefined,
    footprint: { name: 'tpm', carriers: [booted], endorsedBy: ['tpm'] },
    footprintName: 'tpm',
    roots: [{ format: 'tpm', name: 'operator', key: rootKey, minimumVersion: 0 }],
    timeMs: undefined,
    ...changes,
  };
}

function endorsementOf(changes: Partial<TpmEndorsement> = {}): TpmEndorsement {
  const data = tpmQualifyingData(hash, { bind, measurement: program, born, run });
  return {
    keyArea: tpm.keyArea,
    certificate: {
      root: rootKey,
      signature: new Uint8Array(sign(null, keyCertificateBytes(tpm.keyArea), operator.privateKey)),
    },
    counterArea,
    born,
    run,
    counter: tpm.attestNv(data, counterArea, new Writer().u64(run).finish()),
    quote: tpm.attestPcrs(data, booted),
    ...changes,
  };
}

/** Names of the checks that failed. */
function failed(endorsement: TpmEndorsement, context = contextOf()): readonly string[] {
  return tpmFormat
    .verify(encodeTpmEndorsement(endorsement), context)
    .filter(({ passed }) => !passed)
    .map(({ check }) => check);
}

test('an endorsement that holds: every check passes, and there are ten or more', () => {
  const checks = tpmFormat.verify(encodeTpmEndorsement(endorsementOf()), contextOf());
  assert.deepEqual(
    checks.filter(({ passed }) => !passed),
    [],
  );
  assert.ok(checks.length >= 10);
  const one = endorsementOf();
  assert.deepEqual(decodeTpmEndorsement(encodeTpmEndorsement(one)), one);
});

test('no bit of it can change', () => {
  const bytes = encodeTpmEndorsement(endorsementOf());
  for (let at = 0; at < bytes.length; at += 1) {
    const flipped = Uint8Array.from(bytes);
    flipped[at]! ^= 1 << (at & 7);
    const checks = tpmFormat.verify(flipped, contextOf());
    assert.ok(checks.length > 0 && checks.some(({ passed }) => !passed), `byte ${at}`);
  }
  for (const length of [0, 1, bytes.length - 1])
    assert.equal(tpmFormat.verify(bytes.slice(0, length), contextOf())[0]?.passed, false);
});

test('replay: an endorsement of another challenge, key or start', () => {
  assert.deepEqual(failed(endorsementOf(), contextOf({ bind: digestOf('other') })), [
    'tpm counter occasion',
    'tpm quote occasion',
  ]);
  const evidence = { ...contextOf().evidence, tcEpoch: '0000000000000001' as never };
  assert.deepEqual(failed(endorsementOf(), contextOf({ evidence })), ['tpm tcEpoch']);
  assert.ok(failed(endorsementOf({ born: run + 1 })).includes('tpm tcEpoch'));
});

test('clone by restart: the TPM has counted a newer start', () => {
  const data = tpmQualifyingData(hash, { bind, measurement: program, born, run });
  const counter = tpm.attestNv(data, counterArea, new Writer().u64(run + 1).finish());
  assert.deepEqual(failed(endorsementOf({ counter })), ['tpm newest start']);
});

test('another attestation key, a certificate of another one, a root that nobody named', () => {
  const other = modelTpm();
  assert.deepEqual(failed(endorsementOf({ keyArea: other.keyArea })), [
    'tpm certificate',
    'tpm counter signature',
    'tpm quote signature',
  ]);
  assert.deepEqual(failed(endorsementOf(), contextOf({ roots: [] })), ['tpm root', 'tpm certificate']);
  // A pinned key needs no certificate.
  const { certificate: _none, ...bare } = endorsementOf();
  const pinned = { format: 'tpm', name: 'this key', key: digestHex(tpm.keyArea), minimumVersion: 0 };
  assert.deepEqual(failed(bare, contextOf({ roots: [pinned] })), []);
  assert.deepEqual(failed(bare), ['tpm root', 'tpm certificate']);
});

function digestHex(bytes: Uint8Array): string {
  return bytesToHex(hash(bytes));
}

test('a key that could sign what no TPM made is no attestation key', () => {
  for (const attributes of [0x00040072, 0x00050070, 0x00050052, 0x00070072, 0x00010072]) {
    const { keyArea } = modelTpm(attributes);
    assert.equal(typeof attestationKeyOf(keyArea), 'string', attributes.toString(16));
    assert.ok(failed(endorsementOf({ keyArea })).includes('tpm key'));
  }
});

test('the wrong PCRs, and a policy that names none', () => {
  const data = tpmQualifyingData(hash, { bind, measurement: program, born, run });
  const quote = tpm.attestPcrs(data, digestOf('another boot'));
  assert.deepEqual(failed(endorsementOf({ quote })), ['tpm platform']);
  const footprint = { name: 'tpm', carriers: [], endorsedBy: ['tpm'] };
  assert.deepEqual(failed(endorsementOf({ quote }), contextOf({ footprint })), []);
});

test('the right values in PCRs that a running system can extend or reset are no boot', () => {
  const data = tpmQualifyingData(hash, { bind, measurement: program, born, run });
  const { pcrDigest } = decodeTpmAttest(endorsementOf().quote.attest)!.content as { readonly pcrDigest: Digest };
  assert.deepEqual(failed(endorsementOf({ quote: tpm.attestPcrs(data, pcrDigest) })), []);
  // 8 and 9 replayed into 11 and 12, or into 16 and 23 after a reset; more than asked for; none.
  for (const mask of [0x18ff, 0x8100ff, 0x7ff, 0])
    assert.deepEqual(failed(endorsementOf({ quote: tpm.attestPcrs(data, pcrDigest, mask) })), ['tpm platform']);
});

test('another program is put into the evidence on its way', () => {
  const context = contextOf();
  const evidence = { ...context.evidence, measurement: digestOf('another program') };
  assert.deepEqual(failed(endorsementOf(), contextOf({ evidence })), ['tpm counter occasion', 'tpm quote occasion']);
});

test('an index that could be set back is no counter', () => {
  const data = tpmQualifyingData(hash, { bind, measurement: program, born, run });
  const value = new Writer().u64(run).finish();
  for (const attributes of [0x22040004, 0x02040014, 0x26040014, 0x2a040014]) {
    const area = nvArea(attributes, 8);
    const counter = tpm.attestNv(data, area, value);
    assert.ok(failed(endorsementOf({ counterArea: area, counter })).includes('tpm index'));
  }
  // The right one beside the word about another one.
  const other = tpm.attestNv(data, nvArea(COUNTER_ATTRIBUTES | 2, 8), value);
  assert.deepEqual(failed(endorsementOf({ counter: other })), ['tpm index']);
});

test('kinds cannot stand for each other', () => {
  const { counter, quote } = endorsementOf();
  assert.ok(failed(endorsementOf({ quote: counter })).includes('tpm platform'));
  assert.ok(failed(endorsementOf({ counter: quote })).includes('tpm index'));
  // Bytes that the key was made to sign elsewhere are no attestation without the magic number.
  assert.equal(decodeTpmAttest(Uint8Array.from(quote.attest, (byte, at) => (at === 0 ? 0 : byte))), undefined);
});

test('chain: the next message is followed, any other is not', () => {
  const indexArea = nvArea(EXTEND_ATTRIBUTES, 32);
  const identity = { keyArea: tpm.keyArea, indexArea };
  assert.equal(chainIdentityProblem(identity), undefined);
  const contentOf = (state: typeof CHAIN_START, digest: Digest): Uint8Array =>
    extended(hash, state.content, chainData(hash, state.value + 1, digest));
  const certificateOf = (state: typeof CHAIN_START, digest: Digest): Uint8Array =>
    encodeChainAuthenticator(tpm.attestNv(new Uint8Array(0), indexArea, contentOf(state, digest)));
  const [a, b] = [digestOf('a'), digestOf('b')];
  const first = followChain(crypto, identity, CHAIN_START, { digest: a, authenticator: certificateOf(CHAIN_START, a) });
  assert.ok(typeof first !== 'string');
  assert.deepEqual(first, { value: 1, content: contentOf(CHAIN_START, a) });
  const second = followChain(crypto, identity, first, { digest: b, authenticator: certificateOf(first, b) });
  assert.ok(typeof second !== 'string' && second.value === 2);
  const refused = (authenticator: Uint8Array, digest: Digest): void =>
    assert.equal(typeof followChain(crypto, identity, first, { digest, authenticator }), 'string');
  refused(certificateOf(first, b), a);
  refused(certificateOf(second, b), b);
  refused(certificateOf(CHAIN_START, a), a);
  const good = certificateOf(first, b);
  for (let at = 0; at < good.length; at += 1)
    refused(
      Uint8Array.from(good, (byte, index) => (index === at ? byte ^ 4 : byte)),
      b,
    );
  const elsewhere = tpm.attestNv(new Uint8Array(0), nvArea(EXTEND_ATTRIBUTES | 2, 32), contentOf(first, b));
  refused(encodeChainAuthenticator(elsewhere), b);
});

test('chain: an index that its owner can remove and make again is refused', () => {
  for (const attributes of [0x22040044, 0x22040444, 0x62040044, 0x42040444]) {
    const indexArea = nvArea(attributes, 32);
    assert.equal(isOneWayIndex(indexArea, 'extend'), false);
    assert.match(chainIdentityProblem({ keyArea: tpm.keyArea, indexArea })!, /nobody can remove/);
  }
  // A policy is a way to remove it.
  assert.equal(isOneWayIndex(nvArea(EXTEND_ATTRIBUTES, 32, '00'.repeat(32)), 'extend'), false);
});

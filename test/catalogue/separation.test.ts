/**
 * K-08, M-09 of docs/scenarios.md: whatever is signed says what it is, over all pairs of kinds; and no two different
 * values have the same bytes, searched for among very many small ones.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { encodeKvOperation } from '../../src/apps/kv/operations.ts';
import { bytesToHex } from '../../src/core/bytes.ts';
import { domainTag, domainWriter, finishDigest } from '../../src/core/domain.ts';
import { Prng } from '../../src/core/prng.ts';
import { bundleDigest, encodeBatch, encodeBundle } from '../../src/core/request.ts';
import type { Digest, RequestNumber, SessionId } from '../../src/core/types.ts';
import { encodeOperation } from '../../src/ledger/operation.ts';
import { outcomeDigest, transactionId } from '../../src/ledger/transaction.ts';
import { DIGEST_KINDS } from '../../src/smr/usig-stream/context.ts';
import { encodeStatement, SUITE_BYTE } from '../../src/trusted/statement.ts';
import { nodeHash } from '../../src/platform/sha256.ts';

const root = new URL('../../src/', import.meta.url);
const DIGESTS = ['aa', 'bb', '00'].map((byte) => byte.repeat(32) as Digest);

/** Everything that is hashed under a tag: who and what. */
const TAGS: readonly (readonly [owner: string, kind: string])[] = [
  ['attestation', 'GROUP-KEY'],
  ['attestation', 'GROUP-KEY-ENVELOPE'],
  ['attestation', 'GROUP-KEY-OFFER'],
  ['attestation', 'OPERATOR'],
  ['attestation', 'TPM-KEY'],
  ['client', 'BUNDLE'],
  ['client', 'ENVELOPE-KEY'],
  ['client', 'MAC-BUNDLE'],
  ['client', 'MAC-REQUEST'],
  ['evidence', 'WRONG-REPLY'],
  ['host', 'ANSWER'],
  ['host', 'HEADER'],
  ['host', 'GENESIS-POSSESSION'],
  ['host', 'RECOVER'],
  ['host', 'RECOVER-POSSESSION'],
  ['ledger', 'CONFIGURATION'],
  ['ledger', 'GENESIS'],
  ['ledger', 'HEADER'],
  ['ledger', 'MEMBERSHIP'],
  ['ledger', 'OUTCOME'],
  ['ledger', 'STATE'],
  ['ledger', 'STATE-CHUNK'],
  ['ledger', 'STATE-NODE'],
  ['ledger', 'TRANSACTION'],
  ['smr', 'BATCH'],
  ['tpm', 'EPOCH'],
  ['tpm', 'EXTEND'],
  ['tpm', 'QUOTE'],
  ['zyzzyva', 'HISTORY'],
  ...DIGEST_KINDS.map((kind) => ['minbft', kind] as const),
];

/** Where the protocol of a tag is a variable: a tag of one protocol is never one of another. */
const BY_PROTOCOL: ReadonlySet<string> = new Set([
  'protocols/cheapbft/inner.ts',
  'protocols/flexi-bft/messages.ts',
  'smr/attested/sealed.ts',
  'smr/slot-chain/view-change.ts',
  'smr/usig-stream/context.ts',
]);

describe('K-08: what is signed', () => {
  it('is all in the list of this test', () => {
    const found = new Set<string>();
    for (const file of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ts') || /\.(test|testing)\.ts$|^(sim|adversary)\//.test(file)) continue;
      const text = readFileSync(new URL(file, root), 'utf8');
      for (const [, owner, kind] of text.matchAll(/domainTag\('([a-z]+)', '([A-Z-]+)'\)/g))
        found.add(`${owner}/${kind}`);
      // Any other use names its protocol by a variable, one in each of these files, with kinds of that protocol.
      const others = [...text.matchAll(/domainTag\((?!'[a-z]+', '[A-Z-]+'\)|protocol: string)/g)].length;
      assert.equal(others, BY_PROTOCOL.has(file) ? 1 : 0, file);
    }
    const listed = TAGS.map(([owner, kind]) => `${owner}/${kind}`).filter(
      (tag) => !tag.startsWith('minbft/'),
    );
    assert.deepEqual([...found].sort(), listed.sort());
  });

  it('differs for every pair of kinds, clusters and memberships, whatever stands in it', () => {
    const seen = new Map<string, string>();
    const bodies = [new Uint8Array(0), new Uint8Array(32).fill(0xaa), new Uint8Array(300).fill(1)];
    for (const [owner, kind] of TAGS) {
      for (const clusterId of DIGESTS) {
        for (const configurationVersion of [0, 1, 2 ** 32]) {
          for (const [index, body] of bodies.entries()) {
            const writer = domainWriter(domainTag(owner, kind), { clusterId, configurationVersion });
            const digest = finishDigest(nodeHash, writer.raw(body));
            const what = [owner, kind, clusterId, configurationVersion, index].join('/');
            assert.equal(seen.get(digest), undefined, `${what} is ${seen.get(digest)}`);
            seen.set(digest, what);
          }
        }
      }
    }
    assert.equal(seen.size, TAGS.length * 27);
  });

  it('has one of four shapes, none of which can be another: digest, statement, handshake, certificate', () => {
    const statement = encodeStatement({
      kind: 1,
      suite: 'ed25519',
      flags: 0,
      tcId: '11'.repeat(16),
      tcEpoch: '0102030405060708' as never,
      objectId: '00'.repeat(8),
      previous: 6,
      value: 7,
      digest: DIGESTS[0]!,
    });
    // RFC 8446, 4.4.3: 64 blanks, a text, a zero byte, a hash. RFC 5280: a certificate is a DER sequence.
    const shapes: readonly ((bytes: Uint8Array) => boolean)[] = [
      (bytes) => bytes.length === 32,
      (bytes) => bytes.length === 136 && new TextDecoder().decode(bytes.subarray(0, 4)) === 'TCS1',
      (bytes) => bytes.length >= 98 && bytes.subarray(0, 64).every((byte) => byte === 0x20),
      (bytes) => bytes.length > 150 && bytes[0] === 0x30,
    ];
    const handshake = new Uint8Array(64 + 34 + 32).fill(0x20, 0, 64);
    const samples = [new Uint8Array(32), statement, handshake, new Uint8Array(200).fill(0x30, 0, 1)];
    for (const [index, bytes] of samples.entries())
      assert.deepEqual(
        shapes.map((fits) => fits(bytes)),
        shapes.map((_, other) => other === index),
        `shape ${index}`,
      );
    assert.equal(new Set(Object.values(SUITE_BYTE)).size, 2);
  });
});

/** Short byte strings of few letters, so that moved boundaries happen all the time. */
function drawBytes(random: Prng, max = 3): Uint8Array {
  return Uint8Array.from({ length: random.between(0, max) }, () => random.between(0, 1));
}

/** Draws values and notices two different ones with the same bytes. */
function searchForTwins<T>(draw: (random: Prng) => T, encode: (value: T) => Uint8Array | string): number {
  const random = new Prng(9);
  const seen = new Map<string, string>();
  for (let count = 0; count < 12_000; count += 1) {
    const value = draw(random);
    const text = JSON.stringify(value, (_, part: unknown) =>
      part instanceof Uint8Array ? `0x${bytesToHex(part)}` : part,
    );
    const encoded = encode(value);
    const bytes = typeof encoded === 'string' ? encoded : bytesToHex(encoded);
    assert.equal(seen.get(bytes) ?? text, text);
    seen.set(bytes, text);
  }
  return seen.size;
}

describe('M-09: two different values never have the same bytes', () => {
  const domain = { clusterId: DIGESTS[0]!, configurationVersion: 0 };
  const drawContent = (random: Prng) => ({
    clientKey: new Uint8Array(32).fill(random.between(0, 1)),
    session: random.between(0, 1) as SessionId,
    requests: Array.from({ length: random.between(1, 3) }, () => ({
      number: random.between(0, 2) as RequestNumber,
      operation: drawBytes(random),
    })),
  });

  it('bundles and what is signed of them', () => {
    const signature = new Uint8Array(64);
    assert.ok(searchForTwins(drawContent, (content) => encodeBundle(content, signature)) > 5_000);
    assert.ok(searchForTwins(drawContent, (content) => bundleDigest(nodeHash, domain, content)) > 5_000);
  });

  it('batches: bundles in them, none, one', () => {
    const draw = (random: Prng) => ({
      proposedInView: random.between(0, 1),
      time: random.between(0, 2),
      recovers: [],
      bundles: Array.from({ length: random.between(0, 3) }, () => drawBytes(random, 5)),
    });
    assert.ok(searchForTwins(draw, encodeBatch) > 3_000);
  });

  it('transactions and outcomes', () => {
    const draw = (random: Prng) => ({
      session: random.between(0, 300),
      number: random.between(0, 300),
      operation: drawBytes(random, 8),
    });
    const idOf = ({ session, number, operation }: ReturnType<typeof draw>): Digest =>
      transactionId(
        nodeHash,
        DIGESTS[0]!,
        DIGESTS[1]!,
        session as SessionId,
        number as RequestNumber,
        operation,
      );
    assert.ok(searchForTwins(draw, idOf) > 5_000);
    const drawOutcome = (random: Prng) => ({
      id: random.pick(DIGESTS),
      organisation: 'ab'.repeat(3).slice(0, random.between(0, 6)),
      result: drawBytes(random, 8),
    });
    assert.ok(searchForTwins(drawOutcome, (outcome) => outcomeDigest(nodeHash, outcome)) > 1_000);
  });

  it('operations: keys, values, missing and empty ones', () => {
    const draw = (random: Prng) =>
      random.pick([
        { kind: 'put', key: drawBytes(random, 4), value: drawBytes(random, 4) },
        { kind: 'get', key: drawBytes(random, 8) },
        { kind: 'delete', key: drawBytes(random, 8) },
        {
          kind: 'compareAndSwap',
          key: drawBytes(random),
          expected: random.chance(0.3) ? undefined : drawBytes(random),
          value: drawBytes(random),
        },
        {
          kind: 'list',
          prefix: drawBytes(random),
          startAfter: drawBytes(random),
          limit: random.between(1, 3),
        },
      ] as const);
    assert.ok(searchForTwins(draw, encodeKvOperation) > 2_000);
    const drawWrapped = (random: Prng) => ({
      kind: 'app' as const,
      idempotencyKey: random.chance(0.3) ? undefined : Uint8Array.of(1, ...drawBytes(random)),
      operation: drawBytes(random, 6),
    });
    assert.ok(searchForTwins(drawWrapped, encodeOperation) > 800);
  });
});

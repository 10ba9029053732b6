import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { decodeReplicaFrame, encodeClientFrame } from '../core/client-wire.ts';
import { bundleDigest, encodeBundle } from '../core/request.ts';
import type { Bundle } from '../core/request.ts';
import { ZERO_DIGEST } from '../core/types.ts';
import type { Digest, Hash } from '../core/types.ts';
import type { ReplyGroup } from '../ledger/contract.ts';
import type { SealVerifier } from '../crypto/port.ts';
import { ClientDesk } from './client-desk.ts';
import { RequestJudge } from './request-judge.ts';
import type { ClientDeskOptions } from './client-desk.ts';

const hash: Hash = (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest());
const domain = { clusterId: 'c1'.repeat(32) as Digest, configurationVersion: 0 };
const GOOD = new Uint8Array(64).fill(1);
const BAD = new Uint8Array(64).fill(2);

/** What desks are made of: seals hold if they are `GOOD`. And the frames that were sent, by connection. */
function deskOptions() {
  const sent = new Map<number, Uint8Array[]>();
  const options = {
    self: 0,
    domain,
    hash,
    crypto: {
      hash,
      hostSigner: { publicKey: new Uint8Array(32), sign: () => new Uint8Array(64) },
      verifier: {
        verifyMany: (seals: readonly { signature: Uint8Array }[]) =>
          seals.every(({ signature }) => signature[0] === 1) ? 'valid' : 'invalid',
        trust: () => undefined,
      },
    },
    executor: { admit: () => ({ kind: 'new' }) },
    network: {
      toPeer: () => undefined,
      toClient: (link: number, frame: Uint8Array) => sent.set(link, [...(sent.get(link) ?? []), frame]),
    },
    observer: { ignored: () => undefined },
    give: () => undefined,
  };
  const judge = new RequestJudge({
    settings: {},
    domain,
    hash,
    verifier: options.crypto.verifier as unknown as SealVerifier,
    trusted: { call: () => assert.fail('signatures need no component') },
    halt: (reason) => assert.fail(reason),
  });
  return { options: { ...options, judge } as unknown as ClientDeskOptions<never>, sent };
}

function newDesk() {
  const { options, sent } = deskOptions();
  return { desk: new ClientDesk(options), sent };
}

/** The result of one request of session 1, of the client with key `key`. */
function group(number: number): ReplyGroup {
  const results = [{ number, txId: ZERO_DIGEST, sequence: number, height: 1, result: new Uint8Array(1) }];
  return { clientKey: key, session: 1, results };
}

function bundleFrame(clientKey: Uint8Array, number: number, signature: Uint8Array): Uint8Array {
  const content = { clientKey, session: 1, requests: [{ number, operation: new Uint8Array([3]) }] };
  assert.equal(bundleDigest(hash, domain, content).length, 64);
  return encodeClientFrame({ kind: 'bundle', bytes: encodeBundle(content, signature) });
}

test('a stranger who names the key of another neither gets its replies nor pushes its connection out', () => {
  const { desk, sent } = newDesk();
  const owner = new Uint8Array(32).fill(7);
  assert.ok(desk.onFrame(1, owner, bundleFrame(owner, 1, GOOD), 0));
  for (let link = 2; link < 20; link += 1) {
    const stranger = new Uint8Array(32).fill(100 + link);
    assert.equal(desk.onFrame(link, stranger, bundleFrame(owner, link, BAD), 0), undefined);
  }
  // A gateway that carries the owner's bundle, seal and all, gets the reply, too.
  assert.ok(desk.onFrame(30, new Uint8Array(32).fill(99), bundleFrame(owner, 40, GOOD), 0));
  const result = { number: 1, txId: 'ab'.repeat(32), sequence: 1, height: 1, result: new Uint8Array(1) };
  desk.answer([{ clientKey: owner, session: 1, results: [result] } as unknown as ReplyGroup], 0);
  assert.deepEqual([...sent.keys()], [1, 30]);
  assert.equal(decodeReplicaFrame(sent.get(1)![0]!)?.kind, 'reply');
});

test('a settled bundle tells when it came, once; what came over another replica tells nothing', () => {
  const { options } = deskOptions();
  const settled: unknown[] = [];
  const desk = new ClientDesk({ ...options, onSettled: (...facts) => settled.push(facts) });
  const owner = new Uint8Array(32).fill(7);
  const bundleAt = (number: number, now: number): Bundle => {
    const input = desk.onFrame(1, owner, bundleFrame(owner, number, GOOD), now);
    assert.ok(input?.kind === 'bundle');
    return input.bundle;
  };
  const first = bundleAt(1, 1_000);
  // Sent again by a client that waits: the wait goes on.
  bundleAt(1, 1_200);
  const second = bundleAt(2, 1_300);
  let forwarded: Bundle | undefined;
  desk.admitForwarded(
    { ...second, digest: 'f0'.repeat(32) as Digest },
    2,
    1_350,
    (bundle) => (forwarded = bundle),
  );
  desk.settle([second, first, forwarded!]);
  desk.settle([first]);
  assert.deepEqual(settled, [
    [1_300, 1],
    [1_000, 1],
  ]);
});

/** A desk of a protocol whose certificates are one byte of text and a seal, with what happens to it. */
function newCertificateDesk(provesFinal = false) {
  const ignored: string[] = [];
  const checked: number[] = [];
  const { options, sent } = deskOptions();
  const desk = new ClientDesk<{ text: number; seal: number }>({
    ...options,
    provesFinal,
    executor: {
      isClient: (key: Uint8Array) => key[0] !== 66,
      confirmed: 4,
      admit: ({ requests }: Bundle) => {
        const sequence = requests[0]!.number;
        return { kind: 'executed', sequence, reply: group(sequence) };
      },
    },
    observer: { ignored: (reason: string) => ignored.push(reason) },
    certificates: {
      decode: (bytes: Uint8Array) => (bytes.length === 2 ? { text: bytes[0]!, seal: bytes[1]! } : undefined),
      seals: ({ seal, text }: { text: number; seal: number }) => {
        checked.push(text);
        return [{ kind: 'host', replica: 0, digest: ZERO_DIGEST, signature: new Uint8Array(64).fill(seal) }];
      },
    },
  } as unknown as ClientDeskOptions<{ text: number; seal: number }>);
  return { desk, sent, ignored, checked };
}
const key = new Uint8Array(32).fill(5);
const certificate = (...bytes: readonly number[]): Uint8Array =>
  encodeClientFrame({ kind: 'certificate', bytes: new Uint8Array(bytes) });

test('a certificate reaches the protocol once its seals hold', () => {
  const { desk, ignored } = newCertificateDesk();
  const input = desk.onFrame(1, key, certificate(7, 1), 0);
  assert.deepEqual(input, { kind: 'clientMessage', message: { text: 7, seal: 1 } });
  assert.equal(desk.onFrame(1, key, certificate(7, 2), 0), undefined);
  assert.equal(desk.onFrame(1, key, certificate(7, 1, 1), 0), undefined);
  assert.equal(desk.onFrame(1, new Uint8Array(32).fill(66), certificate(7, 1), 0), undefined);
  assert.deepEqual(ignored, ['invalidCertificate', 'malformedCertificate', 'unknownClient']);
});

test('a client that floods with certificates loses its own only, and only for a moment', () => {
  const { desk, ignored, checked } = newCertificateDesk();
  for (let sent = 0; sent < 2_000; sent += 1) desk.onFrame(1, key, certificate(7, 2), 10);
  const dear = checked.length;
  assert.ok(dear > 0 && dear < 1_000, `${dear} were checked`);
  assert.equal(ignored.filter((reason) => reason === 'tooManyCertificates').length, 2_000 - dear);
  assert.ok(desk.onFrame(2, new Uint8Array(32).fill(6), certificate(8, 1), 500));
  assert.ok(desk.onFrame(1, key, certificate(8, 1), 5_000));
});

test('a protocol without certificates is not bothered with any', () => {
  const { desk } = newDesk();
  assert.equal(desk.onFrame(1, key, certificate(7, 1), 0), undefined);
});

test('a retry is answered here if its results are confirmed, by the protocol if not', () => {
  const { desk, sent } = newCertificateDesk();
  assert.equal(desk.onFrame(1, key, bundleFrame(key, 4, GOOD), 0), undefined);
  const reply = decodeReplicaFrame(sent.get(1)![0]!);
  assert.ok(reply?.kind === 'reply' && reply.standing === 'final' && reply.proof.length === 0);
  assert.equal(desk.onFrame(1, key, bundleFrame(key, 5, BAD), 0), undefined, 'a seal that does not hold');
  const input = desk.onFrame(1, key, bundleFrame(key, 5, GOOD), 0);
  assert.ok(input?.kind === 'asked');
  assert.equal(input.sequence, 5);
  assert.equal(sent.get(1)!.length, 1);
});

test('answers say what they are worth, to every connection that asked', () => {
  const { desk, sent } = newDesk();
  desk.onFrame(1, key, bundleFrame(key, 1, GOOD), 0);
  desk.answer([group(1)], 3, 'speculative', new Uint8Array([9]));
  desk.answer([group(1)], 3, 'final');
  const said = sent.get(1)!.map((bytes) => decodeReplicaFrame(bytes));
  assert.deepEqual(
    said.map((frame) => frame?.kind === 'reply' && [frame.view, frame.standing, ...frame.proof]),
    [
      [3, 'speculative', 9],
      [3, 'final'],
    ],
  );
});

test('a protocol that proves what is final is asked for every retry, and gets each one back once', () => {
  const { desk, sent } = newCertificateDesk(true);
  const input = desk.onFrame(1, key, bundleFrame(key, 3, GOOD), 0);
  assert.ok(input?.kind === 'asked' && input.sequence === 3);
  assert.equal(sent.size, 0);
  assert.deepEqual(desk.takeAsked(4), []);
  assert.deepEqual(desk.takeAsked(3), [group(3)]);
  assert.deepEqual(desk.takeAsked(3), []);
  for (let number = 5; number < 2_000; number += 1) desk.onFrame(1, key, bundleFrame(key, number, GOOD), 0);
  assert.deepEqual(desk.takeAsked(5), [], 'the oldest are forgotten');
  assert.deepEqual(desk.takeAsked(1_999), [group(1_999)]);
});

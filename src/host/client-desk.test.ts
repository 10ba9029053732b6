import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { decodeReplicaFrame, encodeClientFrame } from '../core/client-wire.ts';
import { bundleDigest, encodeBundle } from '../core/request.ts';
import type { Digest, Hash } from '../core/types.ts';
import type { ReplyGroup } from '../ledger/contract.ts';
import { ClientDesk } from './client-desk.ts';
import type { ClientDeskOptions } from './client-desk.ts';

const hash: Hash = (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest());
const domain = { clusterId: 'c1'.repeat(32) as Digest, configurationVersion: 0 };
const GOOD = new Uint8Array(64).fill(1);
const BAD = new Uint8Array(64).fill(2);

/** A desk whose seals hold if they are `GOOD`, and the frames that it sent, by connection. */
function newDesk() {
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
  } as unknown as ClientDeskOptions<never>;
  return { desk: new ClientDesk(options), sent };
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

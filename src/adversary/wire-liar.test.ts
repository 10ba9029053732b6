/** What a lying host puts on the wire, frame by frame. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeReplicaFrame, encodeReplicaFrame } from '../core/client-wire.ts';
import { digestToBytes } from '../core/bytes.ts';
import { Prng } from '../core/prng.ts';
import type { Digest } from '../core/types.ts';
import { createModelKeys, modelHash } from '../crypto/fast-model.ts';
import { replyDigest } from '../host/client-desk.ts';
import { encodeLinkFrame } from '../host/link-frames.ts';
import type { HostPorts } from '../host/ports.ts';
import type { Behaviour } from './behaviours.ts';
import { BEHAVIOURS, behaviourOf } from './behaviours.ts';
import { wrapPorts } from './wire-liar.ts';

const DOMAIN = { clusterId: '1'.repeat(64) as Digest, configurationVersion: 0 };

function rig(behaviour: Behaviour, seed: number) {
  const keys = createModelKeys();
  const signer = keys.signer('host/0');
  const peers: { to: number; frame: Uint8Array }[] = [];
  const clients: Uint8Array[] = [];
  const later: { delayMs: number; action: () => void }[] = [];
  const network = {
    toPeer: (to: number, frame: Uint8Array) => void peers.push({ to, frame }),
    toClient: (_link: number, frame: Uint8Array) => void clients.push(frame),
  };
  const options = {
    self: 0,
    n: 5,
    domain: DOMAIN,
    hash: modelHash,
    signer,
    random: new Prng(seed),
    after: (delayMs: number, action: () => void) => void later.push({ delayMs, action }),
    patienceMs: 100,
  };
  const ports = wrapPorts(behaviour, options, { network } as unknown as HostPorts);
  return { keys, signer, peers, clients, later, network: ports.network };
}

function frameOf(index: number): Uint8Array {
  return encodeLinkFrame({ kind: 'protocol', bytes: new Uint8Array([index & 255, index >> 8, 7]) });
}

test('every behaviour has a name of its own and a sentence', () => {
  assert.equal(new Set(BEHAVIOURS.map((entry) => entry.name)).size, BEHAVIOURS.length);
  for (const { name, text } of BEHAVIOURS) {
    assert.equal(behaviourOf(name), name);
    assert.match(text, /\.$/);
  }
  assert.equal(behaviourOf('polite'), undefined);
});

test('silent: falls silent at some point, for good', () => {
  for (let seed = 0; seed < 20; seed += 1) {
    const { network, peers, clients } = rig('silent', seed);
    for (let index = 0; index < 500; index += 1) network.toPeer(1, frameOf(index));
    const before = peers.length;
    assert.ok(before <= 400);
    for (let index = 0; index < 50; index += 1) network.toPeer(2, frameOf(index));
    network.toClient(1, frameOf(0));
    assert.equal(peers.length, before);
    assert.equal(clients.length, 0);
  }
});

test('delay: everything arrives, late', () => {
  const { network, peers, later } = rig('delay', 3);
  for (let index = 0; index < 20; index += 1) network.toPeer(1, frameOf(index));
  assert.equal(peers.length, 0);
  assert.equal(later.length, 20);
  for (const { delayMs, action } of later) {
    assert.ok(delayMs > 0);
    action();
  }
  assert.equal(peers.length, 20);
});

test('withhold: some get less than others', () => {
  let unequal = 0;
  for (let seed = 0; seed < 20; seed += 1) {
    const { network, peers } = rig('withhold', seed);
    for (let index = 0; index < 40; index += 1)
      for (let to = 1; to < 5; to += 1) {
        network.toPeer(to, frameOf(index));
        network.toPeer(to, encodeLinkFrame({ kind: 'body', bytes: new Uint8Array([index]) }));
      }
    const counts = [1, 2, 3, 4].map((to) => peers.filter((entry) => entry.to === to).length);
    if (new Set(counts).size > 1) unequal += 1;
  }
  assert.ok(unequal > 10);
});

test('replay: sends own frames again, some of them damaged, and loses none', () => {
  const { network, peers } = rig('replay', 1);
  const sent = new Set<string>();
  for (let index = 0; index < 400; index += 1) {
    sent.add(frameOf(index).join());
    network.toPeer(1 + (index % 4), frameOf(index));
  }
  assert.ok(peers.length > 440);
  const got = new Set(peers.map((entry) => entry.frame.join()));
  for (const frame of sent) assert.ok(got.has(frame));
  assert.ok([...got].some((frame) => !sent.has(frame)));
});

test('corrupt-reply: the answer is wrong and its signature right', () => {
  const { network, clients, keys, signer } = rig('corrupt-reply', 1);
  const result = {
    number: 1,
    txId: '2'.repeat(64) as Digest,
    sequence: 4,
    height: 3,
    result: new Uint8Array([0, 5, 6]),
  };
  const standing = 'final' as const;
  const proof = new Uint8Array(0);
  const content = { replica: 0, session: 9, view: 0, standing, proof, results: [result] };
  const signature = signer.sign(replyDigest(modelHash, DOMAIN, content));
  network.toClient(1, encodeReplicaFrame({ kind: 'reply', ...content, signature }));
  const told = decodeReplicaFrame(clients[0]!);
  assert.ok(told?.kind === 'reply');
  assert.notDeepEqual(told.results, content.results);
  const digest = replyDigest(modelHash, DOMAIN, told);
  assert.ok(keys.verify(signer.publicKey, digestToBytes(digest), told.signature));
});

test('lie-transfer: what is fetched comes wrong, misplaced, shortened or not at all', () => {
  const { network, peers } = rig('lie-transfer', 5);
  const chunk = { index: 3, bytes: new Uint8Array([1, 2, 3]) };
  const child = '3'.repeat(64) as Digest;
  const frames = [
    encodeLinkFrame({ kind: 'chunks', sequence: 8, chunks: [chunk, { ...chunk, index: 4 }] }),
    encodeLinkFrame({ kind: 'node', sequence: 8, level: 1, index: 0, children: [child, child] }),
    encodeLinkFrame({ kind: 'blocks', from: 2, blocks: [chunk.bytes, new Uint8Array([9])] }),
  ];
  for (const frame of frames) {
    const honest = frame.join();
    const got = new Set<string>();
    const before = peers.length;
    for (let index = 0; index < 200; index += 1) network.toPeer(1, frame);
    const sent = peers.slice(before).map((entry) => entry.frame.join());
    for (const one of sent) got.add(one);
    assert.ok(sent.length < 200 && got.has(honest) && got.size >= 5);
    assert.ok(sent.filter((one) => one !== honest).length > 50);
  }
  network.toPeer(1, frameOf(1));
  assert.deepEqual(peers.at(-1)!.frame, frameOf(1));
});

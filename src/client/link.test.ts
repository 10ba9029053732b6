import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { bytesToHex } from '../core/bytes.ts';
import { CLIENT_WIRE_VERSION, decodeClientFrame, encodeReplicaFrame } from '../core/client-wire.ts';
import type { ReplicaFrame } from '../core/client-wire.ts';
import type { Digest } from '../core/types.ts';
import { FakeCluster } from './fake-cluster.testing.ts';
import { clientCertificate } from './keys.ts';
import { CLIENT_ALPN, ReplicaLink, splitAddress } from './link.ts';
import { rawPublicKeyOf } from '../platform/ed25519.ts';

const newKey = (): KeyObject => generateKeyPairSync('ed25519').privateKey;
const pemOf = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();

function frame(payload: Uint8Array): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(payload.length);
  return Buffer.concat([header, payload]);
}

interface Scene {
  /** What the replica answers to `hello`. */
  readonly answer?: (clusterId: Digest) => Buffer;
  /** The key that the replica really has, if not the registered one. */
  readonly impostor?: boolean;
  readonly alpn?: string;
  /** What the link sends once it is up. */
  readonly frames?: readonly Uint8Array[];
}

/** Runs a link against a TLS server; resolves when the link is up, or down with a reason. */
async function meet(
  scene: Scene,
): Promise<{ up: boolean; reason: string; hello: unknown; frames: ReplicaFrame[]; received: Buffer[] }> {
  const { settings } = new FakeCluster();
  const linkKey = newKey();
  const served = scene.impostor === true ? newKey() : linkKey;
  const clientKey = newKey();
  let hello: unknown;
  const received: Buffer[] = [];
  const sockets = new Set<TLSSocket>();
  const server = createServer(
    {
      key: pemOf(served),
      cert: clientCertificate(served),
      ALPNProtocols: [scene.alpn ?? CLIENT_ALPN],
      minVersion: 'TLSv1.3',
      requestCert: true,
      rejectUnauthorized: false,
    },
    (socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      const shown = socket.getPeerX509Certificate()!;
      assert.deepEqual(rawPublicKeyOf(shown.publicKey)!, rawPublicKeyOf(clientKey)!);
      socket.once('data', (bytes: Buffer) => {
        hello = decodeClientFrame(bytes.subarray(4));
        socket.on('data', (more: Buffer) => received.push(more));
        const welcome = {
          kind: 'welcome',
          version: CLIENT_WIRE_VERSION,
          replica: 0,
          clusterId: settings.clusterId,
        } as const;
        socket.write(scene.answer?.(settings.clusterId) ?? frame(encodeReplicaFrame(welcome)));
        const busy = { kind: 'busy', bundle: settings.clusterId, retryAfterMs: 7 } as const;
        // In two pieces: frames do not keep to packets.
        const bytesOfBusy = frame(encodeReplicaFrame(busy));
        socket.write(bytesOfBusy.subarray(0, 3));
        setImmediate(() => socket.write(bytesOfBusy.subarray(3)));
      });
    },
  );
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const member = {
    ...settings.members[0]!,
    linkKey: bytesToHex(rawPublicKeyOf(linkKey)!),
    address: `127.0.0.1:${port}`,
  };
  const frames: ReplicaFrame[] = [];
  let isUp = false;
  const link = new ReplicaLink({
    settings,
    member,
    key: pemOf(clientKey),
    certificate: clientCertificate(clientKey),
    clientKey: rawPublicKeyOf(clientKey)!,
    onUp: () => {
      isUp = true;
      for (const payload of scene.frames ?? []) assert.equal(link.send(payload), true);
    },
    onDown: () => undefined,
    onFrame: (received) => frames.push(received),
  });
  const first = link.reason;
  while (frames.length === 0 && link.reason === first) await new Promise((resolve) => setTimeout(resolve, 2));
  const { reason } = link;
  const sent = (scene.frames ?? []).reduce((sum, { length }) => sum + 4 + length, 0);
  const arrived = (): number => received.reduce((sum, { length }) => sum + length, 0);
  while (isUp && arrived() < sent) await new Promise((resolve) => setTimeout(resolve, 2));
  link.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
  return { up: isUp, reason, hello, frames, received };
}

test('a replica with its registered key is spoken to, and sees the key of the client', async () => {
  const { up, hello, frames } = await meet({});
  assert.equal(up, true);
  assert.equal((hello as { kind: string }).kind, 'hello');
  assert.deepEqual(
    frames.map((one) => one.kind),
    ['busy'],
  );
});

test('frames of one turn leave together, in order and complete', async () => {
  const sent = Array.from({ length: 40 }, (_, index) => new Uint8Array(index * 150).fill(index));
  const { received } = await meet({ frames: sent });
  assert.deepEqual(Buffer.concat(received), Buffer.concat(sent.map(frame)));
  // 117 KB: pieces of 16 KB and more, not forty of them (TLS cuts a piece into records of 16 KB).
  assert.ok(received.length < 20, `${received.length}`);
});

test('impostors, other protocols, clusters and versions are refused with the reason', async () => {
  const welcome = (over: object) => (clusterId: Digest) =>
    frame(
      encodeReplicaFrame({ kind: 'welcome', version: CLIENT_WIRE_VERSION, replica: 0, clusterId, ...over }),
    );
  const cases: [Scene, RegExp][] = [
    [{ impostor: true }, /registered link key/],
    [{ alpn: 'moiety/1' }, /alert|does not speak/i],
    [{ answer: welcome({ clusterId: 'ab'.repeat(32) }) }, /another cluster or version/],
    [{ answer: welcome({ version: CLIENT_WIRE_VERSION + 1 }) }, /another cluster or version/],
    [{ answer: welcome({ replica: 1 }) }, /another cluster or version/],
    [{ answer: () => frame(new Uint8Array([99])) }, /malformed/],
    [{ answer: () => Buffer.from([255, 255, 255, 255]) }, /too long/],
  ];
  for (const [scene, expected] of cases) {
    const { up, reason } = await meet(scene);
    assert.equal(up, false);
    assert.match(reason, expected);
  }
});

test('the certificate is well-formed and self-signed', () => {
  const key = newKey();
  const certificate = new X509Certificate(clientCertificate(key));
  assert.equal(certificate.verify(certificate.publicKey), true);
  assert.equal(certificate.validTo, 'Dec 31 23:59:59 9999 GMT');
});

test('addresses', () => {
  assert.deepEqual(splitAddress('a.b:1'), { host: 'a.b', port: 1 });
  assert.deepEqual(splitAddress('[::1]:65535'), { host: '::1', port: 65535 });
  for (const bad of ['a', 'a:0', 'a:65536', ':1', '::1:5', 'a b:1'])
    assert.equal(splitAddress(bad), undefined);
});

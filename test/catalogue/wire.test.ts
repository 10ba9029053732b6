/**
 * O-04, N-09, M-15, K-01, K-05, K-11 of docs/scenarios.md: frames with lengths that lie, in any pieces; bytes that change
 * after they were decoded; recorded sessions, mirrors and damage on the way to a replica's port.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import net from 'node:net';
import { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import tls from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { bytesToHex } from '../../src/core/bytes.ts';
import { CLIENT_WIRE_VERSION, encodeClientFrame } from '../../src/core/client-wire.ts';
import type { ClusterSettings } from '../../src/core/config.ts';
import { DEFAULT_LIMITS, DEFAULT_TIMERS } from '../../src/core/config.ts';
import type { Digest, TcEpoch } from '../../src/core/types.ts';
import { FrameSocket } from '../../src/node/frame-socket.ts';
import { linkIdentityOf } from '../../src/node/keys.ts';
import { CLIENT_ALPN, encodePeerHello, PEER_ALPN } from '../../src/node/peer-hello.ts';
import { Transport } from '../../src/node/transport.ts';
import { collectCorpus } from '../fuzz/corpus.ts';
import { targetsFor } from '../fuzz/targets.ts';
import { rawPublicKeyOf } from '../../src/platform/ed25519.ts';

const FRAME_MAX = 1_000;

/** A socket that a test feeds. */
class FakeSocket extends Duplex {
  bytesWritten = 0;
  setNoDelay(): void {}
  override _read(): void {}
  override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
    done();
  }
}

/** What a frame socket makes of pieces. */
function framesOf(pieces: readonly Uint8Array[]): { frames: string[]; ended: string[] } {
  const frames: string[] = [];
  const ended: string[] = [];
  const socket = new FakeSocket();
  new FrameSocket(
    socket as unknown as TLSSocket,
    { frameBytesMax: FRAME_MAX, queueBytesMax: 10_000, whenFull: 'close' },
    {
      onFrame: (bytes) => frames.push(bytesToHex(bytes.slice())),
      onClosed: (reason) => ended.push(reason),
    },
    0,
  );
  for (const piece of pieces) socket.emit('data', Buffer.from(piece));
  socket.destroy();
  return { frames, ended };
}

function framed(payload: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(payload.length);
  return Buffer.concat([head, payload]);
}

const payloads = [Buffer.from([1]), Buffer.alloc(0), Buffer.alloc(FRAME_MAX, 7), Buffer.from('three')];
const stream = Buffer.concat(payloads.map(framed));
const wanted = payloads.filter(({ length }) => length > 0).map((payload) => payload.toString('hex'));

describe('N-09, O-04: frames', () => {
  it('are the same wherever the stream is split, in one piece, and byte by byte', () => {
    assert.deepEqual(framesOf([stream]).frames, wanted);
    assert.deepEqual(framesOf([...stream].map((byte) => Uint8Array.of(byte))).frames, wanted);
    for (let at = 0; at <= stream.length; at += 1)
      assert.deepEqual(framesOf([stream.subarray(0, at), stream.subarray(at)]).frames, wanted, `at ${at}`);
  });

  it('that are too long end the connection by their head alone', () => {
    for (const length of [FRAME_MAX + 1, 2 ** 16, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]) {
      const head = Buffer.alloc(4);
      head.writeUInt32BE(length);
      const { frames, ended } = framesOf([framed(Buffer.from('ok')), head]);
      assert.deepEqual(frames, [Buffer.from('ok').toString('hex')]);
      assert.deepEqual(ended, ['frameTooLong'], `${length}`);
    }
  });

  it('that are empty cost nothing and are told to nobody', () => {
    const { frames, ended } = framesOf([Buffer.alloc(4 * 250_000), framed(Buffer.from('after'))]);
    assert.deepEqual(frames, [Buffer.from('after').toString('hex')]);
    assert.equal(ended.includes('frameTooLong'), false);
  });
});

describe('M-15: bytes that were handed over', () => {
  it('do not change while other writers use the same spare buffers', () => {
    const kept: { readonly bytes: Uint8Array; readonly was: string; readonly name: string }[] = [];
    const targets = targetsFor(collectCorpus());
    for (let round = 0; round < 2; round += 1) {
      for (const target of targets) {
        for (const seed of target.seeds.slice(0, 8)) {
          const input = seed.slice();
          const bytes = target.decode(input);
          // What it was decoded from may be used again as soon as it was encoded.
          input.fill(0xa5);
          if (bytes instanceof Uint8Array) kept.push({ bytes, was: bytesToHex(seed), name: target.name });
        }
      }
    }
    assert.ok(kept.length > 200);
    for (const { bytes, was, name } of kept) assert.equal(bytesToHex(bytes), was, name);
  });

  it('do not change while more arrives on the same connection', async () => {
    const keys = [newKey(), newKey()];
    const settings = settingsFor(keys);
    const one = await new Port(settings, keys[1]!).start();
    const peer = dial(one.port, keys[0]!, PEER_ALPN);
    peer.write(framed(encodePeerHello(settings, 0, 1)));
    await one.until('up 0');
    const COUNT = 600;
    for (let index = 0; index < COUNT; index += 1)
      peer.write(framed(Buffer.alloc(1 + ((index * 911) % 9_000), index & 255)));
    peer.write(framed(Buffer.from('ff00', 'hex')));
    await one.until('peer 0 ff00');
    assert.equal(one.frames.length, COUNT + 1);
    for (const [index, bytes] of one.frames.slice(0, COUNT).entries())
      assert.ok(Buffer.alloc(1 + ((index * 911) % 9_000), index & 255).equals(bytes), `frame ${index}`);
    peer.destroy();
    await one.transport.close();
  });
});

function newKey(): KeyObject {
  return generateKeyPairSync('ed25519').privateKey;
}

function settingsFor(linkKeys: readonly KeyObject[]): ClusterSettings {
  return {
    clusterId: 'c1'.repeat(32) as Digest,
    configurationVersion: 0,
    protocol: 'minbft',
    f: 1,
    suite: 'ed25519',
    members: linkKeys.map((key, id) => ({
      id,
      name: `m${id}`,
      organisation: `o${id}`,
      hostKey: '00'.repeat(32),
      linkKey: bytesToHex(rawPublicKeyOf(key)!),
      address: '127.0.0.1:1',
      trusted: {
        program: 'usig',
        footprint: 'process',
        measurement: '00'.repeat(32) as Digest,
        suite: 'ed25519',
        tcId: '00'.repeat(16),
        tcEpoch: '00'.repeat(8) as TcEpoch,
        publicKey: '00'.repeat(32),
      },
    })),
    clients: [],
    policy: [],
    limits: DEFAULT_LIMITS,
    timers: DEFAULT_TIMERS,
  };
}

/** Replica 1 of 2, and what it was told. */
class Port {
  readonly told: string[] = [];
  /** Frames of peers, as they were given. */
  readonly frames: Uint8Array[] = [];
  readonly transport: Transport;
  readonly #waiting: (() => void)[] = [];
  port = 0;

  constructor(settings: ClusterSettings, key: KeyObject) {
    const note = (text: string): void => {
      this.told.push(text);
      for (const wake of this.#waiting.splice(0)) wake();
    };
    this.transport = new Transport({
      self: 1,
      settings,
      linkKey: key,
      listen: '127.0.0.1:0',
      limits: { handshakeMs: 2_000, keepAliveMs: 50, tickMs: 20 },
      events: {
        onPeerUp: (peer) => note(`up ${peer}`),
        onPeerDown: (peer) => note(`down ${peer}`),
        onPeerFrame: (from, bytes) => {
          this.frames.push(bytes);
          note(`peer ${from} ${bytesToHex(bytes)}`);
        },
        onClientFrame: (_link, _key, bytes) => note(`client ${bytesToHex(bytes)}`),
        onClientGone: () => note('gone'),
        log: () => undefined,
      },
    });
  }

  async start(): Promise<this> {
    this.port = await this.transport.start();
    return this;
  }

  async until(text: string): Promise<void> {
    while (!this.told.includes(text)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

function dial(port: number, key: KeyObject, alpn: string, more: tls.ConnectionOptions = {}): tls.TLSSocket {
  const { key: pem, certificate } = linkIdentityOf(key, 'test');
  const socket = tls.connect({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ALPNProtocols: [alpn],
    key: pem,
    cert: certificate,
    ...more,
  });
  socket.on('error', () => undefined);
  return socket;
}

function closed(socket: net.Socket): Promise<void> {
  socket.resume();
  return socket.destroyed
    ? Promise.resolve()
    : new Promise((resolve) => socket.once('close', () => resolve()));
}

/** A port in the middle: shows what passes towards `to`, and may change it. */
async function middle(
  to: number,
  pass: (chunk: Buffer) => Buffer,
): Promise<{ port: number; server: net.Server }> {
  const server = net.createServer((front) => {
    const back = net.connect(to, '127.0.0.1');
    for (const one of [front, back]) one.on('error', () => undefined);
    front.on('data', (chunk: Buffer) => back.write(pass(chunk)));
    back.on('data', (chunk: Buffer) => front.write(chunk));
    front.on('close', () => back.destroy());
    back.on('close', () => front.destroy());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', () => done()));
  return { port: (server.address() as net.AddressInfo).port, server };
}

describe('K-05, K-11, N-09: between a peer and its port', () => {
  it('a recorded session is worth nothing the second time', async () => {
    const keys = [newKey(), newKey()];
    const settings = settingsFor(keys);
    const one = await new Port(settings, keys[1]!).start();
    const recorded: Buffer[] = [];
    const { port, server } = await middle(one.port, (chunk) => (recorded.push(Buffer.from(chunk)), chunk));
    const honest = dial(port, keys[0]!, PEER_ALPN);
    await new Promise<void>((done) => honest.once('secureConnect', () => done()));
    honest.write(framed(encodePeerHello(settings, 0, 1)));
    honest.write(framed(Buffer.from('beef', 'hex')));
    await one.until('peer 0 beef');
    honest.destroy();
    await one.until('down 0');
    const before = one.told.length;
    assert.ok(recorded.length > 0);
    for (const gap of [0, 20]) {
      const replay = net.connect(one.port, '127.0.0.1');
      replay.on('error', () => undefined);
      for (const chunk of recorded) {
        replay.write(chunk);
        if (gap > 0) await new Promise((resolve) => setTimeout(resolve, gap));
      }
      replay.end();
      await closed(replay);
    }
    assert.deepEqual(one.told.slice(before), []);
    server.close();
    await one.transport.close();
  });

  it('a changed byte on the way ends the connection, and nothing changed arrives', async () => {
    const keys = [newKey(), newKey()];
    const settings = settingsFor(keys);
    const one = await new Port(settings, keys[1]!).start();
    let damage = false;
    const { port, server } = await middle(one.port, (chunk) => {
      const copy = Buffer.from(chunk);
      if (damage) copy[copy.length - 1]! ^= 1;
      return copy;
    });
    const honest = dial(port, keys[0]!, PEER_ALPN);
    await new Promise<void>((done) => honest.once('secureConnect', () => done()));
    honest.write(framed(encodePeerHello(settings, 0, 1)));
    await one.until('up 0');
    damage = true;
    honest.write(framed(Buffer.from('beef', 'hex')));
    await one.until('down 0');
    assert.equal(
      one.told.some((text) => text.startsWith('peer 0')),
      false,
    );
    honest.destroy();
    server.close();
    await one.transport.close();
  });

  it('older TLS, no key, the key of another replica and its own key are refused', async () => {
    const keys = [newKey(), newKey(), newKey()];
    const settings = settingsFor(keys);
    const one = await new Port(settings, keys[1]!).start();
    const old = dial(one.port, keys[0]!, PEER_ALPN, { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' });
    await closed(old);
    // Its own hello, sent back by a mirror that has its key: it is no peer of itself.
    const mirror = dial(one.port, keys[1]!, PEER_ALPN);
    mirror.write(framed(encodePeerHello(settings, 1, 0)));
    await closed(mirror);
    // Replica 2 dials nobody with a lower id: it may not take the place of one who does.
    const wrongWay = dial(one.port, keys[2]!, PEER_ALPN);
    wrongWay.write(framed(encodePeerHello(settings, 2, 1)));
    await closed(wrongWay);
    const posing = dial(one.port, keys[0]!, PEER_ALPN);
    posing.write(framed(encodePeerHello(settings, 2, 1)));
    await closed(posing);
    const client = dial(one.port, keys[0]!, CLIENT_ALPN);
    const hello = { kind: 'hello', version: CLIENT_WIRE_VERSION, clusterId: settings.clusterId } as const;
    client.write(framed(encodeClientFrame({ ...hello, clientKey: rawPublicKeyOf(keys[1]!)! })));
    await closed(client);
    assert.deepEqual(one.told, []);
    assert.deepEqual(one.transport.peersUp(), []);
    await one.transport.close();
  });
});

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import net from 'node:net';
import { describe, it } from 'node:test';
import tls from 'node:tls';
import { bytesToHex } from '../core/bytes.ts';
import { CLIENT_WIRE_VERSION, decodeReplicaFrame, encodeClientFrame } from '../core/client-wire.ts';
import type { ClusterSettings } from '../core/config.ts';
import { DEFAULT_LIMITS, DEFAULT_TIMERS } from '../core/config.ts';
import type { Digest, TcEpoch } from '../core/types.ts';
import { linkIdentityOf } from './keys.ts';
import { judgePeerHello, parseAddress, encodePeerHello } from './peer-hello.ts';
import { Transport } from './transport.ts';
import type { TransportLimits } from './transport-contract.ts';
import { rawPublicKeyOf } from '../platform/ed25519.ts';

function newKey(): KeyObject {
  return generateKeyPairSync('ed25519').privateKey;
}
function hexOf(key: KeyObject): string {
  return bytesToHex(rawPublicKeyOf(key)!);
}

function settingsFor(linkKeys: readonly KeyObject[], ports: readonly number[]): ClusterSettings {
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
      linkKey: hexOf(key),
      address: `127.0.0.1:${ports[id] ?? 1}`,
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

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => net.createServer());
  await Promise.all(
    servers.map((server) => new Promise<void>((done) => server.listen(0, '127.0.0.1', () => done()))),
  );
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

/** A transport with a list of what it reported, and promises for what it will. */
class Rig {
  readonly events: string[] = [];
  readonly transport: Transport;
  port = 0;
  #waiters: (() => void)[] = [];

  constructor(
    self: number,
    settings: ClusterSettings,
    linkKey: KeyObject,
    port: number,
    limits: Partial<TransportLimits> = {},
  ) {
    const note = (text: string): void => {
      this.events.push(text);
      for (const waiter of this.#waiters.splice(0)) waiter();
    };
    this.transport = new Transport({
      self,
      settings,
      linkKey,
      listen: `127.0.0.1:${port}`,
      limits: { redialMs: 5, redialCapMs: 20, ...limits },
      events: {
        onPeerUp: (peer) => note(`up ${peer}`),
        onPeerDown: (peer) => note(`down ${peer}`),
        onPeerFrame: (from, bytes) => note(`peer ${from} ${bytes.length} ${bytes[0]}`),
        onClientFrame: (_link, key, bytes) => note(`client ${bytesToHex(key).slice(0, 8)} ${bytes.length}`),
        onClientGone: () => note('gone'),
        log: (level, message) => note(`${level}: ${message}`),
      },
    });
  }

  async start(): Promise<this> {
    this.port = await this.transport.start();
    return this;
  }

  async until(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = this.events.find((e) => pattern.test(e));
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }
}

/** A TLS client of our own, for saying what no correct program says. */
async function connect(port: number, key: KeyObject | undefined, alpn: string): Promise<tls.TLSSocket> {
  const identity = key === undefined ? undefined : linkIdentityOf(key, 'test');
  const socket = tls.connect({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ALPNProtocols: [alpn],
    ...(identity === undefined ? {} : { key: identity.key, cert: identity.certificate }),
  });
  socket.on('error', () => undefined);
  await new Promise<void>((resolve) => socket.once('secureConnect', resolve));
  return socket;
}

function framed(payload: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(4 + payload.length);
  bytes.writeUInt32BE(payload.length, 0);
  bytes.set(payload, 4);
  return bytes;
}

async function closeOf(socket: tls.TLSSocket): Promise<void> {
  socket.resume();
  if (!socket.destroyed) await new Promise<void>((resolve) => socket.once('close', () => resolve()));
}

function helloOf(settings: ClusterSettings, key: KeyObject): Uint8Array {
  const { clusterId } = settings;
  return framed(
    encodeClientFrame({
      kind: 'hello',
      version: CLIENT_WIRE_VERSION,
      clusterId,
      clientKey: rawPublicKeyOf(key)!,
    }),
  );
}

describe('transport between peers', () => {
  it('reads nothing from anybody while it is told so, and loses nothing by it', async () => {
    const keys = [newKey(), newKey()];
    const ports = await freePorts(2);
    const settings = settingsFor(keys, ports);
    // A link that is not read is not silent.
    const limits = { tickMs: 5, silentMs: 40, keepAliveMs: 10 };
    const zero = await new Rig(0, settings, keys[0]!, ports[0]!, limits).start();
    const one = await new Rig(1, settings, keys[1]!, ports[1]!, { keepAliveMs: 10, tickMs: 5 }).start();
    await Promise.all([zero.until(/^up 1/), one.until(/^up 0/)]);
    zero.transport.setPaused(true);
    const payload = new Uint8Array(500_000).fill(3);
    for (let count = 0; count < 40; count += 1) one.transport.toPeer(0, payload);
    await new Promise((resolve) => setTimeout(resolve, 120));
    assert.deepEqual(
      zero.events.filter((event) => /^(peer|down)/.test(event)),
      [],
    );
    assert.ok(one.transport.waitingBytes > 0, 'the other side waits');
    zero.transport.setPaused(false);
    one.transport.toPeer(0, Uint8Array.of(9));
    await zero.until(/^peer 1 1 9/);
    assert.equal(zero.events.filter((event) => event === 'peer 1 500000 3').length, 40);
    await zero.transport.close();
    await one.transport.close();
  });

  it('links each pair once, carries frames both ways, links again after a restart', async () => {
    const keys = [newKey(), newKey()];
    const ports = await freePorts(2);
    const settings = settingsFor(keys, ports);
    const zero = await new Rig(0, settings, keys[0]!, ports[0]!).start();
    let one = await new Rig(1, settings, keys[1]!, ports[1]!).start();
    await Promise.all([zero.until(/^up 1/), one.until(/^up 0/)]);
    const large = new Uint8Array(900_000).fill(7);
    zero.transport.toPeer(1, Uint8Array.of(5, 6));
    zero.transport.toPeer(1, large);
    one.transport.toPeer(0, Uint8Array.of(9));
    await Promise.all([one.until(/^peer 0 900000 7/), zero.until(/^peer 1 1 9/)]);
    assert.ok(one.events.indexOf('peer 0 2 5') < one.events.indexOf('peer 0 900000 7'));
    zero.transport.toPeer(1, new Uint8Array(2 * 1024 * 1024));
    assert.equal(zero.transport.counters.droppedFrames, 1);
    await one.transport.close();
    await zero.until(/^down 1/);
    zero.events.length = 0;
    one = await new Rig(1, settings, keys[1]!, ports[1]!).start();
    await Promise.all([zero.until(/^up 1/), one.until(/^up 0/)]);
    assert.deepEqual(zero.transport.peersUp(), [1]);
    await Promise.all([zero.transport.close(), one.transport.close()]);
  });

  it('is cut off from its peers when told, serves clients meanwhile, and links again afterwards', async () => {
    const keys = [newKey(), newKey(), newKey()];
    const ports = await freePorts(3);
    const settings = settingsFor(keys, ports);
    const [zero, one, two] = await Promise.all(
      keys.map((key, id) => new Rig(id, settings, key, ports[id]!).start()),
    );
    await Promise.all([one!.until(/^up 0/), one!.until(/^up 2/), zero!.until(/^up 2/)]);
    one!.transport.setCutOff(true);
    await Promise.all([zero!.until(/^down 1/), two!.until(/^down 1/)]);
    assert.deepEqual(one!.transport.peersUp(), []);
    // Somebody who is greeted right now does not slip in, and nobody is dialled.
    for (const rig of [zero!, one!, two!]) rig.events.length = 0;
    const client = newKey();
    const socket = await connect(one!.port, client, 'moiety-client/1');
    socket.write(helloOf(settings, client));
    socket.write(framed(Uint8Array.of(4, 4)));
    await one!.until(/^client/);
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (const rig of [zero!, one!, two!])
      assert.deepEqual(
        rig.events.filter((event) => /^(up|peer)/.test(event)),
        [],
      );
    assert.deepEqual(zero!.transport.peersUp(), [2]);
    one!.transport.setCutOff(false);
    await Promise.all([one!.until(/^up 0/), one!.until(/^up 2/), zero!.until(/^up 1/), two!.until(/^up 1/)]);
    one!.transport.toPeer(0, Uint8Array.of(8));
    await zero!.until(/^peer 1 1 8/);
    socket.destroy();
    await Promise.all([zero!, one!, two!].map((rig) => rig.transport.close()));
  });

  it('sends what may wait with the next frame, in order, and by itself if none comes', async () => {
    const keys = [newKey(), newKey()];
    const ports = await freePorts(2);
    const settings = settingsFor(keys, ports);
    const zero = await new Rig(0, settings, keys[0]!, ports[0]!).start();
    const one = await new Rig(1, settings, keys[1]!, ports[1]!).start();
    await Promise.all([zero.until(/^up 1/), one.until(/^up 0/)]);
    zero.transport.toPeer(1, Uint8Array.of(5), true);
    assert.ok(zero.transport.waitingBytes > 0);
    zero.transport.toPeer(1, Uint8Array.of(6));
    await one.until(/^peer 0 1 6/);
    assert.ok(one.events.indexOf('peer 0 1 5') < one.events.indexOf('peer 0 1 6'));
    zero.transport.toPeer(1, Uint8Array.of(7), true);
    await one.until(/^peer 0 1 7/);
    zero.transport.toPeer(1, Uint8Array.of(8), true);
    await Promise.all([zero.transport.close(), one.until(/^peer 0 1 8/)]);
    await one.transport.close();
  });

  it('refuses another cluster, another membership, and says so on both sides', async () => {
    const keys = [newKey(), newKey()];
    const ports = await freePorts(2);
    const settings = settingsFor(keys, ports);
    const zero = await new Rig(0, settings, keys[0]!, ports[0]!).start();
    const other = { ...settings, configurationVersion: 3 };
    const one = await new Rig(1, other, keys[1]!, ports[1]!).start();
    const said = await Promise.any([
      zero.until(/configuration version 3, this replica 0/),
      one.until(/configuration version 0, this replica 3/),
    ]);
    assert.match(said, /give both the newer cluster\.json/);
    assert.deepEqual(zero.transport.peersUp(), []);
    await Promise.all([zero.transport.close(), one.transport.close()]);
    const foreign = { ...settings, clusterId: 'dd'.repeat(32) as Digest };
    const judged = judgePeerHello(encodePeerHello(foreign, 1, 0), settings, 0, 1);
    assert.ok(judged.kind === 'refuse' && /belongs to cluster dddd.*compare both/.test(judged.reason));
    assert.equal(judgePeerHello(Uint8Array.of(1, 2, 3), settings, 0, 1).kind, 'refuse');
    const wrongPeer = judgePeerHello(encodePeerHello(settings, 2, 0), settings, 0, 1);
    assert.ok(wrongPeer.kind === 'refuse' && /says that it is replica 2/.test(wrongPeer.reason));
  });

  it('does not talk to who answers at a peer’s address without its link key', async () => {
    const keys = [newKey(), newKey()];
    const ports = await freePorts(2);
    const settings = settingsFor(keys, ports);
    const impostor = await new Rig(1, settingsFor([keys[0]!, newKey()], ports), newKey(), ports[1]!).start();
    const zero = await new Rig(0, settings, keys[0]!, ports[0]!).start();
    await zero.until(/does not have its link key/);
    assert.deepEqual(impostor.transport.peersUp(), []);
    await Promise.all([zero.transport.close(), impostor.transport.close()]);
  });

  it('lets go of a link on which nothing is heard', async () => {
    const keys = [newKey(), newKey()];
    const ports = await freePorts(2);
    const settings = settingsFor(keys, ports);
    const one = await new Rig(1, settings, keys[1]!, ports[1]!, { silentMs: 1, tickMs: 5 }).start();
    const mute = await connect(one.port, keys[0]!, 'moiety-peer/1');
    mute.write(framed(encodePeerHello(settings, 0, 1)));
    await one.until(/^up 0/);
    await one.until(/^down 0/);
    assert.equal(one.transport.counters.closed.silent, 1);
    mute.destroy();
    await one.transport.close();
  });
});

describe('transport and strangers', () => {
  it('survives garbage, over-long frames, silence, wrong keys and wrong hellos, and counts them', async () => {
    const keys = [newKey(), newKey()];
    const ports = await freePorts(1);
    const settings = settingsFor(keys, ports);
    const one = await new Rig(1, settings, keys[1]!, ports[0]!, { handshakeMs: 300 }).start();
    const raw = net.connect(one.port, '127.0.0.1');
    raw.on('error', () => undefined);
    raw.write('GET / HTTP/1.1\r\n\r\n');
    raw.resume();
    await new Promise<void>((resolve) => raw.once('close', () => resolve()));

    const client = newKey();
    const tooLong = await connect(one.port, client, 'moiety-client/1');
    tooLong.write(Uint8Array.of(0x7f, 0xff, 0xff, 0xff, 1, 2, 3));
    await closeOf(tooLong);
    const garbage = await connect(one.port, client, 'moiety-client/1');
    garbage.write(framed(Uint8Array.of(250, 1, 2)));
    await closeOf(garbage);
    const stolen = await connect(one.port, client, 'moiety-client/1');
    stolen.write(helloOf(settings, newKey()));
    await closeOf(stolen);
    const foreign = await connect(one.port, client, 'moiety-client/1');
    foreign.write(helloOf({ ...settings, clusterId: 'dd'.repeat(32) as Digest }, client));
    await closeOf(foreign);
    const silent = await connect(one.port, client, 'moiety-client/1');
    await closeOf(silent);
    const notAPeer = await connect(one.port, client, 'moiety-peer/1');
    await closeOf(notAPeer);
    const keyless = await connect(one.port, undefined, 'moiety-client/1');
    await closeOf(keyless);

    const { counters } = one.transport;
    assert.equal(counters.closed.frameTooLong, 1);
    assert.equal(counters.closed.handshakeTimeout, 1);
    assert.equal(counters.closed.refused, 3);
    assert.equal(counters.refusedConnections, 6);
    assert.ok(one.events.some((event) => /not the key of its certificate/.test(event)));
    assert.ok(!one.events.some((event) => event.startsWith('client ') && !event.includes('refused')));

    const good = await connect(one.port, client, 'moiety-client/1');
    const welcome = new Promise<Buffer>((resolve) => good.once('data', resolve));
    const hello = helloOf(settings, client);
    for (const byte of hello) good.write(Uint8Array.of(byte));
    good.write(framed(Uint8Array.of(2, 0)));
    await one.until(new RegExp(`^client ${hexOf(client).slice(0, 8)} 2`));
    const answer = decodeReplicaFrame(new Uint8Array(await welcome).subarray(4));
    assert.ok(answer?.kind === 'welcome' && answer.replica === 1);
    good.destroy();
    await one.until(/^gone/);
    assert.equal(one.transport.clientCount, 0);
    await one.transport.close();
  });

  it('closes a client that does not read and refuses clients over the limit', async () => {
    const keys = [newKey(), newKey()];
    const settings = settingsFor(keys, []);
    const limits = { clientQueueBytesMax: 4 * 1024 * 1024, perAddressMax: 1 };
    const one = await new Rig(1, settings, keys[1]!, 0, limits).start();
    const client = newKey();
    const slow = await connect(one.port, client, 'moiety-client/1');
    slow.pause();
    slow.write(helloOf(settings, client));
    while (one.transport.clientCount === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    const second = net.connect(one.port, '127.0.0.1');
    second.on('error', () => undefined);
    await new Promise<void>((resolve) => second.once('close', () => resolve()));
    assert.equal(one.transport.counters.closed.overLimit, 1);
    const chunk = new Uint8Array(1024 * 1024);
    for (let count = 0; count < 200 && one.transport.clientCount === 1; count += 1) {
      one.transport.toClient(1, chunk);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await one.until(/^gone/);
    assert.equal(one.transport.counters.closed.slowReader, 1);
    slow.destroy();
    await one.transport.close();
  });

  it('a flood of mute connections keeps neither peers nor clients out', async () => {
    const keys = [newKey(), newKey()];
    const ports = await freePorts(2);
    const settings = settingsFor(keys, ports);
    const limits = { clientsMax: 4, perAddressMax: 10 };
    const one = await new Rig(1, settings, keys[1]!, ports[1]!, limits).start();
    const mute: net.Socket[] = [];
    let closed = 0;
    for (let count = 0; count < 60; count += 1) {
      const socket = net.connect(one.port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.on('close', () => (closed += 1));
      mute.push(socket);
    }
    while (closed < 50) await new Promise((resolve) => setTimeout(resolve, 2));
    const zero = await new Rig(0, settings, keys[0]!, ports[0]!).start();
    await Promise.all([one.until(/^up 0/), zero.until(/^up 1/)]);
    const client = newKey();
    const good = await connect(one.port, client, 'moiety-client/1');
    good.write(helloOf(settings, client));
    while (one.transport.clientCount === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    for (const socket of mute) socket.destroy();
    good.destroy();
    await Promise.all([one.transport.close(), zero.transport.close()]);
  });

  it('reads host:port and [ipv6]:port', () => {
    assert.deepEqual(parseAddress('127.0.0.1:4700'), { host: '127.0.0.1', port: 4700 });
    assert.deepEqual(parseAddress('[::1]:47'), { host: '::1', port: 47 });
    for (const bad of ['', 'host', 'host:', 'host:70000', '::1:80', ':80'])
      assert.equal(parseAddress(bad), undefined, bad);
  });
});

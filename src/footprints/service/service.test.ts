import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import tls from 'node:tls';
import { digestToBytes } from '../../core/bytes.ts';
import { Prng } from '../../core/prng.ts';
import type { Digest } from '../../core/types.ts';
import type { CheckSignature } from '../../trusted/client.ts';
import { conformanceOf } from '../../trusted/conformance/suite.ts';
import { USIG_OBJECT_ID } from '../../trusted/contract.ts';
import type { TrustedRequest, TrustedResponse } from '../../trusted/contract.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../../trusted/frames.ts';
import type { Footprint, TrustedConnection } from '../contract.ts';
import { CHANNEL_ID, encodeFrame, FrameReader } from '../process/channel.ts';
import { processFootprint } from '../process/footprint.ts';
import { parseServiceArgument } from './argument.ts';
import { serviceFootprint } from './footprint.ts';
import { identityOf } from './identity.ts';
import { Roster } from './roster.ts';
import { TrustedService } from './server.ts';
import type { ServiceLimits } from './server.ts';
import { decodeAnswer, encodeGreeting, SERVICE_ALPN } from './wire.ts';

const root = mkdtempSync(join(tmpdir(), 'moiety-service-'));
const services = new Set<TrustedService>();
after(async () => {
  for (const service of services) await service.close();
  rmSync(root, { recursive: true, force: true });
});

let serial = 0;
const newFolder = (name: string): string => join(root, `${name}-${(serial += 1)}`);

const checkSignature: CheckSignature = (publicKey, bytes, authenticator) => {
  const x = Buffer.from(publicKey, 'hex').toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  return verify(null, bytes, key, authenticator);
};

const digestOf = (number: number): Digest =>
  createHash('sha256').update(String(number)).digest('hex') as Digest;

const certifyRequest = (digest: Digest): TrustedRequest => ({
  op: 'certify',
  objectId: USIG_OBJECT_ID,
  digest,
  core: digestToBytes(digest),
});

function call(connection: TrustedConnection, request: Uint8Array): Promise<Uint8Array> {
  return new Promise((done, fail) => {
    connection.send(request, (answer) =>
      answer === undefined ? fail(new Error('the connection was lost')) : done(answer),
    );
  });
}

async function ask(connection: TrustedConnection, request: TrustedRequest): Promise<TrustedResponse> {
  return decodeTrustedResponse(await call(connection, encodeTrustedRequest(request)))!;
}

async function certify(connection: TrustedConnection, number: number): Promise<number> {
  const response = await ask(connection, certifyRequest(digestOf(number)));
  assert.ok(response.op === 'certify');
  return response.value;
}

/** A service that runs on the loopback, in this process, its components in processes of their own. */
interface Running {
  readonly folder: string;
  readonly roster: Roster;
  readonly service: TrustedService;
  readonly port: number;
  /** Argument of the footprint for a client that needs no token. */
  readonly argument: string;
  readonly log: string[];
}

async function startService(
  options: { folder?: string; port?: number; limits?: Partial<ServiceLimits>; backend?: Footprint } = {},
): Promise<Running> {
  const folder = options.folder ?? newFolder('service');
  const roster = new Roster(folder);
  const log: string[] = [];
  const backend = options.backend ?? processFootprint;
  const limits = options.limits ?? {};
  const service = new TrustedService({
    roster,
    backend,
    programs: ['usig'],
    limits,
    log: (line) => log.push(line),
  });
  services.add(service);
  const port = await service.start('127.0.0.1', options.port ?? 0);
  return { folder, roster, service, port, argument: `127.0.0.1:${port}#${service.publicKey}`, log };
}

async function endService({ service }: Running): Promise<void> {
  services.delete(service);
  await service.close();
}

interface Enrolled {
  readonly folder: string;
  readonly open: () => Promise<TrustedConnection>;
}

async function enrol(running: Running): Promise<Enrolled> {
  const folder = newFolder('replica');
  const token = running.roster.makeToken(60_000);
  await serviceFootprint.create({ folder, program: 'usig', argument: `${running.argument}/${token}` });
  return { folder, open: () => serviceFootprint.open({ folder, program: 'usig', argument: '' }) };
}

/** A raw TLS connection with a key of its own, for what no well-behaved client sends. */
function rawClient(running: Running, keyFile = newFolder('raw.pem')): Promise<tls.TLSSocket> {
  const identity = identityOf(keyFile, 'stranger', true);
  return new Promise((done, fail) => {
    const socket = tls.connect({
      port: running.port,
      host: '127.0.0.1',
      key: identity.key,
      cert: identity.certificate,
      rejectUnauthorized: false,
      ALPNProtocols: [SERVICE_ALPN],
    });
    socket.once('error', fail);
    socket.once('secureConnect', () => {
      socket.on('error', () => undefined);
      done(socket);
    });
  });
}

const closed = (socket: Socket): Promise<void> =>
  new Promise((done) => (socket.destroyed ? done() : socket.once('close', () => done())));

/** The service's answer to a first frame; undefined if it just closes. */
async function answerTo(socket: tls.TLSSocket, frame: Uint8Array): Promise<string | undefined> {
  const reader = new FrameReader(1024);
  let words: string | undefined;
  socket.on('data', (chunk: Buffer) => {
    reader.push(chunk);
    const first = reader.next();
    const answer = first === undefined ? undefined : decodeAnswer(first.body);
    if (answer !== undefined) words = answer.kind === 'refusal' ? answer.reason : answer.kind;
  });
  socket.write(frame);
  await closed(socket);
  return words;
}

describe('trusted service', () => {
  test('conformance through the service on loopback, the service killed where a check restarts', async (t) => {
    let running = await startService();
    const { open } = await enrol(running);
    let connection = await open();
    for (const { name, run } of conformanceOf('usig')) {
      await t.test(name, async () => {
        const check = run({ prng: new Prng(4), calls: 1_000, checkSignature });
        for (let step = check.next(); step.done !== true;) {
          if (step.value.kind === 'restart') {
            const { folder, port } = running;
            await endService(running);
            running = await startService({ folder, port });
            connection = await open();
            step = check.next([]);
          } else {
            step = check.next(await Promise.all(step.value.requests.map((one) => call(connection, one))));
          }
        }
      });
    }
    connection.close();
    await endService(running);
  });

  test('an enrolment token admits one client once, and expires', async () => {
    const running = await startService();
    const [first, second] = [newFolder('replica'), newFolder('replica')];
    const argument = `${running.argument}/${running.roster.makeToken(60_000)}`;
    const registration = await serviceFootprint.create({ folder: first, program: 'usig', argument });
    assert.equal(registration.footprint, 'service');
    assert.equal(registration.program, 'usig');
    const again = serviceFootprint.create({ folder: second, program: 'usig', argument });
    await assert.rejects(again, /token is not valid/);
    const expired = `${running.argument}/${running.roster.makeToken(-1)}`;
    await assert.rejects(
      serviceFootprint.create({ folder: second, program: 'usig', argument: expired }),
      /token is not valid/,
    );
    assert.equal(running.roster.clients().length, 1);
    const kept = readFileSync(join(running.folder, 'tokens.json'), 'utf8');
    assert.ok(!kept.includes(argument.split('/')[1]!), 'tokens are kept as hashes');
    await endService(running);
  });

  test('a client whose key is put on the list goes on with the key that was refused', async () => {
    const running = await startService();
    const folder = newFolder('replica');
    const create = () => serviceFootprint.create({ folder, program: 'usig', argument: running.argument });
    let key = '';
    await assert.rejects(create(), (error: Error) => {
      key = /client key ([0-9a-f]{64}) is not admitted/.exec(error.message)?.[1] ?? '';
      return key !== '';
    });
    appendFileSync(join(running.folder, 'clients'), `# replica 3\n${key} # of organisation C\n`);
    const registration = await create();
    const connection = await serviceFootprint.open({ folder, program: 'usig', argument: running.argument });
    const identity = await ask(connection, { op: 'identify' });
    assert.ok(identity.op === 'identify' && identity.identity.tcId === registration.tcId);
    assert.equal(await certify(connection, 1), 1);
    // Taken off the list, the same client is refused, at once and from then on; its component is kept.
    const lost = new Promise((done) => connection.onClose(done));
    writeFileSync(join(running.folder, 'clients'), '');
    await lost;
    await assert.rejects(
      serviceFootprint.open({ folder, program: 'usig', argument: '' }),
      /not admitted any more/,
    );
    await endService(running);
  });

  test('a list whose last line has no end keeps its client when another one enrols', async () => {
    const running = await startService();
    const list = join(running.folder, 'clients');
    const first = await enrol(running);
    writeFileSync(list, readFileSync(list, 'utf8').trim());
    const second = await enrol(running);
    writeFileSync(list, `${readFileSync(list, 'utf8')}# the last remark`);
    const third = await enrol(running);
    for (const { open } of [first, second, third]) (await open()).close();
    await endService(running);
  });

  test('an answer to an enrolment that was lost is given again, and nothing is made twice', async () => {
    const running = await startService();
    const { folder } = await enrol(running);
    const before = running.log.length;
    rmSync(join(folder, 'service.json'));
    await serviceFootprint.create({ folder, program: 'usig', argument: running.argument });
    assert.equal(running.log.slice(before).filter((line) => line.includes('new component')).length, 0);
    await endService(running);
  });

  test('without the key of the service nothing is trusted; with a wrong one nothing is sent', async () => {
    const running = await startService();
    const folder = newFolder('replica');
    const bare = `127.0.0.1:${running.port}`;
    await assert.rejects(
      serviceFootprint.create({ folder, program: 'usig', argument: bare }),
      /key of the service is missing/,
    );
    assert.ok(!existsSync(folder));
    const wrong = `${bare}#${'ab'.repeat(32)}/${running.roster.makeToken(60_000)}`;
    await assert.rejects(
      serviceFootprint.create({ folder, program: 'usig', argument: wrong }),
      /does not have the key/,
    );
    assert.equal(running.roster.clients().length, 0);
    const enrolled = await enrol(running);
    // Another service at the same place, with a key of its own.
    const { port } = running;
    await endService(running);
    const impostor = await startService({ port });
    await assert.rejects(enrolled.open(), /does not have the key/);
    await endService(impostor);
  });

  test('a key that no component belongs to is refused', async () => {
    const running = await startService();
    const { folder } = await enrol(running);
    rmSync(join(folder, 'client.pem'));
    identityOf(join(folder, 'client.pem'), 'another', true);
    await assert.rejects(
      serviceFootprint.open({ folder, program: 'usig', argument: '' }),
      /has no component/,
    );
    await endService(running);
  });

  test('killed and started again, the service goes on where it was', async () => {
    const running = await startService();
    const { open } = await enrol(running);
    const connection = await open();
    assert.deepEqual(await Promise.all([1, 2, 3].map((number) => certify(connection, number))), [1, 2, 3]);
    const lost = new Promise<string>((done) => connection.onClose(done));
    const { folder, port } = running;
    await endService(running);
    await lost;
    await assert.rejects(call(connection, encodeTrustedRequest({ op: 'identify' })), /lost/);
    const second = await startService({ folder, port });
    const reconnected = await open();
    assert.equal(await certify(reconnected, 4), 4);
    const recent = await ask(reconnected, { op: 'recent', objectId: USIG_OBJECT_ID, count: 9 });
    assert.ok(recent.op === 'recent');
    assert.deepEqual(
      recent.certificates.map(({ digest }) => digest),
      [1, 2, 3, 4].map(digestOf),
    );
    assert.equal(await serviceFootprint.stop(folder), false);
    assert.equal(await certify(reconnected, 5), 5);
    reconnected.close();
    await endService(second);
  });

  test('two replicas have two components and see nothing of each other', async () => {
    const running = await startService();
    const [a, b] = [await enrol(running), await enrol(running)];
    const [first, second] = [await a.open(), await b.open()];
    const values = await Promise.all([1, 2, 3].map((number) => certify(first, number)));
    assert.deepEqual(values, [1, 2, 3]);
    assert.equal(await certify(second, 9), 1);
    const [one, two] = await Promise.all([ask(first, { op: 'identify' }), ask(second, { op: 'identify' })]);
    assert.ok(one.op === 'identify' && two.op === 'identify');
    assert.notEqual(one.identity.publicKey, two.identity.publicKey);
    // A newer connection of one client takes the place of its older one, and of no other.
    const replaced = new Promise<string>((done) => first.onClose(done));
    const newer = await a.open();
    await replaced;
    assert.equal(await certify(newer, 4), 4);
    assert.equal(await certify(second, 10), 2);
    for (const connection of [newer, second]) connection.close();
    await endService(running);
  });

  test('everything that the service and the replica keep is for their owner only', async () => {
    const running = await startService();
    const { folder } = await enrol(running);
    for (const place of [running.folder, folder])
      for (const name of readdirSync(place, { recursive: true }) as string[]) {
        const info = statSync(join(place, name));
        if (info.isFile() || info.isDirectory()) assert.equal(info.mode & 0o077, 0, name);
      }
    await endService(running);
  });
});

describe('a trusted service and those who wish it ill', () => {
  test('garbage, other versions and other protocols are refused or closed', async () => {
    const running = await startService({ limits: { greetingMs: 1_000 } });
    const random = new Prng(11);
    const junk = Uint8Array.from({ length: 200 }, () => random.u32() & 255);
    assert.equal(await answerTo(await rawClient(running), junk), undefined);
    const nonsense = encodeFrame(CHANNEL_ID, junk.subarray(0, 60));
    assert.match((await answerTo(await rawClient(running), nonsense)) ?? '', /no greeting/);
    const greeting = { intent: 'enrol', program: 'usig', token: new Uint8Array(0) } as const;
    const newer = encodeFrame(CHANNEL_ID, encodeGreeting(greeting, 2));
    assert.match((await answerTo(await rawClient(running), newer)) ?? '', /version 1, the client version 2/);
    const request = encodeFrame(1, encodeTrustedRequest({ op: 'identify' }));
    assert.match((await answerTo(await rawClient(running), request)) ?? '', /no greeting/);
    const open = encodeFrame(CHANNEL_ID, encodeGreeting({ ...greeting, intent: 'open' }));
    assert.match((await answerTo(await rawClient(running), open)) ?? '', /has no component/);
    const plain = connectTcp(running.port, '127.0.0.1');
    plain.on('error', () => undefined);
    plain.write('GET / HTTP/1.1\r\n\r\n');
    plain.resume();
    await closed(plain);
    assert.equal(running.roster.clients().length, 0);
    await endService(running);
  });

  test('a program that is not offered, and more components than there is room for', async () => {
    const running = await startService({ limits: { clientsMax: 1 } });
    const token = running.roster.makeToken(60_000);
    const other = { folder: newFolder('replica'), program: 'a2m', argument: `${running.argument}/${token}` };
    await assert.rejects(serviceFootprint.create(other), /no program a2m/);
    // The token of an enrolment that failed can be used again.
    const folder = newFolder('replica');
    await serviceFootprint.create({ folder, program: 'usig', argument: `${running.argument}/${token}` });
    await assert.rejects(enrol(running), /hosts 1 components already/);
    await assert.rejects(
      serviceFootprint.open({ folder, program: 'a2m', argument: '' }),
      /runs usig, not a2m/,
    );
    await endService(running);
  });

  test('who says nothing or half of something is let go, and others are served meanwhile', async () => {
    const running = await startService({ limits: { greetingMs: 300, stallMs: 400 } });
    const enrolled = await enrol(running);
    const connection = await enrolled.open();
    const mute = connectTcp(running.port, '127.0.0.1');
    mute.on('error', () => undefined).resume();
    const slow = await rawClient(running);
    const drip = setInterval(() => slow.write(Uint8Array.of(0)), 50);
    slow.resume();
    let value = 0;
    while (!mute.destroyed || !slow.destroyed) value = await certify(connection, value);
    clearInterval(drip);
    assert.ok(value > 0);
    // A client that was welcomed and then sends half a request is let go, too.
    const half = await rawClient(running, join(enrolled.folder, 'client.pem'));
    half.resume();
    const greeting = encodeGreeting({ intent: 'open', program: 'usig', token: new Uint8Array(0) });
    half.write(Buffer.concat([encodeFrame(CHANNEL_ID, greeting), Buffer.from([0, 0, 0, 40, 0])]));
    await closed(half);
    const back = await enrolled.open();
    assert.equal(await certify(back, 0), value + 1);
    back.close();
    await endService(running);
  });

  test('too many connections: strangers make room, a client keeps its place', async () => {
    const running = await startService({ limits: { connectionsMax: 8, perAddressMax: 6 } });
    const { open } = await enrol(running);
    const connection = await open();
    const flood = Array.from({ length: 40 }, () => connectTcp(running.port, '127.0.0.1'));
    for (const socket of flood) socket.on('error', () => undefined).resume();
    await Promise.all(flood.map((socket) => new Promise((done) => socket.once('connect', done))));
    assert.equal(await certify(connection, 1), 1);
    assert.ok(running.service.connections <= 8, `${running.service.connections} connections`);
    const again = await open();
    assert.equal(await certify(again, 2), 2);
    assert.ok(running.service.connections <= 8);
    for (const socket of flood) socket.destroy();
    again.close();
    await endService(running);
  });

  test('a client that asks and reads nothing, and one whose component hangs, hold nobody up', async () => {
    const real = processFootprint;
    let hangs = false;
    const backend: Footprint = {
      ...real,
      open: async (options) => {
        const connection = await real.open(options);
        const silent = {
          ...connection,
          send: () => undefined,
          close: () => connection.close(),
          onClose: () => undefined,
        };
        return hangs ? silent : connection;
      },
    };
    const running = await startService({
      backend,
      limits: { outstandingMax: 16, unreadBytesMax: 4096, stallMs: 500 },
    });
    const [greedy, stuck, well] = [await enrol(running), await enrol(running), await enrol(running)];
    const connection = await well.open();
    hangs = true;
    const waiting = await stuck.open();
    hangs = false;
    let answered = 0;
    // Well within the time after which a replica gives up a way that seems dead.
    for (let number = 0; number < 100; number += 1)
      waiting.send(encodeTrustedRequest({ op: 'identify' }), () => (answered += 1));
    const first = await greedy.open();
    for (let number = 0; number < 64; number += 1)
      await ask(first, {
        op: 'certify',
        objectId: USIG_OBJECT_ID,
        digest: digestOf(number),
        core: new Uint8Array(4_000),
      });
    first.close();
    const socket = await rawClient(running, join(greedy.folder, 'client.pem'));
    const greeting = encodeGreeting({ intent: 'open', program: 'usig', token: new Uint8Array(0) });
    socket.write(encodeFrame(CHANNEL_ID, greeting));
    const request = encodeFrame(
      7,
      encodeTrustedRequest({ op: 'recent', objectId: USIG_OBJECT_ID, count: 64 }),
    );
    const many = Buffer.concat(Array.from({ length: 200 }, () => request));
    const feed = setInterval(() => {
      if (socket.writableLength < 4 * 1024 * 1024) socket.write(many);
    }, 1);
    const gone = closed(socket);
    let value = 0;
    while (!socket.destroyed) value = await certify(connection, value);
    await gone;
    clearInterval(feed);
    assert.ok(value > 0);
    assert.equal(answered, 0);
    waiting.close();
    connection.close();
    await endService(running);
  });
});

test('the whole way on one machine, for measurements', async () => {
  const folder = newFolder('loopback');
  const options = { folder, program: 'usig', argument: 'loopback' };
  const registration = await serviceFootprint.create(options);
  assert.equal(registration.footprint, 'service');
  const connection = await serviceFootprint.open(options);
  assert.equal(await certify(connection, 1), 1);
  connection.close();
  const again = await serviceFootprint.open(options);
  assert.equal(await certify(again, 2), 2);
  again.close();
  assert.equal(await serviceFootprint.stop(folder), true);
  assert.equal(await serviceFootprint.stop(folder), false);
});

test('arguments of the footprint', () => {
  const key = 'AB'.repeat(32);
  assert.deepEqual(parseServiceArgument(`tc.example.org:4800#${key}`), {
    host: 'tc.example.org',
    port: 4800,
    serviceKey: key.toLowerCase(),
    token: undefined,
  });
  assert.equal(parseServiceArgument('[::1]:4800')?.host, '::1');
  assert.equal(parseServiceArgument(`h:1#${key}/${'0f'.repeat(24)}`)?.token, '0f'.repeat(24));
  for (const wrong of ['', 'host', 'host:0', 'host:70000', 'host:1#ab', `host:1#${key}/ab`, `a:b:1#${key}`])
    assert.equal(parseServiceArgument(wrong), undefined, wrong);
});

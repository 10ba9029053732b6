/**
 * O-15, O-16, O-17, BC-14, P-14 of docs/scenarios.md: a gateway on a real port against what no browser sends, viewers that
 * never read, and texts of strangers that end in a log.
 */
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import pino from 'pino';
import { connect } from '../../src/client/client.ts';
import type { MoietyClient } from '../../src/client/contract.ts';
import { FakeCluster } from '../../src/client/fake-cluster.testing.ts';
import type { Gateway } from '../../src/gateway/server.ts';
import { startGateway } from '../../src/gateway/server.ts';

const lines: string[] = [];
let client: MoietyClient;
let gateway: Gateway;

before(async () => {
  const cluster = new FakeCluster();
  const { settings, clientKey: key, openChannel } = cluster;
  client = await connect({ cluster: settings, key, openChannel, window: 4096 });
  const logger = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
  gateway = await startGateway({ client, port: 0, logger, viewersMax: 8 });
});
after(async () => {
  await gateway.close();
  await client.close();
});

/** Sends pieces on one connection and collects what comes until it ends or enough has come. */
function talk(pieces: readonly (string | Buffer)[], isEnough: (answer: string) => boolean): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = net.connect(gateway.port, '127.0.0.1', () => {
      for (const piece of pieces) socket.write(piece);
    });
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
      if (isEnough(answer)) socket.destroy();
    });
    socket.on('close', () => resolve(answer));
  });
}

const statusesOf = (answer: string): number[] =>
  [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));
const head = (method: string, path: string, more = ''): string =>
  `${method} ${path} HTTP/1.1\r\nhost: localhost\r\n${more}\r\n`;
const post = (body: string): string =>
  `${head('POST', '/v1/tx', `content-length: ${Buffer.byteLength(body)}\r\n`)}${body}`;

async function stillServes(): Promise<void> {
  const response = await fetch(`${gateway.url}/v1/kv/after`, { method: 'PUT', body: 'x' });
  assert.equal(response.status, 200);
}

describe('O-15: a gateway', () => {
  it('refuses headers of a megabyte, and a hundred thousand of them', async () => {
    const big = await talk([head('GET', '/health', `x: ${'y'.repeat(1_000_000)}\r\n`)], () => false);
    assert.deepEqual(statusesOf(big), [431]);
    const many = await talk([head('GET', '/health', 'x: y\r\n'.repeat(100_000))], () => false);
    assert.deepEqual(statusesOf(many), [431]);
    await stillServes();
  });

  it('answers a pipeline in order, each request for itself', async () => {
    const COUNT = 200;
    const requests = Array.from({ length: COUNT }, (_, index) =>
      head('GET', index % 2 === 0 ? '/openapi.json' : '/nowhere'),
    );
    const answer = await talk([requests.join('')], (text) => statusesOf(text).length === COUNT);
    assert.deepEqual(
      statusesOf(answer),
      Array.from({ length: COUNT }, (_, index) => (index % 2 === 0 ? 200 : 404)),
    );
  });

  it('refuses JSON that is too deep, too long, or a batch', async () => {
    for (const body of [
      '['.repeat(60_000),
      '{"a":'.repeat(10_000),
      `${'['.repeat(30_000)}${']'.repeat(30_000)}`,
      `[${'{"op":"get","key":"k"},'.repeat(2_000)}{}]`,
      '[]',
    ])
      assert.deepEqual(
        statusesOf(await talk([post(body)], (text) => /\}$/.test(text))),
        [400],
        body.slice(0, 20),
      );
    const long = await talk([post('1'.repeat(2_000_000))], (text) => /\}$/.test(text));
    assert.equal(statusesOf(long)[0], 413);
    await stillServes();
  });

  it('is not led astray by lengths that contradict each other, or by bodies that were announced as packed', async () => {
    const both = head('POST', '/v1/tx', 'content-length: 4\r\ntransfer-encoding: chunked\r\n');
    const smuggled = `${both}0\r\n\r\n${head('DELETE', '/v1/kv/after')}`;
    const answer = await talk([smuggled], () => false);
    assert.deepEqual(statusesOf(answer), [400]);
    const twice = await talk(
      [head('POST', '/v1/tx', 'content-length: 4\r\ncontent-length: 5\r\n')],
      () => false,
    );
    assert.deepEqual(statusesOf(twice), [400]);
    const packed = await fetch(`${gateway.url}/v1/kv/packed`, {
      method: 'PUT',
      headers: { 'content-encoding': 'gzip' },
      body: Buffer.from('1f8b0800', 'hex'),
    });
    assert.equal(packed.status, 200);
    const read = Buffer.from(await (await fetch(`${gateway.url}/v1/kv/packed`)).arrayBuffer());
    assert.equal(read.toString('hex'), '1f8b0800', 'bytes are bytes: nothing is unpacked');
  });

  it('lets no slow sender keep others from being served', async () => {
    const slow = Array.from({ length: 100 }, (_, index) => {
      const socket = net.connect(gateway.port, '127.0.0.1', () =>
        socket.write(
          index % 2 === 0 ? 'GET / HT' : head('POST', '/v1/tx', 'content-length: 60000\r\n') + 'x',
        ),
      );
      socket.on('error', () => undefined);
      return socket;
    });
    for (let times = 0; times < 5; times += 1) await stillServes();
    for (const socket of slow) socket.destroy();
  });
});

describe('P-14: questions in a loop', () => {
  it('are answered beside writes, all of them', async () => {
    const paths = [
      '/health',
      '/v1/status',
      '/metrics',
      '/openapi.json',
      '/v1/evidence',
      '/v1/blocks/1',
      '/v1/kv?prefix=a',
    ];
    const asked: Promise<number>[] = [];
    for (let round = 0; round < 20; round += 1) {
      for (const path of paths)
        asked.push(
          fetch(`${gateway.url}${path}`).then(async (response) => (await response.text(), response.status)),
        );
      await stillServes();
    }
    const statuses = new Set(await Promise.all(asked));
    assert.deepEqual([...statuses], [200]);
  });
});

describe('O-16, BC-14: viewers of events', () => {
  it('that never read hold up nobody, and more than the bound are refused', async () => {
    const deaf = Array.from({ length: 8 }, () => {
      const socket = net.connect(gateway.port, '127.0.0.1', () =>
        socket.write(head('GET', '/v1/events?from=1')),
      );
      socket.on('error', () => undefined);
      socket.pause();
      return socket;
    });
    const body = 'v'.repeat(40_000);
    for (let index = 0; index < 120; index += 1)
      assert.equal((await fetch(`${gateway.url}/v1/kv/e${index}`, { method: 'PUT', body })).status, 200);
    const ninth = await fetch(`${gateway.url}/v1/events?from=1`);
    await ninth.body?.cancel();
    assert.equal(ninth.status, 503);
    for (const socket of deaf) socket.destroy();
    await stillServes();
    for (let tries = 0; ; tries += 1) {
      const again = await fetch(`${gateway.url}/v1/events?from=1`);
      await again.body?.cancel();
      if (again.status === 200) break;
      assert.ok(tries < 200, 'places of viewers that went are free again');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });
});

describe('O-17: texts of strangers', () => {
  it('stand in the log as one line of JSON each, without control characters', async () => {
    const nasty = '%1b%5b2J%0a%7b%22level%22:60%7d%0d%00%e2%80%a8';
    for (const path of [
      `/${nasty}`,
      `/v1/kv/${nasty}`,
      `/v1/tx/${nasty}`,
      `/v1/blocks/${nasty}`,
      `/v1/events?from=${nasty}`,
    ])
      await (await fetch(`${gateway.url}${path}`, {})).text();
    await talk([head('GET', '/', 'origin: \u001b[31m\r\n')], (text) => /\}$/.test(text));
    assert.ok(lines.length > 4);
    for (const line of lines) {
      assert.equal(line.indexOf('\n'), line.length - 1);
      assert.doesNotMatch(line.slice(0, -1), /[\u0000-\u001f\u007f]/);
      assert.equal(typeof JSON.parse(line), 'object');
      assert.ok(line.length < 20_000);
    }
  });
});

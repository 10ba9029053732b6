import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeFrame, encodeWelcome, FrameReader } from './channel.ts';
import { connectTrustedProcess, TrustedProcessError } from './connect.ts';
import type { ProcessConnection } from './connect.ts';

const WELCOME = encodeFrame(0, encodeWelcome({ durability: 2, hardening: 'none', pid: 4_242 }));

/** Something that listens in a component's folder and behaves as `act` says. */
async function withServer(
  act: (socket: Socket) => void,
  body: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'moiety-fake-'));
  writeFileSync(join(folder, 'access'), Buffer.alloc(32, 7));
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    act(socket);
  });
  await new Promise<void>((done) => server.listen(join(folder, 'socket'), done));
  try {
    await body(folder);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Answers that come, and why the connection was lost. */
async function outcome(
  connection: ProcessConnection,
  requests: number,
): Promise<[(string | undefined)[], string]> {
  const answers: (string | undefined)[] = [];
  const lost = new Promise<string>((done) => connection.onClose(done));
  for (let index = 0; index < requests; index += 1)
    connection.send(Uint8Array.of(index), (bytes) =>
      answers.push(bytes && Buffer.from(bytes).toString('hex')),
    );
  return [answers, await lost];
}

/** Serves a caller that greets; each frame after that is given to `answer`. */
function serving(answer: (socket: Socket, id: number, index: number) => void): (socket: Socket) => void {
  return (socket) => {
    const reader = new FrameReader(4_096);
    let index = -1;
    socket.on('data', (chunk: Buffer) => {
      reader.push(chunk);
      for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
        if (index < 0) socket.write(WELCOME);
        else answer(socket, frame.id, index);
        index += 1;
      }
    });
  };
}

test('a component that answers in the wrong order is given up; nobody waits for ever', async () => {
  const swap = serving((socket, id, index) => {
    // Answers the first as asked, then the third instead of the second.
    socket.write(encodeFrame(index === 1 ? id + 1 : id, Uint8Array.of(0xa0 + index)));
  });
  await withServer(swap, async (folder) => {
    const connection = await connectTrustedProcess(folder);
    assert.deepEqual(
      [connection.pid, connection.durability, connection.hardening],
      [4_242, 'memory', 'none'],
    );
    const [answers, reason] = await outcome(connection, 3);
    assert.deepEqual(answers, ['a0', undefined, undefined]);
    assert.equal(reason, 'the trusted process answered what was not asked');
    await assert.rejects(connection.call(Uint8Array.of(1)), TrustedProcessError);
  });
});

test('answers that nobody asked for, garbage and the end of the component are reasons of their own', async () => {
  const cases: [(socket: Socket, id: number) => void, RegExp][] = [
    [
      (socket, id) => void socket.write(Buffer.concat([encodeFrame(id, WELCOME), encodeFrame(id, WELCOME)])),
      /not asked/,
    ],
    [(socket) => void socket.write(Buffer.alloc(64, 0xff)), /frame of impossible length/],
    [(socket) => void socket.write(Buffer.alloc(64)), /frame of impossible length/],
    [(socket) => void socket.end(), /closed the connection/],
  ];
  for (const [act, reason] of cases)
    await withServer(serving(act), async (folder) => {
      const [answers, why] = await outcome(await connectTrustedProcess(folder), 1);
      assert.match(why, reason);
      assert.equal(answers.length, 1);
    });
});

test('what answers the greeting and is no trusted process is told', async () => {
  const cases: [Buffer, RegExp][] = [
    [Buffer.from('HTTP/1.1 400 Bad Request\r\n'), /no trusted process/],
    [encodeFrame(7, Buffer.alloc(8)), /no trusted process/],
    [encodeFrame(0, Buffer.alloc(9, 2)), /no trusted process/],
    [encodeFrame(0, Buffer.from([2, 1, 9, 0, 0, 0, 1, 0])), /no trusted process/],
    [encodeFrame(0, Buffer.from([2, 1, 0, 0, 0, 0, 1, 9])), /no trusted process/],
    [encodeFrame(0, Buffer.from([2, 9, 0, 0, 0, 0, 1, 0])), /of another version/],
    [encodeFrame(0, Buffer.from('\u0003wrong access token')), /refused: wrong access token/],
  ];
  for (const [bytes, reason] of cases)
    await withServer(
      (socket) => void socket.once('data', () => socket.write(bytes)),
      (folder) => assert.rejects(connectTrustedProcess(folder), reason),
    );
  // One of before says nothing about hardening.
  await withServer(
    (socket) =>
      void socket.once('data', () => socket.write(encodeFrame(0, Buffer.from([2, 1, 0, 0, 0, 0, 9])))),
    async (folder) => {
      const connection = await connectTrustedProcess(folder);
      assert.deepEqual([connection.pid, connection.hardening], [9, 'none']);
      connection.close();
    },
  );
});

test('frames are cut alike wherever the stream is cut', () => {
  const stream = Buffer.concat([1, 2, 3].map((id) => encodeFrame(id, Buffer.alloc(id * 5, id))));
  for (let size = 1; size <= stream.length; size += 1) {
    const reader = new FrameReader(16);
    const seen: string[] = [];
    for (let at = 0; at < stream.length; at += size) {
      reader.push(stream.subarray(at, at + size));
      for (let frame = reader.next(); frame !== undefined; frame = reader.next())
        seen.push(`${frame.id}:${Buffer.from(frame.body).toString('hex')}`);
    }
    assert.deepEqual(seen, ['1:0101010101', `2:${'02'.repeat(10)}`, `3:${'03'.repeat(15)}`]);
    assert.equal(reader.isPartial || reader.broken, false);
  }
  const long = new FrameReader(16);
  long.push(encodeFrame(4, Buffer.alloc(17)));
  assert.deepEqual([long.next(), long.broken], [undefined, true]);
});

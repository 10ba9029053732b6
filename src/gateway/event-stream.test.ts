import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { it } from 'node:test';
import { serveEvents } from './event-stream.ts';

/** A viewer whose socket takes so many texts at once, and more only when it is told to. */
class Socket extends EventEmitter {
  readonly taken: string[] = [];
  room: number;
  destroyed = false;
  writableEnded = false;
  writableLength = 0;

  constructor(room: number) {
    super();
    this.room = room;
  }

  writeHead(): void {
    this.taken.length = 0;
  }

  write(text: string): boolean {
    this.taken.push(text);
    return this.taken.length < this.room;
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }

  end(): void {
    this.writableEnded = true;
  }
}

function serve(socket: Socket, stallMs: number, texts: (signal: AbortSignal) => AsyncIterable<string>) {
  const log = { warn: () => undefined };
  const reply = { raw: socket, hijack: () => undefined };
  const parts = {
    feed: { viewers: 0 },
    live: { viewers: 0 },
    viewersMax: 1,
    viewerStallMs: stallMs,
    stopping: new AbortController().signal,
  };
  return serveEvents(parts as never, { log } as never, reply as never, texts);
}

async function* endless(signal: AbortSignal): AsyncGenerator<string> {
  for (let number = 1; !signal.aborted; number += 1) {
    await Promise.resolve();
    yield `event ${number}`;
  }
}

it(
  'a viewer that takes nothing is let go, and nothing is made for it meanwhile',
  { timeout: 20_000 },
  async () => {
    const socket = new Socket(5);
    await serve(socket, 20, endless);
    assert.equal(socket.taken.length, 5);
    assert.ok(socket.destroyed && socket.writableEnded);
    assert.equal(socket.listenerCount('drain'), 0);
  },
);

it('a viewer that is slow but takes what comes is served on', { timeout: 20_000 }, async () => {
  const socket = new Socket(5);
  const served = serve(socket, 60_000, endless);
  while (socket.taken.length < 5) await new Promise((wake) => setTimeout(wake, 1));
  socket.room = 10;
  socket.emit('drain');
  while (socket.taken.length < 10) await new Promise((wake) => setTimeout(wake, 1));
  assert.ok(!socket.destroyed);
  socket.destroy();
  await served;
  assert.equal(socket.taken.length, 10);
});

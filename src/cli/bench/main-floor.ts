/**
 * The floor: a client and three servers, each a process, over TCP with the product's framing. Batches per turn of the
 * event loop, one MAC a batch, the client waits for two equal answers; no ordering, no execution, no disk. Whatever is
 * replicated in Node has to do this much. Nothing of the product is used, so that it does not move with the product;
 * a test holds the digest of this file and of all that it imports.
 */
import { createSecretKey } from 'node:crypto';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { decodeFloorBatch, encodeFloorFrame, readFloorFrames } from './floor-frames.ts';
import { Meter } from './measured.ts';
import type { LoadSettings } from './measured.ts';

/** Answers that must be equal. */
const QUORUM = 2;
/** Slots of requests on the way; a power of two, far more than are open at once. */
const SLOTS = 1 << 17;
/** Bytes of a batch; a turn with more sends several. Longer frames only cost memory. */
const BATCH_BYTES_MAX = 64 * 1024;
const ANSWER = new Uint8Array(8);
/** Only the cost of the MAC counts here. */
const key = createSecretKey(new Uint8Array(32).fill(7));

function serve(): void {
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    readFloorFrames(socket, (payload) => {
      const numbers = decodeFloorBatch(key, payload);
      if (numbers !== undefined) socket.write(encodeFloorFrame(key, numbers, ANSWER));
    });
  });
  server.listen(0, '127.0.0.1', () => process.send!({ port: (server.address() as AddressInfo).port }));
}

/** The closed loop: what was answered twice makes room for a new request, sent in the next turn. */
class ClosedLoop {
  readonly #links: readonly Socket[];
  readonly #startsMs = new Float64Array(SLOTS);
  /** Answers of each request so far. */
  readonly #answers = new Uint8Array(SLOTS);
  #meter: Meter | undefined;
  #payload = new Uint8Array(0);
  #next = 0;
  #free = 0;
  #scheduled = false;

  constructor(links: readonly Socket[]) {
    this.#links = links;
    for (const link of links) readFloorFrames(link, (bytes) => this.#onAnswers(bytes));
  }

  start(settings: LoadSettings): void {
    if (settings.pace.kind !== 'closed') throw new Error('the floor is a closed loop');
    this.#meter = new Meter(settings);
    this.#payload = new Uint8Array(settings.payload).fill(65);
    this.#free = settings.pace.inFlight;
    this.#flush();
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.#meter === undefined) return;
    if (this.#meter.isOver) {
      process.send!(this.#meter.result);
      this.#meter = undefined;
      return;
    }
    const startMs = performance.now();
    const batchMax = Math.max(1, Math.floor(BATCH_BYTES_MAX / (8 + this.#payload.length)));
    while (this.#free > 0) {
      const numbers: number[] = [];
      for (; this.#free > 0 && numbers.length < batchMax; this.#free -= 1) {
        this.#next = (this.#next + 1) >>> 0;
        const slot = this.#next % SLOTS;
        this.#startsMs[slot] = startMs;
        this.#answers[slot] = 0;
        numbers.push(this.#next);
      }
      const frame = encodeFloorFrame(key, numbers, this.#payload);
      for (const link of this.#links) link.write(frame);
    }
  }

  #onAnswers(bytes: Buffer): void {
    const numbers = decodeFloorBatch(key, bytes);
    if (numbers === undefined || this.#meter === undefined) return;
    let startMs = 0;
    let count = 0;
    for (const number of numbers) {
      const slot = number % SLOTS;
      this.#answers[slot]! += 1;
      if (this.#answers[slot] !== QUORUM) continue;
      const began = this.#startsMs[slot]!;
      // Requests of one batch began together: they are one entry of the histogram.
      if (began !== startMs && count > 0) {
        this.#meter.done(startMs, count);
        count = 0;
      }
      startMs = began;
      count += 1;
      this.#free += 1;
    }
    if (count > 0) this.#meter.done(startMs, count);
    if (this.#free === 0 || this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#flush());
  }
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true }, () => resolve(socket));
    socket.once('error', reject);
  });
}

process.once('disconnect', () => process.exit(0));
const { values } = parseArgs({ options: { ports: { type: 'string' } } });
if (values.ports === undefined) serve();
else {
  const loop = new ClosedLoop(await Promise.all(values.ports.split(',').map((port) => open(Number(port)))));
  process.on('message', ({ settings }: { settings: LoadSettings }) => loop.start(settings));
  process.send!({ kind: 'ready' });
}

/**
 * The floor: a client and three servers, each a process, over the product's framing and mutual TLS. Batches per turn of
 * the event loop, one MAC a batch, the client waits for two equal answers; no ordering, no execution, no disk.
 */
import { createSecretKey, generateKeyPairSync } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { parseArgs } from 'node:util';
import { FrameSocket } from '../../node/frame-socket.ts';
import type { FrameEvents } from '../../node/frame-socket.ts';
import { linkIdentityOf } from '../../node/keys.ts';
import { decodeFloorBatch, encodeFloorBatch } from './floor-frames.ts';
import { Meter } from './measured.ts';
import type { LoadSettings } from './measured.ts';

/** Answers that must be equal. */
const QUORUM = 2;
const LIMITS = {
  frameBytesMax: 64 * 1024 * 1024,
  queueBytesMax: 256 * 1024 * 1024,
  whenFull: 'close',
} as const;
const ANSWER = new Uint8Array(8);
/** Only the cost of the MAC counts here. */
const key = createSecretKey(new Uint8Array(32).fill(7));
const identity = linkIdentityOf(generateKeyPairSync('ed25519').privateKey, 'moiety bench');
const secure = {
  key: identity.key,
  cert: identity.certificate,
  rejectUnauthorized: false,
  minVersion: 'TLSv1.3',
} as const;

function framed(socket: TLSSocket, onFrame: FrameEvents['onFrame']): FrameSocket {
  const onClosed = (): void => undefined;
  return new FrameSocket(socket, LIMITS, { onFrame, onClosed }, performance.now());
}

function serve(): void {
  const server = tls.createServer({ ...secure, requestCert: true });
  server.on('secureConnection', (socket) => {
    const frames = framed(socket, (bytes) => {
      const numbers = decodeFloorBatch(key, bytes);
      if (numbers !== undefined) frames.send(encodeFloorBatch(key, numbers, ANSWER));
    });
  });
  server.listen(0, '127.0.0.1', () => process.send!({ port: (server.address() as AddressInfo).port }));
}

/** The closed loop: what was answered twice makes room for a new request, sent in the next turn. */
function drive(
  links: readonly FrameSocket[],
  settings: LoadSettings,
  onAnswer: (handle: (numbers: readonly number[]) => void) => void,
): void {
  const meter = new Meter(settings);
  const payload = new Uint8Array(settings.payload).fill(65);
  const open = new Map<number, { readonly startMs: number; answers: number }>();
  let free = settings.inFlight;
  let next = 0;
  let scheduled = false;
  const flush = (): void => {
    scheduled = false;
    if (meter.isOver) return void process.send!(meter.result, () => process.exit(0));
    const numbers: number[] = [];
    const startMs = performance.now();
    for (; free > 0; free -= 1) {
      next = (next + 1) >>> 0;
      open.set(next, { startMs, answers: 0 });
      numbers.push(next);
    }
    const frame = encodeFloorBatch(key, numbers, payload);
    for (const link of links) link.send(frame);
  };
  onAnswer((numbers) => {
    for (const number of numbers) {
      const request = open.get(number);
      if (request === undefined) continue;
      request.answers += 1;
      if (request.answers < QUORUM) continue;
      open.delete(number);
      meter.done(request.startMs);
      free += 1;
    }
    if (free > 0 && !scheduled) {
      scheduled = true;
      setImmediate(flush);
    }
  });
  flush();
}

async function load(ports: readonly number[]): Promise<void> {
  let handle: (numbers: readonly number[]) => void = () => undefined;
  const links = await Promise.all(
    ports.map(
      (port) =>
        new Promise<FrameSocket>((resolve, reject) => {
          const socket = tls.connect({ ...secure, host: '127.0.0.1', port });
          socket.once('error', reject);
          socket.once('secureConnect', () => {
            resolve(
              framed(socket, (bytes) => {
                const numbers = decodeFloorBatch(key, bytes);
                if (numbers !== undefined) handle(numbers);
              }),
            );
          });
        }),
    ),
  );
  process.once('message', ({ settings }: { settings: LoadSettings }) =>
    drive(links, settings, (wanted) => (handle = wanted)),
  );
  process.send!({ kind: 'ready' });
}

process.once('disconnect', () => process.exit(0));
const { values } = parseArgs({ options: { ports: { type: 'string' } } });
if (values.ports === undefined) serve();
else await load(values.ports.split(',').map(Number));

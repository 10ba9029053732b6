/**
 * Raw sockets: what the machine gives before anything is computed. A client and three servers, each a process; as many
 * bytes as the requests of the floor have, answered by as many as its answers have. No frames, no MAC, no numbers: bytes
 * are counted, and a request has ended when two servers have answered so many. It says what the floor itself costs.
 */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { Meter } from './measured.ts';
import type { LoadSettings } from './measured.ts';

/** Number and length, as in the floor. */
const ENTRY_BYTES = 8;
const ANSWER_BYTES = ENTRY_BYTES + 8;
const QUORUM = 2;

/** Answers each whole request; how long one is says the first word of a connection. */
function answer(socket: Socket): void {
  let requestBytes = 0;
  let received = 0;
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    if (requestBytes === 0) {
      requestBytes = chunk.readUInt32BE(0);
      received = -4;
    }
    received += chunk.length;
    const whole = Math.floor(received / requestBytes);
    received -= whole * requestBytes;
    if (whole > 0) socket.write(Buffer.alloc(whole * ANSWER_BYTES));
  });
}

function serve(): void {
  const server = createServer(answer);
  server.listen(0, '127.0.0.1', () => process.send!({ port: (server.address() as AddressInfo).port }));
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true }, () => resolve(socket));
    socket.once('error', reject);
  });
}

async function drive(ports: readonly number[], settings: LoadSettings): Promise<void> {
  if (settings.pace.kind !== 'closed') throw new Error('raw sockets are driven by a closed loop');
  const links = await Promise.all(ports.map(open));
  const entryBytes = ENTRY_BYTES + settings.payload;
  const answered = links.map(() => 0);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(entryBytes);
  const meter = new Meter(settings);
  const block = Buffer.alloc(settings.pace.inFlight * entryBytes, 65);
  /** Requests that two servers have answered, and when each batch of them began. */
  let done = 0;
  let sent = 0;
  const batches: { readonly through: number; readonly startMs: number; from: number }[] = [];
  let scheduled = false;
  const send = (count: number): void => {
    batches.push({ from: sent, through: sent + count, startMs: performance.now() });
    sent += count;
    for (const link of links) link.write(block.subarray(0, count * entryBytes));
  };
  const flush = (): void => {
    scheduled = false;
    if (meter.isOver) {
      for (const link of links) link.destroy();
      return void process.send!(meter.result);
    }
    const count = [...answered].sort((a, b) => b - a)[QUORUM - 1]! - done;
    done += count;
    for (let batch = batches[0]; batch !== undefined && batch.from < done; batch = batches[0]) {
      const through = Math.min(batch.through, done);
      meter.done(batch.startMs, through - batch.from);
      batch.from = through;
      if (through === batch.through) batches.shift();
    }
    if (count > 0) send(count);
  };
  links.forEach((link, index) => {
    let bytes = 0;
    link.on('error', () => link.destroy());
    link.on('data', (chunk) => {
      bytes += chunk.length;
      answered[index] = Math.floor(bytes / ANSWER_BYTES);
      if (scheduled) return;
      scheduled = true;
      setImmediate(flush);
    });
    link.write(head);
  });
  send(settings.pace.inFlight);
}

process.once('disconnect', () => process.exit(0));
const { values } = parseArgs({ options: { ports: { type: 'string' } } });
if (values.ports === undefined) serve();
else {
  const ports = values.ports.split(',').map(Number);
  process.on('message', ({ settings }: { settings: LoadSettings }) => void drive(ports, settings));
  process.send!({ kind: 'ready' });
}

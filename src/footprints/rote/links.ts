/** The way of guards to each other on one machine: a Unix socket each. What does not arrive is sent again by the guard. */
import { chmodSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { ROTE_MESSAGE_BYTES_MAX } from '../../trusted/rote/messages.ts';
import { encodeFrame, FrameReader } from '../process/channel.ts';
import { guardPath } from './places.ts';

/** Connections from others at once; each guard has one. */
const INBOUND_MAX = 64;
/** Bytes that wait for a guard that does not read; more are lost. */
const WAITING_BYTES_MAX = 1024 * 1024;
const MESSAGE_ID = 1;

/** See the top of this file. */
export class GuardLinks {
  readonly #self: number;
  readonly #onMessage: (bytes: Uint8Array) => void;
  readonly #outbound = new Map<number, Socket>();
  #inbound = 0;

  constructor(self: number, onMessage: (bytes: Uint8Array) => void) {
    this.#self = self;
    this.#onMessage = onMessage;
  }

  /** Listens; resolves when others can come. */
  listen(): Promise<void> {
    const path = guardPath(this.#self, 'socket');
    rmSync(path, { force: true });
    const server = createServer((socket) => this.#accept(socket));
    return new Promise((done, fail) => {
      server.once('error', fail);
      server.listen(path, () => {
        chmodSync(path, 0o600);
        done();
      });
    });
  }

  /** Sends to a guard, if it can be reached. */
  send(to: number, bytes: Uint8Array): void {
    let socket = this.#outbound.get(to);
    if (socket === undefined) {
      socket = connect(guardPath(to, 'socket'));
      this.#outbound.set(to, socket);
      const forget = (): void => {
        if (this.#outbound.get(to) === socket) this.#outbound.delete(to);
      };
      socket.on('error', forget).on('close', forget);
      // Nothing comes this way; reading shows that the other end is gone.
      socket.resume();
    }
    if (socket.writableLength < WAITING_BYTES_MAX) socket.write(encodeFrame(MESSAGE_ID, bytes));
  }

  #accept(socket: Socket): void {
    if (this.#inbound >= INBOUND_MAX) {
      socket.destroy();
      return;
    }
    this.#inbound += 1;
    const reader = new FrameReader(ROTE_MESSAGE_BYTES_MAX);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => (this.#inbound -= 1));
    socket.on('data', (chunk: Buffer) => {
      reader.push(chunk);
      for (let frame = reader.next(); frame !== undefined; frame = reader.next())
        this.#onMessage(Uint8Array.from(frame.body));
      if (reader.broken) socket.destroy();
    });
  }
}

/** The caller's end of a component that answers frames in order, over any socket on which the greeting is done. */
import type { Socket } from 'node:net';
import { REQUEST_BYTES_MAX } from '../trusted/frames.ts';
import type { OnResponse, TrustedConnection } from './contract.ts';
import { encodeFrame } from './process/channel.ts';
import type { FrameReader } from './process/channel.ts';

/** Requests that wait for an answer, at most; a replica has far fewer (decision A7). */
const OUTSTANDING_MAX = 1_024;
const ID_END = 2 ** 32;
const NOTHING = new Uint8Array(0);

/** See the top of this file. */
export class FramedConnection implements TrustedConnection {
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  readonly #peer: string;
  /** In the order of the requests; those before `#head` are answered. */
  readonly #waiting: { readonly id: number; readonly onResponse: OnResponse }[] = [];
  #head = 0;
  readonly #listeners: ((reason: string) => void)[] = [];
  #nextId = 1;
  #corked = false;
  #closed: string | undefined;

  /** `reader` may hold what came after the greeting; `peer` is what the other end is called in messages. */
  constructor(socket: Socket, reader: FrameReader, peer: string) {
    this.#socket = socket;
    this.#reader = reader;
    this.#peer = peer;
    socket.on('data', (chunk: Buffer) => {
      reader.push(chunk);
      this.#drain();
    });
    socket.on('error', (error) => this.#lose(`${peer}: ${error.message}`));
    socket.on('close', () => this.#lose(`${peer} closed the connection`));
  }

  send(request: Uint8Array, onResponse: OnResponse): void {
    if (this.#closed !== undefined || this.#waiting.length - this.#head >= OUTSTANDING_MAX) {
      queueMicrotask(() => onResponse(undefined));
      return;
    }
    const id = this.#nextId;
    this.#nextId = id + 1 === ID_END ? 1 : id + 1;
    this.#waiting.push({ id, onResponse });
    this.#cork();
    // What is too long for a channel is no request: the program refuses the empty one in the same words.
    this.#socket.write(encodeFrame(id, request.length > REQUEST_BYTES_MAX ? NOTHING : request));
  }

  onClose(listener: (reason: string) => void): void {
    if (this.#closed === undefined) this.#listeners.push(listener);
    else listener(this.#closed);
  }

  close(): void {
    this.#lose('closed by this process');
  }

  /** Why the connection is gone; undefined while it is there. */
  protected get lostBecause(): string | undefined {
    return this.#closed;
  }

  /** Sends a last frame of the channel's own, after which nothing is sent. */
  protected finish(frame: Buffer): void {
    if (this.#closed === undefined) this.#socket.end(frame);
  }

  /** Requests of one turn leave in one write. */
  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#socket.cork();
    process.nextTick(() => {
      this.#corked = false;
      this.#socket.uncork();
    });
  }

  #drain(): void {
    for (let frame = this.#reader.next(); frame !== undefined; frame = this.#reader.next()) {
      const oldest = this.#waiting[this.#head];
      if (oldest?.id !== frame.id) {
        this.#lose(`${this.#peer} answered what was not asked`);
        return;
      }
      this.#head += 1;
      if (this.#head === this.#waiting.length || this.#head > OUTSTANDING_MAX) {
        this.#waiting.splice(0, this.#head);
        this.#head = 0;
      }
      oldest.onResponse(frame.body);
    }
    if (this.#reader.broken) this.#lose(`${this.#peer} sent a frame of impossible length`);
  }

  #lose(reason: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    this.#socket.destroy();
    const lost = this.#waiting.splice(0).slice(this.#head);
    this.#head = 0;
    for (const { onResponse } of lost) onResponse(undefined);
    for (const listener of this.#listeners.splice(0)) listener(reason);
  }
}

/**
 * One welcomed client of a trusted service: its requests go to its own component, its answers come back in order. What
 * it can make the service hold is bounded: requests that wait for an answer, an unfinished frame, answers that it does
 * not read. Nobody else waits for it.
 */
import type { Socket } from 'node:net';
import type { TrustedConnection } from '../contract.ts';
import { CHANNEL_ID, encodeFrame } from '../process/channel.ts';
import type { FrameReader } from '../process/channel.ts';

/** Length and id before the body of a frame. */
export const FRAME_HEAD_BYTES = 8;

/** Bounds of one session. */
export interface SessionLimits {
  /** Requests that wait for an answer, at most; more are not read before. */
  readonly outstandingMax: number;
  /** Bytes of answers that the client does not read, above which nothing more is read from it. */
  readonly unreadBytesMax: number;
  /** An unfinished frame, or answers that are not read, for longer than this end the session. Milliseconds. */
  readonly stallMs: number;
}

/** See the top of this file. Owns the socket. */
export class Session {
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  readonly #component: TrustedConnection;
  readonly #limits: SessionLimits;
  readonly #watch: NodeJS.Timeout;
  #outstanding = 0;
  #paused = false;
  #corked = false;
  #closed = false;
  /** Since when the client has owed us something, milliseconds of the process; 0: it owes nothing. */
  #owingSince = 0;
  #frames = 0;
  /** Bytes of an unfinished frame, and of frames that were not taken yet. */
  #unread: number;

  /** `unread`: bytes that the reader holds already. */
  constructor(
    socket: Socket,
    reader: FrameReader,
    component: TrustedConnection,
    limits: SessionLimits,
    unread: number,
  ) {
    this.#socket = socket;
    this.#reader = reader;
    this.#component = component;
    this.#limits = limits;
    this.#unread = unread;
    socket.on('data', (chunk: Buffer) => {
      this.#unread += chunk.length;
      reader.push(chunk);
      this.#pump();
    });
    socket.on('drain', () => this.#pump());
    socket.once('close', () => this.close());
    this.#watch = setInterval(() => this.#check(), Math.max(50, limits.stallMs / 4));
    this.#watch.unref();
    this.#pump();
  }

  /** Ends the session; the component lives on. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#watch);
    this.#socket.destroy();
  }

  #mayTake(): boolean {
    return (
      this.#outstanding < this.#limits.outstandingMax &&
      this.#socket.writableLength < this.#limits.unreadBytesMax
    );
  }

  #pump(): void {
    while (!this.#closed && this.#mayTake()) {
      const frame = this.#reader.next();
      if (frame === undefined) break;
      this.#frames += 1;
      this.#unread -= FRAME_HEAD_BYTES + frame.body.length;
      if (frame.id === CHANNEL_ID) return this.close();
      this.#outstanding += 1;
      // A copy: the component may take its time, and the view holds what one read brought.
      this.#component.send(Uint8Array.from(frame.body), (answer) => this.#answer(frame.id, answer));
    }
    if (this.#closed) return;
    if (this.#reader.broken) return this.close();
    const pause = !this.#mayTake();
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.#socket.pause();
    else this.#socket.resume();
  }

  #answer(id: number, answer: Uint8Array | undefined): void {
    this.#outstanding -= 1;
    if (this.#closed) return;
    // The component was lost: the client connects again and asks again.
    if (answer === undefined) return this.close();
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(encodeFrame(id, answer));
    if (this.#paused) this.#pump();
  }

  /** A client that sends half a frame and no more, or that reads nothing, is let go. */
  #check(): void {
    const owes = (!this.#paused && this.#unread > 0) || this.#socket.writableLength > 0;
    if (!owes || this.#frames > 0) this.#owingSince = 0;
    if (owes && this.#owingSince === 0) this.#owingSince = performance.now();
    else if (owes && performance.now() - this.#owingSince > this.#limits.stallMs) this.close();
    this.#frames = 0;
  }
}

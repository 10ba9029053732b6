/**
 * Frames (u32 length, payload) over one TLS connection. Outgoing frames of a turn of the event loop leave in one
 * write; the queue is bounded; a reader that does not read is let go. Incoming bytes are parsed without copying where
 * a frame lies whole in one chunk. A frame of length 0 is a sign of life.
 */
import type { TLSSocket } from 'node:tls';

/** Why a connection ended, for logs and counters. Closed list. */
export type CloseReason =
  | 'closedByOther'
  | 'closedByUs'
  | 'socketError'
  | 'frameTooLong'
  | 'slowReader'
  | 'silent'
  | 'refused'
  | 'protocolError'
  | 'handshakeTimeout'
  | 'replaced'
  | 'overLimit';

/** Bounds of one connection. */
export interface FrameLimits {
  /** Bytes of an incoming frame, at most; a longer claim closes the connection before anything is kept. */
  readonly frameBytesMax: number;
  /** Bytes waiting to be sent, at most. */
  readonly queueBytesMax: number;
  /** What happens above that: whole frames are dropped, or the connection is closed. */
  readonly whenFull: 'drop' | 'close';
}

/** Where a connection reports. Nothing is called after `onClosed`. */
export interface FrameEvents {
  onFrame(bytes: Uint8Array): void;
  onClosed(reason: CloseReason, detail: string): void;
}

const HEAD_BYTES = 4;
/** A frame of this length has a write of its own. */
const LONG_FRAME_BYTES = 32 * 1024;
/** How long frames that may wait do wait for one to go with. */
const LINGER_MS = 20;
/** A socket that takes nothing for this long while bytes wait is let go. */
const STALLED_MS = 20_000;

/** Pieces of an unfinished frame that are kept apart. */
const PIECES_MAX = 256;

function headOf(frame: Uint8Array): Buffer {
  const head = Buffer.allocUnsafe(HEAD_BYTES);
  head.writeUInt32BE(frame.length, 0);
  return head;
}

/** See the top of this file. Owns the socket. */
export class FrameSocket {
  readonly #socket: TLSSocket;
  readonly #limits: FrameLimits;
  readonly #events: FrameEvents;
  /** Bytes of an unfinished frame. */
  #partial: Uint8Array[] = [];
  #partialBytes = 0;
  #needed = HEAD_BYTES;
  #queue: Uint8Array[] = [];
  #queueBytes = 0;
  #flushScheduled = false;
  #linger: NodeJS.Timeout | undefined;
  #closed = false;
  #error = '';
  #lastReceivedAt: number;
  #lastSentAt: number;
  #progressAt: number;
  #progressBytes = 0;
  #isPaused = false;
  /** Frames dropped because the queue was full. */
  dropped = 0;

  constructor(socket: TLSSocket, limits: FrameLimits, events: FrameEvents, now: number) {
    this.#socket = socket;
    this.#limits = limits;
    this.#events = events;
    this.#lastReceivedAt = now;
    this.#lastSentAt = now;
    this.#progressAt = now;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('drain', () => this.#flush());
    socket.on('error', (error: Error) => {
      this.#error = error.message;
    });
    socket.on('close', () => this.#finish(this.#error === '' ? 'closedByOther' : 'socketError', this.#error));
    socket.on('end', () => socket.end());
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Bytes accepted by `send` that the operating system has not taken. */
  get waitingBytes(): number {
    return this.#queueBytes + this.#socket.writableLength;
  }

  /** Queues one frame; false if it was dropped. What `mayWait`, if short, goes with the next or after `LINGER_MS`. */
  send(frame: Uint8Array, mayWait = false): boolean {
    if (this.#closed) return false;
    if (this.waitingBytes + frame.length > this.#limits.queueBytesMax) {
      this.dropped += 1;
      if (this.#limits.whenFull === 'close') this.close('slowReader', 'its queue is full');
      return false;
    }
    this.#queue.push(frame);
    this.#queueBytes += frame.length + HEAD_BYTES;
    if (this.#flushScheduled) return true;
    if (mayWait && frame.length < LONG_FRAME_BYTES) {
      this.#linger ??= setTimeout(() => this.#flush(), LINGER_MS);
      return true;
    }
    this.#flushScheduled = true;
    setImmediate(() => {
      this.#flushScheduled = false;
      this.#flush();
    });
    return true;
  }

  /** Stops or goes on reading; what was read is still handed on. */
  setPaused(isPaused: boolean): void {
    if (this.#closed || this.#isPaused === isPaused) return;
    this.#isPaused = isPaused;
    if (isPaused) this.#socket.pause();
    else this.#socket.resume();
  }

  /** Called about once a second: keeps the link alive and notices one that is dead or stalled. */
  tick(now: number, keepAlive: { readonly everyMs: number; readonly silentMs: number } | undefined): void {
    if (this.#closed) return;
    const taken = this.#socket.bytesWritten - this.#socket.writableLength;
    if (taken !== this.#progressBytes || this.waitingBytes === 0) {
      this.#progressBytes = taken;
      this.#progressAt = now;
    } else if (now - this.#progressAt > STALLED_MS) {
      this.close('slowReader', `it took nothing for ${STALLED_MS} ms`);
      return;
    }
    if (keepAlive === undefined) return;
    // That nothing is read says nothing about the other side.
    if (this.#receivedSinceTick || this.#isPaused) this.#lastReceivedAt = now;
    this.#receivedSinceTick = false;
    if (now - this.#lastReceivedAt > keepAlive.silentMs) {
      this.close('silent', `nothing was heard for ${keepAlive.silentMs} ms`);
    } else if (now - this.#lastSentAt >= keepAlive.everyMs) {
      this.#lastSentAt = now;
      this.send(new Uint8Array(0));
    }
  }

  /** Closes at once; what was sent before still leaves if the socket takes it. */
  close(reason: CloseReason, detail: string): void {
    if (this.#closed) return;
    this.#flush();
    this.#finish(reason, detail);
  }

  #receivedSinceTick = false;

  #finish(reason: CloseReason, detail: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue = [];
    clearTimeout(this.#linger);
    this.#partial = [];
    this.#socket.removeAllListeners('data');
    this.#socket.on('error', () => undefined);
    if (reason === 'refused' || reason === 'closedByUs') {
      // Let the last words out, but do not wait for the other side.
      this.#socket.end();
      setTimeout(() => this.#socket.destroy(), 200).unref();
      this.#socket.resume();
    } else this.#socket.destroy();
    this.#events.onClosed(reason, detail);
  }

  #flush(): void {
    clearTimeout(this.#linger);
    this.#linger = undefined;
    if (this.#closed || this.#queue.length === 0 || this.#socket.writableNeedDrain) return;
    const queue = this.#queue;
    this.#queue = [];
    this.#queueBytes = 0;
    let joined: Uint8Array[] = [];
    for (const frame of queue) {
      joined.push(headOf(frame));
      // A long frame, which others may be sent, too, goes as it is; short ones are cheaper together than by themselves.
      if (frame.length < LONG_FRAME_BYTES) joined.push(frame);
      else {
        this.#socket.write(Buffer.concat(joined));
        this.#socket.write(frame);
        joined = [];
      }
    }
    if (joined.length > 0) this.#socket.write(Buffer.concat(joined));
  }

  #onData(chunk: Buffer): void {
    this.#receivedSinceTick = true;
    // A plain view: pure code may call `slice`, which for a Buffer would not copy.
    let bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
    if (this.#partialBytes > 0) {
      if (this.#partialBytes + bytes.length < this.#needed) {
        this.#keep(bytes);
        return;
      }
      bytes = this.#join(bytes);
    }
    let at = 0;
    while (!this.#closed) {
      const left = bytes.length - at;
      this.#needed = HEAD_BYTES;
      if (left >= HEAD_BYTES) {
        const length = new DataView(bytes.buffer, bytes.byteOffset + at, HEAD_BYTES).getUint32(0);
        if (length > this.#limits.frameBytesMax) {
          this.close('frameTooLong', `a frame of ${length} bytes was announced`);
          return;
        }
        this.#needed = HEAD_BYTES + length;
      }
      if (left < this.#needed) break;
      const frame = bytes.subarray(at + HEAD_BYTES, at + this.#needed);
      at += this.#needed;
      if (frame.length > 0) this.#events.onFrame(frame);
    }
    if (!this.#closed && at < bytes.length) this.#keep(bytes.subarray(at));
  }

  #keep(bytes: Uint8Array): void {
    this.#partial.push(bytes);
    this.#partialBytes += bytes.length;
    // Someone may send a frame byte by byte: the pieces must not cost more than what is in them.
    if (this.#partial.length > PIECES_MAX) {
      const joined = this.#join(new Uint8Array(0));
      this.#partial = [joined];
      this.#partialBytes = joined.length;
    }
  }

  #join(last: Uint8Array): Uint8Array<ArrayBuffer> {
    const joined = new Uint8Array(this.#partialBytes + last.length);
    let at = 0;
    for (const part of this.#partial) {
      joined.set(part, at);
      at += part.length;
    }
    joined.set(last, at);
    this.#partial = [];
    this.#partialBytes = 0;
    return joined;
  }
}

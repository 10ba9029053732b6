/**
 * Frames between a replica and its trusted process: u32 length of what follows, u32 id, body. Id 0 is the channel's own
 * (greeting, welcome, refusal, stop); others are chosen by the caller and come back with the answer, in order.
 */

/** Where things lie in the folder of a trusted process. */
export const FOLDER_FILES = {
  state: 'state',
  access: 'access',
  pid: 'pid',
  socket: 'socket',
  log: 'log',
} as const;

/** Bytes of the access token. */
export const TOKEN_BYTES = 32;
/** Id of the channel's own frames. */
export const CHANNEL_ID = 0;
/** Version of the channel in a greeting and a welcome. */
export const CHANNEL_VERSION = 1;
/** First byte of the channel's own frames. */
export const CHANNEL_KIND = { greeting: 1, welcome: 2, refusal: 3, stop: 4 } as const;

const HEAD_BYTES = 8;

/** One frame as it goes over the socket. */
export function encodeFrame(id: number, body: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + body.length);
  frame.writeUInt32BE(4 + body.length, 0);
  frame.writeUInt32BE(id, 4);
  frame.set(body, HEAD_BYTES);
  return frame;
}

/** What came over the socket, cut into frames. */
export interface Frame {
  readonly id: number;
  /** A view into a buffer that is not written again. */
  readonly body: Uint8Array;
}

/** Cuts a byte stream into frames; holds at most one incomplete frame and what one read brought. */
export class FrameReader {
  readonly #bodyBytesMax: number;
  #chunks: Buffer = Buffer.alloc(0);
  #broken = false;

  constructor(bodyBytesMax: number) {
    this.#bodyBytesMax = bodyBytesMax;
  }

  /** True once a frame was too long or too short: the stream cannot be read any further. */
  get broken(): boolean {
    return this.#broken;
  }

  /** Takes what was read. */
  push(chunk: Buffer): void {
    this.#chunks = this.#chunks.length === 0 ? chunk : Buffer.concat([this.#chunks, chunk]);
  }

  /** The next complete frame; undefined if there is none yet. */
  next(): Frame | undefined {
    const bytes = this.#chunks;
    if (this.#broken || bytes.length < 4) return undefined;
    const length = bytes.readUInt32BE(0);
    if (length < 4 || length > 4 + this.#bodyBytesMax) {
      this.#broken = true;
      return undefined;
    }
    if (bytes.length < 4 + length) return undefined;
    this.#chunks = bytes.subarray(4 + length);
    return { id: bytes.readUInt32BE(4), body: bytes.subarray(HEAD_BYTES, 4 + length) };
  }
}

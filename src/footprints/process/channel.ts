/**
 * Frames between a replica and its trusted process: u32 length of what follows, u32 id, body. Id 0 is the channel's own
 * (greeting, welcome, refusal, stop); others are chosen by the caller and come back with the answer, in order.
 */

/** Where things lie in the folder of a trusted process. */
export const FOLDER_FILES = {
  state: 'state',
  program: 'program.json',
  lock: 'process.lock',
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

/** What keeps a trusted process inside, by its number in a welcome. */
export const HARDENINGS = ['none', 'bubblewrap'] as const;
/** `bubblewrap`: namespaces, no network, seccomp. `none`: a process like any other. */
export type HardeningState = (typeof HARDENINGS)[number];

const HEAD_BYTES = 8;

/** What the process says first to a caller that has shown the token. */
export interface Welcome {
  /** Number of the durability mode. */
  readonly durability: number;
  readonly hardening: HardeningState;
  /** Process id as it is seen from outside. */
  readonly pid: number;
}

/** Body of a welcome. */
export function encodeWelcome({ durability, hardening, pid }: Welcome): Buffer {
  const body = Buffer.alloc(8);
  body.set([CHANNEL_KIND.welcome, CHANNEL_VERSION, durability]);
  body.writeUInt32BE(pid, 3);
  body[7] = HARDENINGS.indexOf(hardening);
  return body;
}

/** Reads a welcome; undefined if it is none. A process of before says nothing about hardening: it has none. */
export function decodeWelcome(body: Buffer): Welcome | undefined {
  const hardening = HARDENINGS[body[7] ?? 0];
  if (body[0] !== CHANNEL_KIND.welcome || body.length < 7 || body.length > 8 || hardening === undefined)
    return undefined;
  return { durability: body[2]!, hardening, pid: body.readUInt32BE(3) };
}

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
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #broken = false;

  constructor(bodyBytesMax: number) {
    this.#bodyBytesMax = bodyBytesMax;
  }

  /** True once a frame was too long or too short: the stream cannot be read any further. */
  get broken(): boolean {
    return this.#broken;
  }

  /** Whether a frame has begun to come and has not ended. */
  get isPartial(): boolean {
    return this.#at < this.#bytes.length;
  }

  /** Takes what was read. */
  push(chunk: Buffer): void {
    const left = this.#bytes.length - this.#at;
    this.#bytes = left === 0 ? chunk : Buffer.concat([this.#bytes.subarray(this.#at), chunk]);
    this.#at = 0;
  }

  /** The next complete frame; undefined if there is none yet. */
  next(): Frame | undefined {
    const bytes = this.#bytes;
    const at = this.#at;
    const left = bytes.length - at;
    if (this.#broken || left < 4) return undefined;
    const length = bytes.readUInt32BE(at);
    if (length < 4 || length > 4 + this.#bodyBytesMax) {
      this.#broken = true;
      return undefined;
    }
    if (left < 4 + length) return undefined;
    this.#at = at + 4 + length;
    return { id: bytes.readUInt32BE(at + 4), body: bytes.subarray(at + HEAD_BYTES, this.#at) };
  }
}

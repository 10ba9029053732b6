/**
 * The caller's end of a virtio port. The port knows no connections, so a conversation begins with a greeting that
 * carries the token of the folder and a fresh nonce; everything before the welcome with that nonce was meant for an
 * earlier caller and is skipped (native/carrier/channel.h is the other end).
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { RESPONSE_BYTES_MAX } from '../../trusted/frames.ts';
import type { TrustedConnection } from '../contract.ts';
import { FramedConnection } from '../framed-connection.ts';
import {
  CHANNEL_ID,
  CHANNEL_KIND,
  CHANNEL_VERSION,
  encodeFrame,
  FOLDER_FILES,
  FrameReader,
  TOKEN_BYTES,
} from '../process/channel.ts';
import { openSocket } from '../process/connect.ts';

const NONCE_BYTES = 16;
const RETRY_MS = 20;
/** Of a welcome, before its nonce: kind, version, durability, four zeros. */
const WELCOME_BYTES = 7;
/** What may be left of earlier conversations: all that fits into the queues on the way, generously. */
const SKIPPED_BYTES_MAX = 16 * RESPONSE_BYTES_MAX;

/** The virtual machine cannot be used; the message says why. */
export class MachineError extends Error {
  override readonly name = 'MachineError';
  /** The machine went away before it answered: a moment later there may be another one. */
  readonly vanished: boolean;

  constructor(message: string, vanished = false) {
    super(message);
    this.vanished = vanished;
  }
}

/** Bytes of a greeting. */
export function encodeMachineGreeting(token: Uint8Array, nonce: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from([CHANNEL_KIND.greeting, CHANNEL_VERSION]), token, nonce]);
  return encodeFrame(CHANNEL_ID, body);
}

/** Finds the welcome to one greeting in a stream that may begin anywhere. */
class WelcomeSeeker {
  readonly #sought: Buffer;
  #bytes: Buffer = Buffer.alloc(0);
  #skipped = 0;

  constructor(nonce: Uint8Array) {
    this.#sought = Buffer.from(nonce);
  }

  /** True if there was so much else that this is no virtual machine of ours. */
  get hopeless(): boolean {
    return this.#skipped > SKIPPED_BYTES_MAX;
  }

  /** Takes what was read; gives what follows the welcome once that is there. */
  push(chunk: Buffer): Buffer | undefined {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    const at = this.#bytes.indexOf(this.#sought);
    if (at >= 0) return this.#bytes.subarray(at + NONCE_BYTES);
    const done = Math.max(0, this.#bytes.length - NONCE_BYTES - WELCOME_BYTES);
    this.#skipped += done;
    this.#bytes = this.#bytes.subarray(done);
    return undefined;
  }
}

function readToken(folder: string): Uint8Array {
  const path = join(folder, FOLDER_FILES.access);
  let token: Uint8Array;
  try {
    token = readFileSync(path);
  } catch (error) {
    throw new MachineError(`there is no trusted component in ${folder}: ${(error as Error).message}`);
  }
  if (token.length !== TOKEN_BYTES) throw new MachineError(`the access token ${path} is damaged`);
  return token;
}

function greet(socket: Socket, token: Uint8Array, timeoutMs: number): Promise<FramedConnection> {
  return new Promise((done, fail) => {
    const nonce = randomBytes(NONCE_BYTES);
    const seeker = new WelcomeSeeker(nonce);
    const lose = (reason: string, vanished = false): void => {
      clearTimeout(timer);
      socket.destroy();
      fail(new MachineError(reason, vanished));
    };
    const timer = setTimeout(
      () => lose('the virtual machine does not answer: it hangs, or another replica is connected to it'),
      timeoutMs,
    );
    const onError = (error: Error): void => lose(`the virtual machine: ${error.message}`, true);
    const onEnd = (): void => lose('the virtual machine ended', true);
    const onData = (chunk: Buffer): void => {
      const rest = seeker.push(chunk);
      if (rest === undefined) {
        if (seeker.hopeless) lose('what answers there is no trusted virtual machine');
        return;
      }
      clearTimeout(timer);
      socket.off('data', onData).off('error', onError).off('close', onEnd);
      const reader = new FrameReader(RESPONSE_BYTES_MAX);
      if (rest.length > 0) reader.push(rest);
      done(new FramedConnection(socket, reader, 'the trusted virtual machine'));
    };
    socket.on('data', onData).on('error', onError).on('close', onEnd);
    socket.write(encodeMachineGreeting(token, nonce));
  });
}

/**
 * Opens the bare socket of a machine; undefined if none listens. QEMU lets one caller wait while another is connected
 * and refuses a third for the moment.
 */
export async function openPort(folder: string, timeoutMs: number): Promise<Socket | undefined> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await openSocket(folder);
    } catch (error) {
      if (!(error as Error).message.includes('EAGAIN') || Date.now() > deadline) throw error;
    }
    await new Promise((done) => setTimeout(done, RETRY_MS));
  }
}

/**
 * Connects to the virtual machine that listens in `folder`, with the token in `tokenFolder`; undefined if none listens.
 * Rejects with MachineError if it does not answer, or ends meanwhile.
 */
export async function connectMachine(
  folder: string,
  tokenFolder: string,
  timeoutMs: number,
): Promise<TrustedConnection | undefined> {
  const token = readToken(tokenFolder);
  const socket = await openPort(folder, timeoutMs);
  return socket === undefined ? undefined : greet(socket, token, timeoutMs);
}

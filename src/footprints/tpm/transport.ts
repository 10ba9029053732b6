/**
 * Ways to a TPM 2.0: a device file of the kernel (`/dev/tpmrm0`), a Unix socket or a TCP port that carry raw command
 * frames, as swtpm serves them. One exchange at a time; `driver.ts` queues.
 */
import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { TPM_HEADER_BYTES, TPM_MESSAGE_BYTES_MAX } from './commands.ts';

/** The kernel's device with resource manager. */
export const TPM_DEVICE = '/dev/tpmrm0';

const CONNECT_TIMEOUT_MS = 5_000;
/** Real TPMs may take seconds for a key; none takes longer than this for what is asked here. */
const ANSWER_TIMEOUT_MS = 60_000;

/** The TPM cannot be reached or talks nonsense; the message is for the operator. */
export class TpmUnreachable extends Error {
  override readonly name = 'TpmUnreachable';
}

/** Carries one command and brings its answer. */
export interface TpmTransport {
  /** The whole response frame. Rejects with TpmUnreachable; afterwards the transport is of no use. */
  exchange(command: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Length that a response frame claims; undefined until its head is there. Throws TpmUnreachable if it is absurd. */
function claimedLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < TPM_HEADER_BYTES) return undefined;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(2);
  if (length < TPM_HEADER_BYTES || length > TPM_MESSAGE_BYTES_MAX)
    throw new TpmUnreachable(`the TPM answers with a frame of ${length} bytes`);
  return length;
}

class DeviceTransport implements TpmTransport {
  readonly #file: FileHandle;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async exchange(command: Uint8Array): Promise<Uint8Array> {
    try {
      // The kernel takes a command by one write and gives its answer to one read.
      await this.#file.write(command);
      const answer = new Uint8Array(TPM_MESSAGE_BYTES_MAX);
      const { bytesRead } = await this.#file.read(answer, 0, answer.length, null);
      return answer.slice(0, bytesRead);
    } catch (error) {
      throw new TpmUnreachable(`the TPM device does not work: ${(error as Error).message}`);
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

class SocketTransport implements TpmTransport {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #lost: TpmUnreachable | undefined;
  #waiting: { done: (frame: Uint8Array) => void; fail: (error: Error) => void } | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error) => this.#lose(`the TPM's socket fails: ${error.message}`));
    socket.on('close', () => this.#lose('the TPM closed its socket'));
  }

  exchange(command: Uint8Array): Promise<Uint8Array> {
    return new Promise((done, fail) => {
      if (this.#lost !== undefined) return fail(this.#lost);
      const timer = setTimeout(() => this.#lose('the TPM does not answer'), ANSWER_TIMEOUT_MS);
      const settled = <T>(then: (value: T) => void) => {
        return (value: T): void => {
          clearTimeout(timer);
          this.#waiting = undefined;
          then(value);
        };
      };
      this.#waiting = { done: settled(done), fail: settled(fail) };
      this.#socket.write(command);
    });
  }

  close(): Promise<void> {
    this.#lose('closed by this process');
    return Promise.resolve();
  }

  #take(chunk: Buffer): void {
    // What nobody asked for is no answer.
    if (this.#waiting === undefined) return this.#lose('the TPM talks without being asked');
    this.#received = Buffer.concat([this.#received, chunk]);
    try {
      const length = claimedLength(this.#received);
      if (length === undefined || this.#received.length < length) return;
      if (this.#received.length > length) throw new TpmUnreachable('the TPM answers more than one frame');
      const frame = new Uint8Array(this.#received);
      this.#received = Buffer.alloc(0);
      this.#waiting.done(frame);
    } catch (error) {
      this.#lose((error as Error).message);
    }
  }

  #lose(reason: string): void {
    this.#lost ??= new TpmUnreachable(reason);
    this.#socket.destroy();
    this.#waiting?.fail(this.#lost);
  }
}

function openSocket(target: { path: string } | { host: string; port: number }): Promise<TpmTransport> {
  const place = 'path' in target ? target.path : `${target.host}:${target.port}`;
  return new Promise((done, fail) => {
    const socket = connect(target);
    const refuse = (reason: string): void => {
      clearTimeout(timer);
      socket.destroy();
      fail(new TpmUnreachable(`no TPM answers at ${place}: ${reason}`));
    };
    const timer = setTimeout(() => refuse('no connection in time'), CONNECT_TIMEOUT_MS);
    socket.once('error', (error) => refuse(error.message));
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      done(new SocketTransport(socket));
    });
  });
}

/**
 * Opens the TPM at a place: a device file, the path of a Unix socket, or `tcp:HOST:PORT`. Rejects with TpmUnreachable,
 * whose message says what to do.
 */
export async function openTransport(place: string): Promise<TpmTransport> {
  const tcp = /^tcp:(.+):(\d{1,5})$/.exec(place);
  if (tcp !== null) return openSocket({ host: tcp[1]!, port: Number(tcp[2]) });
  let kind;
  try {
    kind = await stat(place);
  } catch {
    throw new TpmUnreachable(`there is no TPM at ${place}`);
  }
  if (kind.isSocket()) return openSocket({ path: place });
  if (!kind.isCharacterDevice()) throw new TpmUnreachable(`${place} is neither a TPM device nor a socket`);
  try {
    return new DeviceTransport(await open(place, constants.O_RDWR));
  } catch (error) {
    throw new TpmUnreachable(
      `${place} cannot be opened (${(error as Error).message}): this user must be in the group that owns it`,
    );
  }
}

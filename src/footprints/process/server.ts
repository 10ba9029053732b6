/**
 * Serves one program to one caller over a Unix socket. The caller shows the access token of the folder; a newer one
 * takes the place of an older one (the replica died and came back). Everything that was read is answered in order,
 * and all requests that are waiting share one sync.
 */
import { timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import type { TrustedProgram } from '../../trusted/contract.ts';
import { REQUEST_BYTES_MAX } from '../../trusted/frames.ts';
import {
  CHANNEL_ID,
  CHANNEL_KIND,
  CHANNEL_VERSION,
  encodeFrame,
  encodeWelcome,
  FrameReader,
  TOKEN_BYTES,
} from './channel.ts';
import type { Welcome } from './channel.ts';

/** The monitor of a virtual machine is connected before its guest has booted (footprint vmm). */
const GREETING_TIMEOUT_MS = 20_000;
/** Connections that have not shown the token, at most. */
const STRANGERS_MAX = 8;
/** Requests that share one sync, at most; also bounds the time until a new caller is heard. */
const GROUP_REQUESTS_MAX = 64;
/** Bytes of answers per group, after which the rest waits for the next one. */
const GROUP_ANSWER_BYTES = 512 * 1024;

/** What the server needs. */
export interface ServerOptions {
  readonly program: TrustedProgram;
  readonly token: Uint8Array;
  /** What the process says of itself. */
  readonly welcome: Welcome;
  /** Answers what takes longer than a call (a TPM's word, for example); undefined: the program answers it. */
  readonly answerLater?: (request: Uint8Array) => Promise<Uint8Array> | undefined;
  /** Makes durable what the program persisted; throws if it cannot, which must end the process. */
  readonly flush: () => void;
  /** The caller asked the process to end. */
  readonly onStop: () => void;
  /** Something went wrong that nobody can repair: the process must end without another answer. */
  readonly onFatal: (error: unknown) => void;
  /** Called when a caller comes (true) or the last one leaves (false). */
  readonly onCaller: (present: boolean) => void;
}

function refusal(reason: string): Buffer {
  return encodeFrame(CHANNEL_ID, Buffer.concat([Buffer.from([CHANNEL_KIND.refusal]), Buffer.from(reason)]));
}

/** The one caller and its requests. */
class Caller {
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  readonly #options: ServerOptions;
  #scheduled = false;
  #full = false;
  /** Something is answered later; what comes after it waits, as answers keep their order. */
  #waits = false;

  constructor(socket: Socket, reader: FrameReader, options: ServerOptions) {
    this.#socket = socket;
    this.#reader = reader;
    this.#options = options;
    socket.on('drain', () => {
      this.#full = false;
      this.pump();
    });
  }

  take(chunk: Buffer): void {
    this.#reader.push(chunk);
    if (!this.#scheduled && !this.#full) this.pump();
  }

  /** Answers one group; goes on with the rest when others had their turn and the answers could leave. */
  pump(): void {
    this.#scheduled = false;
    if (this.#socket.destroyed || this.#waits) return;
    try {
      this.#answerGroup();
    } catch (error) {
      this.#options.onFatal(error);
      return;
    }
    if (this.#reader.broken) this.#socket.destroy();
  }

  #answerGroup(): void {
    const answers: Buffer[] = [];
    let bytes = 0;
    let stop = false;
    let exhausted = false;
    while (answers.length < GROUP_REQUESTS_MAX && bytes < GROUP_ANSWER_BYTES && !stop) {
      const frame = this.#reader.next();
      if (frame === undefined) {
        exhausted = true;
        break;
      }
      if (frame.id === CHANNEL_ID) {
        stop = frame.body.length === 1 && frame.body[0] === CHANNEL_KIND.stop;
        continue;
      }
      const later = this.#options.answerLater?.(frame.body);
      if (later !== undefined) {
        this.#waits = true;
        void this.#answerWhenThere(frame.id, later);
        break;
      }
      const answer = encodeFrame(frame.id, this.#options.program.handle(frame.body));
      answers.push(answer);
      bytes += answer.length;
    }
    // Durable first, then output: nothing that was certified leaves before this returned (W2).
    this.#options.flush();
    if (answers.length > 0) this.#full = !this.#socket.write(Buffer.concat(answers));
    if (stop) {
      this.#options.onStop();
      return;
    }
    if (exhausted && !this.#full) this.#socket.resume();
    else this.#socket.pause();
    if (!exhausted && !this.#full && !this.#waits) {
      this.#scheduled = true;
      setImmediate(() => this.pump());
    }
  }

  async #answerWhenThere(id: number, later: Promise<Uint8Array>): Promise<void> {
    try {
      const answer = await later;
      if (!this.#socket.destroyed) this.#socket.write(encodeFrame(id, answer));
    } catch (error) {
      this.#options.onFatal(error);
    }
    this.#waits = false;
    this.pump();
  }
}

/** Starts to listen at `path`; the promise ends when a caller can come. */
export function serveProgram(path: string, options: ServerOptions): Promise<Server> {
  let pinned: Socket | undefined;
  let strangers = 0;

  const admit = (socket: Socket, reader: FrameReader): Caller => {
    pinned?.destroy();
    pinned = socket;
    socket.setTimeout(0);
    options.onCaller(true);
    socket.write(encodeFrame(CHANNEL_ID, encodeWelcome(options.welcome)));
    return new Caller(socket, reader, options);
  };

  const onConnection = (socket: Socket): void => {
    const reader = new FrameReader(REQUEST_BYTES_MAX);
    let caller: Caller | undefined;
    let refused = false;
    if (strangers >= STRANGERS_MAX) {
      socket.destroy();
      return;
    }
    strangers += 1;
    socket.setTimeout(GREETING_TIMEOUT_MS, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      if (caller === undefined) strangers -= 1;
      if (pinned !== socket) return;
      pinned = undefined;
      options.onCaller(false);
    });
    socket.on('data', (chunk: Buffer) => {
      if (refused) return;
      if (caller !== undefined) {
        caller.take(chunk);
        return;
      }
      reader.push(chunk);
      const greeting = reader.next();
      if (greeting === undefined) {
        if (reader.broken) socket.destroy();
        return;
      }
      if (!isGreeting(greeting.id, greeting.body, options.token)) {
        refused = true;
        socket.end(refusal('wrong access token'), () => socket.destroy());
        return;
      }
      strangers -= 1;
      caller = admit(socket, reader);
      caller.pump();
    });
  };

  return new Promise((resolve, reject) => {
    const server = createServer(onConnection);
    server.once('error', reject);
    server.listen(path, () => resolve(server));
  });
}

function isGreeting(id: number, body: Uint8Array, token: Uint8Array): boolean {
  if (id !== CHANNEL_ID || body.length !== 2 + TOKEN_BYTES) return false;
  if (body[0] !== CHANNEL_KIND.greeting || body[1] !== CHANNEL_VERSION) return false;
  return timingSafeEqual(body.subarray(2), token);
}

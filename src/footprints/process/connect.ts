/** The replica's end of a trusted process: finds the socket of a folder, shows the token, passes requests on. */
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { RESPONSE_BYTES_MAX } from '../../trusted/frames.ts';
import { FramedConnection } from '../framed-connection.ts';
import {
  CHANNEL_ID,
  CHANNEL_KIND,
  CHANNEL_VERSION,
  decodeWelcome,
  encodeFrame,
  FOLDER_FILES,
  FrameReader,
  TOKEN_BYTES,
} from './channel.ts';
import type { Frame, HardeningState } from './channel.ts';
import type { TrustedConnection } from '../contract.ts';
import { DURABILITIES } from './state-log.ts';
import type { Durability } from './state-log.ts';

/** Unix socket paths are at most 107 bytes on Linux and 103 elsewhere. */
const SOCKET_PATH_BYTES_MAX = 100;
const CONNECT_TIMEOUT_MS = 5_000;

/** The trusted process cannot be used; the message says why. */
export class TrustedProcessError extends Error {
  override readonly name = 'TrustedProcessError';
  /** The process went away before it answered: a moment later it may be another one. */
  readonly vanished: boolean;

  constructor(message: string, vanished = false) {
    super(message);
    this.vanished = vanished;
  }
}

/** A connection to a trusted process; the only one, as a newer one takes its place. */
export interface ProcessConnection extends TrustedConnection {
  /** Process id as it is seen from here. */
  readonly pid: number;
  readonly durability: Durability;
  /** What keeps the process inside. */
  readonly hardening: HardeningState;
  /** Told by whoever opened it, where `hardening` is `none`. */
  plainReason?: string;
  /** As `send`; rejects with TrustedProcessError if the connection is lost. */
  call(request: Uint8Array): Promise<Uint8Array>;
  /** Asks the process to end in order and closes. */
  stop(): void;
}

/** A path to the socket that is short enough, and what to do when it is not needed any more. */
function shortPath(folder: string): { readonly path: string; readonly release: () => void } {
  const absolute = join(resolve(folder), FOLDER_FILES.socket);
  if (Buffer.byteLength(absolute) <= SOCKET_PATH_BYTES_MAX)
    return { path: absolute, release: () => undefined };
  const fromHere = relative(process.cwd(), absolute);
  if (Buffer.byteLength(fromHere) <= SOCKET_PATH_BYTES_MAX)
    return { path: fromHere, release: () => undefined };
  const parent = mkdtempSync(join(tmpdir(), 'moiety-'));
  const link = join(parent, 'f');
  symlinkSync(resolve(folder), link);
  return {
    path: join(link, FOLDER_FILES.socket),
    release: () => rmSync(parent, { recursive: true, force: true }),
  };
}

/** Opens the bare socket of a folder; undefined if nobody listens there. */
export function openSocket(folder: string): Promise<Socket | undefined> {
  if (!existsSync(join(folder, FOLDER_FILES.socket))) return Promise.resolve(undefined);
  const { path, release } = shortPath(folder);
  return new Promise((done, fail) => {
    const socket = connect(path);
    const timer = setTimeout(() => socket.destroy(new Error('no answer in time')), CONNECT_TIMEOUT_MS);
    socket.once('connect', () => {
      clearTimeout(timer);
      release();
      socket.removeAllListeners('error');
      done(socket);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      release();
      if (['ECONNREFUSED', 'ENOENT', 'ECONNRESET'].includes(error.code ?? '')) done(undefined);
      else fail(new TrustedProcessError(`cannot reach the trusted process in ${folder}: ${error.message}`));
    });
  });
}

class Connection extends FramedConnection implements ProcessConnection {
  readonly pid: number;
  readonly durability: Durability;
  readonly hardening: HardeningState;
  plainReason?: string;

  constructor(
    socket: Socket,
    reader: FrameReader,
    self: { pid: number; durability: Durability; hardening: HardeningState },
  ) {
    super(socket, reader, 'the trusted process');
    this.pid = self.pid;
    this.durability = self.durability;
    this.hardening = self.hardening;
  }

  call(request: Uint8Array): Promise<Uint8Array> {
    return new Promise((done, fail) => {
      this.send(request, (response) => {
        if (response !== undefined) done(response);
        else
          fail(new TrustedProcessError(this.lostBecause ?? 'too many requests wait for the trusted process'));
      });
    });
  }

  stop(): void {
    this.finish(encodeFrame(CHANNEL_ID, Uint8Array.of(CHANNEL_KIND.stop)));
  }
}

function connectionOf(socket: Socket, reader: FrameReader, first: Frame): ProcessConnection | string {
  const body = Buffer.from(first.body);
  if (first.id !== CHANNEL_ID || body.length === 0) return 'what answers there is no trusted process';
  if (body[0] === CHANNEL_KIND.refusal) return `refused: ${body.subarray(1).toString('latin1')}`;
  const welcome = decodeWelcome(body);
  const durability = DURABILITIES[welcome?.durability ?? -1];
  if (welcome === undefined || durability === undefined) return 'what answers there is no trusted process';
  if (body[1] !== CHANNEL_VERSION)
    return 'the trusted process is of another version; stop it and start again';
  return new Connection(socket, reader, { ...welcome, durability });
}

/**
 * Connects to the process that serves `folder`. Rejects with TrustedProcessError if none does, if it refuses the token
 * of the folder, or if it does not answer.
 */
export async function connectTrustedProcess(folder: string): Promise<ProcessConnection> {
  const token = readFileSync(join(folder, FOLDER_FILES.access));
  const socket = await openSocket(folder);
  if (socket === undefined) throw new TrustedProcessError(`no trusted process serves ${folder}`, true);
  if (token.length !== TOKEN_BYTES) {
    socket.destroy();
    throw new TrustedProcessError(`the access token in ${folder} is damaged`);
  }
  return new Promise((done, fail) => {
    const reader = new FrameReader(RESPONSE_BYTES_MAX);
    const lose = (reason: string, vanished = false): void => {
      clearTimeout(timer);
      socket.destroy();
      fail(new TrustedProcessError(`${folder}: ${reason}`, vanished));
    };
    const timer = setTimeout(() => lose('the trusted process does not answer'), CONNECT_TIMEOUT_MS);
    const onError = (error: Error): void => lose(error.message, true);
    const onEnd = (): void => lose('the trusted process closed the connection', true);
    const onData = (chunk: Buffer): void => {
      reader.push(chunk);
      const first = reader.next();
      if (first === undefined) {
        if (reader.broken) lose('what answers there is no trusted process');
        return;
      }
      clearTimeout(timer);
      socket.off('data', onData).off('error', onError).off('close', onEnd);
      const connection = connectionOf(socket, reader, first);
      if (typeof connection === 'string') lose(connection);
      else done(connection);
    };
    socket.on('data', onData).on('error', onError).on('close', onEnd);
    const greeting = Buffer.concat([Buffer.from([CHANNEL_KIND.greeting, CHANNEL_VERSION]), token]);
    socket.write(encodeFrame(CHANNEL_ID, greeting));
  });
}

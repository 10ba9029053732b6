/** The replica's end of a trusted service: TLS with both keys pinned, one greeting, then requests under way together. */
import tls from 'node:tls';
import type { TLSSocket } from 'node:tls';
import type { TrustedRegistration } from '../../core/config.ts';
import { RESPONSE_BYTES_MAX } from '../../trusted/frames.ts';
import type { OnResponse, TrustedConnection } from '../contract.ts';
import { CHANNEL_ID, encodeFrame, FrameReader } from '../process/channel.ts';
import { formatHostPort } from './argument.ts';
import { provenKeyOf, ServiceError } from './identity.ts';
import type { ServiceIdentity } from './identity.ts';
import { decodeAnswer, encodeGreeting, SERVICE_ALPN } from './wire.ts';
import type { ServiceAnswer, ServiceGreeting } from './wire.ts';

/** How a service is reached. */
export interface ServiceRoute {
  readonly host: string;
  readonly port: number;
  /** Raw public key that the service must prove, hexadecimal. */
  readonly serviceKey: string;
  readonly identity: ServiceIdentity;
  /** Time for handshake and welcome. Default 15 s: a service may have to start the component first. */
  readonly connectMs?: number;
  /** An answer that takes longer ends the connection: the way is dead though nobody said so. Default 10 s. */
  readonly answerMs?: number;
}

const CONNECT_MS = 15_000;
const ANSWER_MS = 10_000;
/** Requests that wait for an answer, at most; a replica has far fewer (decision A7). */
const OUTSTANDING_MAX = 1_024;
const KEEP_ALIVE_MS = 5_000;
const ID_END = 2 ** 32;

/** What a failed connection means, in words. */
function explain(route: ServiceRoute, error: Error): ServiceError {
  const where = formatHostPort(route);
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const isAway = ['ECONNREFUSED', 'ECONNRESET', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'EPIPE'].includes(
    code,
  );
  return new ServiceError(`the trusted service at ${where} cannot be reached: ${error.message}`, isAway);
}

interface Greeted {
  readonly socket: TLSSocket;
  readonly reader: FrameReader;
  readonly registration: TrustedRegistration;
}

function judge(route: ServiceRoute, answer: ServiceAnswer | undefined): TrustedRegistration | ServiceError {
  const where = formatHostPort(route);
  if (answer === undefined)
    return new ServiceError(`what answers at ${where} is no trusted service of this version`);
  if (answer.kind === 'refusal')
    return new ServiceError(`the trusted service at ${where} refuses: ${answer.reason}`);
  return answer.registration;
}

/** Connects and greets. Rejects with ServiceError. */
export function greetService(route: ServiceRoute, greeting: ServiceGreeting): Promise<Greeted> {
  return new Promise((done, fail) => {
    const where = formatHostPort(route);
    const socket = tls.connect({
      host: route.host,
      port: route.port,
      key: route.identity.key,
      cert: route.identity.certificate,
      // Nobody signs for the service: its key is compared below.
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      minVersion: 'TLSv1.3',
      ALPNProtocols: [SERVICE_ALPN],
    });
    const lose = (error: ServiceError): void => {
      clearTimeout(timer);
      socket.on('error', () => undefined);
      socket.destroy();
      fail(error);
    };
    const timer = setTimeout(
      () => lose(new ServiceError(`the trusted service at ${where} does not answer`, true)),
      route.connectMs ?? CONNECT_MS,
    );
    const reader = new FrameReader(RESPONSE_BYTES_MAX);
    const onError = (error: Error): void => lose(explain(route, error));
    const onClose = (): void =>
      lose(new ServiceError(`the trusted service at ${where} closed the connection`, true));
    const onData = (chunk: Buffer): void => {
      reader.push(chunk);
      const first = reader.next();
      if (first === undefined && !reader.broken) return;
      const verdict = judge(route, first?.id === CHANNEL_ID ? decodeAnswer(first.body) : undefined);
      if (verdict instanceof ServiceError) return lose(verdict);
      clearTimeout(timer);
      socket.off('data', onData).off('error', onError).off('close', onClose);
      done({ socket, reader, registration: verdict });
    };
    socket.on('error', onError).on('close', onClose);
    socket.once('secureConnect', () => {
      if (provenKeyOf(socket) !== route.serviceKey || socket.alpnProtocol !== SERVICE_ALPN) {
        lose(
          new ServiceError(
            `who answers at ${where} does not have the key of the trusted service (${route.serviceKey}): ` +
              'nothing was sent; check the address, and the key with the operator of the service',
          ),
        );
        return;
      }
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
      socket.on('data', onData);
      socket.write(encodeFrame(CHANNEL_ID, encodeGreeting(greeting)));
    });
  });
}

class Connection implements TrustedConnection {
  readonly #socket: TLSSocket;
  readonly #reader: FrameReader;
  readonly #answerMs: number;
  /** In the order of the requests. */
  #waiting: { readonly id: number; readonly at: number; readonly onResponse: OnResponse }[] = [];
  #head = 0;
  #nextId = 1;
  #corked = false;
  #closed: string | undefined;
  #listeners: ((reason: string) => void)[] = [];
  #watch: NodeJS.Timeout | undefined;

  constructor({ socket, reader }: Greeted, answerMs: number) {
    this.#socket = socket;
    this.#reader = reader;
    this.#answerMs = answerMs;
    socket.on('data', (chunk: Buffer) => {
      reader.push(chunk);
      this.#drain();
    });
    socket.on('error', (error) => this.#lose(error.message));
    socket.on('close', () => this.#lose('the trusted service closed the connection'));
  }

  send(request: Uint8Array, onResponse: OnResponse): void {
    if (this.#closed !== undefined || this.#waiting.length - this.#head >= OUTSTANDING_MAX) {
      queueMicrotask(() => onResponse(undefined));
      return;
    }
    const id = this.#nextId;
    this.#nextId = id + 1 === ID_END ? 1 : id + 1;
    this.#waiting.push({ id, at: performance.now(), onResponse });
    this.#watch ??= setInterval(() => this.#check(), this.#answerMs / 4);
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(encodeFrame(id, request));
  }

  onClose(listener: (reason: string) => void): void {
    if (this.#closed === undefined) this.#listeners.push(listener);
    else listener(this.#closed);
  }

  close(): void {
    this.#lose('closed by this process');
  }

  /** A way that died without a word. */
  #check(): void {
    const oldest = this.#waiting[this.#head];
    if (oldest === undefined) {
      clearInterval(this.#watch);
      this.#watch = undefined;
    } else if (performance.now() - oldest.at > this.#answerMs) {
      this.#lose(`the trusted service did not answer in ${this.#answerMs} ms`);
    }
  }

  #drain(): void {
    for (let frame = this.#reader.next(); frame !== undefined; frame = this.#reader.next()) {
      const expected = this.#waiting[this.#head];
      if (expected === undefined || expected.id !== frame.id) {
        this.#lose('the trusted service answered what was not asked');
        return;
      }
      this.#head += 1;
      if (this.#head === this.#waiting.length || this.#head > OUTSTANDING_MAX) {
        this.#waiting.splice(0, this.#head);
        this.#head = 0;
      }
      expected.onResponse(frame.body);
    }
    if (this.#reader.broken) this.#lose('the trusted service sent a frame that is too long');
  }

  #lose(reason: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    clearInterval(this.#watch);
    this.#socket.destroy();
    const lost = this.#waiting.splice(0).slice(this.#head);
    this.#head = 0;
    for (const { onResponse } of lost) onResponse(undefined);
    for (const listener of this.#listeners.splice(0)) listener(reason);
  }
}

/** Connects to the component that the service keeps for this client's key. Rejects with ServiceError. */
export async function connectService(route: ServiceRoute, program: string): Promise<TrustedConnection> {
  const greeted = await greetService(route, { intent: 'open', program, token: new Uint8Array(0) });
  return new Connection(greeted, route.answerMs ?? ANSWER_MS);
}

/** Asks the service for a component of this client's own; resolves with its registration. Rejects with ServiceError. */
export async function enrolAtService(
  route: ServiceRoute,
  program: string,
  token: Uint8Array,
): Promise<TrustedRegistration> {
  const { socket, registration } = await greetService(route, { intent: 'enrol', program, token });
  socket.on('error', () => undefined);
  socket.destroy();
  return registration;
}

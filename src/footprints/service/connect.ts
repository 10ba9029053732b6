/** The replica's end of a trusted service: TLS with both keys pinned, one greeting, then requests under way together. */
import tls from 'node:tls';
import type { TLSSocket } from 'node:tls';
import type { TrustedRegistration } from '../../core/config.ts';
import { RESPONSE_BYTES_MAX } from '../../trusted/frames.ts';
import type { OnResponse, TrustedConnection } from '../contract.ts';
import { FramedConnection } from '../framed-connection.ts';
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
const KEEP_ALIVE_MS = 5_000;

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
function greetService(route: ServiceRoute, greeting: ServiceGreeting): Promise<Greeted> {
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

/** A connection that is given up when an answer does not come: the way may be dead though nobody said so. */
class WatchedConnection implements TrustedConnection {
  readonly #inner: FramedConnection;
  readonly #answerMs: number;
  /** When the requests that wait were asked, oldest first. */
  readonly #asked: number[] = [];
  #watch: NodeJS.Timeout | undefined;
  #late: string | undefined;

  constructor(inner: FramedConnection, answerMs: number) {
    this.#inner = inner;
    this.#answerMs = answerMs;
    inner.onClose(() => clearInterval(this.#watch));
  }

  send(request: Uint8Array, onResponse: OnResponse): void {
    this.#asked.push(performance.now());
    this.#watch ??= setInterval(() => this.#check(), this.#answerMs / 4);
    this.#inner.send(request, (response) => {
      this.#asked.shift();
      onResponse(response);
    });
  }

  onClose(listener: (reason: string) => void): void {
    this.#inner.onClose((reason) => listener(this.#late ?? reason));
  }

  close(): void {
    this.#inner.close();
  }

  #check(): void {
    const [oldest] = this.#asked;
    if (oldest === undefined) {
      clearInterval(this.#watch);
      this.#watch = undefined;
    } else if (performance.now() - oldest > this.#answerMs) {
      this.#late = `the trusted service did not answer in ${this.#answerMs} ms`;
      this.#inner.close();
    }
  }
}

/** Connects to the component that the service keeps for this client's key. Rejects with ServiceError. */
export async function connectService(route: ServiceRoute, program: string): Promise<TrustedConnection> {
  const greeted = await greetService(route, { intent: 'open', program, token: new Uint8Array(0) });
  const { socket, reader } = greeted;
  const connection = new FramedConnection(socket, reader, 'the trusted service');
  return new WatchedConnection(connection, route.answerMs ?? ANSWER_MS);
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

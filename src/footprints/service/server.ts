/**
 * A trusted service: one TLS 1.3 listener before the components of many replicas. Each client key has a component of its
 * own behind it, made and opened by another footprint (the hardened process by default), so that a component that is
 * slow, hangs or dies concerns its own client only, and this front end holds no trusted key and cannot forge. Identity
 * is the key that TLS has proven. Whatever a connection sends that is not exactly right closes it.
 */
import { constants as cryptoConstants } from 'node:crypto';
import type { AddressInfo, Socket } from 'node:net';
import tls from 'node:tls';
import type { TLSSocket } from 'node:tls';
import type { TrustedRegistration } from '../../core/config.ts';
import { REQUEST_BYTES_MAX } from '../../trusted/frames.ts';
import type { Footprint, TrustedConnection } from '../contract.ts';
import { CHANNEL_ID, encodeFrame, FrameReader } from '../process/channel.ts';
import { Gate } from './gate.ts';
import { identityOf, provenKeyOf, ServiceError } from './identity.ts';
import type { ServiceIdentity } from './identity.ts';
import type { Roster } from './roster.ts';
import { FRAME_HEAD_BYTES, Session } from './session.ts';
import type { SessionLimits } from './session.ts';
import { decodeGreeting, encodeAnswer, SERVICE_ALPN } from './wire.ts';
import type { ServiceAnswer, ServiceGreeting } from './wire.ts';

/** Name of this footprint in registrations. */
export const SERVICE_FOOTPRINT = 'service';

/** Bounds of a service. */
export interface ServiceLimits extends SessionLimits {
  /** Connections at once. */
  readonly connectionsMax: number;
  /** Of them, from one address. */
  readonly perAddressMax: number;
  /** Components that this service hosts, at most. */
  readonly clientsMax: number;
  /** Time for the handshake, and again for the greeting. Milliseconds. */
  readonly greetingMs: number;
}

/** What a service has if nothing else is said. */
export const DEFAULT_SERVICE_LIMITS: ServiceLimits = {
  connectionsMax: 256,
  perAddressMax: 64,
  clientsMax: 64,
  greetingMs: 5_000,
  outstandingMax: 256,
  unreadBytesMax: 1024 * 1024,
  stallMs: 10_000,
};

/** How often it is looked whether clients that are connected are still on the list. */
const ADMISSION_CHECK_MS = 1_000;

/** What a service is made of. */
export interface ServiceOptions {
  readonly roster: Roster;
  /** Footprint of the components. */
  readonly backend: Footprint;
  /** Programs that clients may ask for. */
  readonly programs: readonly string[];
  readonly limits?: Partial<ServiceLimits>;
  /** One line for the operator's log. Tells keys and addresses, never tokens. */
  readonly log: (line: string) => void;
}

/** A connection that has greeted. */
interface Visitor {
  readonly socket: TLSSocket;
  readonly reader: FrameReader;
  /** Bytes behind the greeting that came with it. */
  readonly unread: number;
}

interface Client {
  session: Session | undefined;
  /** Steps that touch this client's component, one after the other. */
  turn: Promise<unknown>;
}

/** See the top of this file. */
export class TrustedService {
  readonly #roster: Roster;
  readonly #backend: Footprint;
  readonly #programs: readonly string[];
  readonly #limits: ServiceLimits;
  readonly #log: (line: string) => void;
  readonly #identity: ServiceIdentity;
  readonly #gate: Gate;
  readonly #clients = new Map<string, Client>();
  #enrolling = 0;
  #server: tls.Server | undefined;
  #admissions: NodeJS.Timeout | undefined;
  #closing = false;

  /** Makes the service's key if its folder has none. Throws ServiceError. */
  constructor(options: ServiceOptions) {
    this.#roster = options.roster;
    this.#backend = options.backend;
    this.#programs = options.programs;
    this.#limits = { ...DEFAULT_SERVICE_LIMITS, ...options.limits };
    this.#log = options.log;
    this.#identity = identityOf(options.roster.keyFile, 'moiety trusted service', true);
    this.#gate = new Gate({ total: this.#limits.connectionsMax, perAddress: this.#limits.perAddressMax });
  }

  /** Raw public key of the service, hexadecimal: what clients pin. */
  get publicKey(): string {
    return this.#identity.publicKey;
  }

  /** Connections now. */
  get connections(): number {
    return this.#gate.size;
  }

  /** Listens; resolves with the port. Rejects with the system's error. */
  async start(host: string, port: number): Promise<number> {
    const server = tls.createServer({
      key: this.#identity.key,
      cert: this.#identity.certificate,
      requestCert: true,
      // Chains mean nothing here: the key is compared instead.
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      ALPNProtocols: [SERVICE_ALPN],
      handshakeTimeout: this.#limits.greetingMs,
      secureOptions: cryptoConstants.SSL_OP_NO_TICKET,
    });
    this.#server = server;
    this.#admissions = setInterval(() => this.#dismiss(), ADMISSION_CHECK_MS);
    this.#admissions.unref();
    server.on('connection', (socket: Socket) => {
      socket.on('error', () => socket.destroy());
      if (this.#closing || !this.#gate.admit(socket)) socket.destroy();
      else socket.setKeepAlive(true, this.#limits.stallMs);
    });
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    server.on('secureConnection', (socket) => this.#onSecure(socket));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => {
        server.off('error', reject);
        server.on('error', (error) => this.#log(`listener: ${error.message}`));
        resolve();
      });
    });
    return (server.address() as AddressInfo).port;
  }

  /** Ends every session and, in order, every component that runs. */
  async close(): Promise<void> {
    await this.release();
    for (const key of this.#clients.keys()) {
      await this.#backend.stop(this.#roster.componentFolder(key)).catch((error: unknown) => {
        this.#log(`component of ${key.slice(0, 16)} does not stop: ${(error as Error).message}`);
      });
    }
  }

  /** Ends every session; components that outlive their callers live on. */
  async release(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#admissions);
    const closed = new Promise<void>((resolve) => {
      if (this.#server === undefined) resolve();
      else this.#server.close(() => resolve());
    });
    for (const { session } of this.#clients.values()) session?.close();
    this.#gate.clear();
    await closed;
    await Promise.all([...this.#clients.values()].map(({ turn }) => turn));
  }

  /** Ends the sessions of clients that were taken off the list. */
  #dismiss(): void {
    for (const [key, { session }] of this.#clients) {
      if (session === undefined || this.#isAdmitted(key)) continue;
      this.#log(`client ${key.slice(0, 16)} is not on the list any more: its connection is ended`);
      session.close();
    }
  }

  /** A list that cannot be read just now ends nobody's session. */
  #isAdmitted(key: string): boolean {
    try {
      return this.#roster.isAdmitted(key);
    } catch {
      return true;
    }
  }

  // ---- greeting ---------------------------------------------------------------------------------------------------

  #onSecure(socket: TLSSocket): void {
    socket.on('error', () => socket.destroy());
    const key = provenKeyOf(socket);
    if (key === undefined || socket.alpnProtocol !== SERVICE_ALPN) {
      socket.destroy();
      return;
    }
    socket.setNoDelay(true);
    const timer = setTimeout(() => socket.destroy(), this.#limits.greetingMs);
    socket.once('close', () => clearTimeout(timer));
    const reader = new FrameReader(REQUEST_BYTES_MAX);
    let unread = 0;
    const onData = (chunk: Buffer): void => {
      reader.push(chunk);
      unread += chunk.length;
      const first = reader.next();
      if (first === undefined) {
        if (reader.broken) socket.destroy();
        return;
      }
      clearTimeout(timer);
      socket.off('data', onData);
      // What comes before the welcome waits in the kernel.
      socket.pause();
      const greeting =
        first.id === CHANNEL_ID ? decodeGreeting(first.body) : 'the first frame is no greeting';
      if (typeof greeting === 'string') this.#refuse(socket, key, greeting);
      else
        this.#greet({ socket, reader, unread: unread - FRAME_HEAD_BYTES - first.body.length }, key, greeting);
    };
    socket.on('data', onData);
  }

  #refuse(socket: TLSSocket, key: string, reason: string): void {
    this.#log(`client ${key.slice(0, 16)} at ${socket.remoteAddress ?? 'unknown'} refused: ${reason}`);
    this.#say(socket, { kind: 'refusal', reason });
    socket.end();
    setTimeout(() => socket.destroy(), 500).unref();
    socket.resume();
  }

  #say(socket: TLSSocket, answer: ServiceAnswer): void {
    if (!socket.destroyed) socket.write(encodeFrame(CHANNEL_ID, encodeAnswer(answer)));
  }

  #greet(visitor: Visitor, key: string, greeting: ServiceGreeting): void {
    const { socket } = visitor;
    const work = greeting.intent === 'open' ? this.#open(key, greeting) : this.#enrol(key, greeting);
    void work.then(
      ({ registration, component }) => {
        if (component === undefined) {
          this.#say(socket, { kind: 'welcome', registration });
          socket.end();
          setTimeout(() => socket.destroy(), 500).unref();
          socket.resume();
          return;
        }
        this.#begin(visitor, key, { registration, component });
      },
      (error: unknown) => {
        const isOurs = error instanceof ServiceError;
        // What the system says of our own folders is the operator's business, not the client's.
        if (!isOurs) this.#log(`client ${key.slice(0, 16)}: ${(error as Error).message}`);
        this.#refuse(
          socket,
          key,
          isOurs ? error.message : 'the service has a problem of its own; see its log',
        );
      },
    );
  }

  #client(key: string): Client {
    let client = this.#clients.get(key);
    if (client === undefined) {
      client = { session: undefined, turn: Promise.resolve() };
      this.#clients.set(key, client);
    }
    return client;
  }

  /** Does something with a client's component when all earlier such steps have ended. */
  #inTurn<T>(key: string, step: () => Promise<T>): Promise<T> {
    const client = this.#client(key);
    const done = client.turn.then(step);
    client.turn = done.catch(() => undefined);
    return done;
  }

  // ---- open -------------------------------------------------------------------------------------------------------

  async #open(
    key: string,
    { program }: ServiceGreeting,
  ): Promise<{ registration: TrustedRegistration; component: TrustedConnection }> {
    const registration = this.#roster.registrationOf(key);
    if (registration === undefined)
      throw new ServiceError(`client key ${key} has no component at this service; enrol it first`);
    if (!this.#roster.isAdmitted(key))
      throw new ServiceError(`client key ${key} is not admitted any more; ask the operator of the service`);
    if (registration.program !== program)
      throw new ServiceError(`the component of this client runs ${registration.program}, not ${program}`);
    const component = await this.#inTurn(key, async () => {
      this.#client(key).session?.close();
      return this.#backend.open({ folder: this.#roster.componentFolder(key), program, argument: '' });
    });
    return { registration, component };
  }

  #begin(
    { socket, reader, unread }: Visitor,
    key: string,
    opened: { registration: TrustedRegistration; component: TrustedConnection },
  ): void {
    const { registration, component } = opened;
    if (socket.destroyed || this.#closing) return component.close();
    const client = this.#client(key);
    // Two greetings at once: the later one has opened the component again, which ended this connection or will.
    client.session?.close();
    this.#gate.settle(socket);
    this.#say(socket, { kind: 'welcome', registration });
    const session = new Session(socket, reader, component, this.#limits, unread);
    client.session = session;
    component.onClose((reason) => {
      if (client.session === session && !this.#closing)
        this.#log(`component of client ${key.slice(0, 16)} is gone: ${reason}`);
      session.close();
    });
    socket.once('close', () => {
      component.close();
      if (client.session === session) client.session = undefined;
    });
    socket.resume();
  }

  // ---- enrol ------------------------------------------------------------------------------------------------------

  async #enrol(
    key: string,
    { program, token }: ServiceGreeting,
  ): Promise<{ registration: TrustedRegistration; component: undefined }> {
    const returnToken = this.#roster.isAdmitted(key) ? () => undefined : this.#roster.takeToken(token);
    if (returnToken === undefined)
      throw new ServiceError(
        token.length === 0
          ? `client key ${key} is not admitted: give it to the operator of the service, or show a one-time token`
          : 'the enrolment token is not valid: it was used already, has expired, or is of another service',
      );
    try {
      const registration = await this.#inTurn(key, () => this.#makeComponent(key, program));
      this.#roster.admit(key);
      return { registration, component: undefined };
    } catch (error) {
      returnToken();
      throw error;
    }
  }

  async #makeComponent(key: string, program: string): Promise<TrustedRegistration> {
    // The answer to an earlier enrolment was lost: it is given again, and nothing is made twice.
    const known = this.#roster.registrationOf(key);
    if (known !== undefined && known.program !== program)
      throw new ServiceError(`this client has a component that runs ${known.program}, not ${program}`);
    if (known !== undefined) return known;
    if (!this.#programs.includes(program))
      throw new ServiceError(`this service has no program ${program}, only ${this.#programs.join(', ')}`);
    if (this.#roster.clients().length + this.#enrolling >= this.#limits.clientsMax)
      throw new ServiceError(`this service hosts ${this.#limits.clientsMax} components already, and no more`);
    this.#enrolling += 1;
    try {
      const folder = this.#roster.prepare(key);
      const made = await this.#backend.create({ folder, program, argument: '' });
      const registration: TrustedRegistration = { ...made, footprint: SERVICE_FOOTPRINT };
      this.#roster.register(key, registration);
      this.#log(`client ${key} has a new component: ${program}, tcId ${registration.tcId}`);
      return registration;
    } finally {
      this.#enrolling -= 1;
    }
  }
}

/**
 * The gateway: a client of the cluster that serves HTTP. It trusts no single replica; its users trust it (decision C8).
 * Everything that arrives is bounded and judged before it is used; every error is a problem (RFC 9457).
 */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import Fastify, { LogController } from 'fastify';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { pino } from 'pino';
import type { Logger } from 'pino';
import type { MoietyClient } from '../client/contract.ts';
import { ClientError } from '../client/errors.ts';
import { EvidenceBook } from './evidence-book.ts';
import { evidenceRoutes } from './evidence-routes.ts';
import type { FaultPort } from './fault-port.ts';
import { faultRoutes } from './fault-routes.ts';
import { EventFeed } from './event-feed.ts';
import { Guard, isLoopback } from './guard.ts';
import { HealthCheck } from './health.ts';
import { KV_PREFIX, kvRoutes } from './kv-routes.ts';
import { LiveFeed } from './live-feed.ts';
import { liveRoutes } from './live-routes.ts';
import { ledgerRoutes } from './ledger-routes.ts';
import { createMetrics } from './metrics.ts';
import { describeRoutes } from './openapi.ts';
import { builtPages, pageRoutes, readPages } from './pages.ts';
import { HttpProblem, PROBLEM_TYPE, problemOfClientError } from './problem.ts';
import type { GatewayParts, Route } from './routes.ts';
import { serviceRoutes } from './service-routes.ts';
import { statusOf, statusRoutes } from './status.ts';

/** Requests that are being served, at most. */
const IN_FLIGHT_MAX = 4_096;
const CONNECTIONS_MAX = 4_096;
/** A whole request, headers and body, must arrive within this time. */
const REQUEST_MS = 30_000;
/** The headers alone within this time: connections that dribble must not hold all places for long. */
const HEADERS_MS = 10_000;
const CONNECTION_CHECK_MS = 2_000;

/** A replica that takes longer is shown as unreachable: a frozen one is not waited for. */
const LIVE_STATUS_MS = 1_000;

/** How to serve. */
export interface GatewayOptions {
  /** A connected client; the gateway does not close it. */
  readonly client: MoietyClient;
  /** Address to listen on; default 127.0.0.1. Another machine's needs a token. */
  readonly host?: string | undefined;
  /** Default 4600; 0: any free one. */
  readonly port?: number | undefined;
  /** Host names that are served beside loopback names. */
  readonly hosts?: readonly string[] | undefined;
  /** Origins of web pages that may call, beside the gateway's own. */
  readonly origins?: readonly string[] | undefined;
  readonly token?: string | undefined;
  /** Of one address; default 5,000 on average, 10,000 at once. */
  readonly requestsPerSecond?: number | undefined;
  readonly burst?: number | undefined;
  /** How long a request may wait for the cluster; default 10 s. */
  readonly timeoutMs?: number | undefined;
  readonly viewersMax?: number | undefined;
  /** How long a viewer of an event stream may take nothing; default 30 s. */
  readonly viewerStallMs?: number | undefined;
  readonly fault?: FaultPort | undefined;
  /** What is proved against replicas; default: a book in memory. */
  readonly evidence?: EvidenceBook | undefined;
  /** Folder of the built pages; default: those of this installation. */
  readonly pages?: string | undefined;
  readonly logger?: Logger | undefined;
  readonly now?: (() => number) | undefined;
}

/** A gateway that serves. */
export interface Gateway {
  /** For example `http://127.0.0.1:4600`. */
  readonly url: string;
  readonly port: number;
  readonly server: FastifyInstance;
  /** Stops to serve; open event streams end. */
  close(): Promise<void>;
}

interface RequestNotes {
  readonly startMs: number;
  readonly mediaType: string;
}

/** What the routes work with. */
function partsOf(options: GatewayOptions, now: () => number, stopping: AbortSignal): GatewayParts {
  const { client } = options;
  const feed = new EventFeed((from, signal) => client.events(from, signal));
  const evidence = options.evidence ?? new EvidenceBook({ settings: client.settings, now });
  const { fault } = options;
  const live = new LiveFeed({
    source: {
      replicas: client.settings.members.length,
      f: client.settings.f,
      status: () => statusOf({ client, evidence, fault }, LIVE_STATUS_MS),
      live: (replica, cursor) => client.live(replica, cursor),
    },
    run: randomBytes(6).toString('hex'),
    now,
    warn: (error) => options.logger?.warn({ err: error }, 'the status for live streams cannot be had'),
  });
  const metrics = createMetrics(() => feed.viewers + live.viewers);
  return {
    client,
    health: new HealthCheck((timeoutMs) => client.noop({ timeoutMs }), now),
    feed,
    live,
    evidence,
    metrics,
    timeoutMs: options.timeoutMs ?? 10_000,
    viewersMax: options.viewersMax ?? 256,
    viewerStallMs: options.viewerStallMs,
    stopping,
    fault,
  };
}

/** Builds the server without listening; tests inject requests into it. */
export function createGateway(options: GatewayOptions): { server: FastifyInstance; stop: AbortController } {
  const { token } = options;
  const host = options.host ?? '127.0.0.1';
  if (!isLoopback(host) && token === undefined)
    throw new Error(`the gateway listens on ${host} only with a token: set one, or listen on 127.0.0.1`);
  const now = options.now ?? Date.now;
  const stop = new AbortController();
  const parts = partsOf(options, now, stop.signal);
  const server = createServer(options.logger);
  const notes = new WeakMap<FastifyRequest, RequestNotes>();
  const guard = new Guard({
    hosts: (options.hosts ?? []).map((name) => name.toLowerCase()),
    origins: options.origins ?? [],
    token,
    requestsPerSecond: options.requestsPerSecond ?? 5_000,
    burst: options.burst ?? 10_000,
    now,
  });
  const pages = pageRoutes(readPages(options.pages ?? builtPages()));
  const open = new Set(pages.map(({ path }) => path));
  addHooks(server, { guard, notes, now, metrics: parts.metrics, open });
  const mediaTypeOf = (request: FastifyRequest): string => notes.get(request)?.mediaType ?? '';
  const routes: Route[] = [
    ...kvRoutes(parts),
    ...ledgerRoutes(parts, mediaTypeOf),
    ...statusRoutes(parts),
    ...evidenceRoutes(parts),
    ...liveRoutes(parts),
    ...pages,
  ];
  const description = (): unknown => describeRoutes(routes);
  routes.push(...serviceRoutes(parts, description), ...faultRoutes(parts));
  for (const { method, path, handler, bodyLimit } of routes) {
    const url = path.replace(/\{(\w+)\}/g, ':$1');
    server.route({ method, url, handler, ...(bodyLimit === undefined ? {} : { bodyLimit }) });
  }
  const allowed = methodsByPath(routes);
  server.setNotFoundHandler((request, reply) => {
    const methods = allowed(request.url);
    if (methods === '')
      return sendProblem(
        request,
        reply,
        new HttpProblem(404, 'notFound', 'no such address: see /openapi.json'),
      );
    const detail = `this address takes ${methods}: see /openapi.json`;
    return sendProblem(
      request,
      reply.header('allow', methods),
      new HttpProblem(405, 'methodNotAllowed', detail),
    );
  });
  return { server, stop };
}

function pathOf(url: string): string {
  return url.split('?', 1)[0]!;
}

/** The methods that an address takes, as the Allow header lists them; empty for an unknown address. */
function methodsByPath(routes: readonly Route[]): (url: string) => string {
  const patterns = routes.map(({ method, path }) => ({
    method,
    pattern: new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`),
  }));
  return (url) => {
    const path = pathOf(url);
    return patterns
      .filter(({ pattern }) => pattern.test(path))
      .map(({ method }) => method)
      .join(', ');
  };
}

/** The key's bytes are read from the original address: any byte may be in it, which a router would not let through. */
function rewriteUrl(request: { url?: string | undefined }): string {
  const url = request.url ?? '/';
  return url.startsWith(KV_PREFIX) ? `${KV_PREFIX}-` : url;
}

function createServer(logger: Logger | undefined): FastifyInstance {
  const server = Fastify({
    loggerInstance: logger ?? pino({ level: 'silent' }),
    logController: new LogController({ disableRequestLogging: true }),
    exposeHeadRoutes: false,
    bodyLimit: 64 * 1024,
    requestTimeout: REQUEST_MS,
    rewriteUrl,
    return503OnClosing: true,
    forceCloseConnections: true,
    // A missing Host is the guard's to refuse, with a problem.
    http: {
      requireHostHeader: false,
      headersTimeout: HEADERS_MS,
      connectionsCheckingInterval: CONNECTION_CHECK_MS,
    },
    clientErrorHandler: onConnectionError,
    frameworkErrors: (error, request, reply) => {
      void sendProblem(request, reply, new HttpProblem(400, 'badRequest', error.message));
    },
  }) as unknown as FastifyInstance;
  server.server.maxConnections = CONNECTIONS_MAX;
  server.server.on('connect', (_request, socket: Socket) =>
    endWithProblem(socket, 405, 'methodNotAllowed', 'this is not a proxy: CONNECT is not served'),
  );
  // Any content type is bytes (decision C10).
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  server.setErrorHandler((error, request, reply) =>
    sendProblem(request, reply, problemOf(error as FastifyError, request)),
  );
  return server;
}

/** What is not HTTP at all gets a short answer and no connection. */
function onConnectionError(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  if (error.code === 'HPE_HEADER_OVERFLOW')
    endWithProblem(socket, 431, 'tooLarge', 'address and headers together are longer than 16 KiB');
  else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT')
    endWithProblem(socket, 408, 'timeout', 'the request did not arrive in time');
  else endWithProblem(socket, 400, 'badRequest', 'this is not a request that can be read');
}

function endWithProblem(socket: Socket, status: number, name: string, detail: string): void {
  const { problem } = new HttpProblem(status, name, detail);
  const body = JSON.stringify(problem);
  const head = `HTTP/1.1 ${status} ${problem.title}\r\nconnection: close\r\ncontent-type: ${PROBLEM_TYPE}\r\n`;
  socket.on('error', () => undefined);
  socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

function addHooks(
  server: FastifyInstance,
  parts: {
    readonly guard: Guard;
    readonly notes: WeakMap<FastifyRequest, RequestNotes>;
    readonly now: () => number;
    readonly metrics: GatewayParts['metrics'];
    /** Addresses that need no token. */
    readonly open: ReadonlySet<string>;
  },
): void {
  let inFlight = 0;
  server.addHook('onRequest', async (request, reply) => {
    const mediaType = request.headers['content-type'] ?? '';
    parts.notes.set(request, { startMs: parts.now(), mediaType });
    // Even a malformed type is only a label of bytes here.
    request.raw.headers['content-type'] = 'application/octet-stream';
    inFlight += 1;
    reply.raw.once('close', () => (inFlight -= 1));
    const isOpen = request.method === 'GET' && parts.open.has(pathOf(request.originalUrl));
    const problem = parts.guard.judge(request.raw, request.ip, isOpen);
    if (problem !== undefined) throw problem;
    if (inFlight > IN_FLIGHT_MAX)
      throw new HttpProblem(503, 'overloaded', 'too many requests are being served', { retryAfterMs: 500 });
    void reply.header('x-content-type-options', 'nosniff');
  });
  server.addHook('onResponse', async (request, reply) => {
    const startMs = parts.notes.get(request)?.startMs ?? parts.now();
    const route = request.routeOptions.url ?? 'unknown';
    parts.metrics.answered(route, request.method, reply.statusCode, (parts.now() - startMs) / 1000);
  });
}

function problemOf(error: FastifyError | Error, request: FastifyRequest): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (error instanceof ClientError) return problemOfClientError(error);
  const status = 'statusCode' in error ? error.statusCode : undefined;
  if (status === 413) {
    const limit = request.routeOptions.bodyLimit;
    return new HttpProblem(413, 'tooLarge', `the body is longer than this address takes: ${limit} bytes`);
  }
  if (status !== undefined && status >= 400 && status < 500)
    return new HttpProblem(status, 'badRequest', error.message);
  if (status === 503)
    return new HttpProblem(503, 'closed', 'the gateway is stopping', { retryAfterMs: 1_000 });
  request.log.error({ err: error }, 'a handler failed');
  return new HttpProblem(500, 'internal', 'the gateway failed; its log says how');
}

function sendProblem(request: FastifyRequest, reply: FastifyReply, error: HttpProblem): FastifyReply {
  const { problem, retryAfterMs } = error;
  if (retryAfterMs !== undefined)
    void reply.header('retry-after', String(Math.max(1, Math.ceil(retryAfterMs / 1000))));
  if (problem.status === 401) void reply.header('www-authenticate', 'Bearer');
  // A body that was not read to its end must not be taken for the next request.
  if (problem.status === 413) void reply.header('connection', 'close');
  request.log.debug({ problem }, 'answered with a problem');
  return reply
    .code(problem.status)
    .type(PROBLEM_TYPE)
    .send(Buffer.from(JSON.stringify(problem)));
}

/** Starts to serve. Fails with a sentence if the port is taken or the options do not fit. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { server, stop } = createGateway(options);
  const host = options.host ?? '127.0.0.1';
  const port = options.port ?? 4600;
  try {
    await server.listen({ host, port });
  } catch (error) {
    await server.close();
    const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
    const reason = isTaken
      ? 'another process listens there: stop it or choose another port'
      : (error as Error).message;
    throw new Error(`cannot serve on ${host}:${port}: ${reason}`);
  }
  const address = server.server.address();
  const actual = typeof address === 'object' && address !== null ? address.port : port;
  const name = host.includes(':') ? `[${host}]` : host;
  return {
    url: `http://${name}:${actual}`,
    port: actual,
    server,
    close: async () => {
      stop.abort();
      await server.close();
    },
  };
}

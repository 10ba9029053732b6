/**
 * Who may speak to the gateway: the Host must be one of ours (a browser that was led here by a hostile name sends that
 * name), an Origin must be allowed, the bearer token must fit where one is set, and nobody may flood it.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { HttpProblem } from './problem.ts';
import { RateLimiter } from './rate-limit.ts';

/** Settings of the guard. */
export interface GuardOptions {
  /** Host names without port that are served beside loopback names; lower case. */
  readonly hosts: readonly string[];
  /** Origins of web pages that may call, for example `http://127.0.0.1:4600`. */
  readonly origins: readonly string[];
  /** Bearer token; undefined: none is needed. */
  readonly token: string | undefined;
  readonly requestsPerSecond: number;
  readonly burst: number;
  readonly now: () => number;
}

const LOOPBACK_NAMES: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];

/** Host name of a Host header without the port; undefined if it is none. */
export function hostNameOf(header: string | undefined): string | undefined {
  return /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/.exec(header?.toLowerCase() ?? '')?.[1];
}

/** Whether an address to listen on is of this machine only. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Compares secrets in constant time, whatever their lengths. */
export function equalSecrets(a: string, b: string): boolean {
  return timingSafeEqual(sha256(a), sha256(b));
}

/** See the top of this file. */
export class Guard {
  readonly #options: GuardOptions;
  readonly #hosts: ReadonlySet<string>;
  readonly #limiter: RateLimiter;

  constructor(options: GuardOptions) {
    this.#options = options;
    this.#hosts = new Set([...LOOPBACK_NAMES, ...options.hosts]);
    this.#limiter = new RateLimiter(options.requestsPerSecond, options.burst);
  }

  /** The reason not to serve a request, or undefined. `isOpen`: what it asks for is for everybody, without a token. */
  judge(request: IncomingMessage, remote: string, isOpen = false): HttpProblem | undefined {
    const waitMs = this.#limiter.take(remote, this.#options.now());
    if (waitMs > 0)
      return new HttpProblem(429, 'rateLimited', 'too many requests from this address: slow down', {
        retryAfterMs: waitMs,
      });
    const host = hostNameOf(request.headers.host);
    if (host === undefined || !this.#hosts.has(host))
      return new HttpProblem(
        403,
        'hostNotAllowed',
        'this Host is not served: name it in the gateway settings',
      );
    const origin = request.headers.origin;
    if (origin !== undefined && !this.#isAllowedOrigin(origin, request.headers.host))
      return new HttpProblem(403, 'originNotAllowed', 'web pages of this Origin may not call the gateway');
    return isOpen ? undefined : this.#judgeToken(request.headers.authorization);
  }

  #isAllowedOrigin(origin: string, host: string | undefined): boolean {
    return (
      this.#options.origins.includes(origin) || origin === `http://${host}` || origin === `https://${host}`
    );
  }

  #judgeToken(authorization: string | undefined): HttpProblem | undefined {
    const { token } = this.#options;
    if (token === undefined) return undefined;
    const given = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(authorization ?? '')?.[1] ?? '';
    if (equalSecrets(given, token)) return undefined;
    return new HttpProblem(
      401,
      'tokenRequired',
      'send "Authorization: Bearer <token>" with the gateway token',
    );
  }
}

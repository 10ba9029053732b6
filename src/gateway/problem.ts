/** Errors over HTTP: RFC 9457 problem JSON, always; `type` is stable, `detail` says what to do. */
import type { ClientError } from '../client/errors.ts';

/** Body of every error. */
export interface Problem {
  /** `urn:moiety:` and a stable name. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly txId?: string;
  readonly reason?: string;
}

/** Media type of a problem. */
export const PROBLEM_TYPE = 'application/problem+json';

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'Token required',
  403: 'Forbidden',
  404: 'Not found',
  405: 'Method not allowed',
  408: 'Request timeout',
  409: 'Conflict',
  412: 'Precondition failed',
  413: 'Too large',
  414: 'URI too long',
  415: 'Unsupported media type',
  422: 'Not possible',
  429: 'Too many requests',
  431: 'Headers too large',
  500: 'Internal error',
  503: 'Unavailable',
  504: 'No quorum in time',
};

/** An error that a handler throws on purpose. */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem';
  readonly problem: Problem;
  readonly retryAfterMs: number | undefined;

  constructor(
    status: number,
    name: string,
    detail: string,
    more: { txId?: string | undefined; reason?: string | undefined; retryAfterMs?: number | undefined } = {},
  ) {
    super(detail);
    this.retryAfterMs = more.retryAfterMs;
    this.problem = {
      type: `urn:moiety:${name}`,
      title: TITLES[status] ?? 'Error',
      status,
      detail,
      ...(more.txId === undefined ? {} : { txId: more.txId }),
      ...(more.reason === undefined ? {} : { reason: more.reason }),
    };
  }
}

/** The problem that stands for a client's error. */
export function problemOfClientError(error: ClientError): HttpProblem {
  const { txId, reason, message } = error;
  const about = { txId, reason, retryAfterMs: error.retryAfterMs };
  switch (error.code) {
    case 'timeout':
      return new HttpProblem(504, 'timeout', message, about);
    case 'overloaded':
    case 'unavailable':
    case 'closed':
      return new HttpProblem(503, error.code, message, {
        ...about,
        retryAfterMs: about.retryAfterMs ?? 1_000,
      });
    case 'notFound':
      return new HttpProblem(404, 'notFound', message, about);
    case 'resultForgotten':
      return new HttpProblem(409, 'resultForgotten', message, about);
    case 'invalid':
      return new HttpProblem(isTooLong(reason) ? 413 : 400, 'invalid', message, about);
    case 'refused':
      return new HttpProblem(reason === 'forbidden' ? 403 : 422, 'refused', message, about);
  }
}

function isTooLong(reason: string | undefined): boolean {
  return reason === 'valueTooLong' || reason === 'operationTooLong';
}

/**
 * One list of routes serves twice: the server registers it and `/openapi.json` is made from it, so that the description
 * is true by construction.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { MoietyClient } from '../client/contract.ts';
import type { EvidenceBook } from './evidence-book.ts';
import type { EventFeed } from './event-feed.ts';
import type { FaultPort } from './fault-port.ts';
import type { LiveFeed } from './live-feed.ts';
import type { HealthCheck } from './health.ts';
import type { GatewayMetrics } from './metrics.ts';

/** What handlers work with. */
export interface GatewayParts {
  readonly client: MoietyClient;
  readonly health: HealthCheck;
  readonly feed: EventFeed;
  readonly live: LiveFeed;
  readonly evidence: EvidenceBook;
  readonly metrics: GatewayMetrics;
  /** How long a request may wait for the cluster. */
  readonly timeoutMs: number;
  /** Event streams, at most. */
  readonly viewersMax: number;
  /** How long a viewer may take nothing; default 30 s. */
  readonly viewerStallMs?: number | undefined;
  /** Aborted when the gateway stops. */
  readonly stopping: AbortSignal;
  readonly fault: FaultPort | undefined;
}

/** A parameter, as OpenAPI describes it. */
export interface RouteParameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly description: string;
  readonly required?: boolean;
  readonly schema: Readonly<Record<string, unknown>>;
}

/** A route. */
export interface Route {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** With `{name}` for parameters, as in OpenAPI. */
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly parameters?: readonly RouteParameter[];
  /** Media types that a body may have. */
  readonly body?: readonly string[];
  readonly bodyLimit?: number;
  /** Status of success to its media type and schema name. */
  readonly success: Readonly<Record<number, { readonly media?: string; readonly schema?: string }>>;
  /** Statuses of problems beside those that every route may have. */
  readonly problems?: readonly number[];
  /** For people, not for programs: the description leaves it out. */
  readonly isPage?: true;
  readonly handler: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;
}

/** Shorthand for a parameter. */
export function parameter(
  where: RouteParameter['in'],
  name: string,
  description: string,
  schema: Readonly<Record<string, unknown>> = { type: 'string' },
): RouteParameter {
  return { name, in: where, description, schema, ...(where === 'path' ? { required: true } : {}) };
}

/** The body as bytes; no body is an empty value. */
export function bodyOf(request: FastifyRequest): Uint8Array {
  return request.body instanceof Uint8Array ? request.body : new Uint8Array(0);
}

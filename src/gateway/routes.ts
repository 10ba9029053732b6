/**
 * One list of routes serves twice: the server registers it and `/openapi.json` is made from it, so that the description
 * is true by construction.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { MoietyClient } from '../client/contract.ts';
import type { EvidenceBook } from './evidence-book.ts';
import type { EventFeed } from './event-feed.ts';
import type { NamedProcess } from './explain/seen-replica.ts';
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

/** Faults on a local cluster; only under `up` (decision C10). */
export interface FaultPort {
  /** Made anew at each start; sent as `Moiety-Fault-Token`. */
  readonly token: string;
  /** Carries the order out; rejects with a sentence for the caller. */
  perform(order: FaultOrder): Promise<void>;
  /** What can be done, and to what; rejects with a sentence. */
  list(): Promise<FaultList>;
}

/** What faults there are (`GET /v1/fault`). */
export interface FaultList {
  /** What a replica of this cluster can be made to do wrong, with a sentence each. */
  readonly behaviours: readonly { readonly name: string; readonly text: string }[];
  /** Processes of the cluster, as the supervisor reports them. */
  readonly processes: readonly NamedProcess[];
}

/** What `moiety fault` can do. */
export const FAULT_ACTIONS = [
  'kill',
  'kill-tc',
  'pause',
  'resume',
  'partition',
  'heal',
  'restart',
  'wipe',
  'byzantine',
] as const;

/** One of them. */
export type FaultAction = (typeof FAULT_ACTIONS)[number];

/** A fault to be made. */
export interface FaultOrder {
  readonly action: FaultAction;
  readonly replica: number;
  /** For `byzantine`: the behaviour, or `none` for a correct replica again. */
  readonly behaviour?: string | undefined;
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

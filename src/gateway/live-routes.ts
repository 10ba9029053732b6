/** `/v1/live` and `/v1/trust`: what the dashboard looks at, and what it verifies with. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { encodeTrust, trustOf } from '../ledger/trust.ts';
import { serveEvents } from './event-stream.ts';
import { parameter } from './routes.ts';
import type { GatewayParts, Route } from './routes.ts';

function streamLive(parts: GatewayParts, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  // Whatever it is: an id that is not known begins anew.
  const header = request.headers['last-event-id'];
  const last = typeof header === 'string' ? header : undefined;
  return serveEvents(parts, request, reply, (signal) => parts.live.follow(last, signal));
}

function getTrust(parts: GatewayParts, reply: FastifyReply): Promise<unknown> {
  return Promise.resolve(reply.type('application/json').send(encodeTrust(trustOf(parts.client.settings))));
}

/** The routes. */
export function liveRoutes(parts: GatewayParts): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/live',
      operationId: 'streamLive',
      summary: 'Status, rates and what each replica does, as server-sent events',
      parameters: [parameter('header', 'Last-Event-ID', 'Goes on behind this event, if it is still known')],
      success: { 200: { media: 'text/event-stream', schema: 'LiveEvents' } },
      handler: (request, reply) => streamLive(parts, request, reply),
    },
    {
      method: 'GET',
      path: '/v1/trust',
      operationId: 'getTrust',
      summary: 'The trust file: host keys of the cluster, by which receipts verify',
      success: { 200: { media: 'application/json', schema: 'Trust' } },
      handler: (_request, reply) => getTrust(parts, reply),
    },
  ];
}

/** `/health`, `/metrics`, `/openapi.json`: the service about itself. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { HttpProblem } from './problem.ts';
import type { GatewayParts, Route } from './routes.ts';

async function health(parts: GatewayParts): Promise<unknown> {
  const outcome = await parts.health.check();
  if (!outcome.ok) throw new HttpProblem(503, 'noQuorum', outcome.detail, { retryAfterMs: 1_000 });
  return { status: 'ok', sequence: outcome.sequence, tookMs: outcome.tookMs };
}

/** Routes of the service itself. `describe` gives the OpenAPI document of all routes. */
export function serviceRoutes(parts: GatewayParts, describe: () => unknown): Route[] {
  return [
    {
      method: 'GET',
      path: '/health',
      operationId: 'getHealth',
      summary: '200 only if a quorum ordered a no-op within 5 s',
      success: { 200: { media: 'application/json' } },
      handler: () => health(parts),
    },
    {
      method: 'GET',
      path: '/metrics',
      operationId: 'getMetrics',
      summary: 'Prometheus metrics of the gateway',
      success: { 200: { media: 'text/plain' } },
      handler: async (_request: FastifyRequest, reply: FastifyReply) => {
        const { registry } = parts.metrics;
        return reply.header('content-type', registry.contentType).send(await registry.metrics());
      },
    },
    {
      method: 'GET',
      path: '/openapi.json',
      operationId: 'getDescription',
      summary: 'This description',
      success: { 200: { media: 'application/json' } },
      handler: () => Promise.resolve(describe()),
    },
  ];
}

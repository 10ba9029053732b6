/** `/v1/evidence`, `/v1/evidence/{id}`: the proofs against replicas. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { refreshSoon } from './evidence-book.ts';
import { HttpProblem } from './problem.ts';
import { parameter } from './routes.ts';
import type { GatewayParts, Route } from './routes.ts';

async function listEvidence(parts: GatewayParts): Promise<unknown> {
  await refreshSoon(parts, await parts.client.status());
  return { evidence: parts.evidence.list() };
}

async function oneEvidence(
  parts: GatewayParts,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const { id } = request.params as { id: string };
  const text = parts.evidence.text(id);
  if (text === undefined)
    throw new HttpProblem(404, 'notFound', 'there is no such evidence: see /v1/evidence');
  return reply.type('application/json').send(text);
}

/** The routes. */
export function evidenceRoutes(parts: GatewayParts): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/evidence',
      operationId: 'listEvidence',
      summary: 'Records that prove faults of replicas; each was verified',
      success: { 200: { media: 'application/json', schema: 'EvidenceList' } },
      handler: () => listEvidence(parts),
    },
    {
      method: 'GET',
      path: '/v1/evidence/{id}',
      operationId: 'getEvidence',
      summary: 'One evidence file; it verifies offline ("moiety evidence verify")',
      parameters: [parameter('path', 'id', 'Name of the record')],
      success: { 200: { media: 'application/json', schema: 'Evidence' } },
      problems: [404],
      handler: (request, reply) => oneEvidence(parts, request, reply),
    },
  ];
}

/** `/v1/fault`, under `up` only: faults on a local cluster. */
import type { FastifyRequest } from 'fastify';
import { FAULT_ACTIONS } from './fault-port.ts';
import type { FaultOrder, FaultPort } from './fault-port.ts';
import { equalSecrets } from './guard.ts';
import { integerParameter } from './http-values.ts';
import { HttpProblem } from './problem.ts';
import { bodyOf, parameter } from './routes.ts';
import type { GatewayParts, Route } from './routes.ts';

function requireFaultToken(fault: FaultPort, request: FastifyRequest): void {
  const given = request.headers['moiety-fault-token'];
  if (typeof given !== 'string' || !equalSecrets(given, fault.token))
    throw new HttpProblem(403, 'forbidden', 'faults need the token of this start (Moiety-Fault-Token)');
}

async function getFaults(fault: FaultPort, request: FastifyRequest): Promise<unknown> {
  requireFaultToken(fault, request);
  try {
    const { behaviours, processes } = await fault.list();
    return { actions: FAULT_ACTIONS, behaviours, processes };
  } catch (error) {
    throw new HttpProblem(409, 'faultNotDone', (error as Error).message);
  }
}

async function postFault(parts: GatewayParts, fault: FaultPort, request: FastifyRequest): Promise<unknown> {
  requireFaultToken(fault, request);
  const { action, replica } = request.params as { action: string; replica: string };
  const known = FAULT_ACTIONS.find((name) => name === action);
  if (known === undefined)
    throw new HttpProblem(400, 'badRequest', `a fault is one of ${FAULT_ACTIONS.join(', ')}`);
  const most = parts.client.settings.members.length - 1;
  const number = integerParameter(replica, { name: 'replica', least: 0, most, fallback: 0 });
  const behaviour = known === 'byzantine' ? new TextDecoder().decode(bodyOf(request)).trim() : '';
  if (known === 'byzantine' && !/^[a-z][a-z-]{0,63}$/.test(behaviour))
    throw new HttpProblem(400, 'badRequest', 'the body names the behaviour, for example "equivocate"');
  const order: FaultOrder = { action: known, replica: number, behaviour: behaviour || undefined };
  try {
    await fault.perform(order);
  } catch (error) {
    throw new HttpProblem(409, 'faultNotDone', (error as Error).message);
  }
  return { ok: true, action: known, replica: number };
}

/** The routes; none without a local cluster. */
export function faultRoutes(parts: GatewayParts): Route[] {
  const { fault } = parts;
  if (fault === undefined) return [];
  const enumeration = { type: 'string', enum: FAULT_ACTIONS };
  const token = { ...parameter('header', 'Moiety-Fault-Token', 'Token of this start'), required: true };
  return [
    {
      method: 'GET',
      path: '/v1/fault',
      operationId: 'listFaults',
      summary: 'Faults that can be made on this local cluster, and its processes',
      parameters: [token],
      success: { 200: { media: 'application/json', schema: 'Faults' } },
      problems: [403, 409],
      handler: (request) => getFaults(fault, request),
    },
    {
      method: 'POST',
      path: '/v1/fault/{action}/{replica}',
      operationId: 'makeFault',
      summary: 'Makes a fault on a local cluster',
      parameters: [
        parameter('path', 'action', 'What to do', enumeration),
        parameter('path', 'replica', 'To which replica', { type: 'integer', minimum: 0 }),
        token,
      ],
      body: ['text/plain'],
      bodyLimit: 1024,
      success: { 200: { media: 'application/json' } },
      problems: [403, 409],
      handler: (request) => postFault(parts, fault, request),
    },
  ];
}

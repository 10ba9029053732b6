/** `/v1/tx`, `/v1/receipts`, `/v1/blocks`, `/v1/events`: the ledger over HTTP. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { checkKvOperation, encodeKvOperation } from '../apps/kv/operations.ts';
import { BUNDLE_BYTES_MAX } from '../core/request.ts';
import type { LedgerEvent } from '../client/contract.ts';
import { serveEvents } from './event-stream.ts';
import {
  digestParameter,
  idempotencyKeyOf,
  integerParameter,
  operationOfJson,
  queryOf,
} from './http-values.ts';
import {
  blockToJson,
  committedToJson,
  eventToJson,
  executedToJson,
  transactionToJson,
} from './json-shapes.ts';
import { HttpProblem } from './problem.ts';
import { bodyOf, parameter } from './routes.ts';
import type { GatewayParts, Route } from './routes.ts';

/** Media type of a bundle that the end client signed (decision C8). */
const BUNDLE_TYPE = 'application/vnd.moiety.bundle';
const TX_BODY_BYTES_MAX = 160 * 1024;

async function postTransaction(
  parts: GatewayParts,
  mediaTypeOf: (request: FastifyRequest) => string,
  request: FastifyRequest,
): Promise<unknown> {
  const { client, timeoutMs } = parts;
  if (mediaTypeOf(request).split(';', 1)[0]!.trim().toLowerCase() === BUNDLE_TYPE) {
    const bundle = bodyOf(request);
    if (bundle.length > BUNDLE_BYTES_MAX)
      throw new HttpProblem(413, 'invalid', `a bundle has at most ${BUNDLE_BYTES_MAX} bytes`);
    const executed = await client.submitBundle(bundle, { timeoutMs });
    const last = executed.at(-1)!;
    // Raw result envelopes: the client that signed the bundle reads them as it would read a replica's.
    const results = executed.map((one) => ({
      ...committedToJson(one),
      result: Buffer.from(one.result).toString('base64'),
    }));
    return { ...committedToJson(last), results };
  }
  const operation = operationOfJson(bodyOf(request));
  const problem = checkKvOperation(operation);
  if (problem !== undefined) {
    const isLong = problem === 'valueTooLong' || problem === 'operationTooLong';
    throw new HttpProblem(isLong ? 413 : 400, 'invalid', `the operation breaks a bound: ${problem}`, {
      reason: problem,
    });
  }
  const idempotencyKey = idempotencyKeyOf(request.headers['idempotency-key']);
  const answer = executedToJson(
    await client.submit(encodeKvOperation(operation), { idempotencyKey, timeoutMs }),
  );
  if (answer['ok'] !== false) return answer;
  const reason = String(answer['error']);
  const status = reason === 'forbidden' ? 403 : 422;
  throw new HttpProblem(status, 'refused', `the key-value store refused it: ${reason}`, {
    reason,
    txId: String(answer['txId']),
  });
}

function parameterOf(request: FastifyRequest, name: string): string {
  return (request.params as Readonly<Record<string, string>>)[name] ?? '';
}

async function getTransaction(parts: GatewayParts, request: FastifyRequest): Promise<unknown> {
  const txId = digestParameter(parameterOf(request, 'id'));
  const seen = await parts.client.transaction(txId);
  if (seen.state !== 'committed') return { txId, ...seen };
  const { state, height, sequence, index, transaction } = seen;
  return { txId, state, height, sequence, ...transactionToJson(transaction, index) };
}

async function getReceipt(
  parts: GatewayParts,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const receipt = await parts.client.receipt(digestParameter(parameterOf(request, 'id')));
  return reply.type('application/json').send(Buffer.from(receipt));
}

async function getBlock(parts: GatewayParts, request: FastifyRequest): Promise<unknown> {
  const bounds = { name: 'height', least: 1, most: Number.MAX_SAFE_INTEGER, fallback: 0 };
  const height = integerParameter(parameterOf(request, 'height'), bounds);
  const proven = await parts.client.block(height);
  if (proven === undefined) throw new HttpProblem(404, 'notFound', `there is no block ${height} yet`);
  return blockToJson(proven);
}

function startOf(request: FastifyRequest): number | 'latest' {
  const bounds = { least: 0, most: Number.MAX_SAFE_INTEGER - 1, fallback: 0 };
  const last = request.headers['last-event-id'];
  // The browser repeats what it saw last when it reconnects: that wins over the address it began with.
  if (typeof last === 'string' && last !== '')
    return integerParameter(last, { name: 'Last-Event-ID', ...bounds }) + 1;
  const from = queryOf(request.originalUrl).get('from');
  if (from === undefined || from === 'latest') return 'latest';
  return integerParameter(from, { name: 'from', ...bounds, least: 1 });
}

function eventText(event: LedgerEvent): string {
  return `id: ${event.number}\nevent: transaction\ndata: ${JSON.stringify(eventToJson(event))}\n\n`;
}

async function streamEvents(
  parts: GatewayParts,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const from = startOf(request);
  return serveEvents(parts, request, reply, async function* (signal) {
    for await (const event of parts.feed.follow(from, signal)) yield eventText(event);
  });
}

/** Routes of the ledger. `mediaTypeOf` gives the content type that the caller sent. */
export function ledgerRoutes(parts: GatewayParts, mediaTypeOf: (request: FastifyRequest) => string): Route[] {
  const id = parameter('path', 'id', 'Transaction id, 64 lower-case hexadecimal digits');
  return [
    {
      method: 'POST',
      path: '/v1/tx',
      operationId: 'submit',
      summary: 'Orders one JSON operation, or a bundle that its client signed',
      parameters: [parameter('header', 'Idempotency-Key', 'The same key is executed once for 10,000 blocks')],
      body: ['application/json', BUNDLE_TYPE],
      bodyLimit: TX_BODY_BYTES_MAX,
      success: { 200: { media: 'application/json', schema: 'Written' } },
      problems: [403, 413, 422, 504],
      handler: (request) => postTransaction(parts, mediaTypeOf, request),
    },
    {
      method: 'GET',
      path: '/v1/tx/{id}',
      operationId: 'getTransaction',
      summary: 'Where a transaction stands: pending, committed, rejected or unknown',
      parameters: [id],
      success: { 200: { media: 'application/json', schema: 'TransactionState' } },
      handler: (request) => getTransaction(parts, request),
    },
    {
      method: 'GET',
      path: '/v1/receipts/{id}',
      operationId: 'getReceipt',
      summary: 'Proof that a transaction was executed; verifies offline',
      parameters: [id],
      success: { 200: { media: 'application/json' } },
      problems: [404],
      handler: (request, reply) => getReceipt(parts, request, reply),
    },
    {
      method: 'GET',
      path: '/v1/blocks/{height}',
      operationId: 'getBlock',
      summary: 'A block with its f+1 header signatures',
      parameters: [parameter('path', 'height', 'From 1', { type: 'integer', minimum: 1 })],
      success: { 200: { media: 'application/json', schema: 'Block' } },
      problems: [404],
      handler: (request) => getBlock(parts, request),
    },
    {
      method: 'GET',
      path: '/v1/events',
      operationId: 'streamEvents',
      summary: 'Transactions as server-sent events with dense numbers',
      parameters: [
        parameter('query', 'from', 'Number of the first event, or `latest` (default): only new ones'),
        parameter('header', 'Last-Event-ID', 'Goes on behind this event'),
      ],
      success: { 200: { media: 'text/event-stream' } },
      handler: (request, reply) => streamEvents(parts, request, reply),
    },
  ];
}

/** `/v1/kv`: the key-value store over HTTP. Values are bytes of any content type (decision C10). */
import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { KV_LIST_LIMIT_MAX, KV_VALUE_BYTES_MAX } from '../apps/kv/operations.ts';
import type { SubmitOptions } from '../client/contract.ts';
import {
  consistencyOf,
  idempotencyKeyOf,
  integerParameter,
  percentDecode,
  percentEncode,
  queryOf,
  swapOfJson,
} from './http-values.ts';
import { bytesToJson, committedToJson } from './json-shapes.ts';
import { HttpProblem } from './problem.ts';
import { bodyOf, parameter } from './routes.ts';
import type { GatewayParts, Route } from './routes.ts';

/** Everything before the key. */
export const KV_PREFIX = '/v1/kv/';
const CAS_BODY_BYTES_MAX = 160 * 1024;

/** The key of a request: all that stands between the prefix and the query, percent-decoded to bytes. */
function keyOf(request: FastifyRequest): Uint8Array {
  const path = request.originalUrl.split('?', 1)[0]!;
  return percentDecode(path.slice(KV_PREFIX.length), 'the key');
}

/** Entity tag of a value. */
function etagOf(value: Uint8Array): string {
  return `"${createHash('sha256').update(value).digest('base64url').slice(0, 32)}"`;
}

function tagsOf(header: unknown): readonly string[] | undefined {
  if (typeof header !== 'string') return undefined;
  return header.split(',').map((tag) => tag.trim());
}

function optionsOf(parts: GatewayParts, request: FastifyRequest): SubmitOptions {
  return { idempotencyKey: idempotencyKeyOf(request.headers['idempotency-key']), timeoutMs: parts.timeoutMs };
}

function preconditionFailed(detail: string): HttpProblem {
  return new HttpProblem(412, 'preconditionFailed', detail);
}

async function putIf(parts: GatewayParts, request: FastifyRequest): Promise<unknown> {
  const key = keyOf(request);
  const value = bodyOf(request);
  const options = optionsOf(parts, request);
  const match = tagsOf(request.headers['if-match']);
  const noneMatch = tagsOf(request.headers['if-none-match']);
  if (match === undefined && noneMatch === undefined) {
    const { existed, ...committed } = await parts.client.put(key, value, options);
    return { ...committedToJson(committed), ok: true, existed };
  }
  if (noneMatch !== undefined && (match !== undefined || noneMatch.join() !== '*'))
    throw new HttpProblem(400, 'badRequest', 'a PUT takes If-Match with tags, or "If-None-Match: *"');
  // The tag is compared here, the whole value at the replicas: between the two nothing can slip in.
  const read = match === undefined ? undefined : await parts.client.get(key, { timeoutMs: parts.timeoutMs });
  const expected = read?.value;
  if (
    match !== undefined &&
    (expected === undefined || !(match.includes('*') || match.includes(etagOf(expected))))
  )
    throw preconditionFailed('the value is another one than If-Match names: read it again');
  const { swapped, current, ...committed } = await parts.client.compareAndSwap(
    { key, expected, value },
    options,
  );
  if (!swapped)
    throw preconditionFailed(current === undefined ? 'the key is gone' : 'the key has another value');
  return { ...committedToJson(committed), ok: true, existed: expected !== undefined };
}

async function get(parts: GatewayParts, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const consistency = consistencyOf(queryOf(request.originalUrl));
  const read = await parts.client.get(keyOf(request), { consistency, timeoutMs: parts.timeoutMs });
  void reply.header('moiety-sequence', String(read.sequence)).header('moiety-read', read.path);
  if (read.value === undefined) throw new HttpProblem(404, 'notFound', 'there is no value under this key');
  const tag = etagOf(read.value);
  void reply.header('etag', tag).header('cache-control', 'no-cache');
  if (tagsOf(request.headers['if-none-match'])?.includes(tag) === true) return reply.code(304).send();
  return reply.type('application/octet-stream').send(Buffer.from(read.value));
}

async function remove(parts: GatewayParts, request: FastifyRequest): Promise<unknown> {
  if (request.headers['if-match'] !== undefined || request.headers['if-none-match'] !== undefined)
    throw new HttpProblem(400, 'badRequest', 'DELETE takes no conditions');
  const { existed, ...committed } = await parts.client.delete(keyOf(request), optionsOf(parts, request));
  return { ...committedToJson(committed), ok: true, existed };
}

async function swap(parts: GatewayParts, request: FastifyRequest): Promise<unknown> {
  if (queryOf(request.originalUrl).get('op') !== 'cas')
    throw new HttpProblem(400, 'badRequest', 'POST to a key needs ?op=cas; a plain write is a PUT');
  const change = swapOfJson(keyOf(request), bodyOf(request));
  const { swapped, current, ...committed } = await parts.client.compareAndSwap(
    change,
    optionsOf(parts, request),
  );
  const answer = { ...committedToJson(committed), ok: true, swapped };
  return swapped ? answer : { ...answer, current: current === undefined ? null : bytesToJson(current) };
}

async function list(parts: GatewayParts, request: FastifyRequest): Promise<unknown> {
  const query = queryOf(request.originalUrl);
  const bounds = { name: 'limit', least: 1, most: KV_LIST_LIMIT_MAX, fallback: 100 };
  const after = query.get('after');
  const page = await parts.client.list(
    {
      prefix: percentDecode(query.get('prefix') ?? '', 'the prefix'),
      startAfter: after === undefined ? undefined : percentDecode(after, '"after"'),
      limit: integerParameter(query.get('limit'), bounds),
    },
    { consistency: consistencyOf(query), timeoutMs: parts.timeoutMs },
  );
  return {
    entries: page.entries.map((entry) => ({
      key: percentEncode(entry.key),
      value: bytesToJson(entry.value),
    })),
    next: page.next === undefined ? null : percentEncode(page.next),
    sequence: page.sequence,
  };
}

const KEY = parameter('path', 'key', 'Percent-encoded bytes, 1 to 1,024; a slash may stand as it is');
const CONSISTENCY = parameter(
  'query',
  'consistency',
  "`replica`: one replica's word, may be stale or wrong",
  {
    type: 'string',
    enum: ['linearizable', 'replica'],
  },
);
const IDEMPOTENCY = parameter('header', 'Idempotency-Key', 'The same key is executed once for 10,000 blocks');
const IF_MATCH = parameter('header', 'If-Match', 'Entity tags of the value that is replaced');
const IF_NONE_MATCH = parameter('header', 'If-None-Match', '`*`: only if there is no value');
const PATH = `${KV_PREFIX}{key}`;
const WRITTEN = { 200: { media: 'application/json', schema: 'Written' } };

/** Routes of the key-value store. */
export function kvRoutes(parts: GatewayParts): Route[] {
  return [
    {
      method: 'PUT',
      path: PATH,
      operationId: 'putValue',
      summary: 'Writes a value: the body, byte for byte',
      parameters: [KEY, IDEMPOTENCY, IF_MATCH, IF_NONE_MATCH],
      body: ['*/*'],
      bodyLimit: KV_VALUE_BYTES_MAX,
      success: WRITTEN,
      problems: [403, 412, 413, 422, 504],
      handler: (request) => putIf(parts, request),
    },
    {
      method: 'GET',
      path: PATH,
      operationId: 'getValue',
      summary: 'Reads a value; linearizable unless asked otherwise',
      parameters: [KEY, CONSISTENCY, parameter('header', 'If-None-Match', 'Entity tags that need no answer')],
      success: { 200: { media: 'application/octet-stream' }, 304: {} },
      problems: [404, 504],
      handler: (request, reply) => get(parts, request, reply),
    },
    {
      method: 'DELETE',
      path: PATH,
      operationId: 'deleteValue',
      summary: 'Deletes a value',
      parameters: [KEY, IDEMPOTENCY],
      success: WRITTEN,
      problems: [403, 422, 504],
      handler: (request) => remove(parts, request),
    },
    {
      method: 'POST',
      path: PATH,
      operationId: 'swapValue',
      summary: 'Compare-and-swap: {"expected": …, "value": …}; without "expected" only if there is no value',
      parameters: [
        KEY,
        parameter('query', 'op', 'What to do', { type: 'string', enum: ['cas'] }),
        IDEMPOTENCY,
      ],
      body: ['application/json'],
      bodyLimit: CAS_BODY_BYTES_MAX,
      success: WRITTEN,
      problems: [403, 413, 422, 504],
      handler: (request) => swap(parts, request),
    },
    {
      method: 'GET',
      path: '/v1/kv',
      operationId: 'listValues',
      summary: 'A page of entries in byte order of their keys',
      parameters: [
        parameter('query', 'prefix', 'Percent-encoded start of the keys'),
        parameter('query', 'after', '`next` of the page before'),
        parameter('query', 'limit', 'Entries, at most', {
          type: 'integer',
          minimum: 1,
          maximum: KV_LIST_LIMIT_MAX,
        }),
        CONSISTENCY,
      ],
      success: { 200: { media: 'application/json', schema: 'Page' } },
      problems: [504],
      handler: (request) => list(parts, request),
    },
  ];
}

/** `/openapi.json`: made from the list of routes that the server registers. */
import type { Route } from './routes.ts';

/** Problems that every route may answer. */
const COMMON_PROBLEMS: readonly number[] = [400, 401, 403, 429, 500, 503];

const TEXT = { type: 'string' };
const COUNT = { type: 'integer', minimum: 0 };
const BYTES = {
  type: 'object',
  required: ['base64'],
  properties: { base64: { type: 'string', contentEncoding: 'base64' }, text: TEXT },
};

function object(required: readonly string[], properties: Readonly<Record<string, unknown>>): unknown {
  return { type: 'object', required, properties };
}

const FINDERS = { type: 'array', items: { type: ['integer', 'string'] } };
/** What the supervisor of a local cluster says of a replica's process. */
const PROCESS = object(['name', 'state', 'reason', 'byzantine'], {
  name: TEXT,
  state: TEXT,
  reason: { type: ['string', 'null'] },
  byzantine: { type: ['string', 'null'] },
  cutOff: { type: 'boolean' },
  restarts: COUNT,
  pid: { type: ['integer', 'null'], description: 'Not in /v1/status' },
});
const FAULT = object(['replica', 'rule', 'foundBy', 'evidence', 'explanation'], {
  replica: COUNT,
  rule: TEXT,
  foundBy: FINDERS,
  evidence: { type: 'array', items: TEXT, description: 'Ids for /v1/evidence/{id}' },
  explanation: TEXT,
});

const LACK = object(['what', 'needs', 'has', 'lacks', 'forMs'], {
  what: TEXT,
  view: COUNT,
  sequence: COUNT,
  needs: COUNT,
  has: { type: 'array', items: COUNT },
  lacks: { type: 'array', items: COUNT },
  forMs: { type: 'number', minimum: 0 },
});

const SCHEMAS = {
  Written: object(['txId', 'height', 'sequence'], {
    txId: { type: 'string', pattern: '^[0-9a-f]{64}$' },
    height: COUNT,
    sequence: COUNT,
    ok: { type: 'boolean' },
    existed: { type: 'boolean' },
    swapped: { type: 'boolean' },
  }),
  Page: object(['entries', 'next', 'sequence'], {
    entries: { type: 'array', items: object(['key', 'value'], { key: TEXT, value: BYTES }) },
    next: { type: ['string', 'null'] },
    sequence: COUNT,
  }),
  TransactionState: object(['txId', 'state'], {
    txId: TEXT,
    state: { type: 'string', enum: ['pending', 'committed', 'rejected', 'unknown'] },
    height: COUNT,
    sequence: COUNT,
    reason: TEXT,
  }),
  Block: object(['height', 'sequence', 'headerHash', 'header', 'signatures', 'transactions'], {
    height: COUNT,
    sequence: COUNT,
    headerHash: TEXT,
    header: { type: 'object' },
    signatures: {
      type: 'array',
      items: object(['replica', 'signature'], { replica: COUNT, signature: TEXT }),
    },
    transactions: { type: 'array', items: { type: 'object' } },
  }),
  Status: object(['replicas', 'proven', 'suspected', 'waiting', 'explanation'], {
    waiting: { anyOf: [LACK, { type: 'null' }] },
    explanation: { type: 'array', items: TEXT, description: 'Why nothing commits and what else is wrong' },
    replicas: {
      type: 'array',
      items: object(['id', 'role', 'proven'], {
        id: COUNT,
        role: TEXT,
        view: COUNT,
        height: COUNT,
        waitsFor: { type: ['string', 'null'] },
        lack: { anyOf: [LACK, { type: 'null' }] },
        transactions: COUNT,
        waits: { type: 'array', items: { type: 'array', items: COUNT } },
        proven: { type: 'array', items: FAULT },
        supervised: PROCESS,
      }),
    },
    proven: { type: 'array', items: FAULT },
    suspected: {
      type: 'array',
      items: object(['replica', 'by', 'why', 'lastHeardMs'], {
        replica: COUNT,
        by: { type: 'array', items: COUNT },
        why: TEXT,
        lastHeardMs: { type: ['integer', 'null'] },
      }),
    },
    faults: { type: 'boolean', description: 'Whether /v1/fault is served' },
  }),
  LiveEvents: {
    type: 'string',
    description:
      'Events `status` (the document of /v1/status with `now` and `rates`) and `moments` (replica, moments, missed)',
  },
  Trust: object(['format', 'clusterId', 'f', 'configurationVersion', 'hostKeys'], {
    format: TEXT,
    clusterId: TEXT,
    f: COUNT,
    configurationVersion: COUNT,
    hostKeys: { type: 'array', items: TEXT },
  }),
  Faults: object(['actions', 'behaviours', 'processes'], {
    actions: { type: 'array', items: TEXT },
    behaviours: { type: 'array', items: object(['name', 'text'], { name: TEXT, text: TEXT }) },
    processes: {
      type: 'array',
      items: object(['name', 'state'], { name: TEXT, state: TEXT, byzantine: { type: ['string', 'null'] } }),
    },
  }),
  EvidenceList: object(['evidence'], {
    evidence: {
      type: 'array',
      items: object(['id', 'replica', 'rule', 'foundBy', 'explanation'], {
        id: TEXT,
        replica: COUNT,
        rule: TEXT,
        foundBy: FINDERS,
        explanation: TEXT,
      }),
    },
  }),
  Evidence: object(['format', 'clusterId', 'replica', 'rule', 'foundBy', 'atMs', 'bytes'], {
    format: TEXT,
    clusterId: TEXT,
    replica: COUNT,
    rule: TEXT,
    atMs: COUNT,
    bytes: { type: 'string', description: 'Canonical bytes of the record, hexadecimal' },
  }),
  Problem: object(['type', 'title', 'status', 'detail'], {
    type: TEXT,
    title: TEXT,
    status: COUNT,
    detail: TEXT,
    txId: TEXT,
    reason: TEXT,
  }),
};

function responsesOf(route: Route): Record<string, unknown> {
  const responses: Record<string, unknown> = {};
  for (const [status, { media, schema }] of Object.entries(route.success)) {
    const content = media && {
      [media]: schema === undefined ? {} : { schema: { $ref: `#/components/schemas/${schema}` } },
    };
    responses[status] = { description: 'Done', ...(content ? { content } : {}) };
  }
  const problems = [...new Set([...COMMON_PROBLEMS, ...(route.problems ?? [])])].sort((a, b) => a - b);
  for (const status of problems) responses[String(status)] = { $ref: '#/components/responses/Problem' };
  return responses;
}

function operationOf(route: Route): Record<string, unknown> {
  const { operationId, summary, parameters, body } = route;
  const content = body && Object.fromEntries(body.map((media) => [media, {}]));
  return {
    operationId,
    summary,
    ...(parameters === undefined ? {} : { parameters }),
    ...(content === undefined ? {} : { requestBody: { content } }),
    responses: responsesOf(route),
  };
}

/** OpenAPI 3.1 document of these routes, without pages for people. */
export function describeRoutes(routes: readonly Route[]): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes.filter(({ isPage }) => isPage !== true))
    (paths[route.path] ??= {})[route.method.toLowerCase()] = operationOf(route);
  return {
    openapi: '3.1.0',
    info: { title: 'Moiety gateway', version: '1' },
    paths,
    components: {
      schemas: SCHEMAS,
      responses: {
        Problem: {
          description: 'A problem (RFC 9457)',
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
    },
  };
}

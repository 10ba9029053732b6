/** Reads what arrives over HTTP: keys, numbers, JSON operations. Whatever is wrong becomes a problem that says so. */
import type { KvOperation } from '../apps/kv/operations.ts';
import { hexToBytes } from '../core/bytes.ts';
import type { Digest } from '../core/types.ts';
import { HttpProblem } from './problem.ts';

function bad(detail: string): HttpProblem {
  return new HttpProblem(400, 'badRequest', detail);
}

/** Bytes of a percent-encoded text (RFC 3986): any byte may be in a key, also those that are no UTF-8. */
export function percentDecode(text: string, what: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at += 1) {
    let code = text.charCodeAt(at);
    if (code === 0x25) {
      const byte = hexToBytes(text.slice(at + 1, at + 3).toLowerCase());
      if (byte?.length !== 1) throw bad(`${what} has a "%" without two hexadecimal digits behind it`);
      code = byte[0]!;
      at += 2;
    } else if (code > 0x7e || code < 0x21) throw bad(`${what} has a character that must be percent-encoded`);
    bytes[length] = code;
    length += 1;
  }
  return bytes.subarray(0, length);
}

/** Percent-encoded text of a key; unreserved characters stay, so that it reads well. */
export function percentEncode(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    const plain = /[A-Za-z0-9._~-]/.test(character);
    text += plain ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}

/** Raw (still encoded) query parameters: the first of each name. `+` is a plus sign, not a space. */
export function queryOf(url: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  const start = url.indexOf('?');
  if (start < 0) return parameters;
  for (const part of url.slice(start + 1).split('&')) {
    const at = part.indexOf('=');
    const name = at < 0 ? part : part.slice(0, at);
    if (!parameters.has(name)) parameters.set(name, at < 0 ? '' : part.slice(at + 1));
  }
  return parameters;
}

/** A whole number of a parameter. */
export function integerParameter(
  text: string | undefined,
  bounds: { readonly name: string; readonly least: number; readonly most: number; readonly fallback: number },
): number {
  if (text === undefined) return bounds.fallback;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= bounds.least && value <= bounds.most) return value;
  throw bad(`"${bounds.name}" must be a whole number from ${bounds.least} to ${bounds.most}`);
}

/** A transaction id. */
export function digestParameter(text: string): Digest {
  if (text.length === 64 && hexToBytes(text) !== undefined) return text as Digest;
  throw bad('a transaction id is 64 lower-case hexadecimal digits');
}

/** `consistency=replica` or `linearizable`. */
export function consistencyOf(parameters: ReadonlyMap<string, string>): 'linearizable' | 'replica' {
  const text = parameters.get('consistency') ?? 'linearizable';
  if (text === 'linearizable' || text === 'replica') return text;
  throw bad('"consistency" is "linearizable" or "replica"');
}

/** Bytes of an Idempotency-Key header: 1 to 64 printable ASCII characters (decision C5). */
export function idempotencyKeyOf(header: unknown): Uint8Array | undefined {
  if (header === undefined) return undefined;
  if (typeof header !== 'string' || !/^[\x21-\x7e]{1,64}$/.test(header))
    throw bad('Idempotency-Key is 1 to 64 printable ASCII characters without spaces');
  return new TextEncoder().encode(header);
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** A byte string in JSON: `"text"` is UTF-8, `{"base64": "…"}` any bytes. */
function jsonBytes(value: unknown, name: string): Uint8Array {
  if (typeof value === 'string') return new TextEncoder().encode(value);
  const base64 = (value as { base64?: unknown } | null | undefined)?.base64;
  if (typeof base64 === 'string' && BASE64.test(base64) && Object.keys(value as object).length === 1)
    return new Uint8Array(Buffer.from(base64, 'base64'));
  throw bad(`"${name}" must be a string (UTF-8) or {"base64": "…"}`);
}

const FIELDS: Readonly<Record<string, readonly string[]>> = {
  put: ['op', 'key', 'value'],
  delete: ['op', 'key'],
  cas: ['op', 'key', 'expected', 'value'],
};

function jsonObject(body: Uint8Array, example: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    throw bad(`the body is not JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw bad(`the body must be a JSON object such as ${example}`);
  return value as Record<string, unknown>;
}

function onlyFields(fields: Readonly<Record<string, unknown>>, known: readonly string[]): void {
  const stranger = Object.keys(fields).find((name) => !known.includes(name));
  if (stranger !== undefined)
    throw bad(`"${stranger.slice(0, 64)}" is not a field here; known are ${known.join(', ')}`);
}

type Swap = Extract<KvOperation, { kind: 'compareAndSwap' }>;

function swapOf(key: Uint8Array, fields: Readonly<Record<string, unknown>>): Swap {
  const expected = fields['expected'] ?? undefined;
  return {
    kind: 'compareAndSwap',
    key,
    expected: expected === undefined ? undefined : jsonBytes(expected, 'expected'),
    value: jsonBytes(fields['value'], 'value'),
  };
}

/** The swap of a JSON body `{"expected": …, "value": …}`; without "expected": only if there is no value. */
export function swapOfJson(key: Uint8Array, body: Uint8Array): Swap {
  const fields = jsonObject(body, '{"expected":"1","value":"2"}');
  onlyFields(fields, ['expected', 'value']);
  return swapOf(key, fields);
}

/** The operation of a JSON body of `POST /v1/tx`. */
export function operationOfJson(body: Uint8Array): KvOperation {
  const fields = jsonObject(body, '{"op":"put","key":"a","value":"1"}');
  const op = fields['op'];
  const known = typeof op === 'string' && Object.hasOwn(FIELDS, op) ? FIELDS[op] : undefined;
  if (known === undefined) throw bad('"op" must be "put", "delete" or "cas"');
  onlyFields(fields, known);
  const key = jsonBytes(fields['key'], 'key');
  if (op === 'delete') return { kind: 'delete', key };
  if (op === 'put') return { kind: 'put', key, value: jsonBytes(fields['value'], 'value') };
  return swapOf(key, fields);
}

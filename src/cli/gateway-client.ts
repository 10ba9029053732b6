/** The command line as a user of the gateway: one call, its JSON, and problems (RFC 9457) as sentences. */
import { CommandFailure, EXIT, messageOf, usageFailure } from './failure.ts';
import { gatewayUrl } from './options.ts';
import type { ClusterOptions } from './options.ts';

/** Longer than the gateway waits for the cluster. */
const CALL_MS = 30_000;

/** One call. */
export interface GatewayCall {
  readonly method?: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: Uint8Array | string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  /** Statuses that are answers, not failures. */
  readonly accept?: readonly number[];
  /** Ends the call early. */
  readonly signal?: AbortSignal;
}

interface Problem {
  readonly detail?: string;
  readonly title?: string;
  readonly txId?: string;
  readonly reason?: string;
}

/** Base address of the gateway; a wrong one is a usage error. */
function baseOf(options: ClusterOptions): string {
  const url = gatewayUrl(options);
  if (!/^https?:\/\/[^\s/]+/.test(url)) throw usageFailure(`"${url}" is not the address of a gateway.`);
  return url;
}

async function failureOf(response: Response): Promise<CommandFailure> {
  const text = await response.text();
  let problem: Problem = {};
  try {
    problem = JSON.parse(text) as Problem;
  } catch {
    problem = { detail: text.slice(0, 200) };
  }
  const parts = [problem.detail ?? problem.title ?? 'no reason was given'];
  if (problem.reason !== undefined && !parts[0]!.includes(problem.reason)) parts.push(`(${problem.reason})`);
  if (problem.txId !== undefined) parts.push(`[transaction ${problem.txId}]`);
  const isUnreachable = response.status === 503 || response.status === 504;
  return new CommandFailure(
    `The gateway answers ${response.status}: ${parts.join(' ')}`,
    isUnreachable ? EXIT.unreachable : EXIT.failed,
  );
}

/** Calls the gateway. Throws a CommandFailure unless the status is 2xx or one of `accept`. */
export async function callGateway(options: ClusterOptions, call: GatewayCall): Promise<Response> {
  const base = baseOf(options);
  const headers: Record<string, string> = { ...call.headers };
  if (options.token !== undefined) headers['authorization'] = `Bearer ${options.token}`;
  let response: Response;
  try {
    response = await fetch(`${base}${call.path}`, {
      method: call.method ?? 'GET',
      headers,
      signal: call.signal ?? AbortSignal.timeout(call.timeoutMs ?? CALL_MS),
      ...(call.body === undefined ? {} : { body: call.body as NonNullable<RequestInit['body']> }),
    });
  } catch (error) {
    const cause = (error as { cause?: { code?: string } }).cause?.code ?? messageOf(error);
    throw new CommandFailure(
      `No gateway answers at ${base} (${cause}). Start a local cluster with "moiety up", or name the gateway with --url.`,
      EXIT.unreachable,
    );
  }
  if (response.ok || (call.accept ?? []).includes(response.status)) return response;
  throw await failureOf(response);
}

/** As `callGateway`; the answer's JSON. */
export async function callGatewayJson<T>(options: ClusterOptions, call: GatewayCall): Promise<T> {
  return (await (await callGateway(options, call)).json()) as T;
}

/** Path of a key: every byte of the argument's UTF-8 that is not plain is percent-encoded. */
export function keyPath(key: string): string {
  if (key === '') throw usageFailure('A key has at least one byte.');
  return `/v1/kv/${encodeURIComponent(key)}`;
}

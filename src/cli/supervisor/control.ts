/**
 * How `moiety fault`, `status` and `down` reach the supervisor: HTTP on a loopback port that the system chose, with the
 * token of this start, which only the owner of the data folder can read (decision C10). A port, unlike a Unix socket,
 * works however long the path of the data folder is.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FAULT_ACTIONS } from '../../gateway/fault-port.ts';
import type { FaultOrder } from '../../gateway/fault-port.ts';
import type { DataFolder } from '../data-folder.ts';
import { CommandFailure, EXIT, messageOf } from '../failure.ts';
import { isAlive, waitUntil } from './processes.ts';
import { readRunFile } from './run-file.ts';
import type { ProcessReport, RunFile } from './run-file.ts';

const BODY_BYTES_MAX = 4 * 1024;
const CALL_MS = 30_000;

/** What the control server asks of the supervisor. */
export interface ControlPort {
  /** A sentence that says what was done. Throws a CommandFailure that says why not. */
  fault(order: FaultOrder): Promise<string>;
  processes(): readonly ProcessReport[];
  /** Stops a replica in order, so that its store can be copied. Whether it was up. */
  hold(replica: number): Promise<boolean>;
  /** Starts a replica that was held. */
  release(replica: number): Promise<void>;
  /** Ends everything; answers at once. */
  down(): void;
}

function sameSecret(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > BODY_BYTES_MAX) throw new CommandFailure('the order is too long');
    parts.push(part);
  }
  return length === 0 ? {} : (JSON.parse(Buffer.concat(parts).toString('utf8')) as unknown);
}

function orderOf(value: unknown): FaultOrder {
  const { action, replica, behaviour } = value as Partial<FaultOrder>;
  const known = FAULT_ACTIONS.find((name) => name === action);
  if (known === undefined || !Number.isSafeInteger(replica))
    throw new CommandFailure('an order has an action and the number of a replica');
  return {
    action: known,
    replica: replica!,
    behaviour: typeof behaviour === 'string' ? behaviour : undefined,
  };
}

function replicaOf(value: unknown): number {
  const { replica } = value as { replica?: unknown };
  if (!Number.isSafeInteger(replica)) throw new CommandFailure('an order has the number of a replica');
  return replica as number;
}

async function answer(port: ControlPort, request: IncomingMessage): Promise<unknown> {
  switch (`${request.method} ${request.url}`) {
    case 'GET /processes':
      return { processes: port.processes() };
    case 'POST /fault':
      return { done: await port.fault(orderOf(await readBody(request))) };
    case 'POST /hold':
      return { wasUp: await port.hold(replicaOf(await readBody(request))) };
    case 'POST /release':
      await port.release(replicaOf(await readBody(request)));
      return { done: 'started' };
    case 'POST /down':
      port.down();
      return { done: 'the cluster is being stopped' };
    default:
      throw new CommandFailure('no such address');
  }
}

function serve(port: ControlPort, token: string, request: IncomingMessage, response: ServerResponse): void {
  const reply = (status: number, value: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  };
  const given = /^Bearer (\S{1,512})$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
  if (!sameSecret(given, token)) {
    reply(401, { problem: 'the token of this start is needed; it is in run.json of the data folder' });
    request.destroy();
    return;
  }
  answer(port, request).then(
    (value) => reply(200, value),
    (error: unknown) => reply(409, { problem: messageOf(error) }),
  );
}

/** Starts the control server. */
export async function startControl(port: ControlPort, token: string): Promise<Server> {
  const server = createServer((request, response) => serve(port, token, request, response));
  server.requestTimeout = CALL_MS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: 0, host: '127.0.0.1' }, resolve);
  });
  return server;
}

/** Port that a server listens on. */
export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** Calls the supervisor of a run file. Throws a CommandFailure; exit code 3 if it is not there. */
export async function callControl<T>(
  run: RunFile,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`http://127.0.0.1:${run.controlPort}${path}`, {
      method,
      headers: { authorization: `Bearer ${run.token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(CALL_MS),
    });
  } catch (error) {
    const cause = (error as { cause?: { code?: string } }).cause?.code ?? messageOf(error);
    throw new CommandFailure(
      `The local cluster does not answer (${cause}): is "moiety up" running?`,
      EXIT.unreachable,
    );
  }
  const value = (await response.json()) as T & { problem?: string };
  if (!response.ok) throw new CommandFailure(value.problem ?? `the supervisor answers ${response.status}`);
  return value;
}

/** The run file of a supervisor that is alive; undefined if none is. */
export function liveRun(folder: DataFolder): RunFile | undefined {
  const run = readRunFile(folder);
  return run !== undefined && isAlive(run.pid) ? run : undefined;
}

/** Processes as the supervisor reports them; undefined if there is no supervisor. */
export async function supervisedProcesses(folder: DataFolder): Promise<readonly ProcessReport[] | undefined> {
  const run = liveRun(folder);
  if (run === undefined) return undefined;
  try {
    return (await callControl<{ processes: readonly ProcessReport[] }>(run, 'GET', '/processes')).processes;
  } catch {
    return undefined;
  }
}

/** Asks the supervisor to end, and waits until it has. False if there is none. */
export async function stopSupervisor(folder: DataFolder): Promise<boolean> {
  const run = liveRun(folder);
  if (run === undefined) return false;
  try {
    await callControl(run, 'POST', '/down');
  } catch (error) {
    // Another process may have got the number of a supervisor that was killed.
    if (error instanceof CommandFailure && error.exitCode === EXIT.unreachable) return false;
    throw error;
  }
  if (!(await waitUntil(() => !isAlive(run.pid), CALL_MS)))
    throw new CommandFailure(
      `The supervisor (process ${run.pid}) does not end: kill it and run "moiety down" again.`,
    );
  return true;
}

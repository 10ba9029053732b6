/** What tests of virtual machines share: the suite over a connection, and why it cannot be run here. */
import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { decodeTrustedResponse, encodeTrustedRequest } from '../../trusted/frames.ts';
import type { TrustedRequest, TrustedResponse } from '../../trusted/contract.ts';
import type { ConformanceCheck } from '../../trusted/conformance/harness.ts';
import type { TrustedConnection } from '../contract.ts';
import { missingForImages, programImage } from './image.ts';

/** Why nothing can be built here, or false: for `skip`. */
export async function whySkipped(): Promise<string | false> {
  const missing = await missingForImages();
  if (missing.length > 0)
    return missing
      .map(({ what, debianPackage }) => `${what}${debianPackage === undefined ? '' : ` (${debianPackage})`}`)
      .join('; ');
  try {
    await programImage('usig');
    return false;
  } catch (error) {
    const { message } = error as Error;
    // Without network there is no kernel; anything else is a fault of ours.
    if (message.includes('cannot be downloaded')) return message;
    throw error;
  }
}

/** Asks one request in bytes; rejects if the connection is lost. */
export function call(connection: TrustedConnection, request: Uint8Array): Promise<Uint8Array> {
  return new Promise((done, fail) => {
    connection.send(request, (response) => {
      if (response === undefined) fail(new Error('the connection was lost'));
      else done(response);
    });
  });
}

/** Asks one request. */
export async function ask(connection: TrustedConnection, request: TrustedRequest): Promise<TrustedResponse> {
  const response = decodeTrustedResponse(await call(connection, encodeTrustedRequest(request)));
  if (response === undefined) throw new Error('not a canonical answer');
  return response;
}

/** Runs one check over connections; `restart` ends the component and gives the way to it as it is afterwards. */
export async function runOver(
  check: ConformanceCheck,
  connection: TrustedConnection,
  restart: (connection: TrustedConnection) => Promise<TrustedConnection>,
): Promise<TrustedConnection> {
  let current = connection;
  for (let step = check.next(); step.done !== true;) {
    if (step.value.kind === 'restart') {
      current = await restart(current);
      step = check.next([]);
    } else {
      const answers = step.value.requests.map((request) => call(current, request));
      step = check.next(await Promise.all(answers));
    }
  }
  return current;
}

/** A guest's program outside of a machine, one process for each connection to the socket of a folder. */
export class GuestProcesses {
  readonly #server: Server;
  readonly #children = new Set<ChildProcess>();

  constructor(folder: string, executable: string) {
    this.#server = createServer({ pauseOnConnect: true }, (socket) => {
      const child = spawn(executable, { stdio: [socket, socket, 'ignore'], env: {} });
      this.#children.add(child);
      child.once('exit', () => this.#children.delete(child));
      // The child has its own copy; without this one its end closes the connection.
      socket.destroy();
    });
    rmSync(join(folder, 'socket'), { force: true });
    this.#server.listen(join(folder, 'socket'));
  }

  close(): void {
    this.#server.close();
    for (const child of this.#children) child.kill('SIGKILL');
  }
}

/** Whether TCP ports of this machine are free, asked before anything is started. */
import { createServer } from 'node:net';
import { CommandFailure } from '../failure.ts';

/** Whether a loopback port can be listened on now. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** One port and what it is for. */
export interface WantedPort {
  readonly port: number;
  readonly what: string;
}

/** Fails with a sentence that names every port that is taken. `advice` says what to do. */
export async function requireFreePorts(wanted: readonly WantedPort[], advice: string): Promise<void> {
  const free = await Promise.all(wanted.map(({ port }) => isPortFree(port)));
  const taken = wanted.filter((_, index) => !free[index]);
  if (taken.length === 0) return;
  const list = taken.map(({ port, what }) => `${port} (${what})`).join(', ');
  throw new CommandFailure(`Port in use: ${list}. ${advice}`);
}

/**
 * `usig@service:loopback`: the whole way of a trusted service (TLS, keys, processes) on one machine, for measurements
 * and tests. The service lives in the folder of the component and as long as the connection; it protects nothing, as
 * it belongs to whom it should protect from.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TrustedRegistration } from '../../core/config.ts';
import type { FootprintOptions, TrustedConnection } from '../contract.ts';
import { processFootprint } from '../process/footprint.ts';
import { connectService, enrolAtService } from './connect.ts';
import { identityOf, ServiceError } from './identity.ts';
import { privateFolder, Roster } from './roster.ts';
import { TrustedService } from './server.ts';

/** The argument. */
export const LOOPBACK_ARGUMENT = 'loopback';

const SERVICE_FOLDER = 'loopback';
const HOST = '127.0.0.1';

async function startService(options: FootprintOptions): Promise<{ service: TrustedService; port: number }> {
  const roster = new Roster(join(options.folder, SERVICE_FOLDER));
  const { program, durability = 'fsync' } = options;
  const backend = {
    ...processFootprint,
    open: (inner: FootprintOptions) => processFootprint.open({ ...inner, durability }),
  };
  const service = new TrustedService({ roster, backend, programs: [program], log: () => undefined });
  return { service, port: await service.start(HOST, 0) };
}

/** As `Footprint.create`. */
export async function createOnLoopback(options: FootprintOptions): Promise<TrustedRegistration> {
  const { folder, program } = options;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  privateFolder(folder);
  if (isOnLoopback(folder))
    throw new ServiceError(`${folder} is not empty; a trusted component is never overwritten`);
  const identity = identityOf(join(folder, 'client.pem'), 'moiety replica', true);
  const { service, port } = await startService(options);
  try {
    new Roster(join(folder, SERVICE_FOLDER)).admit(identity.publicKey);
    const route = { host: HOST, port, serviceKey: service.publicKey, identity };
    return await enrolAtService(route, program, new Uint8Array(0));
  } finally {
    await service.close();
  }
}

/** Whether a folder holds such a service. */
export function isOnLoopback(folder: string): boolean {
  return existsSync(join(folder, SERVICE_FOLDER));
}

/** As `Footprint.open`; the front end ends with the connection, the process behind it lives on. */
export async function openOnLoopback(options: FootprintOptions): Promise<TrustedConnection> {
  const identity = identityOf(join(options.folder, 'client.pem'), 'moiety replica', false);
  const { service, port } = await startService(options);
  try {
    const route = { host: HOST, port, serviceKey: service.publicKey, identity };
    const connection = await connectService(route, options.program);
    connection.onClose(() => void service.release());
    return connection;
  } catch (error) {
    await service.close();
    throw error;
  }
}

/** As `Footprint.stop`. */
export async function stopOnLoopback(folder: string): Promise<boolean> {
  const roster = new Roster(join(folder, SERVICE_FOLDER));
  const stopped = await Promise.all(
    roster.clients().map((key) => processFootprint.stop(roster.componentFolder(key))),
  );
  return stopped.includes(true);
}

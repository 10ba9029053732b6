/**
 * Footprint (a): the component runs on another machine, at a trusted service. What the replica's folder holds is the
 * private key that TLS proves and where the service is; losing it loses the way to the component, not its state.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { hexToBytes } from '../../core/bytes.ts';
import type { TrustedRegistration } from '../../core/config.ts';
import type { Footprint, FootprintOptions, TrustedConnection } from '../contract.ts';
import { formatHostPort, parseServiceArgument } from './argument.ts';
import type { ServiceAddress } from './argument.ts';
import { connectService, enrolAtService } from './connect.ts';
import type { ServiceRoute } from './connect.ts';
import { identityOf, ServiceError } from './identity.ts';
import {
  createOnLoopback,
  isOnLoopback,
  LOOPBACK_ARGUMENT,
  openOnLoopback,
  stopOnLoopback,
} from './loopback.ts';
import { writeWhole } from '../durable-file.ts';
import { privateFolder } from './roster.ts';
import { SERVICE_FOOTPRINT } from './server.ts';

const CLIENT_KEY_FILE = 'client.pem';
const SERVICE_FILE = 'service.json';
/** Environment variable with a one-time token, where it shall not stand on a command line. */
const TOKEN_VARIABLE = 'MOIETY_ENROLMENT_TOKEN';
/** What the registry and an interrupted `create` may have left in a folder. */
const OWN_FILES: ReadonlySet<string> = new Set([CLIENT_KEY_FILE, SERVICE_FILE, 'footprint.json']);
/** How long `open` waits for a service that does not answer: it may be starting. */
const OPEN_PATIENCE_MS = 5_000;
const RETRY_MS = 200;

interface ServiceFile {
  readonly host: string;
  readonly port: number;
  readonly serviceKey: string;
}

function readServiceFile(folder: string): ServiceFile | undefined {
  const file = join(folder, SERVICE_FILE);
  if (!existsSync(file)) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    parsed = undefined;
  }
  const { host, port, serviceKey } = (parsed ?? {}) as Partial<ServiceFile>;
  if (typeof host !== 'string' || !Number.isInteger(port) || !/^[0-9a-f]{64}$/.test(serviceKey ?? ''))
    throw new ServiceError(`${file} is damaged; write host, port and serviceKey anew, or restore it`);
  return { host, port: port!, serviceKey: serviceKey! };
}

function addressOf(argument: string): ServiceAddress {
  const address = parseServiceArgument(argument);
  if (address === undefined)
    throw new ServiceError(
      `"${argument}" is not the address of a service: write host:port#<key of the service>`,
    );
  return address;
}

async function create(options: FootprintOptions): Promise<TrustedRegistration> {
  const { folder, program, argument } = options;
  if (argument === LOOPBACK_ARGUMENT) return createOnLoopback(options);
  const address = addressOf(argument);
  if (address.serviceKey === undefined)
    throw new ServiceError(
      `the key of the service is missing: write ${formatHostPort(address)}#<key>, as its operator tells you ` +
        '("moiety trusted serve" prints it); a key that is taken from whoever answers protects against nobody',
    );
  if (existsSync(folder)) {
    const strange = readdirSync(folder).filter((name) => !OWN_FILES.has(name));
    if (strange.length > 0)
      throw new ServiceError(`${folder} is not empty; a trusted component is never overwritten`);
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  privateFolder(folder);
  const identity = identityOf(join(folder, CLIENT_KEY_FILE), 'moiety replica', true);
  const { host, port, serviceKey } = address;
  const token = address.token ?? process.env[TOKEN_VARIABLE] ?? '';
  const bytes = hexToBytes(token);
  if (bytes === undefined)
    throw new ServiceError(`${TOKEN_VARIABLE} does not hold a token of hexadecimal digits`);
  // The client key stays where a refusal left it: once it is admitted, the same command goes on with it.
  const registration = await enrolAtService({ host, port, serviceKey, identity }, program, bytes);
  writeWhole(join(folder, SERVICE_FILE), `${JSON.stringify({ host, port, serviceKey }, undefined, 2)}\n`);
  return registration;
}

/** Where the component of a folder is. The argument may say that the service has moved, not that it is another one. */
function routeOf({ folder, argument }: FootprintOptions): ServiceRoute {
  if (statSync(folder, { throwIfNoEntry: false }) === undefined)
    throw new ServiceError(`there is no trusted component in ${folder}`);
  privateFolder(folder);
  const kept = readServiceFile(folder);
  const given = argument === '' ? undefined : addressOf(argument);
  if (kept === undefined) throw new ServiceError(`${folder} holds no component of a trusted service`);
  if (given?.serviceKey !== undefined && given.serviceKey !== kept.serviceKey)
    throw new ServiceError(
      `the component in ${folder} is at the service with key ${kept.serviceKey}, not ${given.serviceKey}`,
    );
  const { host, port } = given ?? kept;
  const identity = identityOf(join(folder, CLIENT_KEY_FILE), 'moiety replica', false);
  return { host, port, serviceKey: kept.serviceKey, identity };
}

async function open(options: FootprintOptions): Promise<TrustedConnection> {
  if (isOnLoopback(options.folder)) return openOnLoopback(options);
  const route = routeOf(options);
  const deadline = performance.now() + OPEN_PATIENCE_MS;
  for (;;) {
    try {
      return await connectService(route, options.program);
    } catch (error) {
      const isAway = error instanceof ServiceError && error.unreachable;
      if (!isAway || performance.now() > deadline) throw error;
    }
    await new Promise((wake) => setTimeout(wake, RETRY_MS));
  }
}

/** `program@service:host:port#key`. */
export const serviceFootprint: Footprint = {
  name: SERVICE_FOOTPRINT,
  scenario: 'a',
  summary: 'on another machine, behind mutual TLS with pinned keys',
  persistent: true,
  missing: () => Promise.resolve([]),
  create,
  open,
  // The service belongs to somebody else and lives on.
  stop: (folder) => (isOnLoopback(folder) ? stopOnLoopback(folder) : Promise.resolve(false)),
};

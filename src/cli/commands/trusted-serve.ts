/** `moiety trusted serve`: a trusted service for replicas on other machines (footprint (a) of the survey). */
import { join } from 'node:path';
import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { processFootprint } from '../../footprints/process/footprint.ts';
import { ServiceError } from '../../footprints/service/identity.ts';
import { Roster } from '../../footprints/service/roster.ts';
import { DEFAULT_SERVICE_LIMITS, TrustedService } from '../../footprints/service/server.ts';
import { PROGRAMS } from '../../trusted/programs/catalogue.ts';
import { CommandFailure } from '../failure.ts';
import { wholeNumber } from '../options.ts';
import { plural, printLine, printNote } from '../output.ts';

interface ServeOptions {
  readonly listen: { readonly host: string; readonly port: number };
  readonly folder: string;
  readonly admit?: readonly string[];
  readonly tokens: number;
  readonly tokenMinutes: number;
  readonly maxClients: number;
  readonly maxConnections: number;
}

function listenAddress(text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match !== null && port <= 65_535) return { host: (match[1] ?? match[2])!, port };
  throw new InvalidArgumentError('It must be host:port, for example 0.0.0.0:4800 or [::]:4800.');
}

function oneKey(text: string, before: readonly string[] | undefined): readonly string[] {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return [...(before ?? []), text.toLowerCase()];
  throw new InvalidArgumentError('It must be a client key of 64 hexadecimal digits.');
}

function log(line: string): void {
  printNote(`${new Date().toISOString()} ${line}`);
}

async function serve(options: ServeOptions): Promise<void> {
  let service: TrustedService;
  let port: number;
  const tokens: string[] = [];
  try {
    const roster = new Roster(options.folder);
    for (const key of options.admit ?? []) roster.admit(key);
    for (let index = 0; index < options.tokens; index += 1)
      tokens.push(roster.makeToken(options.tokenMinutes * 60_000));
    service = new TrustedService({
      roster,
      backend: processFootprint,
      programs: PROGRAMS.filter(({ builtOn }) => builtOn === undefined).map(({ name }) => name),
      limits: { clientsMax: options.maxClients, connectionsMax: options.maxConnections },
      log,
    });
    port = await service.start(options.listen.host, options.listen.port);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (error instanceof ServiceError) throw new CommandFailure(message);
    if (code === 'EADDRINUSE' || code === 'EACCES' || code === 'EADDRNOTAVAIL')
      throw new CommandFailure(
        `It cannot listen at ${options.listen.host}:${options.listen.port}: ${message}`,
      );
    throw error;
  }
  const host = options.listen.host.includes(':') ? `[${options.listen.host}]` : options.listen.host;
  printLine(`service key ${service.publicKey}`);
  printLine(`clients are listed in ${join(options.folder, 'clients')}, one key a line`);
  for (const token of tokens) printLine(`token ${token}`);
  if (tokens.length > 0)
    printLine(
      `${plural(tokens.length, 'token')}, each for one replica, for ${plural(options.tokenMinutes, 'minute')}: ` +
        `--tc usig@service:${host}:${port}#${service.publicKey}/<token>`,
    );
  printLine(`listening ${host}:${port}`);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  await service.close();
  log('stopped; every component is durable');
}

/** Adds the command below `moiety trusted`. */
export function addServeCommand(parent: Command): void {
  parent
    .command('serve')
    .summary('serve trusted components to replicas on other machines')
    .description(
      'Runs a trusted service: each replica that is admitted has a component of its own here, in a process of its ' +
        'own, which it reaches by mutual TLS. Both ends know each other by their keys, not by certificates of an ' +
        'authority. Whoever runs the service is trusted by the replicas that use it; let one service serve no more ' +
        'replicas of a cluster than may be faulty.',
    )
    .requiredOption('--listen <host:port>', 'where to listen', listenAddress)
    .requiredOption('--folder <folder>', "the service's own folder: keys, list of clients, components")
    .option('--admit <key>', 'put a client key on the list; repeat it', oneKey)
    .option('--tokens <number>', 'print so many one-time enrolment tokens', wholeNumber(0, 64), 0)
    .option('--token-minutes <number>', 'how long they are valid', wholeNumber(1, 10_080), 60)
    .option(
      '--max-clients <number>',
      'components to host, at most',
      wholeNumber(1, 1_000),
      DEFAULT_SERVICE_LIMITS.clientsMax,
    )
    .option(
      '--max-connections <number>',
      'connections at once, at most',
      wholeNumber(4, 10_000),
      DEFAULT_SERVICE_LIMITS.connectionsMax,
    )
    .addHelpText(
      'after',
      '\nExample:\n  moiety trusted serve --listen 0.0.0.0:4800 --folder trusted-service --tokens 1\n',
    )
    .exitOverride()
    .action(serve);
}

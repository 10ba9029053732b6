/** `--protocol` and `--f`: which protocol a new cluster runs, and how many replicas that makes. */
import { Option } from 'commander';
import { PROTOCOLS, protocolNamed } from '../protocols/catalogue.ts';
import type { AnyProtocol } from '../protocols/catalogue.ts';
import { F_MAX } from '../ledger/genesis.ts';
import { usageFailure } from './failure.ts';
import { wholeNumber } from './options.ts';

/** What a cluster runs unless told otherwise. */
export const DEFAULT_PROTOCOL = 'minbft';
/** Replicas of a cluster on one machine, at most. */
const LOCAL_REPLICAS_MAX = 16;
/** Faults that so many replicas can stand, of a protocol that needs the fewest. */
const LOCAL_FAULTS_MAX = Math.floor((LOCAL_REPLICAS_MAX - 1) / 2);

/** Names of all protocols, for sentences. */
function protocolNames(): string {
  return PROTOCOLS.map(({ name }) => name).join(', ');
}

/** The protocol of that name; a usage failure that lists what there is if there is none. */
export function requireProtocol(name: string): AnyProtocol {
  const protocol = protocolNamed(name);
  if (protocol !== undefined) return protocol;
  throw usageFailure(`There is no protocol "${name}"; there are ${protocolNames()} ("moiety protocols").`);
}

/** `--protocol`. Its name is judged where it is parsed. */
export function protocolOption(what = 'protocol of a new cluster'): Option {
  return new Option(
    '--protocol <name>',
    `${what} (default: ${DEFAULT_PROTOCOL}); "moiety protocols" lists them`,
  ).argParser((name) => requireProtocol(name).name);
}

/** `--replicas`. */
export function replicasOption(): Option {
  return new Option(
    '--replicas <count>',
    `replicas of a new cluster, 3 to ${LOCAL_REPLICAS_MAX} (default: what f = 1 needs)`,
  ).argParser(wholeNumber(3, LOCAL_REPLICAS_MAX));
}

/** `--f`. */
export function faultsOption(): Option {
  return new Option(
    '--f <count>',
    `faulty replicas that a new cluster tolerates, 1 to ${LOCAL_FAULTS_MAX}, within ${LOCAL_REPLICAS_MAX} replicas (default: 1)`,
  ).argParser(wholeNumber(1, LOCAL_FAULTS_MAX));
}

/** Faults that so many replicas of a protocol tolerate; undefined if it never has that many. */
export function faultsOf(protocol: Pick<AnyProtocol, 'replicasFor'>, replicas: number): number | undefined {
  for (let f = 1; f <= F_MAX; f += 1) {
    const needed = protocol.replicasFor(f);
    if (needed === replicas) return f;
    if (needed > replicas) return undefined;
  }
  return undefined;
}

/** Numbers of replicas that a protocol can have, the first ones, for sentences: `4, 7, 10, …`. */
export function possibleSizes(protocol: Pick<AnyProtocol, 'replicasFor'>): string {
  return `${[1, 2, 3].map((f) => protocol.replicasFor(f)).join(', ')}, …`;
}

/** What the options say about a new cluster on this machine. */
export interface Size {
  readonly replicas?: number;
  readonly f?: number;
}

/** Replicas of a new cluster on this machine. Throws a usage failure if the options do not fit. */
export function replicasOf(protocol: AnyProtocol, { replicas, f }: Size): number {
  const { name } = protocol;
  const chosen = replicas ?? protocol.replicasFor(f ?? 1);
  const faults = faultsOf(protocol, chosen);
  if (faults === undefined && f === undefined)
    throw usageFailure(`${name} cannot have ${chosen} replicas, but ${possibleSizes(protocol)}.`);
  if (f !== undefined && faults !== f)
    throw usageFailure(
      `${name} needs ${protocol.replicasFor(f)} replicas for f = ${f}, not ${chosen}: leave --replicas or --f out.`,
    );
  if (chosen > LOCAL_REPLICAS_MAX)
    throw usageFailure(
      `A cluster on one machine has at most ${LOCAL_REPLICAS_MAX} replicas, not ${chosen}: choose a smaller --f.`,
    );
  return chosen;
}

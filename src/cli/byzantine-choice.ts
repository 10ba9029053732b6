/**
 * What a replica of a development cluster can be told to do wrong, by protocol: lies that know MinBFT's messages, or
 * those that need no knowledge of a protocol.
 */
import { BEHAVIOURS, PROCESS_BEHAVIOURS, refusalForProcess } from '../adversary/behaviours.ts';
import { CONTENT_LIES, GENERIC_LIES } from '../adversary/generic/lies.ts';
import type { AnyProtocol } from '../protocols/catalogue.ts';
import { usageFailure } from './failure.ts';
import { requireProtocol } from './protocol-choice.ts';

/** The protocol whose messages the adversary knows. */
const KNOWN_PROTOCOL = 'minbft';
/** Need the simulator, which sees what kind of message a frame holds, or shows what more liars than a cluster stands do. */
export const SIMULATED: readonly string[] = ['mute-kinds', 'collude'];

/** Whether the lies of MinBFT are told in this protocol. */
export function knowsMessages(protocol: string): boolean {
  return protocol === KNOWN_PROTOCOL;
}

/** Names of the behaviours that a replica process of this protocol may be started with. */
export function processBehaviours({
  name,
  makesUpdates,
  trustedProgram,
}: Pick<AnyProtocol, 'name' | 'makesUpdates' | 'trustedProgram'>): readonly string[] {
  if (knowsMessages(name)) return PROCESS_BEHAVIOURS;
  const without = [
    ...SIMULATED,
    ...(makesUpdates === true ? [] : ['lie-update']),
    // On streams a message has its word and its place in one: what is said instead leaves a hole in them.
    ...(trustedProgram === 'usig' ? CONTENT_LIES : []),
  ];
  return GENERIC_LIES.map((lie): string => lie.name).filter((lie) => !without.includes(lie));
}

/** A behaviour with a sentence for people. */
export interface NamedBehaviour {
  readonly name: string;
  readonly text: string;
}

/** What a replica process of this protocol may be told to do, in words. */
export function describedBehaviours(protocol: AnyProtocol): readonly NamedBehaviour[] {
  const texts = knowsMessages(protocol.name) ? BEHAVIOURS : GENERIC_LIES;
  return processBehaviours(protocol).map((name) => ({
    name,
    text: texts.find((one) => one.name === name)?.text ?? '',
  }));
}

/** Which replica is told which lie. */
export type ByzantineChoice = ReadonlyMap<number, string>;

/** Reads one `--byzantine`, `0=equivocate`, and adds it to those before. */
export function addByzantine(text: string, before: ByzantineChoice | undefined): ByzantineChoice {
  const match = /^(\d{1,2})=([a-z+-]+)$/.exec(text);
  if (match === null)
    throw usageFailure(
      '--byzantine takes REPLICA=BEHAVIOUR, for example 0=silent; "moiety fault --help" lists the behaviours.',
    );
  return new Map([...(before ?? []), [Number(match[1]), match[2]!]]);
}

/** Fails with a sentence unless there are such replicas, and they can be told so. */
export function requireByzantine(
  choice: ByzantineChoice | undefined,
  replicas: number,
  protocol: Pick<AnyProtocol, 'name'>,
): void {
  for (const [id, behaviour] of choice ?? []) {
    if (id >= replicas)
      throw usageFailure(`There is no replica ${id}; this cluster has replicas 0 to ${replicas - 1}.`);
    requireBehaviour(behaviour, protocol.name);
  }
}

/** Why a protocol does not know a lie. */
function refusalElsewhere(behaviour: string, protocol: string, names: readonly string[]): string {
  const why = PROCESS_BEHAVIOURS.includes(behaviour)
    ? `"${behaviour}" is a lie in the messages of MinBFT, which ${protocol} does not have. `
    : '';
  return `${why}A replica process of ${protocol} takes one behaviour: ${names.join(', ')}.`;
}

/** Fails with a sentence unless a replica process of this protocol can be told to behave so. */
export function requireBehaviour(behaviour: string, protocol: string): void {
  const names = processBehaviours(requireProtocol(protocol));
  if (names.includes(behaviour)) return;
  const refusal = knowsMessages(protocol) ? refusalForProcess(behaviour) : undefined;
  throw usageFailure(
    `${refusal ?? refusalElsewhere(behaviour, protocol, names)} "none" makes the replica correct again.`,
  );
}

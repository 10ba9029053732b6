/**
 * What a replica of a development cluster can be told to do wrong, by protocol: lies that know MinBFT's messages, or
 * those that need no knowledge of a protocol.
 */
import { PROCESS_BEHAVIOURS, refusalForProcess } from '../adversary/behaviours.ts';
import { GENERIC_LIES } from '../adversary/generic/lies.ts';
import type { AnyProtocol } from '../protocols/catalogue.ts';
import { usageFailure } from './failure.ts';
import { requireProtocol } from './protocol-choice.ts';

/** The protocol whose messages the adversary knows. */
const KNOWN_PROTOCOL = 'minbft';
/** Needs the simulator, which sees what kind of message a frame holds. */
const SIMULATED: readonly string[] = ['mute-kinds'];

/** Whether the lies of MinBFT are told in this protocol. */
export function knowsMessages(protocol: string): boolean {
  return protocol === KNOWN_PROTOCOL;
}

/** Names of the behaviours that a replica process of this protocol may be started with. */
export function processBehaviours({
  name,
  makesUpdates,
}: Pick<AnyProtocol, 'name' | 'makesUpdates'>): readonly string[] {
  if (knowsMessages(name)) return PROCESS_BEHAVIOURS;
  const names = GENERIC_LIES.map((lie): string => lie.name).filter((lie) => !SIMULATED.includes(lie));
  return makesUpdates === true ? names : names.filter((lie) => lie !== 'lie-update');
}

/** Fails with a sentence unless a replica process of this protocol can be told to behave so. */
export function requireBehaviour(behaviour: string, protocol: string): void {
  const names = processBehaviours(requireProtocol(protocol));
  if (names.includes(behaviour)) return;
  const refusal = knowsMessages(protocol) ? refusalForProcess(behaviour) : undefined;
  throw usageFailure(
    `${refusal ?? `A replica process of ${protocol} takes one behaviour: ${names.join(', ')}.`} "none" makes the replica correct again.`,
  );
}

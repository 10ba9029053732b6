/** What protocols say must hold between their correct replicas at any moment: checked by the simulator, not by the product. */
import type { Replica } from '../core/protocol.ts';
import { checkThreePhase } from '../smr/three-phase/invariants.ts';
import { checkFlexi } from './flexi-bft/invariants.ts';
import { checkMinzyzzyva } from './minzyzzyva/invariants.ts';

/** Looks into the correct replicas of one protocol that run; a sentence if something is wrong. */
export interface ProtocolInvariants {
  check(replicas: readonly Replica<object>[]): string | undefined;
}

/** By name of the protocol. */
const INVARIANTS: Readonly<Record<string, ProtocolInvariants>> = {
  'a2m-pbft-e': { check: checkThreePhase },
  'flexi-bft': { check: checkFlexi },
  minzyzzyva: { check: checkMinzyzzyva },
  pbft: { check: checkThreePhase },
  'pbft-mac': { check: checkThreePhase },
};

/** The invariants of a protocol; undefined if it states none. */
export function invariantsOf(protocol: string): ProtocolInvariants | undefined {
  return INVARIANTS[protocol];
}

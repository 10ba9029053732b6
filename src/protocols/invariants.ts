/** What protocols say must hold between their correct replicas at any moment: checked by the simulator, not by the product. */
import type { Replica } from '../core/protocol.ts';
import { checkThreePhase } from '../smr/three-phase/invariants.ts';
import { checkA2mPbftEa } from './a2m-pbft-ea/invariants.ts';
import { checkCheapbft } from './cheapbft/invariants.ts';
import { checkEbawa } from './ebawa/invariants.ts';
import { checkFlexi } from './flexi-bft/invariants.ts';
import { checkMinzyzzyva } from './minzyzzyva/invariants.ts';
import { checkReminbft } from './reminbft/invariants.ts';
import { checkRepbft } from './repbft/invariants.ts';
import { checkZyzzyva } from './zyzzyva/invariants.ts';

/** Looks into the correct replicas of one protocol that run; a sentence if something is wrong. */
export interface ProtocolInvariants {
  check(replicas: readonly Replica<object>[]): string | undefined;
}

/** By name of the protocol. */
const INVARIANTS: Readonly<Record<string, ProtocolInvariants>> = {
  'a2m-pbft-e': { check: checkThreePhase },
  'a2m-pbft-ea': { check: checkA2mPbftEa },
  cheapbft: { check: checkCheapbft },
  ebawa: { check: checkEbawa },
  'flexi-bft': { check: checkFlexi },
  minzyzzyva: { check: checkMinzyzzyva },
  pbft: { check: checkThreePhase },
  'pbft-mac': { check: checkThreePhase },
  reminbft: { check: checkReminbft },
  repbft: { check: checkRepbft },
  zyzzyva: { check: checkZyzzyva },
};

/** The invariants of a protocol; undefined if it states none. */
export function invariantsOf(protocol: string): ProtocolInvariants | undefined {
  return INVARIANTS[protocol];
}

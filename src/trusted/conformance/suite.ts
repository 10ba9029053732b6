/**
 * The conformance suite: for every trusted program the checks that it must pass on every footprint. A driver starts a
 * component, runs the checks in their order and restarts the component where a check says so (`harness.ts`).
 */
import { CASH, TRINC, TRINX } from './counter-programs.ts';
import { counterChecks } from './counters.ts';
import type { NamedCheck } from './harness.ts';
import { LOG_ON_TRINC_CHECKS } from './logs-on-trinc.ts';
import { LOG_CHECKS } from './logs.ts';
import { SESSION_CHECKS } from './sessions.ts';
import { SHARE_CHECKS } from './shares.ts';
import { CONFORMANCE_CHECKS } from './usig.ts';
import { WAIT_CHECKS } from './waits.ts';

const CHECKS: Readonly<Record<string, readonly NamedCheck[]>> = {
  usig: CONFORMANCE_CHECKS,
  // A log on TrInc is a composition: its checks run on the same module.
  trinc: [...counterChecks(TRINC), ...SESSION_CHECKS, ...LOG_ON_TRINC_CHECKS],
  trinx: counterChecks(TRINX),
  cash: counterChecks(CASH),
  a2m: LOG_CHECKS,
  share: SHARE_CHECKS,
  wait: WAIT_CHECKS,
};

/** Names of the programs that have checks. */
export const CHECKED_PROGRAMS: readonly string[] = Object.keys(CHECKS);

/** The checks of a program, in an order in which they can be run on one component; none for an unknown name. */
export function conformanceOf(program: string): readonly NamedCheck[] {
  return Object.hasOwn(CHECKS, program) ? CHECKS[program]! : [];
}

/** Row of the table of protocols where f+1 active replicas of 2f+1 agree in two phases and tell the passive ones. */
import type { ProtocolFacts } from '../../core/protocol.ts';

/** See the top of this file. */
export const ACTIVE_HALF_FACTS: Omit<ProtocolFacts, 'paper' | 'quorums'> = {
  replicas: '2f+1',
  active: 'f+1',
  phases: 2,
  delays: () => 4,
  messages: (_n, f) => ({ PREPARE: f, COMMIT: f * f, UPDATE: (f + 1) * f, REPLY: f + 1 }),
  trustedCalls: (_n, f) => f + 1,
  faultsSafe: (n) => Math.floor((n - 1) / 2),
  faultsLive: (n) => Math.floor((n - 1) / 2),
};

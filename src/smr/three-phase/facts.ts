/** Row of the table of protocols for PBFT's three phases (OSDI 1999, 4.3); what a protocol on them changes it says itself. */
import type { ProtocolFacts } from '../../core/protocol.ts';

/** See the top of this file. */
export const THREE_PHASE_FACTS: Omit<ProtocolFacts, 'paper'> = {
  replicas: '3f+1',
  quorums: 'prepare, commit, view change, checkpoint 2f+1 · reply f+1',
  phases: 3,
  delays: () => 5,
  messages: (n) => ({
    'PRE-PREPARE': n - 1,
    PREPARE: (n - 1) * (n - 1),
    COMMIT: n * (n - 1),
    REPLY: n,
  }),
  trustedCalls: () => 0,
  faultsSafe: (n) => Math.floor((n - 1) / 3),
  faultsLive: (n) => Math.floor((n - 1) / 3),
};

/** RePBFT as a point of the design space: optimised, without any trusted component (code O), N = 3f+1, 2f+1 active. */
import type { ProtocolDefinition } from '../../core/protocol.ts';
import type { AttestedMessage } from '../../smr/attested/sealed.ts';
import { wireOf } from '../../smr/attested/wire.ts';
import type { RepbftContent } from './messages.ts';
import { PROTOCOL_NAME, REPBFT_MESSAGES } from './messages.ts';
import { createRepbftReplica } from './replica.ts';
import { REPBFT_RULES } from './rules.ts';

/** RePBFT (Distler, Cachin, Kapitza, IEEE TC 2016) with the completions of its README. */
export const repbft: ProtocolDefinition<AttestedMessage<RepbftContent>> = {
  name: PROTOCOL_NAME,
  title: 'RePBFT',
  designCode: 'O',
  trustedProgram: undefined,
  facts: {
    paper: 'Distler, Cachin, Kapitza, IEEE TC 2016',
    replicas: '3f+1',
    active: '2f+1',
    quorums: 'prepare, commit, view change, checkpoint 2f+1 · update, reply f+1',
    phases: 3,
    delays: () => 5,
    // Those of normal-case mode; in fault-handling mode they are PBFT's.
    messages: (_n, f) => ({
      'PRE-PREPARE': 2 * f,
      PREPARE: 2 * f * (2 * f),
      COMMIT: (2 * f + 1) * (2 * f),
      UPDATE: (2 * f + 1) * f,
      REPLY: 2 * f + 1,
    }),
    trustedCalls: () => 0,
    faultsSafe: (n) => Math.floor((n - 1) / 3),
    faultsLive: (n) => Math.floor((n - 1) / 3),
  },
  rules: REPBFT_RULES,
  makesUpdates: true,
  replicasFor: (f) => 3 * f + 1,
  createReplica: createRepbftReplica,
  ...wireOf(REPBFT_MESSAGES),
};

/** PBFT with authenticators instead of signatures: the classical paradigm without any trusted component (code C). */
import type { ProtocolDefinition } from '../../core/protocol.ts';
import type { AttestedMessage } from '../../smr/attested/sealed.ts';
import { wireOf } from '../../smr/attested/wire.ts';
import type { MacContent } from './messages.ts';
import { MAC_MESSAGES, PROTOCOL_NAME } from './messages.ts';
import { createMacReplica } from './replica.ts';
import { PBFT_MAC_RULES } from './rules.ts';

/** PBFT with authenticators (Castro and Liskov, ACM TOCS 2002) with the completions of its README. */
export const pbftMac: ProtocolDefinition<AttestedMessage<MacContent>> = {
  name: PROTOCOL_NAME,
  title: 'PBFT-MAC',
  designCode: 'C',
  trustedProgram: undefined,
  facts: {
    paper: 'Castro, Liskov, ACM TOCS 2002',
    replicas: '3f+1',
    quorums: 'prepare, commit, view change, checkpoint 2f+1 · reply f+1',
    phases: 3,
    delays: 5,
    messages: (n) => ({
      'PRE-PREPARE': n - 1,
      PREPARE: (n - 1) ** 2,
      COMMIT: n * (n - 1),
      REPLY: n,
    }),
    trustedCalls: () => 0,
    faultsSafe: (n) => Math.floor((n - 1) / 3),
    faultsLive: (n) => Math.floor((n - 1) / 3),
  },
  rules: PBFT_MAC_RULES,
  replicasFor: (f) => 3 * f + 1,
  createReplica: createMacReplica,
  ...wireOf(MAC_MESSAGES),
};

/** Flexi-BFT as a point of the design space: classical paradigm, a trusted counter at the primary alone (CA), N = 3f+1. */
import type { ProtocolDefinition } from '../../core/protocol.ts';
import type { AttestedMessage } from '../../smr/attested/sealed.ts';
import { wireOf } from '../../smr/attested/wire.ts';
import type { FlexiContent } from './messages.ts';
import { FLEXI_MESSAGES, PROTOCOL_NAME } from './messages.ts';
import { createFlexiReplica } from './replica.ts';
import { FLEXI_RULES } from './rules.ts';

/** Flexi-BFT (Gupta, Rahnama, Pandey, Crooks, Sadoghi, EuroSys 2023) with the completions of its README. */
export const flexiBft: ProtocolDefinition<AttestedMessage<FlexiContent>> = {
  name: PROTOCOL_NAME,
  title: 'Flexi-BFT',
  designCode: 'CA',
  trustedProgram: 'trinc',
  facts: {
    paper: 'Gupta, Rahnama, Pandey, Crooks, Sadoghi, EuroSys 2023',
    replicas: '3f+1',
    quorums: 'commit, view change, checkpoint 2f+1 · reply f+1',
    phases: 2,
    delays: () => 4,
    messages: (n) => ({ PREPREPARE: n - 1, PREPARE: (n - 1) * (n - 1), REPLY: n }),
    trustedCalls: () => 1,
    faultsSafe: (n) => Math.floor((n - 1) / 3),
    faultsLive: (n) => Math.floor((n - 1) / 3),
  },
  rules: FLEXI_RULES,
  replicasFor: (f) => 3 * f + 1,
  createReplica: createFlexiReplica,
  ...wireOf(FLEXI_MESSAGES),
};

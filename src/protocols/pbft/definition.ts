/** PBFT as a point of the design space: the classical paradigm without any trusted component (code C), N = 3f+1. */
import type { ProtocolDefinition } from '../../core/protocol.ts';
import type { AttestedMessage } from '../../smr/attested/sealed.ts';
import { wireOf } from '../../smr/attested/wire.ts';
import { THREE_PHASE_FACTS } from '../../smr/three-phase/facts.ts';
import type { PhaseContent } from '../../smr/three-phase/messages.ts';
import { PBFT_MESSAGES, PROTOCOL_NAME } from './messages.ts';
import { createPbftReplica } from './replica.ts';
import { PBFT_RULES } from './rules.ts';

/** PBFT with signatures (Castro and Liskov, OSDI 1999) with the completions of its README. */
export const pbft: ProtocolDefinition<AttestedMessage<PhaseContent>> = {
  name: PROTOCOL_NAME,
  title: 'PBFT',
  designCode: 'C',
  trustedProgram: undefined,
  facts: { ...THREE_PHASE_FACTS, paper: 'Castro, Liskov, OSDI 1999' },
  rules: PBFT_RULES,
  replicasFor: (f) => 3 * f + 1,
  createReplica: createPbftReplica,
  ...wireOf(PBFT_MESSAGES),
};

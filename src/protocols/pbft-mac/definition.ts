/** PBFT with authenticators instead of signatures: the classical paradigm without any trusted component (code C). */
import type { ProtocolDefinition } from '../../core/protocol.ts';
import type { AttestedMessage } from '../../smr/attested/sealed.ts';
import { wireOf } from '../../smr/attested/wire.ts';
import { THREE_PHASE_FACTS } from '../../smr/three-phase/facts.ts';
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
  facts: { ...THREE_PHASE_FACTS, paper: 'Castro, Liskov, ACM TOCS 2002' },
  rules: PBFT_MAC_RULES,
  replicasFor: (f) => 3 * f + 1,
  createReplica: createMacReplica,
  ...wireOf(MAC_MESSAGES),
};

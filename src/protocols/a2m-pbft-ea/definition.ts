/** A2M-PBFT-EA as a point of the design space: PBFT with attested append-only memory (code CA), N = 2f+1. */
import type { ProtocolDefinition } from '../../core/protocol.ts';
import type { AttestedMessage } from '../../smr/attested/sealed.ts';
import { wireOf } from '../../smr/attested/wire.ts';
import { THREE_PHASE_FACTS } from '../../smr/three-phase/facts.ts';
import type { EaContent } from './messages.ts';
import { EA_MESSAGES, PROTOCOL_NAME } from './messages.ts';
import { createA2mPbftEaReplica } from './replica.ts';
import { A2M_PBFT_EA_RULES } from './rules.ts';

/** A2M-PBFT-EA (Chun, Maniatis, Shenker, Kubiatowicz, SOSP 2007) with the completions of its README. */
export const a2mPbftEa: ProtocolDefinition<AttestedMessage<EaContent>> = {
  name: PROTOCOL_NAME,
  title: 'A2M-PBFT-EA',
  designCode: 'CA',
  trustedProgram: 'a2m',
  facts: {
    ...THREE_PHASE_FACTS,
    paper: 'Chun, Maniatis, Shenker, Kubiatowicz, SOSP 2007',
    replicas: '2f+1',
    quorums: 'prepare, commit, view change, new view, checkpoint, reply f+1',
    // PRE-PREPARE and own PREPARE are f+1 words already where f = 1.
    delays: (f) => (f === 1 ? 4 : 5),
    trustedCalls: (n) => 2 * n,
    faultsSafe: (n) => Math.floor((n - 1) / 2),
    faultsLive: (n) => Math.floor((n - 1) / 2),
  },
  rules: A2M_PBFT_EA_RULES,
  replicasFor: (f) => 2 * f + 1,
  createReplica: createA2mPbftEaReplica,
  ...wireOf(EA_MESSAGES),
};

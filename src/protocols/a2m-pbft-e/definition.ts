/** A2M-PBFT-E as a point of the design space: classical paradigm, trusted log for the execution (code CA), N = 3f+1. */
import type { ProtocolDefinition } from '../../core/protocol.ts';
import type { AttestedMessage } from '../../smr/attested/sealed.ts';
import { THREE_PHASE_FACTS } from '../../smr/three-phase/facts.ts';
import { A2M_PBFT_E_CLIENT, EXECUTION_WIRE } from './client.ts';
import type { ExecutionContent } from './messages.ts';
import { PROTOCOL_NAME } from './messages.ts';
import { createExecutionReplica } from './replica.ts';
import { A2M_PBFT_E_RULES } from './rules.ts';

/** A2M-PBFT-E (Chun, Maniatis, Shenker, Kubiatowicz, SOSP 2007) with the completions of its README. */
export const a2mPbftE: ProtocolDefinition<AttestedMessage<ExecutionContent>> = {
  name: PROTOCOL_NAME,
  title: 'A2M-PBFT-E',
  designCode: 'CA',
  trustedProgram: 'a2m',
  facts: {
    ...THREE_PHASE_FACTS,
    paper: 'Chun, Maniatis, Shenker, Kubiatowicz, SOSP 2007',
    quorums: 'prepare, commit, view change, checkpoint, attested reply 2f+1',
    trustedCalls: (n) => n,
    faultsSafe: (n) => 2 * Math.floor((n - 1) / 3),
  },
  rules: A2M_PBFT_E_RULES,
  client: A2M_PBFT_E_CLIENT,
  replicasFor: (f) => 3 * f + 1,
  createReplica: createExecutionReplica,
  ...EXECUTION_WIRE,
};

/** Zyzzyva as a point of the design space: the speculative paradigm without any trusted component (code S), N = 3f+1. */
import type { ProtocolDefinition } from '../../core/protocol.ts';
import type { AttestedMessage } from '../../smr/attested/sealed.ts';
import { wireOf } from '../../smr/attested/wire.ts';
import { ZYZZYVA_CLIENT } from './client.ts';
import type { ZyzzyvaContent } from './messages.ts';
import { PROTOCOL_NAME, ZYZZYVA_MESSAGES } from './messages.ts';
import { createZyzzyvaReplica } from './replica.ts';
import { ZYZZYVA_RULES } from './rules.ts';

/** Zyzzyva (Kotla, Alvisi, Dahlin, Clement, Wong, SOSP 2007) with a corrected view change and what its README says. */
export const zyzzyva: ProtocolDefinition<AttestedMessage<ZyzzyvaContent>> = {
  name: PROTOCOL_NAME,
  title: 'Zyzzyva',
  designCode: 'S',
  trustedProgram: undefined,
  facts: {
    paper: 'Kotla, Alvisi, Dahlin, Clement, Wong, SOSP 2007',
    replicas: '3f+1',
    quorums: 'fast reply 3f+1 · certificate, replies to it, view change, checkpoint 2f+1 · final reply f+1',
    phases: 1,
    delays: () => 3,
    messages: (n) => ({ 'ORDER-REQ': n - 1, REPLY: n }),
    trustedCalls: () => 0,
    faultsSafe: (n) => Math.floor((n - 1) / 3),
    faultsLive: (n) => Math.floor((n - 1) / 3),
  },
  rules: ZYZZYVA_RULES,
  client: ZYZZYVA_CLIENT,
  replicasFor: (f) => 3 * f + 1,
  createReplica: createZyzzyvaReplica,
  ...wireOf(ZYZZYVA_MESSAGES),
};

/** ReMinBFT as a point of the design space: optimised with trusted counters (code OA), N = 2f+1, f+1 of them active. */
import type { ProtocolDefinition } from '../../core/protocol.ts';
import type { AttestedMessage } from '../../smr/attested/sealed.ts';
import { wireOf } from '../../smr/attested/wire.ts';
import { ACTIVE_HALF_FACTS } from '../../smr/passive/facts.ts';
import type { ReContent } from './messages.ts';
import { PROTOCOL_NAME, RE_MESSAGES } from './messages.ts';
import { createReminbftReplica } from './replica.ts';
import { REMINBFT_RULES } from './rules.ts';

/** ReMinBFT (Distler, Cachin, Kapitza, IEEE TC 2016) with the completions of its README. */
export const reminbft: ProtocolDefinition<AttestedMessage<ReContent>> = {
  name: PROTOCOL_NAME,
  title: 'ReMinBFT',
  designCode: 'OA',
  trustedProgram: 'trinc',
  facts: {
    ...ACTIVE_HALF_FACTS,
    paper: 'Distler, Cachin, Kapitza, IEEE TC 2016',
    quorums: 'commit, update, view change, new view, checkpoint, reply f+1',
  },
  rules: REMINBFT_RULES,
  makesUpdates: true,
  replicasFor: (f) => 2 * f + 1,
  createReplica: createReminbftReplica,
  ...wireOf(RE_MESSAGES),
};

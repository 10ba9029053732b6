/** MinBFT as a point of the design space: classical paradigm with trusted counters (code CA), N = 2f+1. */
import type { ProtocolDefinition } from '../../core/protocol.ts';
import { decodeMessage, encodeMessage } from '../../smr/usig-stream/codec.ts';
import { streamContextsOf } from '../../smr/usig-stream/context.ts';
import type { MinbftMessage } from '../../smr/usig-stream/messages.ts';
import { sealsOf } from '../../smr/usig-stream/seals.ts';
import { createMinbftReplica, MINBFT } from './replica.ts';
import { MINBFT_RULES } from './rules.ts';

const streams = streamContextsOf(MINBFT.name, MINBFT.vote);

/** MinBFT (Veronese, Correia, Bessani, Lung, Verissimo, IEEE TC 2013) with the completions of its README. */
export const minbft: ProtocolDefinition<MinbftMessage> = {
  name: MINBFT.name,
  title: 'MinBFT',
  designCode: 'CA',
  trustedProgram: 'usig',
  facts: {
    paper: 'Veronese, Correia, Bessani, Lung, Verissimo, IEEE TC 2013',
    replicas: '2f+1',
    quorums: 'commit, view change, checkpoint, reply f+1',
    phases: 2,
    // PREPARE and own COMMIT are f+1 words already where f = 1.
    delays: (f) => (f === 1 ? 3 : 4),
    messages: (n) => ({ PREPARE: n - 1, COMMIT: (n - 1) * (n - 1), REPLY: n }),
    trustedCalls: (n) => n,
    faultsSafe: (n) => Math.floor((n - 1) / 2),
    faultsLive: (n) => Math.floor((n - 1) / 2),
  },
  rules: MINBFT_RULES,
  replicasFor: (f) => 2 * f + 1,
  createReplica: createMinbftReplica,
  encode: encodeMessage,
  decode: (bytes, context) => decodeMessage(streams(context), bytes),
  seals: sealsOf,
};

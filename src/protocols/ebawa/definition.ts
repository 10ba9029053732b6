/** EBAWA as a point of the design space: classical paradigm, trusted counters, several proposers (code CA), N = 2f+1. */
import type { ProtocolDefinition } from '../../core/protocol.ts';
import { decodeMessage, encodeMessage } from '../../smr/usig-stream/codec.ts';
import { streamContextsOf } from '../../smr/usig-stream/context.ts';
import type { UsigMessage } from '../../smr/usig-stream/messages.ts';
import { sealsOf } from '../../smr/usig-stream/seals.ts';
import { createEbawaReplica, EBAWA } from './replica.ts';
import { EBAWA_RULES } from './rules.ts';
import { EBAWA_SLOTS } from './slots.ts';

const streams = streamContextsOf(EBAWA.name, EBAWA.vote, EBAWA_SLOTS);

/** EBAWA-P: rotating MinBFT for wide areas after Veronese, Correia, Bessani, Lung (HASE 2010); see its README. */
export const ebawa: ProtocolDefinition<UsigMessage> = {
  name: EBAWA.name,
  title: 'EBAWA',
  designCode: 'CA',
  trustedProgram: 'usig',
  facts: {
    paper: 'Veronese, Correia, Bessani, Lung, IEEE HASE 2010',
    replicas: '2f+1',
    quorums: 'commit, view change, checkpoint, reply f+1',
    phases: 2,
    // A PREPARE and the own word are f+1 where f = 1. Idle owners before give their slots up when they see it, and that
    // needs as many words: one message later.
    delays: (f) => (f === 1 ? 4 : 5),
    // One owner has a request, the others skip their slots of the round; each votes for the batch, then for the SKIPs.
    messages: (n) => ({ PREPARE: n * (n - 1), 'COMMIT-VECTOR': (2 * n - 1) * (n - 1), REPLY: n }),
    trustedCalls: (n) => 3 * n - 1,
    faultsSafe: (n) => Math.floor((n - 1) / 2),
    faultsLive: (n) => Math.floor((n - 1) / 2),
  },
  rules: EBAWA_RULES,
  replicasFor: (f) => 2 * f + 1,
  createReplica: createEbawaReplica,
  encode: encodeMessage,
  decode: (bytes, context) => decodeMessage(streams(context), bytes),
  seals: sealsOf,
};

/** MinZyzzyva as a point of the design space: speculation with trusted counters (code SA), N = 2f+1. */
import type { ProtocolDefinition } from '../../core/protocol.ts';
import { decodeMessage, encodeMessage } from '../../smr/usig-stream/codec.ts';
import { streamContextsOf } from '../../smr/usig-stream/context.ts';
import { sealsOf } from '../../smr/usig-stream/seals.ts';
import { minzyzzyvaClient } from './client.ts';
import {
  CERTIFICATE_KIND,
  decodeCommitCertificate,
  encodeCertificateOf,
  encodeStatement,
} from './messages.ts';
import type { MinzyzzyvaMessage } from './messages.ts';
import { createMinzyzzyvaReplica, MINZYZZYVA } from './replica.ts';
import { MINZYZZYVA_RULES } from './rules.ts';

const streams = streamContextsOf(MINZYZZYVA.name, MINZYZZYVA.vote);

/** MinZyzzyva (Veronese, Correia, Bessani, Lung, Verissimo, IEEE TC 2013) with the completions of its README. */
export const minzyzzyva: ProtocolDefinition<MinzyzzyvaMessage> = {
  name: MINZYZZYVA.name,
  title: 'MinZyzzyva',
  designCode: 'SA',
  trustedProgram: 'usig',
  facts: {
    paper: 'Veronese, Correia, Bessani, Lung, Verissimo, IEEE TC 2013',
    replicas: '2f+1',
    quorums: 'fast reply 2f+1 · certificate, final reply, view change, checkpoint f+1',
    phases: 1,
    delays: () => 3,
    messages: (n) => ({ PREPARE: n - 1, REPLY: n }),
    trustedCalls: (n) => n,
    faultsSafe: (n) => Math.floor((n - 1) / 2),
    faultsLive: (n) => Math.floor((n - 1) / 2),
  },
  rules: MINZYZZYVA_RULES,
  client: minzyzzyvaClient(streams),
  replicasFor: (f) => 2 * f + 1,
  createReplica: createMinzyzzyvaReplica,
  encode: (message) =>
    message.kind === 'COMMIT-CERTIFICATE'
      ? encodeCertificateOf(message.statements.map(encodeStatement))
      : encodeMessage(message),
  decode: (bytes, context) =>
    bytes[0] === CERTIFICATE_KIND
      ? decodeCommitCertificate(streams(context), bytes)
      : decodeMessage(streams(context), bytes),
  seals: (message) => (message.kind === 'COMMIT-CERTIFICATE' ? [] : sealsOf(message)),
};

/** CheapBFT as a point of the design space: optimised with trusted counters (code OA), N = 2f+1, f+1 of them active. */
import type { DecodeContext, ProtocolDefinition, Seal } from '../../core/protocol.ts';
import type { AttestedMessage } from '../../smr/attested/sealed.ts';
import { isSealed } from '../../smr/attested/sealed.ts';
import { wireOf } from '../../smr/attested/wire.ts';
import { ACTIVE_HALF_FACTS } from '../../smr/passive/facts.ts';
import type { FallbackDefinition } from './inner.ts';
import { carriedBy, readInner } from './inner.ts';
import type { CheapContent } from './messages.ts';
import { CHEAP_MESSAGES, PROTOCOL_NAME } from './messages.ts';
import { createCheapReplica } from './replica.ts';
import { CHEAPBFT_RULES } from './rules.ts';

type CheapMessage = AttestedMessage<CheapContent>;

/** CheapBFT (Kapitza et al., EuroSys 2012) with the completions of its README, over a fallback with one counter per replica. */
export function cheapbftOver(fallback: FallbackDefinition): ProtocolDefinition<CheapMessage> {
  const wire = wireOf(CHEAP_MESSAGES);
  return {
    name: PROTOCOL_NAME,
    title: 'CheapBFT',
    designCode: 'OA',
    trustedProgram: 'cash',
    facts: {
      ...ACTIVE_HALF_FACTS,
      paper: 'Kapitza, Behl, Cachin, Distler, Kuhnle, Mohammadi, Schröder-Preikschat, Stengel, EuroSys 2012',
      quorums: 'commit and update all f+1 active · switch, checkpoint, reply f+1',
    },
    rules: CHEAPBFT_RULES,
    makesUpdates: true,
    replicasFor: (f) => 2 * f + 1,
    createReplica: (context) => createCheapReplica(context, fallback),
    encode: wire.encode,
    decode: (bytes, context) => decodeWith(wire.decode(bytes, context), fallback, context),
    seals: (message) => [...wire.seals(message), ...innerSeals(message)],
  };
}

function decodeWith(
  message: CheapMessage | undefined,
  fallback: FallbackDefinition,
  context: DecodeContext,
): CheapMessage | undefined {
  if (message === undefined || !isSealed(message)) return message;
  const { content } = message;
  return content.kind !== 'FALLBACK' || readInner(fallback, context, content) ? message : undefined;
}

/** What has to hold in the message of the fallback that is inside. */
function innerSeals(message: CheapMessage): readonly Seal[] {
  if (!isSealed(message) || message.content.kind !== 'FALLBACK') return [];
  return carriedBy(message.content)?.seals ?? [];
}

/** What replicas answer to clients, read for those who look on. */
import { decodeReplicaFrame } from '../core/client-wire.ts';
import type { ReplyContent } from '../core/client-wire.ts';
import type { CoreReply } from './core/frame.ts';
import type { SeenExchange } from './listener.ts';

/** Bytes of a reply without proof and results: kind, replica, session, view, standing, two lengths, signature. */
const REPLY_BYTES = 1 + 4 + 8 + 8 + 1 + 4 + 4 + 64;
/** Bytes of a result without its own: number, txId, sequence, height, length. */
const RESULT_BYTES = 8 + 32 + 8 + 8 + 4;

/** The same for both fidelities: what a reply says, without its bytes. */
function seenReply(reply: ReplyContent, bytes: number): SeenExchange {
  const { replica, session, view, standing, proof, results } = reply;
  const sequence = results[0]?.sequence;
  return {
    kind: standing === 'speculative' ? 'SPEC-RESPONSE' : 'REPLY',
    view,
    ...(sequence === undefined ? {} : { sequence }),
    bytes,
    content: { replica, session, view, standing, proof, results },
  };
}

/** An answer of the whole fidelity; garbage has a kind of its own. */
export function seeAnswer(bytes: Uint8Array): SeenExchange {
  const frame = decodeReplicaFrame(bytes);
  const { length } = bytes;
  if (frame === undefined) return { kind: 'garbage', bytes: length, content: {} };
  if (frame.kind === 'reply') return seenReply(frame, length);
  return { kind: frame.kind, bytes: length, content: frame };
}

/** An answer of the core fidelity, with the size that it would have on a link. */
export function seeReply(reply: CoreReply): SeenExchange {
  let bytes = REPLY_BYTES + reply.proof.length;
  for (const { result } of reply.results) bytes += RESULT_BYTES + result.length;
  return seenReply(reply, bytes);
}

/** A MinZyzzyva replica: that of USIG streams with speculation, which alone understands certificates of clients. */
import type { Input, Replica, ReplicaContext } from '../../core/protocol.ts';
import type { UsigProtocol } from '../../smr/usig-replica/part.ts';
import { createUsigReplica } from '../../smr/usig-replica/replica.ts';
import type { ReplicaState } from '../../smr/usig-replica/state.ts';
import type { UsigMessage } from '../../smr/usig-stream/messages.ts';
import type { CommitCertificate, MinzyzzyvaMessage } from './messages.ts';
import { Speculation } from './speculation.ts';

/** Name in settings and digests, and the kind of vote. */
export const MINZYZZYVA = { name: 'minzyzzyva', vote: 'SPEC' } as const;

/** A replica with its inside, which judges and tests look at and nobody else changes. */
export interface MinzyzzyvaReplica extends Replica<MinzyzzyvaMessage> {
  readonly state: ReplicaState;
  tentative(): ReturnType<Speculation['tentative']>;
}

function certificateIn(input: Input<MinzyzzyvaMessage>): CommitCertificate | undefined {
  if (input.kind !== 'message' && input.kind !== 'clientMessage') return undefined;
  return input.message.kind === 'COMMIT-CERTIFICATE' ? input.message : undefined;
}

/** Makes a replica. Its first input must be `start`. */
export function createMinzyzzyvaReplica(context: ReplicaContext): MinzyzzyvaReplica {
  let speculation: Speculation | undefined;
  const protocol: UsigProtocol = { ...MINZYZZYVA, part: (s) => (speculation = new Speculation(s)) };
  const replica = createUsigReplica(context, protocol);
  return {
    state: replica.state,
    tentative: () => speculation?.tentative() ?? [],
    inspect: replica.inspect,
    step: (input, now) => {
      const certificate = certificateIn(input);
      if (certificate !== undefined) return replica.take(now, () => speculation?.onCertificate(certificate));
      return replica.step(input as Input<UsigMessage>, now);
    },
  };
}

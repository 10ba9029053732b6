/** A PBFT replica: three phases with signatures, nothing more. */
import type { Replica, ReplicaContext } from '../../core/protocol.ts';
import type { AttestedMessage } from '../../smr/attested/sealed.ts';
import { SealedCodec } from '../../smr/attested/sealed.ts';
import type { PhaseContent } from '../../smr/three-phase/messages.ts';
import { ThreePhaseReplica } from '../../smr/three-phase/replica.ts';
import { PBFT_MESSAGES } from './messages.ts';

class PbftReplica extends ThreePhaseReplica<PhaseContent> {}

/** Makes a replica. Its first input must be `start`. */
export function createPbftReplica(context: ReplicaContext): Replica<AttestedMessage<PhaseContent>> {
  return new PbftReplica(context, new SealedCodec(context, PBFT_MESSAGES));
}

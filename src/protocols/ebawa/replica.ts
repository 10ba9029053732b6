/** An EBAWA replica: that of USIG streams, in views with several owners of slots. */
import type { ReplicaContext } from '../../core/protocol.ts';
import type { UsigProtocol } from '../../smr/usig-replica/part.ts';
import { createUsigReplica } from '../../smr/usig-replica/replica.ts';
import type { UsigReplica } from '../../smr/usig-replica/replica.ts';
import { Owners } from './owners.ts';
import { EBAWA_SLOTS } from './slots.ts';

/** See `UsigProtocol`. */
export const EBAWA: UsigProtocol = {
  name: 'ebawa',
  vote: 'COMMIT-VECTOR',
  slots: EBAWA_SLOTS,
  part: (s) => new Owners(s),
};

/** Makes a replica. Its first input must be `start`. */
export function createEbawaReplica(context: ReplicaContext): UsigReplica {
  return createUsigReplica(context, EBAWA);
}

/** The desk that the parts of a replica share; in which mode the replica is, it is told. */
import type { ReplicaInspection } from '../../core/protocol.ts';
import { ReplicaDesk } from '../replica-desk.ts';

/** See the top of this file. */
export class Desk<M> extends ReplicaDesk<M> {
  override mode: ReplicaInspection['mode'] = 'active';
}

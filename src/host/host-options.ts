/** What the host of a replica is made of. */
import type { ClusterSettings } from '../core/config.ts';
import type { ProtocolDefinition, Replica, RuleTrace } from '../core/protocol.ts';
import type { ReplicaId } from '../core/types.ts';
import type { CryptoPort } from '../crypto/port.ts';
import type { LedgerExecutor } from '../ledger/contract.ts';
import type { HostPorts } from './ports.ts';

/** What a host is made of; complete at construction. */
export interface HostOptions<M> {
  readonly self: ReplicaId;
  readonly settings: ClusterSettings;
  readonly definition: ProtocolDefinition<M>;
  readonly executor: LedgerExecutor;
  readonly crypto: CryptoPort;
  readonly ports: HostPorts;
  readonly seed: number;
  /** Bytes of the journal that are worth a snapshot; absent: each stable checkpoint is. */
  readonly snapshotAfterBytes?: number;
  /** Puts something between protocol and host: adversaries in simulations and development clusters, nothing else. */
  readonly wrapReplica?: (replica: Replica<M>) => Replica<M>;
  readonly trace?: (event: RuleTrace) => void;
}

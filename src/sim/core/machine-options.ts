/** What a machine of the core fidelity is made of. */
import type { CheckpointState, ProtocolDefinition, Replica, RuleTrace } from '../../core/protocol.ts';
import type { Prng } from '../../core/prng.ts';
import type { ReplicaId } from '../../core/types.ts';
import type { Chance } from '../chance.ts';
import type { SimClock } from '../clock.ts';
import type { EventQueue } from '../event-queue.ts';
import type { Judge } from '../judge.ts';
import type { WorldListener } from '../listener.ts';
import type { BatchBook } from './batch-book.ts';
import type { CoreImage } from './core-image.ts';
import type { CoreDisk } from './disk.ts';
import type { CoreFrame, CoreReply } from './frame.ts';
import type { CoreGenesis } from './genesis.ts';
import type { KeyRing, SealBook } from './seal-book.ts';
import type { CoreStateDesk } from './state-desk.ts';
import type { TransferAnswer } from './transfer.ts';
import type { CoreTrusted } from './trusted.ts';

/** What a note says. */
export type Detail = Readonly<Record<string, string | number | boolean>>;

/** What a machine is made of. */
export interface CoreMachineOptions<M extends object> {
  readonly id: ReplicaId;
  readonly genesis: CoreGenesis;
  readonly definition: ProtocolDefinition<M>;
  readonly seals: SealBook<M>;
  readonly batches: BatchBook<M>;
  readonly trusted: CoreTrusted;
  readonly trustedLatency: { readonly lowMs: number; readonly highMs: number };
  readonly disk: CoreDisk;
  readonly queue: EventQueue;
  readonly chance: Chance;
  readonly random: Prng;
  readonly judge: Judge;
  readonly isCorrect: boolean;
  readonly wall: SimClock;
  readonly toPeer: (to: ReplicaId, frame: CoreFrame<M>) => void;
  readonly toClient: (client: number, reply: CoreReply) => void;
  /** Asks another machine for its state at a checkpoint; the world knows who is up and reachable. */
  readonly askState: (source: ReplicaId, checkpoint: CheckpointState) => TransferAnswer;
  readonly note: (replica: ReplicaId, name: string, detail: Detail) => void;
  readonly listener: Pick<WorldListener, 'onExecuted' | 'onWorked' | 'onTimer'>;
  readonly trace?: (event: RuleTrace) => void;
  readonly wrapReplica?: (replica: Replica<M>) => Replica<M>;
}

/** Everything that a crash takes. */
export interface Running<M> {
  readonly replica: Replica<M>;
  readonly state: CoreStateDesk;
  readonly image: CoreImage;
  readonly ring: KeyRing;
  readonly inner: Replica<M>;
}

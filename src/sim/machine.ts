/**
 * What the world, the fault driver and the judges know of a simulated machine: nothing about what is inside. One
 * implementation runs the whole host on bytes (`node.ts`); another may run the bare protocol core on objects.
 * `F` is what travels over links.
 */
import type { PeerInspection } from '../core/protocol.ts';
import type { Milliseconds, ReplicaId, SequenceNumber, View } from '../core/types.ts';

/** What a look into a running machine shows. */
export interface MachineLook {
  readonly view: View;
  readonly mode: string;
  readonly phase: string;
  /** Highest executed sequence number. */
  readonly sequence: SequenceNumber;
  readonly stable: SequenceNumber;
  /** Equal on machines that executed the same. */
  readonly headerHash: string;
  readonly waitsFor?: string | null;
  readonly peers: readonly Pick<PeerInspection, 'replica' | 'dead' | 'incarnation'>[];
}

/** See the top of this file. */
export interface Machine<F = Uint8Array> {
  readonly id: ReplicaId;
  /** False for a Byzantine machine: nobody judges what it says about itself. */
  readonly isCorrect: boolean;
  readonly isUp: boolean;
  /** What its own clock shows. */
  readonly clock: Milliseconds;
  /** Whether it lost its disk once: from then on a start may find that sealed messages are lost. */
  amnesic: boolean;
  /** Starts after the first one. */
  readonly restarts: number;
  /** State transfers of all lives. */
  readonly stateTransfers: number;
  /** Why the host stopped itself, if it did. */
  readonly fatal: string | undefined;
  /** Why it does not start on what its disk holds; absent if it does, or has no such disk. */
  readonly refusal?: string | undefined;
  /** Starts on what the disk holds. */
  start(): void;
  /** Power is cut. */
  crash(): void;
  /** Stops or continues the process (SIGSTOP, SIGCONT): what arrives meanwhile waits. */
  pause(paused: boolean): void;
  onPeerFrame(from: ReplicaId, frame: F): void;
  onPeerUp(peer: ReplicaId): void;
  onPeerDown(peer: ReplicaId): void;
  /** The link to its trusted component broke: what was asked and not answered never will be. */
  onTrustedLost?(): void;
  /** Its trusted component answers again. */
  onTrustedBack?(): void;
  onClientFrame(client: number, key: Uint8Array, frame: F): void;
  /** Undefined if it is down. `brief`: as of `Replica.inspect`. */
  look(brief?: boolean): MachineLook | undefined;
  /** Numbers of things that it keeps in memory, by name; empty if it is down. */
  sizes(): Readonly<Record<string, number>>;
}

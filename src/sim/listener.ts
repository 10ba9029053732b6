/**
 * Who listens to a world: a trace, the rules of a script. A world runs alike with and without a listener, unless the
 * listener keeps frames from their receivers.
 */
import type { ReplicaId, SequenceNumber } from '../core/types.ts';
import type { Believed } from './client.ts';

/** What a replica told about itself, as a note has it. */
export type NoteDetail = Readonly<Record<string, string | number | boolean>>;

/** See the top of this file. `F` is what travels over links. */
export interface WorldListener<F = Uint8Array> {
  /** A frame is put on a link. */
  readonly onSend?: (from: ReplicaId, to: ReplicaId, frame: F) => void;
  /** A frame reached its receiver; false keeps it from being delivered. */
  readonly onArrival?: (from: ReplicaId, to: ReplicaId, frame: F) => boolean;
  /** A frame of a client reached a replica; false keeps it from being delivered. */
  readonly onClientFrame?: (client: number, to: ReplicaId, frame: F) => boolean;
  /** A replica answers a client; in the core fidelity. */
  readonly onReply?: (from: ReplicaId, client: number) => void;
  /** A replica executed a batch, live or when it replayed its journal. */
  readonly onExecuted?: (replica: ReplicaId, sequence: SequenceNumber, digest: string) => void;
  /** A client is about to send a request; with its operation in the core fidelity. */
  readonly onIssued?: (client: number, txId: string, operation?: Uint8Array) => void;
  /** A client believes a result. */
  readonly onBelieved?: (believed: Believed) => void;
  /** A replica told something: notes of the protocol, `evidence`, `ignored`, `fatal`. */
  readonly onNote?: (replica: ReplicaId, name: string, detail: NoteDetail) => void;
  /** A fault began or ended, in words. */
  readonly onFault?: (text: string) => void;
}

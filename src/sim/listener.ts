/**
 * Who listens to a world: a trace, the rules of a script. A world runs alike with and without a listener, unless the
 * listener keeps frames from their receivers.
 */
import type { CounterValue, ReplicaId, SequenceNumber, View } from '../core/types.ts';
import type { Believed } from './client.ts';

/** What a replica told about itself, as a note has it. */
export type NoteDetail = Readonly<Record<string, string | number | boolean>>;

/** How long a frame of any fidelity is, and what it says. */
export interface Parcel {
  /** Encoded size. */
  readonly bytes: number;
  readonly content: object;
}

/** What a client asks or a replica answers. */
export interface SeenExchange extends Parcel {
  /** `REQUEST`; `REPLY`, `SPEC-RESPONSE` (it may yet be undone); the kind of another message or frame. */
  readonly kind: string;
  readonly view?: View;
  readonly sequence?: SequenceNumber;
}

/** To be called when what was sent arrives. */
export type Arrival = () => void;

/** See the top of this file. `F` is what travels over links. */
export interface WorldListener<F = Uint8Array> {
  /** A frame is put on a link. */
  readonly onSend?: (from: ReplicaId, to: ReplicaId, frame: F) => void;
  /** A frame reached its receiver; false keeps it from being delivered. */
  readonly onArrival?: (from: ReplicaId, to: ReplicaId, frame: F) => boolean;
  /** The replica has worked on the frame of another replica or a client that was handed to it last. */
  readonly onTaken?: () => void;
  /** A client puts a frame on its link to a replica; what it gives back is called if the frame reaches it. */
  readonly onAsk?: (client: number, to: ReplicaId, frame: F) => Arrival;
  /**
   * A frame of a client reached a replica; false keeps it from being delivered, and so does `heard`: somebody took it in
   * the place of that replica.
   */
  readonly onClientFrame?: (client: number, to: ReplicaId, frame: F) => boolean | 'heard';
  /** A replica puts an answer on its link to a client; what it gives back is called if the answer reaches the client. */
  readonly onReply?: (from: ReplicaId, client: number, see: () => SeenExchange) => Arrival | void;
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
  /** A trusted component gave a value of one of its counters or logs; `object` is undefined where it has only one. */
  readonly onCertified?: (replica: ReplicaId, object: string | undefined, value: CounterValue) => void;
  /** A timer of a replica ran out. */
  readonly onTimer?: (replica: ReplicaId, timer: string) => void;
  /** A replica has worked: what a look at it shows may have changed. */
  readonly onWorked?: (replica: ReplicaId) => void;
  /** After every event of the run; false ends it. */
  readonly onEvent?: () => boolean;
}

/** V1 to V6: validity of a VIEW-CHANGE as a pure function. */
import type { Digest, Incarnation, ReplicaId, SequenceNumber, TcEpoch } from '../../core/types.ts';
import type { Registry } from '../registry.ts';
import type { StreamContext } from './context.ts';
import type {
  CheckpointCertificate,
  FullNewView,
  NewViewHeader,
  NewViewHeaderContent,
  NewViewProof,
  NewViewReference,
  Prepare,
  ViewChange,
} from './messages.ts';
import type { StreamLookup, StreamState } from './stream.ts';
import type { Validity } from './validity.ts';

/** Bounded memory of verdicts. */
export class ValidationCache {
  constructor(limit = 1024) {
    void limit;
  }
}

/** What validation may ask for; everything it gives is certified or content-addressed, so all replicas agree on it. */
export interface ValidationKnowledge {
  /** A registry of the chain of incarnations by its digest; genesis need not be among them. */
  readonly byDigest: (digest: Digest) => Registry | undefined;
  /** The incarnation bound to (replica, tcEpoch) in any registry of the chain; genesis included. */
  readonly incarnationOf: (replica: ReplicaId, tcEpoch: TcEpoch) => Incarnation | undefined;
  /** Content of a NEW-VIEW that the caller holds, by the digest of its header. */
  readonly newViewProof?: (digest: Digest) => NewViewProof | undefined;
  readonly cache: ValidationCache;
}

/** A NEW-VIEW that N1 to N4 hold for. */
export interface ValidNewView {
  readonly header: NewViewHeader;
  readonly incarnation: Incarnation;
  /** Entries low+1..end; undefined if only a certificate without base is known. */
  readonly base: readonly Prepare[] | undefined;
}

/** A stable checkpoint as its certificate says. Sequence 0: genesis. */
export interface StableCheckpoint {
  readonly sequence: SequenceNumber;
  readonly stateDigest: Digest;
  readonly registryDigest: Digest;
  readonly certificate: CheckpointCertificate | undefined;
}

/** Result of V1 to V6. */
export interface ValidViewChange {
  readonly incarnation: Incarnation;
  /** n_K and what is certified there. */
  readonly stable: StableCheckpoint;
  /** end(VC). */
  readonly end: StreamState;
  /** Content of `end.newView`, if the log holds an entry for it. */
  readonly newView: ValidNewView | undefined;
}

/** Result of computeBase. */
export interface ComputedBase {
  readonly low: SequenceNumber;
  readonly lowDigest: Digest;
  readonly lowRegistryDigest: Digest;
  /** Certificate of `low`, if one of the VIEW-CHANGEs shows it. */
  readonly certificate: CheckpointCertificate | undefined;
  readonly end: SequenceNumber;
  readonly base: readonly Prepare[];
  readonly baseDigest: Digest;
  /** NV*: the NEW-VIEW it descends from; view -1: none. */
  readonly parent: NewViewReference;
}

/** V1 to V6. */
export function validViewChange(
  context: StreamContext,
  message: ViewChange,
  known: ValidationKnowledge,
): Validity<ValidViewChange> {
  throw new Error(`pending ${context.n} ${message.kind} ${known.cache}`);
}

/** Certificate of a stable checkpoint: f+1 distinct replicas that agree. */
export function validCheckpointCertificate(
  context: StreamContext,
  certificate: CheckpointCertificate,
  known: Pick<ValidationKnowledge, 'incarnationOf'>,
): Validity<StableCheckpoint> {
  throw new Error(`pending ${context.n} ${certificate} ${known}`);
}

/** computeBase over valid VIEW-CHANGEs. */
export function computeBase(
  context: StreamContext,
  viewChanges: readonly ViewChange[],
  known: ValidationKnowledge,
): Validity<ComputedBase> {
  throw new Error(`pending ${context.n} ${viewChanges.length} ${known.cache}`);
}

/** N1 to N4. A proof whose attachments do not fit its header gives `need`: the content is still lacking. */
export function validNewView(
  context: StreamContext,
  proof: NewViewProof,
  known: ValidationKnowledge,
): Validity<ValidNewView> {
  throw new Error(`pending ${context.n} ${proof.kind} ${known.cache}`);
}

/** Content of the NEW-VIEW for these VIEW-CHANGEs, if N1, N2, N4 hold: what the new primary asks before it seals. */
export function newViewContent(
  context: StreamContext,
  viewChanges: readonly ViewChange[],
  known: ValidationKnowledge,
): Validity<{ readonly content: NewViewHeaderContent; readonly computed: ComputedBase }> {
  throw new Error(`pending ${context.n} ${viewChanges.length} ${known.cache}`);
}

/** Lookup for `stepStream` over live messages. */
export function liveLookup(context: StreamContext, known: ValidationKnowledge): StreamLookup {
  return {
    incarnationOf: known.incarnationOf,
    viewChange: (message) => validViewChange(context, message, known),
    newView: (header: NewViewHeader, attached: FullNewView | undefined) =>
      attached === undefined
        ? { kind: 'need', what: { kind: 'newView', digest: header.digest, view: header.view } }
        : validNewView(context, attached, known),
  };
}

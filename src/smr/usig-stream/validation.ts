/**
 * What the validity of VIEW-CHANGE and NEW-VIEW is a function of, besides their bytes, and what it results in. All of it
 * is certified or content-addressed, so every replica comes to the same verdict.
 */
import { ZERO_DIGEST } from '../../core/types.ts';
import type { Digest, Incarnation, ReplicaId, SequenceNumber, TcEpoch } from '../../core/types.ts';
import type { UniqueIdentifier } from '../../core/protocol.ts';
import type { Registry } from '../registry.ts';
import type { StreamContext } from './context.ts';
import type {
  CheckpointCertificate,
  NewViewHeader,
  NewViewProof,
  NewViewReference,
  Prepare,
  ViewChange,
} from './messages.ts';
import type { StreamState } from './stream.ts';
import { need } from './validity.ts';
import type { Invalid, Need, Validity } from './validity.ts';

/** A NEW-VIEW that N1 to N4 hold for. */
export interface ValidNewView {
  readonly header: NewViewHeader;
  /** Of its author. */
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
  /** end(VC): the stream after the log. */
  readonly end: StreamState;
  /** Content of `end.newView`, if the log holds an entry for it. */
  readonly newView: ValidNewView | undefined;
}

/** Result of computeBase. */
export interface ComputedBase {
  /** nLow. */
  readonly low: SequenceNumber;
  readonly lowDigest: Digest;
  readonly lowRegistryDigest: Digest;
  /** Certificate of `low`, if one of the VIEW-CHANGEs shows it. */
  readonly certificate: CheckpointCertificate | undefined;
  /** nEnd. */
  readonly end: SequenceNumber;
  /** Entries low+1..end with their original headers. */
  readonly base: readonly Prepare[];
  readonly baseDigest: Digest;
  /** NV*: the NEW-VIEW it descends from; view -1: none. */
  readonly parent: NewViewReference;
}

/** Identity of a sealed message: what was sealed, by which counter value. */
function nameOf(message: { readonly digest: Digest; readonly ui: UniqueIdentifier }): string {
  const { digest, ui } = message;
  return `${digest}.${ui.replica}.${ui.tcEpoch}.${ui.counter}`;
}

/** Whether two seals name the same counter value; authenticators are not compared. */
export function sameUi(a: UniqueIdentifier, b: UniqueIdentifier): boolean {
  return a.counter === b.counter && a.replica === b.replica && a.tcEpoch === b.tcEpoch;
}

/** Map that forgets what was not used for longest. */
class BoundedMap<V> {
  readonly #limit: number;
  readonly #values = new Map<string, V>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): V | undefined {
    const value = this.#values.get(key);
    if (value !== undefined) {
      this.#values.delete(key);
      this.#values.set(key, value);
    }
    return value;
  }

  set(key: string, value: V): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size <= this.#limit) return;
    for (const oldest of this.#values.keys()) {
      this.#values.delete(oldest);
      return;
    }
  }
}

type Settled<T> = { readonly kind: 'valid'; readonly value: T } | Invalid;

/**
 * Bounded memory of verdicts. Losing an entry costs time, never correctness. `need` is remembered only until the
 * outermost question is answered: attachments are not sealed, and without that memory a message with two forged variants
 * of each attachment would cost time exponential in its depth.
 */
export class ValidationCache {
  readonly #lacking = new Map<object, Need>();
  #depth = 0;
  readonly #viewChanges: BoundedMap<Settled<ValidViewChange>>;
  readonly #newViews: BoundedMap<Settled<ValidNewView>>;

  /** Remembers at most `limit` verdicts of each sort. */
  constructor(limit = 512) {
    this.#viewChanges = new BoundedMap(limit);
    this.#newViews = new BoundedMap(limit);
  }

  /** Runs `judge`, at most once for each `message` within the outermost call if it ends in `need`. */
  once<T>(message: object, judge: () => Validity<T>): Validity<T> {
    const lacking = this.#lacking.get(message);
    if (lacking !== undefined) return lacking;
    this.#depth += 1;
    const verdict = judge();
    this.#depth -= 1;
    if (this.#depth === 0) this.#lacking.clear();
    else if (verdict.kind === 'need') this.#lacking.set(message, verdict);
    return verdict;
  }

  viewChange(message: ViewChange): Settled<ValidViewChange> | undefined {
    return this.#viewChanges.get(nameOf(message));
  }

  keepViewChange(message: ViewChange, verdict: Validity<ValidViewChange>): void {
    if (verdict.kind !== 'need') this.#viewChanges.set(nameOf(message), verdict);
  }

  newView(header: NewViewHeader): Settled<ValidNewView> | undefined {
    return this.#newViews.get(nameOf(header));
  }

  keepNewView(header: NewViewHeader, verdict: Validity<ValidNewView>): void {
    if (verdict.kind !== 'need') this.#newViews.set(nameOf(header), verdict);
  }
}

/** What validation may ask for. */
export interface ValidationKnowledge {
  /** A registry of the chain of incarnations by its digest; genesis need not be among them. */
  readonly byDigest: (digest: Digest) => Registry | undefined;
  /** The incarnation bound to (replica, tcEpoch) in any registry of the chain, genesis included. */
  readonly incarnationOf: (replica: ReplicaId, tcEpoch: TcEpoch) => Incarnation | undefined;
  /** The most complete content (best in full, or with base) that the caller holds, by the digest of the header. */
  readonly newViewProof?: (digest: Digest) => NewViewProof | undefined;
  readonly cache: ValidationCache;
}

/** The state before anything is stable. */
export function genesisCheckpoint(context: StreamContext): StableCheckpoint {
  return {
    sequence: 0,
    stateDigest: ZERO_DIGEST,
    registryDigest: context.genesisRegistryDigest,
    certificate: undefined,
  };
}

/** The registry with this digest. */
export function registryByDigest(
  context: StreamContext,
  digest: Digest,
  known: Pick<ValidationKnowledge, 'byDigest'>,
): Validity<Registry> {
  if (digest === context.genesisRegistryDigest) return { kind: 'valid', value: context.genesis };
  const registry = known.byDigest(digest);
  return registry === undefined ? need({ kind: 'registry', digest }) : { kind: 'valid', value: registry };
}

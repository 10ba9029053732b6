/**
 * The trusted component of the core fidelity: a counter with a name. What it certifies goes into the book of seals;
 * everything else that a component can suffer (loss, an old state put back, a second one with the same key) is here.
 */
import type { ObjectAttestation } from '../../core/attestation.ts';
import type { TrustedKey } from '../../core/protocol.ts';
import type { CounterValue, Digest, ReplicaId } from '../../core/types.ts';
import { RECENT_DEPTH } from '../../trusted/contract.ts';
import type { RecentCertificate, TrustedIdentity } from '../../trusted/contract.ts';
import { modelHash } from '../../crypto/fast-model.ts';
import type { WorldListener } from '../listener.ts';
import { encodeEvidence } from '../../trusted/evidence.ts';
import { bindDigestOf } from '../../trusted/statement.ts';
import { MEASUREMENT, modelledKey } from './genesis.ts';
import { CoreObjects } from './objects.ts';
import type { ObjectBook, ObjectDeeds, ObjectWish } from './objects.ts';
import { SEAL_BYTES } from './seal-book.ts';

/** What a component knows at one moment: enough to make a second one that nobody can tell from it. */
export interface CoreTrustedMoment {
  readonly key: TrustedKey;
  readonly certified: readonly Digest[];
  readonly deeds: ObjectDeeds;
}

/** Where the deeds of components are written down: seals without cryptography. */
export interface CertificateBook extends ObjectBook {
  certify(publicKey: string, counter: CounterValue, digest: Digest): void;
  attest(publicKey: string, bind: Digest): void;
}

/** The same book; whoever listens is told of every value that a component of this replica gives. */
export function tellingBook(
  owner: ReplicaId,
  book: CertificateBook,
  onCertified: WorldListener['onCertified'],
): CertificateBook {
  if (onCertified === undefined) return book;
  return {
    attest: (publicKey, bind) => book.attest(publicKey, bind),
    certify: (publicKey, counter, digest) => {
      book.certify(publicKey, counter, digest);
      onCertified(owner, undefined, counter);
    },
    assign: (publicKey, digest, said) => {
      book.assign(publicKey, digest, said);
      onCertified(owner, said.object, said.value);
    },
  };
}

/** Numbers of the components that a replica ever had, its clones included. */
interface Generations {
  next: number;
}

/** See the top of this file. */
export class CoreTrusted {
  readonly #owner: ReplicaId;
  readonly #book: CertificateBook;
  readonly #generations: Generations;
  #key: TrustedKey;
  /** Digest of counter value i+1 at i. */
  #certified: Digest[] = [];
  #objects: CoreObjects;

  constructor(owner: ReplicaId, book: CertificateBook, generations: Generations = { next: 0 }) {
    this.#owner = owner;
    this.#book = book;
    this.#generations = generations;
    this.#key = this.#newKey();
    this.#objects = new CoreObjects(book);
  }

  get key(): TrustedKey {
    return this.#key;
  }

  /** Last value that it gave. */
  get counter(): CounterValue {
    return this.#certified.length;
  }

  /** Digests that it has given a value to, by whichever of its counters and logs. */
  get calls(): number {
    return this.#certified.length + this.#objects.given;
  }

  /** Gives the next value to a digest. */
  certify(digest: Digest): CounterValue {
    const counter = this.#certified.push(digest);
    this.#book.certify(this.#key.publicKey, counter, digest);
    return counter;
  }

  /** The word of one of its counters or logs for a digest; undefined if the value is spent or out of order. */
  assign(wish: ObjectWish, digest: Digest): ObjectAttestation | undefined {
    return this.#objects.attest(this.#key, wish, digest);
  }

  identity(): TrustedIdentity {
    const { tcId, tcEpoch, publicKey } = this.#key;
    return {
      program: 'usig',
      measurement: MEASUREMENT,
      suite: 'ed25519',
      tcId,
      tcEpoch,
      publicKey,
      persistent: true,
      counter: this.counter,
    };
  }

  /** Its proof that it holds its key, for this challenge. */
  attest(challenge: Digest): Uint8Array {
    const { tcId, tcEpoch, publicKey, suite, measurement } = this.identity();
    const parts = { suite, tcId, tcEpoch, publicKey, challenge };
    this.#book.attest(publicKey, bindDigestOf(modelHash, parts));
    return encodeEvidence({ ...parts, platform: 'none', measurement, authenticator: SEAL_BYTES });
  }

  /** Its last certificates, oldest first. */
  recent(count: number): RecentCertificate[] {
    const from = Math.max(0, this.counter - Math.min(count, RECENT_DEPTH));
    return this.#certified.slice(from).map((digest, index) => ({
      counter: from + index + 1,
      digest,
      authenticator: SEAL_BYTES,
      core: new Uint8Array(0),
    }));
  }

  /** It is lost with all that it knew; another one takes its place. Also what `renew` does. */
  lose(): void {
    this.#key = this.#newKey();
    this.#certified = [];
    this.#objects = new CoreObjects(this.#book);
  }

  /** Its folder without what the last `count` certificates left there. */
  momentBefore(count: number): CoreTrustedMoment {
    const { length } = this.#certified;
    const certified = this.#certified.slice(0, Math.max(0, length - count));
    return { key: this.#key, certified, deeds: this.#objects.deeds(count) };
  }

  /**
   * An older state of it is put back. A fenced footprint notices, and comes up as a new component; without the fence it
   * goes on from the older counter.
   */
  putBack(moment: CoreTrustedMoment, fenced: boolean): void {
    if (fenced) return this.lose();
    this.#key = moment.key;
    this.#certified = [...moment.certified];
    this.#objects = new CoreObjects(this.#book, moment.deeds);
  }

  /** A second component from a copy of this one; fenced, it gets a name and key of its own. */
  clone(fenced: boolean): CoreTrusted {
    const second = new CoreTrusted(this.#owner, this.#book, this.#generations);
    if (!fenced) second.putBack(this.momentBefore(0), false);
    return second;
  }

  #newKey(): TrustedKey {
    const key = modelledKey(this.#owner, this.#generations.next);
    this.#generations.next += 1;
    return key;
  }
}

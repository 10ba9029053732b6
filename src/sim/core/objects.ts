/**
 * Counters and logs of one modelled trusted component (TrInc, TrInX, CASH, A2M as protocols see them): values only rise,
 * and each carries one digest. What an object said goes into the book of seals.
 */
import type { Attestor, ObjectAttestation } from '../../core/attestation.ts';
import type { TrustedKey } from '../../core/protocol.ts';
import type { CounterValue, Digest } from '../../core/types.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import { modelHash } from '../../crypto/fast-model.ts';
import { historyAfter } from '../../trusted/programs/a2m/answers.ts';
import { SEAL_BYTES } from './seal-book.ts';

/** What is asked of an object. */
export type ObjectWish = Extract<Attestor, { readonly kind: 'object' }>;

/** One thing that an object was asked for and did. */
interface Deed {
  readonly wish: ObjectWish;
  readonly attestation: ObjectAttestation;
  readonly digest: Digest;
}

/** All deeds of one component, oldest first: what a copy of it is made from. */
export type ObjectDeeds = readonly Deed[];

/** Where the word of objects is written down. */
export interface ObjectBook {
  /** An object of the component with this key gave its word. */
  assign(publicKey: string, digest: Digest, attestation: ObjectAttestation): void;
}

/** See the top of this file. */
export class CoreObjects {
  readonly #book: ObjectBook;
  #deeds: Deed[];
  /** By object: its last deed. */
  readonly #last = new Map<string, Deed>();

  constructor(book: ObjectBook, deeds: ObjectDeeds = []) {
    this.#book = book;
    this.#deeds = [...deeds];
    for (const deed of deeds) this.#last.set(deed.wish.object, deed);
  }

  /** What a component that is put back knows: everything but the last `count` deeds. */
  deeds(withoutLast = 0): ObjectDeeds {
    return this.#deeds.slice(0, Math.max(0, this.#deeds.length - withoutLast));
  }

  /**
   * The word of an object for a digest: a new one, or the one that it gave for exactly this before (a crash may fall
   * between word and use). Undefined: the value is spent, or out of order for the object's mode.
   */
  attest(key: TrustedKey, wish: ObjectWish, digest: Digest): ObjectAttestation | undefined {
    const last = this.#last.get(wish.object);
    if (last !== undefined && (last.wish.mode !== wish.mode || last.wish.form !== wish.form))
      return undefined;
    const previous = last?.attestation.value ?? 0;
    if (wish.value <= previous) return this.#spent(wish, digest);
    if (wish.mode !== 'jump' && wish.value !== previous + 1) return undefined;
    const attestation = this.#word(key, wish, digest, previous, last?.attestation.history ?? ZERO_DIGEST);
    const deed = { wish, attestation, digest };
    this.#deeds.push(deed);
    this.#last.set(wish.object, deed);
    this.#book.assign(key.publicKey, digest, attestation);
    return attestation;
  }

  /** Values that it gave in all. */
  get given(): number {
    return this.#deeds.length;
  }

  #word(
    { replica, tcEpoch }: TrustedKey,
    { object, form, mode, value }: ObjectWish,
    digest: Digest,
    previous: CounterValue,
    before: Digest,
  ): ObjectAttestation {
    const word = { kind: 'object', replica, tcEpoch, object, form, previous, value } as const;
    if (form === 'counter') return { ...word, authenticator: SEAL_BYTES };
    const history = historyAfter(modelHash, value, digest, before);
    const logged = { ...word, history, authenticator: SEAL_BYTES };
    return mode === 'strict' ? { ...logged, strict: true } : logged;
  }

  #spent(wish: ObjectWish, digest: Digest): ObjectAttestation | undefined {
    const known = this.#deeds.find(
      (deed) => deed.wish.object === wish.object && deed.attestation.value === wish.value,
    );
    return known?.digest === digest ? known.attestation : undefined;
  }
}

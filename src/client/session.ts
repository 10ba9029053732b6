/**
 * One session of a client (decision C4): gives operations their numbers, packs them into signed bundles (decision C2)
 * and keeps to the granted window, t - oldestUnfinished < W. Pure; the `BundleTracker` follows what it makes.
 */
import type { Domain } from '../core/domain.ts';
import { BUNDLE_BYTES_MAX, BUNDLE_REQUESTS_MAX, signBundle } from '../core/request.ts';
import type { Bundle, Request } from '../core/request.ts';
import { bytesToDigest } from '../core/bytes.ts';
import type { Digest, Hash, RequestNumber, SessionId } from '../core/types.ts';
import type { Signer } from '../crypto/port.ts';
import { TransactionHasher } from '../ledger/transaction.ts';
import type { TrackedRequest } from './bundle-tracker.ts';

/** Version, key, session, request count and signature of a bundle. */
const BUNDLE_OVERHEAD_BYTES = 1 + 32 + 8 + 4 + 64;
/** Number and length of a request. */
const REQUEST_OVERHEAD_BYTES = 12;

/** An operation that waits for a number. `ticket` is the owner's own name for it. */
export interface QueuedOperation<T> {
  readonly ticket: T;
  readonly operation: Uint8Array;
  readonly mayBeOther: boolean;
}

/** A new bundle and which ticket each of its requests belongs to. */
export interface PackedBundle<T> {
  readonly bundle: Bundle;
  readonly requests: readonly (TrackedRequest & { readonly ticket: T })[];
}

/** What a session is made of. */
export interface SessionOptions {
  readonly hash: Hash;
  readonly domain: Domain;
  readonly signer: Signer;
  readonly clientId: Digest;
  readonly session: SessionId;
  /** W, as granted by the OPEN. */
  readonly window: number;
  /** First number to give. */
  readonly nextNumber: RequestNumber;
  /** Bundles that may be unfinished before small ones are held back to grow: batching under load. */
  readonly openBundlesMax?: number;
  /** Requests of one bundle, at most: 1 signs each request. Default: what a bundle may have. */
  readonly bundleRequestsMax?: number | undefined;
  /** Operations that may wait for a number. */
  readonly queueMax?: number;
  /** Bytes of them. */
  readonly queueBytesMax?: number;
}

/** See the top of this file. */
export class ClientSession<T> {
  readonly id: SessionId;
  readonly window: number;
  readonly #options: SessionOptions;
  readonly #openBundlesMax: number;
  readonly #bundleRequestsMax: number;
  readonly #queueMax: number;
  readonly #queueBytesMax: number;
  /** Ascending numbers (insertion order) with the bundle that each is in. */
  readonly #unfinished = new Map<RequestNumber, Digest>();
  readonly #openBundles = new Set<Digest>();
  readonly #queue = new Set<QueuedOperation<T>>();
  #queueBytes = 0;
  #nextNumber: RequestNumber;
  #hasher: TransactionHasher | undefined;

  constructor(options: SessionOptions) {
    this.id = options.session;
    this.window = options.window;
    this.#options = options;
    this.#nextNumber = options.nextNumber;
    this.#openBundlesMax = options.openBundlesMax ?? 32;
    this.#bundleRequestsMax = Math.min(options.bundleRequestsMax ?? BUNDLE_REQUESTS_MAX, BUNDLE_REQUESTS_MAX);
    this.#queueMax = options.queueMax ?? 2 * options.window;
    this.#queueBytesMax = options.queueBytesMax ?? 32 * 1024 * 1024;
  }

  /** Next number to give. */
  get nextNumber(): RequestNumber {
    return this.#nextNumber;
  }

  /** Requests that have a number and no outcome. */
  get outstanding(): number {
    return this.#unfinished.size;
  }

  /** Operations that wait for a number. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** Queues an operation; undefined if the queue is full (back-pressure: the caller waits and tries again). */
  submit(ticket: T, operation: Uint8Array, mayBeOther: boolean): QueuedOperation<T> | undefined {
    if (this.#queue.size >= this.#queueMax) return undefined;
    if (this.#queueBytes + operation.length > this.#queueBytesMax) return undefined;
    const queued = { ticket, operation, mayBeOther };
    this.#queue.add(queued);
    this.#queueBytes += operation.length;
    return queued;
  }

  /** Takes an operation back. True: it has no number yet and was never sent. */
  cancel(queued: QueuedOperation<T>): boolean {
    if (!this.#queue.delete(queued)) return false;
    this.#queueBytes -= queued.operation.length;
    return true;
  }

  /** Takes everything that waits, for example to queue it in another session. */
  drain(): QueuedOperation<T>[] {
    const all = [...this.#queue];
    this.#queue.clear();
    this.#queueBytes = 0;
    return all;
  }

  /** Takes note of a bundle of an earlier life of this client. */
  adopt(bundle: Bundle): void {
    this.#openBundles.add(bundle.digest);
    for (const { number } of bundle.requests) {
      this.#unfinished.set(number, bundle.digest);
      this.#nextNumber = Math.max(this.#nextNumber, number + 1);
    }
  }

  /** A request has its outcome. */
  settle(number: RequestNumber): void {
    this.#unfinished.delete(number);
  }

  /** Every request of a bundle has its outcome. */
  finish(digest: Digest): void {
    this.#openBundles.delete(digest);
  }

  /**
   * Packs what waits into bundles, as far as the window allows. While many bundles are unfinished only full ones are
   * made: one signature, and one verification at each replica, then covers more requests.
   */
  flush(): PackedBundle<T>[] {
    const bundles: PackedBundle<T>[] = [];
    for (;;) {
      const crowded = this.#openBundles.size >= this.#openBundlesMax;
      const taken = this.#take(crowded);
      if (taken.length === 0) return bundles;
      bundles.push(this.#pack(taken));
    }
  }

  #take(onlyFull: boolean): QueuedOperation<T>[] {
    const oldest = this.#unfinished.keys().next().value ?? this.#nextNumber;
    const room = Math.min(oldest + this.window - this.#nextNumber, this.#bundleRequestsMax);
    const taken: QueuedOperation<T>[] = [];
    let bytes = BUNDLE_OVERHEAD_BYTES;
    let isFull = false;
    for (const queued of this.#queue) {
      const size = REQUEST_OVERHEAD_BYTES + queued.operation.length;
      isFull = taken.length >= this.#bundleRequestsMax || bytes + size > BUNDLE_BYTES_MAX;
      if (isFull || taken.length >= room) break;
      taken.push(queued);
      bytes += size;
    }
    if (onlyFull && !isFull && taken.length < this.#bundleRequestsMax) return [];
    for (const queued of taken) this.cancel(queued);
    return taken;
  }

  #pack(taken: readonly QueuedOperation<T>[]): PackedBundle<T> {
    const { hash, domain, signer, clientId } = this.#options;
    const session = this.id;
    const hasher = (this.#hasher ??= new TransactionHasher(hash, domain.clusterId).begin(clientId, session));
    const requests: Request[] = [];
    const tracked: (TrackedRequest & { readonly ticket: T })[] = [];
    for (const { ticket, operation, mayBeOther } of taken) {
      const number = this.#nextNumber;
      this.#nextNumber += 1;
      const txId = bytesToDigest(hasher.id(number, operation));
      requests.push({ number, operation });
      tracked.push({ number, txId, mayBeOther, ticket });
    }
    const content = { clientKey: signer.publicKey, session, requests };
    const bundle = signBundle(hash, domain, content, (digest) => signer.sign(digest));
    this.#openBundles.add(bundle.digest);
    for (const { number } of requests) this.#unfinished.set(number, bundle.digest);
    return { bundle, requests: tracked };
  }
}

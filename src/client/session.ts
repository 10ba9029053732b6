/**
 * One session of a client (decision C4): gives operations their numbers, packs them into signed bundles (decision C2)
 * and keeps to the granted window, t - oldestUnfinished < W. Pure; the `BundleTracker` follows what it makes.
 */
import type { Domain } from '../core/domain.ts';
import { BUNDLE_BYTES_MAX, BUNDLE_REQUESTS_MAX, clientIdOf, signBundle } from '../core/request.ts';
import type { Bundle } from '../core/request.ts';
import type { Digest, Hash, RequestNumber, SessionId } from '../core/types.ts';
import type { Signer } from '../crypto/port.ts';
import { decodeOperation } from '../ledger/operation.ts';
import { transactionId, TransactionHasher } from '../ledger/transaction.ts';
import type { TrackedRequest } from './bundle-tracker.ts';
import { Fifo } from './fifo.ts';
import type { Sealing } from './mac-sealing.ts';

/** Version, key, session, request count and signature of a bundle. */
const BUNDLE_OVERHEAD_BYTES = 1 + 32 + 8 + 4 + 64;
/** Number and length of a request; with a MAC its tag. */
const REQUEST_OVERHEAD_BYTES = 12;
const MAC_REQUEST_OVERHEAD_BYTES = 12 + 32;
/** What waits fills a bundle for sure. */
const FULL_BYTES = BUNDLE_BYTES_MAX - BUNDLE_OVERHEAD_BYTES;
/** Bundles that are on the way at once if a session can choose: replicas and client work at the same time. */
const PARTS_MAX = 3;
/** What is not answered is divided only into bundles of so many: each costs several signatures and verifications. */
const PART_MIN = 256;
const GONE = new Uint8Array(0);

/** An operation that waits for a number and then is a request. */
export interface Queued extends TrackedRequest {
  /** Canonical bytes; given up once they are in a bundle. */
  operation: Uint8Array;
  /** Whether it waits in the queue of a session. Owned by the session. */
  isQueued: boolean;
  /** 0 until the session gives it one. */
  number: RequestNumber;
  /** Of zeros until it has a number. */
  txId: Digest;
}

/** A new bundle and its requests. */
export interface PackedBundle<T> {
  readonly bundle: Pick<Bundle, 'digest' | 'bytes' | 'session'>;
  readonly requests: readonly T[];
}

/** What a session is made of. */
export interface SessionOptions {
  readonly hash: Hash;
  readonly domain: Domain;
  readonly signer: Signer;
  /** Absent: bundles are signed. It is ready when there is something to flush. */
  readonly sealing?: Sealing | undefined;
  readonly clientId: Digest;
  readonly session: SessionId;
  /** W, as granted by the OPEN. */
  readonly window: number;
  /** First number to give. */
  readonly nextNumber: RequestNumber;
  /** Requests of one bundle, at most: 1 signs each request. Default: what a bundle may have. */
  readonly bundleRequestsMax?: number | undefined;
  /** Operations that may wait for a number. */
  readonly queueMax?: number;
  /** Bytes of them. */
  readonly queueBytesMax?: number;
}

interface OpenBundle {
  readonly first: RequestNumber;
  readonly requests: number;
}

/** See the top of this file. */
export class ClientSession<T extends Queued> {
  readonly id: SessionId;
  readonly window: number;
  readonly #options: SessionOptions;
  readonly #bundleRequestsMax: number;
  readonly #overheadBytes: number;
  readonly #queueMax: number;
  readonly #queueBytesMax: number;
  /** Unfinished bundles, oldest first. */
  readonly #open = new Map<Digest, OpenBundle>();
  /** Requests in them. */
  #openRequests = 0;
  /** What waits for a number, and what was cancelled since. */
  readonly #queue = new Fifo<T>();
  #waiting = 0;
  #queueBytes = 0;
  #nextNumber: RequestNumber;
  #hasher: TransactionHasher | undefined;

  constructor(options: SessionOptions) {
    this.id = options.session;
    this.window = options.window;
    this.#options = options;
    this.#nextNumber = options.nextNumber;
    this.#bundleRequestsMax = Math.min(options.bundleRequestsMax ?? BUNDLE_REQUESTS_MAX, BUNDLE_REQUESTS_MAX);
    this.#overheadBytes = options.sealing === undefined ? REQUEST_OVERHEAD_BYTES : MAC_REQUEST_OVERHEAD_BYTES;
    this.#queueMax = options.queueMax ?? 2 * options.window;
    this.#queueBytesMax = options.queueBytesMax ?? 32 * 1024 * 1024;
  }

  /** Next number to give. */
  get nextNumber(): RequestNumber {
    return this.#nextNumber;
  }

  /** Operations that wait for a number. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Queues an operation; false if the queue is full (back-pressure: the caller waits and tries again). */
  submit(ticket: T): boolean {
    const { length } = ticket.operation;
    if (this.#waiting >= this.#queueMax || this.#queueBytes + length > this.#queueBytesMax) return false;
    ticket.isQueued = true;
    this.#queue.push(ticket);
    this.#waiting += 1;
    this.#queueBytes += length;
    return true;
  }

  /** Takes an operation back. True: it has no number yet and was never sent. */
  cancel(ticket: T): boolean {
    if (!ticket.isQueued) return false;
    this.#leaves(ticket);
    // What was cancelled lies in the queue until its turn comes, which may be never while the window is closed.
    if (this.#queue.size > 2 * this.#waiting + 64) this.#queue.filter(({ isQueued }) => isQueued);
    return true;
  }

  #leaves(ticket: T): void {
    ticket.isQueued = false;
    this.#waiting -= 1;
    this.#queueBytes -= ticket.operation.length;
  }

  /** Takes everything that waits, for example to queue it in another session. */
  drain(): T[] {
    const all: T[] = [];
    for (let next = this.#next(); next !== undefined; next = this.#next()) all.push(this.#takeNext(next));
    return all;
  }

  /** The oldest operation that waits. */
  #next(): T | undefined {
    let next = this.#queue.at(0);
    while (next?.isQueued === false) {
      this.#queue.shift();
      next = this.#queue.at(0);
    }
    return next;
  }

  #takeNext(next: T): T {
    this.#queue.shift();
    this.#leaves(next);
    return next;
  }

  /** Takes note of a bundle of an earlier life of this client. */
  adopt(bundle: Bundle): void {
    this.#begin(bundle);
    for (const { number } of bundle.requests) this.#nextNumber = Math.max(this.#nextNumber, number + 1);
  }

  #begin({ digest, requests }: Bundle): void {
    this.#open.set(digest, { first: requests[0]!.number, requests: requests.length });
    this.#openRequests += requests.length;
  }

  /** Every request of a bundle has its outcome. */
  finish(digest: Digest): void {
    this.#openRequests -= this.#open.get(digest)?.requests ?? 0;
    this.#open.delete(digest);
  }

  /**
   * Packs what waits into bundles, as far as the window allows. While bundles are unfinished a small one is held back:
   * one signature, and one verification at each replica, then covers more requests. `everything`: nothing is held back.
   */
  flush(everything = false): PackedBundle<T>[] {
    const bundles: PackedBundle<T>[] = [];
    while (this.#waiting > 0 && (everything || this.#isWorthIt())) {
      const taken = this.#take();
      if (taken.length === 0) break;
      bundles.push(this.#pack(taken));
    }
    return bundles;
  }

  /** Into how many bundles all that is not answered is to be divided. */
  get #parts(): number {
    const all = this.#waiting + this.#openRequests;
    return Math.max(1, Math.min(PARTS_MAX, Math.floor(all / PART_MIN)));
  }

  /**
   * Whether what waits is worth a bundle of its own now. It always is when nothing is on the way: that is what a client
   * does that waits for each answer, or whose answers come all at once. Otherwise it is held back until it fills a
   * bundle or is a fair share of all that is not answered: a third where that is one part, less if there are more. What
   * comes free with the next answer then joins it, so that few bundles are on the way, about equally large.
   */
  #isWorthIt(): boolean {
    const waiting = this.#waiting;
    if (this.#open.size === 0 || waiting >= this.#bundleRequestsMax) return true;
    if (waiting * this.#overheadBytes + this.#queueBytes >= FULL_BYTES) return true;
    return waiting * (this.#parts + 2) >= waiting + this.#openRequests;
  }

  /** Takes what fits into one bundle and into the window, a fair share of all at most. */
  #take(): T[] {
    const oldest = this.#open.values().next().value?.first ?? this.#nextNumber;
    const share = Math.ceil((this.#waiting + this.#openRequests) / this.#parts);
    const room = Math.min(oldest + this.window - this.#nextNumber, this.#bundleRequestsMax, share);
    const taken: T[] = [];
    let bytes = BUNDLE_OVERHEAD_BYTES;
    while (taken.length < room) {
      const next = this.#next();
      if (next === undefined) break;
      bytes += this.#overheadBytes + next.operation.length;
      if (bytes > BUNDLE_BYTES_MAX) break;
      taken.push(this.#takeNext(next));
    }
    return taken;
  }

  #pack(taken: readonly T[]): PackedBundle<T> {
    const { hash, domain, signer, sealing, clientId } = this.#options;
    const session = this.id;
    const hasher = (this.#hasher ??= new TransactionHasher(hash, domain.clusterId).begin(clientId, session));
    for (const ticket of taken) {
      ticket.number = this.#nextNumber;
      ticket.txId = hasher.id(ticket.number, ticket.operation);
      this.#nextNumber += 1;
    }
    const content = { clientKey: signer.publicKey, session, requests: taken };
    const bundle =
      sealing?.seal(content) ?? signBundle(hash, domain, content, (digest) => signer.sign(digest));
    this.#begin(bundle);
    for (const ticket of taken) ticket.operation = GONE;
    return { bundle, requests: taken };
  }
}

/** The requests of a bundle that was made elsewhere, or by an earlier life of this client. */
export function requestsOf(hash: Hash, domain: Domain, bundle: Bundle): TrackedRequest[] {
  const clientId = clientIdOf(hash, bundle.clientKey);
  return bundle.requests.map(({ number, operation }) => {
    const decoded = decodeOperation(operation);
    const mayBeOther = decoded?.kind === 'app' && decoded.idempotencyKey !== undefined;
    const txId = transactionId(hash, domain.clusterId, clientId, bundle.session, number, operation);
    return { number, txId, mayBeOther };
  });
}

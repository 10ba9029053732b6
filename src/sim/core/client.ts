/**
 * A correct client of the core fidelity: several bundles in flight under a session that genesis knows, re-sent to
 * everybody, and a result is believed when f+1 replicas gave it alike.
 */
import type { WireResult } from '../../core/client-wire.ts';
import { bundleDigest, encodeBundle } from '../../core/request.ts';
import type { Bundle, Request } from '../../core/request.ts';
import type { Prng } from '../../core/prng.ts';
import type { Digest, ReplicaId } from '../../core/types.ts';
import { modelHash } from '../../crypto/fast-model.ts';
import type { Believed } from '../client.ts';
import { sameResult } from '../client.ts';
import type { EventQueue } from '../event-queue.ts';
import type { ClientPlan } from '../scenario.ts';
import type { WatchedClient } from '../watch.ts';
import { fillBytes } from './fill.ts';
import type { CoreReply } from './frame.ts';
import { CORE_DOMAIN } from './genesis.ts';
import { encodeOperation, OPERATION, REGISTERS } from './operations.ts';
import { SEAL_BYTES } from './seal-book.ts';
import { transactionName } from './service.ts';

/** Numbers that may be unfinished at a time; below the window of the service. */
const WINDOW = 48;
/** Bundles kept between runs, at most: equal clients of different seeds often send equal bundles. */
const KEPT_MAX = 20_000;
const kept = new Map<string, Bundle>();

/** What a client is made of. */
export interface CoreClientOptions {
  readonly index: number;
  readonly plan: ClientPlan;
  readonly n: number;
  readonly f: number;
  readonly random: Prng;
  readonly queue: EventQueue;
  readonly send: (to: ReplicaId, bundle: Bundle) => void;
  /** Signs a bundle: from now on it is authentic. */
  readonly sign: (bundle: Bundle) => void;
  /** Called before a request leaves: from now on it may be executed. */
  readonly onIssued: (txId: Digest) => void;
  readonly onBelieved: (believed: Believed) => void;
}

interface Flight {
  readonly bundle: Bundle;
  /** Requests that are not believed yet, with what each replica answered. */
  readonly open: Map<Digest, (WireResult | undefined)[]>;
  attempts: number;
}

/** See the top of this file. */
export class CoreClient implements WatchedClient {
  readonly #options: CoreClientOptions;
  readonly #session: number;
  readonly #flights = new Map<Digest, Flight>();
  #nextNumber = 1;
  #sentBundles = 0;
  #primaryHint: ReplicaId = 0;
  #nextLaunchMs = 0;
  #waitsForPace = false;
  readonly refused: string[] = [];

  constructor(options: CoreClientOptions) {
    this.#options = options;
    this.#session = options.index + 1;
  }

  get done(): boolean {
    return this.#sentBundles >= this.#options.plan.bundles && this.#flights.size === 0;
  }

  describe(): string {
    const { index, plan } = this.#options;
    const waiting = [...this.#flights.keys()].map((digest) => digest.slice(0, 8)).join(' ');
    return `client ${index}: ${this.#sentBundles} of ${plan.bundles} bundles sent, waits for ${waiting || 'nothing'}`;
  }

  /** Sends what plan, window and pace allow. */
  start(): void {
    const { plan, queue } = this.#options;
    while (this.#sentBundles < plan.bundles && this.#flights.size < plan.inFlight && this.#hasWindow()) {
      if (this.#waitsForPace) return;
      const wait = this.#nextLaunchMs - queue.now;
      if (wait > 0) {
        this.#waitsForPace = true;
        queue.after(wait, () => {
          this.#waitsForPace = false;
          this.start();
        });
        return;
      }
      this.#nextLaunchMs = queue.now + plan.paceMs;
      this.#sentBundles += 1;
      this.#launch();
    }
  }

  /** Decision C4: t - oldestUnfinished stays below the window. */
  #hasWindow(): boolean {
    let oldest = this.#nextNumber;
    for (const { bundle } of this.#flights.values()) oldest = Math.min(oldest, bundle.requests[0]!.number);
    return this.#nextNumber + this.#options.plan.requestsPerBundle - oldest < WINDOW;
  }

  #launch(): void {
    const { plan, random, index, sign, onIssued, n } = this.#options;
    const bundle = makeBundle(index, this.#nextNumber, plan.requestsPerBundle, random);
    this.#nextNumber += plan.requestsPerBundle;
    sign(bundle);
    const open = new Map<Digest, (WireResult | undefined)[]>();
    for (const { number } of bundle.requests) {
      const txId = transactionName(bundle.digest, number);
      onIssued(txId);
      open.set(txId, new Array<WireResult | undefined>(n).fill(undefined));
    }
    const flight = { bundle, open, attempts: 0 };
    this.#flights.set(bundle.digest, flight);
    this.#transmit(flight);
  }

  #transmit(flight: Flight): void {
    const { bundle } = flight;
    if (!this.#flights.has(bundle.digest)) return;
    const { plan, queue, send, n } = this.#options;
    if (flight.attempts === 0 && !plan.toAll) send(this.#primaryHint, bundle);
    else for (let to = 0; to < n; to += 1) send(to, bundle);
    flight.attempts += 1;
    const wait = plan.retransmitMs * Math.min(8, 2 ** (flight.attempts - 1));
    queue.after(wait, () => this.#transmit(flight));
  }

  /** A reply of a replica. */
  onReply(reply: CoreReply): void {
    if (reply.session !== this.#session) return;
    this.#primaryHint = reply.view % this.#options.n;
    for (const flight of [...this.#flights.values()]) {
      for (const result of reply.results) this.#count(flight, reply.replica, result);
      if (flight.open.size > 0) continue;
      this.#flights.delete(flight.bundle.digest);
      this.start();
    }
  }

  #count(flight: Flight, from: ReplicaId, result: WireResult): void {
    const votes = flight.open.get(result.txId);
    if (votes === undefined) return;
    votes[from] = result;
    let equal = 0;
    for (const vote of votes)
      if (vote === result || (vote !== undefined && sameResult(vote, result))) equal += 1;
    if (equal <= this.#options.f) return;
    flight.open.delete(result.txId);
    this.#options.onBelieved({ client: this.#options.index, session: this.#session, result });
  }
}

/** A client's bundle of so many requests from a number on. */
export function makeBundle(client: number, first: number, count: number, random: Prng): Bundle {
  let name = `${client}/${first}`;
  const draws: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const draw = Math.floor(random.unit() * 8 * REGISTERS);
    draws.push(draw);
    name += `/${draw}`;
  }
  const known = kept.get(name);
  if (known !== undefined) return known;
  const requests = draws.map((draw, index): Request => {
    const kinds = [OPERATION.write, OPERATION.write, OPERATION.add, OPERATION.add, OPERATION.swapIfOdd];
    const kind = kinds[draw % 8] ?? OPERATION.read;
    const number = first + index;
    const operation = encodeOperation(kind, Math.floor(draw / 8), (client * 4096 + number) & 0xffff);
    return { number, operation };
  });
  const bundle = sealedBundle(client, requests);
  if (kept.size >= KEPT_MAX) kept.clear();
  kept.set(name, bundle);
  return bundle;
}

function sealedBundle(client: number, requests: readonly Request[]): Bundle {
  const clientKey = fillBytes(32, client + 1);
  const content = { clientKey, session: client + 1, requests };
  const digest = bundleDigest(modelHash, CORE_DOMAIN, content);
  return { digest, bytes: encodeBundle(content, SEAL_BYTES), ...content, signature: SEAL_BYTES };
}

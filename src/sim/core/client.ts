/**
 * A correct client of the core fidelity: several bundles in flight under a session that genesis knows, re-sent to
 * everybody, and a result is believed when the protocol's rules for clients say so.
 */
import type { WireResult } from '../../core/client-wire.ts';
import type { ClientRules, DecodeContext, Seal } from '../../core/protocol.ts';
import { bundleDigest, encodeBundle, numbersOf } from '../../core/request.ts';
import type { Bundle, Request } from '../../core/request.ts';
import type { Prng } from '../../core/prng.ts';
import type { Digest, ReplicaId } from '../../core/types.ts';
import { modelHash } from '../../crypto/fast-model.ts';
import type { Believed } from '../client.ts';
import type { EventQueue } from '../event-queue.ts';
import type { ClientPlan } from '../scenario.ts';
import type { WatchedClient } from '../watch.ts';
import { Ballot, PLAIN_RULES } from './ballot.ts';
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
  /** When answers are believed; absent: f+1 equal final ones. */
  readonly rules: ClientRules | undefined;
  readonly decoding: DecodeContext;
  readonly holds: (seals: readonly Seal[]) => boolean;
  readonly send: (to: ReplicaId, bundle: Bundle) => void;
  /** Sends a message that was made of answers, in the protocol's bytes. */
  readonly sendMessage: (to: ReplicaId, bytes: Uint8Array) => void;
  /** Signs a bundle: from now on it is authentic. */
  readonly sign: (bundle: Bundle) => void;
  /** Called before a request leaves: from now on it may be executed. */
  readonly onIssued: (txId: Digest, operation: Uint8Array) => void;
  readonly onBelieved: (believed: Believed) => void;
}

interface Flight {
  readonly bundle: Bundle;
  /** Requests that are not believed yet, with what replicas answered. */
  readonly open: Map<Digest, Ballot>;
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
    const { plan, random, index, sign, onIssued, n, f, rules = PLAIN_RULES } = this.#options;
    const bundle = makeBundle(index, this.#nextNumber, plan.requestsPerBundle, random);
    this.#nextNumber += plan.requestsPerBundle;
    sign(bundle);
    const open = new Map<Digest, Ballot>();
    for (const { number, operation } of bundle.requests) {
      const txId = transactionName(bundle.digest, number);
      onIssued(txId, operation);
      open.set(txId, new Ballot(rules, n, f));
    }
    const flight = { bundle, open, attempts: 0 };
    this.#flights.set(bundle.digest, flight);
    this.#transmit(flight);
  }

  #transmit(flight: Flight): void {
    const { bundle } = flight;
    if (!this.#flights.has(bundle.digest)) return;
    const { plan, queue, send, n } = this.#options;
    const isCertified = flight.attempts > 0 && this.#certify(flight);
    if (flight.attempts === 0 && !plan.toAll) send(this.#primaryHint, bundle);
    else if (!isCertified || flight.attempts > 1) for (let to = 0; to < n; to += 1) send(to, bundle);
    flight.attempts += 1;
    const wait = plan.retransmitMs * Math.min(8, 2 ** (flight.attempts - 1));
    queue.after(wait, () => this.#transmit(flight));
  }

  /** Makes a message of what is not enough by itself, and sends it to everybody; false if there is nothing to make it of. */
  #certify({ open }: Flight): boolean {
    const { rules, n, sendMessage } = this.#options;
    let isCertified = false;
    const made = new Set<string>();
    for (const ballot of open.values()) {
      const answers = ballot.certifiable();
      if (answers === undefined) continue;
      isCertified = true;
      // Requests of one batch have one proof.
      if (made.has(answers[0]!.key)) continue;
      made.add(answers[0]!.key);
      const bytes = rules!.certificate!.make(answers.map(({ replica, proof }) => ({ replica, proof })));
      for (let to = 0; to < n; to += 1) sendMessage(to, bytes);
    }
    return isCertified;
  }

  /** What a proof must have in common with others; undefined if it says what no correct replica does. */
  #readProof({ proof, replica, standing }: CoreReply): string | undefined {
    const { rules, decoding, holds } = this.#options;
    if (rules?.readProof === undefined) return proof.length === 0 ? '' : undefined;
    const reading = rules.readProof(proof, replica, decoding, standing);
    return reading === undefined || !holds(reading.seals) ? undefined : reading.key;
  }

  /** A reply of a replica. */
  onReply(reply: CoreReply): void {
    if (reply.session !== this.#session) return;
    const key = this.#readProof(reply);
    if (key === undefined) return;
    this.#primaryHint = reply.view % this.#options.n;
    for (const flight of [...this.#flights.values()]) {
      for (const result of reply.results) this.#count(flight, reply, key, result);
      if (flight.open.size > 0) continue;
      this.#flights.delete(flight.bundle.digest);
      this.start();
    }
  }

  #count(flight: Flight, reply: CoreReply, key: string, result: WireResult): void {
    const ballot = flight.open.get(result.txId);
    const { replica, standing, proof } = reply;
    if (ballot === undefined || !ballot.count({ replica, standing, key, proof, result })) return;
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

/** A bundle of these requests under a seal that holds if the client signs, or under another one. */
export function sealedBundle(client: number, requests: readonly Request[], signature = SEAL_BYTES): Bundle {
  const clientKey = fillBytes(32, client + 1);
  const content = { clientKey, session: client + 1, requests };
  const digest = bundleDigest(modelHash, CORE_DOMAIN, content);
  const bytes = encodeBundle(content, signature);
  return { digest, bytes, ...content, ...numbersOf(requests), signature };
}

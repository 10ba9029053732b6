/**
 * A correct client of the simulated cluster: opens a session, keeps several signed bundles in flight, re-sends them to
 * everybody, and believes a result when f+1 replicas gave it alike. It is written apart from the product's client on
 * purpose: a judge should not share the code of the judged.
 */
import { bytesToHex } from '../core/bytes.ts';
import { decodeReplicaFrame, encodeClientFrame, REPLY_TAG, writeReplyContent } from '../core/client-wire.ts';
import type { SignedReply, WireResult } from '../core/client-wire.ts';
import type { ClusterSettings } from '../core/config.ts';
import { domainWriter, finishDigest } from '../core/domain.ts';
import type { Domain } from '../core/domain.ts';
import type { Prng } from '../core/prng.ts';
import { clientIdOf } from '../core/request.ts';
import type { Request } from '../core/request.ts';
import type { Digest, ReplicaId, SessionId } from '../core/types.ts';
import { hexToBytes, digestToBytes } from '../core/bytes.ts';
import { encodeKvOperation } from '../apps/kv/operations.ts';
import type { KvOperation } from '../apps/kv/operations.ts';
import { modelHash } from '../crypto/fast-model.ts';
import type { ModelKeys, ModelSigner } from '../crypto/fast-model.ts';
import { decodeOpened, decodeResult, encodeOperation } from '../ledger/operation.ts';
import { transactionId } from '../ledger/transaction.ts';
import { bundleMaker } from './make-bundle.ts';
import type { MakeBundle } from './make-bundle.ts';
import type { EventQueue } from './event-queue.ts';
import type { ClientPlan } from './scenario.ts';

/** Window of request numbers that a client asks for; more than it ever has in flight. */
const WINDOW = 48;
/** Why an OPEN is void although nothing is wrong with it. */
const VOID_OPENS: ReadonlySet<string> = new Set(['openExpired', 'openTooFarAhead']);
/** OPENs that are tried while block time moves. */
const OPENS_MAX = 5;
/** How long an OPEN may wait before it is void, milliseconds. */
const OPEN_VALIDITY_MS = 120_000;

/** A result that a client has come to believe. */
export interface Believed {
  readonly client: number;
  readonly session: SessionId;
  readonly result: WireResult;
}

/** What a client is made of. */
export interface SimClientOptions {
  readonly index: number;
  readonly plan: ClientPlan;
  readonly settings: ClusterSettings;
  readonly keys: ModelKeys;
  readonly signer: ModelSigner;
  readonly random: Prng;
  readonly queue: EventQueue;
  /** What clocks show when virtual time is 0. */
  readonly epochMs: number;
  /** Time of the replicated state as `status` of f+1 replicas has it or later; undefined if too few are up. */
  readonly agreedTime: () => number | undefined;
  readonly send: (to: ReplicaId, frame: Uint8Array) => void;
  /** Called before a request leaves: from now on it may be executed. */
  readonly onIssued: (txId: Digest, operation: Uint8Array) => void;
  readonly onBelieved: (believed: Believed) => void;
}

interface Flight {
  readonly frame: Uint8Array;
  readonly bundle: Digest;
  /** Requests of the bundle that are not believed yet, by txId. */
  readonly open: Map<Digest, Map<ReplicaId, WireResult>>;
  readonly refusals: Map<ReplicaId, string>;
  readonly firstNumber: number;
  attempts: number;
}

/** See the top of this file. */
export class SimClient {
  readonly #options: SimClientOptions;
  readonly #domain: Domain;
  readonly #make: MakeBundle;
  readonly #clientId: Digest;
  readonly #hostKeys: readonly Uint8Array[];
  readonly #flights = new Set<Flight>();
  #session: SessionId = 0;
  #openTime: number | undefined;
  #opens = 0;
  #nextNumber = 1;
  #sentBundles = 0;
  #primaryHint: ReplicaId = 0;
  #done = false;
  #nextLaunchMs = 0;
  #waitsForPace = false;
  /** Refusals that f+1 replicas agreed on, with their reason: a correct client should see none. */
  readonly refused: string[] = [];

  constructor(options: SimClientOptions) {
    const { settings, signer } = options;
    this.#options = options;
    this.#domain = { clusterId: settings.clusterId, configurationVersion: settings.configurationVersion };
    this.#make = bundleMaker(settings, signer);
    this.#clientId = clientIdOf(modelHash, signer.publicKey);
    this.#hostKeys = settings.members.map((member) => hexToBytes(member.hostKey)!);
  }

  /** Whether all its requests have a believed result. */
  get done(): boolean {
    return this.#done;
  }

  /** For failure messages. */
  describe(): string {
    const waiting = [...this.#flights].map((flight) => flight.bundle.slice(0, 8)).join(' ');
    return `client ${this.#options.index}: session ${this.#session}, ${this.#sentBundles} of ${this.#options.plan.bundles} bundles sent, waits for ${waiting || 'nothing'}`;
  }

  /** Opens the session. */
  start(): void {
    const { random, queue, epochMs } = this.#options;
    const nonce = new Uint8Array(16);
    for (let index = 0; index < 16; index += 1) nonce[index] = random.between(0, 255);
    this.#opens += 1;
    const time = this.#openTime ?? epochMs + queue.now;
    const validUntil = Math.min(Math.floor(time + OPEN_VALIDITY_MS), Number.MAX_SAFE_INTEGER);
    const operation = encodeOperation({ kind: 'open', nonce, validUntil, window: WINDOW });
    this.#launch(0, [{ number: 1, operation }]);
  }

  /** A frame of a replica. */
  onFrame(from: ReplicaId, bytes: Uint8Array): void {
    const frame = decodeReplicaFrame(bytes);
    if (frame?.kind === 'reply') this.#onReply(from, frame);
    else if (frame?.kind === 'refused') this.#onRefused(from, frame.bundle, frame.reason);
  }

  #onReply(from: ReplicaId, reply: SignedReply): void {
    if (reply.replica !== from || !this.#isAuthentic(reply)) return;
    this.#primaryHint = reply.view % this.#options.settings.members.length;
    for (const flight of [...this.#flights]) {
      for (const result of reply.results) this.#count(flight, from, reply.session, result);
      if (flight.open.size === 0) this.#land(flight);
    }
  }

  #count(flight: Flight, from: ReplicaId, session: SessionId, result: WireResult): void {
    const votes = flight.open.get(result.txId);
    if (votes === undefined) return;
    votes.set(from, result);
    let equal = 0;
    for (const vote of votes.values()) if (sameResult(vote, result)) equal += 1;
    if (equal <= this.#options.settings.f) return;
    flight.open.delete(result.txId);
    this.#options.onBelieved({ client: this.#options.index, session, result });
    if (this.#session !== 0) return;
    const outcome = decodeResult(result.result);
    const opened = outcome?.ok === true ? decodeOpened(outcome.payload) : undefined;
    if (opened !== undefined) this.#session = opened.session;
    else if (outcome?.ok === false && VOID_OPENS.has(outcome.error) && this.#opens < OPENS_MAX) {
      // A liar carried block time away, or the own clock is wrong: again, by the time that the replicas agreed on.
      const agreed = this.#options.agreedTime();
      const own = this.#options.epochMs + this.#options.queue.now;
      this.#openTime = outcome.error === 'openExpired' ? Math.max(agreed ?? 0, own) : agreed;
      this.start();
    } else this.refused.push('openFailed');
  }

  #land(flight: Flight): void {
    if (!this.#flights.delete(flight)) return;
    this.#proceed();
  }

  #onRefused(from: ReplicaId, bundle: Digest, reason: string): void {
    for (const flight of this.#flights) {
      // A replica that lags (or fell back in a crash) says so of a session that it will know in a moment.
      if (flight.bundle !== bundle || reason === 'sessionNotYetKnown') continue;
      flight.refusals.set(from, reason);
      if (flight.refusals.size > this.#options.settings.f) {
        this.#flights.delete(flight);
        this.refused.push(reason);
        this.#proceed();
      }
    }
  }

  /** Sends the next bundle if plan, window and pace allow it; ends when the plan is fulfilled. */
  #proceed(): void {
    const { plan, queue } = this.#options;
    if (this.#session === 0 || this.#sentBundles >= plan.bundles) {
      this.#done = this.#flights.size === 0;
      return;
    }
    const closed = plan.openLoop !== true;
    if ((closed && this.#flights.size >= plan.inFlight) || this.#waitsForPace || !this.#hasWindow()) return;
    const wait = this.#nextLaunchMs - queue.now;
    if (wait > 0) {
      this.#waitsForPace = true;
      queue.after(wait, () => {
        this.#waitsForPace = false;
        this.#proceed();
      });
      return;
    }
    this.#sentBundles += 1;
    const burst = plan.burst ?? 1;
    if (this.#sentBundles % burst === 0) this.#nextLaunchMs = queue.now + plan.paceMs * burst;
    const requests = Array.from({ length: plan.requestsPerBundle }, () => this.#nextRequest());
    this.#launch(this.#session, requests);
    this.#proceed();
  }

  /** Decision C4: t - oldestUnfinished stays below the window that was granted. */
  #hasWindow(): boolean {
    let oldest = this.#nextNumber;
    for (const flight of this.#flights) oldest = Math.min(oldest, flight.firstNumber);
    return this.#nextNumber + this.#options.plan.requestsPerBundle - oldest < WINDOW;
  }

  #nextRequest(): Request {
    const number = this.#nextNumber;
    this.#nextNumber += 1;
    const operation = encodeKvOperation(this.#drawOperation(number));
    if (this.#options.random.chance(0.05)) return { number, operation: encodeOperation({ kind: 'noop' }) };
    return { number, operation: encodeOperation({ kind: 'app', idempotencyKey: undefined, operation }) };
  }

  #drawOperation(number: number): KvOperation {
    const { random, index } = this.#options;
    const key = new Uint8Array([107, random.between(0, 7)]);
    const value = new Uint8Array([index, number & 255, (number >> 8) & 255, random.between(0, 3)]);
    const draw = random.unit();
    if (draw < 0.5) return { kind: 'put', key, value };
    if (draw < 0.65) return { kind: 'get', key };
    if (draw < 0.75) return { kind: 'delete', key };
    if (draw < 0.9)
      return { kind: 'compareAndSwap', key, expected: random.chance(0.5) ? undefined : value, value };
    return { kind: 'list', prefix: new Uint8Array([107]), startAfter: undefined, limit: 10 };
  }

  #launch(session: SessionId, requests: readonly Request[]): void {
    const { signer, settings, onIssued } = this.#options;
    const content = { clientKey: signer.publicKey, session, requests };
    const { digest: bundle, bytes } = this.#make(content);
    const open = new Map<Digest, Map<ReplicaId, WireResult>>();
    for (const { number, operation } of requests) {
      const txId = transactionId(
        modelHash,
        settings.clusterId,
        this.#clientId,
        session,
        number,
        operation.slice(),
      );
      onIssued(txId, operation);
      open.set(txId, new Map());
    }
    const frame = encodeClientFrame({ kind: 'bundle', bytes });
    const firstNumber = requests[0]!.number;
    const flight: Flight = { frame, bundle, open, refusals: new Map(), firstNumber, attempts: 0 };
    this.#flights.add(flight);
    this.#transmit(flight);
  }

  #transmit(flight: Flight): void {
    if (!this.#flights.has(flight)) return;
    const { settings, plan, queue, send } = this.#options;
    if (flight.attempts === 0 && !plan.toAll) send(this.#primaryHint, flight.frame);
    else for (let to = 0; to < settings.members.length; to += 1) send(to, flight.frame);
    flight.attempts += 1;
    const wait = plan.retransmitMs * Math.min(8, 2 ** (flight.attempts - 1));
    queue.after(wait, () => this.#transmit(flight));
  }

  #isAuthentic(reply: SignedReply): boolean {
    const key = this.#hostKeys[reply.replica];
    if (key === undefined) return false;
    const writer = writeReplyContent(domainWriter(REPLY_TAG, this.#domain), reply);
    const digest = finishDigest(modelHash, writer);
    return this.#options.keys.verify(key, digestToBytes(digest), reply.signature);
  }
}

/** Whether two replies say the same about one request. */
export function sameResult(a: WireResult, b: WireResult): boolean {
  return (
    a.number === b.number &&
    a.txId === b.txId &&
    a.sequence === b.sequence &&
    a.height === b.height &&
    bytesToHex(a.result) === bytesToHex(b.result)
  );
}

/**
 * The ordered path of a client: opens a session, turns calls into bundles once per turn of the event loop, follows them
 * until enough replicas agree, and remembers what is unfinished in the state file. Clock and timers come from its owner.
 */
import { randomBytes } from 'node:crypto';
import type { ReplicaFrame, SignedReply, WireResult } from '../core/client-wire.ts';
import { CERTIFICATE_BYTES_MAX } from '../core/client-wire.ts';
import { digestToBytes } from '../core/bytes.ts';
import type { Lack } from '../core/live.ts';
import { decodeBundle } from '../core/request.ts';
import type { Bundle } from '../core/request.ts';
import type { Digest, Milliseconds, ReplicaId } from '../core/types.ts';
import { decodeOpened, decodeResult, encodeOperation } from '../ledger/operation.ts';
import type { Result } from '../ledger/operation.ts';
import { signedReplyDigest } from '../ledger/reply-evidence.ts';
import type { SignedProof } from './answer-rules.ts';
import { answersLacking } from './answer-rules.ts';
import { BundleTracker, PrimaryHint } from './bundle-tracker.ts';
import type { TrackerEffect } from './bundle-tracker.ts';
import { Deadlines } from './deadlines.ts';
import { ClientError, openError, refusedError, timeoutError } from './errors.ts';
import { Recent } from './recent.ts';
import { ClientSession, requestsOf } from './session.ts';
import type { SavedSession } from './state-file.ts';
import { Call, orphanOf } from './ticket.ts';
import type { ReadResult, Ticket } from './ticket.ts';
import type { SubmitterOptions } from './submitter-options.ts';
import { UnsavedBundles } from './unsaved.ts';

/** How long an OPEN may take effect, by the client's clock. */
const OPEN_VALID_MS: Milliseconds = 5 * 60_000;
/** OPENs that are tried while block time moves: a liar may lead when the first ones are ordered. */
const OPENS_MAX = 5;
/** How often what is due is re-sent. */
const TICK_MS: Milliseconds = 50;
/** Foreign bundles in flight, at most. */
const FOREIGN_MAX = 1024;
/** Refused and not yet final transactions that are remembered, each. */
const REMEMBERED_MAX = 4096;

type Session = ClientSession<Ticket>;

/** See the top of this file. */
export class Submitter {
  readonly #options: SubmitterOptions;
  readonly #tracker: BundleTracker<Ticket>;
  readonly #hint: PrimaryHint;
  readonly #deadlines = new Deadlines();
  readonly #sessionOf = new Map<Digest, Session>();
  readonly #refused = new Recent<string>(REMEMBERED_MAX);
  readonly #unsettled = new Recent<true>(REMEMBERED_MAX);
  readonly #foreign = new Set<Digest>();
  readonly #resumed = new Set<Digest>();
  #onResumed: (() => void)[] = [];
  #session: Session | undefined;
  #opening: Promise<Session> | undefined;
  #flush: NodeJS.Immediate | undefined;
  #tick: NodeJS.Timeout | undefined;
  #tickAtMs: Milliseconds = 0;
  #overloadedUntil: Milliseconds = 0;
  readonly #unsaved: UnsavedBundles;
  /** Since when the session has held back what waits; undefined: nothing waits. */
  #heldSinceMs: Milliseconds | undefined;
  #isClosed = false;
  /** Highest block height in a result that is final. */
  seenHeight = 0;

  constructor(options: SubmitterOptions) {
    this.#options = options;
    this.#tracker = new BundleTracker(options.quorum, options.rules);
    this.#hint = new PrimaryHint(options.replicas, options.quorum);
    this.#unsaved = new UnsavedBundles(options.state);
  }

  /** Probable primary. */
  get primary(): ReplicaId {
    return this.#hint.primary;
  }

  /** Whose answers the oldest request lacks, if any waits. */
  waiting(): Lack | undefined {
    const { rules, replicas, now } = this.#options;
    const oldest = this.#tracker.oldest();
    return oldest && answersLacking(oldest, rules, replicas, now());
  }

  isPending(txId: Digest): boolean {
    return this.#tracker.isPending(txId);
  }

  /** Whether a transaction was accepted here before it was final, so that its block may still be to come. */
  isUnsettled(txId: Digest): boolean {
    return this.#unsettled.get(txId) === true;
  }

  /** Why a transaction was refused, if it was while this client asked. */
  refusalOf(txId: Digest): string | undefined {
    return this.#refused.get(txId);
  }

  /** Goes on with what an earlier life of this client left. To be called once, when the channels exist. */
  resume(): void {
    const { state, hash, domain } = this.#options;
    if (state === undefined) return;
    const { session, bundles } = state.saved;
    if (session !== undefined) this.#session = this.#startSession(session);
    for (const { bytes } of bundles) {
      const bundle = decodeBundle(hash, domain, bytes);
      if (bundle === undefined) continue;
      if (bundle.session === this.#session?.id) {
        this.#session.adopt(bundle);
        this.#sessionOf.set(bundle.digest, this.#session);
      }
      this.#resumed.add(bundle.digest);
      const requests = requestsOf(hash, domain, bundle).map(orphanOf);
      this.#perform(this.#tracker.track(bundle, requests, this.#options.now(), true));
    }
    this.#keepTicking();
  }

  /** Resolves when everything that an earlier life left has an outcome. */
  whenResumed(): Promise<void> {
    if (this.#resumed.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onResumed.push(resolve));
  }

  /**
   * Orders one operation (canonical bytes of `ledger/operation.ts`) and gives what `read` makes of its result. Fails with
   * a `ClientError`, or with what `read` throws.
   */
  submit<T>(
    operation: Uint8Array,
    mayBeOther: boolean,
    timeoutMs: Milliseconds,
    read: ReadResult<T>,
  ): Promise<T> {
    const call = new Call(operation, mayBeOther, read, this.#onTimeout);
    const problem = this.#problem();
    if (problem !== undefined) call.fail(problem);
    else if (this.#session === undefined) void this.#queueLater(call, timeoutMs);
    else this.#queue(this.#session, call, timeoutMs);
    return call.promise;
  }

  async #queueLater(ticket: Ticket, timeoutMs: Milliseconds): Promise<void> {
    try {
      const deadline = this.#options.now() + timeoutMs;
      const session = await this.#sessionBefore(timeoutMs);
      const problem = this.#problem();
      if (problem !== undefined) return ticket.fail(problem);
      this.#queue(session, ticket, Math.max(1, deadline - this.#options.now()));
    } catch (error) {
      ticket.fail(error as ClientError);
    }
  }

  #queue(session: Session, ticket: Ticket, timeoutMs: Milliseconds): void {
    if (!session.submit(ticket)) {
      const message = 'too many operations are waiting: slow down and try again';
      return ticket.fail(new ClientError('overloaded', message, { retryAfterMs: 200 }));
    }
    this.#deadlines.set(ticket, timeoutMs);
    this.#scheduleFlush();
  }

  /** Orders a bundle that another client signed; its results in order of the requests. */
  submitForeign<T>(bundle: Bundle, timeoutMs: Milliseconds, read: ReadResult<T>): Promise<T[]> {
    const problem = this.#problem();
    if (problem !== undefined) throw problem;
    if (this.#foreign.size >= FOREIGN_MAX || this.#foreign.has(bundle.digest))
      throw new ClientError('overloaded', 'too many bundles are waiting, or this one already is', {
        retryAfterMs: 500,
      });
    const onDue = (ticket: Ticket): void => {
      // A foreign bundle is its client's to repeat: it is not followed beyond the wait of this call.
      this.#tracker.forget(bundle.digest);
      this.#foreign.delete(bundle.digest);
      ticket.fail(timeoutError(ticket.txId));
    };
    const { hash, domain } = this.#options;
    const calls = requestsOf(hash, domain, bundle).map((request) => Call.of(request, read, onDue));
    if (calls.some((call) => this.#tracker.follows(bundle.session, call)))
      throw new ClientError('overloaded', 'one of these requests is already waiting', { retryAfterMs: 500 });
    this.#foreign.add(bundle.digest);
    for (const call of calls) this.#deadlines.set(call, timeoutMs);
    this.#perform(this.#tracker.track(bundle, calls, this.#options.now(), bundle.session === 0));
    this.#keepTicking();
    return Promise.all(calls.map(({ promise }) => promise));
  }

  /** A frame that is not the answer to a question. */
  onFrame(replica: ReplicaId, frame: ReplicaFrame): void {
    const now = this.#options.now();
    if (frame.kind === 'busy')
      this.#perform(this.#tracker.onBusy(replica, frame.bundle, frame.retryAfterMs, now));
    else if (frame.kind === 'refused')
      this.#perform(this.#tracker.onRefused(replica, frame.bundle, frame.reason));
    else if (frame.kind === 'reply') this.#onReply(replica, frame);
    this.#scheduleFlush();
  }

  #onReply(replica: ReplicaId, reply: SignedReply): void {
    const { hash, domain, verifyHost, watch, rules } = this.#options;
    const { session, results, standing, proof, signature } = reply;
    if (reply.replica !== replica) return;
    // A reply that comes too late to count is worth a check only if it contradicts what was accepted.
    if (!this.#tracker.wants(session, results) && !watch.contradicts(reply)) return;
    const digest = signedReplyDigest(hash, domain, reply.content);
    if (!verifyHost(replica, digestToBytes(digest), signature)) return;
    this.#hint.report(replica, reply.view);
    const isFinal = standing === 'final';
    const kept = isFinal ? watch.keep(replica, reply.content.slice(), signature) : undefined;
    if (kept !== undefined) watch.onReply(kept, session, results);
    const key = rules.readProof(proof, replica, standing);
    if (key === undefined) return;
    const checked = { session, results, standing, key, proof, kept };
    this.#perform(this.#tracker.onReply(replica, checked, this.#options.now()));
    this.#keepTicking();
  }

  /** A link came up: what that replica may have missed is worth sending at once. */
  onLinkUp(replica: ReplicaId): void {
    for (const bytes of this.#tracker.unfinished()) this.#options.channels().sendBundleTo(bytes, replica);
  }

  /** Sends nothing more. What has no outcome fails with `closed`. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#tick);
    clearImmediate(this.#flush);
    const message = 'the client was closed before an answer came';
    for (const ticket of this.#session?.drain() ?? []) this.#fail(ticket, new ClientError('closed', message));
    for (const ticket of this.#tracker.requests())
      this.#fail(ticket, new ClientError('closed', message, { txId: ticket.txId }));
    const unsent = this.#unsaved.requests;
    for (const ticket of unsent) this.#fail(ticket, new ClientError('closed', message));
    // The numbers of what was never sent are given: another life of this client must not go on behind them.
    const session = unsent.length > 0 ? undefined : this.#session;
    this.#options.state?.close(
      session && { session: session.id, window: session.window, nextNumber: session.nextNumber },
    );
  }

  /** Why nothing can be asked for now. */
  #problem(): ClientError | undefined {
    if (this.#isClosed) return new ClientError('closed', 'the client is closed');
    if (this.#unsaved.problem !== undefined) return this.#unsaved.problem;
    if (this.#overloadedUntil === 0) return undefined;
    const leftMs = this.#overloadedUntil - this.#options.now();
    if (leftMs > 0)
      return new ClientError('overloaded', 'the cluster is over capacity: wait and try again', {
        retryAfterMs: Math.ceil(leftMs),
      });
    this.#overloadedUntil = 0;
    return undefined;
  }

  async #sessionBefore(timeoutMs: Milliseconds): Promise<Session> {
    this.#opening ??= this.#open().finally(() => (this.#opening = undefined));
    // The opening goes on for later calls when this one gives up.
    this.#opening.catch(() => undefined);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const message =
        'no session could be opened in time: no quorum answers; nothing was sent for this operation';
      const error = new ClientError('unavailable', message, { retryAfterMs: 1_000 });
      timer = setTimeout(reject, timeoutMs, error);
    });
    try {
      return await Promise.race([this.#opening, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Opens a session. Where block time is far from the own clock (one of them is wrong, or a liar dated a block ahead) the
   * OPEN is void; it is asked for again by the time that the replicas agreed on.
   */
  async #open(): Promise<Session> {
    const { now, agreedTime, sealing } = this.#options;
    await sealing?.ready();
    let result = await this.#askToOpen(now());
    for (let tried = 1; tried < OPENS_MAX && result?.ok === false; tried += 1) {
      if (result.error !== 'openExpired' && result.error !== 'openTooFarAhead') break;
      const agreed = await agreedTime();
      const time = result.error === 'openExpired' ? Math.max(agreed ?? 0, now()) : (agreed ?? now());
      result = await this.#askToOpen(time);
    }
    const opened = result?.ok === true ? decodeOpened(result.payload) : undefined;
    if (opened === undefined || opened.window < 1)
      throw openError(result?.ok === false ? result.error : 'malformed');
    const session = this.#startSession({ ...opened, nextNumber: 1 });
    this.#session = session;
    return session;
  }

  #startSession(granted: SavedSession): Session {
    const { hash, domain, signer, sealing, clientId, bundleRequestsMax } = this.#options;
    return new ClientSession({ hash, domain, signer, sealing, clientId, bundleRequestsMax, ...granted });
  }

  /** Orders an OPEN that is valid for a while from `time` on. */
  #askToOpen(time: Milliseconds): Promise<Result | undefined> {
    const { window, now } = this.#options;
    const opener = this.#startSession({ session: 0, window: 1, nextNumber: 1 });
    const nonce = new Uint8Array(randomBytes(16));
    // A liar may have carried block time to the last value that there is.
    const validUntil = Math.min(time + OPEN_VALID_MS, Number.MAX_SAFE_INTEGER);
    const operation = encodeOperation({ kind: 'open', nonce, validUntil, window });
    // Copied: the result is looked at when other replies have come.
    const read = ({ result }: WireResult): Result | undefined => decodeResult(result.slice());
    const call = new Call(operation, false, read, (ticket) => {
      this.#tracker.forget(packed.bundle.digest);
      ticket.fail(timeoutError(ticket.txId));
    });
    opener.submit(call);
    const packed = opener.flush()[0]!;
    this.#deadlines.set(call, OPEN_VALID_MS);
    this.#perform(this.#tracker.track(packed.bundle, packed.requests, now(), true));
    this.#keepTicking();
    return call.promise;
  }

  #scheduleFlush(): void {
    this.#flush ??= setImmediate(this.#onFlush);
  }

  readonly #onFlush = (): void => {
    this.#flush = undefined;
    this.#pack();
    this.#keepTicking();
  };

  /** Makes bundles of what waits. What the session holds back to grow waits no longer than a tick. */
  #pack(): void {
    const session = this.#session;
    if (this.#isClosed || !this.#sendUnsaved()) return;
    if (session === undefined || session.waiting === 0) return;
    if (this.#options.sealing?.isReady === false) return this.#awaitKey(session);
    const now = this.#options.now();
    const isOverdue = this.#heldSinceMs !== undefined && now - this.#heldSinceMs >= TICK_MS;
    const bundles = session.flush(isOverdue);
    for (const packed of bundles) {
      this.#sessionOf.set(packed.bundle.digest, session);
      this.#unsaved.push(packed);
    }
    this.#sendUnsaved();
    if (session.waiting === 0) this.#heldSinceMs = undefined;
    else if (bundles.length > 0 || isOverdue) this.#heldSinceMs = now;
    else this.#heldSinceMs ??= now;
  }

  #awaitKey(session: Session): void {
    const refuse = (error: ClientError): void => session.drain().forEach((one) => this.#fail(one, error));
    void this.#options.sealing?.ready().then(() => this.#scheduleFlush(), refuse);
  }

  /** Sends what the state file has taken. False if something waits. */
  #sendUnsaved(): boolean {
    return this.#unsaved.send(({ bundle, requests }) =>
      this.#perform(this.#tracker.track(bundle, requests, this.#options.now())),
    );
  }

  /** Looks after what is due, at least every tick; certificates wait for less. */
  #keepTicking(): void {
    if (this.#isClosed || (this.#tracker.size === 0 && this.#unsaved.problem === undefined)) return;
    const now = this.#options.now();
    const atMs = Math.max(now, Math.min(now + TICK_MS, this.#tracker.certificateDueMs ?? Infinity));
    if (this.#tick !== undefined && atMs >= this.#tickAtMs) return;
    clearTimeout(this.#tick);
    this.#tickAtMs = atMs;
    this.#tick = setTimeout(() => {
      this.#tick = undefined;
      this.#perform(this.#tracker.onTick(this.#options.now()));
      this.#pack();
      this.#keepTicking();
    }, atMs - now);
  }

  #certify(proofs: readonly SignedProof[]): void {
    const bytes = this.#options.rules.makeCertificate(proofs);
    if (bytes !== undefined && bytes.length <= CERTIFICATE_BYTES_MAX)
      this.#options.channels().sendCertificate(bytes);
  }

  #perform(effects: readonly TrackerEffect<Ticket>[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'send':
          this.#options.channels().sendBundle(effect.bytes, effect.to === 'all' ? 'all' : this.#hint.primary);
          break;
        case 'result':
          if (effect.standing === 'final') {
            this.seenHeight = Math.max(this.seenHeight, effect.result.height);
            this.#options.watch.onAccepted(effect.session, effect.result, effect.votes);
          } else this.#unsettled.set(effect.result.txId, true);
          this.#deadlines.clear(effect.request);
          effect.request.complete(effect.result);
          break;
        case 'certify':
          this.#certify(effect.proofs);
          break;
        case 'refused':
          this.#onRefused(effect.bundle, effect.requests, effect.reason);
          break;
        case 'overloaded':
          this.#onOverloaded(effect.requests, effect.retryAfterMs);
          if (this.#foreign.delete(effect.bundle)) this.#tracker.forget(effect.bundle);
          break;
        case 'finished':
          this.#onFinished(effect.bundle);
          break;
      }
    }
  }

  #onRefused(bundle: Digest, requests: readonly Ticket[], reason: string): void {
    const session = this.#sessionOf.get(bundle);
    if (reason === 'keyVersionRetired') this.#options.sealing?.forget();
    for (const ticket of requests) {
      this.#refused.set(ticket.txId, reason);
      this.#fail(ticket, refusedError(reason, ticket.txId));
    }
    if (session === undefined || session !== this.#session) return;
    // The session is gone for ever (decision C4). What was never sent goes to the next one.
    if (reason !== 'unknownSession' && reason !== 'sessionOfOtherClient') return;
    this.#session = undefined;
    for (const ticket of session.drain()) this.#requeue(ticket);
  }

  /** Its deadline stays as it was. */
  #requeue(ticket: Ticket): void {
    this.#sessionBefore(OPEN_VALID_MS).then(
      (session) => {
        // Its caller was told that it was not sent.
        if (!this.#deadlines.has(ticket)) return;
        if (!session.submit(ticket))
          return this.#fail(ticket, new ClientError('overloaded', 'too many wait'));
        this.#scheduleFlush();
      },
      (error: ClientError) => this.#fail(ticket, error),
    );
  }

  #onOverloaded(requests: readonly Ticket[], retryAfterMs: Milliseconds): void {
    this.#overloadedUntil = Math.max(this.#overloadedUntil, this.#options.now() + retryAfterMs);
    const message = 'the cluster is over capacity; the operation may still be executed: ask for its txId';
    for (const ticket of requests)
      this.#fail(ticket, new ClientError('overloaded', message, { txId: ticket.txId, retryAfterMs }));
  }

  #onFinished(bundle: Digest): void {
    this.#sessionOf.get(bundle)?.finish(bundle);
    this.#sessionOf.delete(bundle);
    this.#foreign.delete(bundle);
    if (!this.#isClosed) this.#options.state?.finish(bundle);
    if (!this.#resumed.delete(bundle) || this.#resumed.size > 0) return;
    for (const tell of this.#onResumed) tell();
    this.#onResumed = [];
  }

  readonly #onTimeout = (ticket: Ticket): void => {
    if (this.#session?.cancel(ticket) === true || ticket.number === 0) {
      const message = 'too many operations are waiting: this one was not sent, try again';
      return ticket.fail(new ClientError('overloaded', message, { retryAfterMs: 500 }));
    }
    // The bundle is still followed: its number must not stay open, or the window would close.
    ticket.fail(timeoutError(ticket.txId));
  };

  #fail(ticket: Ticket, error: ClientError): void {
    this.#deadlines.clear(ticket);
    ticket.fail(error);
  }
}

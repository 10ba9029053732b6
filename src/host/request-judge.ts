/**
 * Whether bundles are authentic, as the cluster's authenticator says (decision C1). Signatures are checked at once. Tags of
 * MACs are judged by the replica's own trusted component (decision C3): in chunks, one under way at a time, so that a seal
 * never waits for more than one of them. The verdict is a function of the bytes and the key of the group: every replica
 * comes to the same, whoever sent the bundle and whatever the state is.
 *
 * Who sends wrong tags pays for it: each *source* (a client's connection, a peer) has a queue of its own, served in turn,
 * and a budget of wrong bundles; beyond it nothing of that source is judged for a while.
 */
import type { ClusterSettings } from '../core/config.ts';
import { authenticatorOf } from '../core/config.ts';
import type { Domain } from '../core/domain.ts';
import { clientIdOf, requestMacDigests } from '../core/request.ts';
import type { Bundle } from '../core/request.ts';
import type { Digest, Hash, Milliseconds, ReplicaId } from '../core/types.ts';
import type { SealVerifier } from '../crypto/port.ts';
import { TAG_CLAIMS_MAX } from '../trusted/contract.ts';
import type { TagClaim, TrustedRequest } from '../trusted/contract.ts';
import type { TrustedPort } from './ports.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../trusted/frames.ts';

/** Calls of the judge have numbers from here on: those of the desk that seals are below. */
export const JUDGE_CALLS_FROM = 2 ** 40;
/** Bundles whose verdict is remembered: each arrives from its client, from peers and inside a body. */
const VERDICTS_MAX = 16 * 1024;
/** What one source may have waiting; more is refused. */
const WAITING_PER_SOURCE_MAX = 256;
const WAITING_BYTES_PER_SOURCE_MAX = 16 * 1024 * 1024;
/** What all clients together may have waiting. */
const WAITING_CLIENT_JOBS_MAX = 4096;
const WAITING_CLIENT_BYTES_MAX = 64 * 1024 * 1024;
/** Sources that are remembered for what they sent. */
const RECORDS_MAX = 4096;
/** Wrong bundles of a source in each window. */
const WRONG_MAX = 16;
const WINDOW_MS: Milliseconds = 1_000;
/** Whoever goes on is left alone for twice as long each time, up to this. */
const PENALTY_MS_MAX: Milliseconds = 60_000;
/** Keys of clients that wait to be sealed, at most. */
const EXPORTS_MAX = 256;
const TAG_BYTES = 32;

/** From whom something comes: the key (hexadecimal) of a client's connection, a peer, or the own store. */
export type Source = `client/${string}` | `replica/${ReplicaId}` | 'store';

/** A verdict that is known, or why there is none yet. `refused`: it will not be judged. */
export type Judgement = 'valid' | 'invalid' | 'pending' | 'refused';

/** What the judge is made of. */
export interface RequestJudgeOptions {
  readonly settings: Pick<ClusterSettings, 'authenticator'>;
  readonly domain: Domain;
  readonly hash: Hash;
  readonly verifier: Pick<SealVerifier, 'verifyMany'>;
  /** Asks the trusted component. */
  readonly trusted: Pick<TrustedPort, 'call'>;
  readonly halt: (reason: string) => void;
}

interface Job {
  readonly source: Source;
  /** Of its bundles. */
  readonly bytes: number;
  readonly bundles: readonly Bundle[];
  readonly verdicts: (boolean | undefined)[];
  readonly then: (verdicts: readonly boolean[]) => void;
  /** Claims that are not sent yet, with the place of their bundle; undefined until its turn comes. */
  claims: { readonly place: number; readonly claim: TagClaim }[] | undefined;
  /** Claims that are with the component. */
  open: number;
}

interface Record {
  windowAt: Milliseconds;
  wrong: number;
  penaltyMs: Milliseconds;
  refusedUntil: Milliseconds;
}

type Asked =
  | {
      readonly kind: 'tags';
      readonly parts: readonly { readonly job: Job; readonly place: number }[];
      readonly request: TrustedRequest;
    }
  | {
      readonly kind: 'key';
      readonly then: (envelope: Uint8Array | undefined) => void;
      readonly request: TrustedRequest;
    };

/** A class of sources, each with what it has waiting; those at the front are served next. */
class Queues {
  readonly #bySource = new Map<Source, Job[]>();
  size = 0;
  bytes = 0;

  add(job: Job): boolean {
    const queue = this.#bySource.get(job.source) ?? [];
    if (queue.length >= WAITING_PER_SOURCE_MAX) return false;
    const waiting = queue.reduce((sum, one) => sum + one.bytes, 0);
    // The store's bodies are in memory anyway.
    const isBounded = job.source !== 'store' && queue.length > 0;
    if (isBounded && waiting + job.bytes > WAITING_BYTES_PER_SOURCE_MAX) return false;
    queue.push(job);
    this.#bySource.set(job.source, queue);
    this.size += 1;
    this.bytes += job.bytes;
    return true;
  }

  /** The next job of the next source; that source is then the last in turn. */
  next(): Job | undefined {
    for (const [source, queue] of this.#bySource) {
      this.#bySource.delete(source);
      const job = queue[0];
      if (job === undefined) continue;
      this.#bySource.set(source, queue);
      return job;
    }
    return undefined;
  }

  /** Everything of this job is sent. */
  finish(job: Job): void {
    const queue = this.#bySource.get(job.source);
    queue?.splice(queue.indexOf(job), 1);
    if (queue?.length === 0) this.#bySource.delete(job.source);
    this.size -= 1;
    this.bytes -= job.bytes;
  }
}

/** See the top of this file. */
export class RequestJudge {
  readonly #options: RequestJudgeOptions;
  readonly #verdicts = new Map<Digest, boolean>();
  readonly #peers = new Queues();
  readonly #clients = new Queues();
  /** Bundles of clients that wait, by source and digest: one that is sent again waits once. */
  readonly #known = new Set<string>();
  readonly #records = new Map<Source, Record>();
  readonly #exports: Extract<Asked, { kind: 'key' }>[] = [];
  #asked: Asked | undefined;
  #callId = JUDGE_CALLS_FROM;
  /** Which class has the first place in the next chunk. */
  #clientsFirst = false;
  #isReady = false;
  #isChoosing = false;
  #isRestoring = false;
  #now: Milliseconds = 0;

  constructor(options: RequestJudgeOptions) {
    this.#options = options;
  }

  /** Whether verdicts come from the trusted component. */
  get asksComponent(): boolean {
    return this.#options.settings.authenticator === 'mac';
  }

  /**
   * Judges one bundle. `pending`: `then` is called when the verdict is known, unless the same source waits for it already.
   */
  judge(bundle: Bundle, source: Source, now: Milliseconds, then: () => void): Judgement {
    const known = this.#verdictOn(bundle);
    if (known !== undefined) return known ? 'valid' : 'invalid';
    const name = `${source}/${bundle.digest}`;
    if (this.#known.has(name)) return 'pending';
    const isTaken = this.#take(source, [bundle], now, () => {
      this.#known.delete(name);
      then();
    });
    if (!isTaken) return 'refused';
    // The verdict may have been there at once.
    if (this.#verdictOn(bundle) === undefined) this.#known.add(name);
    return 'pending';
  }

  /** Judges all bundles of a body; false: that source must wait. `then` may be called at once. */
  judgeAll(
    bundles: readonly Bundle[],
    source: Source,
    now: Milliseconds,
    then: (verdicts: readonly boolean[]) => void,
  ): boolean {
    const known = bundles.map((bundle) => this.#verdictOn(bundle));
    if (known.every((verdict) => verdict !== undefined)) {
      then(known);
      return true;
    }
    return this.#take(source, bundles, now, then);
  }

  /** The verdict where it needs no component, or was given by it already. */
  #verdictOn(bundle: Bundle): boolean | undefined {
    const { settings, verifier } = this.#options;
    const authenticator = authenticatorOf(settings);
    if (authenticator !== 'mac') {
      if (authenticator === 'request' && bundle.requestCount !== 1) return false;
      const { clientKey: key, digest, signature } = bundle;
      return verifier.verifyMany([{ kind: 'client', key, digest, signature }]) === 'valid';
    }
    if (bundle.macs === undefined) return false;
    return this.#verdicts.get(bundle.digest);
  }

  /** Asks for the key of a client; `then` gets nothing if the component refuses. False: too many wait. */
  exportKey(
    request: Extract<TrustedRequest, { op: 'exportClientKey' }>,
    then: (envelope: Uint8Array | undefined) => void,
  ): boolean {
    if (!this.asksComponent || this.#exports.length >= EXPORTS_MAX) return false;
    this.#exports.push({ kind: 'key', request, then });
    this.#proceed();
    return true;
  }

  // ---- waiting ----------------------------------------------------------------------------------------------------

  #take(
    source: Source,
    bundles: readonly Bundle[],
    now: Milliseconds,
    then: (verdicts: readonly boolean[]) => void,
  ): boolean {
    this.#now = now;
    const record = this.#records.get(source);
    if (record !== undefined && now < record.refusedUntil) return false;
    const isClient = source.startsWith('client/');
    const { size, bytes: waiting } = this.#clients;
    const bytes = bundles.reduce((sum, bundle) => sum + bundle.bytes.length, 0);
    if (isClient && (size >= WAITING_CLIENT_JOBS_MAX || waiting + bytes > WAITING_CLIENT_BYTES_MAX))
      return false;
    const verdicts = bundles.map(() => undefined);
    const job: Job = { source, bytes, bundles, verdicts, then, claims: undefined, open: 0 };
    if (!(isClient ? this.#clients : this.#peers).add(job)) return false;
    this.#proceed();
    return true;
  }

  /** The claims of a job, as its turn comes: what was judged meanwhile is not asked again. */
  #claimsOf(job: Job): NonNullable<Job['claims']> {
    const { hash, domain } = this.#options;
    const claims: NonNullable<Job['claims']> = [];
    for (const [place, bundle] of job.bundles.entries()) {
      const known = this.#verdictOn(bundle);
      job.verdicts[place] = known ?? true;
      if (known !== undefined) continue;
      const { keyVersion: version, tags } = bundle.macs!;
      const clientId = clientIdOf(hash, bundle.clientKey);
      for (const [index, digest] of requestMacDigests(hash, domain, clientId, bundle).entries()) {
        const tag = tags.subarray(TAG_BYTES * index, TAG_BYTES * (index + 1));
        claims.push({ place, claim: { clientId, version, digest, tag } });
      }
    }
    return claims;
  }

  /** Gives the component what waits, if it has nothing of ours to do. */
  #proceed(): void {
    if (this.#asked !== undefined || !this.#isReady || this.#isChoosing) return;
    // What is told of a verdict may bring more to judge.
    this.#isChoosing = true;
    let next: Asked | undefined;
    do next = this.#exports.shift() ?? this.#nextChunk();
    while (next === undefined && this.#peers.size + this.#clients.size > 0);
    this.#isChoosing = false;
    if (next === undefined) return;
    this.#asked = next;
    this.#send(next.request);
  }

  #send(request: TrustedRequest): void {
    this.#callId += 1;
    this.#options.trusted.call(this.#callId, encodeTrustedRequest(request));
  }

  #nextChunk(): Asked | undefined {
    const parts: { readonly job: Job; readonly place: number }[] = [];
    const claims: TagClaim[] = [];
    const [first, second] = this.#clientsFirst ? [this.#clients, this.#peers] : [this.#peers, this.#clients];
    this.#clientsFirst = !this.#clientsFirst;
    for (const queues of [first, second]) {
      while (claims.length < TAG_CLAIMS_MAX) {
        const job = queues.next();
        if (job === undefined) break;
        job.claims ??= this.#claimsOf(job);
        for (const { place, claim } of job.claims.splice(0, TAG_CLAIMS_MAX - claims.length)) {
          claims.push(claim);
          parts.push({ job, place });
          job.open += 1;
        }
        if (job.claims.length > 0) continue;
        queues.finish(job);
        if (job.open === 0) this.#close(job);
      }
    }
    if (claims.length === 0) return undefined;
    return { kind: 'tags', parts, request: { op: 'verifyTags', claims } };
  }

  // ---- the component ----------------------------------------------------------------------------------------------

  /** The component can be asked. Judges what the store holds; `then` may look at all of it once more. */
  begin(stored: readonly Bundle[], now: Milliseconds, then: () => void): void {
    this.#isReady = true;
    this.#isRestoring = true;
    this.judgeAll(stored, 'store', now, () => {
      then();
      this.#isRestoring = false;
    });
  }

  /** The component was found again: what it had of ours is asked again. */
  onBack(): void {
    if (this.#asked !== undefined) this.#send(this.#asked.request);
  }

  /** An answer of the component; one to an older call (before a reconnection) is ignored. */
  onResponse(id: number, bytes: Uint8Array, now: Milliseconds): void {
    const asked = this.#asked;
    if (id !== this.#callId || asked === undefined) return;
    this.#now = now;
    this.#asked = undefined;
    const response = decodeTrustedResponse(bytes);
    if (asked.kind === 'key') {
      asked.then(response?.op === 'exportClientKey' ? response.envelope : undefined);
    } else if (response?.op === 'verifyTags' && response.valid.length === asked.parts.length) {
      this.#onVerdicts(asked.parts, response.valid);
    } else {
      const what = response?.op === 'error' ? `${response.code} ${response.message}` : 'something else';
      return this.#options.halt(
        `the trusted component was asked to judge MACs of requests and answered: ${what}. ` +
          'A cluster with MACs needs components of one group (docs/operations.md).',
      );
    }
    this.#proceed();
  }

  #onVerdicts(
    parts: readonly { readonly job: Job; readonly place: number }[],
    valid: readonly boolean[],
  ): void {
    const touched = new Set<Job>();
    for (const [index, { job, place }] of parts.entries()) {
      if (valid[index] !== true) job.verdicts[place] = false;
      job.open -= 1;
      touched.add(job);
    }
    for (const job of touched) if (job.open === 0 && job.claims?.length === 0) this.#close(job);
  }

  #close(job: Job): void {
    const verdicts = job.verdicts.map((verdict) => verdict === true);
    job.bundles.forEach(({ digest, macs }, place) => {
      if (macs !== undefined) this.#remember(digest, verdicts[place]!);
    });
    if (verdicts.includes(false)) this.#blame(job.source);
    job.then(verdicts);
  }

  #remember(digest: Digest, verdict: boolean): void {
    this.#verdicts.delete(digest);
    this.#verdicts.set(digest, verdict);
    if (this.#isRestoring) return;
    for (const oldest of this.#verdicts.keys()) {
      if (this.#verdicts.size <= VERDICTS_MAX) return;
      this.#verdicts.delete(oldest);
    }
  }

  #blame(source: Source): void {
    if (source === 'store') return;
    const now = this.#now;
    let record = this.#records.get(source);
    if (record === undefined) {
      record = { windowAt: now, wrong: 0, penaltyMs: WINDOW_MS, refusedUntil: 0 };
      this.#records.set(source, record);
      const oldest = this.#records.keys().next().value;
      if (this.#records.size > RECORDS_MAX && oldest !== undefined) this.#records.delete(oldest);
    }
    if (now - record.windowAt >= 2 * record.penaltyMs) record.penaltyMs = WINDOW_MS;
    if (now - record.windowAt >= WINDOW_MS) Object.assign(record, { windowAt: now, wrong: 0 });
    record.wrong += 1;
    if (record.wrong < WRONG_MAX) return;
    // A correct peer passes on bodies that others made, so it is never left alone for long.
    record.refusedUntil = now + (source.startsWith('replica/') ? WINDOW_MS : record.penaltyMs);
    record.penaltyMs = Math.min(2 * record.penaltyMs, PENALTY_MS_MAX);
    record.wrong = 0;
    record.windowAt = record.refusedUntil;
  }
}

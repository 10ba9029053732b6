/**
 * The client library: `connect` gives a `MoietyClient` over TLS to all replicas. It believes as many equal signed replies
 * as the cluster's protocol asks for (f+1 final ones, mostly), N equal answers to a read where that is enough, or a
 * proof; never one replica (unless asked for one replica's word).
 */
import { createPrivateKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { KvOperation } from '../apps/kv/operations.ts';
import { bytesToDigest, concatBytes, digestToBytes, hexToBytes } from '../core/bytes.ts';
import type { WireResult } from '../core/client-wire.ts';
import { authenticatorOf } from '../core/config.ts';
import type { ClusterSettings } from '../core/config.ts';
import type { Lack, LiveAnswer } from '../core/live.ts';
import { clientIdOf, decodeBundle } from '../core/request.ts';
import type { Digest, Height, Milliseconds, ReplicaId } from '../core/types.ts';
import { encodeOperation } from '../ledger/operation.ts';
import type { Operation } from '../ledger/operation.ts';
import { trustOf } from '../ledger/trust.ts';
import { protocolNamed } from '../protocols/catalogue.ts';
import type { AnyProtocol } from '../protocols/catalogue.ts';
import { createAnswerRules } from './answer-rules.ts';
import type { AnswerRules } from './answer-rules.ts';
import { checkOperationLength, encodeKv, OperationEncoder, promised } from './call-operations.ts';
import {
  kvResultOf,
  payloadOf,
  readDeleted,
  readDone,
  readExecuted,
  readForeign,
  readPut,
  readSwap,
  unexpected,
} from './call-results.ts';
import { createClusterVerifier } from './cluster-verifier.ts';
import type {
  Committed,
  EvidenceClaim,
  Executed,
  LedgerEvent,
  ListPage,
  ListQuery,
  MoietyClient,
  ProvenBlock,
  ReadOptions,
  ReadResult,
  SeenStatus,
  SubmitOptions,
  TransactionState,
} from './contract.ts';
import { ClientError } from './errors.ts';
import { EVENT_POLL_MS, streamEvents } from './events.ts';
import { clientCertificate, createKeySigner, createSignatureCheck } from './keys.ts';
import { LedgerReader } from './ledger-reader.ts';
import { ReplicaLink } from './link.ts';
import { SharedResults } from './shared-results.ts';
import { MacSealing } from './mac-sealing.ts';
import { receiptOf } from './receipts.ts';
import { ReplicaChannels } from './replica-channels.ts';
import type { OpenChannel } from './replica-channels.ts';
import { ReplyWatch } from './reply-watch.ts';
import type { FoundEvidence } from './reply-watch.ts';
import { StateFile } from './state-file.ts';
import { Submitter } from './submitter.ts';
import { ED25519 } from '../platform/ed25519.ts';
import { nodeHash } from '../platform/sha256.ts';

/** How long a call waits unless told otherwise. */
const TIMEOUT_MS: Milliseconds = 10_000;
/** How long a fast read waits for all N (decision C6). */
const FAST_READ_MS: Milliseconds = 50;
/** After a fast read without an answer reads are ordered at once for so long: one silent replica must not slow each. */
const FAST_READ_PAUSE_MS: Milliseconds = 1_000;
/** Tries of an ordered read whose result was lost on the way: reads are not kept (decision C6). */
const ORDERED_READ_TRIES = 4;

/** What `connect` needs. */
export interface ConnectOptions {
  readonly cluster: ClusterSettings;
  /** Ed25519 private key of a client that the cluster knows. */
  readonly key: KeyObject | string;
  /** File that keeps calls exactly-once over a crash of this process; one client at a time may use it. */
  readonly stateFile?: string | undefined;
  /** Window to ask for (decision C4): requests in flight; default 64, a gateway takes 4,096. */
  readonly window?: number | undefined;
  /** Requests of one signed bundle, at most; 1 signs each request by itself. Default: what a bundle may have. */
  readonly bundleRequestsMax?: number | undefined;
  /** How long to wait for f+1 replicas; 0: do not wait. Default 5 s. */
  readonly connectTimeoutMs?: Milliseconds | undefined;
  /** A replica signed an answer that contradicts f+1 others: proof that verifies offline. */
  readonly onEvidence?: ((found: FoundEvidence) => void) | undefined;
  /** For tests: the protocol whose answers are believed, where it is not the one of the settings. */
  readonly protocol?: Pick<AnyProtocol, 'client'> | undefined;
  /** For tests: how to open a link. */
  readonly openChannel?: OpenChannel | undefined;
  readonly now?: (() => Milliseconds) | undefined;
}

/** Connects to a cluster. Fails with a `ClientError`. */
export async function connect(
  options: ConnectOptions,
): Promise<MoietyClient & { whenResumed(): Promise<void> }> {
  const client = new NodeClient(options);
  try {
    await client.whenReady(options.connectTimeoutMs ?? 5_000);
  } catch (error) {
    await client.close();
    throw error;
  }
  return client;
}

class NodeClient implements MoietyClient {
  readonly settings: ClusterSettings;
  readonly clientId: Digest;
  readonly #channels: ReplicaChannels;
  readonly #submitter: Submitter;
  readonly #sealing: MacSealing | undefined;
  readonly #reader: LedgerReader;
  readonly #now: () => Milliseconds;
  readonly #wakers = new Set<() => void>();
  readonly #closing = new AbortController();
  readonly #rules: AnswerRules;
  readonly #encoder = new OperationEncoder();
  #fastReadsFrom: Milliseconds = 0;

  constructor(options: ConnectOptions) {
    const { cluster: settings, stateFile } = options;
    const key = typeof options.key === 'string' ? createPrivateKey(options.key) : options.key;
    const signer = createKeySigner(key);
    this.settings = settings;
    this.clientId = clientIdOf(nodeHash, signer.publicKey);
    this.#now = options.now ?? Date.now;
    const owner = concatBytes(digestToBytes(settings.clusterId), digestToBytes(this.clientId));
    const state =
      stateFile === undefined ? undefined : new StateFile(stateFile, bytesToDigest(nodeHash(owner)));
    const verifyHost = createSignatureCheck(settings.members.map((member) => hexToBytes(member.hostKey)!));
    const channels = (): ReplicaChannels => this.#channels;
    const crypto = { hash: nodeHash, verifySignature: ED25519.verify };
    const protocol = options.protocol ?? protocolNamed(settings.protocol);
    if (protocol === undefined)
      throw new ClientError('invalid', `this version does not know the protocol "${settings.protocol}"`);
    this.#rules = createAnswerRules({
      settings,
      hash: nodeHash,
      verifier: createClusterVerifier(settings, crypto),
      rules: protocol.client,
    });
    const watch = new ReplyWatch({
      trust: trustOf(settings),
      crypto,
      onEvidence: (found) => options.onEvidence?.(found),
    });
    const authenticator = authenticatorOf(settings);
    const quorum = settings.f + 1;
    const domain = settings;
    const parts = { hash: nodeHash, domain, signer, clientId: this.clientId, quorum, channels };
    this.#sealing = authenticator === 'mac' ? new MacSealing(parts) : undefined;
    this.#submitter = new Submitter({
      ...parts,
      sealing: this.#sealing,
      rules: this.#rules,
      replicas: settings.members.length,
      window: options.window ?? 64,
      bundleRequestsMax: authenticator === 'request' ? 1 : options.bundleRequestsMax,
      channels,
      verifyHost,
      state,
      now: this.#now,
      agreedTime: () => this.#reader.agreedTime(),
      watch,
    });
    this.#reader = new LedgerReader({ settings, hash: nodeHash, verifyHost, channels });
    this.#channels = new ReplicaChannels(
      settings,
      options.openChannel ?? tlsChannels(key, signer.publicKey, settings.members.length),
      {
        onUp: (replica) => {
          this.#submitter.onLinkUp(replica);
          this.#wake();
        },
        onFrame: (replica, frame) => {
          const before = this.#submitter.seenHeight;
          this.#submitter.onFrame(replica, frame);
          if (this.#submitter.seenHeight > before) this.#wake();
        },
      },
    );
    this.#submitter.resume();
  }

  #wake(): void {
    for (const wake of [...this.#wakers]) wake();
  }

  /** Waits until f+1 replicas are connected. */
  async whenReady(timeoutMs: Milliseconds): Promise<void> {
    const deadline = this.#now() + timeoutMs;
    while (this.#channels.readyCount <= this.settings.f) {
      const leftMs = deadline - this.#now();
      if (timeoutMs === 0) return;
      if (leftMs <= 0) throw this.#reader.unavailable();
      await this.#sleep(Math.min(leftMs, 250));
    }
  }

  #sleep(delayMs: Milliseconds, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#wakers.delete(done);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, delayMs);
      this.#wakers.add(done);
      signal?.addEventListener('abort', done, { once: true });
      if (signal?.aborted === true) done();
    });
  }

  whenResumed(): Promise<void> {
    return this.#submitter.whenResumed();
  }

  #order<T>(operation: Uint8Array, options: SubmitOptions, read: (result: WireResult) => T): Promise<T> {
    const { idempotencyKey, timeoutMs } = options;
    return this.#submitter.submit(operation, idempotencyKey !== undefined, timeoutMs ?? TIMEOUT_MS, read);
  }

  /** Orders what is neither an operation of the service nor a read; it has no idempotency key. */
  #orderOther<T>(
    operation: Operation,
    timeoutMs: Milliseconds | undefined,
    read: (result: WireResult) => T,
  ): Promise<T> {
    return this.#order(encodeOperation(operation), { timeoutMs }, read);
  }

  submit(operation: Uint8Array, options: SubmitOptions = {}): Promise<Executed> {
    return promised(() =>
      this.#order(this.#encoder.encodeApp(operation, options.idempotencyKey), options, readExecuted),
    );
  }

  async submitBundle(bytes: Uint8Array, options: SubmitOptions = {}): Promise<readonly Executed[]> {
    const bundle = decodeBundle(nodeHash, this.settings, bytes);
    if (bundle === undefined)
      throw new ClientError('invalid', 'the bytes are not one canonical bundle of at most 64 KiB');
    if (this.#sealing !== undefined)
      throw new ClientError(
        'invalid',
        'requests of this cluster have MACs, which only replicas can check: bundles of others are not passed on, their clients connect themselves',
      );
    if (authenticatorOf(this.settings) === 'request' && bundle.requestCount > 1)
      throw new ClientError('invalid', 'this cluster takes one request in each signed bundle');
    // A bad seal would be dropped silently by every replica: say so here instead.
    let isAuthentic = false;
    try {
      isAuthentic = createSignatureCheck([bundle.clientKey])(
        0,
        digestToBytes(bundle.digest),
        bundle.signature,
      );
    } catch {
      // Not a public key at all.
    }
    if (!isAuthentic)
      throw new ClientError('invalid', "the bundle's signature is wrong (is it for this cluster?)");
    return this.#submitter.submitForeign(bundle, options.timeoutMs ?? TIMEOUT_MS, readForeign);
  }

  noop(options: SubmitOptions = {}): Promise<Committed> {
    return promised(() => this.#orderOther({ kind: 'noop' }, options.timeoutMs, readDone));
  }

  async read(operation: Uint8Array, options: ReadOptions = {}): Promise<ReadResult> {
    checkOperationLength(operation);
    const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    const bytes = encodeOperation({ kind: 'read', operation });
    if (options.consistency === 'replica') return this.#readReplica(bytes, timeoutMs);
    if (this.#rules.fastReads && this.#now() >= this.#fastReadsFrom) {
      const answer = await this.#channels.readAll(bytes, FAST_READ_MS);
      if (typeof answer !== 'string') return { ...answer, result: payloadOf(answer.result), path: 'fast' };
      if (answer === 'noAnswer') this.#fastReadsFrom = this.#now() + FAST_READ_PAUSE_MS;
    }
    return this.#readOrdered(operation, timeoutMs);
  }

  async #readReplica(bytes: Uint8Array, timeoutMs: Milliseconds): Promise<ReadResult> {
    const count = this.#channels.count;
    for (let step = 0; step < count; step += 1) {
      const replica = (this.#submitter.primary + step) % count;
      if (!this.#channels.isReady(replica)) continue;
      const answer = await this.#channels.readOne(replica, bytes, Math.min(timeoutMs, 2_000));
      if (answer !== undefined) return { ...answer, result: payloadOf(answer.result), path: 'replica' };
    }
    throw this.#reader.unavailable();
  }

  async #readOrdered(operation: Uint8Array, timeoutMs: Milliseconds): Promise<ReadResult> {
    const deadline = this.#now() + timeoutMs;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const leftMs = Math.max(1, deadline - this.#now());
        const { sequence, height, result } = await this.#orderOther(
          { kind: 'read', operation },
          leftMs,
          readExecuted,
        );
        return { sequence, height, result, path: 'ordered' };
      } catch (error) {
        const isLost = error instanceof ClientError && error.code === 'resultForgotten';
        if (!isLost || attempt >= ORDERED_READ_TRIES) throw error;
      }
    }
  }

  #kv<T>(operation: KvOperation, options: SubmitOptions, read: (result: WireResult) => T): Promise<T> {
    return promised(() =>
      this.#order(this.#encoder.encodeKv(operation, options.idempotencyKey), options, read),
    );
  }

  put(
    key: Uint8Array,
    value: Uint8Array,
    options: SubmitOptions = {},
  ): Promise<Committed & { existed: boolean }> {
    return this.#kv({ kind: 'put', key, value }, options, readPut);
  }

  delete(key: Uint8Array, options: SubmitOptions = {}): Promise<Committed & { existed: boolean }> {
    return this.#kv({ kind: 'delete', key }, options, readDeleted);
  }

  compareAndSwap(
    change: { key: Uint8Array; expected: Uint8Array | undefined; value: Uint8Array },
    options: SubmitOptions = {},
  ): Promise<Committed & { swapped: boolean; current: Uint8Array | undefined }> {
    return this.#kv({ kind: 'compareAndSwap', ...change }, options, readSwap);
  }

  async get(
    key: Uint8Array,
    options: ReadOptions = {},
  ): Promise<ReadResult & { value: Uint8Array | undefined }> {
    const read = await this.read(encodeKv({ kind: 'get', key }), options);
    const result = kvResultOf(read.result);
    if (result.kind === 'value') return { ...read, value: result.value };
    if (result.kind === 'notFound') return { ...read, value: undefined };
    throw unexpected(result.kind);
  }

  async list(query: ListQuery, options: ReadOptions = {}): Promise<ListPage> {
    const operation = { kind: 'list', startAfter: undefined, ...query } as const;
    const read = await this.read(encodeKv(operation), options);
    const result = kvResultOf(read.result);
    if (result.kind !== 'page') throw unexpected(result.kind);
    return { entries: result.entries, next: result.next, sequence: read.sequence };
  }

  async registerClient(
    client: { key: Uint8Array; organisation: string; role: 'client' | 'admin' },
    options: SubmitOptions = {},
  ): Promise<Committed> {
    const { key: clientKey, organisation, role } = client;
    if (clientKey.length !== 32) throw new ClientError('invalid', 'a client key has 32 bytes');
    const operation = { kind: 'register', clientKey, organisation, role } as const;
    return this.#orderOther(operation, options.timeoutMs, readDone);
  }

  async revokeClient(clientId: Digest, options: SubmitOptions = {}): Promise<Committed> {
    return this.#orderOther({ kind: 'revoke', clientId }, options.timeoutMs, readDone);
  }

  async renewKey(clientId: Digest = this.clientId, options: SubmitOptions = {}): Promise<Committed> {
    const renewed = await this.#orderOther({ kind: 'renewKey', clientId }, options.timeoutMs, readDone);
    if (clientId === this.clientId) this.#sealing?.forget();
    return renewed;
  }

  async transaction(txId: Digest): Promise<TransactionState> {
    if (hexToBytes(txId)?.length !== 32)
      throw new ClientError('invalid', 'a transaction id is 64 lower-case hexadecimal digits');
    if (this.#submitter.isPending(txId)) return { state: 'pending' };
    const seen = await this.#reader.transaction(txId);
    if (seen.state === 'unknown' && this.#submitter.isUnsettled(txId)) return { state: 'pending' };
    const reason = this.#submitter.refusalOf(txId);
    return seen.state === 'unknown' && reason !== undefined ? { state: 'rejected', reason } : seen;
  }

  async receipt(txId: Digest): Promise<Uint8Array> {
    const seen = await this.transaction(txId);
    const proven = seen.state === 'committed' ? await this.#reader.block(seen.height) : undefined;
    if (seen.state !== 'committed' || proven === undefined)
      throw new ClientError('notFound', `no receipt: the transaction is ${seen.state}`, { txId });
    return receiptOf(this.settings, nodeHash, proven, seen.index);
  }

  block(height: Height): Promise<ProvenBlock | undefined> {
    return this.#reader.block(height);
  }

  waiting(): Lack | undefined {
    return this.#submitter.waiting();
  }

  status(waitMs?: Milliseconds): Promise<readonly SeenStatus[]> {
    return this.#reader.status(waitMs);
  }

  live(source: ReplicaId, cursor: string): Promise<LiveAnswer | undefined> {
    return this.#reader.live(source, cursor);
  }

  evidenceAt(source: ReplicaId): Promise<readonly EvidenceClaim[]> {
    return this.#reader.evidenceAt(source);
  }

  evidenceFile(source: ReplicaId, name: string): Promise<string | undefined> {
    return this.#reader.evidenceFile(source, name);
  }

  events(from: number | 'latest', signal?: AbortSignal): AsyncIterable<LedgerEvent> {
    const reader = this.#reader;
    const both =
      signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
    const source = {
      block: (height: Height) => reader.block(height),
      position: (argument: string) => reader.position(argument),
      height: () => reader.height(),
      pause: async (height: Height, waiting: AbortSignal | undefined): Promise<void> => {
        // A block that f+1 replicas have told of is only not yet signed: ask again soon.
        const delayMs = this.#submitter.seenHeight >= height ? EVENT_POLL_MS / 5 : EVENT_POLL_MS;
        await this.#sleep(delayMs, waiting);
      },
    };
    return streamEvents(source, from, both);
  }

  close(): Promise<void> {
    this.#closing.abort();
    this.#submitter.close();
    this.#channels.close();
    this.#wake();
    return Promise.resolve();
  }
}

function tlsChannels(key: KeyObject, clientKey: Uint8Array, replicas: number): OpenChannel {
  const certificate = clientCertificate(key);
  const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
  const { read: readResults } = new SharedResults(replicas);
  return (options) => new ReplicaLink({ ...options, key: pem, certificate, clientKey, readResults });
}

/**
 * The ledger's executor: executes batches in order, makes blocks (decisions D1, D2), keeps sessions (C4), idempotency
 * keys (C5) and clients (C9), freezes checkpoints (D3, D6). Pure and synchronous; equal batches in equal order give
 * equal blocks, replies and state digests at every replica, whatever route a replica took to its state.
 */
import { assert } from '../core/assert.ts';
import type { Application } from '../core/application.ts';
import type { ClusterSettings } from '../core/config.ts';
import type { Domain } from '../core/domain.ts';
import { domainTag, domainWriter, finishDigest } from '../core/domain.ts';
import type { CheckpointState } from '../core/protocol.ts';
import type { Batch, Bundle } from '../core/request.ts';
import type { Digest, Hash, Height, Milliseconds, SequenceNumber } from '../core/types.ts';
import { ZERO_DIGEST } from '../core/types.ts';
import { BatchRun } from './batch-run.ts';
import { makeBlock } from './block.ts';
import type {
  Admission,
  Block,
  ExecuteOptions,
  ExecutionOutcome,
  FrozenCheckpoint,
  LedgerExecutor,
} from './contract.ts';
import { stateChunkCount, StateFreezer } from './frozen-state.ts';
import { membershipDigest } from './genesis.ts';
import { LEDGER_CHUNKS, LedgerState } from './ledger-state.ts';
import { decodeOperation, errorResult, okResult } from './operation.ts';
import { createPolicy } from './policy.ts';
import { RequestRunner } from './request-runner.ts';

/** What an executor is made of. */
export interface LedgerExecutorParts {
  readonly settings: ClusterSettings;
  readonly hash: Hash;
  /** The service in its genesis state; the executor is its only user from now on. */
  readonly application: Application;
  /**
   * Whether a key may be registered as a client's (decision B5: canonical, prime order). Must judge alike at every
   * replica; without it every 32 bytes may, and only seals decide.
   */
  readonly isKeyAcceptable?: (key: Uint8Array) => boolean;
}

/** An executor at genesis: nothing executed, height 0. `install` takes it elsewhere. */
export function createLedgerExecutor(parts: LedgerExecutorParts): LedgerExecutor {
  return new Executor(parts);
}

/**
 * `configurationDigest` of a header (decision D1). Covers: cluster id and configurationVersion (domain), the
 * membership of genesis (`membershipDigest`: protocol, f, suite, every member with its keys, trusted program,
 * footprint and measurement) and the protocol state, which holds the registry of incarnations, *as of the latest
 * checkpoint below the block* (empty before the first). A RECOVER shows in it from the first block after the next
 * checkpoint on; taken there it is known to a replica that came by state transfer, too.
 */
export function configurationDigestOf(
  hash: Hash,
  domain: Domain,
  membership: Digest,
  protocolStateAtCheckpoint: Uint8Array,
): Digest {
  const writer = domainWriter(domainTag('ledger', 'CONFIGURATION'), domain).digest(membership);
  return finishDigest(hash, writer.raw(hash(protocolStateAtCheckpoint)));
}

class Executor implements LedgerExecutor {
  readonly #settings: ClusterSettings;
  readonly #hash: Hash;
  readonly #application: Application;
  readonly #runner: RequestRunner;
  readonly #freezer: StateFreezer;
  readonly #membership: Digest;
  #state: LedgerState;
  #checkpoint: CheckpointState = { sequence: 0, stateDigest: ZERO_DIGEST };
  #checkpointHeight: Height = 0;
  #configurationDigest: Digest;
  #usable = true;

  constructor(parts: LedgerExecutorParts) {
    const { settings, hash, application, isKeyAcceptable = () => true } = parts;
    const { clusterId, limits } = settings;
    this.#settings = settings;
    this.#hash = hash;
    this.#application = application;
    const policy = createPolicy(settings.policy);
    this.#runner = new RequestRunner({ hash, clusterId, application, policy, isKeyAcceptable });
    // A correct replica executes at most a window beyond its latest stable checkpoint and keeps two stable ones.
    const context = { hash, domain: settings };
    this.#freezer = new StateFreezer(context, application, limits.pipelineFactor + 4);
    this.#membership = membershipDigest(hash, settings);
    this.#state = new LedgerState(hash, settings);
    this.#configurationDigest = this.#currentConfiguration();
  }

  get chunkCount(): number {
    return stateChunkCount(this.#application);
  }

  get executed(): SequenceNumber {
    return this.#state.sequence;
  }

  get confirmed(): SequenceNumber {
    return this.#state.sequence;
  }

  get height(): Height {
    return this.#state.height;
  }

  get headerHash(): Digest {
    return this.#state.headerHash;
  }

  get time(): Milliseconds {
    return this.#state.time;
  }

  get checkpoint(): CheckpointState {
    return this.#checkpoint;
  }

  get protocolState(): Uint8Array {
    return this.#state.protocolState;
  }

  admit(bundle: Bundle): Admission {
    assert(this.#usable, 'a failed install is followed by another before anything else');
    return this.#runner.admit(this.#state, bundle);
  }

  isClient(clientKey: Uint8Array): boolean {
    const client = this.#usable ? this.#state.clients.byKey(clientKey) : undefined;
    return client !== undefined && !client.revoked;
  }

  execute(
    sequence: SequenceNumber,
    batch: Batch,
    protocolState: Uint8Array,
    options: ExecuteOptions = {},
  ): ExecutionOutcome {
    assert(options.speculative !== true && options.wantsUpdate !== true, 'batches are executed for good');
    assert(this.#usable, 'a failed install is followed by another before anything else');
    const state = this.#state;
    assert(sequence === state.sequence + 1, 'batches are executed in order');
    assert(batch.bundleAuthentic.length === batch.bundles.length, 'every bundle of a batch was judged');
    state.time = Math.max(state.time, batch.time);
    state.idempotency.expire(state.height + 1);
    const run = new BatchRun();
    batch.bundles.forEach((bundle, index) => {
      if (batch.bundleAuthentic[index] === true) this.#runner.executeBundle(state, bundle, run);
    });
    state.sequence = sequence;
    state.protocolState = protocolState;
    const block = run.transactions.length === 0 ? undefined : this.#closeBlock(batch, run);
    const isBoundary = sequence % this.#settings.limits.checkpointInterval === 0;
    const checkpoint = isBoundary ? this.#closeInterval() : undefined;
    return { block, replies: run.replies(), checkpoint, update: undefined };
  }

  confirm(through: SequenceNumber): void {
    assert(through <= this.#state.sequence, 'only what was executed is confirmed');
  }

  rollback(to: SequenceNumber): void {
    assert(to === this.#state.sequence, 'only what was not confirmed is rolled back');
  }

  applyUpdate(): ExecutionOutcome | undefined {
    return undefined;
  }

  #closeBlock(batch: Batch, run: BatchRun): Block {
    const state = this.#state;
    const { clusterId, configurationVersion } = this.#settings;
    const header = {
      clusterId,
      configurationVersion,
      configurationDigest: this.#configurationDigest,
      height: state.height + 1,
      sequence: state.sequence,
      previous: state.headerHash,
      proposedInView: batch.proposedInView,
      time: state.time,
      ...run.roots(this.#hash),
      checkpoint: { height: this.#checkpointHeight, stateDigest: this.#checkpoint.stateDigest },
    };
    const block = makeBlock(this.#hash, header, run.transactions);
    state.height = header.height;
    state.headerHash = block.headerHash;
    return block;
  }

  /** Work of a checkpoint boundary: what may be forgotten goes first (decision C4), then the state is frozen. */
  #closeInterval(): CheckpointState {
    const state = this.#state;
    state.sessions.evict((clientId) => state.clients.byId(clientId)?.revoked !== false);
    state.opens.prune(state.time);
    this.#enterCheckpoint(this.#freezer.freeze(state));
    return this.#checkpoint;
  }

  #enterCheckpoint(checkpoint: CheckpointState): void {
    this.#checkpoint = checkpoint;
    this.#checkpointHeight = this.#state.height;
    this.#configurationDigest = this.#currentConfiguration();
  }

  #currentConfiguration(): Digest {
    const { protocolState } = this.#state;
    return configurationDigestOf(this.#hash, this.#settings, this.#membership, protocolState);
  }

  query(operation: Uint8Array): {
    readonly sequence: SequenceNumber;
    readonly height: Height;
    readonly result: Uint8Array;
  } {
    assert(this.#usable, 'a failed install is followed by another before anything else');
    const { sequence, height } = this.#state;
    const decoded = decodeOperation(operation);
    const result =
      decoded?.kind === 'read'
        ? okResult(this.#application.query(decoded.operation))
        : errorResult('malformedOperation');
    return { sequence, height, result };
  }

  frozen(sequence: SequenceNumber): FrozenCheckpoint | undefined {
    return this.#freezer.get(sequence);
  }

  releaseBelow(sequence: SequenceNumber): void {
    this.#freezer.releaseBelow(sequence);
  }

  install(checkpoint: CheckpointState, chunk: (index: number) => Uint8Array): boolean {
    // Nothing is decoded, and nothing of the present state touched, before the chunks are known to be certified ones.
    if (!this.#freezer.covers(checkpoint.stateDigest, chunk)) return false;
    this.#usable = false;
    const state = LedgerState.decode(this.#hash, this.#settings, chunk);
    if (state === undefined || state.sequence !== checkpoint.sequence) return false;
    if (!this.#application.install((index) => chunk(LEDGER_CHUNKS + index))) return false;
    this.#freezer.reset();
    // Frozen from the decoded state, not from the given bytes: equal digests show that decoding lost nothing.
    const frozen = this.#freezer.freeze(state);
    if (frozen.stateDigest !== checkpoint.stateDigest) return false;
    this.#state = state;
    this.#enterCheckpoint(frozen);
    this.#usable = true;
    return true;
  }
}

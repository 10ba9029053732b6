/**
 * The ledger's executor: executes batches in order, makes blocks (decisions D1, D2), keeps sessions (C4), idempotency
 * keys (C5) and clients (C9), freezes checkpoints (D3, D6). Pure and synchronous; equal batches in equal order give
 * equal blocks, replies and state digests at every replica, whatever route a replica took to its state.
 */
import { assert } from '../core/assert.ts';
import type { Application } from '../core/application.ts';
import type { ClusterSettings } from '../core/config.ts';
import { windowOf } from '../core/config.ts';
import type { Domain } from '../core/domain.ts';
import { domainTag, domainWriter, finishDigest } from '../core/domain.ts';
import type { CheckpointState } from '../core/protocol.ts';
import type { Batch, Bundle, BundleContent } from '../core/request.ts';
import type { Digest, Hash, Height, Milliseconds, SequenceNumber, View } from '../core/types.ts';
import { ZERO_DIGEST } from '../core/types.ts';
import { UndoLog } from '../core/undo-log.ts';
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
import { decodeUpdate, encodeUpdate, UpdatePlayback, UpdateRecorder } from './update.ts';

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

/** Where a batch stands. */
interface BatchPlace {
  readonly sequence: SequenceNumber;
  readonly protocolState: Uint8Array;
  readonly view: View;
}

class Executor implements LedgerExecutor {
  readonly #settings: ClusterSettings;
  readonly #hash: Hash;
  readonly #application: Application;
  readonly #runner: RequestRunner;
  readonly #freezer: StateFreezer;
  readonly #membership: Digest;
  /** How to take back what is not confirmed; the service keeps its own. */
  readonly #undo = new UndoLog();
  #confirmed: SequenceNumber = 0;
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
    this.#runner = new RequestRunner({
      hash,
      clusterId,
      policy,
      isKeyAcceptable,
      hasMacs: settings.authenticator === 'mac',
    });
    // A correct replica executes at most a window beyond its latest stable checkpoint and keeps two stable ones.
    const context = { hash, domain: settings };
    this.#freezer = new StateFreezer(context, application, limits.pipelineFactor + 4);
    this.#membership = membershipDigest(hash, settings);
    this.#state = new LedgerState(hash, settings, this.#undo);
    this.#configurationDigest = this.#currentConfiguration();
  }

  get chunkCount(): number {
    return stateChunkCount(this.#application);
  }

  get executed(): SequenceNumber {
    return this.#state.sequence;
  }

  get confirmed(): SequenceNumber {
    return this.#confirmed;
  }

  get undoSteps(): number {
    return this.#undo.size;
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

  keyVersionOf(clientKey: Uint8Array): number {
    return this.isClient(clientKey) ? this.#state.clients.byKey(clientKey)!.keyVersion : 0;
  }

  execute(
    sequence: SequenceNumber,
    batch: Batch,
    protocolState: Uint8Array,
    options: ExecuteOptions = {},
  ): ExecutionOutcome {
    const { speculative = false, wantsUpdate = false } = options;
    this.#assertNext(sequence, speculative);
    assert(batch.bundleAuthentic.length === batch.bundles.length, 'every bundle of a batch was judged');
    if (speculative) this.#mark(sequence);
    if (speculative || wantsUpdate) this.#application.mark(sequence);
    const recorder = wantsUpdate ? new UpdateRecorder(this.#application) : undefined;
    const run = new BatchRun(recorder ?? this.#application);
    const bundles = batch.bundles.filter((_, index) => batch.bundleAuthentic[index] === true);
    this.#state.time = Math.max(this.#state.time, batch.time);
    const block = this.#runBundles(bundles, run, { sequence, protocolState, view: batch.proposedInView });
    const update = recorder === undefined ? undefined : this.#updateOf(recorder, batch.proposedInView);
    const checkpoint = this.#closeIntervalAt(sequence);
    if (!speculative) this.#settle(sequence);
    return { block, replies: run.replies(), checkpoint, update };
  }

  applyUpdate(
    sequence: SequenceNumber,
    update: Uint8Array,
    protocolState: Uint8Array,
  ): ExecutionOutcome | undefined {
    this.#assertNext(sequence, false);
    const content = decodeUpdate(update);
    if (content?.sequence !== sequence || content.time < this.#state.time) return undefined;
    // Marked, so that what turns out not to fit half way leaves no trace.
    this.#mark(sequence);
    this.#application.mark(sequence);
    const playback = new UpdatePlayback(content.bundles);
    const run = new BatchRun(playback);
    this.#state.time = content.time;
    const view = content.proposedInView;
    const block = this.#runBundles(content.bundles, run, { sequence, protocolState, view });
    const fits = playback.isComplete && this.#state.headerHash === content.headerHash;
    if (!fits || !this.#application.applyUpdate(content.service)) {
      this.rollback(sequence - 1);
      return undefined;
    }
    const checkpoint = this.#closeIntervalAt(sequence);
    this.#settle(sequence);
    return { block, replies: run.replies(), checkpoint, update: undefined };
  }

  #assertNext(sequence: SequenceNumber, speculative: boolean): void {
    assert(this.#usable, 'a failed install is followed by another before anything else');
    const { executed } = this;
    assert(sequence === executed + 1, 'batches are executed in order');
    assert(speculative || this.#confirmed === executed, 'what is final follows on what is confirmed');
    const bound = this.#confirmed + windowOf(this.#settings.limits);
    assert(sequence <= bound || !speculative, 'speculation runs ahead by a window at most');
  }

  #runBundles(bundles: readonly BundleContent[], run: BatchRun, place: BatchPlace): Block | undefined {
    const state = this.#state;
    state.idempotency.expire(state.height + 1);
    for (const bundle of bundles) this.#runner.executeBundle(state, bundle, run);
    state.sequence = place.sequence;
    state.protocolState = place.protocolState;
    return run.transactions.length === 0 ? undefined : this.#closeBlock(place.view, run);
  }

  #updateOf(recorder: UpdateRecorder, proposedInView: View): Uint8Array {
    const { sequence, time, headerHash } = this.#state;
    const service = this.#application.updateSinceMark();
    return encodeUpdate({ sequence, time, proposedInView, bundles: recorder.bundles, service, headerHash });
  }

  /** What changes from now on can be taken back. */
  #mark(sequence: SequenceNumber): void {
    this.#undo.mark(sequence);
    this.#state.notePlainFields(this.#undo);
    const [checkpoint, checkpointHeight] = [this.#checkpoint, this.#checkpointHeight];
    const configurationDigest = this.#configurationDigest;
    this.#undo.note(() => {
      this.#checkpoint = checkpoint;
      this.#checkpointHeight = checkpointHeight;
      this.#configurationDigest = configurationDigest;
    });
  }

  confirm(through: SequenceNumber): void {
    assert(through <= this.executed, 'only what was executed is confirmed');
    if (through > this.#confirmed) this.#settle(through);
  }

  #settle(through: SequenceNumber): void {
    this.#confirmed = through;
    this.#undo.forgetThrough(through);
    this.#application.forgetThrough(through);
  }

  rollback(to: SequenceNumber): void {
    assert(to >= this.#confirmed && to <= this.executed, 'only what is not confirmed is rolled back');
    this.#undo.undoTo(to);
    this.#application.undoTo(to);
  }

  #closeBlock(proposedInView: View, run: BatchRun): Block {
    const state = this.#state;
    const { clusterId, configurationVersion } = this.#settings;
    const header = {
      clusterId,
      configurationVersion,
      configurationDigest: this.#configurationDigest,
      height: state.height + 1,
      sequence: state.sequence,
      previous: state.headerHash,
      proposedInView,
      time: state.time,
      ...run.takeRoots(this.#hash),
      checkpoint: { height: this.#checkpointHeight, stateDigest: this.#checkpoint.stateDigest },
      ...(this.#settings.authenticator === 'mac' ? { authenticatedBy: 'mac' as const } : {}),
    };
    const block = makeBlock(this.#hash, header, run.transactions);
    state.height = header.height;
    state.headerHash = block.headerHash;
    return block;
  }

  /** Work of a checkpoint boundary: what may be forgotten goes first (decision C4), then the state is frozen. */
  #closeIntervalAt(sequence: SequenceNumber): CheckpointState | undefined {
    if (sequence % this.#settings.limits.checkpointInterval !== 0) return undefined;
    const state = this.#state;
    state.sessions.evict((clientId) => state.clients.byId(clientId)?.revoked !== false);
    state.opens.prune(state.time);
    this.#enterCheckpoint(this.#freezer.freeze(state, this.#undo));
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
    this.#undo.clear();
    const state = LedgerState.decode(this.#hash, this.#settings, chunk, this.#undo);
    if (state === undefined || state.sequence !== checkpoint.sequence) return false;
    if (!this.#application.install((index) => chunk(LEDGER_CHUNKS + index))) return false;
    this.#freezer.reset();
    // Frozen from the decoded state, not from the given bytes: equal digests show that decoding lost nothing.
    const frozen = this.#freezer.freeze(state, this.#undo);
    if (frozen.stateDigest !== checkpoint.stateDigest) return false;
    this.#state = state;
    this.#confirmed = state.sequence;
    this.#enterCheckpoint(frozen);
    this.#usable = true;
    return true;
  }
}

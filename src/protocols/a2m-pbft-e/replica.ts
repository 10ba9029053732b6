/**
 * A replica of A2M-PBFT-E (SOSP 2007): PBFT's agreement as it is, and one trusted log that says, batch by batch, what this
 * replica has executed. Answers leave with the log's word only.
 */
import { decodeWhole, Writer } from '../../core/codec.ts';
import type { CheckpointState, Replica, ReplicaContext } from '../../core/protocol.ts';
import type { Bundle } from '../../core/request.ts';
import type { Digest, Milliseconds, ReplicaId, SequenceNumber } from '../../core/types.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import type { CheckpointReading, Execution, Intake } from '../../smr/attested/hooks.ts';
import type { AttestedMessage, Sealed } from '../../smr/attested/sealed.ts';
import { SealedCodec } from '../../smr/attested/sealed.ts';
import { ThreePhaseReplica } from '../../smr/three-phase/replica.ts';
import type { Lacking } from '../../smr/lack.ts';
import { historyAfter } from '../../trusted/programs/a2m/answers.ts';
import { EXECUTION_WIRE, isLogEntry } from './client.ts';
import type { ExecutionContent, History, HistoryRequest } from './messages.ts';
import { EXECUTION_LOG, EXECUTION_MESSAGES, HISTORY_MAX } from './messages.ts';

/** Orders below the stable checkpoint whose entries are kept: for clients that ask again, and for replicas that lag. */
const ENTRIES_KEPT = 1_024;
/** Orders whose digests are kept, in memory and in the store, for logs that lag farther. */
const DIGESTS_KEPT = 65_536;
/** Key of the durable map: digests of executed batches from an order on. */
const DIGESTS_KEY = 'digests/';

/** What one peer has told of the orders that the own log lacks; worth nothing until it leads to a certain history. */
interface Hint {
  readonly digests: Digest[];
  /** d after each of them. */
  readonly histories: Digest[];
}

class ExecutionReplica extends ThreePhaseReplica<ExecutionContent> {
  /** Digests of executed batches, of the latest windows. */
  readonly #digests = new Map<SequenceNumber, Digest>();
  /** By sequence number: d of the history up to it, where it is known. */
  readonly #histories = new Map<SequenceNumber, Digest>([[0, ZERO_DIGEST]]);
  /** Own entries of the execution log that were given, by sequence number. */
  readonly #entries = new Map<SequenceNumber, Sealed<ExecutionContent>>();
  /** Last entry that was asked for. */
  #logged: SequenceNumber = 0;
  /** Boundaries whose CHECKPOINT waits for the history. */
  readonly #boundariesWaiting: CheckpointState[] = [];
  /** First orders of the stored runs of digests, and the last order of each. */
  readonly #runs = new Map<SequenceNumber, SequenceNumber>();
  /** Last order of the last run. */
  #stored: SequenceNumber = 0;
  /** By peer. */
  readonly #hints = new Map<ReplicaId, Hint>();
  #askedAtMs = -1;
  /** Since when entries are lacking. */
  #lacksSince: Milliseconds | undefined;

  constructor(context: ReplicaContext) {
    super(context, new SealedCodec(context, EXECUTION_MESSAGES));
  }

  protected override fits(message: Sealed<ExecutionContent>): boolean {
    const { kind } = message.content;
    if (kind === 'EXECUTED') return isLogEntry(message);
    if (kind === 'HISTORY' || kind === 'HISTORY-REQUEST') return message.attestation.kind === 'link';
    return super.fits(message);
  }

  /** Entries of the log are for clients. */
  protected override audience(content: ExecutionContent): readonly ReplicaId[] | undefined {
    return content.kind === 'EXECUTED' ? NOBODY : undefined;
  }

  protected override onSealed(message: Sealed<ExecutionContent>, from: ReplicaId): Intake {
    const { content } = message;
    if (content.kind === 'EXECUTED') {
      if (message.author === this.self) this.#onLogged(message, content.sequence);
    } else if (content.kind === 'HISTORY-REQUEST') this.#onHistoryRequest(from, content);
    else if (content.kind === 'HISTORY') this.#onHistory(from, content);
    else return super.onSealed(message, from);
    return 'taken';
  }

  // ---- execution and its log ---------------------------------------------------------------------------------------

  /** E2: only what is committed is executed, since an entry cannot be undone; answers wait for their entry. */
  protected override nextExecution(sequence: SequenceNumber): Execution | undefined {
    const next = super.nextExecution(sequence);
    if (next?.kind !== 'execute') return next;
    this.#digests.set(sequence, next.batch.digest);
    return { ...next, mode: 'held' };
  }

  protected override onExecuted(): void {
    this.#extendHistory(this.executed);
    this.#log();
  }

  #extendHistory(sequence: SequenceNumber): void {
    const before = this.#histories.get(sequence - 1);
    const digest = this.#digests.get(sequence);
    if (before === undefined || digest === undefined || this.#histories.has(sequence)) return;
    const entry = this.#entryOf(sequence, digest);
    this.#histories.set(sequence, historyAfter(this.context.hash, sequence, entry, before));
  }

  /** x of a batch. */
  #entryOf(sequence: SequenceNumber, digest: Digest): Digest {
    return this.codec.encodeContent(this.self, { kind: 'EXECUTED', sequence, digest }).digest;
  }

  /** E3: the next entries, in the order of execution; a gap is filled before anything else. */
  #log(): void {
    for (;;) {
      const sequence = this.#logged + 1;
      if (sequence > this.executed) return;
      const digest = this.#digests.get(sequence);
      if (!this.rule('A2M-PBFT-E.E3.order', digest !== undefined && this.#histories.has(sequence))) return;
      this.#logged = sequence;
      this.#hints.clear();
      this.say(
        { kind: 'EXECUTED', sequence, digest: digest! },
        { kind: 'object', object: EXECUTION_LOG, form: 'log', mode: 'strict', value: sequence },
      );
    }
  }

  #onLogged(message: Sealed<ExecutionContent>, sequence: SequenceNumber): void {
    const { attestation, content } = message;
    const said = attestation.kind === 'object' ? attestation.history : undefined;
    const own = this.#histories.get(sequence);
    if (!this.rule('A2M-PBFT-E.E3.history', own === undefined || own === said))
      return this.halt(
        `the execution log says another history than this replica has executed up to ${sequence}: it was used by ` +
          'something else, or more than f replicas are faulty. Replace the component and re-admit the replica.',
      );
    this.#logged = Math.max(this.#logged, sequence);
    this.#entries.set(sequence, message);
    if (own === undefined && said !== undefined) this.#histories.set(sequence, said);
    if (content.kind === 'EXECUTED') this.#digests.set(sequence, content.digest);
    this.#answer(sequence);
  }

  /** E4. */
  #answer(sequence: SequenceNumber): void {
    const entry = this.#entries.get(sequence);
    if (!this.rule('A2M-PBFT-E.E4', entry !== undefined) || sequence > this.executed) return;
    const proof = EXECUTION_WIRE.encode(entry!);
    this.desk.emit({ kind: 'answer', sequence, view: this.view, standing: 'final', proof });
  }

  protected override onAsked(sequence: SequenceNumber, _bundle: Bundle): void {
    this.#answer(sequence);
  }

  // ---- checkpoints -------------------------------------------------------------------------------------------------

  protected override readCheckpoint(content: ExecutionContent): CheckpointReading | undefined {
    if (content.kind !== 'CHECKPOINT') return undefined;
    const { sequence, stateDigest, history } = content;
    return { state: { sequence, stateDigest }, key: `${sequence}/${stateDigest}/${history}` };
  }

  protected override sayCheckpoint(state: CheckpointState): void {
    const history = this.#histories.get(state.sequence);
    if (!this.rule('A2M-PBFT-E.CKPT', history !== undefined)) this.#boundariesWaiting.push(state);
    else this.say({ kind: 'CHECKPOINT', ...state, history: history! }, { kind: 'host' });
  }

  protected override onStable(sequence: SequenceNumber): void {
    super.onStable(sequence);
    this.#learnHistory();
    this.#storeDigests(this.#stored + 1, sequence);
    this.#dropRuns(sequence - DIGESTS_KEPT);
    const oldest = sequence - ENTRIES_KEPT;
    if (this.#digests.size > DIGESTS_KEPT + ENTRIES_KEPT)
      for (const known of [...this.#digests.keys()])
        if (known < sequence - DIGESTS_KEPT) this.#digests.delete(known);
    for (const map of [this.#entries, this.#histories])
      for (const known of [...map.keys()]) if (known < oldest && known !== this.#logged) map.delete(known);
    this.#boundariesWaiting.length = 0;
    this.#log();
  }

  protected override onInstalled(): void {
    this.#learnHistory();
    this.#boundariesWaiting.length = 0;
  }

  /** The certified history of the latest stable checkpoint; it outlives a restart. */
  #learnHistory(): void {
    const content = this.stable?.messages[0]?.content;
    if (content?.kind !== 'CHECKPOINT') return;
    this.#histories.set(content.sequence, content.history);
  }

  // ---- a log that lags ---------------------------------------------------------------------------------------------

  protected override consider(): boolean {
    const moved = super.consider();
    // After a restart, too: what was executed before may lack its entry.
    this.#log();
    this.#askForHistory();
    return moved;
  }

  /** Whether entries are lacking that this replica cannot make from what it executed itself. */
  get #lacks(): boolean {
    return this.#logged < this.executed && !this.#digests.has(this.#logged + 1);
  }

  override answerLack(): Lacking | undefined {
    if (!this.#lacks) return undefined;
    const among = [...this.peers.keys()].filter((replica) => replica !== this.self);
    return {
      what: 'HISTORY',
      sequence: this.#logged + 1,
      needs: 1,
      has: [],
      among,
      since: this.#lacksSince,
    };
  }

  #askForHistory(): void {
    this.#lacksSince = this.#lacks ? (this.#lacksSince ?? this.desk.now) : undefined;
    if (!this.#lacks || this.desk.now < this.#askedAtMs + this.timers.statusMs) return;
    this.#askedAtMs = this.desk.now;
    for (const replica of this.peers.keys()) this.#askPeer(replica);
    this.desk.wakeAt('history', this.desk.now + this.timers.statusMs);
  }

  #askPeer(replica: ReplicaId): void {
    if (replica === this.self) return;
    const known = this.#hints.get(replica)?.digests.length ?? 0;
    this.tell(replica, { kind: 'HISTORY-REQUEST', first: this.#logged + 1 + known });
  }

  #onHistoryRequest(from: ReplicaId, { first }: HistoryRequest): void {
    const digests: Digest[] = [];
    for (let sequence = first; digests.length < HISTORY_MAX; sequence += 1) {
      const digest = this.#digests.get(sequence);
      if (digest === undefined) break;
      digests.push(digest);
    }
    if (digests.length === 0 || !this.peers[from]!.spend(32 * digests.length)) return;
    this.tell(from, { kind: 'HISTORY', first, digests });
  }

  /** Entries can never be taken back: they are made only if they lead to a history that is certain. */
  #onHistory(from: ReplicaId, { first, digests }: History): void {
    const hint = this.#hints.get(from) ?? { digests: [], histories: [] };
    if (!this.#lacks || first !== this.#logged + 1 + hint.digests.length) return;
    let history = hint.histories.at(-1) ?? this.#histories.get(this.#logged);
    if (history === undefined) return;
    this.#hints.set(from, hint);
    for (const [index, digest] of digests.entries()) {
      const sequence = first + index;
      history = historyAfter(this.context.hash, sequence, this.#entryOf(sequence, digest), history);
      hint.digests.push(digest);
      hint.histories.push(history);
      const certain = this.#histories.get(sequence);
      if (certain === undefined) continue;
      if (this.rule('A2M-PBFT-E.HIST', certain === history)) this.#adopt(hint);
      else this.#hints.delete(from);
      return;
    }
    // What is certain lies farther on, but nobody keeps more than this.
    if (hint.digests.length > DIGESTS_KEPT) this.#hints.delete(from);
    else if (digests.length > 0) this.#askPeer(from);
  }

  #adopt({ digests, histories }: Hint): void {
    const first = this.#logged + 1;
    for (const [index, digest] of digests.entries()) {
      this.#digests.set(first + index, digest);
      this.#histories.set(first + index, histories[index]!);
    }
    this.#storeDigests(first, Math.min(first + digests.length - 1, this.stableSequence));
    this.#log();
  }

  // ---- digests in the store ----------------------------------------------------------------------------------------

  /** Keeps the digests of these orders that are known, so that other logs can be filled after a restart, too. */
  #storeDigests(from: SequenceNumber, through: SequenceNumber): void {
    let run: Digest[] = [];
    for (let sequence = Math.max(from, through - DIGESTS_KEPT); sequence <= through + 1; sequence += 1) {
      const digest = sequence <= through ? this.#digests.get(sequence) : undefined;
      if (digest !== undefined) run.push(digest);
      else if (run.length > 0) {
        const first = sequence - run.length;
        const value = new Writer(32 * run.length + 4).list(run, (w, one) => w.digest(one)).finish();
        this.#noteRun(first, sequence - 1);
        this.desk.store([{ key: DIGESTS_KEY + String(first), value }]);
        run = [];
      }
    }
  }

  #noteRun(first: SequenceNumber, last: SequenceNumber): void {
    this.#runs.set(first, last);
    this.#stored = Math.max(this.#stored, last);
  }

  #dropRuns(below: SequenceNumber): void {
    for (const [first, last] of this.#runs) {
      if (last >= below) continue;
      this.#runs.delete(first);
      this.desk.store([{ key: DIGESTS_KEY + String(first), value: undefined }]);
    }
  }

  #restoreDigests(stored: ReadonlyMap<string, Uint8Array>): void {
    for (const [key, value] of stored) {
      if (!key.startsWith(DIGESTS_KEY)) continue;
      const run = decodeWhole(value, (reader) => reader.list(2 * DIGESTS_KEPT, (r) => r.digest())) ?? [];
      const first = Number(key.slice(DIGESTS_KEY.length));
      this.#noteRun(first, first + run.length - 1);
      for (const [index, digest] of run.entries()) this.#digests.set(first + index, digest);
    }
  }

  // ---- housekeeping ------------------------------------------------------------------------------------------------

  protected override isObsolete(message: Sealed<ExecutionContent>): boolean {
    const { content } = message;
    if (content.kind === 'EXECUTED')
      return content.sequence + ENTRIES_KEPT <= this.stableSequence && content.sequence < this.#logged;
    return super.isObsolete(message);
  }

  protected override restore(stored: ReadonlyMap<string, Uint8Array>): void {
    super.restore(stored);
    this.#learnHistory();
    this.#restoreDigests(stored);
    // Executed above the stable checkpoint is what was decided and kept.
    for (const [sequence, { digest }] of this.decisions) this.#digests.set(sequence, digest);
    for (let sequence = this.stableSequence + 1; sequence <= this.executed; sequence += 1)
      this.#extendHistory(sequence);
  }
}

const NOBODY: readonly ReplicaId[] = [];

/** Makes a replica. Its first input must be `start`. */
export function createExecutionReplica(context: ReplicaContext): Replica<AttestedMessage<ExecutionContent>> {
  return new ExecutionReplica(context);
}

/**
 * The replicated service of the core fidelity: eight registers and a client table. Small, but with everything that a
 * judge needs: results depend on the order of all operations before, each request is executed once, and the digest of
 * a checkpoint covers registers, table, history and the state of the protocol.
 */
import type { WireResult } from '../../core/client-wire.ts';
import type { CheckpointState } from '../../core/protocol.ts';
import { equalBytes } from '../../core/bytes.ts';
import type { Batch, Bundle } from '../../core/request.ts';
import type { Digest, RequestNumber, SequenceNumber, SessionId } from '../../core/types.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import type { Block, BlockHeader, ReplyGroup, Transaction } from '../../ledger/contract.ts';
import { applyOperation, REGISTERS } from './operations.ts';
import { decodeUpdate, encodeUpdate } from './update.ts';
import type { UpdatedResult } from './update.ts';

const NO_BYTES = new Uint8Array(0);
/** Fields of a header that nobody looks at in this fidelity. */
const EMPTY_HEADER: BlockHeader = {
  clusterId: ZERO_DIGEST,
  configurationVersion: 0,
  configurationDigest: ZERO_DIGEST,
  height: 0,
  sequence: 0,
  previous: ZERO_DIGEST,
  proposedInView: 0,
  time: 0,
  transactionsRoot: ZERO_DIGEST,
  resultsRoot: ZERO_DIGEST,
  checkpoint: { height: 0, stateDigest: ZERO_DIGEST },
};
/** Results of a session that are kept for clients that ask again. */
const WINDOW = 64;

/** What came of a batch. */
export interface CoreOutcome {
  readonly block: Block;
  readonly replies: readonly ReplyGroup[];
  readonly checkpoint: CheckpointState | undefined;
}

interface SessionTable {
  /** Every number at or below is done. */
  low: RequestNumber;
  highest: RequestNumber;
  /** Results of the latest numbers. */
  results: Map<RequestNumber, WireResult>;
}

/** How the service was before a batch that may be undone. */
interface Undo {
  readonly sequence: SequenceNumber;
  readonly registers: Uint32Array;
  /** Tables that the batch changes, as they were. */
  readonly tables: Map<SessionId, SessionTable | undefined>;
  readonly height: number;
  readonly headerHash: Digest;
  readonly low: number;
  readonly high: number;
  readonly protocolState: Uint8Array;
  readonly checkpoint: CheckpointState;
}

/** The service as it was at a checkpoint; never changed. */
export interface FrozenService {
  readonly sequence: SequenceNumber;
  readonly stateDigest: Digest;
  readonly registers: Uint32Array;
  readonly sessions: ReadonlyMap<SessionId, SessionTable>;
  readonly height: number;
  readonly headerHash: Digest;
  readonly low: number;
  readonly high: number;
  readonly protocolState: Uint8Array;
}

/** See the top of this file. */
export class CoreService {
  readonly #interval: number;
  readonly #registers = new Uint32Array(REGISTERS);
  #sessions = new Map<SessionId, SessionTable>();
  readonly #frozen = new Map<SequenceNumber, FrozenService>();
  #executed: SequenceNumber = 0;
  #height = 0;
  #headerHash: Digest = ZERO_DIGEST;
  /** Two lanes over everything that was executed. */
  #low = 0x2545f491;
  #high = 0x6c62272e;
  #protocolState: Uint8Array = new Uint8Array(0);
  #checkpoint: CheckpointState = { sequence: 0, stateDigest: ZERO_DIGEST };
  /** Of the batches above the confirmed ones, ascending. */
  #undos: Undo[] = [];

  /** `interval`: sequence numbers between checkpoints. */
  constructor(interval: number) {
    this.#interval = interval;
  }

  get executed(): SequenceNumber {
    return this.#executed;
  }

  get checkpoint(): CheckpointState {
    return this.#checkpoint;
  }

  get protocolState(): Uint8Array {
    return this.#protocolState;
  }

  /** What cannot be undone any more. */
  get confirmed(): SequenceNumber {
    return (this.#undos[0]?.sequence ?? this.#executed + 1) - 1;
  }

  /** Names what was executed so far: equal if and only if the same was executed in the same order. */
  get history(): Digest {
    return `${this.#executed}.${this.#low}.${this.#high}` as Digest;
  }

  /** Whether every request of the bundle has been executed. */
  isExecuted(bundle: Bundle): boolean {
    const table = this.#sessions.get(bundle.session);
    if (table === undefined) return false;
    for (const { number } of bundle.requests) if (!isDone(table, number)) return false;
    return true;
  }

  /** Kept results of a bundle that was executed. */
  results(bundle: Bundle): ReplyGroup {
    const table = this.#sessions.get(bundle.session);
    const results: WireResult[] = [];
    for (const { number } of bundle.requests) {
      const result = table?.results.get(number);
      if (result !== undefined) results.push(result);
    }
    return { clientKey: bundle.clientKey, session: bundle.session, results };
  }

  /** Executes the next batch; `undoable`: until it is confirmed it may be rolled back. */
  execute(sequence: SequenceNumber, batch: Batch, protocolState: Uint8Array, undoable = false): CoreOutcome {
    if (undoable) this.#remember(sequence);
    this.#executed = sequence;
    this.#mixProtocolState(protocolState);
    this.#mix(sequence, batch.time);
    const replies: ReplyGroup[] = [];
    const transactions: Transaction[] = [];
    for (let index = 0; index < batch.bundles.length; index += 1) {
      // A primary may propose what no client sealed: it takes its place and does nothing.
      if (batch.bundleAuthentic[index] !== true) continue;
      const results = this.#executeBundle(batch.bundles[index]!, sequence, transactions);
      const { clientKey, session } = batch.bundles[index]!;
      if (results.length > 0) replies.push({ clientKey, session, results });
    }
    const block = this.#makeBlock(sequence, batch, transactions);
    const checkpoint = sequence % this.#interval === 0 ? this.#freeze() : undefined;
    return { block, replies, checkpoint };
  }

  #remember(sequence: SequenceNumber): void {
    this.#undos.push({
      sequence,
      registers: this.#registers.slice(),
      tables: new Map(),
      height: this.#height,
      headerHash: this.#headerHash,
      low: this.#low,
      high: this.#high,
      protocolState: this.#protocolState,
      checkpoint: this.#checkpoint,
    });
  }

  /** What is executed up to here is final. */
  confirm(through: SequenceNumber): void {
    this.#undos = this.#undos.filter((undo) => undo.sequence > through);
  }

  /** Undoes everything above `to`. */
  rollback(to: SequenceNumber): void {
    while ((this.#undos.at(-1)?.sequence ?? 0) > to) {
      const undo = this.#undos.pop()!;
      this.#executed = undo.sequence - 1;
      this.#registers.set(undo.registers);
      for (const [session, table] of undo.tables) {
        if (table === undefined) this.#sessions.delete(session);
        else this.#sessions.set(session, table);
      }
      this.#height = undo.height;
      this.#headerHash = undo.headerHash;
      this.#low = undo.low;
      this.#high = undo.high;
      this.#protocolState = undo.protocolState;
      this.#checkpoint = undo.checkpoint;
      this.#frozen.delete(undo.sequence);
    }
  }

  /** Where the history stands: what an update goes on from. */
  get lanes(): readonly [number, number] {
    return [this.#low, this.#high];
  }

  /** What the last batch changed; `before`: the lanes before it. */
  updateSince(before: readonly [number, number], replies: readonly ReplyGroup[]): Uint8Array {
    const results: UpdatedResult[] = [];
    for (const { session, results: answers } of replies)
      for (const result of answers) results.push({ session, result });
    const registers = [...this.#registers];
    return encodeUpdate({
      sequence: this.#executed,
      before,
      after: this.lanes,
      height: this.#height,
      registers,
      results,
    });
  }

  /** Applies what a batch changed elsewhere; undefined, and nothing changed, if it does not fit. */
  apply(
    sequence: SequenceNumber,
    bytes: Uint8Array,
    protocolState: Uint8Array,
  ):
    | { readonly checkpoint: CheckpointState | undefined; readonly replies: readonly ReplyGroup[] }
    | undefined {
    const update = decodeUpdate(bytes);
    if (update === undefined || sequence !== this.#executed + 1 || update.sequence !== sequence)
      return undefined;
    if (update.before[0] !== this.#low || update.before[1] !== this.#high) return undefined;
    this.#executed = sequence;
    this.#protocolState = protocolState;
    [this.#low, this.#high] = update.after;
    this.#height = update.height;
    this.#headerHash = this.history;
    this.#registers.set(update.registers);
    const replies = update.results.map(({ session, result }) => {
      remember(this.#tableOf(session), result);
      return { clientKey: NO_BYTES, session, results: [result] };
    });
    return { checkpoint: sequence % this.#interval === 0 ? this.#freeze() : undefined, replies };
  }

  /** The table of a session, to be changed. */
  #tableOf(session: SessionId): SessionTable {
    const known = this.#sessions.get(session);
    const table = known ?? { low: 0, highest: 0, results: new Map() };
    const tables = this.#undos.at(-1)?.sequence === this.#executed ? this.#undos.at(-1)!.tables : undefined;
    if (tables !== undefined && !tables.has(session))
      tables.set(session, known === undefined ? undefined : { ...known, results: new Map(known.results) });
    if (known === undefined) this.#sessions.set(session, table);
    return table;
  }

  /** A block for every batch: the judges follow the chain. */
  #makeBlock(sequence: SequenceNumber, batch: Batch, transactions: readonly Transaction[]): Block {
    const previous = this.#headerHash;
    this.#height += 1;
    this.#headerHash = this.history;
    const header: BlockHeader = {
      ...EMPTY_HEADER,
      height: this.#height,
      sequence,
      previous,
      proposedInView: batch.proposedInView,
      time: batch.time,
    };
    return { header, headerHash: this.#headerHash, transactions, bytes: NO_BYTES };
  }

  #executeBundle(bundle: Bundle, sequence: SequenceNumber, transactions: Transaction[]): WireResult[] {
    const { session, digest } = bundle;
    const table = this.#tableOf(session);
    const results: WireResult[] = [];
    for (const { number, operation } of bundle.requests) {
      if (isDone(table, number)) continue;
      this.#mix(session, number);
      const result = applyOperation(this.#registers, operation);
      for (const byte of result) this.#mix(byte, number);
      const txId = transactionName(digest, number);
      const outcome = { number, txId, sequence, height: this.#height + 1, result };
      remember(table, outcome);
      results.push(outcome);
      transactions.push({ id: txId, clientId: txId, organisation: '', session, number, operation, result });
    }
    return results;
  }

  #mix(a: number, b: number): void {
    const low = Math.imul(this.#low ^ a, 0x01000193) ^ (this.#high >>> 15);
    this.#high = (Math.imul(this.#high + b, 0x85ebca77) ^ low) | 0;
    this.#low = low | 0;
  }

  #mixProtocolState(state: Uint8Array): void {
    const known = this.#protocolState;
    this.#protocolState = state;
    if (known === state || equalBytes(known, state)) return;
    for (const byte of state) this.#mix(byte, 1);
  }

  #freeze(): CheckpointState {
    const sessions = new Map<SessionId, SessionTable>();
    for (const [id, { low, highest, results }] of this.#sessions)
      sessions.set(id, { low, highest, results: new Map(results) });
    let [low, high] = [this.#low, this.#high];
    for (const value of this.#registers) {
      low = Math.imul(low ^ value, 0x27d4eb2f) ^ (high >>> 13);
      high = Math.imul(high ^ low, 0x9e3779b1);
    }
    const digits = hex(low) + hex(high) + hex(this.#low) + hex(this.#high);
    const stateDigest = (digits + digits) as Digest;
    this.#checkpoint = { sequence: this.#executed, stateDigest };
    this.#frozen.set(this.#executed, {
      ...this.#checkpoint,
      registers: this.#registers.slice(),
      sessions,
      height: this.#height,
      headerHash: this.#headerHash,
      low: this.#low,
      high: this.#high,
      protocolState: this.#protocolState,
    });
    return this.#checkpoint;
  }

  /** The state at a checkpoint, as long as it is kept. */
  frozen(sequence: SequenceNumber): FrozenService | undefined {
    return this.#frozen.get(sequence);
  }

  /** Frozen states below this one may go. */
  releaseBelow(sequence: SequenceNumber): void {
    for (const known of this.#frozen.keys()) if (known < sequence) this.#frozen.delete(known);
  }

  /** Replaces everything. */
  install(state: FrozenService): void {
    this.#undos = [];
    this.#executed = state.sequence;
    this.#registers.set(state.registers);
    this.#sessions = new Map();
    for (const [id, { low, highest, results }] of state.sessions)
      this.#sessions.set(id, { low, highest, results: new Map(results) });
    this.#height = state.height;
    this.#headerHash = state.headerHash;
    this.#low = state.low;
    this.#high = state.high;
    this.#protocolState = state.protocolState;
    this.#checkpoint = { sequence: state.sequence, stateDigest: state.stateDigest };
    this.#frozen.clear();
    this.#frozen.set(state.sequence, state);
  }
}

function hex(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0');
}

function isDone(table: SessionTable, number: RequestNumber): boolean {
  return number <= table.low || table.results.has(number);
}

function remember(table: SessionTable, outcome: WireResult): void {
  const { results } = table;
  results.set(outcome.number, outcome);
  table.highest = Math.max(table.highest, outcome.number);
  table.low = Math.max(table.low, table.highest - WINDOW);
  while (results.has(table.low + 1)) table.low += 1;
  results.delete(table.highest - WINDOW);
}

/** Name of one request of a bundle, as results and judges know it. */
export function transactionName(bundle: Digest, number: RequestNumber): Digest {
  return `${bundle}/${number}` as Digest;
}

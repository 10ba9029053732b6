/**
 * Memory of executed OPENs (decision C4): an OPEN has no session whose window could make it exactly-once, so its txId
 * is remembered until its `validUntil` passed, after which the same bytes are refused as expired. Replicated state, one
 * chunk of the state tree.
 */
import { decodeWhole, Writer } from '../core/codec.ts';
import { UndoLog } from '../core/undo-log.ts';
import type { Digest, Milliseconds, SequenceNumber, SessionId } from '../core/types.ts';

/** OPENs remembered at a time, at most. */
const OPENS_MAX = 16 * 1024;
/** OPENs remembered at a time for one client, at most: one client cannot lock the others out. */
export const OPENS_PER_CLIENT_MAX = OPENS_MAX / 16;

/** One executed OPEN. */
export interface OpenRecord {
  readonly txId: Digest;
  readonly clientId: Digest;
  readonly session: SessionId;
  readonly window: number;
  readonly sequence: SequenceNumber;
  readonly validUntil: Milliseconds;
}

/** Executed OPENs by txId. */
export class OpenedSessions {
  readonly #records = new Map<Digest, OpenRecord>();
  readonly #perClient = new Map<Digest, number>();
  readonly #undo: UndoLog;
  #changed = true;

  /** What changes while `undo` records can be taken back with it. */
  constructor(undo = new UndoLog()) {
    this.#undo = undo;
  }

  find(txId: Digest): OpenRecord | undefined {
    return this.#records.get(txId);
  }

  /** Whether one more OPEN of this client may be remembered; otherwise it must not be executed. */
  hasRoom(clientId: Digest): boolean {
    return this.#records.size < OPENS_MAX && (this.#perClient.get(clientId) ?? 0) < OPENS_PER_CLIENT_MAX;
  }

  add(record: OpenRecord): void {
    this.#undo.note(() => this.#drop(record));
    this.#put(record);
    this.#changed = true;
  }

  #put(record: OpenRecord): void {
    this.#records.set(record.txId, record);
    this.#perClient.set(record.clientId, (this.#perClient.get(record.clientId) ?? 0) + 1);
  }

  #drop(record: OpenRecord): void {
    this.#records.delete(record.txId);
    const left = this.#perClient.get(record.clientId)! - 1;
    if (left === 0) this.#perClient.delete(record.clientId);
    else this.#perClient.set(record.clientId, left);
  }

  /** At a checkpoint boundary: forgets what block time has made impossible to execute again. */
  prune(time: Milliseconds): void {
    for (const record of this.#records.values()) {
      if (record.validUntil >= time) continue;
      this.#undo.note(() => this.#put(record));
      this.#drop(record);
      this.#changed = true;
    }
  }

  /** Whether anything changed since the last call, there and back included. */
  takeChanged(): boolean {
    const changed = this.#changed;
    this.#undo.note(() => (this.#changed = changed));
    this.#changed = false;
    return changed;
  }

  /** Canonical bytes: all records, ascending by txId. */
  encode(): Uint8Array {
    const records = [...this.#records.values()].sort((a, b) => (a.txId < b.txId ? -1 : 1));
    return new Writer(64 + 96 * records.length)
      .list(records, (writer, record) => {
        writer.digest(record.txId).digest(record.clientId).u64(record.session).u32(record.window);
        writer.u64(record.sequence).u64(record.validUntil);
      })
      .finish();
  }

  /** Replaces everything by what `encode` gave; false unless canonical. */
  decode(bytes: Uint8Array): boolean {
    let previous = '';
    const records = decodeWhole(bytes, (reader) =>
      reader.list(OPENS_MAX, (r): OpenRecord => {
        const txId = r.digest();
        if (txId <= previous) r.fail();
        previous = txId;
        const [clientId, session, window] = [r.digest(), r.u64(), r.u32()];
        return { txId, clientId, session, window, sequence: r.u64(), validUntil: r.u64() };
      }),
    );
    if (records === undefined) return false;
    this.#records.clear();
    this.#perClient.clear();
    this.#changed = true;
    for (const record of records) this.#put(record);
    return true;
  }
}

/**
 * The client table (decision C4): sessions, which of their requests were executed, and what
 * came of them. A function of the executed sequence alone; part of the replicated state, in shards, so that a
 * checkpoint encodes only the sessions that were used since the last one.
 */
import { assert } from '../core/assert.ts';
import { EMPTY_LIST, Reader, Writer } from '../core/codec.ts';
import { UndoLog } from '../core/undo-log.ts';
import type { Digest, RequestNumber, SequenceNumber, SessionId } from '../core/types.ts';
import { OutcomeRing } from './outcome-ring.ts';
import type { Outcome } from './outcome-ring.ts';

/** Shards of the table; a session is in shard `id % SHARDS`. */
export const CLIENT_TABLE_SHARDS = 256;
/** Window of a session that asked for none. */
export const DEFAULT_WINDOW = 64;
/** Result bytes of one request that are kept, at most; of longer ones the digest stays (decision C4). */
export const RESULT_BODY_BYTES_MAX = 4 * 1024;
/** Result bytes that one session keeps, at most: the results with the lowest numbers lose theirs first. */
export const SESSION_BODY_BYTES_MAX = 512 * 1024;
/** Result bytes that all sessions keep after a checkpoint boundary, at most. */
export const TABLE_BODY_BYTES_MAX = 64 * 1024 * 1024;
/** Sum of all granted windows above which a new session gets the default window at most. */
export const TABLE_WINDOWS_MAX = 1 << 20;

/** One session of a client. */
export class Session {
  readonly id: SessionId;
  readonly clientId: Digest;
  /** W: how many request numbers may be unfinished at a time. */
  readonly window: number;
  /** Highest executed number. */
  #highest: RequestNumber = 0;
  /** Every number at or below is done or can never be executed any more. */
  #low: RequestNumber = 0;
  /** The last W numbers. */
  readonly #outcomes: OutcomeRing;
  /** No outcome with a lower number has its result any more. */
  #lowestBody: RequestNumber = 0;
  #bodyBytes = 0;
  #lastSequence: SequenceNumber;

  constructor(id: SessionId, clientId: Digest, window: number, sequence: SequenceNumber) {
    this.id = id;
    this.clientId = clientId;
    this.window = window;
    this.#outcomes = new OutcomeRing(window);
    this.#lastSequence = sequence;
  }

  /** Every number at or below is done or too old; `low + 1` is the oldest unfinished one. */
  get low(): RequestNumber {
    return this.#low;
  }

  /** Bytes of results that are kept. */
  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  /** Sequence number that used the session last. */
  get lastSequence(): SequenceNumber {
    return this.#lastSequence;
  }

  /** True if `number` must not be executed (again). */
  isDone(number: RequestNumber): boolean {
    return number <= this.#low || this.#outcomes.has(number);
  }

  /** What came of `number`, if it is among the last W numbers. */
  find(number: RequestNumber): Outcome | undefined {
    return this.#outcomes.find(number);
  }

  /** Remembers an executed request that was not done. Rule: done += t, low = max(low, tMax - W), then the done prefix. */
  record(outcome: Outcome, usedAt: SequenceNumber, undo: UndoLog): void {
    const { number } = outcome;
    this.#noteFields(undo);
    if (number > this.#highest) this.#advanceTo(number, undo);
    this.#fill(number % this.window, outcome, undo);
    while (this.#outcomes.has(this.#low + 1)) this.#low += 1;
    this.#lastSequence = usedAt;
    if (outcome.result === undefined) return;
    this.#bodyBytes += outcome.result.length;
    if (number < this.#lowestBody) this.#lowestBody = number;
    while (this.#bodyBytes > SESSION_BODY_BYTES_MAX) this.#dropLowestBody(undo);
  }

  #noteFields(undo: UndoLog): void {
    if (!undo.recording) return;
    const [highest, low, lastSequence] = [this.#highest, this.#low, this.#lastSequence];
    const [lowestBody, bodyBytes] = [this.#lowestBody, this.#bodyBytes];
    undo.note(() => {
      [this.#highest, this.#low, this.#lastSequence] = [highest, low, lastSequence];
      [this.#lowestBody, this.#bodyBytes] = [lowestBody, bodyBytes];
    });
  }

  #fill(slot: number, outcome: Outcome | undefined, undo: UndoLog): void {
    if (undo.recording) {
      const previous = this.#outcomes.at(slot);
      undo.note(() => this.#outcomes.put(slot, previous));
    }
    this.#outcomes.put(slot, outcome);
  }

  #advanceTo(number: RequestNumber, undo: UndoLog): void {
    const cleared = Math.min(number - this.#highest, this.window);
    for (let step = 0; step < cleared; step += 1) {
      const slot = (number - step) % this.window;
      const former = this.#outcomes.numberAt(slot);
      if (former === 0) continue;
      this.#bodyBytes -= this.#outcomes.resultLength(former);
      this.#fill(slot, undefined, undo);
    }
    this.#highest = number;
    this.#low = Math.max(this.#low, number - this.window);
  }

  #dropLowestBody(undo: UndoLog): void {
    let number = Math.max(this.#lowestBody, this.#highest - this.window + 1, 1);
    while (!this.#outcomes.hasResult(number)) number += 1;
    const outcome = this.find(number)!;
    this.#bodyBytes -= outcome.result!.length;
    this.#fill(number % this.window, { ...outcome, result: undefined }, undo);
    this.#lowestBody = number + 1;
  }

  /** Forgets all results; digests stay. */
  dropBodies(undo: UndoLog): void {
    this.#noteFields(undo);
    while (this.#bodyBytes > 0) this.#dropLowestBody(undo);
  }

  /** Canonical bytes. */
  write(writer: Writer): void {
    writer.u64(this.id).digest(this.clientId).u32(this.window);
    writer.u64(this.#highest).u64(this.#low).u64(this.#lastSequence);
    const first = Math.max(this.#highest - this.window + 1, 1);
    const kept: RequestNumber[] = [];
    for (let number = first; number <= this.#highest; number += 1)
      if (this.#outcomes.has(number)) kept.push(number);
    writer.list(kept, (w, number) => this.#outcomes.write(w, number));
  }

  /** Reads a session; the reader fails unless it is canonical. */
  static read(reader: Reader, windowMax: number): Session {
    const id = reader.u64();
    const clientId = reader.digest();
    const window = reader.u32();
    if (window < 1 || window > windowMax) {
      reader.fail();
      return new Session(id, clientId, 1, 0);
    }
    const highest = reader.u64();
    const low = reader.u64();
    const session = new Session(id, clientId, window, reader.u64());
    if (low > highest || low < highest - window) reader.fail();
    session.#highest = highest;
    session.#low = low;
    let previous = Math.max(highest - window, 0);
    for (const outcome of reader.list(window, readOutcome)) {
      if (outcome.number <= previous || outcome.number > highest) reader.fail();
      previous = outcome.number;
      session.#outcomes.put(outcome.number % window, outcome);
      session.#bodyBytes += outcome.result?.length ?? 0;
    }
    if (session.#outcomes.has(low + 1) || session.#bodyBytes > SESSION_BODY_BYTES_MAX) reader.fail();
    return session;
  }
}

function readOutcome(reader: Reader): Outcome {
  const number = reader.u64();
  const txId = reader.digest();
  const sequence = reader.u64();
  const height = reader.u64();
  const resultDigest = reader.option((r) => r.digest());
  const result = reader.option((r) => r.bytes(RESULT_BODY_BYTES_MAX).slice());
  return { number, txId, sequence, height, resultDigest, result };
}

/** Least recently used first; the id decides between equals. */
function byUse(a: Session, b: Session): number {
  return a.lastSequence - b.lastSequence || a.id - b.id;
}

/** Bounds of a table, equal at every replica. */
export interface ClientTableLimits {
  /** Sessions after a checkpoint boundary, at most; twice as many in between. */
  readonly sessionsMax: number;
  /** Largest window that is granted. */
  readonly windowMax: number;
}

/** All sessions. */
export class ClientTable {
  readonly #limits: ClientTableLimits;
  readonly #undo: UndoLog;
  readonly #sessions = new Map<SessionId, Session>();
  readonly #perClient = new Map<Digest, { sessions: number; windows: number }>();
  readonly #changed = new Uint8Array(CLIENT_TABLE_SHARDS).fill(1);
  #windows = 0;
  #lastSession: SessionId = 0;

  /** What changes while `undo` records can be taken back with it. */
  constructor(limits: ClientTableLimits, undo = new UndoLog()) {
    this.#limits = limits;
    this.#undo = undo;
  }

  /** Sessions at this moment. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Highest id that was ever given; ids at or below it that are not here are refused for ever. */
  get lastSession(): SessionId {
    return this.#lastSession;
  }

  /** Sessions that one client keeps at a checkpoint boundary, at most: a sixteenth of all. */
  get sessionsPerClientMax(): number {
    return Math.max(1, Math.floor(this.#limits.sessionsMax / 16));
  }

  find(id: SessionId): Session | undefined {
    return this.#sessions.get(id);
  }

  /**
   * Opens a session; undefined if the client, or all clients together, have twice as many sessions as may stay: they
   * must wait for a checkpoint boundary. `wished` 0 asks for the default window.
   */
  open(clientId: Digest, wished: number, sequence: SequenceNumber): Session | undefined {
    const own = this.#perClient.get(clientId) ?? { sessions: 0, windows: 0 };
    if (this.#sessions.size >= 2 * this.#limits.sessionsMax) return undefined;
    if (own.sessions >= 2 * this.sessionsPerClientMax) return undefined;
    const room = Math.min(TABLE_WINDOWS_MAX - this.#windows, TABLE_WINDOWS_MAX / 16 - own.windows);
    const largest = Math.min(this.#limits.windowMax, Math.max(room, DEFAULT_WINDOW));
    const window = Math.max(1, Math.min(wished === 0 ? DEFAULT_WINDOW : wished, largest));
    this.#lastSession += 1;
    const session = new Session(this.#lastSession, clientId, window, sequence);
    this.#touch(session);
    this.#undo.note(() => {
      this.#remove(session);
      this.#lastSession -= 1;
    });
    this.#add(session);
    return session;
  }

  /** Remembers an executed request of a session of this table. */
  record(session: Session, outcome: Outcome, usedAt: SequenceNumber): void {
    this.#touch(session);
    session.record(outcome, usedAt, this.#undo);
  }

  /** The shard of this session changes; taken back, it counts as changed, too. */
  #touch(session: Session): void {
    this.#changed[session.id % CLIENT_TABLE_SHARDS] = 1;
  }

  #add(session: Session): void {
    this.#sessions.set(session.id, session);
    this.#count(session, 1);
  }

  #remove(session: Session): void {
    this.#sessions.delete(session.id);
    this.#count(session, -1);
  }

  #count(session: Session, sign: 1 | -1): void {
    const own = this.#perClient.get(session.clientId) ?? { sessions: 0, windows: 0 };
    const sessions = own.sessions + sign;
    const windows = own.windows + sign * session.window;
    if (sessions === 0) this.#perClient.delete(session.clientId);
    else this.#perClient.set(session.clientId, { sessions, windows });
    this.#windows += sign * session.window;
  }

  #evict(session: Session): void {
    this.#touch(session);
    this.#undo.note(() => this.#add(session));
    this.#remove(session);
  }

  /**
   * At a checkpoint boundary, and only there (decision C4): sessions of revoked clients go; then those of a client
   * beyond its own share; then those beyond the table's bound, the least recently used first. Then results are
   * forgotten, session by session, until the table's budget holds.
   */
  evict(isRevoked: (clientId: Digest) => boolean): void {
    const kept = new Map<Digest, number>();
    const recentFirst = [...this.#sessions.values()].sort((a, b) => byUse(b, a));
    for (const session of recentFirst) {
      const rank = (kept.get(session.clientId) ?? 0) + 1;
      kept.set(session.clientId, rank);
      if (rank > this.sessionsPerClientMax || isRevoked(session.clientId)) this.#evict(session);
    }
    const oldestFirst = [...this.#sessions.values()].sort(byUse);
    const excess = oldestFirst.length - this.#limits.sessionsMax;
    for (const session of oldestFirst.slice(0, Math.max(excess, 0))) this.#evict(session);
    let bodyBytes = 0;
    for (const session of this.#sessions.values()) bodyBytes += session.bodyBytes;
    for (const session of oldestFirst) {
      if (bodyBytes <= TABLE_BODY_BYTES_MAX) break;
      if (session.bodyBytes === 0 || !this.#sessions.has(session.id)) continue;
      bodyBytes -= session.bodyBytes;
      this.#touch(session);
      session.dropBodies(this.#undo);
    }
  }

  /** Shards that changed since the last call, ascending. */
  takeChanged(): number[] {
    const shards: number[] = [];
    for (let shard = 0; shard < CLIENT_TABLE_SHARDS; shard += 1)
      if (this.#changed[shard] === 1) shards.push(shard);
    this.#undo.note(() => shards.forEach((shard) => (this.#changed[shard] = 1)));
    this.#changed.fill(0);
    return shards;
  }

  /** Canonical bytes of one shard: its sessions, ascending by id. */
  encodeShards(shards: readonly number[]): Uint8Array[] {
    const inShards = new Map<number, Session[]>();
    for (const session of this.#sessions.values()) {
      const shard = session.id % CLIENT_TABLE_SHARDS;
      const others = inShards.get(shard);
      if (others === undefined) inShards.set(shard, [session]);
      else others.push(session);
    }
    return shards.map((shard) => {
      const sessions = inShards.get(shard)?.sort((a, b) => a.id - b.id);
      if (sessions === undefined) return EMPTY_LIST;
      return new Writer(1024).list(sessions, (writer, session) => session.write(writer)).finish();
    });
  }

  /**
   * Replaces everything by shards that `encodeShards` gave; false unless they are canonical. `lastSession` is kept
   * beside the shards, because the highest session may be gone.
   */
  decode(lastSession: SessionId, shard: (index: number) => Uint8Array): boolean {
    assert(this.#sessions.size === 0 && this.#lastSession === 0, 'shards are decoded into a new table');
    this.#lastSession = lastSession;
    for (let index = 0; index < CLIENT_TABLE_SHARDS; index += 1) {
      const reader = new Reader(shard(index));
      let previous = 0;
      const sessions = reader.list(2 * this.#limits.sessionsMax, (r) => {
        const session = Session.read(r, this.#limits.windowMax);
        if (session.id <= previous || session.id > lastSession) r.fail();
        if (session.id % CLIENT_TABLE_SHARDS !== index) r.fail();
        previous = session.id;
        return session;
      });
      if (!reader.done()) return false;
      for (const session of sessions) this.#add(session);
    }
    return true;
  }
}

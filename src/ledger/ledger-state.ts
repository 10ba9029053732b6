/**
 * Everything replicated but the service itself, laid out in chunks of the state tree: what is common to all (meta),
 * the client registry, the memory of OPENs, the shards of the client table, the idempotency keys. The service's chunks
 * follow them.
 */
import { decodeWhole, Writer } from '../core/codec.ts';
import type { ClusterSettings } from '../core/config.ts';
import type { Digest, Hash, Height, Milliseconds, SequenceNumber } from '../core/types.ts';
import { ZERO_DIGEST } from '../core/types.ts';
import { UndoLog } from '../core/undo-log.ts';
import { CLIENT_TABLE_SHARDS, ClientTable } from '../smr/client-table.ts';
import { ClientRegistry } from './clients.ts';
import { IDEMPOTENCY_CHUNKS, IdempotencyQueue } from './idempotency.ts';
import { OpenedSessions } from './opened-sessions.ts';

const META = 0;
const CLIENTS = 1;
const OPENS = 2;
const FIRST_SHARD = 3;
const FIRST_IDEMPOTENCY = FIRST_SHARD + CLIENT_TABLE_SHARDS;
/** Chunks before those of the service; chunk i of the service is chunk LEDGER_CHUNKS + i of the state. */
export const LEDGER_CHUNKS = FIRST_IDEMPOTENCY + IDEMPOTENCY_CHUNKS;

const META_VERSION = 1;
/** Bytes of a protocol's own state, at most. */
const PROTOCOL_STATE_BYTES_MAX = 32 * 1024 * 1024;

/** Replicated state of the ledger. The plain fields are those of the meta chunk. */
export class LedgerState {
  readonly clients: ClientRegistry;
  readonly opens: OpenedSessions;
  readonly sessions: ClientTable;
  readonly idempotency: IdempotencyQueue;
  sequence: SequenceNumber = 0;
  height: Height = 0;
  headerHash: Digest = ZERO_DIGEST;
  /** Agreed, monotonic block time (decision D4). */
  time: Milliseconds = 0;
  protocolState: Uint8Array = new Uint8Array(0);

  /** State of genesis. What changes while `undo` records can be taken back with it. */
  constructor(hash: Hash, settings: ClusterSettings, undo = new UndoLog()) {
    this.clients = new ClientRegistry(hash, settings.clients, undo);
    this.opens = new OpenedSessions(undo);
    const { sessionsMax, sessionWindowMax } = settings.limits;
    this.sessions = new ClientTable({ sessionsMax, windowMax: sessionWindowMax }, undo);
    this.idempotency = new IdempotencyQueue(undo);
  }

  /** Notes the plain fields, which change with every sequence number. */
  notePlainFields(undo: UndoLog): void {
    const { sequence, height, headerHash, time, protocolState } = this;
    undo.note(() => Object.assign(this, { sequence, height, headerHash, time, protocolState }));
  }

  #encodeMeta(): Uint8Array {
    return new Writer(256 + this.protocolState.length)
      .u8(META_VERSION)
      .u64(this.sequence)
      .u64(this.height)
      .digest(this.headerHash)
      .u64(this.time)
      .u64(this.sessions.lastSession)
      .u64(this.idempotency.head)
      .u64(this.idempotency.tail)
      .bytes(this.protocolState)
      .finish();
  }

  /** Canonical bytes of the chunks that changed since the last call, ascending; the meta chunk always is among them. */
  encodeChanged(): Map<number, Uint8Array> {
    const chunks = new Map([[META, this.#encodeMeta()]]);
    if (this.clients.takeChanged()) chunks.set(CLIENTS, this.clients.encode());
    if (this.opens.takeChanged()) chunks.set(OPENS, this.opens.encode());
    const shards = this.sessions.takeChanged();
    const shardBytes = this.sessions.encodeShards(shards);
    shards.forEach((shard, position) => chunks.set(FIRST_SHARD + shard, shardBytes[position]!));
    for (const chunk of this.idempotency.takeChanged())
      chunks.set(FIRST_IDEMPOTENCY + chunk, this.idempotency.encodeChunk(chunk));
    return chunks;
  }

  /**
   * The state that these chunks stand for, or undefined unless they are exactly what it encodes to. Only called with
   * chunks that a certified state digest covers.
   */
  static decode(
    hash: Hash,
    settings: ClusterSettings,
    chunk: (index: number) => Uint8Array,
    undo = new UndoLog(),
  ): LedgerState | undefined {
    const state = new LedgerState(hash, settings, undo);
    const meta = decodeWhole(chunk(META), (reader) => {
      if (reader.u8() !== META_VERSION) reader.fail();
      state.sequence = reader.u64();
      state.height = reader.u64();
      state.headerHash = reader.digest();
      state.time = reader.u64();
      const lastSession = reader.u64();
      const queue = { head: reader.u64(), tail: reader.u64() };
      state.protocolState = reader.bytes(PROTOCOL_STATE_BYTES_MAX).slice();
      return { lastSession, queue };
    });
    if (meta === undefined) return undefined;
    const { lastSession, queue } = meta;
    const decoded =
      state.clients.decode(chunk(CLIENTS)) &&
      state.opens.decode(chunk(OPENS)) &&
      state.sessions.decode(lastSession, (index) => chunk(FIRST_SHARD + index)) &&
      state.idempotency.decode(queue.head, queue.tail, (index) => chunk(FIRST_IDEMPOTENCY + index));
    return decoded ? state : undefined;
  }
}

/**
 * Update exchange between active and passive replicas (ReBFT): active ones tell what a batch changed, passive
 * ones apply what f+1 told alike. Nothing is sent twice by itself: whoever lacks something asks for it, and STATUS, which
 * says what was executed, is the acknowledgement.
 */
import { bytesToDigest } from '../../core/bytes.ts';
import type { Digest, Milliseconds, ReplicaId, SequenceNumber } from '../../core/types.ts';
import type { AttestedReplica } from '../attested/replica.ts';
import type { Content } from '../attested/sealed.ts';
import type { Lacking } from '../lack.ts';
import type { UpdateContent, UpdateFetch } from './messages.ts';
import { PART_BYTES, UPDATE_BYTES_MAX } from './messages.ts';
import { UpdateInbox } from './update-inbox.ts';
import { UpdateStore } from './update-store.ts';

/** UPDATEs told for one question, at most. */
const TOLD_PER_FETCH = 16;
/** Parts sent for one question, at most. */
const PARTS_PER_FETCH = 8;
/** Name of the timer; what it is for is judged anew when it fires. */
const UPDATE_TIMER = 'updates';

/** See the top of this file. `C`: contents of the protocol, those of the exchange among them. */
export class UpdateExchange<C extends Content> {
  readonly #replica: AttestedReplica<C>;
  readonly store = new UpdateStore();
  readonly inbox: UpdateInbox;
  /** The service refused an update as this sequence number: it is not tried again. */
  #refused: SequenceNumber = 0;
  /** Where this replica stands although others seem to have executed more, and since when. */
  #behind: { readonly at: SequenceNumber; readonly since: Milliseconds } | undefined;
  #askAgainAt: Milliseconds = 0;
  #asks = 0;
  readonly #needed: number;

  /** `needed`: equal updates that are believed, f+1. */
  constructor(replica: AttestedReplica<C>, needed: number) {
    this.#replica = replica;
    this.#needed = needed;
    this.inbox = new UpdateInbox(replica.context.hash, needed);
  }

  #tell(to: ReplicaId, content: UpdateContent): void {
    this.#replica.tell(to, content as Content as C);
  }

  // ---- active replicas ---------------------------------------------------------------------------------------------

  /**
   * A batch was executed here: tells passive replicas what it changed. Of the active replicas one sends the bytes, another
   * one for each sequence number.
   */
  publish(
    sequence: SequenceNumber,
    told: { readonly digest: Digest; readonly bytes: Uint8Array },
    active: readonly ReplicaId[],
  ): void {
    const { digest, bytes } = told;
    if (bytes.length > UPDATE_BYTES_MAX) return;
    const update = bytesToDigest(this.#replica.context.hash(bytes));
    this.store.keep(sequence, { digest, update, bytes });
    const speaks = active[sequence % active.length] === this.#replica.self;
    for (const to of this.#replica.peers.keys()) {
      if (active.includes(to)) continue;
      this.#tellUpdate(to, sequence, speaks);
      for (let offset = PART_BYTES; speaks && offset < bytes.length; offset += PART_BYTES)
        this.#tellPart(to, sequence, update, offset);
    }
  }

  #tellUpdate(to: ReplicaId, sequence: SequenceNumber, withBytes: boolean): void {
    const { digest, update, bytes } = this.store.get(sequence)!;
    const first = withBytes ? bytes.subarray(0, PART_BYTES) : NO_BYTES;
    this.#tell(to, { kind: 'UPDATE', sequence, digest, update, length: bytes.length, bytes: first });
  }

  #tellPart(to: ReplicaId, sequence: SequenceNumber, update: Digest, offset: number): boolean {
    const bytes = this.store.part(sequence, update, offset);
    if (bytes === undefined) return false;
    this.#tell(to, { kind: 'UPDATE-PART', sequence, update, offset, bytes });
    return true;
  }

  /** Answers a question, within what may be sent to its author for one STATUS of it. */
  #onFetch(from: ReplicaId, { sequence, wanted }: UpdateFetch): void {
    const peer = this.#replica.peers[from]!;
    if (wanted === undefined) {
      for (let next = sequence; next < sequence + TOLD_PER_FETCH; next += 1) {
        if (this.store.get(next) === undefined || !peer.spend(UPDATE_FRAME_BYTES)) return;
        this.#tellUpdate(from, next, false);
      }
      return;
    }
    if (wanted.offset % PART_BYTES !== 0) return;
    const end = wanted.offset + PARTS_PER_FETCH * PART_BYTES;
    for (let { offset } = wanted; offset < end; offset += PART_BYTES) {
      const left = (this.store.get(sequence)?.bytes.length ?? 0) - offset;
      if (left <= 0 || !peer.spend(Math.min(left, PART_BYTES))) return;
      if (!this.#tellPart(from, sequence, wanted.update, offset)) return;
    }
  }

  /** What is covered by a stable checkpoint, or what everybody has executed, is told no more. */
  #forget(): void {
    const { peers, self, stableSequence } = this.#replica;
    const reported = peers.flatMap((peer, id) => (id === self ? [] : [peer.status?.executed ?? 0]));
    this.store.dropThrough(Math.max(stableSequence, Math.min(...reported)));
  }

  // ---- passive replicas --------------------------------------------------------------------------------------------

  /** Takes in a message of the exchange; it came over the link of its author. */
  take(from: ReplicaId, content: UpdateContent): void {
    if (from === this.#replica.self) return;
    if (content.kind === 'UPDATE-FETCH') return this.#onFetch(from, content);
    const { executed, window } = this.#replica;
    if (content.sequence <= executed || content.sequence > executed + window) return;
    if (content.kind === 'UPDATE') this.inbox.add(from, content);
    else this.inbox.addPart(from, content);
  }

  /** What a passive replica lacks of an order: the same update of enough active ones. */
  lack(sequence: SequenceNumber, active: readonly ReplicaId[], isAsked: boolean): Lacking | undefined {
    if (!isAsked && this.#behind === undefined) return undefined;
    const has = this.inbox.tellers(sequence);
    const since = this.#behind?.since;
    return { what: 'UPDATE', sequence, needs: this.#needed, has, among: active, since };
  }

  /** Whether two active replicas told different things about what an UPDATE is about: one of them lies. */
  isContradicted({ sequence }: UpdateContent, active: readonly ReplicaId[]): boolean {
    return this.inbox.isContradicted(sequence, active);
  }

  /** The update that can be applied as `sequence`, if it is known. */
  next(sequence: SequenceNumber): Uint8Array | undefined {
    return sequence === this.#refused ? undefined : this.inbox.complete(sequence);
  }

  /**
   * The service did not take an update although f+1 replicas told it, so it is this replica whose state is another one:
   * only what was decided, or a fetched state, brings it on.
   */
  onRefused(sequence: SequenceNumber): void {
    this.#replica.desk.note('updateRefused', { sequence });
    this.#refused = sequence;
  }

  /** The service moved: what was told about the past is void. */
  onMoved(): void {
    this.inbox.dropThrough(this.#replica.executed);
  }

  /** What was told belongs to a past that this replica has left. */
  clear(): void {
    this.inbox.dropThrough(Infinity);
  }

  /** Forgets, and asks for what is lacking; to be called whenever something may have changed. */
  consider(active: readonly ReplicaId[]): void {
    this.#forget();
    const replica = this.#replica;
    const { executed, desk, timers } = replica;
    if (active.includes(replica.self) || !this.#isBehind(executed) || replica.busy) {
      this.#behind = undefined;
      return;
    }
    if (this.#behind?.at !== executed) {
      this.#behind = { at: executed, since: desk.now };
      this.#askAgainAt = desk.now + timers.gapMs;
    }
    if (this.#askAgainAt <= desk.now) {
      this.#ask(executed + 1, active);
      this.#askAgainAt = desk.now + 2 * timers.gapMs;
    }
    desk.wakeAt(UPDATE_TIMER, this.#askAgainAt);
  }

  /** Whether something that this replica lacks was told or was executed by others. */
  #isBehind(executed: SequenceNumber): boolean {
    if (this.inbox.highest > executed) return true;
    return this.#replica.peers.some(({ status }) => (status?.executed ?? 0) > executed);
  }

  #ask(sequence: SequenceNumber, active: readonly ReplicaId[]): void {
    const sources = this.inbox.sources(sequence);
    const source = sources[this.#asks % Math.max(1, sources.length)];
    this.#asks += 1;
    if (source === undefined) {
      for (const to of active) this.#tell(to, { kind: 'UPDATE-FETCH', sequence, wanted: undefined });
      return;
    }
    const { replica, update, offset } = source;
    this.inbox.noteAsked(sequence, replica);
    this.#tell(replica, { kind: 'UPDATE-FETCH', sequence, wanted: { update, offset } });
  }

  /**
   * Whether this replica has not moved for so long although others have executed more: enough of them that one is
   * correct.
   */
  isStalled(delayMs: Milliseconds): boolean {
    const { executed, peers, desk } = this.#replica;
    if (this.#behind === undefined) return false;
    const ahead = peers.filter(({ status }) => (status?.executed ?? 0) > executed).length;
    if (ahead < this.#needed) return false;
    const due = this.#behind.since + delayMs;
    if (due <= desk.now) return true;
    desk.wakeAt(UPDATE_TIMER, due);
    return false;
  }
}

const NO_BYTES = new Uint8Array(0);
/** An UPDATE without bytes. */
const UPDATE_FRAME_BYTES = 160;

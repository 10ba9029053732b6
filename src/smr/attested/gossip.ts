/**
 * Retransmission on lossy links: STATUS tells what a replica has, and whoever sees what it lacks sends it:
 * own messages, the stable certificate, what shows a decision, what leads into the view.
 */
import { Reader, Writer } from '../../core/codec.ts';
import type { ReplicaId } from '../../core/types.ts';
import type { Peer } from './peers.ts';
import type { AttestedReplica } from './replica.ts';
import type { Content, Sealed, Status } from './sealed.ts';
import { SKIPPED_MAX } from './sealed.ts';

/** Decisions shown to one peer for one status of it. */
const DECISIONS_PER_STATUS = 16;

/** See the top of this file. */
export class Gossip<C extends Content> {
  readonly #replica: AttestedReplica<C>;
  /** Of the store; see `Status.life`. */
  #life = 0;
  /** Too few replicas were reachable for a while. */
  #quorumLost = false;
  /** `heard` of the replica at which a quorum may be reachable again: until then too few messages have come. */
  #backAt = 0;

  constructor(replica: AttestedReplica<C>) {
    this.#replica = replica;
  }

  /** After a start: the life of this store, a new one if there is none yet. */
  restore(stored: ReadonlyMap<string, Uint8Array>): void {
    const { desk, prng } = this.#replica;
    const known = stored.get('life');
    this.#life = known === undefined ? 0 : new Reader(known).u64();
    if (known !== undefined) return;
    this.#life = prng.u32() * 2 ** 20 + (Math.floor(desk.wallMs) % 2 ** 20);
    desk.store([{ key: 'life', value: new Writer(8).u64(this.#life).finish() }]);
  }

  /** First words after a start. */
  start(): void {
    this.onTick();
  }

  /** STATUS to all, and the look at who is reachable. Sets the next tick, with jitter. */
  onTick(): void {
    const { desk, prng, timers, n, f, peers } = this.#replica;
    desk.setTimerAt('status', desk.now + timers.statusMs * (0.8 + 0.4 * prng.unit()));
    // One report for all: a list of all replicas for each of them would cost n lists.
    const received = this.#received();
    for (const peer of peers.keys()) desk.send(peer, this.#status(peer, received));
    if (this.#reachable() < n - f) this.#quorumLost = true;
  }

  /** Whether a quorum is reachable; where it was not it takes as many messages as replicas were lacking. */
  #isQuorumBack(): boolean {
    const { n, f, heard } = this.#replica;
    if (heard < this.#backAt) return false;
    const lacking = n - f - this.#reachable();
    if (lacking > 0) this.#backAt = heard + lacking;
    return lacking <= 0;
  }

  #received(): number[] {
    const { own, peers, self } = this.#replica;
    return peers.map((peer, replica) => (replica === self ? own.last : peer.received));
  }

  #status(to: ReplicaId, received: readonly number[]): Status {
    const { view, mode, executed, own, stableSequence } = this.#replica;
    return {
      kind: 'STATUS',
      life: this.#life,
      view,
      changing: mode === 'changing',
      executed,
      stable: stableSequence,
      first: own.first,
      received,
      skipped: this.#skippedFor(to),
    };
  }

  /** Own messages that others got and this peer never will: it need not wait for them. */
  #skippedFor(to: ReplicaId): number[] {
    const { own, peers, self } = this.#replica;
    const known = peers[to]!.status?.received[self] ?? 0;
    const skipped = own.holesAfter(known);
    for (const { message } of own.after(known)) {
      if (skipped.length >= SKIPPED_MAX) break;
      if (!this.#replica.isFor(to, message)) skipped.push(message.id);
    }
    return skipped;
  }

  /** How many replicas have been heard within four status periods, the own one included. */
  #reachable(): number {
    const { desk, peers, self, timers } = this.#replica;
    const since = desk.now - 4 * timers.statusMs;
    return peers.filter((peer, replica) => replica === self || (peer.lastHeardMs ?? -1) >= since).length;
  }

  /** A link came up: own status at once, so that the peer re-sends. */
  onLinkUp(peer: ReplicaId): void {
    this.#replica.desk.send(peer, this.#status(peer, this.#received()));
  }

  /** STATUS of a peer: what it lacks is sent. */
  onStatus(from: ReplicaId, status: Status): void {
    const replica = this.#replica;
    const { desk, timers, n, peers, requests } = replica;
    const peer = peers[from]!;
    if (status.received.length !== n) return;
    peer.note(status, desk.now, timers.statusMs);
    replica.onPeerView(from, status.view);
    if (this.#quorumLost && this.#isQuorumBack()) {
      this.#quorumLost = false;
      if (replica.backoff.onQuorumBack()) requests.pending.restartDeadlines(desk.now, replica.requestDelay);
    }
    this.#sendOwn(from, peer, status);
    this.#sendStable(from, peer, status);
    this.#sendView(from, peer, status);
    this.#sendDecisions(from, peer, status);
  }

  /** Own messages that it has not taken in; younger ones are on their way. */
  #sendOwn(to: ReplicaId, peer: Peer<C>, status: Status): void {
    const { desk, own, self, timers } = this.#replica;
    const received = status.received[self]!;
    if (received >= own.last) return;
    for (const { message, at } of own.after(received)) {
      if (at > desk.now - timers.gapMs || !peer.spend(message.bytes.length)) break;
      if (this.#replica.isFor(to, message)) desk.send(to, message);
    }
  }

  #sendProof(to: ReplicaId, peer: Peer<C>, messages: readonly Sealed<C>[]): boolean {
    if (messages.length === 0) return true;
    let bytes = 0;
    for (const message of messages) bytes += message.bytes.length;
    if (!peer.spend(bytes)) return false;
    this.#replica.desk.send(to, { kind: 'PROOF', messages });
    return true;
  }

  #sendStable(to: ReplicaId, peer: Peer<C>, status: Status): void {
    const { stable, stableSequence } = this.#replica;
    if (stable === undefined || status.stable >= stableSequence) return;
    if (peer.previous !== undefined && peer.previous.stable === status.stable)
      this.#sendProof(to, peer, stable.messages);
  }

  #sendView(to: ReplicaId, peer: Peer<C>, status: Status): void {
    const { view, mode } = this.#replica;
    if (mode !== 'active' || view === 0) return;
    const behind = status.view < view || (status.changing && status.view === view);
    if (behind && peer.previous !== undefined && peer.previous.view === status.view)
      this.#sendProof(to, peer, this.#replica.newViewProof());
  }

  /** What shows the decisions that it has not executed: their voters may be gone, or may have told only a few. */
  #sendDecisions(to: ReplicaId, peer: Peer<C>, status: Status): void {
    const { executed, stableSequence } = this.#replica;
    if (peer.previous === undefined || peer.previous.executed !== status.executed) return;
    if (status.executed < stableSequence) return;
    const last = Math.min(executed, status.executed + DECISIONS_PER_STATUS);
    for (let sequence = status.executed + 1; sequence <= last; sequence += 1) {
      if (!this.#sendProof(to, peer, this.#replica.decisionProof(sequence, to))) return;
    }
    if (status.executed >= executed) this.#sendProof(to, peer, this.#replica.unfinished());
  }
}

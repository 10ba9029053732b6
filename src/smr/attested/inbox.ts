/**
 * What comes from the others: each message of a peer is taken in once, what comes too early is held back and offered again
 * when this replica has moved. Everything here was verified before.
 */
import type { ReplicaId } from '../../core/types.ts';
import type { Intake } from './hooks.ts';
import type { Peer } from './peers.ts';
import type { AttestedReplica } from './replica.ts';
import type { Content, Sealed } from './sealed.ts';

/** See the top of this file. */
export class Inbox<C extends Content> {
  readonly #replica: AttestedReplica<C>;
  readonly #offer: (message: Sealed<C>, from: ReplicaId) => Intake;
  /** Grows whenever something moved that may let messages in that came too early. */
  #progress = 0;
  #offeredAt = 0;
  /** Whether anything may be held back. */
  #holds = false;

  /** `offer`: shows a message to the protocol. */
  constructor(replica: AttestedReplica<C>, offer: (message: Sealed<C>, from: ReplicaId) => Intake) {
    this.#replica = replica;
    this.#offer = offer;
  }

  /** Messages that came too early may fit now. */
  noteProgress(): void {
    this.#progress += 1;
  }

  /** A message that `from` sent, written by itself. */
  onMessage(from: ReplicaId, message: Sealed<C>): void {
    this.#intake(from, message, from === message.author);
  }

  /** Messages that show something, whoever wrote them: what their authors keep no more is shown all the same. */
  onProof(from: ReplicaId, messages: readonly Sealed<C>[]): void {
    // Numbers say nothing here.
    for (const message of messages) this.#intake(from, message, false);
  }

  /** `direct`: it comes from its author, as a message of its own. */
  #intake(from: ReplicaId, message: Sealed<C>, direct: boolean): void {
    const { author, id } = message;
    const { peers, self, own } = this.#replica;
    const peer = peers[author];
    if (peer === undefined) return;
    // What this replica said before it lost its store comes back to it in proofs: it is as good as anybody's word.
    if (author === self && own.has(message.digest)) return;
    if (direct && id > 0 && peer.has(id)) {
      peer.repeated += 1;
      return;
    }
    // Without a transferable word a message is worth something on the link of its author only.
    if (message.attestation.kind === 'link' && from !== author) return;
    const intake = this.#offer(message, from);
    if (!direct || id === 0) return;
    if (intake === 'taken') peer.take(id);
    else this.#hold(peer, message);
  }

  #hold(peer: Peer<C>, message: Sealed<C>): void {
    peer.hold(message);
    this.#holds = true;
  }

  /** Offers what was held back, if anything moved; true if some of it was taken. */
  offerHeld(): boolean {
    if (this.#offeredAt === this.#progress) return false;
    this.#offeredAt = this.#progress;
    // Asked for often, and in a large cluster there are many peers to look at.
    if (!this.#holds) return false;
    // Before anything is offered: the protocol may hand in more messages while it is shown one.
    this.#holds = false;
    let moved = false;
    for (const [replica, peer] of this.#replica.peers.entries()) {
      if (peer.heldCount === 0) continue;
      for (const message of peer.takeHeld()) {
        if (this.#offer(message, replica) === 'later') this.#hold(peer, message);
        else {
          peer.take(message.id);
          moved = true;
        }
      }
    }
    return moved;
  }
}

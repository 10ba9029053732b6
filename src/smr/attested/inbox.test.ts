/** Messages that came too early: none of them is forgotten, whenever it came. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest, ReplicaId } from '../../core/types.ts';
import type { Intake } from './hooks.ts';
import { Inbox } from './inbox.ts';
import { Peer } from './peers.ts';
import type { AttestedReplica } from './replica.ts';
import type { Content, Sealed } from './sealed.ts';

/** The first message of a replica. */
function messageOf(author: ReplicaId): Sealed<Content> {
  const [content, bytes] = [{ kind: 'VOTE' }, new Uint8Array(1)];
  const attestation = { kind: 'link', replica: author } as const;
  return { kind: 'VOTE', id: 1, author, content, digest: `${author}` as Digest, attestation, bytes };
}

/** An inbox of replica 0 of three; `offer` says what the protocol makes of a message. */
function inboxWith(offer: (message: Sealed<Content>) => Intake): Inbox<Content> {
  const peers = [0, 1, 2].map(() => new Peer<Content>());
  const replica = { self: 0, peers, own: new Map() } as unknown as AttestedReplica<Content>;
  return new Inbox(replica, offer);
}

test('what is held back is offered again once something moved, until it is taken', () => {
  let intake: Intake = 'later';
  let offered = 0;
  const inbox = inboxWith(() => {
    offered += 1;
    return intake;
  });
  inbox.onMessage(1, messageOf(1));
  assert.equal(inbox.offerHeld(), false);
  assert.equal(offered, 1, 'nothing moved');
  inbox.noteProgress();
  assert.equal(inbox.offerHeld(), false);
  inbox.noteProgress();
  intake = 'taken';
  assert.equal(inbox.offerHeld(), true);
  inbox.noteProgress();
  assert.equal(inbox.offerHeld(), false);
  assert.equal(offered, 3, 'what was taken is not offered again');
});

test('what comes too early while held messages are offered is held back like any other', () => {
  const offered: ReplicaId[] = [];
  let isLate = true;
  const inbox = inboxWith(({ author }) => {
    offered.push(author);
    if (isLate) return 'later';
    // Replica 1 was passed by already.
    if (author === 2) {
      isLate = true;
      inbox.onMessage(1, messageOf(1));
      isLate = false;
    }
    return 'taken';
  });
  inbox.onMessage(2, messageOf(2));
  isLate = false;
  inbox.noteProgress();
  assert.equal(inbox.offerHeld(), true);
  inbox.noteProgress();
  assert.equal(inbox.offerHeld(), true);
  assert.deepEqual(offered, [2, 2, 1, 1]);
});

/**
 * Own messages (decision B1): one seal outstanding. What is wished for is worked out when its turn comes, against the
 * own stream as it is then; the step function is asked first; state and votes move when the message loops back.
 */
import { assert } from '../../core/assert.ts';
import type { StoreEntry, UniqueIdentifier } from '../../core/protocol.ts';
import type { ReplicaId } from '../../core/types.ts';
import { fullNewView } from '../usig-stream/builders.ts';
import type { Attachments } from '../usig-stream/codec.ts';
import { completeDraft, encodeDraft, previewDraft } from '../usig-stream/codec.ts';
import type { CheckpointContent, Draft, ViewChange } from '../usig-stream/messages.ts';
import { stepStream, summaryOf } from '../usig-stream/stream.ts';
import { encodeViewChanges, STORE_KEY } from './durable.ts';
import { logHasRoom } from './ordering.ts';
import type { ReplicaState, Sealing, StreamItem } from './state.ts';
import { acceptItem, noteCheckpoint } from './streams.ts';
import { nextCommitNewView, nextNewView, nextViewChange, onViewEntered, storeBase } from './view-change.ts';

/** What this replica wants sealed next. */
interface Wish {
  readonly draft: Draft;
  readonly attachments?: Attachments;
  readonly viewChanges?: readonly ViewChange[];
  /** Must be durable before the seal is asked for (W1). */
  readonly entries?: readonly StoreEntry[];
}

const NO_AUTHENTICATOR = new Uint8Array(0);
const NO_VIEW_CHANGES: readonly ViewChange[] = [];

/** Asks for the next seal, if there is a wish and none is outstanding. True if it did. */
export function sealNext(s: ReplicaState): boolean {
  if (s.sealing !== undefined) return false;
  if (!s.rule('MinBFT.RECOVER.3', s.maySeal)) return false;
  if (!s.rule('MinBFT.RECOVER.4', peersKnowNoMore(s))) return false;
  const wish = nextWish(s);
  if (wish === undefined) return false;
  const counter = s.own.state.counter + 1;
  const { draft, attachments } = wish;
  const viewChanges = wish.viewChanges ?? NO_VIEW_CHANGES;
  const encoded = encodeDraft(s.streamContext, draft);
  const ui = { replica: s.self, tcEpoch: s.tcEpoch, counter, authenticator: NO_AUTHENTICATOR };
  const sealing: Sealing = { counter, draft, encoded, attachments, viewChanges, since: s.now };
  const preview = lookAhead(s, sealing, ui);
  const result = stepStream(s.streamContext, s.own.state, s.self, preview, s.knowledge.previewLookup);
  if (result.kind !== 'accepted') {
    // A correct replica never convicts itself: the wish is dropped.
    s.note('wishRefused', { wish: draft.kind, result: result.kind, why: refusal(result) });
    return false;
  }
  s.store(wish.entries ?? []);
  s.sealing = sealing;
  s.emit({ kind: 'seal', tcEpoch: s.tcEpoch, counter, digest: encoded.digest, draft: encoded.bytes });
  return true;
}

/** STATUS periods that silent or contradicting peers are waited for after a start. */
const START_PATIENCE = 4;

/**
 * After a start with an own log nothing is sealed before f peers have said what they hold of the own stream: where
 * component and log were put back to an old state together, only they can know (W6). Without f peers nothing could be
 * decided anyway, so this costs no liveness. The others are waited for a little, also those that claim to hold more: a
 * correct one shows it, which halts this replica, and a liar cannot hold it up for longer.
 */
function peersKnowNoMore(s: ReplicaState): boolean {
  const { counter } = s.own.state;
  // Who has never sealed anything cannot have been put back.
  s.peersAsked ||= counter === 0;
  if (s.peersAsked) return true;
  const agreeing = agreeingPeers(s).length;
  const waited = s.now - s.startedAtMs >= START_PATIENCE * s.timers.statusMs;
  s.peersAsked = agreeing === s.n - 1 || (waited && agreeing >= s.f);
  return s.peersAsked;
}

/** Peers that have said, since the start, that they hold no more of the own stream than this replica. */
export function agreeingPeers(s: ReplicaState): ReplicaId[] {
  const { incarnation, counter } = s.own.state;
  const agreeing: ReplicaId[] = [];
  for (const [replica, { status }] of s.peers.entries()) {
    const position = status?.streams[s.self];
    if (position === undefined) continue;
    const knowsMore =
      position.incarnation > incarnation ||
      (position.incarnation === incarnation && position.counter > counter);
    if (!knowsMore) agreeing.push(replica);
  }
  return agreeing;
}

/** The message as it would be, for the step function alone. */
function lookAhead(
  s: ReplicaState,
  { draft, encoded, attachments, viewChanges }: Sealing,
  ui: UniqueIdentifier,
): StreamItem {
  const message = previewDraft(s.streamContext, draft, encoded, ui, attachments);
  return message.kind === 'NEW-VIEW-HEADER' ? fullNewView(message, viewChanges) : message;
}

function refusal(result: ReturnType<typeof stepStream>): string {
  if (result.kind === 'invalid' || result.kind === 'ignored') return `${result.rule}: ${result.reason}`;
  return result.kind === 'need' ? result.what.kind : '';
}

function complete(
  s: ReplicaState,
  { draft, encoded, attachments, viewChanges }: Sealing,
  ui: UniqueIdentifier,
): StreamItem {
  const sealed = completeDraft(s.streamContext, draft, ui, attachments, encoded);
  return sealed.kind === 'NEW-VIEW-HEADER' ? fullNewView(sealed, viewChanges) : sealed;
}

function nextWish(s: ReplicaState): Wish | undefined {
  const viewChange = nextViewChange(s);
  if (viewChange !== undefined)
    return {
      draft: viewChange.content,
      attachments: viewChange.attachments,
      entries: viewChange.entries,
    };
  const { state } = s.own;
  if (state.mode === 'changing') {
    const newView = nextNewView(s);
    if (newView !== undefined) {
      const { content, viewChanges } = newView;
      storeBase(s, newView.base);
      const { digest } = encodeDraft(s.streamContext, content);
      const entries = [{ key: STORE_KEY.ownNewView + digest, value: encodeViewChanges(viewChanges) }];
      s.storedNewViews.add(digest);
      return { draft: content, viewChanges, entries };
    }
    const commit = nextCommitNewView(s);
    return commit === undefined ? undefined : { draft: commit };
  }
  const checkpoint = nextCheckpoint(s);
  if (checkpoint !== undefined) return { draft: checkpoint };
  if (!s.rule('MinBFT.BACKUP.1', state.newView.view === state.view)) return undefined;
  const draft = s.part.nextOrder();
  return draft === undefined ? undefined : { draft };
}

/** CHECKPOINT for the latest executed boundary, when active. */
function nextCheckpoint(s: ReplicaState): CheckpointContent | undefined {
  const { boundary } = s;
  const { state } = s.own;
  if (boundary === undefined || boundary.checkpoint.sequence <= state.checkpointSequence) return undefined;
  // While nobody vouches for this stream, boundaries that others decide would fill the log beyond what V4 allows. Its bound
  // is a window later than that of PREPARE and COMMIT: where all logs are full, it is CHECKPOINTs that empty them.
  if (!s.rule('MinBFT.LEADER.3', logHasRoom(s, 1))) return undefined;
  return {
    kind: 'CHECKPOINT',
    sequence: boundary.checkpoint.sequence,
    stateDigest: boundary.checkpoint.stateDigest,
    last: boundary.last,
    configurationVersion: s.streamContext.domain.configurationVersion,
    registryDigest: boundary.registryDigest,
    self: summaryOf(state),
    seen: s.slots.map(({ state: { incarnation, counter } }) => ({ incarnation, counter })),
  };
}

/** The outstanding seal was given: the message is complete, durable, and may leave (W3). */
export function onSealed(s: ReplicaState, ui: UniqueIdentifier): void {
  const { sealing } = s;
  s.sealing = undefined;
  assert(sealing !== undefined && ui.counter === sealing.counter, 'the seal is the one that was asked for');
  if (ui.tcEpoch !== s.tcEpoch) return;
  const item = complete(s, sealing, ui);
  const slot = s.own;
  const result = stepStream(s.streamContext, slot.state, s.self, item, s.knowledge.lookup);
  assert(result.kind === 'accepted', `own ${item.kind} follows the rules of the own stream`);
  const wasActive = slot.state.mode === 'active';
  slot.state = result.state;
  if (item.kind === 'CHECKPOINT') noteCheckpoint(s, item);
  if (item.kind === 'VIEW-CHANGE') {
    s.justification = item.justification;
    s.peers[s.self]!.viewChanges = [item];
  }
  if (item.kind === 'NEW-VIEW') s.knowledge.newViews.put(item, () => true);
  acceptItem(s, s.self, slot, item);
  s.part.publish(
    item.kind === 'VIEW-CHANGE-STUB' || item.kind === 'NEW-VIEW-HEADER' ? unreachableItem() : item,
  );
  if (!wasActive && slot.state.mode === 'active') onViewEntered(s);
}

function unreachableItem(): never {
  assert(false, 'an own message is never a stub');
}

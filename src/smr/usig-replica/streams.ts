/**
 * The stream layer: messages of every replica in the order of its counter, one pure step function, bounded buffers,
 * skips only to vouched anchors.
 */
import type { ReplicaId } from '../../core/types.ts';
import { stableSequence } from '../checkpoint-keeper.ts';
import { mayAnchor, voucherCount } from '../usig-stream/anchors.ts';
import type {
  Checkpoint,
  CheckpointCertificate,
  CommitNewView,
  FullNewView,
  UsigMessage,
  NewViewCertificate,
  Prepare,
  RequestViewChange,
  StreamSync,
  ViewChange,
  Vote,
} from '../usig-stream/messages.ts';
import { anchorStream, incarnationStream, killStream, stepStream, streamUi } from '../usig-stream/stream.ts';
import { proposalsIn, slotsOf } from '../usig-stream/slots.ts';
import { proofFits } from '../usig-stream/view-change.ts';
import { currentEntry } from '../registry.ts';
import { accuseOfDoubleSeal, accuseOfStreamFault, accuseOfWrongCheckpoint } from './accusations.ts';
import { noteVote } from './conduct.ts';
import { counterOf, StreamLog } from './stream-log.ts';
import type { ReplicaState, StreamItem, StreamSlot } from './state.ts';

/** Puts a message (or what a log shows of it) into the stream of its author, to wait for its turn. */
function offerItem(s: ReplicaState, item: StreamItem): void {
  const ui = streamUi(item);
  const slot = s.slots[ui.replica];
  if (slot === undefined || slot.state.dead) return;
  if (ui.replica === s.self && ui.tcEpoch === s.tcEpoch) {
    checkOwnCounter(s, ui.counter);
    return;
  }
  if (s.knowledge.book.incarnationOf(ui.replica, ui.tcEpoch) !== slot.state.incarnation) return;
  const held =
    ui.counter <= slot.state.counter ? slot.log.get(ui.counter)?.item : slot.buffer.get(ui.counter);
  if (held !== undefined) accuseOfDoubleSeal(s, held, item);
  if (ui.counter <= slot.state.counter) {
    completeRelayed(slot, item, ui.counter);
    return;
  }
  const better = held !== undefined && isBetter(item, held);
  if (better && ui.counter === slot.state.counter + 1) slot.need = undefined;
  slot.buffer.put(ui.counter, item, better);
  if (ui.counter > slot.state.counter + 1) slot.lackingSince ??= s.now;
}

/**
 * A keeper's own stream moves by its own seals alone: a sealed message of its component that it does not know proves
 * that component and log were put back to an older state (W6). Running on would void the safety of the cluster.
 */
function checkOwnCounter(s: ReplicaState, counter: number): void {
  const current = currentEntry(s.registry, s.self).tcEpoch === s.tcEpoch && s.unreplayed === undefined;
  if (!current || counter <= s.own.state.counter) return;
  haltReplica(
    s,
    `a peer holds a message that this replica's trusted component sealed with counter ${counter}, but its own log ` +
      `ends at ${s.own.state.counter}: an old copy of component and log was put back. Restore the newest folder, or ` +
      'wipe it and let the replica be re-admitted with a new component.',
  );
}

/** Stops this replica for good (decision A3). */
export function haltReplica(s: ReplicaState, reason: string): void {
  if (s.halted) return;
  s.halted = true;
  s.emit({ kind: 'halt', reason });
}

/** A full message is worth more than its stub or header, and more attachments more than fewer. */
function isBetter(item: StreamItem, held: StreamItem): boolean {
  if (item.kind === 'VIEW-CHANGE')
    return held.kind !== 'VIEW-CHANGE' || item.newViews.length > held.newViews.length;
  return item.kind === 'NEW-VIEW' && held.kind !== 'NEW-VIEW';
}

/** The stream passed this message as a stub or header; keep the whole for those who ask for it. */
function completeRelayed(slot: StreamSlot, item: StreamItem, counter: number): void {
  const held = slot.log.get(counter)?.item;
  if (held === undefined || streamUi(held).tcEpoch !== streamUi(item).tcEpoch) return;
  const whole =
    (item.kind === 'VIEW-CHANGE' && held.kind === 'VIEW-CHANGE-STUB' && item.digest === held.digest) ||
    (item.kind === 'NEW-VIEW' && held.kind === 'NEW-VIEW-HEADER' && item.header.digest === held.digest);
  if (whole) slot.log.replace(counter, item);
}

/**
 * Whether a replica sends a message that its own stream has passed: a retransmission or a replay, under a counter that
 * was used up or a trusted component that was retired. Harmless either way (nothing is processed twice).
 */
export function isRepeated(s: ReplicaState, from: ReplicaId, message: UsigMessage): boolean {
  const ui = message.kind === 'NEW-VIEW' ? message.header.ui : 'ui' in message ? message.ui : undefined;
  const slot = s.slots[from];
  if (ui?.replica !== from || slot === undefined) return false;
  const incarnation = s.knowledge.book.incarnationOf(from, ui.tcEpoch);
  if (incarnation === undefined || incarnation > slot.state.incarnation) return false;
  return incarnation < slot.state.incarnation || ui.counter <= slot.state.counter;
}

/** PREPARE. */
export function intakePrepare(s: ReplicaState, message: Prepare): void {
  offerItem(s, message);
}

/** A vote; the PREPARE in it goes to the primary's stream. */
export function intakeVote(s: ReplicaState, message: Vote): void {
  for (const prepare of proposalsIn(message)) offerItem(s, prepare);
  offerItem(s, message);
}

/** CHECKPOINT: counts for certificates at once, and takes its place in the stream. */
export function intakeCheckpoint(s: ReplicaState, message: Checkpoint): void {
  noteCheckpoint(s, message);
  offerItem(s, message);
}

/** Keeps a CHECKPOINT for certificates and vouching. */
export function noteCheckpoint(s: ReplicaState, message: Checkpoint): void {
  const { sequence, configurationVersion } = message;
  if (sequence <= 0 || sequence % s.limits.checkpointInterval !== 0) return;
  if (configurationVersion !== s.streamContext.domain.configurationVersion) return;
  if (message.seen.length !== s.n) return;
  if (!s.keeper.offer(message)) return;
  s.checkpointsChanged = true;
  accuseOfWrongCheckpoint(s, message);
}

function noteCertificate(s: ReplicaState, certificate: CheckpointCertificate | undefined): void {
  if (certificate === undefined || stableSequence(certificate) <= stableSequence(s.knownStable)) return;
  for (const checkpoint of certificate.checkpoints) noteCheckpoint(s, checkpoint);
}

/** Keeps a signed wish to leave a view; only the highest of each replica matters. */
export function noteRequestViewChange(s: ReplicaState, message: RequestViewChange): void {
  const peer = s.peers[message.replica];
  if (peer === undefined) return;
  if (peer.request === undefined || message.target > peer.request.target) peer.request = message;
}

/**
 * VIEW-CHANGE: its wish and its justification count at once, its log feeds the author's stream, and it takes its own
 * place there. `nested`: inside a NEW-VIEW.
 */
export function intakeViewChange(s: ReplicaState, message: ViewChange): void {
  const peer = s.peers[message.ui.replica];
  const slot = s.slots[message.ui.replica];
  if (peer === undefined || slot === undefined) return;
  for (const request of message.justification) noteRequestViewChange(s, request);
  for (const proof of message.newViews) intakeProof(s, proof);
  noteCertificate(s, message.stable);
  for (const voucher of message.vouchers) noteCheckpoint(s, voucher);
  keepViewChange(s, message);
  const incarnation = s.knowledge.book.incarnationOf(message.ui.replica, message.ui.tcEpoch);
  const lacks = incarnation === slot.state.incarnation && slot.state.counter < message.ui.counter - 1;
  if (lacks && !slot.state.dead) feedLog(s, slot, message);
  offerItem(s, message);
}

function keepViewChange(s: ReplicaState, message: ViewChange): void {
  const peer = s.peers[message.ui.replica]!;
  const same = peer.viewChanges.findIndex(
    (other) => other.ui.tcEpoch === message.ui.tcEpoch && other.ui.counter === message.ui.counter,
  );
  if (same >= 0) {
    if (message.newViews.length <= peer.viewChanges[same]!.newViews.length) return;
    peer.viewChanges[same] = message;
  } else {
    peer.viewChanges.push(message);
    const rank = (one: ViewChange): number =>
      s.knowledge.book.incarnationOf(one.ui.replica, one.ui.tcEpoch) ?? -1;
    peer.viewChanges.sort((a, b) => rank(b) - rank(a) || b.ui.counter - a.ui.counter);
    peer.viewChanges.length = Math.min(2, peer.viewChanges.length);
  }
  s.viewChangesChanged = true;
}

/** What a valid VIEW-CHANGE shows of its author's stream: the anchor, if it was skipped so far, and the log. */
function feedLog(s: ReplicaState, slot: StreamSlot, message: ViewChange): void {
  const last = message.log.at(-1);
  const first = message.log[0];
  const from = first === undefined ? message.ui.counter : streamUi(first).counter;
  // Nothing new: the buffer has it all, or it was fed before.
  if (
    last !== undefined &&
    slot.buffer.get(streamUi(last).counter) !== undefined &&
    from <= slot.state.counter + 1
  )
    return;
  const verdict = s.knowledge.lookup.viewChange!(message);
  if (verdict.kind !== 'valid') return;
  if (message.anchor !== undefined) syncStream(s, message.anchor, message.vouchers);
  for (const entry of message.log) {
    if (streamUi(entry).counter <= slot.state.counter) continue;
    if (entry.kind !== 'PREPARE') for (const prepare of proposalsIn(entry)) offerItem(s, prepare);
    if (entry.kind === 'CHECKPOINT') noteCheckpoint(s, entry);
    offerItem(s, entry as StreamItem);
  }
}

/** NEW-VIEW with its VIEW-CHANGEs. */
export function intakeNewView(s: ReplicaState, message: FullNewView): void {
  if (!proofFits(s.streamContext, message)) return;
  for (const viewChange of message.viewChanges) intakeViewChange(s, viewChange);
  intakeProof(s, message);
  offerItem(s, message);
}

/** NEW-VIEW certificate. */
export function intakeNewViewCertificate(s: ReplicaState, message: NewViewCertificate): void {
  intakeProof(s, message);
  offerItem(s, message.header);
  for (const commit of message.commits) offerItem(s, commit);
}

/** COMMIT-NV; the NEW-VIEW's header in it goes to the primary's stream. */
export function intakeCommitNewView(s: ReplicaState, message: CommitNewView): void {
  if (message.header !== undefined) offerItem(s, message.header);
  offerItem(s, message);
}

function intakeProof(s: ReplicaState, proof: FullNewView | NewViewCertificate): void {
  const { book, newViews } = s.knowledge;
  // Stored: an own message that is being sealed may refer to it, and must find it when it loops back.
  const inUse = (digest: string): boolean =>
    s.storedNewViews.has(digest) ||
    s.groups.all().some((group) => group.reference.digest === digest) ||
    s.own.log.entries().some((entry) => referredNewView(entry) === digest);
  const { replica, tcEpoch } = proof.header.ui;
  if (book.incarnationOf(replica, tcEpoch) === undefined) return;
  // Nobody else's NEW-VIEW can be valid; kept, it would look like the one that is lacking.
  if (replica !== s.primaryOf(proof.header.view)) return;
  // What is attached to a header is not sealed: a proof without it must not take the place of the whole one.
  if (!proofFits(s.streamContext, proof)) return;
  if (newViews.put(proof, inUse)) {
    s.knowledge.version += 1;
    s.viewChangesChanged = true;
  }
  if (proof.kind === 'NEW-VIEW') for (const one of proof.viewChanges) noteCertificate(s, one.stable);
}

/** Digest of the NEW-VIEW that a log entry refers to. */
export function referredNewView(item: { readonly kind: string }): string | undefined {
  const entry = item as StreamItem;
  if (entry.kind === 'NEW-VIEW') return entry.header.digest;
  if (entry.kind === 'NEW-VIEW-HEADER') return entry.digest;
  if (entry.kind === 'COMMIT-NEW-VIEW') return entry.header?.digest;
  return undefined;
}

/** STREAM-SYNC. */
export function intakeStreamSync(s: ReplicaState, message: StreamSync): void {
  noteCheckpoint(s, message.anchor);
  for (const voucher of message.vouchers) noteCheckpoint(s, voucher);
  syncStream(s, message.anchor, message.vouchers);
}

/**
 * Skips a stream to a vouched anchor (CKPT.3). A sync never changes the incarnation and never revives a dead stream.
 * Votes in the part that is skipped are lost here; the anchor's own NEW-VIEW counts as committed to.
 */
function syncStream(s: ReplicaState, anchor: Checkpoint, vouchers: readonly Checkpoint[]): void {
  const author = anchor.ui.replica;
  const slot = s.slots[author];
  const incarnation = s.knowledge.book.incarnationOf(author, anchor.ui.tcEpoch);
  if (slot === undefined || slot.state.dead || incarnation !== slot.state.incarnation) return;
  if (author === s.self && anchor.ui.tcEpoch === s.tcEpoch) return;
  if (anchor.ui.counter <= slot.state.counter) return;
  const vouched = voucherCount(s.streamContext, anchor, vouchers, incarnation) >= s.f;
  if (!s.rule('MinBFT.CKPT.3', vouched)) return;
  slot.state = anchorStream(anchor, incarnation);
  slot.log = new StreamLog(anchor.ui.counter - 1);
  slot.log.push(anchor, s.now);
  slot.vouchers = vouchers;
  slot.need = undefined;
  slot.buffer.dropThrough(anchor.ui.counter);
  const group = s.groups.of(slot.state.newView);
  s.groups.addEntrant(group, { replica: author, incarnation });
}

/** Processes what has its turn, in all streams. True if anything moved. */
export function drainStreams(s: ReplicaState): boolean {
  let moved = false;
  for (let replica = 0; replica < s.n; replica += 1) if (drainStream(s, replica)) moved = true;
  return moved;
}

/** A refusal of a VIEW-CHANGE or NEW-VIEW quotes the rules behind it: they were seen to refuse, too. */
function traceCauses(s: ReplicaState, item: StreamItem, reason: string): void {
  const { trace } = s.context;
  if (trace === undefined) return;
  for (const [rule] of reason.matchAll(/MinBFT\.[A-Z.-]*\d+/g))
    trace({ rule, passed: false, about: item.kind, state: s.mode });
}

function drainStream(s: ReplicaState, replica: ReplicaId): boolean {
  const slot = s.slots[replica]!;
  let moved = false;
  while (!slot.state.dead) {
    const item = slot.buffer.get(slot.state.counter + 1);
    if (item === undefined || isTooFar(s, item)) break;
    if (slot.need !== undefined && slot.need.version === s.knowledge.version) break;
    const result = stepStream(s.streamContext, slot.state, replica, item, s.knowledge.lookup);
    if (result.kind === 'need') {
      slot.need = { what: result.what, version: s.knowledge.version };
      slot.lackingSince ??= s.now;
      break;
    }
    slot.need = undefined;
    moved = true;
    if (result.kind === 'ignored') {
      slot.buffer.delete(counterOf(item));
      continue;
    }
    s.context.trace?.({
      rule: result.rule,
      passed: result.kind === 'accepted',
      about: item.kind,
      state: s.mode,
    });
    if (result.kind === 'invalid') {
      traceCauses(s, item, result.reason);
      slot.state = killStream(slot.state);
      s.note('streamDead', { replica, counter: counterOf(item), rule: result.rule, reason: result.reason });
      accuseOfStreamFault(s, slot, item);
      slot.buffer.clear();
      slot.lackingSince = undefined;
      break;
    }
    slot.state = result.state;
    slot.buffer.delete(counterOf(item));
    acceptItem(s, replica, slot, item);
  }
  if (moved) settleLack(s, slot);
  return moved;
}

function settleLack(s: ReplicaState, slot: StreamSlot): void {
  slot.asks = 0;
  slot.lackingSince = slot.buffer.size > 0 ? s.now : undefined;
}

/** Votes far beyond execution are not processed yet, so that no vote is ever processed and then forgotten (W5). */
function isTooFar(s: ReplicaState, item: StreamItem): boolean {
  const limit = s.executed + 4 * s.window;
  if (item.kind === 'PREPARE') return item.sequence > limit;
  return proposalsIn(item).some(({ sequence }) => sequence > limit);
}

/** A message took its place: count what it says. Used for own messages when they loop back, too. */
export function acceptItem(s: ReplicaState, author: ReplicaId, slot: StreamSlot, item: StreamItem): void {
  slot.log.push(item, s.now);
  const { incarnation } = slot.state;
  const voter = { replica: author, incarnation };
  switch (item.kind) {
    case 'PREPARE':
      for (const n of slotsOf(slot.state.newView, item))
        s.groups.of(slot.state.newView).proposals.add(item, n);
      addVote(s, slot, item, voter);
      break;
    case 'COMMIT':
    case 'SPEC':
      addVote(s, slot, item.prepare, voter);
      break;
    case 'COMMIT-VECTOR':
      for (const prepare of item.prepares) addVote(s, slot, prepare, voter);
      break;
    case 'CHECKPOINT':
      s.checkpointsChanged = true;
      trimRelay(s, author, slot);
      break;
    case 'NEW-VIEW':
    case 'NEW-VIEW-HEADER':
    case 'COMMIT-NEW-VIEW': {
      const group = s.groups.of(slot.state.newView);
      s.groups.addEntrant(group, voter);
      if (item.kind === 'COMMIT-NEW-VIEW') group.commits.set(author, item);
      break;
    }
    case 'VIEW-CHANGE':
    case 'VIEW-CHANGE-STUB':
      s.viewChangesChanged = true;
      break;
  }
  s.part.onAccepted?.(author, item);
}

function addVote(
  s: ReplicaState,
  slot: StreamSlot,
  prepare: Prepare,
  voter: { readonly replica: ReplicaId; readonly incarnation: number },
): void {
  noteVote(s, voter.replica, prepare);
  const group = s.groups.of(slot.state.newView);
  for (const n of slotsOf(slot.state.newView, prepare))
    if (n > s.executed) group.votes.add(n, `${prepare.ui.counter}/${prepare.digest}`, prepare, voter);
}

/** Messages of others are kept to relay them, down to the newest anchor that R1 to R3 allow. */
function trimRelay(s: ReplicaState, author: ReplicaId, slot: StreamSlot): void {
  if (author === s.self && slot.state.incarnation === currentEntry(s.registry, s.self).incarnation) return;
  for (const anchor of slot.log.checkpoints()) {
    const vouchers = s.keeper.vouchersFor(anchor, slot.state.incarnation, s.f);
    if (vouchers === undefined) continue;
    // R1 and R3 as for an own log: a pipelined author may have committed to orders above the stable checkpoint before
    // this anchor, and who skips to it could never count or repeat those commitments.
    if (!mayAnchor(s.streamContext, anchor, vouchers, slot.state.incarnation, s.stableSequence)) continue;
    slot.vouchers = vouchers;
    slot.log.trimBelow(anchor.ui.counter);
    return;
  }
}

/** Starts the streams of incarnations that the registry names anew. */
export function renewStreams(s: ReplicaState): void {
  for (const [replica, slot] of s.slots.entries()) {
    const entry = currentEntry(s.registry, replica);
    if (entry.incarnation <= slot.state.incarnation) continue;
    s.slots[replica] = s.freshSlot(incarnationStream(s.streamContext, entry));
    s.peers[replica]!.viewChanges = [];
    if (replica === s.self) {
      s.target = -1;
      if (entry.tcEpoch !== s.tcEpoch && s.ownRecover === undefined && s.unreplayed === undefined)
        haltReplica(
          s,
          `the cluster has re-admitted this replica with a newer trusted component (incarnation ${entry.incarnation}); ` +
            'this one was retired. An old copy of the folder was put back, or the replica runs twice: start the newest one.',
        );
    }
    s.note('incarnation', { replica, incarnation: entry.incarnation, since: entry.since });
  }
}

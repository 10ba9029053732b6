/**
 * Start, restart and re-admission (W6). A keeper rebuilds
 * its own stream from its log; who lost counter or log learns until its RECOVER is ordered and covered.
 */
import { Reader } from '../../core/codec.ts';
import type { Recovery, UniqueIdentifier } from '../../core/protocol.ts';
import type { Batch, RecoverRequest } from '../../core/request.ts';
import { decodeBatch, readRecover, recoverDigest } from '../../core/request.ts';
import type { Digest } from '../../core/types.ts';
import { stableSequence } from '../checkpoint-keeper.ts';
import { currentEntry, entryOf, registryOfState, trustedKeyOf } from '../registry.ts';
import { makeFullNewView } from '../usig-stream/nested.ts';
import type { Attachments, Sealed } from '../usig-stream/codec.ts';
import { completeDraft, decodeDraft } from '../usig-stream/codec.ts';
import { recoverMessage } from '../usig-stream/builders.ts';
import type { Recover } from '../usig-stream/messages.ts';
import { anchorStream, incarnationStream, killStream, stepStream } from '../usig-stream/stream.ts';
import { mayBecomeEffective, setRegistry } from './checkpoints.ts';
import type { StableRecord } from './durable.ts';
import {
  decodeFlags,
  decodeLast,
  decodeLink,
  decodeProof,
  decodeCertificate,
  decodeStable,
  decodeViewChanges,
  decodeWhy,
  digestOfKey,
  STORE_KEY,
} from './durable.ts';
import { onLinkUp, onStatusTick } from './gossip.ts';
import type { ReplicaState, StreamItem } from './state.ts';
import { StreamLog } from './stream-log.ts';
import { acceptItem, haltReplica, noteCheckpoint, noteRequestViewChange } from './streams.ts';
import { attachedNewViews } from './view-change.ts';

/** First input: restores what is durable and starts to talk. */
export function onStart(s: ReplicaState, recovery: Recovery): void {
  s.started = true;
  s.startedAtMs = s.now;
  s.tcEpoch = recovery.tcEpoch;
  restoreLinks(s, recovery);
  restoreState(s, recovery);
  restoreNewViews(s, recovery);
  restoreBodies(s, recovery);
  const record = restoreStable(s, recovery);
  restoreFetched(s, recovery);
  if (currentEntry(s.registry, s.self).tcEpoch === recovery.tcEpoch) {
    restoreOwnStream(s, recovery, record);
  } else {
    if (entryOf(s.registry, s.self, recovery.tcEpoch) !== undefined)
      haltReplica(
        s,
        'this trusted component was retired: the cluster has re-admitted this replica with a newer one',
      );
    // The state that was found is older than the registration of the component: the log waits until it names it.
    if (recovery.ownLog.length > 0) s.unreplayed = { recovery, record };
    restoreRecover(s, recovery);
  }
  for (const [replica, entries] of s.registry.members.entries())
    for (const entry of entries) s.emit({ kind: 'trustKey', key: trustedKeyOf(replica, entry) });
  s.checkpointsChanged = true;
  onStatusTick(s);
  for (const replica of s.peers.keys()) onLinkUp(s, replica);
}

/** The chain of incarnations, oldest link first. */
function restoreLinks(s: ReplicaState, recovery: Recovery): void {
  const links = [...recovery.stored]
    .filter(([key]) => key.startsWith(STORE_KEY.link))
    .map(([, value]) => decodeLink(s.streamContext, value))
    .filter((link) => link !== undefined)
    .sort((a, b) => stableSequence(a.certificate) - stableSequence(b.certificate));
  for (const link of links) s.trust(s.knowledge.book.addLink(link) ?? []);
}

function restoreState(s: ReplicaState, recovery: Recovery): void {
  const registry =
    recovery.protocolState.length === 0 ? undefined : registryOfState(recovery.protocolState, s.n);
  if (registry !== undefined) setRegistry(s, registry);
  s.executed = recovery.executed;
  s.part.onState?.(recovery.protocolState);
  s.part.onRestore?.(recovery.stored);
  for (const [replica, entries] of s.registry.members.entries()) {
    const state = incarnationStream(s.streamContext, entries.at(-1)!);
    s.slots[replica] = s.freshSlot(state);
  }
  if (recovery.checkpoint.sequence === 0) return;
  const last = [STORE_KEY.last, STORE_KEY.next]
    .map((key) => recovery.stored.get(key))
    .map((stored) => (stored === undefined ? undefined : decodeLast(stored)))
    .find((found) => found?.checkpoint.sequence === recovery.checkpoint.sequence);
  if (last === undefined) return;
  s.boundary = { ...last, checkpoint: recovery.checkpoint };
  s.boundaries.set(recovery.checkpoint.sequence, s.boundary);
}

function restoreNewViews(s: ReplicaState, recovery: Recovery): void {
  for (const [key, value] of recovery.stored) {
    const digest = digestOfKey(key, STORE_KEY.newView);
    const proof = digest === undefined ? undefined : decodeProof(s.streamContext, value);
    if (digest === undefined || proof === undefined) continue;
    s.knowledge.newViews.put(proof, () => true);
    s.storedNewViews.add(digest);
  }
}

/** Stored bodies were judged before they were stored; what did not hold then is on record. */
function restoreBodies(s: ReplicaState, recovery: Recovery): void {
  const { hash, domain } = s.context;
  for (const [key, value] of recovery.stored) {
    const digest = digestOfKey(key, STORE_KEY.body);
    if (digest === undefined) continue;
    const unchecked = decodeBatch(hash, domain, value, s.limits.batchRequestsMax);
    if (unchecked === undefined || unchecked.digest !== digest) continue;
    const flagBytes = recovery.stored.get(STORE_KEY.bodyFlags + digest);
    const flags = flagBytes === undefined ? undefined : decodeFlags(flagBytes);
    if (flags !== undefined) s.flaggedBodies.add(digest);
    const batch: Batch = {
      ...unchecked,
      bundleAuthentic: flags?.bundles ?? unchecked.bundles.map(() => true),
      recoverAuthentic: flags?.recovers ?? unchecked.recovers.map(() => true),
    };
    s.bodies.keep(batch);
    // Which order it belongs to is not known any more: it stays until two checkpoints beyond the window are stable.
    s.bodies.markDurable(digest, recovery.executed + s.window);
  }
}

/** A state was installed, and the power went before its checkpoint was on record as stable: now it will be. */
function restoreFetched(s: ReplicaState, recovery: Recovery): void {
  const stored = recovery.stored.get(STORE_KEY.fetched);
  const certificate = stored === undefined ? undefined : decodeCertificate(s.streamContext, stored);
  const first = certificate?.checkpoints[0];
  if (certificate === undefined || first?.sequence !== recovery.checkpoint.sequence) return;
  if (first.stateDigest !== recovery.checkpoint.stateDigest || first.sequence <= s.stableSequence) return;
  for (const checkpoint of certificate.checkpoints) noteCheckpoint(s, checkpoint);
  s.boundary = { checkpoint: recovery.checkpoint, last: first.last, registryDigest: first.registryDigest };
  s.boundaries.set(first.sequence, s.boundary);
  s.executionFloor = Math.max(s.executionFloor, first.last.view);
}

function restoreStable(s: ReplicaState, recovery: Recovery): StableRecord | undefined {
  const stored = recovery.stored.get(STORE_KEY.stable);
  const record = stored === undefined ? undefined : decodeStable(s.streamContext, stored);
  if (record === undefined) return undefined;
  s.knownStable = record.certificate;
  for (const checkpoint of record.certificate.checkpoints) noteCheckpoint(s, checkpoint);
  for (const voucher of record.vouchers) noteCheckpoint(s, voucher);
  // The own log was cut by this certificate, so VIEW-CHANGEs must show it even if the state was found at an older order.
  s.stable = record.certificate;
  s.stableBefore = s.stableSequence;
  s.executionFloor = Math.max(s.executionFloor, record.certificate.checkpoints[0]!.last.view);
  const first = record.certificate.checkpoints[0]!;
  if (s.boundary === undefined && first.sequence === recovery.checkpoint.sequence) {
    s.boundary = {
      checkpoint: recovery.checkpoint,
      last: first.last,
      registryDigest: first.registryDigest,
    };
  }
  return record;
}

/** Replays the own log: stream, mode and view are as before, and the own votes count again. */
function restoreOwnStream(s: ReplicaState, recovery: Recovery, record: StableRecord | undefined): void {
  const entry = currentEntry(s.registry, s.self);
  const anchorCounter = record?.anchor ?? 0;
  const slot = s.own;
  slot.state = incarnationStream(s.streamContext, entry);
  slot.log = new StreamLog(0);
  s.target = slot.state.view;
  const why = recovery.stored.get(STORE_KEY.why);
  s.justification = why === undefined ? [] : decodeWhy(s.streamContext, why);
  for (const request of s.justification) noteRequestViewChange(s, request);
  for (const { draft, ui } of recovery.ownLog) {
    if (ui.counter < anchorCounter) continue;
    const item = restoreItem(s, recovery, draft, ui);
    if (item === undefined) break;
    if (ui.counter === anchorCounter && item.kind === 'CHECKPOINT') {
      slot.state = anchorStream(item, entry.incarnation);
      slot.log = new StreamLog(ui.counter - 1);
      slot.vouchers = record?.vouchers ?? [];
      slot.log.push(item, s.now);
      noteCheckpoint(s, item);
      s.groups.addEntrant(s.groups.of(slot.state.newView), {
        replica: s.self,
        incarnation: entry.incarnation,
      });
      continue;
    }
    const result = stepStream(s.streamContext, slot.state, s.self, item, s.knowledge.replayLookup);
    if (result.kind !== 'accepted') {
      s.note('ownLogDamaged', { counter: ui.counter, kind: item.kind });
      slot.state = killStream(slot.state);
      break;
    }
    slot.state = result.state;
    if (item.kind === 'CHECKPOINT') noteCheckpoint(s, item);
    if (item.kind === 'VIEW-CHANGE') s.peers[s.self]!.viewChanges = [item];
    acceptItem(s, s.self, slot, item);
  }
  s.target = slot.state.view;
}

/** A message of the own log, as it was sent. */
function restoreItem(
  s: ReplicaState,
  recovery: Recovery,
  draft: Uint8Array,
  ui: UniqueIdentifier,
): StreamItem | undefined {
  const decoded = decodeDraft(s.streamContext, draft);
  if (decoded === undefined) return undefined;
  const attachments: Attachments | undefined =
    decoded.kind === 'VIEW-CHANGE'
      ? { newViews: attachedNewViews(s, decoded.log), justification: s.justification }
      : undefined;
  const sealed: Sealed = completeDraft(s.streamContext, decoded, ui, attachments);
  if (sealed.kind !== 'NEW-VIEW-HEADER') return sealed;
  const stored = recovery.stored.get(STORE_KEY.ownNewView + sealed.digest);
  const viewChanges = stored === undefined ? undefined : decodeViewChanges(s.streamContext, stored);
  if (viewChanges === undefined) return sealed;
  const full = makeFullNewView(sealed, viewChanges);
  s.knowledge.newViews.put(full, () => true);
  s.storedNewViews.add(sealed.digest);
  return full;
}

function restoreRecover(s: ReplicaState, recovery: Recovery): void {
  if (recovery.recover === undefined) return;
  const reader = new Reader(recovery.recover);
  const request = readRecover(reader);
  if (!reader.done()) return;
  s.ownRecover = request;
  refreshRecover(s);
}

/** Rule 10: the request names the incarnation that the newest state shows. Done once the registry names the component. */
export function refreshRecover(s: ReplicaState): void {
  const current = currentEntry(s.registry, s.self);
  if (current.tcEpoch === s.tcEpoch) {
    s.ownRecover = undefined;
    const { unreplayed } = s;
    s.unreplayed = undefined;
    if (unreplayed !== undefined) restoreOwnStream(s, unreplayed.recovery, unreplayed.record);
    return;
  }
  const request = s.ownRecover;
  if (request === undefined) return;
  if (request.expectedIncarnation !== current.incarnation) {
    const content = { ...request, expectedIncarnation: current.incarnation };
    const digest: Digest = recoverDigest(s.context.hash, s.context.domain, content);
    s.ownRecover = { ...content, signature: s.context.signAsHost(digest) };
  }
  if (s.recovers[s.self]?.tcEpoch === s.tcEpoch && s.recovers[s.self] === s.ownRecover) return;
  s.recovers[s.self] = s.ownRecover;
  s.broadcast(recoverMessage(s.streamContext, s.ownRecover!));
}

/** RECOVER of a peer: kept if it could become effective; the latest of each replica. */
export function onRecover(s: ReplicaState, message: Recover): void {
  const request: RecoverRequest = message.request;
  const entries = s.registry.members[request.replica];
  if (entries === undefined || request.replica === s.self) return;
  if (!mayBecomeEffective(s, request)) return;
  const held = s.recovers[request.replica];
  if (held !== undefined && held.tcEpoch === request.tcEpoch) return;
  s.recovers[request.replica] = request;
}

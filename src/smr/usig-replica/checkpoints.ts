/**
 * Stable checkpoints, trimming by the anchor rule, state transfer, and the chain of incarnations
 * (W4).
 */
import type { CheckpointState, StoreEntry } from '../../core/protocol.ts';
import type { RecoverRequest } from '../../core/request.ts';
import type { Digest, ReplicaId, SequenceNumber } from '../../core/types.ts';
import { stableSequence } from '../checkpoint-keeper.ts';
import { currentEntry, encodeRegistry, isEffectiveRecover, registryOfState } from '../registry.ts';
import { mayAnchor } from '../usig-stream/anchors.ts';
import { registryDigest } from '../usig-stream/context.ts';
import type {
  Checkpoint,
  CheckpointCertificate,
  CheckpointProof,
  RegistryLink,
} from '../usig-stream/messages.ts';
import { LINKS_MAX } from '../usig-stream/plain.ts';
import { validCheckpointCertificate } from '../usig-stream/view-change.ts';
import { accuseAgainstCertificate } from './accusations.ts';
import { encodeCertificate, encodeLast, encodeLink, encodeStable, STORE_KEY } from './durable.ts';
import { registryAfter } from './knowledge.ts';
import type { Boundary, ReplicaState } from './state.ts';
import { noteCheckpoint, referredNewView, renewStreams } from './streams.ts';

/** Links of the chain of incarnations in one message, at most. */
const LINKS_PER_MESSAGE = 1;

/** An order at a checkpoint boundary was executed. */
export function onBoundary(s: ReplicaState, boundary: Boundary): void {
  s.boundary = boundary;
  s.boundaries.set(boundary.checkpoint.sequence, boundary);
  s.checkpointsChanged = true;
  const { sequence } = boundary.checkpoint;
  s.store([{ key: STORE_KEY.last, value: encodeLast(sequence, boundary) }]);
}

/** Draws the conclusions from CHECKPOINTs that arrived. True if something became stable here. */
export function updateStable(s: ReplicaState): boolean {
  if (!s.checkpointsChanged) return false;
  s.checkpointsChanged = false;
  const mayCertify = (checkpoint: Checkpoint): boolean =>
    s.rule('MinBFT.CKPT.4', s.knowledge.book.mayCertify(checkpoint));
  const certificate = s.keeper.certificateAbove(stableSequence(s.knownStable), mayCertify);
  if (certificate !== undefined) {
    s.knownStable = certificate;
    accuseAgainstCertificate(s, certificate);
  }
  const reached = s.keeper.certificateAbove(
    s.stableSequence,
    (checkpoint) => checkpoint.sequence <= s.executed && mayCertify(checkpoint),
  );
  const advanced = reached !== undefined && makeStable(s, reached);
  if (!advanced && s.stable !== undefined && trimOwnLog(s)) storeStable(s, []);
  return advanced;
}

/** The certified state is this replica's own (W4: it is executed here, the host keeps it or what leads to it). */
function makeStable(s: ReplicaState, certificate: CheckpointCertificate): boolean {
  const first = certificate.checkpoints[0]!;
  const { sequence } = first;
  const own = s.boundaries.get(sequence);
  const agrees = own === undefined || own.checkpoint.stateDigest === first.stateDigest;
  if (!s.rule('MinBFT.CKPT.1', agrees, `checkpoint ${sequence}`)) {
    s.note('stateDiverged', {
      sequence,
      own: own?.checkpoint.stateDigest ?? '',
      certified: first.stateDigest,
    });
    startTransfer(s, certificate);
    return false;
  }
  s.stableBefore = s.stableSequence;
  s.stable = certificate;
  s.emit({ kind: 'stable', checkpoint: { sequence, stateDigest: first.stateDigest } });
  const entries = addOwnLink(s, certificate);
  trimOwnLog(s);
  storeStable(s, entries);
  for (const held of [...s.boundaries.keys()]) if (held <= sequence) s.boundaries.delete(held);
  s.groups.dropThrough(s.executed, Math.min(s.own.state.checkpointSequence, sequence));
  s.groups.prune(s.own.state.newView.view);
  dropBodies(s);
  s.part.onStable?.(sequence);
  return true;
}

/** Remembers the certificate as a link if it is the first to cover a RECOVER. */
function addOwnLink(s: ReplicaState, certificate: CheckpointCertificate): StoreEntry[] {
  const { book } = s.knowledge;
  const covered = registryAfter(s.registry, stableSequence(certificate));
  const before = book.linked;
  const more = covered.members.some((entries, replica) => entries.length > before.members[replica]!.length);
  if (!more) return [];
  const link: RegistryLink = { certificate, registry: encodeRegistry(covered) };
  const keys = book.addLink(link);
  if (keys === undefined) return [];
  s.trust(keys);
  return [{ key: STORE_KEY.link + String(stableSequence(certificate)), value: encodeLink(link) }];
}

/** Cuts the own log at the newest CHECKPOINT that R1 to R3 allow. True if it was cut. */
function trimOwnLog(s: ReplicaState): boolean {
  const slot = s.own;
  if (!s.maySeal) return false;
  const current = slot.log.anchor;
  for (const anchor of slot.log.checkpoints()) {
    if (anchor === current) return false;
    const vouchers = s.keeper.vouchersFor(anchor, slot.state.incarnation, s.f) ?? [];
    const allowed = mayAnchor(s.streamContext, anchor, vouchers, slot.state.incarnation, s.stableSequence);
    if (!s.rule('MinBFT.CKPT.2', allowed)) continue;
    slot.vouchers = vouchers;
    slot.log.trimBelow(anchor.ui.counter);
    return true;
  }
  return false;
}

/** W4: one atomic record with certificate, anchor and vouchers; only then the log before the anchor goes. */
function storeStable(s: ReplicaState, more: readonly StoreEntry[]): void {
  const { log, vouchers } = s.own;
  // Before re-admission the own slot holds the stream of the former component, whose counters mean nothing here.
  const anchor = (s.maySeal ? log.anchor?.ui.counter : undefined) ?? 0;
  const value = encodeStable({ certificate: s.stable!, anchor, vouchers: anchor === 0 ? [] : vouchers });
  s.store([{ key: STORE_KEY.stable, value }, ...more]);
  if (anchor > 0) s.emit({ kind: 'trimLog', below: anchor });
  dropNewViews(s);
}

/** Bodies at or below the older of the two latest stable checkpoints are not needed by anybody who asks here. */
function dropBodies(s: ReplicaState): void {
  const needed = new Set<Digest>();
  for (const { proposals, votes, reference } of s.groups.all()) {
    for (const entry of proposals.values()) needed.add(entry.batchDigest);
    for (const entry of votes.proposals()) needed.add(entry.batchDigest);
    if (reference.end > s.executed)
      for (const entry of s.knowledge.contentOf(reference)?.base ?? []) needed.add(entry.batchDigest);
  }
  s.bodies.sweep((digest) => needed.has(digest));
  // A base that waits for bodies may wait for one of those that were just forgotten.
  s.viewChangesChanged = true;
  const dropped = s.bodies.dropDurableThrough(s.stableBefore);
  s.store(
    dropped.flatMap((digest) => [
      { key: STORE_KEY.body + digest, value: undefined },
      ...(s.flaggedBodies.delete(digest) ? [{ key: STORE_KEY.bodyFlags + digest, value: undefined }] : []),
    ]),
  );
}

/** Contents of NEW-VIEWs that the own log does not refer to any more leave the store. */
function dropNewViews(s: ReplicaState): void {
  // The latest VIEW-CHANGE may start at an older anchor, and must be sent with its attachments also after a restart.
  if (s.own.state.mode !== 'active' || s.sealing?.draft.kind === 'VIEW-CHANGE') return;
  const needed = new Set<string>([s.own.state.newView.digest]);
  for (const { item } of s.own.log.from(0)) {
    const digest = referredNewView(item);
    if (digest !== undefined) needed.add(digest);
  }
  // What the outstanding seal refers to is not in the log yet.
  const { draft, encoded } = s.sealing ?? {};
  if (draft?.kind === 'COMMIT-NEW-VIEW' && draft.header !== undefined) needed.add(draft.header.digest);
  if (draft?.kind === 'NEW-VIEW-HEADER') needed.add(encoded!.digest);
  const entries: StoreEntry[] = [];
  for (const digest of [...s.storedNewViews]) {
    if (needed.has(digest)) continue;
    s.storedNewViews.delete(digest);
    entries.push({ key: STORE_KEY.newView + digest, value: undefined });
    entries.push({ key: STORE_KEY.ownNewView + digest, value: undefined });
  }
  s.store(entries);
}

/** Decides whether to fetch a state instead of executing up to it. */
export function considerTransfer(s: ReplicaState): void {
  const known = stableSequence(s.knownStable);
  if (known <= s.executed) {
    s.lagSince = undefined;
    return;
  }
  if (s.transferring !== undefined || s.executing !== undefined) return;
  s.lagSince ??= s.now;
  const hurry = known - s.executed >= s.window || !s.maySeal;
  const due = s.lagSince + (hurry ? s.timers.gapMs : 2 * s.timers.statusMs);
  if (due <= s.now) startTransfer(s, s.knownStable!);
  else s.wakeAt('lag', due);
}

function startTransfer(s: ReplicaState, certificate: CheckpointCertificate): void {
  const first = certificate.checkpoints[0]!;
  const signers = certificate.checkpoints.map((checkpoint) => checkpoint.ui.replica);
  const others = s.peers.map((_, replica) => replica).filter((replica) => !signers.includes(replica));
  const sources = [...signers, ...others].filter((replica) => replica !== s.self);
  s.part.onTransfer?.();
  s.transferring = certificate;
  s.transferringSince = s.now;
  s.lagSince = undefined;
  const checkpoint: CheckpointState = { sequence: first.sequence, stateDigest: first.stateDigest };
  s.note('transfer', { sequence: first.sequence, executed: s.executed });
  s.store([{ key: STORE_KEY.fetched, value: encodeCertificate(certificate) }]);
  s.emit({ kind: 'transfer', checkpoint, sources });
}

/** State transfer gave up; it is tried again with the newest certificate. */
export function onTransferFailed(s: ReplicaState): void {
  s.transferring = undefined;
  s.lagSince = s.now;
}

/** A state was installed ("Checkpoint" 4). */
export function onInstalled(s: ReplicaState, checkpoint: CheckpointState, protocolState: Uint8Array): void {
  const certificate = s.transferring;
  s.transferring = undefined;
  s.lagSince = undefined;
  const first = certificate?.checkpoints[0];
  if (first === undefined || first.sequence !== checkpoint.sequence) return;
  const registry = registryOfState(protocolState, s.n) ?? s.registry;
  s.executed = checkpoint.sequence;
  s.part.onState?.(protocolState);
  setRegistry(s, registry);
  s.executionFloor = Math.max(s.executionFloor, first.last.view);
  s.boundaries.clear();
  s.groups.dropThrough(s.executed, 0);
  s.bodies.clearWanted();
  s.viewChangesChanged = true;
  onBoundary(s, {
    checkpoint,
    last: first.last,
    registryDigest: s.registryDigest,
  });
  renewStreams(s);
  dropKnownRecovers(s);
  if (first.sequence > s.stableSequence) makeStable(s, certificate!);
}

/** Takes over a registry: its keys are known from now on. */
export function setRegistry(s: ReplicaState, registry: ReplicaState['registry']): void {
  if (registry === s.registry) return;
  s.registry = registry;
  s.registryBytes = encodeRegistry(registry);
  s.registryDigest = registryDigest(s.streamContext, registry);
  s.trust(s.knowledge.book.learn(registry));
}

/** RECOVERs that the registry has overtaken are forgotten. */
export function dropKnownRecovers(s: ReplicaState): void {
  for (const [replica, request] of s.recovers.entries()) {
    if (request === undefined || mayBecomeEffective(s, request)) continue;
    // The own one is renewed when the registry moves on (rule 10).
    const { incarnation } = currentEntry(s.registry, replica);
    if (replica !== s.self || request.expectedIncarnation !== incarnation) s.recovers[replica] = undefined;
  }
}

/**
 * Whether a RECOVER can take effect, now or when it does not come too early any more. Only such a one is waited for:
 * waiting for any other would have every primary suspected, one after the other.
 */
export function mayBecomeEffective(s: ReplicaState, request: RecoverRequest): boolean {
  return isEffectiveRecover(s.registry, request, true, Number.MAX_SAFE_INTEGER, s.limits.checkpointInterval);
}

/** CHECKPOINT-PROOF: links first, oldest first, then the certificate. */
export function intakeCheckpointProof(s: ReplicaState, from: ReplicaId, message: CheckpointProof): void {
  const links = message.links.slice(0, LINKS_MAX);
  const before = linkedThrough(s);
  for (const link of links) takeLink(s, link);
  // Peers begin at this replica's stable checkpoint, each time: what follows on the known links is asked for.
  const last = links.at(-1);
  if (last !== undefined && (linkedThrough(s) > before || stableSequence(last.certificate) <= before))
    s.send(from, { kind: 'FETCH-LINKS', above: linkedThrough(s) });
  if (stableSequence(message.certificate) <= stableSequence(s.knownStable)) return;
  const verdict = validCheckpointCertificate(s.streamContext, message.certificate, s.knowledge.validation);
  if (verdict.kind !== 'valid') return;
  for (const checkpoint of message.certificate.checkpoints) noteCheckpoint(s, checkpoint);
}

function takeLink(s: ReplicaState, link: RegistryLink): void {
  const verdict = validCheckpointCertificate(s.streamContext, link.certificate, s.knowledge.validation);
  if (verdict.kind !== 'valid') return;
  const keys = s.knowledge.book.addLink(link, (rule) =>
    s.context.trace?.({ rule, passed: false, about: 'registry link', state: s.mode }),
  );
  if (keys === undefined) return;
  s.trust(keys);
  s.checkpointsChanged = true;
  const key = STORE_KEY.link + String(stableSequence(link.certificate));
  s.store([{ key, value: encodeLink(link) }]);
}

/** Sequence number of the latest link of the chain of incarnations that is known here; 0 without links. */
export function linkedThrough(s: ReplicaState): SequenceNumber {
  return stableSequence(s.knowledge.book.links.at(-1)?.certificate);
}

/** Links above an order, as many as go into one message; the certificate is that of the last of them. */
export function linksAbove(s: ReplicaState, above: SequenceNumber): CheckpointProof | undefined {
  const links = s.knowledge.book.links.filter((link) => stableSequence(link.certificate) > above);
  const some = links.slice(0, LINKS_PER_MESSAGE);
  const last = some.at(-1);
  if (last === undefined) return undefined;
  return { kind: 'CHECKPOINT-PROOF', certificate: last.certificate, links: some };
}

/** Sends the stable certificate to a replica that lags. */
export function sendStable(s: ReplicaState, to: ReplicaId): void {
  if (s.stable === undefined) return;
  s.send(to, { kind: 'CHECKPOINT-PROOF', certificate: s.stable, links: [] });
}

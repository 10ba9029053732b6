/** Scenes for the tests of the rules of conduct: what was sent, who lies, what a guard said. */
import assert from 'node:assert/strict';
import { ZERO_DIGEST } from '../../core/types.ts';
import type { Batch, Bundle, RecoverRequest } from '../../core/request.ts';
import { recoverDigest } from '../../core/request.ts';
import type { ReplicaId, SequenceNumber, TcEpoch, View } from '../../core/types.ts';
import { buildBatch } from '../../smr/batcher.ts';
import {
  recoverMessage,
  requestViewChange,
  requestViewChangeDigest,
} from '../../smr/usig-stream/builders.ts';
import { completeDraft, decodeDraft, encodeDraft } from '../../smr/usig-stream/codec.ts';
import type { Sealed } from '../../smr/usig-stream/codec.ts';
import { createStreamContext } from '../../smr/usig-stream/context.ts';
import type { StreamContext } from '../../smr/usig-stream/context.ts';
import type { Draft, MinbftMessage, Prepare } from '../../smr/usig-stream/messages.ts';
import { Cluster, hostSignature, sha256 } from './fixture.test.ts';
import type { HarnessOptions, LinkHook, Member } from './fixture.test.ts';
import type { UsigReplicaRule } from '../../smr/usig-replica/rules.ts';

/** One message, as its sender gave it to a link. */
export interface Sent {
  readonly from: ReplicaId;
  readonly to: ReplicaId;
  readonly at: number;
  readonly message: MinbftMessage;
}

/** A cluster that runs, and the record of everything that its replicas sent (dropped messages included). */
export function scene(options: HarnessOptions = {}): { cluster: Cluster; sent: Sent[] } {
  const cluster = new Cluster({ delayMs: [1, 1], ...options });
  const sent: Sent[] = [];
  filter(cluster, sent, (_from, _to, message) => [message]);
  cluster.startAll();
  return { cluster, sent };
}

/** From now on links do this. */
export function filter(cluster: Cluster, sent: Sent[], hook: LinkHook): void {
  cluster.hook = (from, to, message) => {
    sent.push({ from, to, at: cluster.now, message });
    return hook(from, to, message);
  };
}

/** From now on links lose these messages. */
export function lose(
  cluster: Cluster,
  sent: Sent[],
  lost: (message: MinbftMessage, from: ReplicaId, to: ReplicaId) => boolean,
): void {
  filter(cluster, sent, (from, to, message) => (lost(message, from, to) ? [] : [message]));
}

/** Gives a bundle to replicas once, without repeating it as clients do. */
export function give(cluster: Cluster, bundle: Bundle, to: readonly ReplicaId[]): void {
  for (const id of to) cluster.input(id, { kind: 'bundle', bundle: bundle as never });
}

/** Gives the primary of view 0 bundles, one every 5 ms: one order each if batches hold one request. */
export function feed(cluster: Cluster, count: number, from = 1, to: ReplicaId = 0): void {
  for (let index = 0; index < count; index += 1)
    cluster.at(5 * index, () => give(cluster, cluster.bundle(from + index), [to]));
}

/** Orders requests and expects everybody who runs to have executed them. */
export function order(cluster: Cluster, count: number, from: number, ms = 10_000): void {
  const bundles = Array.from({ length: count }, (_, index) => cluster.bundle(from + index));
  for (const [index, bundle] of bundles.entries()) cluster.at(3 * index, () => cluster.submit(bundle));
  assert.ok(
    cluster.run(ms, () => cluster.settled(bundles)),
    cluster.describe(),
  );
}

/** Runs, and expects that something has become true. */
export function reach(cluster: Cluster, ms: number, done: () => boolean): void {
  assert.ok(cluster.run(ms, done), cluster.describe());
}

/** Sequence numbers of the PREPAREs of a replica, in the order in which it sent them first. */
export function proposed(sent: readonly Sent[], by: ReplicaId): SequenceNumber[] {
  const all = sent.flatMap(({ from, message }) =>
    from === by && message.kind === 'PREPARE' && message.ui.replica === by ? [message.sequence] : [],
  );
  return [...new Set(all)];
}

/** Sequence numbers of the COMMITs of a replica, in the order in which it sent them first. */
export function committed(sent: readonly Sent[], by: ReplicaId): SequenceNumber[] {
  const all = sent.flatMap(({ from, message }) =>
    from === by && message.kind === 'COMMIT' && message.ui.replica === by ? [message.prepare.sequence] : [],
  );
  return [...new Set(all)];
}

/** How often a replica sent a kind of message of its own making. */
export function count(sent: readonly Sent[], by: ReplicaId, kind: MinbftMessage['kind']): number {
  return sent.filter(({ from, message }) => from === by && message.kind === kind).length;
}

export function viewOf(cluster: Cluster, id: ReplicaId): View {
  return cluster.members[id]!.replica!.inspect(cluster.now).view;
}

export function stableOf(cluster: Cluster, id: ReplicaId): SequenceNumber {
  return cluster.members[id]!.replica!.inspect(cluster.now).stable;
}

export function executedOf(cluster: Cluster, id: ReplicaId): SequenceNumber {
  return cluster.members[id]!.history.length;
}

export function noted(cluster: Cluster, id: ReplicaId, name: string): number {
  return cluster.members[id]!.notes.filter((note) => note.name === name).length;
}

/** The guard was seen to pass and to refuse at this replica. */
export function bothWays(cluster: Cluster, id: ReplicaId, rule: UsigReplicaRule): void {
  const seen = cluster.members[id]!.traces.get(rule) ?? { passed: 0, failed: 0 };
  assert.ok(seen.passed > 0, `${rule} passed at ${id}`);
  assert.ok(seen.failed > 0, `${rule} refused at ${id}`);
}

// ---- Liars

export function contextOf(cluster: Cluster): StreamContext {
  return createStreamContext(cluster.settings, sha256, cluster.domain, 'minbft');
}

/** Takes the logic away: from now on the test speaks with the trusted component itself. */
export function corrupt(cluster: Cluster, id: ReplicaId): Member {
  const member = cluster.members[id]!;
  member.replica = undefined;
  member.generation += 1;
  member.byzantine = true;
  member.pendingSeal = undefined;
  member.tcCounter = member.ownLog.at(-1)?.ui.counter ?? member.tcCounter;
  return member;
}

/** Has a trusted component seal a draft. */
export function seal(cluster: Cluster, member: Member, draft: Draft): Sealed {
  const context = contextOf(cluster);
  return completeDraft(context, draft, cluster.certify(member, encodeDraft(context, draft).digest));
}

/** Drafts of the own log of a replica. */
export function draftsOf(cluster: Cluster, id: ReplicaId): Draft[] {
  const context = contextOf(cluster);
  return cluster.members[id]!.ownLog.map(({ draft }) => decodeDraft(context, draft)!);
}

export function batchOf(cluster: Cluster, content: Partial<Parameters<typeof buildBatch>[2]> = {}): Batch {
  const { domain, now } = cluster;
  return buildBatch(sha256, domain, {
    proposedInView: 0,
    time: Math.floor(now),
    recovers: [],
    bundles: [],
    ...content,
  });
}

/** A PREPARE of view 0 by a liar, with the body given to all others. */
export function lie(
  cluster: Cluster,
  liar: Member,
  sequence: SequenceNumber,
  batch: Batch,
  recovers: readonly RecoverRequest[] = [],
): Prepare {
  liar.stored.set(`body/${batch.digest}`, batch.bytes);
  const prepare = seal(cluster, liar, {
    kind: 'PREPARE',
    view: 0,
    configurationVersion: 0,
    newViewCounter: 0,
    sequence,
    batchDigest: batch.digest,
    recovers,
  }) as Prepare;
  for (let to = 0; to < cluster.n; to += 1) {
    if (to === liar.id) continue;
    cluster.sendBody(liar.id, to, batch.bytes);
    cluster.transmit(liar.id, to, prepare);
  }
  return prepare;
}

/** A signed RECOVER of a replica, with a component that nobody used before. */
export function recoverOf(replica: ReplicaId, cluster: Cluster, expectedIncarnation = 0): RecoverRequest {
  const mark = (0xf0 + replica).toString(16);
  const content = {
    replica,
    expectedIncarnation,
    tcEpoch: mark.repeat(8) as TcEpoch,
    tcId: mark.repeat(16),
    tcPublicKey: mark.repeat(32),
    measurement: ZERO_DIGEST,
    footprint: 'process',
    evidence: new Uint8Array(0),
  };
  const signature = hostSignature(replica, recoverDigest(sha256, cluster.domain, content));
  return { ...content, signature };
}

/** Sends a RECOVER to everybody in the name of its replica. */
export function askForRecovery(cluster: Cluster, request: RecoverRequest): void {
  const message = recoverMessage(contextOf(cluster), request);
  for (let to = 0; to < cluster.n; to += 1)
    if (to !== request.replica) cluster.transmit(request.replica, to, message);
}

/** A signed wish of a replica for a view, sent to another one. */
export function wish(cluster: Cluster, from: ReplicaId, to: ReplicaId, target: View): void {
  const context = contextOf(cluster);
  const signature = hostSignature(from, requestViewChangeDigest(context, from, target));
  cluster.transmit(from, to, requestViewChange(context, from, target, signature));
}

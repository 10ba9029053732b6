/** Scenes for the tests of this folder: what is lost on links, who lies, what was answered. */
import assert from 'node:assert/strict';
import type { Standing } from '../../core/protocol.ts';
import type { Bundle } from '../../core/request.ts';
import type { Digest, ReplicaId } from '../../core/types.ts';
import type { Member } from '../../smr/usig-replica/cluster.testing.ts';
import { sha256 } from '../../smr/usig-replica/cluster.testing.ts';
import { asLogEntry } from '../../smr/usig-replica/stream-log.ts';
import { viewChangeContent } from '../../smr/usig-stream/builders.ts';
import { completeDraft, decodeDraft, encodeDraft } from '../../smr/usig-stream/codec.ts';
import { createStreamContext } from '../../smr/usig-stream/context.ts';
import type { StreamContext } from '../../smr/usig-stream/context.ts';
import type { Draft, LogEntry, UsigMessage } from '../../smr/usig-stream/messages.ts';
import { Cluster } from './fixture.test.ts';
import type { MinzyzzyvaMessage } from './messages.ts';
import { MINZYZZYVA } from './replica.ts';

/** A cluster that has just started, with links that take 1 ms. */
export function scene(options: ConstructorParameters<typeof Cluster>[0] = {}): Cluster {
  const cluster = new Cluster({ delayMs: [1, 1], ...options });
  cluster.startAll();
  cluster.run(300);
  return cluster;
}

/** Timers that never expire in a test. */
export const PATIENT = { requestMs: 1_000_000, newViewMs: 1_000_000 };

/** From now on links lose these messages. */
export function lose(
  cluster: Cluster,
  lost: (message: MinzyzzyvaMessage, from: ReplicaId, to: ReplicaId) => boolean,
): void {
  cluster.hook = (from, to, message) => (lost(message, from, to) ? [] : [message]);
}

/** Gives a bundle to replicas once. */
export function give(cluster: Cluster, bundle: Bundle, to: readonly ReplicaId[]): void {
  for (const id of to) cluster.bring(id, bundle);
}

export function reach(cluster: Cluster, ms: number, done: () => boolean): void {
  assert.ok(cluster.run(ms, done), cluster.describe());
}

/** Standings of the answers of a replica for a bundle, in order. */
export function answersOf(cluster: Cluster, id: ReplicaId, bundle: Bundle): Standing[] {
  return (cluster.members[id]!.answers.get(bundle.digest) ?? []).map(({ standing }) => standing);
}

/** Orders that a replica has executed, and how many of them are final. */
export function progressOf(cluster: Cluster, id: ReplicaId): readonly [number, number] {
  const { history, confirmed } = cluster.members[id]!;
  return [history.length, confirmed];
}

export function traced(cluster: Cluster, id: ReplicaId, rule: string): { passed: number; failed: number } {
  return cluster.members[id]!.traces.get(rule) ?? { passed: 0, failed: 0 };
}

// ---- Liars

export function contextOf(cluster: Cluster): StreamContext {
  return createStreamContext(cluster.settings, sha256, cluster.domain, MINZYZZYVA.name, MINZYZZYVA.vote);
}

/** Takes the logic away: from now on the test speaks with the trusted component itself. */
export function corrupt(cluster: Cluster, id: ReplicaId): Member<MinzyzzyvaMessage> {
  const member = cluster.members[id]!;
  member.replica = undefined;
  member.generation += 1;
  member.byzantine = true;
  member.pendingSeal = undefined;
  member.tcCounter = member.ownLog.at(-1)?.ui.counter ?? member.tcCounter;
  return member;
}

/** Has the liar's trusted component seal a draft. */
export function seal<M extends UsigMessage>(
  cluster: Cluster,
  member: Member<MinzyzzyvaMessage>,
  draft: Draft,
): M {
  const context = contextOf(cluster);
  const ui = cluster.certify(member, encodeDraft(context, draft).digest);
  return completeDraft(context, draft, ui) as unknown as M;
}

/** VIEW-CHANGE of a liar whose log starts at counter 1. */
export function leaving(cluster: Cluster, member: Member<MinzyzzyvaMessage>, view: number): UsigMessage {
  const context = contextOf(cluster);
  const log: LogEntry[] = member.ownLog.map(({ draft, ui }) =>
    asLogEntry(completeDraft(context, decodeDraft(context, draft)!, ui)),
  );
  const parts = { view, stable: undefined, anchor: undefined, vouchers: [], log };
  return seal(cluster, member, viewChangeContent(context, parts));
}

/** The batch that a replica has at an order. */
export function batchAt(cluster: Cluster, id: ReplicaId, n: number): Digest | undefined {
  return cluster.members[id]!.history[n - 1];
}

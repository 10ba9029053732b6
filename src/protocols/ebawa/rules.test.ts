/** Conduct of EBAWA replicas in a small cluster: one test for each rule or a few. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bundle } from '../../core/request.ts';
import type { ReplicaId } from '../../core/types.ts';
import { buildBatch } from '../../smr/batcher.ts';
import { sha256 } from '../../smr/usig-replica/cluster.testing.ts';
import type { HarnessOptions, LinkHook, Member } from '../../smr/usig-replica/cluster.testing.ts';
import type { UsigReplica } from '../../smr/usig-replica/replica.ts';
import type { ReplicaState } from '../../smr/usig-replica/state.ts';
import { completeDraft, encodeDraft } from '../../smr/usig-stream/codec.ts';
import { createStreamContext } from '../../smr/usig-stream/context.ts';
import type { Prepare, UsigMessage } from '../../smr/usig-stream/messages.ts';
import { Cluster } from './fixture.test.ts';
import { EBAWA_SLOTS, ownersOf, skipBatch } from './slots.ts';

const PATIENT = { requestMs: 1_000_000, newViewMs: 1_000_000 };

function scene(options: HarnessOptions = {}): Cluster {
  const cluster = new Cluster({ delayMs: [1, 1], ...options });
  cluster.startAll();
  cluster.run(300);
  return cluster;
}

function lose(
  cluster: Cluster,
  lost: (message: UsigMessage, from: ReplicaId, to: ReplicaId) => boolean,
): void {
  const hook: LinkHook = (from, to, message) => (lost(message, from, to) ? [] : [message]);
  cluster.hook = hook;
}

function reach(cluster: Cluster, ms: number, done: () => boolean): void {
  assert.ok(cluster.run(ms, done), cluster.describe());
}

function stateOf(cluster: Cluster, id: ReplicaId): ReplicaState {
  return (cluster.members[id]!.replica as UsigReplica).state;
}

function owners(cluster: Cluster, id: ReplicaId): number[] {
  return ownersOf(stateOf(cluster, id).own.state.newView).map(({ replica }) => replica);
}

function executed(cluster: Cluster, id: ReplicaId): number {
  return cluster.members[id]!.history.length;
}

function traced(cluster: Cluster, id: ReplicaId, rule: string): { passed: number; failed: number } {
  return cluster.members[id]!.traces.get(rule) ?? { passed: 0, failed: 0 };
}

function give(cluster: Cluster, bundle: Bundle, to: readonly ReplicaId[]): void {
  for (const id of to) cluster.bring(id, bundle);
}

/** A bundle whose home is this replica while nobody is suspected. */
function bundleFor(cluster: Cluster, home: ReplicaId, number: number): Bundle {
  for (let client = 1; client < 200; client += 1) {
    const bundle = cluster.bundle(number, client);
    const sum = bundle.clientKey.reduce((hash, byte) => (hash * 31 + byte) % 65_521, 7);
    if (sum % cluster.n === home) return bundle;
  }
  throw new Error('no client of this home');
}

function order(cluster: Cluster, bundles: readonly Bundle[], ms = 20_000): void {
  for (const bundle of bundles) cluster.submit(bundle);
  reach(cluster, ms, () => cluster.settled(bundles));
}

function kindsOf(cluster: Cluster): { from: ReplicaId; message: UsigMessage }[] {
  const sent: { from: ReplicaId; message: UsigMessage }[] = [];
  cluster.hook = (from, to, message) => {
    if (to === (from + 1) % cluster.n) sent.push({ from, message });
    return [message];
  };
  return sent;
}

/** Takes the logic away: from now on the test speaks with the trusted component itself. */
function corrupt(cluster: Cluster, id: ReplicaId): Member {
  const member = cluster.members[id]!;
  member.replica = undefined;
  member.generation += 1;
  member.byzantine = true;
  member.pendingSeal = undefined;
  member.tcCounter = member.ownLog.at(-1)?.ui.counter ?? member.tcCounter;
  return member;
}

function proposal(
  cluster: Cluster,
  member: Member,
  sequence: number,
  batchDigest: Prepare['batchDigest'],
  run = 1,
): Prepare {
  const { settings, domain } = cluster;
  const context = createStreamContext(settings, sha256, domain, 'ebawa', 'COMMIT-VECTOR', EBAWA_SLOTS);
  const draft = {
    kind: 'PREPARE',
    view: 0,
    configurationVersion: 0,
    newViewCounter: 0,
    sequence,
    batchDigest,
    recovers: [],
    run,
  } as const;
  return completeDraft(context, draft, cluster.certify(member, encodeDraft(context, draft).digest));
}

test('EBAWA.ORD.1: each owner proposes the requests of its own clients in its own slots', () => {
  const cluster = scene({ timers: PATIENT });
  const sent = kindsOf(cluster);
  const bundles = [0, 1, 2].map((home) => bundleFor(cluster, home, home + 1));
  order(cluster, bundles);
  for (const home of [0, 1, 2]) {
    const digest = bundles[home]!.digest;
    const slot = cluster.members[0]!.doneAt.get(digest)!;
    assert.equal((slot - 1) % 3, home);
    const by = sent.filter(({ message }) => message.kind === 'PREPARE' && message.sequence === slot);
    assert.deepEqual([...new Set(by.map(({ from }) => from))], [home]);
  }
  assert.ok(traced(cluster, 0, 'EBAWA.ORD.1').passed > 0);
});

test('EBAWA.ORD.2: only one site has load, the others skip the round and do not hold it up (scenario 2)', () => {
  const cluster = scene({ timers: PATIENT, limits: { checkpointInterval: 8 } });
  const sent = kindsOf(cluster);
  const bundles = [1, 2, 3, 4].map((number) => bundleFor(cluster, 0, number));
  for (const bundle of bundles) order(cluster, [bundle], 100);
  const slots = bundles.map(({ digest }) => cluster.members[1]!.doneAt.get(digest)!);
  assert.deepEqual(slots, [1, 4, 7, 10]);
  cluster.run(100);
  for (const id of [0, 1, 2]) assert.equal(executed(cluster, id), 12);
  const skips = sent.filter(
    ({ message }) => message.kind === 'PREPARE' && message.run !== undefined && message.ui.replica !== 0,
  );
  assert.equal(skips.length, 8);
  assert.ok(traced(cluster, 1, 'EBAWA.ORD.2').failed > 0, 'idle clusters skip nothing');
});

test('EBAWA.ORD.3: one COMMIT-VEC for proposals of several owners; a missing body holds up its own owner only', () => {
  const cluster = scene({ f: 2, timers: PATIENT });
  const late = bundleFor(cluster, 0, 1);
  const other = bundleFor(cluster, 1, 2);
  const sendBody = cluster.sendBody.bind(cluster);
  cluster.sendBody = (from, to, bytes) => (from === 0 ? undefined : sendBody(from, to, bytes));
  const sent = kindsOf(cluster);
  give(cluster, late, [0]);
  give(cluster, other, [1]);
  cluster.run(60);
  const votes = sent.flatMap(({ from, message }) =>
    message.kind === 'COMMIT-VECTOR' && from === 3 ? [message] : [],
  );
  assert.ok(votes.some(({ prepares }) => prepares.length > 1));
  assert.ok(
    votes.every(({ prepares }) => prepares.every(({ ui, sequence }) => ui.replica !== 0 || sequence !== 1)),
  );
  assert.equal(executed(cluster, 3), 0, 'slot 1 is undecided');
  delete (cluster as { sendBody?: unknown }).sendBody;
  order(cluster, [late, other]);
});

test("EBAWA.EXEC.1, EBAWA.EXEC.2: a SKIP is executed on f+1 votes, not on its owner's word (scenario 6)", () => {
  const cluster = scene({ f: 2, timers: PATIENT });
  // Slot 2 is decided by its owner, replica 0 and whoever looks; its SKIP of slot 1 by nobody but itself.
  lose(cluster, ({ kind }, from) => kind === 'COMMIT-VECTOR' && from !== 0);
  give(cluster, bundleFor(cluster, 1, 1), [1]);
  cluster.run(100);
  for (const id of [0, 1, 2, 3, 4]) assert.equal(executed(cluster, id), 0);
  assert.ok(
    stateOf(cluster, 2).groups.executing.proposals.get(1) !== undefined,
    'the SKIP of slot 1 is here',
  );
  lose(cluster, () => false);
  reach(cluster, 5_000, () => [0, 1, 2, 3, 4].every((id) => executed(cluster, id) >= 2));
});

test('EBAWA.EXEC.3: after a restart nothing is executed in a view below that of what was executed before (scenario 15)', () => {
  const cluster = scene({ timers: { requestMs: 400, newViewMs: 2_000 } });
  lose(cluster, ({ kind }, from) => from === 0 && kind !== 'STATUS');
  // View 0 decides slots 2 and 3 above a hole: nobody has slot 1.
  const first = [bundleFor(cluster, 1, 1), bundleFor(cluster, 2, 2)];
  for (const bundle of first) cluster.submit(bundle);
  reach(cluster, 20_000, () =>
    [1, 2].every((id) => stateOf(cluster, id).groups.executing.reference.view > 0),
  );
  lose(cluster, () => false);
  reach(cluster, 20_000, () => cluster.settled(first));
  const { executionFloor } = stateOf(cluster, 2);
  assert.ok(executionFloor > 0);
  cluster.crash(2);
  cluster.start(2);
  assert.equal(stateOf(cluster, 2).executionFloor, executionFloor, 'it is on record');
  order(cluster, [bundleFor(cluster, 2, 9)]);
});

test('EBAWA.EXEC.4: every replica answers what it has executed', () => {
  const cluster = scene({ timers: PATIENT });
  const bundle = bundleFor(cluster, 1, 1);
  order(cluster, [bundle]);
  for (const { history, done } of cluster.members) {
    assert.ok(done.has(bundle.digest));
    assert.equal(history.filter((digest) => digest === cluster.members[0]!.history[1]).length, 1);
  }
});

test('EBAWA.CKPT.1: boundaries are slots, whether skipped or not', () => {
  const cluster = scene({ timers: PATIENT, limits: { checkpointInterval: 2 } });
  for (const number of [1, 2, 3, 4]) order(cluster, [bundleFor(cluster, 2, number)], 1_000);
  reach(cluster, 3_000, () =>
    cluster.members.every(({ replica }) => replica!.inspect(cluster.now).stable >= 10),
  );
  assert.ok(stateOf(cluster, 0).own.log.first > 1, 'logs are cut');
});

test('EBAWA.VC.1, EBAWA.VC.5: an owner that crashed loses its slots, and gets them again when suspicion ends (scenarios 3, 4)', () => {
  const cluster = scene({ timers: { requestMs: 400, newViewMs: 2_000 } });
  order(cluster, [bundleFor(cluster, 0, 1)]);
  cluster.crash(2);
  for (const number of [20, 22, 24])
    order(cluster, [bundleFor(cluster, 0, number), bundleFor(cluster, 1, number + 1)]);
  for (const id of [0, 1]) assert.ok(!owners(cluster, id).includes(2));
  const { view } = stateOf(cluster, 0);
  order(cluster, [bundleFor(cluster, 0, 4), bundleFor(cluster, 2, 5)], 1_000);
  assert.equal(stateOf(cluster, 0).view, view, 'no further view change');
  cluster.start(2);
  order(cluster, [bundleFor(cluster, 1, 6)]);
  assert.ok(traced(cluster, 0, 'EBAWA.VC.1').failed + traced(cluster, 1, 'EBAWA.VC.1').failed > 0);
  cluster.run(20 * 400 + 1_000);
  cluster.crash(1);
  order(cluster, [bundleFor(cluster, 0, 7)]);
  cluster.start(1);
  order(cluster, [bundleFor(cluster, 0, 8)]);
  assert.ok(owners(cluster, 0).includes(2));
});

test('EBAWA.VC.6: a coordinator that crashes during the view change costs one view more (scenario 9)', () => {
  const cluster = scene({ f: 2, timers: { requestMs: 400, newViewMs: 600 } });
  order(cluster, [bundleFor(cluster, 0, 1)]);
  cluster.crash(3);
  lose(cluster, (message) => {
    if (message.kind === 'NEW-VIEW') cluster.at(0, () => cluster.members[1]!.replica && cluster.crash(1));
    return message.kind === 'NEW-VIEW' && message.header.view === 1;
  });
  order(cluster, [bundleFor(cluster, 0, 2), bundleFor(cluster, 4, 3)], 60_000);
  assert.ok(stateOf(cluster, 0).view >= 2);
});

test('an owner that proposes two batches for one slot is dead after the first (scenario 5)', () => {
  const cluster = scene({ timers: { requestMs: 400, newViewMs: 2_000 } });
  const liar = corrupt(cluster, 0);
  const batches = [1, 2].map((number) =>
    buildBatch(sha256, cluster.domain, {
      proposedInView: 0,
      time: cluster.now,
      recovers: [],
      bundles: [bundleFor(cluster, 0, number)],
    }),
  );
  const [one, two] = batches.map((batch) => {
    liar.stored.set(`body/${batch.digest}`, batch.bytes);
    return proposal(cluster, liar, 1, batch.digest);
  });
  cluster.transmit(0, 1, one!);
  cluster.sendBody(0, 1, batches[0]!.bytes);
  cluster.transmit(0, 2, two!);
  cluster.sendBody(0, 2, batches[1]!.bytes);
  reach(cluster, 20_000, () => cluster.accusations.length > 0);
  assert.deepEqual([...new Set(cluster.accusations.map(({ rule }) => rule))], ['doubleProposal']);
  order(cluster, [bundleFor(cluster, 1, 7)], 60_000);
  for (const id of [1, 2]) assert.ok(!owners(cluster, id).slice(1).includes(0));
});

test('a home that censors its client: the request goes through another owner, without a view change (scenario 8)', () => {
  const cluster = scene({ timers: { requestMs: 2_000, newViewMs: 2_000 } });
  const bundle = bundleFor(cluster, 2, 1);
  const input = cluster.input.bind(cluster);
  cluster.input = (id, what) => (id === 2 && what.kind === 'bundle' ? undefined : input(id, what));
  give(cluster, bundle, [0, 1]);
  reach(cluster, 1_500, () => [0, 1, 2].every((id) => cluster.members[id]!.done.has(bundle.digest)));
  assert.equal(stateOf(cluster, 0).view, 0);
});

test('an owner that sends no bodies is suspected, and the view goes on without it (scenario 17)', () => {
  const cluster = scene({ timers: { requestMs: 400, newViewMs: 2_000 } });
  const liar = corrupt(cluster, 1);
  const batch = buildBatch(sha256, cluster.domain, {
    proposedInView: 0,
    time: cluster.now,
    recovers: [],
    bundles: [bundleFor(cluster, 1, 1)],
  });
  const empty = proposal(cluster, liar, 2, batch.digest);
  for (const to of [0, 2]) cluster.transmit(1, to, empty);
  order(cluster, [bundleFor(cluster, 0, 5), bundleFor(cluster, 2, 6)], 60_000);
  const { view } = stateOf(cluster, 0);
  assert.ok(view > 0);
  for (const id of [0, 2]) assert.ok(!owners(cluster, id).slice(1).includes(1));
});

test('a SKIP that its owner shows to some: agreement holds (scenario 6)', () => {
  const cluster = scene({ timers: { requestMs: 400, newViewMs: 2_000 } });
  const liar = corrupt(cluster, 0);
  const context = stateOf(cluster, 1).streamContext;
  const skip = proposal(cluster, liar, 1, skipBatch(context, 0).digest, 2);
  cluster.transmit(0, 1, skip);
  order(cluster, [bundleFor(cluster, 1, 1), bundleFor(cluster, 2, 2)], 60_000);
});

test('EBAWA.VC.7: the RECOVER of an owner ends the view; the new incarnation owns slots in the next (scenario 18)', () => {
  const cluster = scene({ limits: { checkpointInterval: 4 }, timers: { requestMs: 400, newViewMs: 2_000 } });
  order(cluster, [bundleFor(cluster, 0, 1), bundleFor(cluster, 1, 2)]);
  cluster.crash(2);
  cluster.wipe(2);
  cluster.start(2);
  reach(cluster, 60_000, () => [0, 1].every((id) => stateOf(cluster, id).slots[2]!.state.incarnation === 1));
  order(cluster, [bundleFor(cluster, 0, 3), bundleFor(cluster, 1, 4)], 60_000);
  assert.ok(stateOf(cluster, 0).view > 0);
  for (const { replica, incarnation } of ownersOf(stateOf(cluster, 0).own.state.newView))
    if (replica === 2) assert.equal(incarnation, 1);
  assert.ok(traced(cluster, 0, 'EBAWA.VC.7').failed + traced(cluster, 1, 'EBAWA.VC.7').failed > 0);
});

test('a site that was away for long catches up and proposes again (scenario 10)', () => {
  const cluster = scene({ limits: { checkpointInterval: 4 }, timers: { requestMs: 400, newViewMs: 2_000 } });
  cluster.partition((a, b) => a === 2 || b === 2);
  const bundles = [1, 2, 3, 4, 5, 6].map((number) => bundleFor(cluster, number % 2, number));
  for (const bundle of bundles) {
    cluster.submit(bundle, [0, 1]);
    reach(cluster, 20_000, () => [0, 1].every((id) => cluster.members[id]!.done.has(bundle.digest)));
  }
  cluster.run(30_000);
  cluster.heal();
  order(cluster, [bundleFor(cluster, 2, 7)], 60_000);
});

test('a request that only the coordinator has reaches its home at once', () => {
  const cluster = scene({ timers: PATIENT });
  const bundle = bundleFor(cluster, 2, 1);
  give(cluster, bundle, [0]);
  reach(cluster, 60, () => [0, 1, 2].every((id) => executed(cluster, id) >= 3));
  assert.equal(cluster.members[0]!.doneAt.get(bundle.digest), 3);
});

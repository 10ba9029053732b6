/** Scenarios that need no liar, in the small cluster of this folder. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bundle } from '../../core/request.ts';
import { decodeDraft } from '../../smr/usig-stream/codec.ts';
import { createStreamContext } from '../../smr/usig-stream/context.ts';
import { Cluster, sha256 } from './fixture.test.ts';

function numbers(cluster: Cluster, count: number, from = 1): Bundle[] {
  return Array.from({ length: count }, (_, index) => cluster.bundle(from + index));
}

/** Orders some requests and expects that everybody who runs has executed them within `ms`. */
function order(cluster: Cluster, count: number, from: number, ms = 5_000): void {
  const bundles = numbers(cluster, count, from);
  for (const [index, bundle] of bundles.entries()) cluster.at(3 * index, () => cluster.submit(bundle));
  assert.ok(
    cluster.run(ms, () => cluster.settled(bundles)),
    cluster.describe(),
  );
}

function view(cluster: Cluster, id: number): number {
  return cluster.members[id]!.replica!.inspect(cluster.now).view;
}

function noted(cluster: Cluster, id: number, name: string): number {
  return cluster.members[id]!.notes.filter((note) => note.name === name).length;
}

/** Kinds of the own log of a replica, in order. */
function logOf(cluster: Cluster, id: number): string[] {
  const context = createStreamContext(cluster.settings, sha256, cluster.domain, 'minbft');
  return cluster.members[id]!.ownLog.map(({ draft }) => decodeDraft(context, draft)!.kind);
}

test('orders what clients send, several proposals in flight', () => {
  const cluster = new Cluster({ sealMs: [1, 2], delayMs: [10, 20], limits: { pipelineFactor: 4 } });
  cluster.startAll();
  order(cluster, 60, 1);
  for (const { id, traces } of cluster.members) {
    assert.equal(view(cluster, id), 0);
    assert.equal(traces.get('MinBFT.STEP.COMMIT')!.failed, 0);
  }
  assert.ok(cluster.agreed.size < 60, 'requests that wait together are one batch');
});

test('a crashed primary is replaced and comes back into the running view (trigger 1)', () => {
  const cluster = new Cluster();
  cluster.startAll();
  order(cluster, 10, 1);
  cluster.crash(0);
  order(cluster, 10, 100);
  assert.equal(view(cluster, 1), 1);
  cluster.start(0);
  order(cluster, 10, 200);
  // It asks its peers before it seals anything (RECOVER.4).
  assert.ok(
    cluster.run(5_000, () => view(cluster, 0) === 1),
    cluster.describe(),
  );
});

test('worked example A: what one backup saw survives, what nobody saw does not come back', () => {
  const cluster = new Cluster({ limits: { checkpointInterval: 128, logEntriesMax: 64 * 256 } });
  cluster.startAll();
  const [a, b, c] = numbers(cluster, 3) as [Bundle, Bundle, Bundle];
  const toPrimary = (bundle: Bundle): void => cluster.input(0, { kind: 'bundle', bundle: bundle as never });
  // The third PREPARE of R0 reaches nobody, and R2 sees of the second order nothing at all.
  cluster.hook = (from, to, message) => {
    if (message.kind === 'PREPARE' && message.sequence === 3) return [];
    if (message.kind === 'PREPARE' && message.sequence === 2 && to === 2) return [];
    if (message.kind === 'COMMIT' && message.prepare.sequence === 2 && from === 1 && to === 2) return [];
    return [message];
  };
  toPrimary(a);
  cluster.run(20);
  toPrimary(b);
  cluster.run(20);
  toPrimary(c);
  cluster.run(20);
  assert.deepEqual(
    cluster.members.map(({ history }) => history.length),
    [2, 2, 1],
  );
  cluster.members[0]!.replica = undefined;
  cluster.members[0]!.generation += 1;
  // R1's COMMIT of the second order stays late until R2 has left the view.
  cluster.hook = (from, to, message) => {
    const left = logOf(cluster, 2).includes('VIEW-CHANGE');
    const late =
      (message.kind === 'COMMIT' && message.prepare.sequence === 2 && from === 1) ||
      (message.kind === 'PREPARE' && message.sequence === 2);
    return late && to === 2 && !left ? [] : [message];
  };
  const d = cluster.bundle(4);
  cluster.submit(d, [1, 2]);
  assert.ok(
    cluster.run(3_000, () => cluster.settled([d])),
    cluster.describe(),
  );
  assert.deepEqual(logOf(cluster, 1), ['COMMIT', 'COMMIT', 'VIEW-CHANGE', 'NEW-VIEW-HEADER', 'PREPARE']);
  assert.deepEqual(logOf(cluster, 2), ['COMMIT', 'VIEW-CHANGE', 'COMMIT-NEW-VIEW', 'COMMIT']);
  assert.deepEqual(logOf(cluster, 0), ['PREPARE', 'PREPARE', 'PREPARE']);
  const third = cluster.agreed.get(3);
  cluster.start(0);
  assert.ok(
    cluster.run(5_000, () => cluster.settled([a, b, d])),
    cluster.describe(),
  );
  assert.equal(cluster.members[0]!.history[2], third);
  order(cluster, 5, 50);
  cluster.run(5_000, () => logOf(cluster, 0).length >= 5);
  assert.deepEqual(logOf(cluster, 0).slice(3, 5), ['VIEW-CHANGE', 'COMMIT-NEW-VIEW']);
});

test('a primary that proposes nothing is left by f+1 wishes', () => {
  const cluster = new Cluster();
  cluster.startAll();
  cluster.hook = (from, _to, message) => (from === 0 && message.kind === 'PREPARE' ? [] : [message]);
  order(cluster, 5, 1);
  assert.ok(view(cluster, 1) >= 1);
  assert.ok(noted(cluster, 1, 'suspect') >= 1);
});

test('a third of all messages lost, some doubled and reordered: everything is executed', () => {
  const cluster = new Cluster({ loss: 0.33, duplication: 0.2, delayMs: [1, 40], seed: 7 });
  cluster.startAll();
  order(cluster, 40, 1, 60_000);
});

test('checkpoints cut the own log at a vouched anchor, and bodies leave the store', () => {
  const cluster = new Cluster({ limits: { checkpointInterval: 2, pipelineFactor: 2 } });
  cluster.startAll();
  for (let round = 0; round < 10; round += 1) order(cluster, 4, 1 + 10 * round);
  cluster.run(1_000);
  for (const { id, replica, stored, ownLog } of cluster.members) {
    const { executed, stable, ownLogEntries } = replica!.inspect(cluster.now);
    assert.ok(executed >= 10 && stable >= executed - 2, `replica ${id}: ${executed}, ${stable}`);
    assert.ok(ownLogEntries <= 12 && ownLog.length === ownLogEntries, `${ownLogEntries} entries`);
    const bodies = [...stored.keys()].filter((key) => key.startsWith('body/'));
    assert.ok(bodies.length <= 8, `${bodies.length} bodies`);
    assert.ok((cluster.members[id]!.traces.get('MinBFT.CKPT.2')?.passed ?? 0) > 0);
  }
});

test('a replica that was away for many windows comes back by stream sync and state transfer', () => {
  const cluster = new Cluster({ limits: { checkpointInterval: 2 } });
  cluster.startAll();
  order(cluster, 4, 1);
  cluster.partition((a, b) => a === 2 || b === 2);
  const away = numbers(cluster, 60, 100);
  for (const [index, bundle] of away.entries()) cluster.at(10 * index, () => cluster.submit(bundle));
  assert.ok(
    cluster.run(5_000, () => cluster.settled(away, [0, 1])),
    cluster.describe(),
  );
  cluster.heal();
  order(cluster, 6, 300);
  assert.ok(noted(cluster, 2, 'transfer') >= 1);
  assert.ok((cluster.members[2]!.traces.get('MinBFT.CKPT.3')?.passed ?? 0) > 0);
  cluster.crash(0);
  order(cluster, 6, 400);
});

test('power goes between the installed state and the record that it is stable: it can be served all the same', () => {
  const cluster = new Cluster({ limits: { checkpointInterval: 2 } });
  cluster.startAll();
  order(cluster, 4, 1);
  cluster.partition((a, b) => a === 2 || b === 2);
  const away = numbers(cluster, 60, 100);
  for (const [index, bundle] of away.entries()) cluster.at(10 * index, () => cluster.submit(bundle));
  assert.ok(cluster.run(5_000, () => cluster.settled(away, [0, 1])));
  const late = cluster.members[2]!;
  const before = {
    stable: late.stored.get('stable')!,
    last: late.stored.get('last')!,
    log: [...late.ownLog],
  };
  cluster.heal();
  assert.ok(cluster.run(5_000, () => late.history.length >= 60));
  // What was stored after the installation did not reach the disk.
  cluster.crash(2);
  late.stored.set('stable', before.stable).set('last', before.last);
  late.ownLog = before.log;
  late.tcCounter = before.log.at(-1)!.ui.counter;
  cluster.partition((a, b) => a === 2 || b === 2);
  cluster.start(2);
  cluster.run(50);
  const { stable, executed } = late.replica!.inspect(cluster.now);
  assert.ok(stable >= 60 && stable <= executed, `stable ${stable}, executed ${executed}`);
});

test('clocks that jump an hour ahead and back again delay no suspicion', () => {
  const cluster = new Cluster();
  cluster.startAll();
  let jumpMs = 0;
  for (const member of cluster.members) {
    const { step, inspect } = member.replica!;
    member.replica = {
      step: (input, now) => step(input, now + jumpMs),
      inspect: (now) => inspect(now + jumpMs),
    };
  }
  order(cluster, 4, 1);
  jumpMs = 3_600_000;
  order(cluster, 4, 20);
  jumpMs = 0;
  cluster.crash(0);
  order(cluster, 4, 40);
  const { view, peers } = cluster.members[1]!.replica!.inspect(cluster.now);
  assert.ok(view >= 1);
  assert.ok(peers[2]!.lastHeardMs! <= cluster.now && peers[2]!.lastHeardMs! > cluster.now - 1_000);
});

test('power cut of all replicas: every keeper goes on where it was, without a view change', () => {
  const cluster = new Cluster();
  cluster.startAll();
  order(cluster, 10, 1);
  const during = numbers(cluster, 6, 50);
  for (const bundle of during) cluster.submit(bundle);
  cluster.run(4);
  for (const { id } of cluster.members) cluster.crash(id);
  cluster.startAll();
  order(cluster, 5, 100);
  assert.ok(
    cluster.run(3_000, () => cluster.settled(during)),
    cluster.describe(),
  );
  for (const { id } of cluster.members) assert.equal(view(cluster, id), 0);
});

test('two of three suffice after a power cut, if the third does not come back', () => {
  const cluster = new Cluster({ seed: 5 });
  cluster.startAll();
  order(cluster, 10, 1);
  for (const { id } of cluster.members) cluster.crash(id);
  cluster.start(1);
  cluster.start(2);
  order(cluster, 5, 100);
});

test('ten failed view changes in a row: the log grows by stubs, then trimming brings it back', () => {
  const cluster = new Cluster({
    limits: { checkpointInterval: 2 },
    timers: { newViewMs: 100, requestMs: 100 },
  });
  cluster.startAll();
  order(cluster, 6, 1);
  cluster.hook = (_from, _to, message) =>
    message.kind === 'NEW-VIEW' || message.kind === 'NEW-VIEW-CERTIFICATE' || message.kind === 'PREPARE'
      ? []
      : [message];
  const bundles = numbers(cluster, 3, 50);
  for (const bundle of bundles) cluster.submit(bundle);
  assert.ok(
    cluster.run(600_000, () => Math.min(...cluster.members.map(({ id }) => view(cluster, id))) >= 10),
  );
  assert.ok(cluster.members[1]!.replica!.inspect(cluster.now).ownLogEntries < 40);
  cluster.hook = (_from, _to, message) => [message];
  assert.ok(
    cluster.run(120_000, () => cluster.settled(bundles)),
    cluster.describe(),
  );
  for (let round = 0; round < 4; round += 1) order(cluster, 4, 100 + 10 * round, 60_000);
  cluster.run(1_000);
  for (const { replica } of cluster.members)
    assert.ok(replica!.inspect(cluster.now).ownLogEntries <= 16, cluster.describe());
});

test('waits back off while views fail and are short again when a quorum is back (E8)', () => {
  const cluster = new Cluster({ timers: { newViewMs: 100, requestMs: 100 } });
  cluster.startAll();
  order(cluster, 3, 1);
  cluster.hook = (_from, _to, message) =>
    message.kind === 'NEW-VIEW' || message.kind === 'PREPARE' ? [] : [message];
  cluster.submit(cluster.bundle(50));
  cluster.run(20_000);
  const timeouts = noted(cluster, 1, 'newViewTimeout');
  assert.ok(timeouts >= 4 && timeouts <= 12, `${timeouts} expiries in 20 s`);
  cluster.partition(() => true);
  cluster.run(10_000);
  cluster.hook = (_from, _to, message) => [message];
  cluster.heal();
  order(cluster, 3, 60, 3_000);
});

/** Rules of conduct of execution, one test each: MinBFT.EXEC. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MinbftMessage } from '../../smr/usig-stream/messages.ts';
import type { Cluster } from './fixture.test.ts';
import type { Sent } from './conduct-scenes.testing.ts';
import {
  askForRecovery,
  bothWays,
  committed,
  count,
  executedOf,
  feed,
  give,
  lose,
  noted,
  order,
  proposed,
  reach,
  recoverOf,
  scene,
  viewOf,
} from './conduct-scenes.testing.ts';

const PATIENT = { requestMs: 1_000_000, newViewMs: 1_000_000 };

function isCommit(message: MinbftMessage, sequence: number): boolean {
  return message.kind === 'COMMIT' && message.prepare.sequence === sequence;
}

function isVote(kind: MinbftMessage['kind']): boolean {
  return kind === 'PREPARE' || kind === 'COMMIT';
}

/** Everybody but the primary leaves view 0 before any log of another is seen, so that nobody votes late. */
function leaveTogether(cluster: Cluster, sent: Sent[]): void {
  lose(cluster, sent, ({ kind }) => isVote(kind) || kind === 'VIEW-CHANGE');
  reach(cluster, 10_000, () => [1, 2, 3, 4].every((id) => count(sent, id, 'VIEW-CHANGE') > 0));
}

test('MinBFT.EXEC.1: f+1 explicit votes execute an order; f do not', () => {
  const { cluster, sent } = scene({ f: 2, timers: PATIENT });
  // Votes that arrive: the PREPARE and the own COMMIT, or the PREPARE alone at the primary.
  lose(cluster, sent, ({ kind }) => kind === 'COMMIT');
  give(cluster, cluster.bundle(1), [0]);
  cluster.run(2_000);
  for (const id of [1, 2, 3, 4]) assert.deepEqual(committed(sent, id), [1]);
  assert.deepEqual(
    cluster.members.map(({ history }) => history.length),
    [0, 0, 0, 0, 0],
  );
  lose(cluster, sent, (message, from) => message.kind === 'COMMIT' && from !== 1 && from !== 2);
  reach(cluster, 2_000, () => executedOf(cluster, 0) === 1);
  assert.ok(cluster.members[0]!.traces.get('MinBFT.EXEC.1')!.passed > 0);
});

test('MinBFT.EXEC.2: the base of a view is executed when f+1 replicas are known to have entered it', () => {
  const { cluster, sent } = scene({ f: 2, timers: { requestMs: 3_000, newViewMs: 1_000_000 } });
  order(cluster, 3, 1);
  cluster.run(300);
  // An order that one backup alone saw and voted for: it is in the base of the next view.
  lose(cluster, sent, ({ kind }, _from, to) => kind === 'COMMIT' || (kind === 'PREPARE' && to !== 1));
  const next = executedOf(cluster, 1) + 1;
  give(cluster, cluster.bundle(50), [0, 1, 2, 3, 4]);
  reach(cluster, 400, () => committed(sent, 1).includes(next));
  cluster.crash(0);
  leaveTogether(cluster, sent);
  lose(cluster, sent, ({ kind }) => isVote(kind) || kind === 'COMMIT-NEW-VIEW');
  reach(cluster, 5_000, () => [2, 3, 4].every((id) => count(sent, id, 'COMMIT-NEW-VIEW') > 0));
  cluster.run(1_000);
  for (const id of [1, 2, 3, 4]) {
    assert.equal(executedOf(cluster, id), next - 1);
    assert.equal(noted(cluster, id, 'executingView'), 0);
  }
  lose(cluster, sent, () => false);
  reach(cluster, 5_000, () => [1, 2, 3, 4].every((id) => executedOf(cluster, id) >= next));
  for (const id of [2, 3, 4]) bothWays(cluster, id, 'MinBFT.EXEC.2');
});

test('MinBFT.EXEC.3 and MinBFT.EXEC.4: votes of a retired incarnation execute neither its RECOVER nor what follows', () => {
  const { cluster, sent } = scene({ timers: PATIENT, limits: { batchRequestsMax: 1 } });
  order(cluster, 3, 1);
  cluster.run(300);
  const at = executedOf(cluster, 0) + 1;
  // The old component of replica 2 goes on voting; its operator has asked for a new one.
  cluster.members[2]!.rolledBack = true;
  lose(cluster, sent, (message, from, to) => {
    if (to === 2 && from === 1) return true;
    return message.kind === 'COMMIT' && from === 1 && to === 0;
  });
  askForRecovery(cluster, recoverOf(2, cluster));
  reach(cluster, 1_000, () => proposed(sent, 0).at(-1) === at);
  feed(cluster, 1, 50);
  reach(cluster, 1_000, () => committed(sent, 2).includes(at + 1));
  cluster.run(500);
  const counterOf2 = (): number => cluster.members[0]!.replica!.inspect(cluster.now).peers[2]!.counter;
  assert.ok(counterOf2() >= 2, 'the votes of replica 2 have arrived');
  assert.equal(executedOf(cluster, 0), at - 1, 'the RECOVER is not executed on the vote that it retires');
  bothWays(cluster, 0, 'MinBFT.EXEC.4');
  // The vote of replica 1 for the RECOVER arrives, those for later orders do not.
  lose(cluster, sent, (message, from, to) => {
    if (to === 2 || from === 2) return true;
    return message.kind === 'COMMIT' && from === 1 && to === 0 && !isCommit(message, at);
  });
  reach(cluster, 1_000, () => executedOf(cluster, 0) === at);
  cluster.run(500);
  assert.equal(executedOf(cluster, 0), at, 'nor the next order on a vote of the retired incarnation');
  bothWays(cluster, 0, 'MinBFT.EXEC.3');
  lose(cluster, sent, (_message, from, to) => to === 2 || from === 2);
  reach(cluster, 2_000, () => executedOf(cluster, 0) > at);
});

test('MinBFT.EXEC.5: who installed a checkpoint of a later view executes nothing in an earlier one', () => {
  const { cluster, sent } = scene({ f: 2, limits: { checkpointInterval: 2 } });
  order(cluster, 3, 1);
  cluster.partition((a, b) => a === 4 || b === 4);
  cluster.crash(0);
  const bundles = Array.from({ length: 20 }, (_, index) => cluster.bundle(100 + index));
  for (const [index, bundle] of bundles.entries()) cluster.at(20 * index, () => cluster.submit(bundle));
  reach(cluster, 10_000, () => cluster.settled(bundles, [1, 2, 3]));
  cluster.run(1_000);
  // Replica 4 gets the state, but nothing that would tell it about the view that runs.
  const carries = ({ kind }: MinbftMessage): boolean =>
    kind === 'CHECKPOINT' || kind === 'CHECKPOINT-PROOF' || kind === 'STATUS';
  lose(cluster, sent, (message, from, to) => to === 4 && from !== 4 && !carries(message));
  cluster.heal();
  reach(cluster, 10_000, () => executedOf(cluster, 4) > 5);
  const installed = executedOf(cluster, 4);
  cluster.run(1_000);
  assert.equal(viewOf(cluster, 4), 0, 'it is still in the view that was left');
  assert.equal(executedOf(cluster, 4), installed);
  bothWays(cluster, 4, 'MinBFT.EXEC.5');
  lose(cluster, sent, () => false);
  reach(cluster, 20_000, () => cluster.settled(bundles));
  order(cluster, 3, 500);
  reach(cluster, 5_000, () => viewOf(cluster, 4) >= 1);
});

test('MinBFT.EXEC.6: a COMMIT-NV of an incarnation that the base retires does not open the view', () => {
  const { cluster, sent } = scene({ f: 2, timers: { requestMs: 3_000, newViewMs: 1_000_000 } });
  order(cluster, 3, 1);
  cluster.run(300);
  // The RECOVER of replica 4 reaches one backup alone: it is in the base of the next view.
  cluster.members[4]!.rolledBack = true;
  lose(cluster, sent, ({ kind }, _from, to) => kind === 'COMMIT' || (kind === 'PREPARE' && to !== 1));
  const at = executedOf(cluster, 1) + 1;
  askForRecovery(cluster, recoverOf(4, cluster));
  reach(cluster, 400, () => committed(sent, 1).includes(at));
  cluster.crash(0);
  leaveTogether(cluster, sent);
  // Of those who enter the next view only its primary, replica 4 and oneself are seen.
  lose(cluster, sent, ({ kind }, from) => {
    if (isVote(kind)) return true;
    if (kind === 'VIEW-CHANGE') return from === 4 && count(sent, 1, 'NEW-VIEW') === 0;
    return kind === 'COMMIT-NEW-VIEW' && from !== 4;
  });
  reach(cluster, 20_000, () => count(sent, 4, 'COMMIT-NEW-VIEW') > 0);
  cluster.run(1_000);
  for (const id of [1, 2, 3]) {
    assert.equal(viewOf(cluster, id), 1);
    assert.equal(executedOf(cluster, id), at - 1, `replica ${id}`);
    assert.equal(noted(cluster, id, 'executingView'), 0);
  }
  lose(cluster, sent, () => false);
  reach(cluster, 20_000, () => [1, 2, 3].every((id) => executedOf(cluster, id) >= at));
  for (const id of [2, 3]) bothWays(cluster, id, 'MinBFT.EXEC.6');
});

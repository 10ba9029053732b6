/** The rules of MinZyzzyva, one test each or a few that hold one thing together. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ZERO_DIGEST } from '../../core/types.ts';
import { killStream } from '../../smr/usig-stream/stream.ts';
import type { Prepare, Spec, UsigMessage } from '../../smr/usig-stream/messages.ts';
import { minzyzzyva } from './definition.ts';
import { decodeStatement, encodeCertificateOf, encodeStatement, extendHistory } from './messages.ts';
import type { Statement } from './messages.ts';
import {
  answersOf,
  batchAt,
  contextOf,
  corrupt,
  give,
  leaving,
  lose,
  PATIENT,
  progressOf,
  reach,
  scene,
  seal,
  traced,
} from './scenes.testing.ts';

const LAZY = ['STREAM-BATCH', 'RESEND-REQUEST', 'STATUS'];

test('MinZyzzyva.ORD.1, MinZyzzyva.ORD.2: one PREPARE, everybody executes it and answers with an own sealed message', () => {
  const cluster = scene({ timers: PATIENT });
  lose(cluster, ({ kind }) => LAZY.includes(kind));
  const bundle = cluster.bundle(1);
  give(cluster, bundle, [0]);
  reach(cluster, 50, () => [0, 1, 2].every((id) => progressOf(cluster, id)[0] === 1));
  const context = contextOf(cluster);
  const stands = [0, 1, 2].map((id) => {
    const { proof, standing } = cluster.members[id]!.answers.get(bundle.digest)![0]!;
    assert.equal(standing, 'speculative');
    return decodeStatement(context, proof)!;
  });
  assert.deepEqual(
    stands.map(({ stand }) => stand.kind),
    ['prepare', 'spec', 'spec'],
  );
  const history = extendHistory(context, ZERO_DIGEST, batchAt(cluster, 0, 1)!);
  for (const statement of stands) assert.equal(statement.history, history);
  assert.deepEqual(progressOf(cluster, 0), [1, 0], 'the primary alone knows no vote but its own');
});

test('MinZyzzyva.ORD.3: an order that was executed on the votes of others is answered as final only (scenario 15)', () => {
  const cluster = scene({ timers: PATIENT });
  const before = cluster.bundle(1);
  give(cluster, before, [0]);
  cluster.run(500);
  cluster.crash(2);
  // After a start nothing is sealed before peers have told what they hold: it learns, and may not speak.
  lose(cluster, ({ kind }, _from, to) => kind === 'STATUS' && to === 2);
  cluster.start(2);
  const bundle = cluster.bundle(2);
  give(cluster, bundle, [0]);
  reach(cluster, 2_000, () => cluster.members[2]!.done.has(bundle.digest));
  assert.deepEqual(answersOf(cluster, 2, bundle), ['final']);
  assert.deepEqual(answersOf(cluster, 1, bundle), ['speculative']);
  lose(cluster, () => false);
  reach(cluster, 5_000, () => cluster.members[2]!.ownLog.some(({ ui }) => ui.counter >= 2));
  assert.ok(traced(cluster, 1, 'MinZyzzyva.ORD.3').passed > 0);
});

test('MinZyzzyva.STEP.1: a SPEC with a wrong history is a vote all the same, and useless to the client (scenario 14)', () => {
  const cluster = scene({ timers: PATIENT });
  const liar = corrupt(cluster, 2);
  let proposed: Prepare | undefined;
  lose(cluster, (message, from) => {
    if (message.kind === 'PREPARE') proposed = message;
    return from === 1 && message.kind === 'STREAM-BATCH';
  });
  const waiting = cluster.ask(cluster.bundle(1), { retries: false });
  reach(cluster, 50, () => proposed !== undefined);
  const spec = seal<Spec>(cluster, liar, { kind: 'SPEC', prepare: proposed!, history: ZERO_DIGEST });
  cluster.transmit(2, 0, spec);
  reach(cluster, 50, () => progressOf(cluster, 0)[1] === 1);
  const own = decodeStatement(
    contextOf(cluster),
    cluster.members[0]!.answers.get(waiting.bundle.digest)![0]!.proof,
  )!;
  const lie: Statement = { ...own, history: ZERO_DIGEST, stand: { kind: 'spec', ui: spec.ui } };
  const read = minzyzzyva.client!.readProof!;
  const where = { settings: cluster.settings, domain: cluster.domain, hash: contextOf(cluster).hash };
  const keys = [own, lie].map((one, id) => read(encodeStatement(one), id * 2, where, 'speculative')!.key);
  assert.notEqual(keys[0], keys[1]);
  assert.ok(traced(cluster, 1, 'MinZyzzyva.STEP.1').passed > 0);
});

test('MinZyzzyva.DUR.1, MinZyzzyva.DUR.3: nothing is final on answers alone; streams make it so', () => {
  const cluster = scene({ f: 2, timers: PATIENT });
  lose(cluster, ({ kind }) => LAZY.includes(kind));
  const waiting = cluster.ask(cluster.bundle(1), { retries: false });
  reach(cluster, 50, () => waiting.accepted !== undefined);
  assert.equal(waiting.accepted!.how, 'fast');
  cluster.run(500);
  for (const id of [0, 1, 2, 3, 4]) assert.deepEqual(progressOf(cluster, id), [1, 0]);
  lose(cluster, () => false);
  reach(cluster, 2_000, () => cluster.members.every(({ confirmed }) => confirmed === 1));
  assert.ok(traced(cluster, 0, 'MinZyzzyva.DUR.1').passed > 0);
});

test('MinZyzzyva.DUR.2: what is decided otherwise, or not executed here yet, is followed', () => {
  const cluster = scene({ timers: { ...PATIENT, requestMs: 800 } });
  // The primary alone executes an order; the next view decides another one in its place.
  cluster.partition((a, b) => a === 0 || b === 0);
  give(cluster, cluster.bundle(1), [0]);
  reach(cluster, 50, () => progressOf(cluster, 0)[0] === 1);
  const other = cluster.ask(cluster.bundle(2), { to: [1, 2] });
  reach(cluster, 20_000, () => other.accepted !== undefined);
  cluster.heal();
  reach(
    cluster,
    20_000,
    () => cluster.members[0]!.done.has(other.bundle.digest) && progressOf(cluster, 0)[1] > 0,
  );
  assert.ok(cluster.members[0]!.rollbacks > 0);
  assert.ok(traced(cluster, 0, 'MinZyzzyva.VC.2').failed + traced(cluster, 0, 'MinZyzzyva.DUR.2').failed > 0);
});

test('MinZyzzyva.DUR.4: a request that few have executed keeps its deadline at all of them', () => {
  const cluster = scene({ f: 2, timers: { ...PATIENT, requestMs: 400 } });
  lose(cluster, ({ kind }, from, to) => LAZY.includes(kind) || (kind === 'PREPARE' && from === 0 && to > 2));
  const bundle = cluster.bundle(1);
  give(cluster, bundle, [0, 1, 2, 3, 4]);
  reach(cluster, 100, () => progressOf(cluster, 1)[0] === 1);
  for (const id of [0, 1, 2])
    assert.equal(cluster.members[id]!.replica!.inspect(cluster.now).pendingBundles, 1);
  reach(cluster, 5_000, () =>
    cluster.members.some(({ notes }) => notes.some(({ name }) => name === 'suspect')),
  );
  const { notes } = cluster.members[1]!;
  reach(cluster, 5_000, () => notes.some(({ name }) => name === 'suspect'));
});

test('MinZyzzyva.CC.1: a member that left the view before it made its statement makes nothing final (scenarios 4, 13)', () => {
  const cluster = scene({ timers: PATIENT });
  const liar = corrupt(cluster, 2);
  let proposed: Prepare | undefined;
  lose(cluster, (message, _from, to) => {
    if (message.kind === 'PREPARE') proposed = message;
    return to === 1 && message.kind !== 'STATUS';
  });
  const waiting = cluster.ask(cluster.bundle(1), { retries: false, to: [0] });
  reach(cluster, 50, () => proposed !== undefined && waiting.speculative.size === 1);
  const first = leaving(cluster, liar, 1);
  const statement = decodeStatement(contextOf(cluster), waiting.speculative.get(0)!.proof)!;
  const { history } = statement;
  const spec = seal<Spec>(cluster, liar, { kind: 'SPEC', prepare: proposed!, history });
  const lie: Statement = { ...statement, stand: { kind: 'spec', ui: spec.ui } };
  const certificate = encodeCertificateOf([statement, lie].map(encodeStatement));
  cluster.bringMessage(0, certificate);
  cluster.run(100);
  assert.deepEqual(answersOf(cluster, 0, waiting.bundle), ['speculative'], 'seals alone prove nothing');
  for (const message of [first, spec]) cluster.transmit(2, 0, message);
  cluster.run(500);
  assert.deepEqual(answersOf(cluster, 0, waiting.bundle), ['speculative']);
  assert.ok(cluster.members[0]!.notes.some(({ name }) => name === 'streamDead'));
  cluster.bringMessage(0, certificate);
  assert.ok(cluster.members[0]!.notes.some(({ name, detail }) => name === 'nack' && detail['member'] === 2));
  assert.equal(waiting.accepted, undefined);
  // Too few, and such that do not agree, are not even a hint.
  for (const statements of [[statement], [statement, { ...lie, view: 1 }]])
    cluster.bringMessage(0, encodeCertificateOf(statements.map(encodeStatement)));
  assert.ok(traced(cluster, 0, 'MinZyzzyva.CC.1').failed >= 2);
  assert.ok(traced(cluster, 0, 'MinZyzzyva.CC.1').passed >= 2);
});

test('MinZyzzyva.CC.2: a certificate brings up the streams, and the final answer comes once it is final', () => {
  const cluster = scene({ timers: PATIENT });
  lose(cluster, ({ kind }, from, to) => LAZY.includes(kind) || from === 2 || to === 2);
  const waiting = cluster.ask(cluster.bundle(1), { retries: false });
  reach(cluster, 50, () => waiting.speculative.size === 2);
  const proofs = [...waiting.speculative].map(([replica, { proof }]) => ({ replica, proof }));
  const certificate = minzyzzyva.client!.certificate!.make(proofs);
  cluster.run(300);
  assert.equal(waiting.accepted, undefined);
  lose(
    cluster,
    ({ kind }, from, to) => kind === 'STREAM-BATCH' || kind === 'STATUS' || from === 2 || to === 2,
  );
  for (const id of [0, 1]) cluster.bringMessage(id, certificate);
  reach(cluster, 300, () => waiting.accepted?.how === 'final');
  for (const id of [0, 1]) assert.deepEqual(answersOf(cluster, id, waiting.bundle), ['speculative', 'final']);
  cluster.bringMessage(0, certificate);
  assert.equal(answersOf(cluster, 0, waiting.bundle).length, 3, 'asked again, answered again');
});

test('a certificate with a forged seal does no harm: the streams are brought up (scenario 9)', () => {
  const cluster = scene({ timers: PATIENT });
  lose(cluster, ({ kind }, from, to) => LAZY.includes(kind) || from === 2 || to === 2);
  const waiting = cluster.ask(cluster.bundle(1), { retries: false });
  reach(cluster, 50, () => waiting.speculative.size === 2);
  const forged = waiting.speculative.get(1)!.proof.slice();
  forged[forged.length - 1]! ^= 1;
  lose(
    cluster,
    ({ kind }, from, to) => kind === 'STREAM-BATCH' || kind === 'STATUS' || from === 2 || to === 2,
  );
  const certificate = encodeCertificateOf([waiting.speculative.get(0)!.proof, forged]);
  for (const id of [0, 1]) cluster.bringMessage(id, certificate);
  reach(cluster, 300, () => waiting.accepted?.how === 'final');
});

test('MinZyzzyva.CKPT.1: no CHECKPOINT of what may be undone; then streams are enough without certificates (scenario 10)', () => {
  const cluster = scene({ f: 2, timers: PATIENT, limits: { checkpointInterval: 2 } });
  let checkpoints = 0;
  lose(cluster, ({ kind }) => {
    if (kind === 'CHECKPOINT') checkpoints += 1;
    return LAZY.includes(kind);
  });
  const asked = [1, 2, 3].map((number) => {
    const waiting = cluster.ask(cluster.bundle(number), { retries: false, certificates: false });
    reach(cluster, 100, () => waiting.accepted !== undefined);
    return waiting.bundle;
  });
  assert.equal(checkpoints, 0);
  lose(cluster, () => false);
  reach(cluster, 3_000, () => cluster.allFinal(asked));
  reach(cluster, 3_000, () =>
    cluster.members.every(({ replica }) => replica!.inspect(cluster.now).stable === 2),
  );
  for (const member of cluster.members) assert.ok(member.replica!.inspect(cluster.now).confirmed! >= 2);
});

test('MinZyzzyva.CKPT.2: with all lazy streams delayed the primary stalls at the window, then goes on (scenario 11)', () => {
  const cluster = scene({
    f: 2,
    timers: PATIENT,
    limits: { checkpointInterval: 2, pipelineFactor: 2, batchRequestsMax: 1 },
  });
  lose(cluster, ({ kind }) => LAZY.includes(kind));
  const bundles = Array.from({ length: 12 }, (_, index) => cluster.bundle(index + 1));
  for (const bundle of bundles) give(cluster, bundle, [0]);
  cluster.run(500);
  assert.deepEqual(progressOf(cluster, 0), [4, 0]);
  lose(cluster, () => false);
  reach(cluster, 10_000, () => cluster.allFinal(bundles));
});

test('MinZyzzyva.CKPT.3: a certified state that is the own one is final without votes', () => {
  const cluster = scene({ f: 2, timers: PATIENT, limits: { checkpointInterval: 2 } });
  // Nobody tells replica 4 its votes, but everybody its CHECKPOINT.
  lose(
    cluster,
    (message, _from, to) =>
      to === 4 && ['STREAM-BATCH', 'STATUS', 'SPEC', 'STREAM-SYNC'].includes(message.kind),
  );
  const bundles = [1, 2].map((number) => {
    const waiting = cluster.ask(cluster.bundle(number), { retries: false });
    reach(cluster, 100, () => waiting.accepted !== undefined);
    return waiting.bundle;
  });
  reach(cluster, 3_000, () => cluster.allFinal(bundles));
  assert.ok(traced(cluster, 4, 'MinZyzzyva.CKPT.3').passed > 0);
  assert.equal(
    cluster.members[4]!.notes.some(({ name }) => name === 'transfer'),
    false,
  );
});

test('MinZyzzyva.VC.1, MinZyzzyva.VC.3, MinZyzzyva.VC.4: what all have answered is in the next base, and is answered again there (scenario 5)', () => {
  const cluster = scene({ timers: { ...PATIENT, requestMs: 400 } });
  lose(cluster, ({ kind }) => LAZY.includes(kind));
  const waiting = cluster.ask(cluster.bundle(1), { retries: false });
  reach(cluster, 50, () => waiting.accepted?.how === 'fast');
  cluster.crash(0);
  const next = cluster.ask(cluster.bundle(2), { to: [1, 2] });
  lose(cluster, () => false);
  reach(cluster, 20_000, () => next.accepted !== undefined);
  assert.equal(batchAt(cluster, 1, 1), batchAt(cluster, 2, 1));
  assert.ok(cluster.members[1]!.done.has(waiting.bundle.digest));
  cluster.judgeAccepted();
});

test('MinZyzzyva.VC.2: what nobody else stands for is undone, and the request gets another place (scenarios 3, 7)', () => {
  const cluster = scene({ f: 2, timers: { requestMs: 500, newViewMs: 2_000 } });
  lose(cluster, ({ kind }, from, to) => kind === 'PREPARE' && from === 0 && to !== 1);
  lose(
    cluster,
    (message, from, to) => (from === 0 && to !== 1) || (from === 1 && LAZY.includes(message.kind)),
  );
  const lonely = cluster.ask(cluster.bundle(1), { to: [0] });
  reach(cluster, 100, () => progressOf(cluster, 1)[0] === 1);
  cluster.partition((a, b) => a < 2 !== b < 2);
  const other = cluster.ask(cluster.bundle(2), { to: [2, 3, 4] });
  lose(cluster, () => false);
  reach(cluster, 40_000, () => other.accepted !== undefined);
  cluster.heal();
  const bundles = [lonely.bundle, other.bundle];
  reach(cluster, 40_000, () => lonely.accepted !== undefined && cluster.allFinal(bundles));
  assert.ok(cluster.members[0]!.rollbacks > 0 && cluster.members[1]!.rollbacks > 0);
  assert.equal(new Set([0, 1, 2, 3, 4].map((id) => batchAt(cluster, id, 1))).size, 1);
  cluster.judgeAccepted();
});

test('MinZyzzyva.VC.5: below the start of a base there is only state transfer', () => {
  const cluster = scene({ limits: { checkpointInterval: 2 }, timers: { requestMs: 500, newViewMs: 2_000 } });
  cluster.partition((a, b) => a === 2 || b === 2);
  for (const number of [1, 2, 3, 4, 5, 6]) {
    const waiting = cluster.ask(cluster.bundle(number), { to: [0, 1] });
    reach(cluster, 10_000, () => waiting.accepted !== undefined);
  }
  cluster.crash(0);
  cluster.heal();
  const waiting = cluster.ask(cluster.bundle(7));
  reach(cluster, 40_000, () => waiting.accepted !== undefined);
  assert.ok(cluster.members[2]!.notes.some(({ name }) => name === 'transfer'));
  cluster.judgeAccepted();
});

test('a restart in the middle of speculation rebuilds the same (scenario 17)', () => {
  const cluster = scene({ f: 2, timers: PATIENT });
  lose(cluster, ({ kind }) => kind === 'STREAM-BATCH' || kind === 'RESEND-REQUEST');
  for (const number of [1, 2, 3]) give(cluster, cluster.bundle(number), [0]);
  reach(cluster, 100, () => progressOf(cluster, 3)[0] >= 1);
  cluster.run(50);
  const { history } = cluster.members[3]!;
  const before = [...history];
  cluster.crash(3);
  cluster.start(3);
  reach(cluster, 5_000, () => cluster.members[3]!.history.length >= before.length);
  assert.deepEqual(cluster.members[3]!.history.slice(0, before.length), before);
});

test('a primary that skips a replica: it learns from the others, and the request completes (scenario 6)', () => {
  const cluster = scene({ timers: PATIENT });
  lose(cluster, ({ kind }, from, to) => from === 0 && to === 2 && kind === 'PREPARE');
  const waiting = cluster.ask(cluster.bundle(1));
  reach(cluster, 3_000, () => waiting.accepted !== undefined);
  reach(cluster, 3_000, () => cluster.allFinal([waiting.bundle]));
});

test('a dead stream is not waited for', () => {
  const cluster = scene({ timers: PATIENT });
  const { state } = cluster.members[0]!.replica as unknown as { state: { slots: { state: never }[] } };
  const slot = state.slots[2]! as { state: Parameters<typeof killStream>[0] };
  slot.state = killStream(slot.state);
  let asked = 0;
  lose(cluster, (message: UsigMessage | { kind: string }, from, to) => {
    if (message.kind === 'RESEND-REQUEST' && from === 0 && to === 2) asked += 1;
    return message.kind === 'STREAM-BATCH';
  });
  const waiting = cluster.ask(cluster.bundle(1));
  reach(cluster, 3_000, () => waiting.accepted !== undefined);
  assert.equal(asked, 0);
});

/** Histories against the rules of the view change. */
import type { GuidedScenario, Stage } from './stage.ts';

/** How a history with one hidden commitment goes on: R2 starts view 1 with R1 and helps it to decide n1 anew. */
function* startViewOneWithoutR0(stage: Stage, inView0: () => void): Generator<() => boolean, void, void> {
  const liar = stage.puppet(2);
  yield () => liar.heard('NEW-VIEW') !== undefined;
  // What R0 was told is told to R1 now: the stream has no gap, and the new base is made.
  inView0();
  liar.say([1], liar.voice.enter(liar.heard('NEW-VIEW')!.header));
  yield () => liar.proposal(1, 1) !== undefined;
  liar.say([1], liar.voice.commit(liar.proposal(1, 1)!));
  yield () => stage.executed(1) >= 1;
}

/** A COMMIT of a replica that has left the view. */
export const lateCommit: GuidedScenario = {
  name: 'late-commit',
  story:
    'R2 seals VIEW-CHANGE(1) first and then a COMMIT to n1 of view 0, which it shows to the primary R0 only. R1 starts ' +
    'view 1 from its own VIEW-CHANGE and that of R2, neither of which shows n1.',
  f: 1,
  puppets: [2],
  checkpointInterval: 2,
  pipelineFactor: 2,
  clients: 2,
  calmMs: 700,
  *script(stage) {
    const liar = stage.puppet(2);
    stage.cut([0], [1]);
    yield () => liar.proposal(0, 1) !== undefined;
    const viewChange = liar.voice.viewChange(1, { log: [] });
    const commit = liar.voice.commit(liar.proposal(0, 1)!);
    liar.say([0, 1], viewChange);
    liar.say([0], commit);
    liar.wish([1], 1);
    yield* startViewOneWithoutR0(stage, () => liar.say([1], commit));
  },
};

/** A VIEW-CHANGE whose log lacks its end. */
export const truncatedLog: GuidedScenario = {
  name: 'truncated-log',
  story:
    'R2 commits to n1 of view 0, towards the primary R0 only, which executes it. Then R2 seals VIEW-CHANGE(1) at counter ' +
    '2 with an empty log, and R1 starts view 1 from it.',
  f: 1,
  puppets: [2],
  checkpointInterval: 2,
  pipelineFactor: 2,
  clients: 2,
  calmMs: 700,
  *script(stage) {
    const liar = stage.puppet(2);
    stage.cut([0], [1]);
    yield () => liar.proposal(0, 1) !== undefined;
    const commit = liar.voice.commit(liar.proposal(0, 1)!);
    liar.say([0], commit);
    liar.wish([1], 1);
    liar.say([1], liar.voice.viewChange(1, { log: [] }));
    yield* startViewOneWithoutR0(stage, () => liar.say([1], commit));
  },
};

/** A replica skips orders by a CHECKPOINT that nobody else made. */
export const skippedOrders: GuidedScenario = {
  name: 'skipped-orders',
  story:
    'R2 seals CHECKPOINT(2) for a state that does not exist and commits to n3 without n1 and n2, towards the primary R0 ' +
    'only. Its VIEW-CHANGE(1) shows both and no certificate: a log with a hole that no stable checkpoint covers.',
  f: 1,
  puppets: [2],
  checkpointInterval: 2,
  pipelineFactor: 2,
  clients: 4,
  calmMs: 700,
  *script(stage) {
    const liar = stage.puppet(2);
    stage.cut([0], [1]);
    yield () => liar.proposal(0, 3) !== undefined;
    const wrongState = liar.proposal(0, 1)!.batchDigest;
    const checkpoint = liar.firstCheckpoint(2, wrongState, () => 0);
    const commit = liar.voice.commit(liar.proposal(0, 3)!);
    liar.say([0], checkpoint, commit);
    liar.wish([1], 1);
    liar.say([1], liar.voice.viewChange(1, { log: [checkpoint, commit] }));
    yield* startViewOneWithoutR0(stage, () => liar.say([1], checkpoint, commit));
  },
};

/** One view with two NEW-VIEWs. */
export const twoNewViews: GuidedScenario = {
  name: 'two-new-views',
  story:
    'R0 (Byzantine) has a PREPARE of n1 in its log alone. R1 (Byzantine), primary of view 1, seals two NEW-VIEWs: with ' +
    'an empty base directly after its VIEW-CHANGE, for R4, and with n1 in the base after that, for R2 and R3. R2, R3 ' +
    'and R0 enter the second one, a quorum; view 2 is started by R2, R3 and R4.',
  f: 2,
  puppets: [0, 1],
  checkpointInterval: 2,
  pipelineFactor: 2,
  clients: 2,
  calmMs: 1_200,
  *script(stage) {
    const [accomplice, liar] = [stage.puppet(0), stage.puppet(1)];
    const reconnect = stage.cut([4], [2, 3]);
    yield () => stage.bundles().length > 0;
    const body = accomplice.batch(0, stage.bundles().slice(0, 1));
    const prepare = accomplice.voice.prepare(0, 1, body);
    for (const puppet of [accomplice, liar]) puppet.wish([2, 3, 4], 1);
    yield () => [2, 3, 4].every((id) => liar.viewChangeOf(id, 1) !== undefined);
    const hidden = accomplice.voice.viewChange(1, { log: [prepare] });
    const own = liar.voice.viewChange(1, { log: [] });
    const [second, third, fourth] = [2, 3, 4].map((id) => liar.viewChangeOf(id, 1)!);
    const first = liar.newView([own, third!, fourth!]);
    const twin = liar.newView([hidden, own, second!]);
    liar.say([4], own, first);
    liar.give([2, 3], body);
    liar.say([2, 3], twin);
    accomplice.say([2, 3], prepare, hidden, accomplice.voice.enter(twin.header));
    yield () => liar.heard('COMMIT-NEW-VIEW', ({ ui }) => ui.replica === 4) !== undefined;
    yield (
      (until) => () =>
        stage.world.queue.now > until
    )(stage.world.queue.now + 20);
    reconnect();
    yield () => stage.executed(4) > 0;
  },
};

/** A base that only Byzantine logs support is shown to one correct replica. */
export const lonelyBase: GuidedScenario = {
  name: 'lonely-base',
  story:
    'R0 (Byzantine) has a PREPARE of n1 in its log alone; R1 (Byzantine), primary of view 1, seals a NEW-VIEW with n1 in ' +
    'its base and keeps it. When everybody has asked for view 2 it shows it to R3 alone, with the body. View 2 is ' +
    'started from the VIEW-CHANGEs of R2, R3 and R4, none of which entered view 1.',
  f: 2,
  puppets: [0, 1],
  checkpointInterval: 2,
  pipelineFactor: 2,
  clients: 2,
  calmMs: 1_200,
  *script(stage) {
    const [accomplice, liar] = [stage.puppet(0), stage.puppet(1)];
    yield () => stage.bundles().length > 0;
    const body = accomplice.batch(0, stage.bundles().slice(0, 1));
    const prepare = accomplice.voice.prepare(0, 1, body);
    for (const puppet of [accomplice, liar]) puppet.wish([2, 3, 4], 1);
    yield () => [2, 3, 4].every((id) => liar.viewChangeOf(id, 1) !== undefined);
    const hidden = accomplice.voice.viewChange(1, { log: [prepare] });
    const own = liar.voice.viewChange(1, { log: [] });
    const newView = liar.newView([hidden, own, liar.viewChangeOf(2, 1)!]);
    // Asking for view 1 makes the new-view timers of the others run.
    liar.say([2, 3, 4], own);
    const held = stage.lose(
      ({ to, message }) => to === 3 && message?.kind === 'NEW-VIEW' && message.header.view === 2,
    );
    yield () => liar.viewChangeOf(3, 2) !== undefined;
    liar.give([3], body);
    liar.say([3], newView);
    accomplice.say([3], prepare, hidden);
    yield (
      (until) => () =>
        stage.world.queue.now > until
    )(stage.world.queue.now + 10);
    held();
    yield () => stage.executed(4) > 0;
  },
};

/** A pipelined commitment that a log loses when it is cut at the stable checkpoint. */
export const pipelinedCut: GuidedScenario = {
  name: 'pipelined-cut',
  story:
    'The primary R0 seals PREPARE n5 before its CHECKPOINT(4); R1 commits to n5, executes it and is cut off. R2 ' +
    '(Byzantine) vouches for CHECKPOINT(4) of R0 and starts view 2 from the VIEW-CHANGEs of R0 and of itself. A log that ' +
    'was cut at CHECKPOINT(4) does not show n5.',
  f: 1,
  puppets: [2],
  checkpointInterval: 2,
  pipelineFactor: 2,
  clients: 6,
  calmMs: 1_500,
  *script(stage) {
    const liar = stage.puppet(2);
    // R0 must not execute n4 before it has sealed PREPARE n5.
    const late = stage.lose(
      ({ from, to, message }) =>
        from === 1 && to === 0 && message?.kind === 'COMMIT' && message.prepare.sequence === 4,
    );
    stage.lose(
      ({ from, message }) => from === 1 && message?.kind === 'COMMIT' && message.prepare.sequence >= 5,
    );
    yield () => liar.proposal(0, 5) !== undefined;
    late();
    const made = (id: number) =>
      liar.heard('CHECKPOINT', (one) => one.ui.replica === id && one.sequence === 4);
    yield () => made(0) !== undefined && made(1) !== undefined && stage.executed(1) >= 5;
    stage.cut([1], [0, 2]);
    const [ofPrimary, ofBackup] = [made(0)!, made(1)!];
    const voucher = liar.firstCheckpoint(4, ofPrimary.stateDigest, (id) =>
      id === 0 ? ofPrimary.ui.counter : 0,
    );
    liar.say([0], voucher);
    yield (
      (until) => () =>
        stage.world.queue.now > until
    )(stage.world.queue.now + 10);
    liar.wish([0], 2);
    const stable = { checkpoints: [ofPrimary, ofBackup] };
    const own = liar.voice.viewChange(2, { log: [voucher], stable });
    liar.say([0], own);
    yield () => liar.viewChangeOf(0, 2) !== undefined;
    const newView = liar.newView([liar.viewChangeOf(0, 2)!, own]);
    const { end, ui } = newView.header;
    liar.say([0], newView);
    const body = liar.batch(2, stage.bundles().slice(-1), 1);
    liar.give([0], body);
    liar.say([0], liar.voice.prepare(2, end + 1, body, ui.counter));
    yield () => stage.executed(0) > end;
  },
};

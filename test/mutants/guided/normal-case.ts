/** Histories against the rules of the normal case: client seals, bodies, and counting by incarnation. */
import { encodeKvOperation } from '../../../src/apps/kv/operations.ts';
import { encodeOperation } from '../../../src/ledger/operation.ts';
import type { GuidedScenario } from './stage.ts';

/** A primary proposes a transaction that no client ever signed. */
export const forgedRequest: GuidedScenario = {
  name: 'forged-request',
  story:
    'The Byzantine primary R0 lets a client open its session at n1, and proposes as n2 a write in that session that the ' +
    'client never made, under the seal of its OPEN. Correct backups refuse and change the view.',
  f: 1,
  puppets: [0],
  checkpointInterval: 2,
  pipelineFactor: 2,
  clients: 2,
  calmMs: 600,
  *script(stage) {
    const primary = stage.puppet(0);
    yield () => stage.bundles().length > 0;
    const genuine = stage.bundles()[0]!;
    const opening = primary.batch(0, [genuine]);
    primary.give([1, 2], opening);
    primary.say([1, 2], primary.voice.prepare(0, 1, opening));
    yield () => stage.executed(1) === 1 && stage.executed(2) === 1;
    const key = new Uint8Array([107, 0]);
    const put = encodeKvOperation({ kind: 'put', key, value: new Uint8Array([255]) });
    const operation = encodeOperation({ kind: 'app', idempotencyKey: undefined, operation: put });
    const batch = primary.batch(0, [primary.forge(genuine, 1, operation)]);
    primary.give([1, 2], batch);
    primary.say([1, 2], primary.voice.prepare(0, 2, batch));
    yield () => stage.executed(1) > 1;
  },
};

/** A primary proposes a body that it gives to nobody. */
export const withheldBody: GuidedScenario = {
  name: 'withheld-body',
  story:
    'The Byzantine primary R0 sends the header of a PREPARE and gives its body to nobody, ever. Whoever commits to it ' +
    'must show it in every later VIEW-CHANGE, and no base that holds it can be started from.',
  f: 1,
  puppets: [0],
  checkpointInterval: 2,
  pipelineFactor: 2,
  clients: 2,
  calmMs: 600,
  *script(stage) {
    const primary = stage.puppet(0);
    yield () => stage.bundles().length > 0;
    primary.say([1, 2], primary.voice.prepare(0, 1, primary.batch(0, stage.bundles().slice(0, 1))));
    yield () => stage.executed(1) > 0;
  },
};

/** A replica uses its retired incarnation and its new one in two histories. */
export const retiredVotes: GuidedScenario = {
  name: 'retired-votes',
  story:
    'R2 keeps its old trusted component beside a new one. Its RECOVER is n1, decided by R0 and R1; n3 stands in the ' +
    'same window, and R2 commits to it with the old component, towards R0 only. From n1 on that vote is void. With the ' +
    'new component, re-admitted by the checkpoint at 2, R2 starts view 1 with R1, which never saw n3.',
  f: 1,
  puppets: [2],
  checkpointInterval: 2,
  pipelineFactor: 2,
  clients: 3,
  calmMs: 900,
  *script(stage) {
    const liar = stage.puppet(2);
    const { voice, recover } = liar.secondVoice();
    stage.letClientsSpeak(false);
    const silenced = stage.lose(({ from, to }) => from === 1 && to === 0);
    // What R0 proposes as n3, and everything of it but its CHECKPOINT and its bodies from then on, does not reach R1.
    const hidden = stage.lose(
      ({ from, to, message }) =>
        from === 0 && to === 1 && message?.kind === 'PREPARE' && message.sequence >= 3,
    );
    yield () => stage.world.queue.now > 5;
    liar.say([0], recover);
    yield () => liar.proposal(0, 2) !== undefined;
    stage.letClientsSpeak(true);
    yield () => liar.proposal(0, 3) !== undefined;
    for (const n of [1, 2, 3]) liar.say([0], liar.voice.commit(liar.proposal(0, n)!));
    yield () =>
      stage.executed(1) === 2 && liar.heard('CHECKPOINT', ({ ui }) => ui.replica === 1) !== undefined;
    silenced();
    yield () =>
      stage.executed(0) >= 2 && liar.heard('CHECKPOINT', ({ ui }) => ui.replica === 0) !== undefined;
    const checkpoints = [0, 1].map((id) => liar.heard('CHECKPOINT', ({ ui }) => ui.replica === id)!);
    yield (
      (until) => () =>
        stage.world.queue.now > until
    )(stage.world.queue.now + 5);
    hidden();
    stage.cut([0], [1]);
    yield () => liar.viewChangeOf(1, 1) !== undefined || wishOfR1();
    liar.wish([1], 1);
    liar.say([1], voice.viewChange(1, { log: [], stable: { checkpoints } }));
    yield () => liar.heard('NEW-VIEW') !== undefined;
    liar.say([1], voice.enter(liar.heard('NEW-VIEW')!.header));
    yield () => liar.proposal(1, 3) !== undefined;
    liar.say([1], voice.commit(liar.proposal(1, 3)!));
    yield () => stage.executed(1) >= 3;

    function wishOfR1(): boolean {
      return liar.heard('REQUEST-VIEW-CHANGE', ({ replica }) => replica === 1) !== undefined;
    }
  },
};

/** A replica falls behind and comes back by state transfer. */
export const staleTable: GuidedScenario = {
  name: 'stale-table',
  story:
    'R2 has a checkpoint of its own when it is cut off. Sessions are opened and used without it; then it comes back by ' +
    'state transfer, which fetches what differs from its own checkpoint in the hash tree. Nobody lies.',
  f: 1,
  puppets: [],
  checkpointInterval: 4,
  pipelineFactor: 2,
  clients: 6,
  bundles: 6,
  paceMs: 25,
  calmMs: 400,
  *script(stage) {
    yield () => stage.executed(2) >= 4;
    const back = stage.cut([2], [0, 1]);
    yield () => stage.executed(0) >= 16;
    back();
    yield () => stage.executed(2) >= 20;
  },
};

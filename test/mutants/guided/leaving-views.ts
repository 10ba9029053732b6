/** More histories of view changes: who may lead where, from what, and who votes on. */
import { baseDigestOf } from '../../../src/smr/usig-stream/base.ts';
import { stubOf } from '../../../src/smr/usig-stream/builders.ts';
import type { LogEntry } from '../../../src/smr/usig-stream/messages.ts';
import { bentNewView, recoverBatch } from './forgeries.ts';
import { SMALL } from './seals.ts';
import type { GuidedScenario, Stage } from './stage.ts';

/** R2 enters the view that R1 starts, and helps it to decide n1 there. */
function* helpInViewOne(stage: Stage, before: () => void): Generator<() => boolean, void, void> {
  const liar = stage.puppet(2);
  yield () => liar.heard('NEW-VIEW') !== undefined;
  before();
  const { header } = liar.heard('NEW-VIEW')!;
  liar.say([1], liar.voice.enter(header));
  yield () => liar.proposal(1, header.end + 1) !== undefined;
  liar.say([1], liar.voice.commit(liar.proposal(1, header.end + 1)!));
  yield () => stage.executed(1) >= header.end + 1;
}

/** A PREPARE of view 0 in view 1. */
export const stalePrepare: GuidedScenario = {
  ...SMALL,
  name: 'stale-prepare',
  story:
    'R1 (Byzantine) leads view 1 and seals a PREPARE of n1 there that names view 0. R2 executes it and is cut off. R0 ' +
    'starts view 3 from its own log and that of R1, in which nothing of view 1 stands.',
  puppets: [1],
  calmMs: 2_500,
  *script(stage) {
    const liar = stage.puppet(1);
    stage.cut([0], [2]);
    liar.wish([2], 1);
    yield () => liar.viewChangeOf(2, 1) !== undefined;
    const own = liar.voice.viewChange(1, { log: [] });
    const newView = liar.newView([own, liar.viewChangeOf(2, 1)!]);
    const body = liar.batch(1, [], 7);
    const prepare = liar.voice.prepare(0, 1, body, newView.header.ui.counter);
    liar.give([2], body);
    liar.say([2], own, newView, prepare);
    yield () => stage.executed(2) > 0;
    const log: LogEntry[] = [stubOf(own), newView.header, prepare];
    const third = liar.voice.viewChange(3, { log, newViews: [newView] });
    liar.wish([0], 3);
    liar.say([0], own);
    yield () => liar.viewChangeOf(0, 3) !== undefined;
    liar.say([0], third);
    yield () => liar.heard('NEW-VIEW', ({ header }) => header.view === 3) !== undefined;
    const { header } = liar.heard('NEW-VIEW', ({ header: one }) => one.view === 3)!;
    liar.say([0], liar.voice.enter(header));
    yield () => liar.proposal(3, header.end + 1) !== undefined;
    liar.say([0], liar.voice.commit(liar.proposal(3, header.end + 1)!));
    yield () => stage.executed(0) > 0;
  },
};

/** A commitment with nothing before it. */
export const bareSkip: GuidedScenario = {
  ...SMALL,
  name: 'bare-skip',
  story:
    'R2 (Byzantine) commits to n3 without n1 and n2, towards the primary R0 alone, and its VIEW-CHANGE(1) shows just ' +
    'that. R1 starts view 1 from it.',
  puppets: [2],
  clients: 4,
  *script(stage) {
    const liar = stage.puppet(2);
    stage.cut([0], [1]);
    yield () => liar.proposal(0, 3) !== undefined;
    const commit = liar.voice.commit(liar.proposal(0, 3)!);
    liar.say([0], commit);
    liar.wish([1], 1);
    liar.say([1], liar.voice.viewChange(1, { log: [commit] }));
    yield* helpInViewOne(stage, () => liar.say([1], commit));
  },
};

/** A log that holds a message of somebody else in the place of an own one. */
export const foreignEntry: GuidedScenario = {
  ...SMALL,
  name: 'foreign-entry',
  story:
    'R2 (Byzantine) commits to n1 towards the primary R0 alone. Its VIEW-CHANGE(1) shows the VIEW-CHANGE of R1 in the ' +
    'place of that COMMIT.',
  puppets: [2],
  *script(stage) {
    const liar = stage.puppet(2);
    stage.cut([0], [1]);
    yield () => liar.proposal(0, 1) !== undefined;
    const commit = liar.voice.commit(liar.proposal(0, 1)!);
    liar.say([0], commit);
    liar.wish([1], 1);
    yield () => liar.viewChangeOf(1, 1) !== undefined;
    liar.say([1], liar.voice.viewChange(1, { log: [stubOf(liar.viewChangeOf(1, 1)!)] }));
    yield* helpInViewOne(stage, () => liar.say([1], commit));
  },
};

/** A truthful VIEW-CHANGE with one decided order in it. */
export const truthfulLog: GuidedScenario = {
  ...SMALL,
  name: 'truthful-log',
  story:
    'R2 commits to n1 towards the primary R0 alone, which executes it. R2 tells the truth in its VIEW-CHANGE(1), and ' +
    'R1 starts view 1 from it.',
  puppets: [2],
  *script(stage) {
    const liar = stage.puppet(2);
    stage.cut([0], [1]);
    yield () => liar.proposal(0, 1) !== undefined;
    const commit = liar.voice.commit(liar.proposal(0, 1)!);
    liar.say([0], commit);
    yield () => stage.executed(0) > 0;
    liar.wish([1], 1);
    liar.say([1], liar.voice.viewChange(1, { log: [commit] }));
    yield* helpInViewOne(stage, () => undefined);
  },
};

/** A NEW-VIEW from too few VIEW-CHANGEs. */
export const lonelyNewView: GuidedScenario = {
  ...SMALL,
  name: 'lonely-new-view',
  story:
    'R2 (Byzantine) commits to n1 towards the primary R0 alone and asks R1 for view 1. R1 has no VIEW-CHANGE but its own; ' +
    'whoever starts a view from that knows nothing of n1.',
  puppets: [2],
  *script(stage) {
    const liar = stage.puppet(2);
    stage.cut([0], [1]);
    yield () => liar.proposal(0, 1) !== undefined;
    const commit = liar.voice.commit(liar.proposal(0, 1)!);
    liar.say([0], commit);
    yield () => stage.executed(0) > 0;
    liar.wish([1], 1);
    yield () => liar.heard('NEW-VIEW') !== undefined;
    liar.say([1], commit, liar.voice.viewChange(1, { log: [commit] }));
    yield* helpInViewOne(stage, () => undefined);
  },
};

/** A NEW-VIEW that leaves out what its VIEW-CHANGEs show. */
export const shortenedBase: GuidedScenario = {
  ...SMALL,
  name: 'shortened-base',
  story:
    'N = 5. R0 executes n1 with the votes of R3 and R1 (Byzantine); R2 and R4 have seen nothing. R1 leads view 1: it ' +
    'quotes truthful VIEW-CHANGEs in a NEW-VIEW whose base is empty, for R2 and R4, and proposes another n1.',
  f: 2,
  puppets: [1],
  calmMs: 1_200,
  *script(stage) {
    const liar = stage.puppet(1);
    stage.cut([0, 3], [2, 4]);
    yield () => liar.proposal(0, 1) !== undefined;
    const commit = liar.voice.commit(liar.proposal(0, 1)!);
    liar.say([0, 3], commit);
    yield () => stage.executed(0) > 0;
    liar.wish([2, 4], 1);
    yield () => liar.viewChangeOf(2, 1) !== undefined && liar.viewChangeOf(4, 1) !== undefined;
    const own = liar.voice.viewChange(1, { log: [commit] });
    const quoted = [own, liar.viewChangeOf(2, 1)!, liar.viewChangeOf(4, 1)!];
    const baseDigest = baseDigestOf(liar.context, []);
    const newView = bentNewView(liar, quoted, (content) => ({ ...content, end: 0, baseDigest }));
    const body = liar.batch(1, [], 7);
    for (const id of [2, 4]) {
      stage.giveBodies(1, id);
      liar.give([id], body);
    }
    liar.say([2, 4], own, newView, liar.voice.prepare(1, 1, body, newView.header.ui.counter));
    yield () => stage.executed(2) > 0;
  },
};

/** A NEW-VIEW that starts one order too high. */
export const shiftedBase: GuidedScenario = {
  ...SMALL,
  name: 'shifted-base',
  story:
    'N = 5. Everybody executes n1. Then R0 executes n2 with the votes of R3 and R1 (Byzantine), unseen by R2 and R4. R1 ' +
    'leads view 1: its NEW-VIEW has the true base, n1 and n2, but says that it starts above n1.',
  f: 2,
  puppets: [1],
  clients: 3,
  calmMs: 1_200,
  *script(stage) {
    const liar = stage.puppet(1);
    stage.lose(({ from, to, message }) => {
      if (![0, 3].includes(from) || ![2, 4].includes(to)) return false;
      const proposal = message?.kind === 'COMMIT' ? message.prepare : message;
      return proposal?.kind === 'PREPARE' && proposal.sequence > 1;
    });
    yield () => stage.executed(2) === 1 && stage.executed(4) === 1 && liar.proposal(0, 2) !== undefined;
    stage.cut([0, 3], [2, 4]);
    const commits = [1, 2].map((sequence) => liar.voice.commit(liar.proposal(0, sequence)!));
    liar.say([0, 3], ...commits);
    yield () => stage.executed(0) >= 2;
    liar.wish([2, 4], 1);
    yield () => liar.viewChangeOf(2, 1) !== undefined && liar.viewChangeOf(4, 1) !== undefined;
    const own = liar.voice.viewChange(1, { log: commits });
    const quoted = [own, liar.viewChangeOf(2, 1)!, liar.viewChangeOf(4, 1)!];
    const newView = bentNewView(liar, quoted, (content) => ({ ...content, low: 1 }));
    for (const id of [2, 4]) stage.giveBodies(1, id);
    liar.say([2, 4], own, newView);
    yield () => stage.executed(2) > 1;
  },
};

/** A long log of an old view against a short one of a newer view. */
export const longerOldLog: GuidedScenario = {
  ...SMALL,
  name: 'longer-old-log',
  story:
    'R0 proposed n1 and n2 in view 0, which nobody else saw. R1 and R2 (Byzantine, but truthful here) decided another n1 ' +
    'in view 1. Then R1 is away and R2 starts view 2 with R0, whose log of view 0 is the longer one.',
  puppets: [2],
  clients: 4,
  calmMs: 2_500,
  *script(stage) {
    const liar = stage.puppet(2);
    stage.cut([0], [1]);
    yield () => liar.proposal(0, 2) !== undefined;
    const first = liar.voice.viewChange(1, { log: [] });
    liar.wish([0, 1], 1);
    liar.say([0, 1], first);
    yield () => liar.heard('NEW-VIEW') !== undefined;
    const newView = liar.heard('NEW-VIEW')!;
    const enter = liar.voice.enter(newView.header);
    liar.say([1], enter);
    yield () => liar.proposal(1, 1) !== undefined;
    const commit = liar.voice.commit(liar.proposal(1, 1)!);
    liar.say([1], commit);
    yield () => stage.executed(1) > 0;
    liar.wish([0], 2);
    yield () => liar.viewChangeOf(0, 2) !== undefined;
    const own = liar.voice.viewChange(2, { log: [stubOf(first), enter, commit], newViews: [newView] });
    liar.say([0], own, liar.newView([liar.viewChangeOf(0, 2)!, own]));
    yield () => stage.executed(0) > 0;
  },
};

/** A replica votes in the view that it has left. */
export const lateProposal: GuidedScenario = {
  ...SMALL,
  name: 'late-proposal',
  story:
    'Nobody lies. R0 proposes n1 and is heard by nobody. R1 and R2 leave view 0; the NEW-VIEW of R1 is on its way to R2 ' +
    'when the old PREPARE comes there first. Whoever commits to it now, commits without any later base knowing of it.',
  puppets: [],
  calmMs: 1_500,
  *script(stage) {
    let started = false;
    stage.cut([0], [1]);
    const silent = stage.lose(({ from, to }) => from === 0 && to === 2);
    const held = stage.lose(({ from, to, message }) => {
      const isNewView = message?.kind === 'NEW-VIEW' || message?.kind === 'NEW-VIEW-CERTIFICATE';
      if (from !== 1 || to !== 2 || !isNewView) return false;
      started = true;
      return true;
    });
    yield () => started;
    silent();
    yield stage.after(150);
    held();
    yield () => stage.executed(1) > 0;
  },
};

/** One replica asks for ever higher views. */
export const restless: GuidedScenario = {
  ...SMALL,
  name: 'restless',
  story:
    'Nothing fails, but R2 (Byzantine) asks for a higher view twice a millisecond. Nobody else has a reason to.',
  puppets: [2],
  settleMs: 400,
  endless: true,
  calmMs: 100,
  *script(stage) {
    const liar = stage.puppet(2);
    for (let view = 1; ; view += 1) {
      liar.wish([0, 1], view);
      yield stage.after(0.4);
    }
  },
};

/** Only one of two replicas is told that somebody wants another view. */
export const oneTold: GuidedScenario = {
  ...SMALL,
  name: 'one-told',
  story:
    'R1 does not hear the primary for a while and asks for view 1. R2 (Byzantine) supports that towards R1 alone, which ' +
    'leaves view 0. Then R2 is silent for ever: R0 must follow, or nothing is decided any more.',
  puppets: [2],
  calmMs: 400,
  *script(stage) {
    const liar = stage.puppet(2);
    const deaf = stage.lose(({ from, to }) => from === 0 && to === 1);
    liar.wish([1], 1);
    yield () => liar.viewChangeOf(1, 1) !== undefined;
    deaf();
  },
};

/** A replica hears of a view when everything in it is over. */
export const lateNewView: GuidedScenario = {
  ...SMALL,
  name: 'late-new-view',
  story:
    'Nobody lies. R0 and R1 decide all there is to decide in view 1; R2 has left view 0 and hears of view 1 only then, ' +
    'the NEW-VIEW and all votes at once. No checkpoint comes to its help.',
  puppets: [],
  checkpointInterval: 32,
  calmMs: 900,
  *script(stage) {
    const away = stage.cut([0], [1, 2]);
    let started = false;
    const late = stage.lose(({ from, to, message }) => {
      if (from === 1 && message?.kind === 'NEW-VIEW') started = true;
      return started && to === 2;
    });
    yield () => started;
    away();
    yield stage.after(250);
    late();
  },
};

/** A base that re-registers one of those who enter its view. */
export const baseWithRecover: GuidedScenario = {
  ...SMALL,
  name: 'base-with-recover',
  story:
    'N = 5; R0 and R4 are Byzantine, and R4 has a second trusted component. In view 0 R0, R2 and R3 decide n1, the RECOVER ' +
    'of R4, and n2; R1 sees nothing. R0 seals n3 and shows it in its VIEW-CHANGE(1) alone. The base of view 1, led by R1, ' +
    'is n1 to n3; R0 and the old component of R4 enter it, R2 and R3 do not. These two start view 2 with the new component ' +
    'of R4 from the stable checkpoint at 2, and n3 is something else there.',
  f: 2,
  puppets: [0, 4],
  clients: 4,
  calmMs: 2_500,
  *script(stage) {
    const [primary, liar] = [stage.puppet(0), stage.puppet(4)];
    const { voice, recover } = liar.secondVoice();
    if (recover.kind !== 'RECOVER') return;
    stage.cut([1], [2, 3]);
    // Nothing is stable at R2 and R3 before they have left view 0.
    const held = stage.lose(({ from, to, message }) => {
      return from >= 2 && from <= 3 && to >= 2 && to <= 3 && message?.kind === 'CHECKPOINT';
    });
    yield () => stage.bundles().length > 1;
    const bundles = stage.bundles();
    const first = recoverBatch(primary, recover.request);
    const second = primary.batch(0, bundles.slice(0, 1), 1);
    const third = primary.batch(0, bundles.slice(1, 2), 2);
    const log = [primary.voice.prepare(0, 1, first), primary.voice.prepare(0, 2, second)];
    for (const body of [first, second]) primary.give([2, 3], body);
    primary.say([2, 3], ...log);
    yield () => stage.executed(2) === 2 && stage.executed(3) === 2;
    yield () =>
      [2, 3].every((id) => primary.heard('CHECKPOINT', ({ ui }) => ui.replica === id) !== undefined);
    const [like, other] = [2, 3].map((id) => primary.heard('CHECKPOINT', ({ ui }) => ui.replica === id)!);
    const summary = { ...like!.self, lastSequence: 2, lastPrimaryCounter: 2, checkpointSequence: 0 };
    const checkpoint = primary.voice.checkpoint({ ...like!, self: summary });
    const checkpoints = [checkpoint, like!, other!];
    const hidden = primary.voice.prepare(0, 3, third);
    for (const puppet of [primary, liar]) puppet.wish([1, 2, 3], 1);
    yield () => primary.viewChangeOf(3, 1) !== undefined && primary.viewChangeOf(2, 1) !== undefined;
    const own = primary.voice.viewChange(1, { log: [...log, checkpoint, hidden] });
    const old = liar.voice.viewChange(1, { log: [] });
    for (const body of [first, second, third]) primary.give([1], body);
    primary.say([1], own, primary.viewChangeOf(3, 1)!);
    yield () => primary.heard('NEW-VIEW', ({ header }) => header.view === 1) !== undefined;
    const { header } = primary.heard('NEW-VIEW', ({ header: one }) => one.view === 1)!;
    primary.say([1], primary.voice.enter(header));
    liar.say([1], old, liar.voice.enter(header));
    yield () => stage.executed(1) >= 3;
    stage.cut([1], [2, 3]);
    held();
    primary.say([2, 3], checkpoint);
    for (const puppet of [primary, liar]) puppet.wish([2, 3], 2);
    liar.say([2, 3], voice.viewChange(2, { log: [], stable: { checkpoints } }));
    yield () => liar.heard('NEW-VIEW', ({ header: one }) => one.view === 2) !== undefined;
    const next = liar.heard('NEW-VIEW', ({ header: one }) => one.view === 2)!.header;
    liar.say([2, 3], voice.enter(next));
    yield () => stage.executed(2) >= 3;
  },
};

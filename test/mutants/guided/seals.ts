/** Histories against what seals stand for, and against the rules of one view. */
import type { GuidedScenario } from './stage.ts';
import { inventedSeal, proposalOf, signedElsewhere, underSeal } from './forgeries.ts';

/** Three replicas, R2 or R0 on strings, small checkpoints. */
export const SMALL = {
  f: 1,
  checkpointInterval: 2,
  pipelineFactor: 2,
  clients: 2,
  calmMs: 700,
} as const;

/** A PREPARE of the primary that its component never certified. */
export const forgedSeal: GuidedScenario = {
  ...SMALL,
  name: 'forged-seal',
  story:
    'R0 is correct and leads view 0. R2 (Byzantine) shows R1 a PREPARE of n1 that bears the name of R0 and a made-up ' +
    'certificate, and commits to the real n1 towards R0.',
  puppets: [2],
  *script(stage) {
    const liar = stage.puppet(2);
    stage.cut([0], [1]);
    yield () => liar.proposal(0, 1) !== undefined;
    const body = liar.batch(0, [], 7);
    liar.give([1], body);
    liar.say([1], underSeal(liar, proposalOf(1, body), inventedSeal(stage, 0, 1)));
    liar.say([0], liar.voice.commit(liar.proposal(0, 1)!));
    yield () => stage.executed(0) > 0 && stage.executed(1) > 0;
  },
};

/** One certificate, two statements. */
export const twoFacedSeal: GuidedScenario = {
  ...SMALL,
  name: 'two-faced-seal',
  story:
    'The Byzantine primary R0 has its component certify one PREPARE of n1, and shows it to R1. To R2 it shows another ' +
    'PREPARE of n1 with that very certificate.',
  puppets: [0],
  *script(stage) {
    const primary = stage.puppet(0);
    yield () => stage.bundles().length > 0;
    const [one, other] = [primary.batch(0, stage.bundles().slice(0, 1)), primary.batch(0, [], 7)];
    const prepare = primary.voice.prepare(0, 1, one);
    stage.cut([1], [2]);
    primary.give([1], one);
    primary.say([1], prepare);
    primary.give([2], other);
    primary.say([2], underSeal(primary, proposalOf(1, other), prepare.ui));
    yield () => stage.executed(1) > 0 && stage.executed(2) > 0;
  },
};

/** A COMMIT around a PREPARE that nobody made. */
export const forgedInner: GuidedScenario = {
  ...SMALL,
  name: 'forged-inner',
  story:
    'R0 is correct and leads view 0. R2 (Byzantine) commits to the real n1 towards R0, and shows R1 a COMMIT of its own ' +
    'around a PREPARE of n1 that R0 never made.',
  puppets: [2],
  *script(stage) {
    const liar = stage.puppet(2);
    stage.cut([0], [1]);
    yield () => liar.proposal(0, 1) !== undefined;
    liar.say([0], liar.voice.commit(liar.proposal(0, 1)!));
    const body = liar.batch(0, [], 7);
    liar.give([1], body);
    liar.say([1], liar.voice.commit(underSeal(liar, proposalOf(1, body), inventedSeal(stage, 0, 1))));
    yield () => stage.executed(0) > 0 && stage.executed(1) > 0;
  },
};

/** A backup commits twice to one order. */
export const doubleCommit: GuidedScenario = {
  ...SMALL,
  name: 'double-commit',
  story:
    'N = 5. The correct primary R0 is heard by R1 (Byzantine) alone, which commits to n1 twice. The others suspect R0, ' +
    'wait for R1 in vain, and decide n1 in view 2.',
  f: 2,
  puppets: [1],
  calmMs: 1_200,
  *script(stage) {
    const liar = stage.puppet(1);
    stage.cut([0], [2, 3, 4]);
    yield () => liar.proposal(0, 1) !== undefined;
    const proposal = liar.proposal(0, 1)!;
    liar.say([0], liar.voice.commit(proposal), liar.voice.commit(proposal));
    yield () => stage.executed(0) > 0 && stage.executed(2) > 0;
  },
};

/** A backup proposes. */
export const usurper: GuidedScenario = {
  ...SMALL,
  name: 'usurper',
  story:
    'R2 (Byzantine), a backup, seals a PREPARE of n1 in view 0 for R1 alone, which commits and executes. Then R1 is cut ' +
    'off, and R2 starts view 2 with R0, whose log holds the n1 of the real primary.',
  puppets: [2],
  calmMs: 1_500,
  *script(stage) {
    const liar = stage.puppet(2);
    stage.cut([1], [0]);
    yield () => liar.proposal(0, 1) !== undefined;
    const body = liar.batch(0, [], 7);
    const prepare = liar.voice.prepare(0, 1, body);
    liar.give([1], body);
    liar.say([1], prepare);
    yield () => stage.executed(1) > 0;
    stage.cut([1], [2]);
    liar.wish([0], 2);
    const own = liar.voice.viewChange(2, { log: [prepare] });
    liar.say([0], own);
    yield () => liar.viewChangeOf(0, 2) !== undefined;
    liar.say([0], liar.newView([liar.viewChangeOf(0, 2)!, own]));
    yield () => stage.executed(0) > 0;
  },
};

/** Two PREPAREs for one order. */
export const doublePrepare: GuidedScenario = {
  ...SMALL,
  name: 'double-prepare',
  story:
    'The Byzantine primary R0 seals two PREPAREs of n1. R1 gets the first with its body; R2 gets both at once, and the ' +
    'body of the second.',
  puppets: [0],
  *script(stage) {
    const primary = stage.puppet(0);
    yield () => stage.bundles().length > 0;
    const [one, other] = [primary.batch(0, stage.bundles().slice(0, 1)), primary.batch(0, [], 7)];
    const [first, second] = [primary.voice.prepare(0, 1, one), primary.voice.prepare(0, 1, other)];
    stage.cut([1], [2]);
    primary.give([1], one);
    primary.say([1], first);
    primary.give([2], other);
    primary.say([2], second, first);
    yield () => stage.executed(1) > 0 && stage.executed(2) > 0;
  },
};

/** One request in two batches. */
export const proposedTwice: GuidedScenario = {
  ...SMALL,
  name: 'proposed-twice',
  story: 'The Byzantine primary R0 proposes the same write of a client as n2 and as n3.',
  puppets: [0],
  *script(stage) {
    const primary = stage.puppet(0);
    yield () => stage.bundles().length > 0;
    const opening = primary.batch(0, stage.bundles().slice(0, 1));
    primary.give([1, 2], opening);
    primary.say([1, 2], primary.voice.prepare(0, 1, opening));
    yield () => stage.bundles().some(({ session }) => session > 0);
    const write = stage.bundles().find(({ session }) => session > 0)!;
    for (const [sequence, time] of [
      [2, 0],
      [3, 1],
    ] as const) {
      const batch = primary.batch(0, [write], time);
      primary.give([1, 2], batch);
      primary.say([1, 2], primary.voice.prepare(0, sequence, batch));
    }
    yield () => stage.executed(1) > 2 && stage.executed(2) > 2;
  },
};

/** A write that was signed for another cluster. */
export const otherCluster: GuidedScenario = {
  ...SMALL,
  name: 'other-cluster',
  story:
    'A client uses one key in two clusters. The Byzantine primary R0 of this one proposes a write that the client signed ' +
    'for the other one.',
  puppets: [0],
  *script(stage) {
    const primary = stage.puppet(0);
    yield () => stage.bundles().length > 0;
    const genuine = stage.bundles()[0]!;
    const opening = primary.batch(0, [genuine]);
    primary.give([1, 2], opening);
    primary.say([1, 2], primary.voice.prepare(0, 1, opening));
    yield () => stage.executed(1) === 1 && stage.executed(2) === 1;
    const batch = primary.batch(0, [signedElsewhere(stage, genuine, 1)]);
    primary.give([1, 2], batch);
    primary.say([1, 2], primary.voice.prepare(0, 2, batch));
    yield () => stage.executed(1) > 1;
  },
};

/** A primary that only its own vote supports. */
export const lonelyPrimary: GuidedScenario = {
  ...SMALL,
  name: 'lonely-primary',
  story: 'Nobody lies. The primary R0 is cut off with a request; R1 and R2 go on in view 1.',
  puppets: [],
  *script(stage) {
    stage.cut([0], [1, 2]);
    yield () => stage.executed(1) > 0 && stage.executed(2) > 0;
  },
};

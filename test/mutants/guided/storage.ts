/** Histories of restarts, transfers, buffers and timers. */
import { SMALL } from './seals.ts';
import type { GuidedScenario } from './stage.ts';

/** A component is read back from its records. */
export const componentRestart: GuidedScenario = {
  ...SMALL,
  name: 'component-restart',
  story:
    'R1 and its trusted component lose power together and come back; all that was synced is there. R2 (Byzantine) is ' +
    'silent, so R0 and R1 need each other.',
  puppets: [2],
  *script(stage) {
    yield () => stage.executed(1) > 1;
    stage.crash(1);
    stage.genesis.trusted[1]!.restart();
    yield stage.after(20);
    stage.restart(1);
    yield stage.after(20);
  },
};

/** Power is cut while a seal is under way. */
export const cutBeforeSync: GuidedScenario = {
  ...SMALL,
  name: 'cut-before-sync',
  story: 'Nobody lies; disks are slow. R1 loses power as soon as its first COMMIT has reached the primary.',
  puppets: [],
  disk: { syncLowMs: 4, syncHighMs: 5 },
  *script(stage) {
    let heard = false;
    stage.lose(({ from, to, message }) => {
      heard ||= from === 1 && to === 0 && message?.kind === 'COMMIT';
      return false;
    });
    yield () => heard;
    stage.crash(1);
    yield stage.after(20);
    stage.restart(1);
    yield stage.after(20);
  },
};

/** A restart between VIEW-CHANGE and NEW-VIEW. */
export const restartWhileChanging: GuidedScenario = {
  ...SMALL,
  name: 'restart-while-changing',
  story:
    'R1 hears nothing of the primary and leaves view 0, with the support of R2 (Byzantine), which is silent otherwise. R1 ' +
    'loses power, comes back, and hears the primary again.',
  puppets: [2],
  *script(stage) {
    const liar = stage.puppet(2);
    const deaf = stage.lose(({ from, to }) => from === 0 && to === 1);
    const mute = stage.lose(({ from, to }) => from === 1 && to === 0);
    liar.wish([1], 1);
    yield () => liar.viewChangeOf(1, 1) !== undefined;
    stage.crash(1);
    yield stage.after(10);
    stage.restart(1);
    yield stage.after(10);
    deaf();
    mute();
    yield stage.after(100);
  },
};

/** State from a source that lies. */
export const wrongChunks: GuidedScenario = {
  ...SMALL,
  name: 'wrong-chunks',
  story:
    'R2 falls behind and comes back by state transfer. R0 (Byzantine) alters a byte of every chunk of the application that ' +
    'it serves.',
  puppets: [],
  liars: [0],
  checkpointInterval: 4,
  clients: 6,
  bundles: 6,
  paceMs: 25,
  calmMs: 500,
  *script(stage) {
    stage.alter(({ frame }) => {
      if (frame.kind !== 'chunks') return frame;
      const chunks = frame.chunks.map(({ index, bytes }) => {
        const altered = bytes.slice();
        if (altered.length > 0) altered[altered.length - 1]! ^= 1;
        return { index, bytes: altered };
      });
      return { ...frame, chunks };
    });
    yield () => stage.executed(2) >= 4;
    const back = stage.cut([2], [0, 1]);
    yield () => stage.executed(1) >= 16;
    back();
    yield () => stage.executed(2) >= 20;
  },
};

/** A transfer that takes longer than catching up would. */
export const overtakenTransfer: GuidedScenario = {
  ...SMALL,
  name: 'overtaken-transfer',
  story:
    'Nobody lies. R2 begins to fetch the state of a stable checkpoint; the answers take so long that the votes it lacks ' +
    'come first.',
  puppets: [],
  checkpointInterval: 4,
  clients: 2,
  bundles: 4,
  paceMs: 12,
  calmMs: 900,
  *script(stage) {
    let asked = false;
    yield () => stage.executed(2) >= 4;
    const votes = stage.lose(({ to, message }) => {
      const isVote = message?.kind === 'PREPARE' || message?.kind === 'COMMIT';
      return to === 2 && isVote;
    });
    const answers = stage.lose(({ from, frame }) => {
      asked ||= from === 2 && frame.kind === 'fetchNode';
      return frame.kind === 'node' || frame.kind === 'chunks';
    });
    yield () => asked;
    votes();
    yield stage.after(200);
    answers();
    yield stage.after(100);
  },
};

/** Timers that are too short for the network. */
export const slowNetwork: GuidedScenario = {
  ...SMALL,
  name: 'slow-network',
  story:
    'Nobody lies, but a NEW-VIEW takes 100 ms where other messages take 8, and the new-view timer waits 10 at first. Views ' +
    'fail until the wait has doubled often enough.',
  puppets: [],
  timers: { requestMs: 60, newViewMs: 10 },
  late: ({ frame, message }) => {
    // A NEW-VIEW of a late view is long and travels in pieces.
    const isLong = frame.kind === 'fragment' || message?.kind.startsWith('NEW-VIEW') === true;
    return isLong ? 100 : 8;
  },
  calmMs: 150,
  settleMs: 600,
  *script(stage) {
    stage.lose(({ message }) => message?.kind === 'PREPARE');
    yield stage.after(140);
  },
};

/** A snapshot that rots on the disk. */
export const rottenSnapshot: GuidedScenario = {
  ...SMALL,
  name: 'rotten-snapshot',
  story:
    'R2 loses power. A bit in a value of its stored snapshot flips where no check value sees it, and it starts again. What ' +
    'it starts on must be the state that was certified, or nothing.',
  puppets: [],
  clients: 2,
  bundles: 6,
  paceMs: 15,
  calmMs: 300,
  *script(stage) {
    yield () => stage.executed(2) >= 8;
    stage.crash(2);
    yield stage.after(10);
    stage.restartOnRottenSnapshot(2);
    yield stage.after(100);
  },
};

/** Counter values far ahead. */
export const farAhead: GuidedScenario = {
  ...SMALL,
  name: 'far-ahead',
  story: 'R2 (Byzantine) seals hundreds of messages and shows R0 and R1 all of them but the first.',
  puppets: [2],
  *script(stage) {
    const liar = stage.puppet(2);
    yield () => liar.proposal(0, 1) !== undefined;
    const proposal = liar.proposal(0, 1)!;
    const commits = Array.from({ length: 700 }, () => liar.voice.commit(proposal));
    liar.say([0, 1], ...commits.slice(1));
    yield stage.after(60);
  },
};

/** The scenario scripts of the lessons, as the bundler packs them into the page. */
import cheapbft from './cheapbft.txt';
import componentPutBackFenced from './component-put-back-fenced.txt';
import componentPutBack from './component-put-back.txt';
import componentTakenIn from './component-taken-in.txt';
import fourReplicas from './four-replicas-without-counters.txt';
import minbft from './minbft.txt';
import pbft from './pbft.txt';
import speculationUndone from './speculation-undone.txt';
import threeReplicas from './three-replicas-without-counters.txt';
import twoStories from './two-stories-with-a-counter.txt';
import viewChange from './view-change.txt';
import zyzzyva from './zyzzyva.txt';

/** By name, as `LessonRun.script` has it. */
export const LESSON_SCRIPTS: Readonly<Record<string, string>> = {
  cheapbft,
  'component-put-back-fenced': componentPutBackFenced,
  'component-put-back': componentPutBack,
  'component-taken-in': componentTakenIn,
  'four-replicas-without-counters': fourReplicas,
  minbft,
  pbft,
  'speculation-undone': speculationUndone,
  'three-replicas-without-counters': threeReplicas,
  'two-stories-with-a-counter': twoStories,
  'view-change': viewChange,
  zyzzyva,
};

/** What the worker of the playground does for its page; nothing here needs a browser. */
import { scriptOfChoices } from '../../sim/playback/choices.ts';
import type { PlayOptions } from '../../sim/playback/contract.ts';
import { eventLogDigest } from '../../sim/playback/digest.ts';
import { drawnScript } from '../../sim/playback/draw.ts';
import { play } from '../../sim/playback/play.ts';
import { ScriptError } from '../../sim/script/script.ts';
import type { Script } from '../../sim/script/script.ts';
import type { PlaySource, WorkerAnswer, WorkerQuestion } from './worker-contract.ts';

/** Answers a question of the page; whatever is wrong is said in a sentence. */
export function answerTo(
  question: WorkerQuestion,
  modules: NonNullable<PlayOptions['modules']>,
): WorkerAnswer {
  const { id } = question;
  try {
    if (question.kind === 'digests') {
      const digests = question.schedules.map((one) => eventLogDigest(play(drawnScript(one)).trace));
      return { kind: 'digests', id, digests };
    }
    const source = scriptFor(question.source);
    const playback = play(source, { modules });
    return { kind: 'played', id, playback };
  } catch (error) {
    const { message } = error as Error;
    const text = error instanceof ScriptError ? message : `this run came to a bad end: ${message}`;
    return { kind: 'failed', id, text };
  }
}

function scriptFor(source: PlaySource): Script | string {
  switch (source.kind) {
    case 'script':
      return source.text;
    case 'draw':
      return drawnScript(source.schedule);
    case 'choices': {
      const script = scriptOfChoices(source.choices);
      if (typeof script === 'string') throw new ScriptError(0, script);
      return script;
    }
  }
}

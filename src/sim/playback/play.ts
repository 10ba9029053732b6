/** Plays a scenario from beginning to end and hands out all of it: the playground steps through the result. */
import { parseScript } from '../script/parse.ts';
import { runScript } from '../script/run.ts';
import { ScriptError } from '../script/script.ts';
import type { Script } from '../script/script.ts';
import { Recorder } from '../trace/recorder.ts';
import type { Trace } from '../trace/trace.ts';
import { boundsProblem, SCRIPT_LENGTH_MAX } from './bounds.ts';
import { checkersOf } from './checkers.ts';
import type { Playback, PlaybackTotals, PlayOptions } from './contract.ts';
import { deployedUsig } from './modules.ts';

/** Events of a trace, at most: what a page still holds and shows. */
const EVENTS_MAX = 200_000;

/**
 * See the top of this file. Equal scripts give equal playbacks, in Node and in a browser. Throws `ScriptError` with a
 * sentence if it cannot be played.
 */
export function play(source: Script | string, options: PlayOptions = {}): Playback {
  try {
    return played(source, options);
  } catch (error) {
    if (error instanceof ScriptError) throw error;
    // `set` puts anything anywhere: what no part of the simulator expects ends up here.
    throw new ScriptError(0, `what it says is not a scenario that can be run: ${(error as Error).message}`);
  }
}

function played(source: Script | string, options: PlayOptions): Playback {
  const script = typeof source === 'string' ? readScript(source) : source;
  const problem = boundsProblem(script);
  if (problem !== undefined) throw new ScriptError(0, `this scenario is not played here: ${problem}`);
  const { modules, eventsMax = EVENTS_MAX } = options;
  const deployed = modules !== undefined && script.fidelity === 'whole' ? deployedUsig(modules) : undefined;
  const recorder = new Recorder({ eventsMax, endsRun: true });
  const { result, unmet, isCut } = runScript(script, {
    spectator: recorder.spectator,
    trace: (event) => recorder.rule(event),
    onOpen: (run) => recorder.open(run),
    ...(deployed === undefined ? {} : { program: deployed.program }),
  });
  const playback = playbackOf(recorder.trace(script, result), script, isCut ? [] : unmet, isCut);
  return { ...playback, moduleCalls: deployed?.calls() ?? 0 };
}

/** An event log that was written before, to be looked at as if it had just been played. */
export function playbackOfTrace(trace: Trace): Playback {
  return playbackOf(trace, scriptIn(trace), [], trace.truncated);
}

/** Undefined where a log has none, or one of another release. */
function scriptIn({ script }: Trace): Script | undefined {
  try {
    return parseScript(script);
  } catch {
    return undefined;
  }
}

function playbackOf(
  trace: Trace,
  script: Script | undefined,
  unmet: readonly string[],
  isCut: boolean,
): Playback {
  return {
    script: trace.script,
    trace,
    states: trace.states,
    totals: totalsOf(trace),
    checkers: checkersOf(script, trace, isCut),
    unmet,
    isCut,
    moduleCalls: 0,
  };
}

function readScript(text: string): Script {
  if (text.length > SCRIPT_LENGTH_MAX)
    throw new ScriptError(0, `the script is longer than ${SCRIPT_LENGTH_MAX} characters`);
  return parseScript(text);
}

/** Sums over the events of a trace. */
function totalsOf({ events, replicas }: Trace): PlaybackTotals {
  const totals = { messages: 0, bytes: 0, clientMessages: 0, clientBytes: 0 };
  const trustedCalls = Array.from({ length: replicas }, () => 0);
  for (const event of events) {
    if (event.kind === 'send') {
      totals.messages += 1;
      totals.bytes += event.bytes ?? 0;
    } else if (event.kind === 'ask' || event.kind === 'answer') {
      totals.clientMessages += 1;
      totals.clientBytes += event.bytes ?? 0;
    } else if (event.kind === 'certify') trustedCalls[event.replica] = (trustedCalls[event.replica] ?? 0) + 1;
  }
  return { ...totals, trustedCalls };
}

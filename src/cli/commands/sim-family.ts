/** `moiety sim run --protocol NAME --seed N`: one schedule of the conformance suite, to be looked at. */
import type { ScriptResult } from '../../sim/script/run.ts';
import { EXIT } from '../failure.ts';
import { plural, printJson, printLine } from '../output.ts';
import { DEFAULT_PROTOCOL, requireProtocol } from '../protocol-choice.ts';
import { runWithViews } from './sim-views.ts';
import type { ViewOptions } from './sim-views.ts';

/** What is asked for. */
export interface FamilyRunOptions extends ViewOptions {
  readonly protocol?: string;
  readonly seed?: number;
  readonly f?: number;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

function printOutcome(protocol: string, { name, result }: ScriptResult): void {
  const { stats, violations, traceHash } = result;
  printLine(
    `${protocol} ${name}  ${violations.length === 0 ? 'ok' : 'VIOLATION'}  ${stats.replicas} replicas, ` +
      `${plural(stats.byzantine, 'liar')}, view ${stats.viewChanges}, ${plural(stats.restarts, 'restart')}, ` +
      `${stats.committed} committed, ${stats.believed} believed, ${(stats.virtualMs / 1000).toFixed(1)} s, trace ${traceHash}`,
  );
  for (const { judge, atMs, text } of violations) printLine(`  ${judge} at ${atMs.toFixed(1)} ms: ${text}`);
}

/** Runs the schedule of a seed and shows what was asked for. */
export async function runFamilySchedule(options: FamilyRunOptions): Promise<void> {
  const { protocol: name = DEFAULT_PROTOCOL, seed = 1, f, verbose, json } = options;
  const protocol = requireProtocol(name);
  const { drawFamilyScenario } = await import('../../sim/family/plan.ts');
  const { scriptOf } = await import('../../sim/script/of-scenario.ts');
  const words = {
    name: `seed ${seed}`,
    protocol: name,
    story: [],
    fidelity: 'core',
    judges: 'outcomes',
    expect: [],
  } as const;
  const script = scriptOf(drawFamilyScenario(protocol, seed, f === undefined ? {} : { f }), words);
  const { liars = [], twins = [], clients = [] } = script.scenario.family ?? {};
  const tell = (atMs: number, text: string): void => printLine(`${atMs.toFixed(1).padStart(8)} ms  ${text}`);
  const isTold = verbose === true && json !== true;
  if (isTold) {
    for (const { replica, lies } of liars) tell(0, `${replica} lies: ${lies.join(', ')}`);
    for (const { replica, others, atMs } of twins)
      tell(atMs, `${replica} has a twin, which stands before [${others.join(' ')}]`);
    for (const { lie } of clients) tell(0, `a client lies: ${lie}`);
  }
  const outcome = await runWithViews(script, isTold ? { narrate: tell } : {}, options);
  const reproduce = `moiety sim run --protocol ${name} --seed ${seed} --f ${script.scenario.f}`;
  if (json === true) printJson({ protocol: name, ...outcome.result, reproduce });
  else printOutcome(name, outcome);
  if (outcome.result.violations.length > 0) process.exitCode = EXIT.failed;
}

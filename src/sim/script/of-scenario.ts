/** A scenario as a script without steps. */
import type { Fidelity } from '../run-schedule.ts';
import type { Scenario } from '../scenario.ts';
import type { Expectation, Script } from './script.ts';

/** What a script says beside its scenario. */
export interface ScriptWords {
  readonly name: string;
  /** Absent: MinBFT. */
  readonly protocol?: string;
  readonly story: readonly string[];
  readonly fidelity: Fidelity;
  readonly judges: Script['judges'];
  readonly expect: readonly Expectation[];
}

/** See the top of this file. */
export function scriptOf(scenario: Scenario, words: ScriptWords): Script {
  return { protocol: 'minbft', ...words, scenario, puppets: [], steps: [], mistakes: [] };
}

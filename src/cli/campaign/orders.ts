/** What the runner of a campaign and its workers say to each other: plain data over the channel of a child process. */
import type { Tally } from '../../sim/campaign/tally.ts';
import type { Fidelity, ScheduleOptions } from '../../sim/run-schedule.ts';

/** Seeds `from`, `from + step`, … (`count` of them), in one fidelity. */
export interface Chunk {
  readonly fidelity: Fidelity;
  readonly from: number;
  readonly step: number;
  readonly count: number;
}

/** A chunk to run. */
export interface Order {
  readonly chunk: Chunk;
  readonly overrides: Omit<ScheduleOptions, 'narrate' | 'watch' | 'trace' | 'listener'>;
  /** Whether the rules are traced; costs some speed. */
  readonly traced: boolean;
}

/** A chunk that ran. */
export interface Done {
  readonly chunk: Chunk;
  readonly tally: Tally;
}

/**
 * The course of a run: faults, then calm (of a quorum first, if the scenario says so), then the end; and how long it took
 * to recover. A quorum has to finish all requests while the rest is away; then the rest has to catch up.
 */
import type { Milliseconds } from '../core/types.ts';
import type { EventQueue } from './event-queue.ts';
import type { FaultDriver } from './fault-driver.ts';
import type { JudgeName } from './judge.ts';
import type { Scenario } from './scenario.ts';
import type { Watch } from './watch.ts';

/** How often the judges look at the replicas' inside, milliseconds of virtual time. */
const INSPECT_EVERY_MS = 40;

/** What a course leads. */
export interface CourseParts {
  readonly scenario: Scenario;
  readonly queue: EventQueue;
  readonly judge: { readonly highest: number; report(judge: JudgeName, text: string): void };
  readonly faults: FaultDriver;
  readonly watch: Watch;
}

/** See the top of this file. */
export class Course {
  readonly #parts: CourseParts;
  #deadline: Milliseconds;
  #isSettled = false;
  /** Highest sequence number that was executed when the calm began; undefined before. */
  #calmSequence: number | undefined;
  /** From the calm to the first new commit; undefined if there was none, or nothing was waited for. */
  firstCommitMs: Milliseconds | undefined;
  /** From the calm until every request was finished; undefined if all were before. */
  recoveredMs: Milliseconds | undefined;

  constructor(parts: CourseParts) {
    this.#parts = parts;
    this.#deadline = parts.scenario.calmMs + parts.scenario.settleMs;
  }

  /** Begins: plans faults and looks. */
  begin(): void {
    this.#parts.faults.plan();
    this.#inspectRegularly();
  }

  /** To be asked after every event: whether the run is over. Lateness is reported. */
  isOver(): boolean {
    const { scenario, queue, judge, faults, watch } = this.#parts;
    if (scenario.endless === true) return queue.now > scenario.calmMs;
    if (faults.calm) this.#time();
    if (queue.now > this.#deadline) {
      const since =
        scenario.heal !== undefined && faults.isRestHealed ? 'the rest was healed' : 'the last fault';
      judge.report('liveness', `not settled ${scenario.settleMs} ms after ${since}: ${watch.unsettled()}`);
      return true;
    }
    return this.#isSettled;
  }

  #time(): void {
    const { scenario, queue, judge, watch } = this.#parts;
    if (this.#calmSequence === undefined) this.#calmSequence = watch.clientsDone ? Infinity : judge.highest;
    if (this.firstCommitMs === undefined && judge.highest > this.#calmSequence)
      this.firstCommitMs = queue.now - scenario.calmMs;
  }

  #inspectRegularly(): void {
    const { queue } = this.#parts;
    queue.after(INSPECT_EVERY_MS, () => {
      this.#inspect();
      this.#inspectRegularly();
    });
  }

  #inspect(): void {
    const { scenario, queue, faults, watch } = this.#parts;
    const allAlike = watch.look();
    this.#isSettled = allAlike && faults.calm && faults.isRestHealed;
    if (!faults.calm || !watch.clientsDone) return;
    if (this.recoveredMs === undefined && this.#calmSequence !== Infinity)
      this.recoveredMs = queue.now - scenario.calmMs;
    if (faults.isRestHealed) return;
    faults.healRest();
    this.#deadline = queue.now + scenario.settleMs;
  }
}

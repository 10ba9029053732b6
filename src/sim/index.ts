/** Public entry `moiety/sim`: schedules of the deterministic simulator. */
export { addToSummary, EMPTY_SUMMARY, runScenario, runSchedule, simulateBudget } from './run-schedule.ts';
export type {
  BudgetOptions,
  BudgetSummary,
  ScheduleOptions,
  ScheduleResult,
  ScheduleStats,
} from './run-schedule.ts';
export { drawScenario, FAULT_KINDS } from './scenario.ts';
export type { FaultKind, Scenario, ScenarioOverrides } from './scenario.ts';

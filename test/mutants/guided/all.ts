/** All constructed histories. */
import { forgedRequest, retiredVotes, staleTable, withheldBody } from './normal-case.ts';
import type { GuidedScenario } from './stage.ts';
import {
  lateCommit,
  lonelyBase,
  pipelinedCut,
  skippedOrders,
  truncatedLog,
  twoNewViews,
} from './view-change.ts';

/** By name. */
export const GUIDED: ReadonlyMap<string, GuidedScenario> = new Map(
  [
    forgedRequest,
    withheldBody,
    lateCommit,
    truncatedLog,
    skippedOrders,
    twoNewViews,
    lonelyBase,
    pipelinedCut,
    retiredVotes,
    staleTable,
  ].map((scenario) => [scenario.name, scenario]),
);

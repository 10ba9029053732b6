/** All constructed histories. */
import { lyingReply, staleRead } from './clients.ts';
import { onStage } from './history.ts';
import type { History } from './history.ts';
import * as leavingViews from './leaving-views.ts';
import * as normalCase from './normal-case.ts';
import * as seals from './seals.ts';
import type { GuidedScenario } from './stage.ts';
import * as storage from './storage.ts';
import * as viewChange from './view-change.ts';

function scenariosOf(module: Readonly<Record<string, unknown>>): GuidedScenario[] {
  return Object.values(module).filter(
    (value): value is GuidedScenario => typeof value === 'object' && value !== null && 'script' in value,
  );
}

/** By name. */
export const GUIDED: ReadonlyMap<string, History> = new Map(
  [
    ...[seals, normalCase, viewChange, leavingViews, storage].flatMap(scenariosOf).map(onStage),
    lyingReply,
    staleRead,
  ].map((history) => [history.name, history]),
);

/**
 * The folder of a campaign: `campaign.json` holds the plan and everything that was added up, so that a campaign goes on
 * after a break and several can be merged.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ScenarioOverrides } from '../../sim/scenario.ts';
import type { Tally } from '../../sim/campaign/tally.ts';
import type { Fidelity } from '../../sim/run-schedule.ts';
import { CommandFailure, EXIT } from '../failure.ts';
import type { Chunk } from './orders.ts';

/** What a campaign runs. */
export interface CampaignPlan {
  /** First seed. */
  readonly seed: number;
  /** This machine's part: seeds `seed + index`, `seed + index + of`, … */
  readonly index: number;
  readonly of: number;
  readonly fidelities: readonly Fidelity[];
  /** Share of CPU time for the whole fidelity if both run. */
  readonly wholeShare: number;
  readonly overrides: ScenarioOverrides;
}

/** Content of `campaign.json`. */
export interface CampaignState {
  readonly format: 'moiety-campaign/1';
  readonly plan: CampaignPlan;
  /** Seeds handed out, by fidelity. */
  readonly handedOut: Readonly<Record<Fidelity, number>>;
  /** Chunks that were handed out and not finished when this was written: they run first after a break. */
  readonly unfinished: readonly Chunk[];
  /** Time that the campaign ran, all sessions together, milliseconds. */
  readonly elapsedMs: number;
  readonly tally: Tally;
}

/** Path of the state inside a campaign's folder. */
export function campaignPath(folder: string): string {
  return join(folder, 'campaign.json');
}

/** Whether the folder holds a campaign. */
export function holdsCampaign(folder: string): boolean {
  return existsSync(campaignPath(folder));
}

/** Reads a campaign. Fails with a sentence if it is none. */
export function readCampaign(path: string): CampaignState {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new CommandFailure(
      `${path} cannot be read as a campaign: ${(error as Error).message}`,
      EXIT.failed,
    );
  }
  if (!isCampaign(value))
    throw new CommandFailure(
      `${path} is not a campaign of this version; it was written by something else.`,
      EXIT.failed,
    );
  return value;
}

function isCampaign(value: unknown): value is CampaignState {
  if (typeof value !== 'object' || value === null) return false;
  const { format, plan, tally, handedOut, unfinished } = value as Partial<CampaignState>;
  return (
    format === 'moiety-campaign/1' &&
    typeof plan === 'object' &&
    typeof tally?.byFidelity?.core?.summary?.schedules === 'number' &&
    typeof tally.byFidelity.whole?.summary?.schedules === 'number' &&
    Array.isArray(tally.findings) &&
    typeof handedOut?.core === 'number' &&
    typeof handedOut.whole === 'number' &&
    Array.isArray(unfinished)
  );
}

/** Writes a file so that a reader, or a restart, finds the old or the new one, never a half. */
export function writeWhole(folder: string, name: string, text: string): void {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

/** Saves a campaign in its folder. */
export function saveCampaign(folder: string, state: CampaignState): void {
  writeWhole(folder, 'campaign.json', `${JSON.stringify(state)}\n`);
}

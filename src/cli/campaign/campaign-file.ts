/**
 * The folder of a campaign: `campaign.json` holds the plan and everything that was added up, so that a campaign goes on
 * after a break and several can be merged.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
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

type Fields = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isCount = (value: unknown, most = Number.MAX_SAFE_INTEGER): boolean =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most;
const isFidelity = (value: unknown): boolean => value === 'core' || value === 'whole';

/** Every number that the campaign goes on with is judged; what is only shown must have its shape. */
function isCampaign(value: unknown): value is CampaignState {
  if (!isObject(value) || value['format'] !== 'moiety-campaign/1') return false;
  const { plan, tally, handedOut, unfinished, elapsedMs } = value;
  if (!isObject(handedOut) || !isCount(handedOut['core']) || !isCount(handedOut['whole'])) return false;
  if (!Number.isFinite(elapsedMs) || !Array.isArray(unfinished) || unfinished.length > 10_000) return false;
  return isPlan(plan) && isTally(tally) && unfinished.every(isChunk);
}

function isPlan(plan: unknown): boolean {
  if (!isObject(plan) || !isObject(plan['overrides'])) return false;
  const { seed, index, of, fidelities, wholeShare, overrides } = plan;
  const numbers =
    isCount(seed, 2 ** 48) && isCount(index) && isCount(of) && (index as number) < (of as number);
  const replicas = (overrides as Fields)['replicas'];
  const sizes = replicas === undefined || replicas === 3 || replicas === 5 || replicas === 7;
  const share = typeof wholeShare === 'number' && wholeShare > 0 && wholeShare < 1;
  return (
    numbers &&
    sizes &&
    share &&
    Array.isArray(fidelities) &&
    fidelities.length > 0 &&
    fidelities.every(isFidelity)
  );
}

function isChunk(chunk: unknown): boolean {
  if (!isObject(chunk)) return false;
  const { fidelity, from, step, count } = chunk;
  return isFidelity(fidelity) && isCount(from) && isCount(step) && isCount(count, 100_000);
}

function isTally(tally: unknown): boolean {
  if (!isObject(tally) || !isObject(tally['byFidelity'])) return false;
  const { byFidelity, rules, cells, accusations, findings, recoverySeconds, traced } = tally;
  for (const name of ['core', 'whole']) {
    const one = (byFidelity as Fields)[name];
    if (!isObject(one) || !Number.isFinite(one['cpuMs']) || !isObject(one['summary'])) return false;
    const { byReplicas, ...counts } = one['summary'];
    if (!isObject(byReplicas) || !Object.values(counts).every((count) => isCount(count))) return false;
    if (!isCount(counts['schedules']) || !isCount(counts['violating'])) return false;
  }
  const shapes = isObject(rules) && isObject(cells) && isObject(accusations) && isCount(traced);
  const lists = Array.isArray(findings) && Array.isArray(recoverySeconds);
  return shapes && lists && findings.every(isFinding) && recoverySeconds.every((count) => isCount(count));
}

function isFinding(finding: unknown): boolean {
  if (!isObject(finding) || !isFidelity(finding['fidelity'])) return false;
  const texts = ['judge', 'text', 'reproduce'].every((name) => typeof finding[name] === 'string');
  return texts && isCount(finding['seed']) && Number.isFinite(finding['atMs']);
}

/**
 * Makes the folder and takes it for this process; gives back how to let it go. Fails with a sentence if it cannot be
 * written or if another campaign runs in it.
 */
export function lockFolder(folder: string): () => void {
  const path = join(folder, 'running');
  try {
    mkdirSync(folder, { recursive: true });
    if (existsSync(path) && isAlive(Number(readFileSync(path, 'utf8'))))
      throw new CommandFailure(`Another campaign runs in ${folder}: wait for it, or give another --out.`);
    writeFileSync(path, `${process.pid}\n`);
  } catch (error) {
    if (error instanceof CommandFailure) throw error;
    throw new CommandFailure(`${folder} cannot be written: ${(error as Error).message}`);
  }
  return () => rmSync(path, { force: true });
}

function isAlive(pid: number): boolean {
  try {
    return Number.isSafeInteger(pid) && pid > 0 && pid !== process.pid && process.kill(pid, 0);
  } catch {
    return false;
  }
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

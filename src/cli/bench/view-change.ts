/**
 * How long a cluster is silent after `kill -9` of its primary, and of what that time is made. Clients send to the
 * primary alone at first; the others hear of a request when its client repeats it, and give the primary the request
 * timer's time before they leave its view.
 */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { RETRANSMIT_MS } from '../../client/bundle-tracker.ts';
import { connect } from '../../client/client.ts';
import type { MoietyClient } from '../../client/contract.ts';
import { readKeyFile } from '../../client/keys.ts';
import { readClusterFile } from '../cluster-file.ts';
import { CommandFailure } from '../failure.ts';
import { plural } from '../output.ts';
import { Baseline } from './baselines.ts';
import { settingsOf } from './bench.ts';
import type { BenchSettings } from './bench.ts';
import { BenchCluster } from './cluster.ts';
import type { ClusterChoice } from './cluster.ts';
import type { Moment } from './load-orders.ts';
import { thisMachine } from './machine.ts';
import type { Machine } from './machine.ts';
import { rounded } from './measured.ts';
import { median } from './statistics.ts';

/** What is asked for. */
export interface ViewChangeSettings {
  readonly inFlight: number;
  readonly payload: number;
  readonly warmupMs: number;
  /** How long it is measured before the kill, and how long afterwards. */
  readonly beforeMs: number;
  readonly afterMs: number;
}

/** Terms of the time that may pass, each in milliseconds. */
export interface Terms {
  /** Until a client sends what has no answer to all replicas. */
  readonly retransmissionMs: number;
  /** Until a replica that has the request leaves the view. */
  readonly requestTimerMs: number;
  /** One message from process to process, measured: half of a round trip over raw sockets. */
  readonly messageDelayMs: number;
  readonly messageDelays: number;
  /** One synced write of 512 bytes, measured in the same folder; 0 unless durability is `fsync`. */
  readonly syncMs: number;
  readonly syncs: number;
  /** All of them. */
  readonly sumMs: number;
}

/** One kill. */
export interface ViewChangeRun {
  readonly killed: number;
  readonly throughputBefore: number;
  /** From the kill to the last answer before the silence: it was on its way. */
  readonly lastOfOldViewMs: number;
  /** From the kill until f+1 replicas say that they are in a later view; null: they did not. */
  readonly newViewMs: number | null;
  /** From the kill to the first answer after the silence: the next commit as a client sees it; null: none was seen. */
  readonly nextCommitMs: number | null;
  /** From the next commit to the first half second that has 90 % of the throughput of before; null: none was seen. */
  readonly recoveredMs: number | null;
  /** From the next commit to the end of the measurement; 0 without one. */
  readonly throughputAfter: number;
  /** Operations a second in each tenth of a second, from the first one that was measured before the kill. */
  readonly timeline: readonly number[];
  readonly errors: number;
}

/** What the kills gave. */
export interface ViewChangeReport {
  readonly terms: Terms;
  readonly runs: readonly ViewChangeRun[];
  /** How long it was measured before each kill, and how long afterwards. */
  readonly beforeMs: number;
  readonly afterMs: number;
  /** Medians over the runs; null where one of them has none. */
  readonly nextCommitMs: number | null;
  readonly recoveredMs: number | null;
}

/** What `bench view-change --json` prints. */
export interface ViewChangeDocument extends ViewChangeReport {
  readonly format: 'moiety-bench-view-change';
  readonly version: 1;
  readonly settings: BenchSettings & { readonly inFlight: number; readonly payload: number };
  readonly machine: Machine;
}

/** REQ-VIEW-CHANGE, VIEW-CHANGE, NEW-VIEW (which proposes again), COMMIT, reply. */
const MESSAGE_DELAYS = 5;
/** Of these, three own messages in a row are sealed: each is in the journal, then in the component, before it is sent. */
const SEALED_IN_A_ROW = 3;
const SYNC_SAMPLES = 100;
const SYNC_BYTES = 512;
const POLL_MS = 20;
const RECOVERED_SHARE = 0.9;
const WINDOW_MS = 500;
const STEP_MS = 50;
const TIMELINE_MS = 100;

/** Milliseconds of one synced write in a folder. */
export function syncMsIn(folder: string): number {
  const file = openSync(join(folder, 'sync-probe'), 'w', 0o600);
  const block = Buffer.alloc(SYNC_BYTES, 1);
  try {
    const samples = Array.from({ length: SYNC_SAMPLES }, () => {
      const begun = performance.now();
      writeSync(file, block);
      fdatasyncSync(file);
      return performance.now() - begun;
    });
    return rounded(median(samples), 3);
  } finally {
    closeSync(file);
  }
}

async function messageDelayMs(): Promise<number> {
  const raw = await Baseline.start('main-raw');
  try {
    const pace = { kind: 'closed', inFlight: 1 } as const;
    const { p50Ms } = await raw.run({ pace, payload: 100, warmupMs: 300, durationMs: 700 });
    return rounded(p50Ms / 2, 3);
  } finally {
    raw.stop();
  }
}

async function termsOf(cluster: BenchCluster): Promise<Terms> {
  const settings = readClusterFile(cluster.folder.cluster);
  const isSynced = cluster.choice.durability === 'fsync';
  const perSeal = cluster.choice.protocol.trustedProgram === undefined ? 1 : 2;
  const parts = {
    retransmissionMs: RETRANSMIT_MS,
    requestTimerMs: settings.timers.requestMs,
    messageDelayMs: await messageDelayMs(),
    messageDelays: MESSAGE_DELAYS,
    syncMs: isSynced ? syncMsIn(cluster.folder.path) : 0,
    syncs: isSynced ? SEALED_IN_A_ROW * perSeal : 0,
  };
  const sum =
    parts.retransmissionMs +
    parts.requestTimerMs +
    parts.messageDelays * parts.messageDelayMs +
    parts.syncs * parts.syncMs;
  return { ...parts, sumMs: rounded(sum, 1) };
}

function now(): number {
  return performance.timeOrigin + performance.now();
}

/** Operations a second that ended in [from, to). */
function rateIn(moments: readonly Moment[], fromMs: number, toMs: number): number {
  let count = 0;
  for (const [atMs, ended] of moments) if (atMs >= fromMs && atMs < toMs) count += ended;
  return (count * 1000) / (toMs - fromMs);
}

function timelineOf(moments: readonly Moment[], fromMs: number, toMs: number): readonly number[] {
  const counts = new Array<number>(Math.floor((toMs - fromMs) / TIMELINE_MS)).fill(0);
  for (const [atMs, ended] of moments) {
    const at = Math.floor((atMs - fromMs) / TIMELINE_MS);
    if (at >= 0 && at < counts.length) counts[at]! += ended;
  }
  return counts.map((count) => Math.round((count * 1000) / TIMELINE_MS));
}

/** When a run was measured and its primary killed. Milliseconds since 1970. */
export interface KillTimes {
  readonly fromMs: number;
  readonly killedMs: number;
  /** The primary's process was gone: it has proposed nothing that was begun from now on. */
  readonly goneMs: number;
  readonly toMs: number;
}

/**
 * The silence after a kill, until the next commit. What the old view has committed is answered a little later still, and
 * what was lost with the primary is answered by the new view although it was begun before. So an operation that was begun
 * after the kill says that the cluster commits again, and the longest silence before its answer ended with the first commit.
 */
function silenceOf(
  moments: readonly Moment[],
  { killedMs, goneMs, toMs }: KillTimes,
): [number, number | null] {
  let last = killedMs;
  let silence: [number, number] = [killedMs, killedMs];
  for (const [atMs, , begunMs] of moments) {
    if (atMs < killedMs || atMs >= toMs) continue;
    if (atMs - last > silence[1] - silence[0]) silence = [last, atMs];
    last = atMs;
    if (begunMs >= goneMs) return silence;
  }
  return [last, null];
}

/** What the moments at which operations ended say about a kill; they ascend. */
export function judgeKill(
  moments: readonly Moment[],
  times: KillTimes,
): Pick<
  ViewChangeRun,
  'throughputBefore' | 'lastOfOldViewMs' | 'nextCommitMs' | 'recoveredMs' | 'throughputAfter' | 'timeline'
> {
  const { fromMs, killedMs, toMs } = times;
  const [last, next] = silenceOf(moments, times);
  const before = rateIn(moments, fromMs, killedMs);
  let recoveredMs: number | null = null;
  if (next !== null)
    for (let at = next; at + WINDOW_MS <= toMs && recoveredMs === null; at += STEP_MS)
      if (rateIn(moments, at, at + WINDOW_MS) >= RECOVERED_SHARE * before)
        recoveredMs = rounded(at - next, 0);
  return {
    throughputBefore: rounded(before, 1),
    lastOfOldViewMs: rounded(last - killedMs, 1),
    nextCommitMs: next === null ? null : rounded(next - killedMs, 1),
    recoveredMs,
    throughputAfter: next === null ? 0 : rounded(rateIn(moments, next, toMs), 1),
    timeline: timelineOf(moments, fromMs, toMs),
  };
}

/** A sentence about kills after which nothing was committed; undefined if there are none. */
export function silentKills({
  runs,
  afterMs,
}: Pick<ViewChangeReport, 'runs' | 'afterMs'>): string | undefined {
  const silent = runs.filter(({ nextCommitMs }) => nextCommitMs === null).length;
  if (silent === 0) return undefined;
  return `After ${silent} of ${plural(runs.length, 'kill')} nothing was committed in ${afterMs / 1000} s: the cluster did not survive the loss of its primary.`;
}

/** What kills gave, together. */
export function summedUp(
  runs: readonly ViewChangeRun[],
): Pick<ViewChangeReport, 'nextCommitMs' | 'recoveredMs'> {
  const middle = (values: readonly (number | null)[], digits: number): number | null =>
    values.some((ms) => ms === null) ? null : rounded(median(values.map(Number)), digits);
  return {
    nextCommitMs: middle(
      runs.map(({ nextCommitMs }) => nextCommitMs),
      1,
    ),
    recoveredMs: middle(
      runs.map(({ recoveredMs }) => recoveredMs),
      0,
    ),
  };
}

/** Asks the replicas until f+1 are in a later view than `view`. */
async function whenInLaterView(
  client: MoietyClient,
  view: number,
  stopped: AbortSignal,
): Promise<number | undefined> {
  while (!stopped.aborted) {
    const seen = await client.status().catch(() => []);
    const later = seen.filter((one) => one.reachable && one.view > view && one.role !== 'recovering');
    if (later.length > client.settings.f) return now();
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
  return undefined;
}

async function killOnce(cluster: BenchCluster, settings: ViewChangeSettings): Promise<ViewChangeRun> {
  const { inFlight, payload, warmupMs, beforeMs, afterMs } = settings;
  const watcher = await connect({
    cluster: readClusterFile(cluster.folder.cluster),
    key: readKeyFile(cluster.folder.clientKey('admin')),
    connectTimeoutMs: 20_000,
  });
  const stopped = new AbortController();
  let newView: Promise<number | undefined> = Promise.resolve(undefined);
  let killed = -1;
  let killedMs = 0;
  let goneMs = 0;
  const kill = async (): Promise<void> => {
    const seen = await watcher.status();
    const primary = seen.find((one) => one.reachable && one.role === 'primary');
    if (primary?.reachable !== true) throw new CommandFailure('No replica says that it leads.');
    killed = primary.id;
    killedMs = now();
    await cluster.kill(killed);
    goneMs = now();
    newView = whenInLaterView(watcher, primary.view, stopped.signal);
  };
  try {
    let killing: Promise<void> = Promise.resolve();
    const timer = setTimeout(() => {
      killing = kill();
      killing.catch(() => undefined);
    }, warmupMs + beforeMs);
    const pace = { kind: 'closed', inFlight } as const;
    const durationMs = beforeMs + afterMs;
    const { moments, figures } = await cluster
      .run({ pace, payload, warmupMs, durationMs, timeline: true })
      .finally(() => clearTimeout(timer));
    await killing;
    stopped.abort();
    const all = moments.flatMap((one) => one.moments).sort(([a], [b]) => a - b);
    const times = { fromMs: killedMs - beforeMs, killedMs, goneMs, toMs: killedMs + afterMs };
    const newViewAt = await newView;
    return {
      killed,
      ...judgeKill(all, times),
      newViewMs: newViewAt === undefined ? null : rounded(newViewAt - killedMs, 0),
      errors: figures.errors,
    };
  } finally {
    stopped.abort();
    await watcher.close();
  }
}

/** Kills the primary of `runs` new clusters. Fails with a CommandFailure. */
export async function measureViewChange(
  choice: ClusterChoice,
  settings: ViewChangeSettings & { readonly runs: number },
  note: (text: string) => void,
): Promise<ViewChangeReport> {
  const runs: ViewChangeRun[] = [];
  let terms: Terms | undefined;
  for (let number = 1; number <= settings.runs; number += 1) {
    const cluster = await BenchCluster.start(choice);
    try {
      terms ??= await termsOf(cluster);
      const run = await killOnce(cluster, settings);
      const seen =
        run.nextCommitMs === null
          ? `no commit in ${settings.afterMs / 1000} s`
          : `next commit after ${run.nextCommitMs} ms`;
      note(`  kill ${number}: replica ${run.killed}, ${seen}`);
      runs.push(run);
    } finally {
      await cluster.stop();
    }
  }
  const { beforeMs, afterMs } = settings;
  return { terms: terms!, runs, beforeMs, afterMs, ...summedUp(runs) };
}

/** The same with what is needed to read it. */
export async function runViewChange(
  choice: ClusterChoice & { readonly f: number },
  settings: ViewChangeSettings & { readonly runs: number },
  note: (text: string) => void,
): Promise<ViewChangeDocument> {
  const machine = thisMachine();
  const { inFlight, payload } = settings;
  const report = await measureViewChange(choice, settings, note);
  return {
    ...{ format: 'moiety-bench-view-change', version: 1 },
    settings: { ...settingsOf(choice, choice.f), inFlight, payload },
    machine,
    ...report,
  };
}

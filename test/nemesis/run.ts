/**
 * `npm run test:cluster`: clients against real replicas while a nemesis kills, stops, cuts and fills. At the end nothing
 * that was acknowledged may be lost, the history must be linearizable, and all replicas must stand at the same place.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Prng } from '../../src/core/prng.ts';
import { checkLinearizability } from '../../src/sim/linearizability/checker.ts';
import { keyModel } from '../../src/sim/linearizability/kv-model.ts';
import { Nemesis } from './nemesis.ts';
import { Site } from './site.ts';
import { converged, lostWrites } from './verdicts.ts';
import { Workload } from './workload.ts';

const USAGE =
  'usage: npm run test:cluster -- [--seconds N] [--kills N] [--runs N] [--replicas 3|5|7] [--clients N] [--seed N] [--keep]';
const DEFAULTS = { seconds: 60, kills: 50, runs: 1, replicas: 3, clients: 3, seed: 1 } as const;

type Settings = Record<keyof typeof DEFAULTS, number> & { readonly keep: boolean };

function settingsOf(): Settings {
  const string = { type: 'string' } as const;
  try {
    const { values } = parseArgs({
      options: {
        ...{ seconds: string, kills: string, runs: string, replicas: string, clients: string, seed: string },
        keep: { type: 'boolean' },
      },
    });
    const settings: Record<string, number | boolean> = { ...DEFAULTS, keep: values.keep === true };
    for (const [name, value] of Object.entries(values)) {
      if (typeof value !== 'string') continue;
      if (!/^\d{1,9}$/.test(value)) throw new Error(`--${name} must be a whole number.`);
      settings[name] = Number(value);
    }
    if (![3, 5, 7].includes(settings['replicas'] as number)) throw new Error('--replicas must be 3, 5 or 7.');
    if ((settings['clients'] as number) < 1) throw new Error('--clients must be at least 1.');
    return settings as Settings;
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}

async function once(settings: Settings, seed: number): Promise<{ kills: number; failures: string[] }> {
  const site = new Site(settings.replicas);
  current = site;
  const workload = new Workload(
    site.clusterFile,
    Array.from({ length: settings.clients }, (_, index) => site.clientKey(index)),
    seed,
  );
  const nemesis = new Nemesis(site, new Prng(seed + 1_000_000));
  const failures: string[] = [];
  let keep = settings.keep;
  const begun = performance.now();
  try {
    site.prepare(settings.clients);
    for (let id = 0; id < site.n; id += 1) site.start(id);
    await workload.start();
    await nemesis.run(settings.kills, settings.seconds * 1000);
    nemesis.heal();
    const healed = performance.now();
    const sequence = await converged(workload, site.n);
    const recoveryMs = performance.now() - healed;
    await workload.stop();
    await workload.readAll();
    await converged(workload, site.n);
    if (workload.acknowledged.length === 0) failures.push('no write was acknowledged: nothing was tested');
    failures.push(
      ...site.offences,
      ...workload.offences.slice(0, 10),
      ...(await lostWrites(workload)).slice(0, 10),
    );
    const verdict = checkLinearizability(keyModel, workload.history);
    if (verdict.verdict !== 'linearizable')
      failures.push(`history: ${JSON.stringify(verdict).slice(0, 3_000)}`);
    const faults = [...nemesis.counts].map(([fault, count]) => `${fault} ${count}`).join(', ');
    console.log(
      `seed ${seed}: ${nemesis.kills} kill -9, ${site.starts} starts (${faults}); ${workload.history.length} operations on ` +
        `${workload.keys.size} keys, ${workload.acknowledged.length} acknowledged writes, ${workload.perhaps} without an answer; ` +
        `sequence ${sequence}; whole again after ${(recoveryMs / 1000).toFixed(1)} s; ${verdict.verdict} (${verdict.steps} steps); ` +
        `${((performance.now() - begun) / 1000).toFixed(0)} s`,
    );
  } catch (error) {
    failures.push(`${(error as Error).stack ?? String(error)}`, ...site.offences);
  } finally {
    await workload.close().catch(() => undefined);
    keep ||= failures.length > 0;
    await site.dispose(keep);
  }
  for (const failure of failures) console.log(`FAILED seed ${seed}: ${failure}`);
  if (keep)
    console.log(
      `kept: ${site.root}${site.fragile === undefined ? '' : ` (umount ${site.folder(site.fragile)}/store before you remove it)`}`,
    );
  return { kills: nemesis.kills, failures };
}

const settings = settingsOf();
let current: Site | undefined;
let ending = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    if (ending) return;
    ending = true;
    console.error(`\n${signal}: ending processes, networks and file systems of this run`);
    void (current?.dispose(false) ?? Promise.resolve()).finally(() => process.exit(130));
  });
{
  const site = new Site(3);
  const skipped = [
    ...(site.canMount() ? [] : ['a failing disk (needs the right to mount)']),
    ...(site.network.canCut ? [] : ['cut links (needs root and iproute2)']),
    ...(site.network.hasNetem ? [] : ['delay and loss by netem (not in this kernel, or no right to)']),
  ];
  await site.dispose(false);
  console.log(
    `${settings.runs} runs of at least ${settings.seconds} s and ${settings.kills} kills, ${settings.replicas} replicas, ` +
      `${availableParallelism()} cores; not possible here: ${skipped.join('; ') || 'nothing'}`,
  );
}
let failed = 0;
let kills = 0;
for (let index = 0; index < settings.runs; index += 1) {
  const outcome = await once(settings, settings.seed + index);
  kills += outcome.kills;
  if (outcome.failures.length > 0) failed += 1;
}
console.log(`${settings.runs - failed} of ${settings.runs} runs passed, ${kills} kill -9 in total`);
process.exitCode = failed === 0 ? 0 : 1;

/** A site under load, moments of rollback, and what must hold at the end. Used by the runner and by `npm test`. */
import { join } from 'node:path';
import { Prng } from '../../src/core/prng.ts';
import { checkLinearizability } from '../../src/sim/linearizability/checker.ts';
import { keyModel } from '../../src/sim/linearizability/kv-model.ts';
import { Site } from '../nemesis/site.ts';
import { converged, lostWrites } from '../nemesis/verdicts.ts';
import { Workload } from '../nemesis/workload.ts';
import { moiety } from '../support/local-cluster.ts';
import { Rollback } from './rollback.ts';
import type { Outcome } from './rollback.ts';

/** What is to be run. */
export interface RehearsalOptions {
  readonly replicas: number;
  readonly clients: number;
  readonly seed: number;
  /** Whether the folders are kept in any case. */
  readonly keep: boolean;
  readonly tell: (line: string) => void;
}

const median = (numbers: readonly number[]): string => {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted.length === 0 ? '-' : (sorted[sorted.length >> 1]! / 1000).toFixed(1);
};

/** See the top of this file. */
export class Rehearsal {
  readonly #options: RehearsalOptions;
  readonly #site: Site;
  readonly outcomes: Outcome[] = [];
  #enough = false;

  constructor(options: RehearsalOptions) {
    this.#options = options;
    this.#site = new Site(options.replicas);
  }

  /** The moment that is under way is the last one; then what was done so far is judged. */
  finishSoon(): void {
    this.#enough = true;
  }

  /** Ends everything that runs. */
  dispose(): Promise<void> {
    return this.#site.dispose(false);
  }

  /** Runs so many moments; what failed, in words. */
  async run(moments: number): Promise<string[]> {
    const { clients, seed, tell } = this.#options;
    const site = this.#site;
    const failures: string[] = [];
    const workload = new Workload(
      site.clusterFile,
      Array.from({ length: clients }, (_, index) => site.clientKey(index)),
      seed,
    );
    let { keep } = this.#options;
    const begun = performance.now();
    try {
      site.prepare(clients);
      for (let id = 0; id < site.n; id += 1) site.start(id);
      await workload.start();
      const rollback = new Rollback(site, workload, new Prng(seed + 2_000_000));
      for (let index = 0; index < moments && !this.#enough; index += 1) {
        const outcome = await rollback.moment();
        this.outcomes.push(outcome);
        tell(
          `${index + 1}/${moments}: replica ${outcome.replica}${outcome.wasPrimary ? ' (primary)' : ''} ${outcome.refused} ` +
            `after ${(outcome.refusedMs / 1000).toFixed(1)} s, back after ${(outcome.rejoinedMs / 1000).toFixed(1)} s, ${outcome.sealedAgain} counter values used again: ` +
            outcome.words.slice(0, 200),
        );
      }
      await workload.stop();
      await converged(workload, site.n);
      await workload.readAll();
      await converged(workload, site.n);
      failures.push(...rollback.offences, ...(await this.#judge(workload)));
    } catch (error) {
      failures.push((error as Error).stack ?? String(error), ...site.offences);
    } finally {
      await workload.stop().catch(() => undefined);
      await workload.close().catch(() => undefined);
      keep ||= failures.length > 0;
      await site.dispose(keep);
    }
    if (keep) tell(`kept: ${site.root}`);
    this.#summary(workload, (performance.now() - begun) / 1000);
    return failures;
  }

  async #judge(workload: Workload): Promise<string[]> {
    const site = this.#site;
    const failures = [...site.offences, ...workload.offences.slice(0, 10)];
    if (workload.acknowledged.length === 0) failures.push('no write was acknowledged: nothing was tested');
    failures.push(...(await lostWrites(workload)).slice(0, 10));
    const verdict = checkLinearizability(keyModel, workload.history);
    if (verdict.verdict !== 'linearizable')
      failures.push(`history: ${JSON.stringify(verdict).slice(0, 2_000)}`);
    await workload.close();
    for (let id = 0; id < site.n; id += 1) {
      site.excuse(id);
      await site.kill(id, 'replica');
      const audit = moiety('audit', site.folder(id), '--trust', join(site.root, 'trust.json'));
      if (audit.code !== 0) failures.push(`audit of replica ${id}: ${audit.out} ${audit.err}`);
    }
    return failures;
  }

  #summary(workload: Workload, seconds: number): void {
    const { outcomes } = this;
    const halted = outcomes.filter(({ refused }) => refused === 'halted').length;
    this.#options.tell(
      `${outcomes.length} old copies put back (${outcomes.filter(({ wasPrimary }) => wasPrimary).length} of a primary): ` +
        `${halted} halted with a sentence, ${outcomes.length - halted} accused by their peers; refused after ` +
        `${median(outcomes.map(({ refusedMs }) => refusedMs))} s, re-admitted after ` +
        `${median(outcomes.map(({ rejoinedMs }) => rejoinedMs))} s (medians); ` +
        `${outcomes.filter(({ sealedAgain }) => sealedAgain > 0).length} used counter values again before they learned; ` +
        `${workload.acknowledged.length} acknowledged writes, ${workload.perhaps} calls without an answer; ${seconds.toFixed(0)} s`,
    );
  }
}

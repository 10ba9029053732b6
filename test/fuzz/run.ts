/**
 * `npm run fuzz -- --inputs N --jobs J --seed S`: very many damaged inputs over all decoders, in worker processes. Prints
 * the count, and every escape with its input. Exit code 1 if there was one.
 */
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { collectCorpus } from './corpus.ts';
import { fuzz } from './fuzz.ts';
import type { FuzzCounts } from './fuzz.ts';
import { targetsFor } from './targets.ts';

const USAGE = 'usage: npm run fuzz -- [--inputs <count>] [--jobs <processes>] [--seed <number>]';
/** Inputs that a worker does before it reports. */
const SLICE = 50_000;

interface Task {
  readonly seed: number;
  readonly count: number;
}

function work(): void {
  const targets = targetsFor(collectCorpus());
  process.on('message', ({ seed, count }: Task) => process.send!(fuzz(targets, seed, count)));
  process.on('disconnect', () => process.exit(0));
}

function numberOf(text: string | undefined, name: string, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  console.error(`--${name} must be a whole number.\n${USAGE}`);
  process.exit(2);
}

function argumentsOf(): Record<'inputs' | 'jobs' | 'seed', string | undefined> {
  try {
    const string = { type: 'string' } as const;
    const { values } = parseArgs({ options: { inputs: string, jobs: string, seed: string } });
    return { inputs: undefined, jobs: undefined, seed: undefined, ...values };
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}

function main(): void {
  const given = argumentsOf();
  const inputs = numberOf(given.inputs, 'inputs', 1_000_000);
  const jobs = Math.max(1, numberOf(given.jobs, 'jobs', availableParallelism()));
  let seed = numberOf(given.seed, 'seed', 1);
  const started = performance.now();
  let left = inputs;
  let done = 0;
  let accepted = 0;
  let canonical = 0;
  let escapes = 0;
  let shownAt = 0;
  const workers = Array.from({ length: jobs }, () =>
    fork(fileURLToPath(import.meta.url), [], { env: { ...process.env, MOIETY_FUZZ_WORKER: '1' } }),
  );
  const feed = (worker: (typeof workers)[number]): void => {
    if (left === 0) return void worker.disconnect();
    const count = Math.min(SLICE, left);
    left -= count;
    worker.send({ seed, count } satisfies Task);
    seed += 1;
  };
  const finish = (): void => {
    const seconds = (performance.now() - started) / 1000;
    console.log(
      `fuzzed ${done} inputs in ${seconds.toFixed(0)} s: ${accepted} accepted (${canonical} of them compared with what the encoder makes, all equal), ${done - accepted - escapes} refused, ${escapes} escapes`,
    );
    process.exitCode = escapes > 0 || done < inputs ? 1 : 0;
  };
  let running = workers.length;
  for (const worker of workers) {
    worker.on('message', (counts: FuzzCounts) => {
      done += counts.inputs;
      accepted += counts.accepted;
      canonical += counts.canonical;
      escapes += counts.escapes.length;
      for (const { target, what, detail, input } of counts.escapes)
        console.log(`ESCAPE  ${target}: ${what}: ${detail}\n        ${input}`);
      if (performance.now() - shownAt > 10_000) {
        shownAt = performance.now();
        console.error(`${done} of ${inputs} inputs, ${escapes} escapes`);
      }
      feed(worker);
    });
    worker.once('exit', (code) => {
      if (code !== 0) {
        escapes += 1;
        console.log(`ESCAPE  a worker ended with code ${code}`);
      }
      running -= 1;
      if (running === 0) finish();
    });
    feed(worker);
  }
}

if (process.env['MOIETY_FUZZ_WORKER'] === '1') work();
else main();

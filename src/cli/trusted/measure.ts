/**
 * Measures a trusted program on a footprint as its replica would meet it: over its connection, one call at a time and
 * many under way. Figures are of this machine and this moment; compare those of one run with each other only.
 */
import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Footprint, TrustedConnection } from '../../footprints/contract.ts';
import type { TrustedRequest } from '../../trusted/contract.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../../trusted/frames.ts';
import type { Workload } from '../../trusted/programs/workloads.ts';

/** How long and how deep. */
export interface MeasureSettings {
  readonly argument: string;
  readonly durability: 'fsync' | 'os' | 'memory';
  /** For each of the two phases. */
  readonly durationMs: number;
  /** Requests under way in the second phase. */
  readonly depth: number;
}

/** What one cell costs. */
export interface CellFigures {
  /** Making the component: keys, folder, machine. */
  readonly createMs: number;
  /** From nothing running to the first answer. */
  readonly openMs: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Certificates a second with `depth` under way. */
  readonly perSecond: number;
  /** Certificates that were counted, in both phases. */
  readonly calls: number;
}

/** The component did not do what was asked; the message says what it answered. */
class MeasureFailure extends Error {
  override readonly name = 'MeasureFailure';
}

const WARM_UP_CALLS = 20;
const ANSWER_MS = 30_000;

function ask(connection: TrustedConnection, request: TrustedRequest): Promise<Uint8Array> {
  return new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new MeasureFailure('no answer in time')), ANSWER_MS);
    connection.send(encodeTrustedRequest(request), (response) => {
      clearTimeout(timer);
      if (response === undefined) fail(new MeasureFailure('the component was lost'));
      else done(response);
    });
  });
}

function assertNoError(response: Uint8Array): void {
  const answer = decodeTrustedResponse(response);
  if (answer === undefined) throw new MeasureFailure('an answer that is not canonical');
  if (answer.op === 'error') throw new MeasureFailure(`${answer.code}: ${answer.message}`);
}

async function prepare(connection: TrustedConnection, workload: Workload): Promise<void> {
  const setup = workload.setup();
  for (let step = setup.next(); step.done !== true;) {
    const response = await ask(connection, step.value);
    assertNoError(response);
    step = setup.next(decodeTrustedResponse(response)!);
  }
}

/** One at a time; gives each round trip in microseconds. */
async function oneAtATime(
  connection: TrustedConnection,
  workload: Workload,
  from: number,
  durationMs: number,
): Promise<number[]> {
  const times: number[] = [];
  const end = performance.now() + durationMs;
  for (let index = from; times.length < WARM_UP_CALLS + 5 || performance.now() < end; index += 1) {
    const request = encodeTrustedRequest(workload.request(index));
    const start = performance.now();
    const response = await new Promise<Uint8Array | undefined>((done) => connection.send(request, done));
    times.push((performance.now() - start) * 1000);
    if (response === undefined) throw new MeasureFailure('the component was lost');
    if (index % 64 === 0) assertNoError(response);
  }
  return times.slice(WARM_UP_CALLS);
}

/** `depth` under way all the time; gives how many were answered and in how many milliseconds. */
function manyAtATime(
  connection: TrustedConnection,
  workload: Workload,
  from: number,
  settings: MeasureSettings,
): Promise<{ readonly calls: number; readonly elapsedMs: number }> {
  return new Promise((done, fail) => {
    const start = performance.now();
    let index = from;
    let answered = 0;
    let underWay = 0;
    let isOver = false;
    const next = (): void => {
      underWay += 1;
      connection.send(encodeTrustedRequest(workload.request(index)), (response) => {
        underWay -= 1;
        if (response === undefined || response[0] === 255) {
          fail(new MeasureFailure(`call ${answered} of the pipeline was refused or lost`));
          return;
        }
        answered += 1;
        const elapsedMs = performance.now() - start;
        isOver ||= elapsedMs >= settings.durationMs;
        if (!isOver) next();
        else if (underWay === 0) done({ calls: answered, elapsedMs });
      });
      index += 1;
    };
    for (let started = 0; started < settings.depth; started += 1) next();
  });
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/**
 * Measures one cell in a folder of its own, which is gone afterwards. Rejects with what the footprint says. `adapt`
 * changes the component before it is opened.
 */
export async function measureCell(
  footprint: Footprint,
  program: string,
  workload: Workload,
  settings: MeasureSettings,
  adapt: (folder: string) => Promise<void> = () => Promise.resolve(),
): Promise<CellFigures> {
  const parent = mkdtempSync(join(tmpdir(), 'moiety-bench-'));
  const folder = join(parent, 'component');
  const { argument, durability } = settings;
  const options = { folder, program, argument, durability };
  let connection: TrustedConnection | undefined;
  try {
    const begun = performance.now();
    await footprint.create(options);
    await adapt(folder);
    const created = performance.now();
    connection = await footprint.open(options);
    await ask(connection, { op: 'identify' });
    const opened = performance.now();
    await prepare(connection, workload);
    const times = await oneAtATime(connection, workload, 0, settings.durationMs);
    const sorted = times.toSorted((a, b) => a - b);
    const many = await manyAtATime(connection, workload, times.length + WARM_UP_CALLS, settings);
    return {
      createMs: created - begun,
      openMs: opened - created,
      p50Us: quantile(sorted, 0.5),
      p99Us: quantile(sorted, 0.99),
      perSecond: (many.calls * 1000) / many.elapsedMs,
      calls: times.length + many.calls,
    };
  } finally {
    connection?.close();
    await footprint.stop(folder).catch(() => false);
    rmSync(parent, { recursive: true, force: true });
  }
}

/** Microseconds of one HMAC-SHA-256 of a statement (136 bytes) by the platform: what a certificate is compared with. */
export function measureHmac(durationMs: number): number {
  const key = createSecretKey(randomBytes(32));
  const message = randomBytes(136);
  const rounds = 2_000;
  for (let index = 0; index < rounds; index += 1) createHmac('sha256', key).update(message).digest();
  let calls = 0;
  const start = performance.now();
  while (performance.now() - start < durationMs) {
    for (let index = 0; index < rounds; index += 1) createHmac('sha256', key).update(message).digest();
    calls += rounds;
  }
  return ((performance.now() - start) * 1000) / calls;
}

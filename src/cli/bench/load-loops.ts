/** The two ways to make load: a closed loop, and an open one whose latencies count from when an operation was due. */
import type { Prng } from '../../core/prng.ts';
import { messageOf } from '../failure.ts';
import { REAL_CLOCK } from './measured.ts';
import type { Meter } from './measured.ts';

/** Begins an operation and tells, when it ends, since when it was due; rejects if it failed. */
export type Operate = (dueMs: number) => Promise<unknown>;

/** Errors after which a loop gives up. */
const ERRORS_MAX = 1_000;
const PAUSE_AFTER_ERROR_MS = 50;
/** Operations of an open loop that are on the way at once, at most; others wait here, and their wait counts. */
const ON_THE_WAY_MAX = 8_192;
/** How long an open loop waits for what is on the way at its end. */
const LAST_ANSWERS_MS = 10_000;
const TURN_MS = 1;
/** Begun operations that may lie before those that wait. */
const COMPACT_AT = 65_536;

/** Keeps so many operations on the way until the meter says that time is over. */
export async function closedLoop(
  meter: Meter,
  inFlight: number,
  operate: Operate,
  clock = REAL_CLOCK,
): Promise<void> {
  let errors = 0;
  const one = async (): Promise<void> => {
    let startMs = clock.now();
    while (startMs < meter.toMs && errors < ERRORS_MAX) {
      try {
        await operate(startMs);
        meter.done(startMs);
      } catch (error) {
        meter.failed(messageOf(error));
        errors += 1;
        await clock.pause(PAUSE_AFTER_ERROR_MS);
      }
      // One look at the clock says whether time is over and when the next operation begins.
      startMs = clock.now();
    }
  };
  await Promise.all(Array.from({ length: inFlight }, one));
}

/**
 * Begins operations at random moments, so many a second on average, whatever the cluster does. A latency counts from
 * the moment that was drawn: a stall is felt by all that were due in it (no coordinated omission). What has no answer in
 * the end counts with the time that it waited.
 */
export async function openLoop(
  meter: Meter,
  ratePerSecond: number,
  prng: Prng,
  operate: Operate,
  clock = REAL_CLOCK,
): Promise<void> {
  const onTheWay = new Set<{ readonly dueMs: number }>();
  const waiting: number[] = [];
  let firstWaiting = 0;
  let errors = 0;
  let nextMs = clock.now();
  const begin = (dueMs: number): void => {
    const operation = { dueMs };
    onTheWay.add(operation);
    operate(dueMs).then(
      () => onTheWay.delete(operation) && meter.done(dueMs),
      (error: unknown) => {
        onTheWay.delete(operation);
        meter.failed(messageOf(error));
        errors += 1;
      },
    );
  };
  const turn = (): void => {
    while (firstWaiting < waiting.length && onTheWay.size < ON_THE_WAY_MAX) begin(waiting[firstWaiting++]!);
    if (firstWaiting < COMPACT_AT) return;
    waiting.splice(0, firstWaiting);
    firstWaiting = 0;
  };
  while (!meter.isOver && errors < ERRORS_MAX) {
    const now = clock.now();
    for (; nextMs <= now && nextMs < meter.toMs; nextMs += gapMs(prng, ratePerSecond)) waiting.push(nextMs);
    turn();
    await clock.pause(TURN_MS);
  }
  const deadline = clock.now() + LAST_ANSWERS_MS;
  while ((onTheWay.size > 0 || firstWaiting < waiting.length) && clock.now() < deadline) {
    turn();
    await clock.pause(TURN_MS);
  }
  for (const { dueMs } of onTheWay) meter.givenUp(dueMs);
  for (; firstWaiting < waiting.length; firstWaiting += 1) meter.givenUp(waiting[firstWaiting]!);
}

/** Waits between independent arrivals are distributed exponentially. */
function gapMs(prng: Prng, ratePerSecond: number): number {
  return (-Math.log(1 - prng.unit()) * 1000) / ratePerSecond;
}

/** The two ways to make load: a closed loop, and an open one whose latencies count from when an operation was due. */
import type { Prng } from '../../core/prng.ts';
import { messageOf } from '../failure.ts';
import type { LoadTally } from './load-tally.ts';
import { REAL_CLOCK } from './measured.ts';

/** Begins an operation: its kind, where there are several, and its end; rejects if it failed. */
export type Operate = () => readonly [kind: string | undefined, ended: Promise<unknown>];

/** Errors after which a loop gives up. */
export const ERRORS_MAX = 1_000;
const PAUSE_AFTER_ERROR_MS = 50;
/** Operations of an open loop that are on the way at once, at most; others wait here, and their wait counts. */
const ON_THE_WAY_MAX = 8_192;
/** How long an open loop waits for what is on the way at its end. */
const LAST_ANSWERS_MS = 10_000;
const TURN_MS = 1;
/** Begun operations that may lie before those that wait. */
const COMPACT_AT = 65_536;

/** Keeps so many operations on the way until the tally says that time is over. */
export async function closedLoop(
  tally: LoadTally,
  inFlight: number,
  operate: Operate,
  clock = REAL_CLOCK,
): Promise<void> {
  let errors = 0;
  const one = async (): Promise<void> => {
    let startMs = clock.now();
    while (startMs < tally.toMs && errors < ERRORS_MAX) {
      try {
        const [kind, ended] = operate();
        await ended;
        tally.done(startMs, kind);
      } catch (error) {
        tally.failed(messageOf(error));
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
  tally: LoadTally,
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
    const [kind, ended] = operate();
    ended.then(
      () => onTheWay.delete(operation) && tally.done(dueMs, kind),
      (error: unknown) => {
        onTheWay.delete(operation);
        tally.failed(messageOf(error));
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
  while (!tally.isOver && errors < ERRORS_MAX) {
    const now = clock.now();
    for (; nextMs <= now && nextMs < tally.toMs; nextMs += gapMs(prng, ratePerSecond)) {
      tally.due(nextMs);
      waiting.push(nextMs);
    }
    turn();
    await clock.pause(TURN_MS);
  }
  const deadline = clock.now() + LAST_ANSWERS_MS;
  while ((onTheWay.size > 0 || firstWaiting < waiting.length) && clock.now() < deadline) {
    turn();
    await clock.pause(TURN_MS);
  }
  for (const { dueMs } of onTheWay) tally.givenUp(dueMs);
  // What ends from now on was counted just now.
  onTheWay.clear();
  for (; firstWaiting < waiting.length; firstWaiting += 1) tally.givenUp(waiting[firstWaiting]!);
}

/** Waits between independent arrivals are distributed exponentially. */
function gapMs(prng: Prng, ratePerSecond: number): number {
  return (-Math.log(1 - prng.unit()) * 1000) / ratePerSecond;
}

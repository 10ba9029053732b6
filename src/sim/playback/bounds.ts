/** What a scenario may ask for when it comes from an address or a page: nothing that takes for ever or fills the memory. */
import type { Script } from '../script/script.ts';

/** Characters of a script, at most. */
export const SCRIPT_LENGTH_MAX = 64 * 1024;

const REPLICAS_MAX = 61;
const CLIENTS_MAX = 16;
/** Requests of all clients together. */
const REQUESTS_MAX = 4_000;
const FAULTS_MAX = 500;
/** Virtual time until the calm, and after it. */
const TIME_MAX_MS = 3_600_000;
/** Timers and pauses that come again and again are at least so long. */
const PERIOD_MIN_MS = 0.05;

/** Why a script is not played; undefined if it may be. */
export function boundsProblem({ scenario, steps }: Script): string | undefined {
  const { n, f, clients, liarClients, faults, calmMs, settleMs, timers, limits, clockOffsetsMs } = scenario;
  const whole = (value: unknown, most: number): boolean =>
    Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= most;
  const time = (value: unknown, least: number): boolean =>
    typeof value === 'number' && value >= least && value <= TIME_MAX_MS;
  if (!whole(n, REPLICAS_MAX) || n < 1 || !whole(f, n) || clockOffsetsMs.length !== n)
    return `it has ${String(n)} replicas; a run here has ${REPLICAS_MAX} at most`;
  if (clients.length + (liarClients ?? []).length > CLIENTS_MAX)
    return `it has ${clients.length} clients; a run here has ${CLIENTS_MAX} at most`;
  let requests = 0;
  for (const { bundles, requestsPerBundle, inFlight, paceMs, retransmitMs, burst = 1 } of clients) {
    if (![bundles, requestsPerBundle, inFlight, burst].every((value) => whole(value, REQUESTS_MAX)))
      return 'a client has a plan that is no plan';
    if (!time(paceMs, 0) || !time(retransmitMs, PERIOD_MIN_MS))
      return `pauses of clients are ${PERIOD_MIN_MS} to ${TIME_MAX_MS} ms`;
    requests += bundles * requestsPerBundle;
  }
  if (requests > REQUESTS_MAX) return `its clients send ${requests} requests; a run here has ${REQUESTS_MAX}`;
  if (faults.length > FAULTS_MAX || steps.length > FAULTS_MAX)
    return `it has more than ${FAULTS_MAX} faults or steps`;
  if (!time(calmMs, 0) || !time(settleMs, 0)) return `its times are not 0 to ${TIME_MAX_MS} ms`;
  if (!Object.values(timers).every((value) => time(value, PERIOD_MIN_MS)))
    return `its timers are not ${PERIOD_MIN_MS} to ${TIME_MAX_MS} ms`;
  if (!Object.values(limits).every((value) => whole(value, 2 ** 32))) return 'its limits are not numbers';
  return undefined;
}

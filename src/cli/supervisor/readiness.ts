/** Whether a local cluster that was started serves, serves not yet, or never will. */
import type { SeenReplica } from '../../gateway/explain/seen-replica.ts';

const READY_MS = 60_000;
const POLL_MS = 50;
/** Pause between two questions whether the cluster can go on at all. */
const HALT_POLL_MS = 300;
const CALL_MS = 6_000;

/** `true`: it serves. `false`: not in time, or `stopped`. A text: the final halt that its replicas report. */
export type Readiness = boolean | string;

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

async function untilHealthy(port: number, stopped: AbortSignal): Promise<boolean> {
  while (!stopped.aborted) {
    try {
      const signal = AbortSignal.any([stopped, AbortSignal.timeout(CALL_MS)]);
      const response = await fetch(`http://127.0.0.1:${port}/health`, { signal });
      await response.arrayBuffer();
      if (response.ok) return true;
    } catch {
      // Not up yet.
    }
    await pause(POLL_MS);
  }
  return false;
}

/** Why nothing can ever be ordered again, once all replicas that answer say so. */
async function untilFinalHalt(port: number, stopped: AbortSignal): Promise<string | false> {
  while (!stopped.aborted) {
    await pause(HALT_POLL_MS);
    try {
      const signal = AbortSignal.any([stopped, AbortSignal.timeout(CALL_MS)]);
      const response = await fetch(`http://127.0.0.1:${port}/v1/status`, { signal });
      const { replicas } = (await response.json()) as { replicas: readonly SeenReplica[] };
      const words = replicas.flatMap(({ reachable, waitsFor }) =>
        reachable === false ? [] : [waitsFor ?? ''],
      );
      if (words.length > 0 && words.every((word) => word.startsWith('final halt'))) return words[0]!;
    } catch {
      // Not up yet.
    }
  }
  return false;
}

/** Waits until one of these is known. */
export async function waitUntilReady(port: number, stopped: AbortSignal): Promise<Readiness> {
  const known = new AbortController();
  const signal = AbortSignal.any([stopped, known.signal, AbortSignal.timeout(READY_MS)]);
  try {
    return await Promise.race([untilHealthy(port, signal), untilFinalHalt(port, signal)]);
  } finally {
    known.abort();
  }
}

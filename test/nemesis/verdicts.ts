/** What must hold for a site after the last fault: nothing that was acknowledged is lost, all replicas stand at one place. */
import { eventually } from '../support/local-cluster.ts';
import type { Workload } from './workload.ts';

/** How long a cluster may take to be whole again after the last fault. */
const SETTLE_MS = 90_000;

/** Every acknowledged write is in exactly one block: the one that was said. In words, what is not. */
export async function lostWrites({ client, acknowledged }: Workload): Promise<string[]> {
  const heights = new Map<string, number[]>();
  const last = Math.max(0, ...acknowledged.map(({ height }) => height));
  for (let height = 1; height <= last; height += 1) {
    const proven = await client.block(height);
    if (proven === undefined) return [`block ${height} of ${last} is not there`];
    for (const { id } of proven.block.transactions) heights.set(id, [...(heights.get(id) ?? []), height]);
  }
  return acknowledged
    .filter(({ txId, height }) => heights.get(txId)?.join() !== String(height))
    .map(
      ({ txId, height, what }) =>
        `${what} (${txId.slice(0, 12)}) was acknowledged at height ${height} and is at ${heights.get(txId)?.join() ?? 'none'}`,
    );
}

/** Waits until all n replicas stand at one sequence number with one header; the sequence number. */
export async function converged(workload: Workload, n: number): Promise<number> {
  return eventually('all replicas at one place', SETTLE_MS, async () => {
    await workload.client.noop({ timeoutMs: 5_000 }).catch(() => undefined);
    const seen = await workload.client.status();
    const places = seen.map((one) => (one.reachable ? `${one.sequence}/${one.headerHash}` : 'unreachable'));
    const first = seen[0];
    return places.length === n && new Set(places).size === 1 && first?.reachable === true
      ? first.sequence
      : undefined;
  });
}

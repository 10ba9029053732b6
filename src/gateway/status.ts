/** `/v1/status`: how the replicas are, who is proved faulty, and who is suspected. */
import type { SeenStatus } from '../client/contract.ts';
import type { ReplicaId } from '../core/types.ts';
import { accusationsOf, refreshSoon } from './evidence-book.ts';
import type { ProvenFault } from './evidence-book.ts';
import { explain } from './explain/explain.ts';
import { withProcesses } from './explain/seen-replica.ts';
import type { NamedProcess, SeenReplica } from './explain/seen-replica.ts';
import type { StatusDocument } from './live-feed.ts';
import type { GatewayParts, Route } from './routes.ts';

/** How long an answer waits for the supervisor of a local cluster. */
const SUPERVISOR_WAIT_MS = 500;

/** What the status is made of. */
type StatusParts = Pick<GatewayParts, 'client' | 'evidence' | 'fault'>;

/** Somebody suspects a replica: no proof. */
interface Suspicion {
  readonly replica: ReplicaId;
  /** Who says so. */
  readonly by: ReplicaId[];
  readonly why: string;
  /** When one of them last heard of it (Unix time); null: never. */
  readonly lastHeardMs: number | null;
}

function suspicions(statuses: readonly SeenStatus[]): Suspicion[] {
  const found = new Map<string, Suspicion>();
  for (const status of statuses) {
    if (!status.reachable || !Array.isArray(status.suspected)) continue;
    for (const one of status.suspected.slice(0, 64)) {
      const { replica, why } = one ?? {};
      if (!Number.isSafeInteger(replica) || typeof why !== 'string' || why.length > 256) continue;
      // Silence is one suspicion, however long each of them has waited.
      const name = `${replica}/${why.replace(/\d+/g, '#')}`;
      const known = found.get(name);
      const lastHeardMs = typeof one.lastHeardMs === 'number' ? one.lastHeardMs : null;
      if (known === undefined) found.set(name, { replica, by: [status.id], why, lastHeardMs });
      else known.by.push(status.id);
    }
  }
  return [...found.values()];
}

/** A replica's row: its own word, and apart from it what is proved against it and what it says of others. */
function rowOf(status: SeenStatus, proven: readonly ProvenFault[]): SeenReplica & Record<string, unknown> {
  const against = proven.filter(({ replica }) => replica === status.id);
  if (!status.reachable) return { ...status, role: 'unreachable', proven: against };
  // What a supervisor says of a process comes from the supervisor alone, whatever a replica says.
  const { supervised: _, ...own } = status as typeof status & { readonly supervised?: unknown };
  return { ...own, proven: against, accuses: accusationsOf(status) };
}

/** What the supervisor of a local cluster says of the processes; nothing if there is none, or if it does not answer soon. */
async function processesOf({ fault }: StatusParts): Promise<readonly NamedProcess[]> {
  if (fault === undefined) return [];
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<readonly NamedProcess[]>((resolve) => {
    timer = setTimeout(resolve, SUPERVISOR_WAIT_MS, []);
  });
  const listed = fault.list().then(
    ({ processes }) => processes,
    () => [],
  );
  const processes = await Promise.race([listed, late]);
  clearTimeout(timer);
  return processes;
}

/** Numbers of processes are for those who may do something to them. */
function publicOf(process: NamedProcess): NamedProcess {
  const { pid: _, ...rest } = process as NamedProcess & { readonly pid?: unknown };
  return rest;
}

/** The document of `/v1/status`; replicas that take longer than `waitMs` count as unreachable. */
export async function statusOf(parts: StatusParts, waitMs?: number): Promise<StatusDocument> {
  const asked = processesOf(parts).catch(() => []);
  const statuses = await parts.client.status(waitMs);
  const [processes] = await Promise.all([asked, refreshSoon(parts, statuses)]);
  const proven = parts.evidence.proven(statuses);
  const { protocol, f } = parts.client.settings;
  const rows = statuses.map((status) => rowOf(status, proven));
  const replicas = withProcesses(rows, processes.map(publicOf));
  const waiting = parts.client.waiting() ?? null;
  return {
    protocol,
    f,
    replicas,
    proven,
    suspected: suspicions(statuses),
    waiting,
    explanation: explain({ replicas, f, waiting }).sentences,
    faults: parts.fault !== undefined,
  };
}

/** The route. */
export function statusRoutes(parts: GatewayParts): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/status',
      operationId: 'getStatus',
      summary: "Each replica's own word about itself; who is proved faulty, and who is suspected",
      success: { 200: { media: 'application/json', schema: 'Status' } },
      handler: () => statusOf(parts),
    },
  ];
}

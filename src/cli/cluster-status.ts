/** What is known of a cluster: by its gateway and, of a local one, by its supervisor. */
import type { Lack } from '../core/live.ts';
import { withProcesses } from '../gateway/explain/seen-replica.ts';
import { DataFolder } from './data-folder.ts';
import { CommandFailure, messageOf } from './failure.ts';
import { callGatewayJson } from './gateway-client.ts';
import type { ClusterOptions } from './options.ts';
import type { SeenReplica } from '../gateway/explain/seen-replica.ts';
import { supervisedProcesses } from './supervisor/control.ts';
import type { ProcessReport } from './supervisor/run-file.ts';

/** Processes of the local cluster that the options mean; undefined if it is none of ours. */
async function localProcesses(options: ClusterOptions): Promise<readonly ProcessReport[] | undefined> {
  if (options.url !== undefined) return undefined;
  const processes = await supervisedProcesses(new DataFolder(options.data));
  return processes;
}

/** Replicas as far as they can be known when no gateway answers. */
function unreachable(processes: readonly ProcessReport[]): SeenReplica[] {
  return processes
    .filter(({ name }) => name.startsWith('replica '))
    .map((report, id) => ({
      id,
      reachable: false,
      reason: 'the gateway does not answer',
      supervised: report,
    }));
}

/** What the gateway says. */
interface ClusterStatus {
  /** Undefined while no gateway answers. */
  readonly protocol?: string;
  readonly f?: number;
  readonly replicas: SeenReplica[];
  /** Whose answers the gateway's oldest request lacks, if one waits. */
  readonly waiting?: Lack | null;
  /** Faults that evidence proves. */
  readonly proven: readonly unknown[];
  /** What replicas suspect of each other. */
  readonly suspected: readonly unknown[];
}

/** See the top of this file. `problem`: no gateway answers, only processes are known. Throws a CommandFailure if not even they are. */
export async function readStatus(
  options: ClusterOptions,
): Promise<ClusterStatus & { readonly problem?: CommandFailure }> {
  const processes = await localProcesses(options);
  try {
    const path = '/v1/status';
    const answer = await callGatewayJson<ClusterStatus>(options, { path });
    return { ...answer, replicas: withProcesses(answer.replicas, processes ?? []) };
  } catch (error) {
    if (processes === undefined) throw error;
    const problem = error instanceof CommandFailure ? error : new CommandFailure(messageOf(error));
    return { replicas: unreachable(processes), proven: [], suspected: [], problem };
  }
}

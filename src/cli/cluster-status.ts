/** What is known of a cluster: by its gateway and, of a local one, by its supervisor. */
import { DataFolder } from './data-folder.ts';
import { CommandFailure, messageOf } from './failure.ts';
import { callGatewayJson } from './gateway-client.ts';
import type { ClusterOptions } from './options.ts';
import type { StatusOfReplica } from './status-words.ts';
import { supervisedProcesses } from './supervisor/control.ts';
import type { ProcessReport } from './supervisor/run-file.ts';

/** Processes of the local cluster that the options mean; undefined if it is none of ours. */
async function localProcesses(options: ClusterOptions): Promise<readonly ProcessReport[] | undefined> {
  if (options.url !== undefined) return undefined;
  const processes = await supervisedProcesses(new DataFolder(options.data));
  return processes;
}

function withProcess(
  replica: StatusOfReplica,
  processes: readonly ProcessReport[] | undefined,
): StatusOfReplica {
  const report = processes?.find(({ name }) => name === `replica ${replica.id}`);
  return report === undefined ? replica : { ...replica, supervised: report };
}

/** Replicas as far as they can be known when no gateway answers. */
function unreachable(processes: readonly ProcessReport[]): StatusOfReplica[] {
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
  readonly replicas: StatusOfReplica[];
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
    return { ...answer, replicas: answer.replicas.map((replica) => withProcess(replica, processes)) };
  } catch (error) {
    if (processes === undefined) throw error;
    const problem = error instanceof CommandFailure ? error : new CommandFailure(messageOf(error));
    return { replicas: unreachable(processes), proven: [], suspected: [], problem };
  }
}

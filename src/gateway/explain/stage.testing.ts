/** For tests: a simulated cluster in which something goes wrong, and the statuses that a gateway would have of it then. */
import type { Lack } from '../../core/live.ts';
import type { ReplicaInspection } from '../../core/protocol.ts';
import type { Milliseconds, ReplicaId } from '../../core/types.ts';
import type { HostStatus } from '../../host/status.ts';
import { protocolNamed } from '../../protocols/catalogue.ts';
import { parseScript } from '../../sim/script/parse.ts';
import { Performance } from '../../sim/script/performance.ts';
import type { SeenReplica } from './seen-replica.ts';

/** A machine of either fidelity, as far as it is looked at here. */
interface LookedAt {
  readonly id: ReplicaId;
  readonly isUp: boolean;
  readonly clock: Milliseconds;
  readonly fatal: string | undefined;
  readonly inside?: { inspect(now: Milliseconds): ReplicaInspection } | undefined;
  readonly host?: { status(now: Milliseconds): HostStatus } | undefined;
  look(): { readonly sequence: number; readonly phase: string } | undefined;
}

/** What happens on the stage. */
export interface Play {
  readonly protocol: string;
  /** Default: as many as the protocol needs for one fault. */
  readonly replicas?: number;
  readonly fidelity?: 'core' | 'whole';
  /** Lines of the head beside the usual ones. */
  readonly head?: readonly string[];
  /** Steps of the script, once something was executed. */
  readonly steps: readonly string[];
  /** Of these the gateway gets no answer although they run. */
  readonly mute?: readonly ReplicaId[];
  /** Whether anybody asks for anything after the first request. Default: true. */
  readonly isAsked?: boolean;
}

/** When the statuses are taken, milliseconds of virtual time; faults come in the first tenth of it. */
const LOOK_AT_MS = 3_000;
/** Timers of the stage are short, and so is the patience that fits to them. */
const STAGE_PATIENCE_MS = 400;

function scriptOf(play: Play): string {
  const { protocol, fidelity = 'core', head = [], steps, isAsked = true } = play;
  const n = play.replicas ?? protocolNamed(protocol)!.replicasFor(1);
  return [
    'scenario stage',
    `protocol ${protocol}`,
    `fidelity ${fidelity}`,
    'judge outcomes',
    `replicas ${n}`,
    'seed 1',
    'expect clean',
    'timers status 20 request 40 new-view 60',
    'set endless true',
    `calm after ${LOOK_AT_MS + 10}`,
    ...head,
    isAsked ? 'clients 1 bundles 500 every 20 to all' : 'clients 1 bundles 1 every 20 to all',
    'wait until 0 executed n1',
    'wait 20',
    ...steps,
    '',
  ].join('\n');
}

function seen(machine: LookedAt, mute: readonly ReplicaId[]): SeenReplica {
  const { id, clock } = machine;
  if (!machine.isUp) return { id, reachable: false, reason: 'connection refused' };
  if (mute.includes(id)) return { id, reachable: false, reason: 'it does not answer' };
  if (machine.host !== undefined) return { ...machine.host.status(clock), reachable: true, proven: [] };
  const look = machine.look();
  if (look?.phase === 'halted')
    return { id, reachable: true, role: 'halted', haltReason: machine.fatal ?? '', sequence: look.sequence };
  const inspection = machine.inside?.inspect(clock);
  if (inspection === undefined || look === undefined) return { id, reachable: true, role: 'starting' };
  const { view, mode, primary, lack, waitsFor, pendingBundles, peers } = inspection;
  // As a host does, with the patience of the stage.
  const silent = peers.filter(
    (peer) => peer.replica !== id && clock - (peer.lastHeardMs ?? 0) > STAGE_PATIENCE_MS,
  );
  const role = mode === 'recovering' ? 'recovering' : primary === id ? 'primary' : 'backup';
  return {
    id,
    reachable: true,
    view,
    role,
    sequence: look.sequence,
    lack: lack ?? null,
    waitsFor: waitsFor ?? null,
    pendingBundles,
    suspected: silent.map(({ replica }) => ({ replica, why: 'silent for some time' })),
  };
}

/** What whoever asks would know after the play has gone on for a while. */
export interface StageView {
  readonly replicas: readonly SeenReplica[];
  readonly f: number;
  /** What the client of the stage waits for; who has answered it is not seen here. */
  readonly waiting: Lack | undefined;
  readonly patienceMs: Milliseconds;
}

/** Plays, and looks. */
export function viewOf(play: Play): StageView {
  const open = new Map<string, Milliseconds>();
  const performance = new Performance(parseScript(scriptOf(play)), {
    spectator: {
      onIssued: (_client, txId) => open.set(txId, theatre.queue.now),
      onBelieved: ({ result }) => open.delete(result.txId),
    },
  });
  const { theatre } = performance;
  let view: StageView | undefined;
  theatre.queue.after(LOOK_AT_MS, () => {
    const { nodes } = theatre.world as unknown as { readonly nodes: readonly LookedAt[] };
    const replicas = nodes.map((machine) => seen(machine, play.mute ?? []));
    const lacks = replicas.map(({ id }) => id);
    const oldest = [...open.values()][0];
    const lack = { what: 'answers', needs: 2, has: [], lacks };
    const waiting = oldest === undefined ? undefined : { ...lack, forMs: theatre.queue.now - oldest };
    view = { replicas, f: performance.script.scenario.f, waiting, patienceMs: STAGE_PATIENCE_MS };
  });
  performance.play();
  if (performance.error !== undefined) throw performance.error;
  return view!;
}

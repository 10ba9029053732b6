/** Keeps a local cluster running: its replicas, each with its trusted component, and the gateway. */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { rememberingProcesses } from '../../footprints/registry.ts';
import type { FaultOrder } from '../../gateway/fault-port.ts';
import { partitionOrder } from '../../node/link-switch.ts';
import type { NamedBehaviour } from '../byzantine-choice.ts';
import type { DataFolder } from '../data-folder.ts';
import { CommandFailure, messageOf, usageFailure } from '../failure.ts';
import { FATAL_EXIT_CODES } from './configs.ts';
import { portOf, startControl } from './control.ts';
import type { ControlPort } from './control.ts';
import { byzantineEntry, developmentEntry, gatewayEntry, replicaEntry } from './entry-points.ts';
import { ManagedProcess } from './managed-process.ts';
import { killComponents } from './component-processes.ts';
import { stopComponents } from './orphans.ts';
import { removeRunFile, writeRunFile } from './run-file.ts';
import type { ProcessReport } from './run-file.ts';

/** What a supervisor needs; configurations are written already. */
export interface SupervisorOptions {
  readonly folder: DataFolder;
  readonly replicas: number;
  /** Port of the gateway. */
  readonly port: number;
  /** Default: true. */
  readonly withGateway?: boolean;
  /** Whether the trusted components are the volatile ones of `--dev`. Default: false. */
  readonly development?: boolean;
  /** Behaviours of replicas that lie on purpose, by number. */
  readonly byzantine: ReadonlyMap<number, string>;
  /** Behaviours that there are. */
  readonly behaviours: readonly NamedBehaviour[];
  /** Told when somebody asks over the control port that everything ends. */
  readonly onDown: () => void;
  /** Told when a process is given up. */
  readonly onGivenUp: (report: ProcessReport) => void;
}

/**
 * Flags of Node. V8 would let its young generation grow to 128 MiB, and gives back what lies outside of its heap (frames,
 * batches) no sooner: then what lies there asks for big collections all the time. Small ones, from the start, are cheaper
 * (docs/benchmarks.md).
 */
export const REPLICA_FLAGS: readonly string[] = ['--max-semi-space-size=8', '--min-semi-space-size=8'];
/**
 * glibc would keep what large buffers have left, in pieces, for ever: once one was freed, it takes those of that size from
 * its heap, too. Fixed, the threshold gives them back to the system. Other C libraries do not know the variable.
 */
const REPLICA_ENVIRONMENT = { MALLOC_MMAP_THRESHOLD_: '131072' };

/** The gateway reads the token of this start from here. */
const FAULT_TOKEN_VARIABLE = 'MOIETY_FAULT_TOKEN';

type GatewayMessage = FaultOrder & { readonly kind?: string; readonly id: number };
type FaultAnswer = {
  readonly kind: 'faultDone';
  readonly id: number;
  readonly error?: string;
  readonly list?: {
    readonly behaviours: readonly NamedBehaviour[];
    readonly processes: readonly ProcessReport[];
  };
};

/** See the top of this file. */
export class Supervisor implements ControlPort {
  readonly #options: SupervisorOptions;
  readonly #replicas: ManagedProcess[] = [];
  readonly #gateway: ManagedProcess;
  readonly #byzantine: Map<number, string>;
  /** Replicas that are cut off from the others; a restart does not heal them. */
  readonly #cutOff = new Set<number>();
  readonly #token = randomBytes(24).toString('hex');
  readonly #startedAt = new Date().toISOString();
  readonly #givenUp = new Set<string>();
  #control: Server | undefined;
  /** Faults are made one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  #stopping = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#byzantine = new Map(options.byzantine);
    const { folder } = options;
    for (let id = 0; id < options.replicas; id += 1) this.#replicas.push(this.#replicaProcess(id));
    this.#gateway = new ManagedProcess({
      name: 'gateway',
      log: folder.gatewayLog,
      plan: () => ({ args: [gatewayEntry(), '--config', folder.gatewayConfig], byzantine: undefined }),
      // Whatever ends it (a port that is taken for a moment, a full disk), it is tried again.
      fatalExitCodes: [],
      onChange: () => this.#onChange(),
      environment: { [FAULT_TOKEN_VARIABLE]: this.#token },
      onMessage: (message, answer) => this.#onGatewayMessage(message as GatewayMessage, answer),
    });
  }

  /** `/v1/fault` of the gateway, which has checked the token. */
  #onGatewayMessage(message: GatewayMessage, answer: (value: FaultAnswer) => void): void {
    if (message?.kind === 'faultList') {
      const list = { behaviours: this.#options.behaviours, processes: this.processes() };
      return answer({ kind: 'faultDone', id: message.id, list });
    }
    if (message?.kind !== 'fault') return;
    const { id } = message;
    this.fault(message).then(
      () => answer({ kind: 'faultDone', id }),
      (error: unknown) => answer({ kind: 'faultDone', id, error: messageOf(error) }),
    );
  }

  #replicaProcess(id: number): ManagedProcess {
    const paths = this.#options.folder.replica(id);
    return new ManagedProcess({
      name: `replica ${id}`,
      log: paths.log,
      plan: () => {
        const byzantine = this.#byzantine.get(id);
        const correct = this.#options.development === true ? developmentEntry() : replicaEntry();
        if (byzantine === undefined)
          return { args: [...REPLICA_FLAGS, correct, '--config', paths.config], byzantine };
        return {
          args: [...REPLICA_FLAGS, byzantineEntry(), '--config', paths.config, '--behaviour', byzantine],
          byzantine,
        };
      },
      fatalExitCodes: FATAL_EXIT_CODES,
      onChange: () => this.#onChange(),
      environment: REPLICA_ENVIRONMENT,
      // The replica says nothing there; the channel tells it when this supervisor is gone, too.
      onMessage: () => undefined,
      firstWords: () => (this.#cutOff.has(id) ? partitionOrder(true) : undefined),
    });
  }

  /** Starts every process and the control server. */
  async start(): Promise<void> {
    this.#control = await startControl(this, this.#token);
    for (const process of this.#all) process.start();
    this.#onChange();
  }

  get #all(): readonly ManagedProcess[] {
    return this.#options.withGateway === false ? this.#replicas : [...this.#replicas, this.#gateway];
  }

  /** Allows faults; made anew at each start. */
  get token(): string {
    return this.#token;
  }

  processes(): readonly ProcessReport[] {
    return this.#all.map((process, id) => ({ ...process.report, cutOff: this.#cutOff.has(id) }));
  }

  down(): void {
    this.#options.onDown();
  }

  #onChange(): void {
    if (this.#control === undefined || this.#stopping) return;
    const { folder, port, onGivenUp } = this.#options;
    const processes = this.processes();
    try {
      writeRunFile(folder, {
        pid: process.pid,
        token: this.#token,
        controlPort: portOf(this.#control),
        port,
        startedAt: this.#startedAt,
        processes,
      });
    } catch {
      // A full disk must not end the supervisor, and every process with it; the next change writes it again.
    }
    for (const report of processes) {
      if (report.state !== 'failed') this.#givenUp.delete(report.name);
      else if (!this.#givenUp.has(report.name)) {
        this.#givenUp.add(report.name);
        onGivenUp(report);
      }
    }
  }

  fault(order: FaultOrder): Promise<string> {
    return this.#inTurn(() => this.#fault(order));
  }

  hold(id: number): Promise<boolean> {
    return this.#inTurn(async () => {
      const replica = this.#replica(id);
      const wasUp = replica.isUp;
      if (wasUp) await replica.stop('its store is being copied');
      return wasUp;
    });
  }

  release(id: number): Promise<void> {
    return this.#inTurn(() => Promise.resolve(this.#replica(id).start()));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  #replica(id: number): ManagedProcess {
    const replica = this.#replicas[id];
    if (replica !== undefined) return replica;
    throw usageFailure(
      `There is no replica ${id}; this cluster has replicas 0 to ${this.#replicas.length - 1}.`,
    );
  }

  async #fault({ action, replica: id, behaviour }: FaultOrder): Promise<string> {
    const replica = this.#replica(id);
    if (this.#stopping) throw new CommandFailure('The cluster is being stopped.');
    switch (action) {
      case 'kill':
        if (!replica.isUp) throw new CommandFailure(`Replica ${id} is not running.`);
        await replica.stop('killed by "moiety fault kill"', 'SIGKILL');
        return `replica ${id} was killed; "moiety fault restart ${id}" starts it again`;
      case 'kill-tc':
        if ((await this.#killComponent(id)) === 0)
          throw new CommandFailure(
            `The trusted component of replica ${id} has no process of its own that runs here: "moiety fault kill ${id}" ends one ` +
              'that lives inside its replica.',
          );
        return `the trusted component of replica ${id} was killed; the replica finds it again`;
      case 'pause':
        if (!replica.pause()) throw new CommandFailure(`Replica ${id} is not running.`);
        return `replica ${id} is paused; "moiety fault resume ${id}" lets it go on`;
      case 'resume':
        if (!replica.resume()) throw new CommandFailure(`Replica ${id} is not paused.`);
        return `replica ${id} goes on`;
      case 'partition':
        if (!replica.isUp) throw new CommandFailure(`Replica ${id} is not running.`);
        this.#cutOff.add(id);
        replica.tell(partitionOrder(true));
        this.#onChange();
        return `replica ${id} is cut off from all other replicas, clients still reach it; "moiety fault heal ${id}" ends that`;
      case 'heal':
        if (!this.#cutOff.delete(id)) throw new CommandFailure(`Replica ${id} is not cut off.`);
        replica.tell(partitionOrder(false));
        this.#onChange();
        return `replica ${id} talks to the other replicas again`;
      case 'restart':
        await replica.stop('restarting');
        replica.start();
        return `replica ${id} was started`;
      case 'wipe':
        await replica.stop('stopped by "moiety fault wipe": its store is empty');
        // The store alone: keys and the trusted component are what the replica is (decision A3).
        rmSync(this.#options.folder.replica(id).store, { recursive: true, force: true });
        return `the store of replica ${id} was deleted (keys and trusted component stay); "moiety fault restart ${id}" starts it again`;
      case 'byzantine':
        return this.#corrupt(id, replica, behaviour);
    }
  }

  /** What remembers for the component stands for other machines, which do not fail with this one. */
  async #killComponent(id: number): Promise<number> {
    const { trusted } = this.#options.folder.replica(id);
    return killComponents(trusted, await rememberingProcesses(trusted));
  }

  async #corrupt(id: number, replica: ManagedProcess, behaviour: string | undefined): Promise<string> {
    const behaviours = this.#options.behaviours.map(({ name }) => name);
    if (behaviour === undefined || (behaviour !== 'none' && !behaviours.includes(behaviour)))
      throw usageFailure(`A behaviour is one of ${behaviours.join(', ')}, or none.`);
    await replica.stop('restarting');
    if (behaviour === 'none') this.#byzantine.delete(id);
    else this.#byzantine.set(id, behaviour);
    replica.start();
    return behaviour === 'none' ? `replica ${id} is correct again` : `replica ${id} now lies: ${behaviour}`;
  }

  /** Ends every process, trusted components last. Sentences about what could not be ended. */
  async stop(): Promise<readonly string[]> {
    this.#stopping = true;
    await this.#last;
    await Promise.all(this.#all.map((process) => process.stop('the cluster was stopped')));
    const problems = await stopComponents(this.#options.folder, this.#options.replicas);
    this.#control?.close();
    this.#control?.closeAllConnections();
    removeRunFile(this.#options.folder);
    return problems;
  }
}

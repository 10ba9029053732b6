/**
 * The data folder of a local cluster: where everything lies, and the marker that says what it is. Keys and trusted
 * components lie outside the stores, so that wiping a store can never take them (decision A3).
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { ReplicaId } from '../core/types.ts';
import { CommandFailure, messageOf } from './failure.ts';

/** Where the command line looks unless told otherwise. */
export const DEFAULT_DATA = '.moiety';
/** Port of the gateway unless told otherwise. */
export const DEFAULT_PORT = 4600;

const MARKER = 'moiety.json';
const FORMAT_NAME = 'moiety-data';
/** Rises when the layout changes in a way that older programs cannot read. */
const FORMAT_VERSION = 1;
/** There while a cluster is being made: what was left by a crash before the marker is made again from the start. */
const CREATING = 'creating';
/** `lock` is what keeps two supervisors apart where the system offers nothing better. */
const OWN_FILES: readonly string[] = [CREATING, MARKER, 'lock'];

/** What the marker says. */
export interface DataMarker {
  readonly format: string;
  readonly version: number;
  readonly clusterId: string;
  readonly replicas: number;
  /** Port of the gateway that was chosen when the cluster was made; replica N listens on this + 1 + N. */
  readonly port: number;
  /** Whether the trusted components are the volatile ones of `--dev`. */
  readonly development: boolean;
}

/** Paths of one replica. */
export interface ReplicaPaths {
  readonly folder: string;
  readonly config: string;
  readonly hostKey: string;
  readonly linkKey: string;
  readonly store: string;
  readonly log: string;
  readonly trusted: string;
}

/** See the top of this file. */
export class DataFolder {
  /** Absolute. */
  readonly path: string;

  constructor(path: string) {
    this.path = resolve(path);
  }

  /** A path inside. */
  at(...parts: readonly string[]): string {
    return join(this.path, ...parts);
  }

  get cluster(): string {
    return this.at('cluster.json');
  }

  get trust(): string {
    return this.at('trust.json');
  }

  get run(): string {
    return this.at('run.json');
  }

  get gatewayConfig(): string {
    return this.at('gateway', 'gateway.json');
  }

  get gatewayLog(): string {
    return this.at('gateway', 'gateway.log');
  }

  /** Private key of a client that genesis admits. */
  clientKey(name: 'gateway' | 'admin' | 'local'): string {
    return this.at('keys', `${name}.pem`);
  }

  replica(id: ReplicaId): ReplicaPaths {
    const folder = this.at(`replica-${id}`);
    return {
      folder,
      config: join(folder, 'node.json'),
      hostKey: join(folder, 'keys', 'host.pem'),
      linkKey: join(folder, 'keys', 'link.pem'),
      store: join(folder, 'store'),
      log: join(folder, 'replica.log'),
      trusted: this.at(`tc-${id}`),
    };
  }

  /** The marker; undefined if there is no cluster here. Throws a CommandFailure for a folder of something else. */
  marker(): DataMarker | undefined {
    const path = this.at(MARKER);
    if (!existsSync(path)) return undefined;
    let marker: Partial<DataMarker>;
    try {
      marker = JSON.parse(readFileSync(path, 'utf8')) as Partial<DataMarker>;
    } catch (error) {
      throw new CommandFailure(
        `${path} cannot be read (${messageOf(error)}): restore it, or use another --data folder.`,
      );
    }
    if (marker.format !== FORMAT_NAME || !Number.isSafeInteger(marker.version))
      throw new CommandFailure(
        `${path} is not the marker of a Moiety data folder: use another --data folder.`,
      );
    if (marker.version! > FORMAT_VERSION)
      throw new CommandFailure(
        `${this.path} was made by a newer Moiety (data format ${marker.version}, this program knows ${FORMAT_VERSION}): ` +
          'use that version, or another --data folder.',
      );
    const { clusterId, replicas, port } = marker;
    if (typeof clusterId !== 'string' || !Number.isSafeInteger(replicas) || !Number.isSafeInteger(port))
      throw new CommandFailure(`${path} is damaged: restore it, or use another --data folder.`);
    return { ...(marker as DataMarker), development: marker.development === true };
  }

  /** As `marker`, but there must be a cluster. */
  requireMarker(): DataMarker {
    const marker = this.marker();
    if (marker === undefined)
      throw new CommandFailure(
        `There is no local cluster in ${this.path}: run "moiety up --data ${this.path}" first.`,
      );
    return marker;
  }

  /** Refuses a folder that holds anything else than a cluster, or the rest of one that was being made. */
  requireRoom(): void {
    if (!existsSync(this.path) || existsSync(this.at(CREATING))) return;
    let others: readonly string[];
    try {
      others = readdirSync(this.path).filter((name) => !OWN_FILES.includes(name));
    } catch (error) {
      throw new CommandFailure(
        `${this.path} cannot be a data folder (${messageOf(error)}): name a folder, or a place for a new one, with --data.`,
      );
    }
    if (others.length > 0)
      throw new CommandFailure(
        `${this.path} is not empty and holds no Moiety cluster (there is "${others[0]}"): use another --data folder.`,
      );
  }

  /** Makes the folder ready for a new cluster. Refuses a folder that holds anything else. */
  beginCreation(): void {
    try {
      mkdirSync(this.path, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new CommandFailure(
        `${this.path} cannot be a data folder (${messageOf(error)}): name a folder, or a place for a new one, with --data.`,
      );
    }
    if (existsSync(this.at(CREATING))) this.#removeContent();
    this.requireRoom();
    writeFileSync(this.at(CREATING), '');
  }

  /** The last step of making a cluster. */
  finishCreation(marker: Omit<DataMarker, 'format' | 'version'>): void {
    this.writeJson(this.at(MARKER), { format: FORMAT_NAME, version: FORMAT_VERSION, ...marker });
    rmSync(this.at(CREATING), { force: true });
  }

  /** Removes the cluster with its keys. Only a folder that is marked as ours, or was being made, is touched. */
  removeCluster(): void {
    if (existsSync(this.at(CREATING)) || this.marker() !== undefined) this.#removeContent();
  }

  #removeContent(): void {
    // The marker goes last: a removal that was interrupted can be repeated.
    for (const name of readdirSync(this.path))
      if (!OWN_FILES.includes(name)) rmSync(this.at(name), { recursive: true, force: true });
    rmSync(this.at(MARKER), { force: true });
    rmSync(this.at(CREATING), { force: true });
  }

  /** Writes a file in one step: a reader sees the old or the new content. */
  writeJson(path: string, value: unknown, mode = 0o600): void {
    const temporary = `${path}.new`;
    writeFileSync(temporary, `${JSON.stringify(value, undefined, 2)}\n`, { mode });
    renameSync(temporary, path);
  }
}

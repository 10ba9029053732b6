/** What the client processes of a benchmark are told beyond the settings of a run, and what they tell back. */
import type { LoadSettings, Measured } from './measured.ts';

/** What operations do. `null`: nothing (they are ordered and answered). Letters: core workloads of YCSB. */
const WORKLOADS = ['put', 'null', 'A', 'B', 'C', 'D', 'E', 'F'] as const;
/** One of them. */
export type Workload = (typeof WORKLOADS)[number];

/** A run of a client process. */
export interface ClientRun extends LoadSettings {
  /** Tell when operations ended, too. */
  readonly timeline?: boolean;
}

/** Operations that ended at one moment: milliseconds since 1970, how many, and when the last of them began. */
export type Moment = readonly [atMs: number, count: number, begunMs: number];

/** What is measured of all operations, or of those of one kind. */
export interface LoadMeasured extends Measured {
  /** How many ended while it was measured. Of an open loop `operations` are those that were due then, whenever they ended. */
  readonly ended: number;
}

/** What a client process tells after a run. */
export interface ClientMeasured extends LoadMeasured {
  /** How many operations of an open loop were to begin while it was measured; 0 of a closed loop. */
  readonly due: number;
  /** By kind of operation, where there are several. */
  readonly kinds: Readonly<Record<string, LoadMeasured>>;
  readonly moments: readonly Moment[];
}

/** What a client process may be told. */
export type ClientOrder =
  /** To write its share of the records. */
  { readonly kind: 'load' } | { readonly kind: 'start'; readonly settings: ClientRun };

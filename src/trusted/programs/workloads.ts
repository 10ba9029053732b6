/**
 * What a measurement asks of each program: some requests that prepare it, then one operation over and over, the one
 * that a protocol would ask for each message. Pure.
 */
import { bytesToDigest } from '../../core/bytes.ts';
import { Writer } from '../../core/codec.ts';
import type { Digest } from '../../core/types.ts';
import { COUNTER_SENTINEL, USIG_OBJECT_ID } from '../contract.ts';
import type { TrustedRequest } from '../contract.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import { waitStartRequest } from './wait/frames.ts';

/** Requests of a measurement. */
export interface Workload {
  /** What is repeated, in a few words. */
  readonly operation: string;
  /** Asked once, before; every answer but an error will do. */
  readonly setup: readonly TrustedRequest[];
  /** The `index`-th request. */
  request(index: number): TrustedRequest;
}

const COUNTER = '0101000000000000';
const LOG = '0201000000000000';
const NO_CORE = new Uint8Array(0);

/** A digest that differs for each index. */
function digestOf(index: number): Digest {
  return bytesToDigest(new Writer(32).raw(new Uint8Array(24)).u64(index).finish());
}

function counterWorkload(operation: string, mode: 'step' | 'jump'): Workload {
  return {
    operation,
    setup: [{ op: 'create', objectId: COUNTER, mode }],
    request: (index) => ({
      op: 'advance',
      objectId: COUNTER,
      value: COUNTER_SENTINEL,
      independent: false,
      digest: digestOf(index),
    }),
  };
}

const WORKLOADS: Readonly<Record<string, Workload>> = {
  usig: {
    operation: 'certify',
    setup: [],
    request: (index) => ({
      op: 'certify',
      objectId: USIG_OBJECT_ID,
      digest: digestOf(index),
      core: NO_CORE,
    }),
  },
  trinc: counterWorkload('advance', 'jump'),
  trinx: counterWorkload('advance', 'jump'),
  cash: counterWorkload('advance', 'step'),
  a2m: {
    operation: 'append',
    setup: [{ op: 'create', objectId: LOG, mode: 'jump' }],
    // A log holds so many slots: after each 31 appends all but the last one is forgotten.
    request: (index) =>
      index % 32 === 31
        ? { op: 'truncate', objectId: LOG, slot: 31 * ((index + 1) / 32) }
        : { op: 'append', objectId: LOG, entry: digestOf(index) },
  },
  wait: {
    operation: 'waitStart',
    setup: [],
    request: () => waitStartRequest(ZERO_DIGEST, 1_000),
  },
};

/** The workload of a program; undefined for one that is not measured. */
export function workloadOf(program: string): Workload | undefined {
  return WORKLOADS[program];
}

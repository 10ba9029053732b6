/**
 * What a measurement asks of each program: some requests that prepare it, then one operation over and over, the one
 * that a protocol would ask for each message. Pure.
 */
import { bytesToDigest, hexToBytes } from '../../core/bytes.ts';
import { Writer } from '../../core/codec.ts';
import type { Digest } from '../../core/types.ts';
import { COUNTER_SENTINEL, USIG_OBJECT_ID } from '../contract.ts';
import type { TrustedRequest, TrustedResponse } from '../contract.ts';
import { announcedKeyOf, announceRequest, enrolRequest, leadRequest, orderRequest } from './share/frames.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import { waitStartRequest } from './wait/frames.ts';

/** Requests of a measurement. */
export interface Workload {
  /** What is repeated, in a few words. */
  readonly operation: string;
  /** Asked once, before, one after the other; every answer but an error will do. */
  setup(): Generator<TrustedRequest, void, TrustedResponse>;
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

function* asked(...requests: readonly TrustedRequest[]): Generator<TrustedRequest, void, TrustedResponse> {
  yield* requests;
}

/** A group of one that leads its first view: what ordering costs does not depend on the others. */
function* leadAlone(): Generator<TrustedRequest, void, TrustedResponse> {
  const answer = yield { op: 'identify' };
  if (answer.op !== 'identify') return;
  const { tcId, tcEpoch, suite, publicKey } = answer.identity;
  const agreement = suite === 'ed25519' ? announcedKeyOf(yield announceRequest()) : undefined;
  const keys = agreement === undefined ? {} : { keys: { publicKey: hexToBytes(publicKey)!, agreement } };
  yield enrolRequest(1, [{ tcId, tcEpoch, ...keys }]);
  yield leadRequest(0, ZERO_DIGEST);
}

function counterWorkload(operation: string, mode: 'step' | 'jump'): Workload {
  return {
    operation,
    setup: () => asked({ op: 'create', objectId: COUNTER, mode }),
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
    setup: () => asked(),
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
    setup: () => asked({ op: 'create', objectId: LOG, mode: 'jump' }),
    // A log holds so many slots: after each 31 appends all but the last one is forgotten.
    request: (index) =>
      index % 32 === 31
        ? { op: 'truncate', objectId: LOG, slot: 31 * ((index + 1) / 32) }
        : { op: 'append', objectId: LOG, entry: digestOf(index) },
  },
  share: {
    operation: 'order',
    setup: leadAlone,
    request: (index) => orderRequest(digestOf(index)),
  },
  wait: {
    operation: 'waitStart',
    setup: () => asked(),
    request: () => waitStartRequest(ZERO_DIGEST, 1_000),
  },
};

/** The workload of a program; undefined for one that is not measured. */
export function workloadOf(program: string): Workload | undefined {
  return WORKLOADS[program];
}

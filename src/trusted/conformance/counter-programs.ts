/** The programs of many counters, and what each of them allows. */
import type { CounterProfile } from './counter-model.ts';

/** TrInc: jumps, status, close; every certificate discloses the value before. */
export const TRINC: CounterProfile = {
  program: 'trinc',
  modes: ['step', 'jump'],
  independent: false,
  operations: ['status', 'close'],
  labelled: false,
};

/** TrInX: also independent certificates, several moves at once and the trusted MAC. */
export const TRINX: CounterProfile = {
  program: 'trinx',
  modes: ['step', 'jump'],
  independent: true,
  operations: ['status', 'close', 'plain', 'advanceMany'],
  labelled: false,
};

/** CASH: labels that step; old protocol instances are closed by new ones. */
export const CASH: CounterProfile = {
  program: 'cash',
  modes: ['step'],
  independent: false,
  operations: [],
  labelled: true,
};

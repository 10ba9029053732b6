/**
 * One key of a key-value store as a sequential object. Values are strings (hexadecimal, or whatever a test writes).
 * Operations over several keys (lists) have no place here: the order of the log judges them, see `sim/judges/history.ts`.
 */
import type { Model } from './history.ts';

/** Operations on one key. */
export type KeyOperation =
  | { readonly kind: 'put'; readonly value: string }
  | { readonly kind: 'get' }
  | { readonly kind: 'exists' }
  | { readonly kind: 'delete' }
  /** `expected` undefined: only if there is no value. */
  | { readonly kind: 'compareAndSwap'; readonly expected: string | undefined; readonly value: string };

/** What they give; operations that were refused do not belong into a history. `existed` undefined: the answer did not tell. */
export type KeyResult =
  | { readonly kind: 'put' | 'deleted'; readonly existed: boolean | undefined }
  | { readonly kind: 'value'; readonly value: string }
  | { readonly kind: 'notFound' }
  | { readonly kind: 'exists'; readonly exists: boolean }
  | { readonly kind: 'swapped' }
  | { readonly kind: 'mismatch'; readonly current: string | undefined };

/** Value of a key; undefined: there is none. */
export type KeyState = string | undefined;

function stepKey(state: KeyState, operation: KeyOperation): { state: KeyState; result: KeyResult } {
  switch (operation.kind) {
    case 'put':
      return { state: operation.value, result: { kind: 'put', existed: state !== undefined } };
    case 'get':
      return { state, result: state === undefined ? { kind: 'notFound' } : { kind: 'value', value: state } };
    case 'exists':
      return { state, result: { kind: 'exists', exists: state !== undefined } };
    case 'delete':
      return { state: undefined, result: { kind: 'deleted', existed: state !== undefined } };
    case 'compareAndSwap':
      return state === operation.expected
        ? { state: operation.value, result: { kind: 'swapped' } }
        : { state, result: { kind: 'mismatch', current: state } };
  }
}

/** Whether two answers say the same; an answer that does not tell agrees with both. */
export function sameKeyResult(expected: KeyResult, seen: KeyResult): boolean {
  if (expected.kind !== seen.kind) return false;
  switch (expected.kind) {
    case 'put':
    case 'deleted': {
      const { existed } = seen as typeof expected;
      return existed === undefined || expected.existed === undefined || existed === expected.existed;
    }
    case 'value':
      return expected.value === (seen as typeof expected).value;
    case 'exists':
      return expected.exists === (seen as typeof expected).exists;
    case 'mismatch':
      return expected.current === (seen as typeof expected).current;
    default:
      return true;
  }
}

/** A key that starts without a value. */
export const keyModel: Model<KeyState, KeyOperation, KeyResult> = {
  init: () => undefined,
  step: stepKey,
  sameResult: sameKeyResult,
  // A value may be any string: the mark tells "no value" from the empty one.
  stateKey: (state) => (state === undefined ? '-' : `=${state}`),
};

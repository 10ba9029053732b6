/**
 * The reader's side of an object's word (`core/attestation.ts`): which TCS1 statement it stands for, and whether the
 * authenticator over it holds. Says nothing about gaps: `previous` tells the protocol what was skipped.
 */
import type { ObjectAttestation } from '../core/attestation.ts';
import type { Suite } from '../core/config.ts';
import type { TrustedKey } from '../core/protocol.ts';
import type { CounterValue, Digest } from '../core/types.ts';
import { SAFE_INTEGER_END } from '../core/types.ts';
import type { ObjectCheck } from '../crypto/seal-verifier.ts';
import { STATEMENT_KIND } from './contract.ts';
import { FLAG_STRICT_LOG } from './programs/a2m/answers.ts';
import { encodeStatement } from './statement.ts';

/** Flag of a statement whose `aux` is filled in. */
const FLAG_AUX = 4;
/** First byte of an object's id: its class. */
const CLASS = { counter: '01', log: '02' } as const;
const OBJECT_ID = /^[0-9a-f]{16}$/;

/** Whether these bytes and this authenticator are a component's, under its registered key. Never throws. */
export type StatementCheck = (key: TrustedKey, statement: Uint8Array, authenticator: Uint8Array) => boolean;

const isValue = (value: CounterValue, least: CounterValue): boolean =>
  Number.isInteger(value) && value >= least && value < SAFE_INTEGER_END;

/** Whether the fields can be those of a statement about an object of this form at all. */
function isObjectAttestation(attestation: ObjectAttestation): boolean {
  const { object, form, previous, value, history, strict } = attestation;
  return (
    OBJECT_ID.test(object) &&
    object.startsWith(CLASS[form]) &&
    isValue(value, 1) &&
    isValue(previous, 0) &&
    previous < value &&
    (history !== undefined) === (form === 'log') &&
    (strict !== true || (form === 'log' && previous === value - 1))
  );
}

/** The statement that an object's word about `digest` stands for. The fields must be possible ones. */
export function statementForObject(
  key: Pick<TrustedKey, 'tcId' | 'tcEpoch'>,
  suite: Suite,
  attestation: ObjectAttestation,
  digest: Digest,
): Uint8Array {
  const { object, form, previous, value, history, strict } = attestation;
  return encodeStatement({
    kind: form === 'log' ? STATEMENT_KIND.logEntry : STATEMENT_KIND.advance,
    suite,
    flags: (history === undefined ? 0 : FLAG_AUX) | (strict === true ? FLAG_STRICT_LOG : 0),
    tcId: key.tcId,
    tcEpoch: key.tcEpoch,
    objectId: object,
    previous,
    value,
    digest,
    ...(history === undefined ? {} : { aux: history }),
  });
}

/** The check of objects' words for one suite. */
export function createObjectCheck(suite: Suite, check: StatementCheck): ObjectCheck {
  return (key, attestation, digest) =>
    isObjectAttestation(attestation) &&
    check(key, statementForObject(key, suite, attestation, digest), attestation.authenticator);
}

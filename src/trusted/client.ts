/**
 * The replica's side of a trusted component: what an own certificate must be before it is sent (decision A6) and how
 * evidence is checked. Pure.
 */
import { digestToBytes } from '../core/bytes.ts';
import type { Suite, TrustedRegistration } from '../core/config.ts';
import type { CounterValue, Digest, Hash, TcEpoch } from '../core/types.ts';
import type { TrustedIdentity, TrustedResponse } from './contract.ts';
import { decodeEvidence } from './evidence.ts';
import { AUTHENTICATOR_BYTES, bindDigestOf, statementForUi, tcIdOf } from './statement.ts';

export { statementForUi } from './statement.ts';

/** Checks an authenticator over bytes under a raw public key (hexadecimal). */
export type CheckSignature = (publicKey: string, bytes: Uint8Array, authenticator: Uint8Array) => boolean;

/** What the next own certificate must say. */
export interface ExpectedCertificate {
  readonly tcId: string;
  readonly suite: Suite;
  readonly tcEpoch: TcEpoch;
  readonly publicKey: string;
  /** Value of the last certificate. */
  readonly previous: CounterValue;
  readonly digest: Digest;
}

/** A certificate as a component answered it. */
export type CertifyResponse = Extract<TrustedResponse, { op: 'certify' }>;

/**
 * Decision A6: what is wrong with an own certificate, in words, or undefined if it may be sent. Without
 * `checkSignature` (HMAC: only the component can tell) the authenticator is checked by its length alone.
 */
export function checkCertificate(
  expected: ExpectedCertificate,
  certificate: CertifyResponse,
  checkSignature?: CheckSignature,
): string | undefined {
  const { tcId, suite, tcEpoch, digest, previous, publicKey } = expected;
  if (certificate.tcEpoch !== tcEpoch)
    return `the trusted component answers with tcEpoch ${certificate.tcEpoch} instead of ${tcEpoch}`;
  if (certificate.previous !== previous || certificate.value !== previous + 1)
    return `the trusted component went from ${certificate.previous} to ${certificate.value}, expected ${previous} to ${previous + 1}`;
  if (certificate.digest !== digest) return 'the trusted component certified another digest';
  if (certificate.authenticator.length !== AUTHENTICATOR_BYTES[suite])
    return `the authenticator has ${certificate.authenticator.length} bytes`;
  if (checkSignature === undefined) return undefined;
  const statement = statementForUi({ tcId, suite, tcEpoch, counter: certificate.value, digest });
  return checkSignature(publicKey, statement, certificate.authenticator)
    ? undefined
    : 'the authenticator of the trusted component does not match its registered key';
}

/** Whether an identity is the registered component: same program, suite, key and tcEpoch. */
export function isRegistered(identity: TrustedIdentity, registration: TrustedRegistration): boolean {
  return (
    identity.program === registration.program &&
    identity.suite === registration.suite &&
    identity.tcId === registration.tcId &&
    identity.tcEpoch === registration.tcEpoch &&
    identity.publicKey === registration.publicKey
  );
}

/** The registration of a component as it shows itself now. */
export function registrationOf(identity: TrustedIdentity, footprint: string): TrustedRegistration {
  const { program, measurement, suite, tcId, tcEpoch, publicKey } = identity;
  return { program, footprint, measurement, suite, tcId, tcEpoch, publicKey };
}

/**
 * Checks evidence against a challenge: true if it is canonical, names that challenge, its tcId follows from its key
 * and its seal holds. Ed25519 only; it says nothing about the code where the platform is "none".
 */
export function checkEvidence(
  hash: Hash,
  bytes: Uint8Array,
  challenge: Digest,
  checkSignature: CheckSignature,
): boolean {
  const evidence = decodeEvidence(bytes);
  if (evidence === undefined || evidence.challenge !== challenge || evidence.suite !== 'ed25519') return false;
  if (evidence.publicKey.length !== 64) return false;
  const publicKey = digestToBytes(evidence.publicKey as Digest);
  if (tcIdOf(hash, { suite: 'ed25519', publicKey }) !== evidence.tcId) return false;
  return checkSignature(evidence.publicKey, digestToBytes(bindDigestOf(hash, evidence)), evidence.authenticator);
}

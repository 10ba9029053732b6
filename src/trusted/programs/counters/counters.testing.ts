/** What the tests of counter programs share: short requests, certificates or bust, a verifier for each suite. */
import assert from 'node:assert/strict';
import type { Suite } from '../../../core/config.ts';
import type { CounterValue, Digest } from '../../../core/types.ts';
import { checkSignature, TestComponent } from '../../conformance/environment.testing.ts';
import { COUNTER_SENTINEL } from '../../contract.ts';
import type {
  ObjectMode,
  TrustedCertificate,
  TrustedIdentity,
  TrustedRequest,
  TrustedResponse,
} from '../../contract.ts';
import type { CheckSeal, CounterPin } from './claims.ts';

export const SUITES: readonly Suite[] = ['ed25519', 'hmac-sha256'];

/** Request of `advance`; without a value, to the next one. */
export function advance(
  objectId: string,
  digest: Digest,
  value: CounterValue = COUNTER_SENTINEL,
  independent = false,
): TrustedRequest {
  return { op: 'advance', objectId, value, independent, digest };
}

export function create(objectId: string, mode: ObjectMode = 'step'): TrustedRequest {
  return { op: 'create', objectId, mode };
}

/** Name of an answer: the error code, or the op. */
export function nameOf(answer: TrustedResponse): string {
  return answer.op === 'error' ? answer.code : answer.op;
}

/** Certificates that a request must be answered with. */
export function certificates(component: TestComponent, request: TrustedRequest): readonly TrustedCertificate[] {
  const answer = component.ask(request);
  assert.ok(answer.op === 'certificates', `${request.op}: ${nameOf(answer)}`);
  return answer.certificates;
}

/** The one certificate that a request must be answered with. */
export function certificate(component: TestComponent, request: TrustedRequest): TrustedCertificate {
  const [only, ...others] = certificates(component, request);
  assert.ok(only !== undefined && others.length === 0);
  return only;
}

export function identityOf(component: TestComponent): TrustedIdentity {
  const answer = component.ask({ op: 'identify' });
  assert.ok(answer.op === 'identify');
  return answer.identity;
}

/** What a receiver pins of a component's counter. */
export function pinOf(component: TestComponent, objectId: string): CounterPin {
  const { tcId, suite, tcEpoch } = identityOf(component);
  return { tcId, suite, tcEpoch, objectId };
}

/**
 * How a receiver checks seals of `author`: by its public key as it is now, or (HMAC) by asking `reader`, its own
 * component in the same group.
 */
export function checkerOf(author: TestComponent, reader: TestComponent = author): CheckSeal {
  const { suite, publicKey } = identityOf(author);
  if (suite === 'ed25519') return (statement, seal) => checkSignature(publicKey, statement, seal);
  return (statement, authenticator) => {
    const answer = reader.ask({ op: 'verify', statement, authenticator });
    return answer.op === 'verify' && answer.valid;
  };
}

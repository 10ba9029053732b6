/**
 * What conformance checks are made of. A check is a generator: it yields steps and gets the answers, so that one driver
 * runs it in this process and another over a socket. A broken component ends a check with an AssertionFailure that says
 * what was expected.
 */
import { assert } from '../../core/assert.ts';
import { bytesToDigest, bytesToHex } from '../../core/bytes.ts';
import type { Prng } from '../../core/prng.ts';
import type { Digest } from '../../core/types.ts';
import type { CheckSignature } from '../client.ts';
import type { TrustedCertificate, TrustedIdentity, TrustedRequest, TrustedResponse } from '../contract.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../frames.ts';

/** What a check wants done: requests that are under way together, or a restart of the component (not its renewal). */
export type ConformanceStep =
  { readonly kind: 'call'; readonly requests: readonly Uint8Array[] } | { readonly kind: 'restart' };

/** A check; each `call` is answered by as many responses, a restart by none. */
export type ConformanceCheck = Generator<ConformanceStep, void, readonly Uint8Array[]>;

/** What the checks need to know. */
export interface ConformanceContext {
  readonly prng: Prng;
  /** Certificates of the long run. */
  readonly calls: number;
  /** Ed25519 suite; HMAC statements are checked by the component. */
  readonly checkSignature?: CheckSignature;
}

/** A check by its name. The checks of a program are run in order on one component. */
export interface NamedCheck {
  readonly name: string;
  readonly run: (context: ConformanceContext) => ConformanceCheck;
}

/** A part of a check that gives something to the rest of it. */
export type Part<T> = Generator<ConformanceStep, T, readonly Uint8Array[]>;

/** Asks requests that are under way together. */
export function* ask(requests: readonly TrustedRequest[]): Part<TrustedResponse[]> {
  const answers = yield { kind: 'call', requests: requests.map(encodeTrustedRequest) };
  assert(answers.length === requests.length, 'one answer for each request');
  return answers.map((bytes) => {
    const response = decodeTrustedResponse(bytes);
    assert(response !== undefined, 'a canonical answer');
    return response;
  });
}

/** Asks one request. */
export function* askOne(request: TrustedRequest): Part<TrustedResponse> {
  return (yield* ask([request]))[0]!;
}

/** Who the component is now. */
export function* identify(): Part<TrustedIdentity> {
  const response = yield* askOne({ op: 'identify' });
  assert(response.op === 'identify', 'identify is answered');
  return response.identity;
}

/** Starts a new component under a new tcEpoch: for checks that want one without objects. */
export function* renew(): Part<TrustedIdentity> {
  const response = yield* askOne({ op: 'renew' });
  assert(response.op === 'renew', 'renew is answered');
  return response.identity;
}

/** Certificates that a request must be answered with. */
export function* certificatesOf(request: TrustedRequest): Part<readonly TrustedCertificate[]> {
  const response = yield* askOne(request);
  const got = response.op === 'error' ? `${response.code}: ${response.message}` : response.op;
  assert(response.op === 'certificates', `${request.op} is answered by certificates, not by ${got}`);
  return response.certificates;
}

/** Demands that a request is refused with this code. */
export function* refused(request: TrustedRequest, code: string): Part<void> {
  const response = yield* askOne(request);
  const got = response.op === 'error' ? response.code : response.op;
  assert(got === code, `${request.op} is answered by ${code}, not by ${got}`);
}

/** Whether the component's own key stands behind a certificate. */
export function* isValid(
  context: ConformanceContext,
  identity: TrustedIdentity,
  certificate: TrustedCertificate,
): Part<boolean> {
  const { statement, authenticator } = certificate;
  if (context.checkSignature !== undefined)
    return context.checkSignature(identity.publicKey, statement, authenticator);
  const [response] = yield* ask([{ op: 'verify', statement, authenticator }]);
  assert(response?.op === 'verify', 'the HMAC suite verifies');
  return response.valid;
}

/** Bytes by chance. */
export function randomBytes(prng: Prng, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => prng.u32() & 255);
}

/** A digest by chance. */
export function randomDigest(prng: Prng): Digest {
  return bytesToDigest(randomBytes(prng, 32));
}

/** A nonce (16 bytes, hexadecimal) by chance. */
export function randomNonce(prng: Prng): string {
  return bytesToHex(randomBytes(prng, 16));
}

/** Runs a check on a program in this process; `onRestart` gives the program as it is after a restart. */
export function runCheck(
  check: ConformanceCheck,
  start: { handle(request: Uint8Array): Uint8Array },
  onRestart: () => { handle(request: Uint8Array): Uint8Array },
): void {
  let program = start;
  for (let step = check.next(); step.done !== true;) {
    if (step.value.kind === 'restart') {
      program = onRestart();
      step = check.next([]);
    } else {
      step = check.next(step.value.requests.map((request) => program.handle(request)));
    }
  }
}

/**
 * What a TrInc must do about session keys on every footprint: the key for envelopes is its own and, where the component
 * survives a restart, the same after it; what is no envelope gives no key. Envelopes themselves: `trinc.test.ts`.
 */
import { assert } from '../../core/assert.ts';
import { concatBytes, equalBytes } from '../../core/bytes.ts';
import { portableHash } from '../../crypto/portable.ts';
import { COUNTER_SENTINEL, STATEMENT_BYTES } from '../contract.ts';
import type { TrustedIdentity, TrustedRequest } from '../contract.ts';
import { checkSessionBody, envelopeKeyOf, importSessionBody, TRINC_EXTENSION } from '../programs/trinc/session.ts';
import { counterId } from './counters.ts';
import { askOne, certificatesOf, identify, isValid, randomBytes, randomDigest, refused, renew } from './harness.ts';
import type { ConformanceCheck, ConformanceContext, NamedCheck, Part } from './harness.ts';

const COUNTER = counterId(1);

function extension(code: number, body: Uint8Array): TrustedRequest {
  return { op: 'extension', code, body };
}

/** The key for envelopes; the component's own word for it is checked. */
function* envelopeKey(context: ConformanceContext, identity: TrustedIdentity): Part<Uint8Array> {
  const answer = yield* askOne(extension(TRINC_EXTENSION.envelopeKey, new Uint8Array(0)));
  assert(answer.op === 'extension' && answer.code === TRINC_EXTENSION.envelopeKey, 'the key for envelopes is shown');
  const { body } = answer;
  const statement = body.slice(32, 32 + STATEMENT_BYTES);
  const holds = yield* isValid(context, identity, { statement, authenticator: body.slice(32 + STATEMENT_BYTES) });
  const key = envelopeKeyOf(portableHash, identity, body, () => holds);
  assert(key !== undefined, 'the component says that the key is its own');
  return key;
}

function* sessionKeys(context: ConformanceContext): ConformanceCheck {
  const { prng } = context;
  const identity = yield* renew();
  const key = yield* envelopeKey(context, identity);
  yield { kind: 'restart' };
  const after = yield* identify();
  const same = equalBytes(key, yield* envelopeKey(context, after));
  assert(same === (after.tcEpoch === identity.tcEpoch), 'one key for envelopes in one tcEpoch');

  const random = (length: number): Uint8Array => randomBytes(prng, length);
  yield* refused(extension(TRINC_EXTENSION.importSession, importSessionBody(COUNTER, random(104))), 'NO_OBJECT');
  yield* askOne({ op: 'create', objectId: COUNTER, mode: 'jump' });
  const junk = importSessionBody(COUNTER, random(104));
  yield* refused(extension(TRINC_EXTENSION.importSession, junk), 'BAD_AUTH');
  // A public key of small order would make what is shared known to everybody.
  const smallOrder = importSessionBody(COUNTER, concatBytes(new Uint8Array(32), random(72)));
  yield* refused(extension(TRINC_EXTENSION.importSession, smallOrder), 'BAD_AUTH');
  for (const code of [0, 1, 2, 3, 4, 255]) yield* refused(extension(code, random(45)), 'BAD_REQUEST');
  const asked = { op: 'advance', objectId: COUNTER, value: COUNTER_SENTINEL, independent: false } as const;
  const [made] = yield* certificatesOf({ ...asked, digest: randomDigest(prng) });
  assert(yield* isValid(context, after, made!), 'a counter without a session key goes on under the own key');
  const body = checkSessionBody(COUNTER, { ...made!, authenticator: made!.authenticator.slice(0, 32) });
  yield* refused(extension(TRINC_EXTENSION.checkSession, body), 'MODE');
  yield* refused(extension(TRINC_EXTENSION.importSession, junk), 'MODE');
}

/** Checks of TrInc besides those of counters. */
export const SESSION_CHECKS: readonly NamedCheck[] = [
  { name: 'session keys: envelopes go to this component and tcEpoch alone', run: sessionKeys },
];

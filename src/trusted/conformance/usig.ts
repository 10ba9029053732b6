/** What every USIG must do on every footprint that claims to hold one. */
import { assert } from '../../core/assert.ts';
import { equalBytes } from '../../core/bytes.ts';
import { Writer } from '../../core/codec.ts';
import type { CounterValue, Digest } from '../../core/types.ts';
import type { CertifyResponse } from '../client.ts';
import { checkCertificate } from '../client.ts';
import { CORE_BYTES_MAX, RECENT_DEPTH, STATEMENT_KIND, TAG_CLAIMS_MAX, USIG_OBJECT_ID } from '../contract.ts';
import type { RecentCertificate, TrustedIdentity, TrustedRequest } from '../contract.ts';
import {
  decodeTrustedRequest,
  decodeTrustedResponse,
  encodeTrustedRequest,
  REQUEST_BYTES_MAX,
} from '../frames.ts';
import { encodeStatement, statementForUi } from '../statement.ts';
import { ask, identify, isValid, randomBytes, randomDigest } from './harness.ts';
import type { ConformanceCheck, ConformanceContext, NamedCheck, Part } from './harness.ts';

function* recent(count: number): Part<readonly RecentCertificate[]> {
  const [response] = yield* ask([{ op: 'recent', objectId: USIG_OBJECT_ID, count }]);
  assert(response?.op === 'recent', 'recent is answered');
  return response.certificates;
}

function certifyRequest(digest: Digest, core: Uint8Array): TrustedRequest {
  return { op: 'certify', objectId: USIG_OBJECT_ID, digest, core };
}

function* certify(digest: Digest, core: Uint8Array = new Uint8Array(0)): Part<CertifyResponse> {
  const [response] = yield* ask([certifyRequest(digest, core)]);
  assert(response?.op === 'certify', 'certify is answered');
  return response;
}

function statementOf(identity: TrustedIdentity, counter: CounterValue, digest: Digest): Uint8Array {
  const { tcId, suite, tcEpoch } = identity;
  return statementForUi({ tcId, suite, tcEpoch, counter, digest });
}

/** Values are unique and contiguous, whatever is under way together; certificates hold. */
function* longRun(context: ConformanceContext): ConformanceCheck {
  const { prng, calls } = context;
  const identity = yield* identify();
  let previous = identity.counter;
  for (let done = 0; done < calls;) {
    const digests = Array.from({ length: Math.min(prng.between(1, 64), calls - done) }, () =>
      randomDigest(prng),
    );
    const responses = yield* ask(digests.map((digest) => certifyRequest(digest, new Uint8Array(64))));
    for (const [index, response] of responses.entries()) {
      assert(response.op === 'certify', 'certify is answered');
      const digest = digests[index]!;
      const check = index === 0 ? context.checkSignature : undefined;
      const problem = checkCertificate({ ...identity, previous, digest }, response, check);
      assert(problem === undefined, problem ?? '');
      previous += 1;
    }
    done += digests.length;
  }
  assert((yield* identify()).counter === previous, 'identify shows the last value');
}

/** Errors change nothing: unknown objects, cores over the bound, bytes that are no request. */
function* errorsChangeNothing({ prng }: ConformanceContext): ConformanceCheck {
  const before = yield* identify();
  const digest = randomDigest(prng);
  const answers = yield* ask([
    { op: 'certify', objectId: '0101000000000001', digest, core: new Uint8Array(0) },
    { op: 'recent', objectId: 'ffffffffffffffff', count: 1 },
    certifyRequest(digest, new Uint8Array(CORE_BYTES_MAX + 1)),
  ]);
  const codes = answers.map((answer) => (answer.op === 'error' ? answer.code : answer.op));
  assert(codes.join() === 'NO_OBJECT,NO_OBJECT,BAD_REQUEST', `error codes: ${codes.join()}`);

  const template = encodeTrustedRequest(certifyRequest(digest, randomBytes(prng, 40)));
  const garbage: Uint8Array[] = [new Uint8Array(0), new Uint8Array(REQUEST_BYTES_MAX)];
  for (let round = 0; round < 300; round += 1) {
    const frame = prng.chance(0.5) ? template.slice(0, prng.between(0, 90)) : randomBytes(prng, round);
    if (frame.length > 0) frame[prng.between(0, frame.length - 1)] = prng.u32() & 255;
    if (decodeTrustedRequest(frame) === undefined) garbage.push(frame);
  }
  const refused = yield { kind: 'call', requests: garbage };
  for (const bytes of refused) {
    const answer = decodeTrustedResponse(bytes);
    assert(answer?.op === 'error' && answer.code === 'BAD_REQUEST', 'garbage is refused');
  }
  const after = yield* identify();
  assert(after.counter === before.counter && after.tcEpoch === before.tcEpoch, 'errors changed something');
}

/** No bit of a certificate can change, no other kind of statement can stand for an ADVANCE. */
function* bitFlips(context: ConformanceContext): ConformanceCheck {
  const identity = yield* identify();
  const { tcId, suite, tcEpoch } = identity;
  const { value, digest, authenticator } = yield* certify(randomDigest(context.prng));
  const statement = statementOf(identity, value, digest);
  assert(yield* isValid(context, identity, { statement, authenticator }), 'the certificate itself holds');
  for (let index = 0; index < statement.length + authenticator.length; index += 1) {
    const flipped = new Writer(200).raw(statement).raw(authenticator).finish();
    flipped[index]! ^= 1 << context.prng.between(0, 7);
    const seal = {
      statement: flipped.subarray(0, statement.length),
      authenticator: flipped.subarray(statement.length),
    };
    assert(!(yield* isValid(context, identity, seal)), `a flip of byte ${index} must not hold`);
  }
  for (const kind of Object.values(STATEMENT_KIND)) {
    if (kind === STATEMENT_KIND.advance) continue;
    const fields = { suite, tcId, tcEpoch, objectId: USIG_OBJECT_ID, previous: value - 1, value, digest };
    const other = encodeStatement({ kind, flags: 0, ...fields });
    assert(
      !(yield* isValid(context, identity, { statement: other, authenticator })),
      `kind ${kind} must not hold`,
    );
  }
  const short = { statement, authenticator: authenticator.subarray(1) };
  assert(!(yield* isValid(context, identity, short)), 'a short authenticator must not hold');
}

/** `recent` gives the same certificates again, oldest first, with their cores, and no more than its depth. */
function* recentCertificates({ prng }: ConformanceContext): ConformanceCheck {
  const given: { readonly certificate: CertifyResponse; readonly core: Uint8Array }[] = [];
  for (let index = 0; index < RECENT_DEPTH + 3; index += 1) {
    const core = randomBytes(prng, index === 5 ? CORE_BYTES_MAX : prng.between(0, 200));
    given.push({ certificate: yield* certify(randomDigest(prng), core), core });
  }
  for (const count of [0, 1, 3, RECENT_DEPTH, 2 ** 32 - 1]) {
    const expected = count === 0 ? [] : given.slice(-Math.min(count, RECENT_DEPTH));
    const answered = yield* recent(count);
    assert(answered.length === expected.length, `recent(${count}) gives ${expected.length} certificates`);
    for (const [index, { counter, digest, authenticator, core }] of answered.entries()) {
      const { certificate, core: expectedCore } = expected[index]!;
      const same =
        counter === certificate.value &&
        digest === certificate.digest &&
        equalBytes(authenticator, certificate.authenticator) &&
        equalBytes(core, expectedCore);
      assert(same, 'recent gives the same certificate again');
    }
  }
}

/** No tag that nobody made is right, no key goes to whom its client did not name; in a group or not. */
function* clientKeys({ prng }: ConformanceContext): ConformanceCheck {
  const claims = Array.from({ length: TAG_CLAIMS_MAX }, (_, index) => ({
    clientId: randomDigest(prng),
    version: index % 3,
    digest: randomDigest(prng),
    tag: randomBytes(prng, 32),
  }));
  const [judged, exported] = yield* ask([
    { op: 'verifyTags', claims },
    {
      op: 'exportClientKey',
      clientKey: randomBytes(prng, 32),
      version: 1,
      clusterId: randomDigest(prng),
      configurationVersion: 0,
      agreementKey: randomBytes(prng, 32),
      signature: randomBytes(prng, 64),
    },
  ]);
  if (judged?.op === 'verifyTags')
    assert(judged.valid.length === claims.length && !judged.valid.includes(true), 'a made-up tag is wrong');
  else assert(judged?.op === 'error' && judged.code === 'MODE', 'without a group no tag is judged');
  const code = exported?.op === 'error' ? exported.code : exported?.op;
  assert(code === 'BAD_AUTH' || code === 'MODE', `a key for whom nobody named: ${code}`);
}

/** `renew` starts a new component: another tcEpoch (and key, with signatures), counter 0, nothing to remember. */
function* renewal(context: ConformanceContext): ConformanceCheck {
  const before = yield* identify();
  const { value, digest, authenticator } = yield* certify(randomDigest(context.prng));
  const [response] = yield* ask([{ op: 'renew' }]);
  assert(response?.op === 'renew', 'renew is answered');
  const after = response.identity;
  assert(after.counter === 0 && after.tcEpoch !== before.tcEpoch, 'renew: counter 0, new tcEpoch');
  if (after.suite !== 'hmac-sha256')
    assert(after.publicKey !== before.publicKey && after.tcId !== before.tcId, 'renew: new key');
  assert((yield* recent(RECENT_DEPTH)).length === 0, 'renew: nothing is recent');
  const statement = statementOf(after, value, digest);
  assert(!(yield* isValid(context, after, { statement, authenticator })), 'an old certificate is void');
  const first = yield* certify(digest);
  assert(first.previous === 0 && first.value === 1 && first.tcEpoch === after.tcEpoch, 'the first value is 1');
}

/** A restart continues exactly (persistent) or makes a new component (volatile); it never repeats a value. */
function* restart({ prng }: ConformanceContext): ConformanceCheck {
  const given: CertifyResponse[] = [];
  for (let index = 0; index < 5; index += 1) given.push(yield* certify(randomDigest(prng), Uint8Array.of(index)));
  const before = yield* identify();
  yield { kind: 'restart' };
  const after = yield* identify();
  assert(after.persistent === before.persistent, 'persistent is a property of the footprint');
  if (!before.persistent) {
    assert(after.tcEpoch !== before.tcEpoch && after.counter === 0, 'volatile: a new tcEpoch after a restart');
    return;
  }
  const same =
    after.tcEpoch === before.tcEpoch && after.tcId === before.tcId && after.publicKey === before.publicKey;
  assert(same && after.counter === before.counter, 'persistent: the same component after a restart');
  const kept = yield* recent(5);
  for (const [index, certificate] of given.entries())
    assert(
      kept[index] !== undefined && equalBytes(kept[index].authenticator, certificate.authenticator),
      'recent survives',
    );
  const next = yield* certify(randomDigest(prng));
  assert(next.value === before.counter + 1, 'persistent: the next value follows');
}

/** Every check of a USIG. */
export const CONFORMANCE_CHECKS: readonly NamedCheck[] = [
  { name: 'values are unique and contiguous', run: longRun },
  { name: 'errors change nothing', run: errorsChangeNothing },
  { name: 'no bit of a certificate can change', run: bitFlips },
  { name: 'recent gives certificates again', run: recentCertificates },
  { name: 'keys of clients stay with their clients', run: clientKeys },
  { name: 'restart continues or starts anew', run: restart },
  { name: 'renew makes a new component', run: renewal },
];

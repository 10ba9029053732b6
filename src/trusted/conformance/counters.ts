/**
 * What every program of many counters (TrInc, TrInX, CASH) must do on every footprint: against a model of it, and by
 * the attack that each rule stops. Every check begins with a new component, so the order does not matter.
 */
import { assert } from '../../core/assert.ts';
import { equalBytes } from '../../core/bytes.ts';
import type { Prng } from '../../core/prng.ts';
import type { CounterValue, Digest } from '../../core/types.ts';
import { portableHash } from '../../crypto/portable.ts';
import {
  AUTHENTICATOR_BYTES,
  decodeStatement,
  encodeStatement,
} from '../statement.ts';
import { COUNTER_SENTINEL, MOVES_MAX, RECENT_DEPTH, STATEMENT_KIND } from '../contract.ts';
import type { TrustedCertificate, TrustedIdentity, TrustedRequest, TrustedResponse } from '../contract.ts';
import {
  decodeTrustedRequest,
  decodeTrustedResponse,
  encodeTrustedRequest,
  REQUEST_BYTES_MAX,
} from '../frames.ts';
import { COUNTERS_MAX, CounterModel, META_OBJECT_ID } from './counter-model.ts';
import type { CounterProfile, Expected } from './counter-model.ts';
import {
  ask,
  askOne,
  certificatesOf,
  identify,
  isValid,
  randomBytes,
  randomDigest,
  randomNonce,
  refused,
  renew,
} from './harness.ts';
import type { ConformanceCheck, ConformanceContext, NamedCheck, Part } from './harness.ts';

/** Id of a counter: purpose 2, its number as lane, instance 0. */
export function counterId(number: number, instance = 0): string {
  return `0102${number.toString(16).padStart(4, '0')}${instance.toString(16).padStart(8, '0')}`;
}

const LAST_VALUE = 2 ** 53 - 1;

/** A new component and its model. */
function* fresh(profile: CounterProfile): Part<{ identity: TrustedIdentity; model: CounterModel }> {
  const identity = yield* renew();
  assert(identity.counter === 0, 'a new component has no counters');
  return { identity, model: new CounterModel(profile, identity, portableHash) };
}

/** What is wrong with an answer, or undefined. */
function differenceOf(request: TrustedRequest, expected: Expected, answer: TrustedResponse): string | undefined {
  const got = answer.op === 'error' ? answer.code : answer.op;
  const wanted = expected.op === 'error' ? expected.code : expected.op;
  if (got !== wanted) return `${JSON.stringify(request)}: ${got} instead of ${wanted}`;
  if (answer.op !== 'certificates' || expected.op !== 'certificates') return undefined;
  if (answer.certificates.length !== expected.statements.length)
    return `${request.op}: ${answer.certificates.length} certificates instead of ${expected.statements.length}`;
  for (const [index, statement] of expected.statements.entries()) {
    const certificate = answer.certificates[index]!;
    if (!equalBytes(certificate.statement, encodeStatement(statement))) {
      const shown = JSON.stringify(decodeStatement(certificate.statement));
      return `${request.op}: ${shown} instead of ${JSON.stringify(statement)}`;
    }
    if (certificate.authenticator.length !== AUTHENTICATOR_BYTES[statement.suite]) return 'length of a seal';
  }
  return undefined;
}

/** Asks requests that are under way together; each answer is what the model says, if they are handled in order. */
function* askAsModel(model: CounterModel, requests: readonly TrustedRequest[]): Part<TrustedResponse[]> {
  const answers = yield* ask(requests);
  for (const [index, request] of requests.entries()) {
    const difference = differenceOf(request, model.answer(request), answers[index]!);
    assert(difference === undefined, difference ?? '');
  }
  return answers;
}

function createRequest(profile: CounterProfile, objectId: string): TrustedRequest {
  return { op: 'create', objectId, mode: profile.modes.at(-1)! };
}

function advanceRequest(objectId: string, value: CounterValue, digest: Digest, independent = false): TrustedRequest {
  return { op: 'advance', objectId, value, independent, digest };
}

/** A request by chance, more often a sensible one than not. */
function randomRequest(prng: Prng, model: CounterModel): TrustedRequest {
  const { profile, objectIds } = model;
  const known = objectIds.length > 0 && prng.chance(0.9);
  const objectId = known ? prng.pick(objectIds) : counterId(prng.between(0, 40), prng.between(0, 3));
  const digest = randomDigest(prng);
  const wanted = (id: string): CounterValue => {
    if (prng.chance(0.6)) return COUNTER_SENTINEL;
    return Math.max(0, model.valueOf(id) + prng.between(-2, profile.modes.includes('jump') ? 2 ** 41 : 2));
  };
  switch (prng.between(0, 12)) {
    case 0:
    case 1:
      return { op: 'create', objectId: counterId(prng.between(0, 40), prng.between(0, 3)), mode: prng.pick(['step', 'jump', 'strict'] as const) };
    case 2:
      return { op: 'status', objectId: prng.chance(0.2) ? META_OBJECT_ID : objectId, nonce: randomNonce(prng), digest };
    case 3:
      return prng.chance(0.2) ? { op: 'close', objectId, digest } : { op: 'plain', digest };
    case 4:
      return { op: 'replay', objectId: prng.chance(0.3) ? META_OBJECT_ID : objectId, count: prng.between(0, 70) };
    case 5:
    case 6: {
      const ids = Array.from({ length: prng.between(0, 4) }, () => (objectIds.length > 0 ? prng.pick(objectIds) : objectId));
      return { op: 'advanceMany', moves: ids.map((id) => ({ objectId: id, value: wanted(id) })), digest };
    }
    default:
      return advanceRequest(objectId, wanted(objectId), digest, prng.chance(0.3));
  }
}

/** Every answer is the model's, whatever is asked and under way together; restarts lose nothing or everything. */
function likeTheModel(profile: CounterProfile): NamedCheck['run'] {
  return function* (context): ConformanceCheck {
    const { prng, calls } = context;
    let { identity, model } = yield* fresh(profile);
    for (let done = 0; done < calls;) {
      const count = prng.between(1, 12);
      // The model answers while requests are made, so that they fit what came before.
      const requests: TrustedRequest[] = [];
      const expected: Expected[] = [];
      for (let index = 0; index < count; index += 1) {
        const request = randomRequest(prng, model);
        requests.push(request);
        expected.push(model.answer(request));
      }
      const answers = yield* ask(requests);
      for (const [index, request] of requests.entries()) {
        const difference = differenceOf(request, expected[index]!, answers[index]!);
        assert(difference === undefined, difference ?? '');
      }
      const certificates = answers.flatMap((answer) => (answer.op === 'certificates' ? answer.certificates : []));
      if (certificates.length > 0)
        assert(yield* isValid(context, identity, prng.pick(certificates)), 'a certificate holds');
      done += count;
      if (!prng.chance(0.15)) continue;
      yield { kind: 'restart' };
      const after = yield* identify();
      if (identity.persistent) {
        assert(after.tcEpoch === identity.tcEpoch, 'persistent: the same component after a restart');
        assert(after.counter === model.created, 'persistent: the same counters after a restart');
      } else {
        assert(after.tcEpoch !== identity.tcEpoch && after.counter === 0, 'volatile: a new component');
        ({ identity, model } = yield* fresh(profile));
      }
    }
  };
}

/** Two messages for one value, asked for at once, in one call and later: exactly one is certified. */
function nonEquivocation(profile: CounterProfile): NamedCheck['run'] {
  return function* (context): ConformanceCheck {
    const { prng } = context;
    const { identity, model } = yield* fresh(profile);
    const ids = [0, 1, 2].map((number) => counterId(number));
    yield* askAsModel(model, ids.map((id) => createRequest(profile, id)));
    const said = new Map<string, Digest>();
    for (let round = 0; round < 10; round += 1) {
      const requests = Array.from({ length: 40 }, () => {
        const id = prng.pick(ids);
        return advanceRequest(id, prng.chance(0.5) ? round + 1 : prng.between(1, 12), randomDigest(prng), prng.chance(0.5));
      });
      for (const answer of yield* askAsModel(model, requests)) {
        if (answer.op !== 'certificates') continue;
        const certificate = answer.certificates[0]!;
        const { kind, objectId, value, digest } = decodeStatement(certificate.statement)!;
        if (kind === STATEMENT_KIND.status) continue;
        const key = `${objectId}/${value}`;
        assert(!said.has(key), `two statements for the value ${value}`);
        said.set(key, digest);
        if (said.size % 8 === 1) assert(yield* isValid(context, identity, certificate), 'a certificate holds');
      }
    }
    assert(said.size > 0, 'something was certified');
  };
}

/** Where a component stands, in full: to see that nothing changed. */
function* standOf(profile: CounterProfile, objectIds: readonly string[]): Part<string> {
  const requests: TrustedRequest[] = [META_OBJECT_ID, ...objectIds].map((objectId) => ({ op: 'replay', objectId, count: RECENT_DEPTH }));
  if (profile.operations.includes('status'))
    for (const objectId of [META_OBJECT_ID, ...objectIds])
      requests.push({ op: 'status', objectId, nonce: '0'.repeat(32), digest: '0'.repeat(64) as Digest });
  const answers = yield { kind: 'call', requests: requests.map(encodeTrustedRequest) };
  return answers.map((bytes) => portableHash(bytes).join()).join('/') + (yield* identify()).counter;
}

/** Errors change nothing: refused requests, and bytes that are no request. */
function errorsChangeNothing(profile: CounterProfile): NamedCheck['run'] {
  return function* ({ prng }): ConformanceCheck {
    const { model } = yield* fresh(profile);
    const [first, second] = [counterId(1), counterId(2)];
    const digest = randomDigest(prng);
    yield* askAsModel(model, [createRequest(profile, first), createRequest(profile, second)]);
    yield* askAsModel(model, [advanceRequest(first, COUNTER_SENTINEL, digest), advanceRequest(second, COUNTER_SENTINEL, digest)]);
    const before = yield* standOf(profile, [first, second]);
    const bad: TrustedRequest[] = [
      createRequest(profile, first),
      createRequest(profile, META_OBJECT_ID),
      createRequest(profile, '0202000000000000'),
      { op: 'create', objectId: counterId(3), mode: 'strict' },
      advanceRequest(counterId(9), COUNTER_SENTINEL, digest),
      advanceRequest(META_OBJECT_ID, COUNTER_SENTINEL, digest),
      advanceRequest(first, 0, digest),
      advanceRequest(first, 1, digest, true),
      { op: 'replay', objectId: counterId(9), count: 1 },
      { op: 'certify', objectId: first, digest, core: new Uint8Array(3) },
      { op: 'append', objectId: first, entry: digest },
      { op: 'advanceMany', moves: [], digest },
      { op: 'advanceMany', moves: [{ objectId: first, value: 2 }, { objectId: second, value: 1 }], digest },
      { op: 'advanceMany', moves: [{ objectId: first, value: 2 }, { objectId: first, value: 3 }], digest },
      { op: 'advanceMany', moves: [{ objectId: first, value: 2 }, { objectId: counterId(9), value: 1 }], digest },
    ];
    for (const answer of yield* askAsModel(model, bad)) assert(answer.op === 'error', 'all of these are refused');
    assert((yield* standOf(profile, [first, second])) === before, 'a refused request changed something');
    for (const bytes of yield { kind: 'call', requests: garbageFor(prng, first, digest) }) {
      const answer = decodeTrustedResponse(bytes);
      assert(answer?.op === 'error' && answer.code === 'BAD_REQUEST', 'garbage is refused');
    }
    assert((yield* standOf(profile, [first, second])) === before, 'garbage changed something');
  };
}

/** Bytes that are no request: every request cut off and made longer, bytes by chance, requests with a byte changed. */
function garbageFor(prng: Prng, objectId: string, digest: Digest): Uint8Array[] {
  const nonce = randomNonce(prng);
  const moves = [{ objectId, value: 2 }];
  const templates: TrustedRequest[] = [
    { op: 'create', objectId, mode: 'step' },
    advanceRequest(objectId, 2, digest),
    { op: 'advanceMany', moves, digest },
    { op: 'status', objectId, nonce, digest },
    { op: 'close', objectId, digest },
    { op: 'plain', digest },
    { op: 'replay', objectId, count: 3 },
    { op: 'extension', code: 1, body: randomBytes(prng, 40) },
  ];
  const garbage: Uint8Array[] = [new Uint8Array(0), new Uint8Array(REQUEST_BYTES_MAX), new Uint8Array(REQUEST_BYTES_MAX).fill(8)];
  for (const template of templates) {
    const bytes = encodeTrustedRequest(template);
    for (let length = 1; length < bytes.length; length += 1) garbage.push(bytes.slice(0, length));
    garbage.push(Uint8Array.from([...bytes, 0]));
    for (let round = 0; round < 20; round += 1) {
      const changed = bytes.slice();
      changed[prng.between(0, changed.length - 1)] = prng.u32() & 255;
      garbage.push(changed);
    }
  }
  for (let round = 0; round < 100; round += 1) garbage.push(randomBytes(prng, prng.between(1, 200)));
  // A value of 2^53 and more, other than "none"; a list of more moves than one request may have.
  const tooLarge = encodeTrustedRequest(advanceRequest(objectId, 2, digest));
  tooLarge[9] = 0x00;
  tooLarge[10] = 0x20;
  const many = Array.from({ length: MOVES_MAX + 1 }, (_, index) => ({ objectId: counterId(index), value: 5 }));
  garbage.push(tooLarge, encodeTrustedRequest({ op: 'advanceMany', moves: many, digest }));
  return garbage.filter((bytes) => decodeTrustedRequest(bytes) === undefined);
}

/** A restart after every single change: what was said is said again in the same bytes, nothing is said twice. */
function crashAtEveryRecord(profile: CounterProfile): NamedCheck['run'] {
  return function* ({ prng }): ConformanceCheck {
    const { identity, model } = yield* fresh(profile);
    const given = new Map<string, Uint8Array>();
    const script: TrustedRequest[] = [
      createRequest(profile, counterId(1)),
      advanceRequest(counterId(1), COUNTER_SENTINEL, randomDigest(prng)),
      createRequest(profile, counterId(2)),
      advanceRequest(counterId(2), COUNTER_SENTINEL, randomDigest(prng), true),
      { op: 'advanceMany', moves: [counterId(1), counterId(2)].map((objectId) => ({ objectId, value: COUNTER_SENTINEL })), digest: randomDigest(prng) },
      advanceRequest(counterId(2), COUNTER_SENTINEL, randomDigest(prng)),
      { op: 'close', objectId: counterId(1), digest: randomDigest(prng) },
      createRequest(profile, counterId(1)),
      advanceRequest(counterId(1), COUNTER_SENTINEL, randomDigest(prng)),
    ];
    for (const request of script) {
      for (const answer of yield* askAsModel(model, [request])) {
        const made = answer.op === 'certificates' ? answer.certificates : [];
        for (const { statement, authenticator } of made) given.set(statement.join(), authenticator);
      }
      yield { kind: 'restart' };
      const after = yield* identify();
      if (!identity.persistent) {
        assert(after.tcEpoch !== identity.tcEpoch && after.counter === 0, 'volatile: a new component');
        yield* refused(advanceRequest(counterId(1), COUNTER_SENTINEL, randomDigest(prng)), 'NO_OBJECT');
        return;
      }
      assert(after.tcEpoch === identity.tcEpoch && after.tcId === identity.tcId, 'persistent: the same component');
      const [replayed] = yield* askAsModel(model, [{ op: 'replay', objectId: META_OBJECT_ID, count: RECENT_DEPTH }]);
      assert(replayed?.op === 'certificates', 'replay is answered');
      assert(replayed.certificates.length === given.size, 'every certificate can be had again');
      for (const { statement, authenticator } of replayed.certificates) {
        const first = given.get(statement.join());
        assert(first !== undefined && equalBytes(first, authenticator), 'the same certificate again');
      }
    }
  };
}

/** Room: 256 counters and not one more; the queue has the last 64 certificates; what there is goes on working. */
function resourceBounds(profile: CounterProfile): NamedCheck['run'] {
  return function* ({ prng }): ConformanceCheck {
    const { identity, model } = yield* fresh(profile);
    const ids = Array.from({ length: COUNTERS_MAX + 4 }, (_, number) => counterId(number));
    for (let at = 0; at < ids.length; at += 20)
      yield* askAsModel(model, ids.slice(at, at + 20).map((id) => createRequest(profile, id)));
    assert(model.created === COUNTERS_MAX, 'as many counters as there is room for');
    const moves = Array.from({ length: RECENT_DEPTH + 10 }, () =>
      advanceRequest(prng.pick(ids.slice(0, COUNTERS_MAX)), COUNTER_SENTINEL, randomDigest(prng)),
    );
    yield* askAsModel(model, moves);
    yield* askAsModel(model, [
      { op: 'replay', objectId: META_OBJECT_ID, count: 2 ** 32 - 1 },
      { op: 'replay', objectId: META_OBJECT_ID, count: 3 },
      { op: 'replay', objectId: ids[0]!, count: 64 },
    ]);
    if (identity.persistent) yield { kind: 'restart' };
    else return;
    yield* askAsModel(model, [
      createRequest(profile, counterId(999)),
      createRequest(profile, ids[5]!),
      advanceRequest(ids[255]!, COUNTER_SENTINEL, randomDigest(prng)),
    ]);
  };
}

/** The last value is 2^53 - 1; beyond it nothing, and never from the start again. */
function overflow(profile: CounterProfile): NamedCheck['run'] {
  return function* ({ prng }): ConformanceCheck {
    const { model } = yield* fresh(profile);
    const id = counterId(1);
    yield* askAsModel(model, [createRequest(profile, id), advanceRequest(id, LAST_VALUE, randomDigest(prng))]);
    for (const value of [COUNTER_SENTINEL, LAST_VALUE, 0, 1])
      yield* askAsModel(model, [advanceRequest(id, value, randomDigest(prng), true)]);
  };
}

/** No bit of a certificate can change, and it does not hold as a statement of another kind. */
function bitFlips(profile: CounterProfile): NamedCheck['run'] {
  return function* (context: ConformanceContext): ConformanceCheck {
    const { identity } = yield* fresh(profile);
    const id = counterId(7);
    yield* askOne(createRequest(profile, id));
    const [certificate] = yield* certificatesOf(advanceRequest(id, COUNTER_SENTINEL, randomDigest(context.prng)));
    const { statement, authenticator } = certificate!;
    assert(yield* isValid(context, identity, certificate!), 'the certificate itself holds');
    for (let index = 0; index < statement.length + authenticator.length; index += 1) {
      const flipped: TrustedCertificate = { statement: statement.slice(), authenticator: authenticator.slice() };
      const inStatement = index < statement.length;
      const target = inStatement ? flipped.statement : flipped.authenticator;
      target[inStatement ? index : index - statement.length]! ^= 1 << context.prng.between(0, 7);
      assert(!(yield* isValid(context, identity, flipped)), `a flip of byte ${index} must not hold`);
    }
    for (const kind of Object.values(STATEMENT_KIND)) {
      if (kind === STATEMENT_KIND.advance) continue;
      const other = statement.slice();
      other[4] = kind;
      assert(!(yield* isValid(context, identity, { statement: other, authenticator })), `kind ${kind} must not hold`);
    }
  };
}

/** A new component has another tcEpoch; certificates of the old one are void, its counters are gone. */
function renewal(profile: CounterProfile): NamedCheck['run'] {
  return function* (context: ConformanceContext): ConformanceCheck {
    const before = yield* identify();
    const { identity } = yield* fresh(profile);
    const id = counterId(3);
    yield* askOne(createRequest(profile, id));
    const [old] = yield* certificatesOf(advanceRequest(id, COUNTER_SENTINEL, randomDigest(context.prng)));
    const { identity: after, model } = yield* fresh(profile);
    const epochs = new Set([before.tcEpoch, identity.tcEpoch, after.tcEpoch]);
    assert(epochs.size === 3, 'no tcEpoch twice');
    if (after.suite === 'ed25519') assert(!(yield* isValid(context, after, old!)), 'an old certificate is void');
    assert(decodeStatement(old!.statement)?.tcEpoch !== after.tcEpoch, 'an old certificate names its tcEpoch');
    yield* refused(advanceRequest(id, COUNTER_SENTINEL, randomDigest(context.prng)), 'NO_OBJECT');
    yield* askAsModel(model, [createRequest(profile, id), { op: 'replay', objectId: META_OBJECT_ID, count: 9 }]);
  };
}

/** The checks that a program of counters must pass. */
export function counterChecks(profile: CounterProfile): readonly NamedCheck[] {
  return [
    { name: 'whatever is asked, answers are those of the model', run: likeTheModel(profile) },
    { name: 'equivocation: one message for a value, also under way together', run: nonEquivocation(profile) },
    { name: 'errors and garbage change nothing', run: errorsChangeNothing(profile) },
    { name: 'crash at every record: nothing is lost, nothing is said twice', run: crashAtEveryRecord(profile) },
    { name: 'quota: room for so many counters and certificates', run: resourceBounds(profile) },
    { name: 'overflow: after the last value comes none', run: overflow(profile) },
    { name: 'no bit of a certificate can change', run: bitFlips(profile) },
    { name: 'renew makes a new component', run: renewal(profile) },
  ];
}

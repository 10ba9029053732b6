/**
 * What a share program (FastBFT) must do on every footprint. A check has one component, so its group has one member,
 * which leads every view; groups of several are in `programs/share/`. Checks are named after what they attack.
 */
import { assert } from '../../core/assert.ts';
import { equalBytes, hexToBytes } from '../../core/bytes.ts';
import type { Digest } from '../../core/types.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import { portableHash } from '../../crypto/portable.ts';
import { COUNTER_SENTINEL, STATEMENT_KIND } from '../contract.ts';
import type { Statement, TrustedCertificate, TrustedIdentity } from '../contract.ts';
import { commitmentOf, groupDigestOf } from '../programs/share/combine.ts';
import type { ShareMember, SplitSecret } from '../programs/share/frames.ts';
import {
  acceptRequest,
  announcedKeyOf,
  announceRequest,
  closeRequest,
  enrolRequest,
  enterRequest,
  followRequest,
  leadRequest,
  openedShareOf,
  orderRequest,
  positionValueOf,
  resetRequest,
  SHARE_OBJECT_ID,
  splitRequest,
  splitSecretOf,
  splitThresholdRequest,
  verifiedSecretOf,
  verifySecretRequest,
} from '../programs/share/frames.ts';
import { decodeStatement, ZERO_NONCE } from '../statement.ts';
import { garbageCheck } from './garbage.ts';
import type { ConformanceCheck, ConformanceContext, NamedCheck, Part } from './harness.ts';
import { askOne, certificatesOf, isValid, randomDigest, randomNonce, refused, renew } from './harness.ts';

/** The tree of a group of one. */
const ALONE = [{ member: 0, parent: 0 }];

function* memberOf(identity: TrustedIdentity): Part<ShareMember> {
  const { tcId, tcEpoch, suite, publicKey } = identity;
  if (suite === 'hmac-sha256') return { tcId, tcEpoch };
  const agreement = announcedKeyOf(yield* askOne(announceRequest()));
  assert(agreement !== undefined, 'announce is answered by a key');
  return { tcId, tcEpoch, keys: { publicKey: hexToBytes(publicKey)!, agreement } };
}

function* only(request: Parameters<typeof certificatesOf>[0]): Part<TrustedCertificate> {
  const certificates = yield* certificatesOf(request);
  assert(certificates.length === 1, 'one certificate');
  return certificates[0]!;
}

function statementOf({ statement }: TrustedCertificate): Statement {
  const decoded = decodeStatement(statement);
  assert(decoded?.objectId === SHARE_OBJECT_ID, 'a statement about the share set');
  return decoded;
}

function* done(request: Parameters<typeof askOne>[0]): Part<void> {
  const answer = yield* askOne(request);
  assert(answer.op === 'done', `done, not ${answer.op === 'error' ? answer.code : answer.op}`);
}

/** A new component in a group of its own. */
function* enrolled(): Part<TrustedIdentity> {
  const identity = yield* renew();
  yield* done(enrolRequest(1, [yield* memberOf(identity)]));
  return identity;
}

/** A new component that leads view 0 of its own group. */
function* leading(): Part<TrustedIdentity> {
  const identity = yield* enrolled();
  yield* only(leadRequest(0, ZERO_DIGEST));
  return identity;
}

function* split(counter: number): Part<SplitSecret> {
  const result = splitSecretOf(yield* askOne(splitRequest(counter, ALONE)));
  assert(result?.boxes.length === 1, 'a split is answered by a box for each holder');
  return result;
}

function acceptOf(ordered: TrustedCertificate, set: SplitSecret): ReturnType<typeof acceptRequest> {
  return acceptRequest(ordered, statementOf(set.certificate).digest, set.boxes[0]!.box);
}

function* opened(ordered: TrustedCertificate, set: SplitSecret): Part<Uint8Array> {
  const share = openedShareOf(yield* askOne(acceptOf(ordered, set)));
  assert(share !== undefined, 'accept is answered by a share');
  return share.share;
}

function* positionOf(): Part<number> {
  const status = { op: 'status', objectId: SHARE_OBJECT_ID, nonce: ZERO_NONCE, digest: ZERO_DIGEST } as const;
  return statementOf(yield* only(status)).value;
}

/** Values follow each other; each has one secret, and its share is the one that was committed to. */
function* longRun(context: ConformanceContext): ConformanceCheck {
  const identity = yield* leading();
  const group = groupDigestOf(portableHash, 1, [yield* memberOf(identity)]);
  const count = Math.min(context.calls, 50);
  for (let counter = 1; counter <= count; counter += 1) {
    const digest = randomDigest(context.prng);
    const set = yield* split(counter);
    const ordered = yield* only(orderRequest(digest));
    const { kind, previous, value, digest: said } = statementOf(ordered);
    assert(kind === STATEMENT_KIND.advance && said === digest, 'an order is an ADVANCE');
    assert(previous === counter - 1 && value === counter, 'values follow each other');
    const secret = yield* opened(ordered, set);
    const about = statementOf(set.certificate);
    assert(about.kind === STATEMENT_KIND.shareSet && about.value === value, 'a SHARE_SET for this value');
    assert(about.aux === group, 'a SHARE_SET says whom the secret was shared with');
    assert(about.digest === commitmentOf(portableHash, value, secret), 'the secret that was committed to');
    assert(verifiedSecretOf(yield* askOne(verifySecretRequest(secret, set.certificate))) === true, 'it is verified');
    const wrong = verifySecretRequest(secret.with(3, secret[3]! ^ 1), set.certificate);
    assert(verifiedSecretOf(yield* askOne(wrong)) === false, 'another is not');
    if (counter > 1) continue;
    for (const certificate of [ordered, set.certificate])
      assert(yield* isValid(context, identity, certificate), 'the certificates hold');
  }
}

/** Opening a value twice, for two digests, in another order, or what was not ordered. */
function* openTwice({ prng }: ConformanceContext): ConformanceCheck {
  yield* leading();
  const [first, second] = [yield* split(1), yield* split(2)];
  yield* refused(acceptOf(first.certificate, first), 'BAD_AUTH');
  const ordered = yield* only(orderRequest(randomDigest(prng)));
  const share = yield* opened(ordered, first);
  assert(equalBytes(yield* opened(ordered, first), share), 'the same share for the same digest');
  const again = yield* split(1);
  assert(equalBytes(yield* opened(ordered, again), share), 'splitting again changes nothing');
  yield* refused(acceptOf(ordered, second), 'BAD_AUTH');
  const later = yield* only(orderRequest(randomDigest(prng)));
  yield* refused(acceptOf(ordered, first), 'NOT_MONOTONIC');
  yield* refused(acceptOf(later, first), 'BAD_AUTH');
  yield* opened(later, second);
  for (const flip of [4, 45, 53, 60, 139]) {
    const bytes = Uint8Array.from([...later.statement, ...later.authenticator]);
    bytes[flip]! ^= 1;
    const forged = { statement: bytes.slice(0, 136), authenticator: bytes.slice(136) };
    yield* refused(acceptOf(forged, second), 'BAD_AUTH');
  }
}

/** Envelopes that are not the right one for this component, value and commitment. */
function* wrongEnvelopes({ prng }: ConformanceContext): ConformanceCheck {
  yield* leading();
  const set = yield* split(1);
  const commitment = statementOf(set.certificate).digest;
  const ordered = yield* only(orderRequest(randomDigest(prng)));
  const { box } = set.boxes[0]!;
  for (let index = 0; index < box.length; index += 1) {
    const changed = box.with(index, box[index]! ^ (1 << prng.between(0, 7)));
    yield* refused(acceptRequest(ordered, commitment, changed), 'BAD_AUTH');
  }
  for (const length of [0, 40, box.length - 1])
    yield* refused(acceptRequest(ordered, commitment, box.slice(0, length)), 'BAD_AUTH');
  yield* refused(acceptRequest(ordered, randomDigest(prng), box), 'BAD_AUTH');
  yield* opened(ordered, set);
}

/** After a view is closed nothing leaves in it; a later one has other secrets; none is led twice. */
function* closing({ prng }: ConformanceContext): ConformanceCheck {
  yield* leading();
  const old = yield* split(1);
  const ordered = yield* only(orderRequest(randomDigest(prng)));
  const log = randomDigest(prng);
  const closed = statementOf(yield* only(closeRequest(log)));
  assert(closed.kind === STATEMENT_KIND.closed && closed.digest === log, 'kind CLOSED');
  assert(closed.previous === 1 && closed.value === COUNTER_SENTINEL, 'it says where the component stands');
  yield* refused(acceptOf(ordered, old), 'CLOSED');
  yield* refused(orderRequest(log), 'CLOSED');
  yield* refused(splitRequest(2, ALONE), 'CLOSED');
  yield* refused(leadRequest(0, log), 'NOT_MONOTONIC');
  const newView = yield* only(leadRequest(7, log));
  const { kind, previous, value } = statementOf(newView);
  assert(kind === STATEMENT_KIND.advanceNoPrevious && previous === COUNTER_SENTINEL, 'kind ADVANCE_NOPREV');
  assert(value === positionValueOf({ view: 7, counter: 0 }), 'the first position of the view');
  yield* refused(leadRequest(7, randomDigest(prng)), 'NOT_MONOTONIC');
  yield* refused(enterRequest(newView), 'NOT_MONOTONIC');
  yield* refused(acceptOf(ordered, old), 'NOT_MONOTONIC');
  const set = yield* split(1);
  assert(statementOf(set.certificate).digest !== statementOf(old.certificate).digest, 'another view, another secret');
  yield* opened(yield* only(orderRequest(log)), set);
}

/** Following and resetting go forward by proofs only. */
function* forward({ prng }: ConformanceContext): ConformanceCheck {
  yield* leading();
  const set = yield* split(1);
  const ordered = yield* only(orderRequest(randomDigest(prng)));
  const secret = yield* opened(ordered, set);
  yield* refused(followRequest(secret, set.certificate, ordered), 'NOT_MONOTONIC');
  const digest = randomDigest(prng);
  const status = { op: 'status', objectId: SHARE_OBJECT_ID, digest } as const;
  const here = yield* only({ ...status, nonce: randomNonce(prng) });
  const about = statementOf(here);
  assert(about.kind === STATEMENT_KIND.status && about.previous === about.value, 'STATUS: no move');
  yield* refused(resetRequest([here]), 'NOT_MONOTONIC');
  yield* refused(resetRequest([ordered]), 'BAD_AUTH');
  yield* refused(resetRequest([here, here]), 'BAD_AUTH');
  yield* refused({ ...status, objectId: '0401000000000001', nonce: ZERO_NONCE }, 'NO_OBJECT');
  assert((yield* positionOf()) === 1, 'nothing has moved');
}

/** Requests of other programs, and a component that nobody has enrolled. */
function* crossProgram({ prng }: ConformanceContext): ConformanceCheck {
  yield* renew();
  const digest: Digest = randomDigest(prng);
  yield* refused(orderRequest(digest), 'NOT_READY');
  yield* refused(splitThresholdRequest(1), 'NOT_READY');
  yield* enrolled();
  yield* refused(orderRequest(digest), 'CLOSED');
  const objectId = SHARE_OBJECT_ID;
  yield* refused({ op: 'certify', objectId, digest, core: new Uint8Array(0) }, 'BAD_REQUEST');
  yield* refused({ op: 'advance', objectId, value: 1, independent: false, digest }, 'BAD_REQUEST');
  yield* refused({ op: 'plain', digest }, 'BAD_REQUEST');
  yield* refused({ op: 'extension', code: 0, body: new Uint8Array(0) }, 'BAD_REQUEST');
}

/** A restart goes on exactly (persistent) or is a new component (volatile). */
function* restart({ prng }: ConformanceContext): ConformanceCheck {
  const before = yield* leading();
  const set = yield* split(1);
  const digest = randomDigest(prng);
  const ordered = yield* only(orderRequest(digest));
  yield { kind: 'restart' };
  if (!before.persistent) {
    yield* refused(orderRequest(digest), 'NOT_READY');
    return;
  }
  assert((yield* positionOf()) === 1, 'the same position');
  const share = yield* opened(ordered, set);
  const again = yield* split(1);
  assert(equalBytes(yield* opened(ordered, again), share), 'the same secret after a restart');
  assert(statementOf(yield* only(orderRequest(digest))).value === 2, 'the next value follows');
}

/** `renew` is another component: nothing that was shared with the old one can be opened. */
function* renewal({ prng }: ConformanceContext): ConformanceCheck {
  yield* leading();
  const set = yield* split(1);
  const ordered = yield* only(orderRequest(randomDigest(prng)));
  yield* leading();
  assert((yield* positionOf()) === 0, 'nothing is accepted');
  yield* refused(acceptOf(ordered, set), 'BAD_AUTH');
  const own = yield* only(orderRequest(randomDigest(prng)));
  yield* refused(acceptOf(own, set), 'BAD_AUTH');
}

/** Checks of `share`, in an order in which they can be run on one component. */
export const SHARE_CHECKS: readonly NamedCheck[] = [
  { name: 'values follow each other, each with the secret that was committed to', run: longRun },
  { name: 'attack: opening a share twice for two digests', run: openTwice },
  { name: 'attack: opening with another envelope', run: wrongEnvelopes },
  { name: 'attack: a share after the view was closed', run: closing },
  { name: 'attack: going back by old statements', run: forward },
  garbageCheck([
    { op: 'status', objectId: SHARE_OBJECT_ID, nonce: ZERO_NONCE, digest: ZERO_DIGEST },
    leadRequest(3, ZERO_DIGEST),
    splitRequest(1, ALONE),
    orderRequest(ZERO_DIGEST),
  ]),
  { name: 'attack: cross-program replay, a group that is not there', run: crossProgram },
  { name: 'a restart continues or starts anew', run: restart },
  { name: 'renew makes a new component', run: renewal },
];

/** Groups of share components: how a value is ordered, and every way to open a share twice that a host has. */
import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, diffieHellman, sign } from 'node:crypto';
import { test } from 'node:test';
import { bytesToHex, equalBytes, hexToBytes } from '../../../core/bytes.ts';
import type { Suite } from '../../../core/config.ts';
import type { Digest } from '../../../core/types.ts';
import {
  checkSignature,
  digestOf,
  PowerCut,
  sha256,
  TestComponent,
} from '../../conformance/environment.testing.ts';
import type { TrustedCertificate, TrustedIdentity, TrustedRequest } from '../../contract.ts';
import { COUNTER_SENTINEL, STATEMENT_KIND } from '../../contract.ts';
import { encodeTrustedRequest } from '../../frames.ts';
import { decodeStatement, encodeStatement, ZERO_NONCE } from '../../statement.ts';
import { commitmentOf, groupDigestOf, joinPartials, joinThreshold, partialDigestOf } from './combine.ts';
import type { OpenedShare, ShareHolder, ShareMember, SplitSecret } from './frames.ts';
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
  positionOfValue,
  positionValueOf,
  resetRequest,
  SHARE_OBJECT_ID,
  splitRequest,
  splitSecretOf,
  splitThresholdRequest,
  verifiedSecretOf,
  verifySecretRequest,
} from './frames.ts';

const SUITES: readonly Suite[] = ['ed25519', 'hmac-sha256'];
const first = digestOf('first');
const second = digestOf('second');

function identityOf(component: TestComponent): TrustedIdentity {
  const answer = component.ask({ op: 'identify' });
  assert.ok(answer.op === 'identify');
  return answer.identity;
}

function memberOf(component: TestComponent): ShareMember {
  const { tcId, tcEpoch, publicKey, suite } = identityOf(component);
  if (suite === 'hmac-sha256') return { tcId, tcEpoch };
  const agreement = announcedKeyOf(component.ask(announceRequest()))!;
  return { tcId, tcEpoch, keys: { publicKey: hexToBytes(publicKey)!, agreement } };
}

function codeOf(component: TestComponent, request: TrustedRequest): string {
  const answer = component.ask(request);
  return answer.op === 'error' ? answer.code : answer.op;
}

function certificate(component: TestComponent, request: TrustedRequest): TrustedCertificate {
  const answer = component.ask(request);
  assert.ok(answer.op === 'certificates', JSON.stringify(answer));
  return answer.certificates[0]!;
}

function done(component: TestComponent, request: TrustedRequest): void {
  const answer = component.ask(request);
  assert.equal(answer.op, 'done', JSON.stringify(answer));
}

interface Group {
  readonly components: readonly TestComponent[];
  readonly members: readonly ShareMember[];
}

/** Components of a group; those at `places` are enrolled and have entered view 0. */
function makeGroup(suite: Suite, size: number, base = 0, places?: readonly number[]): Group {
  const components = Array.from(
    { length: size },
    (_, index) => new TestComponent({ program: 'share', suite, seed: base + index, replica: index, group: base }),
  );
  const members = components.map(memberOf);
  const active = places === undefined ? components : places.map((place) => components[place]!);
  for (const component of active) done(component, enrolRequest(1, members));
  enterAll(active, 0);
  return { components, members };
}

function enterAll(components: readonly TestComponent[], view: number): TrustedCertificate {
  const primary = components[view % components.length]!;
  const newView = certificate(primary, leadRequest(view, digestOf('new view', view)));
  for (const component of components) if (component !== primary) done(component, enterRequest(newView));
  return newView;
}

function split(component: TestComponent, request: TrustedRequest): SplitSecret {
  const answer = component.ask(request);
  const result = splitSecretOf(answer);
  assert.ok(result !== undefined, JSON.stringify(answer));
  return result;
}

function commitment({ certificate: { statement } }: SplitSecret): Digest {
  return decodeStatement(statement)!.digest;
}

function accept(group: Group, member: number, ordered: TrustedCertificate, set: SplitSecret): OpenedShare {
  const answer = group.components[member]!.ask(acceptFrom(member, ordered, set));
  const share = openedShareOf(answer);
  assert.ok(share !== undefined, JSON.stringify(answer));
  return share;
}

function acceptFrom(member: number, ordered: TrustedCertificate, set: SplitSecret): TrustedRequest {
  return acceptRequest(ordered, commitment(set), set.boxes.find((box) => box.member === member)!.box);
}

/** 0 with the children 1 and 2, of which 1 has the child 3: as many as are needed of 7. */
const TREE: readonly ShareHolder[] = [
  { member: 0, parent: 0 },
  { member: 1, parent: 0 },
  { member: 2, parent: 0 },
  { member: 3, parent: 1 },
];
const PAIR: readonly ShareHolder[] = [
  { member: 0, parent: 0 },
  { member: 1, parent: 0 },
];

for (const suite of SUITES) {
  test(`a value is ordered: partials join up the tree to the secret, passive members follow (${suite})`, () => {
    const group = makeGroup(suite, 7);
    const { components, members } = group;
    const shown: { readonly secret: Uint8Array; readonly set: SplitSecret }[] = [];
    for (let counter = 1; counter <= 3; counter += 1) {
      const set = split(components[0]!, splitRequest(counter, TREE));
      const statement = decodeStatement(set.certificate.statement)!;
      assert.equal(statement.kind, STATEMENT_KIND.shareSet);
      assert.equal(statement.aux, groupDigestOf(sha256, 1, members));
      const position = positionValueOf({ view: 0, counter });
      assert.equal(statement.value, position);
      const ordered = certificate(components[0]!, orderRequest(digestOf('batch', counter)));
      const shares = [0, 1, 2, 3].map((member) => accept(group, member, ordered, set));
      const under3 = shares[3]!.share;
      const under1 = joinPartials([shares[1]!.share, under3]);
      const digestsOf = ({ checks }: OpenedShare): unknown => checks.map(({ member, digest }) => [member, digest]);
      const digestOfPartial = (partial: Uint8Array): Digest => partialDigestOf(sha256, position, partial);
      assert.deepEqual(digestsOf(shares[1]!), [[3, digestOfPartial(under3)]]);
      assert.deepEqual(digestsOf(shares[0]!), [
        [1, digestOfPartial(under1)],
        [2, digestOfPartial(shares[2]!.share)],
      ]);
      assert.deepEqual(digestsOf(shares[2]!), []);
      const secret = joinPartials([shares[0]!.share, under1, shares[2]!.share]);
      assert.equal(commitmentOf(sha256, position, secret), statement.digest);
      for (const component of components.slice(4)) {
        assert.equal(verifiedSecretOf(component.ask(verifySecretRequest(secret, set.certificate))), true);
        assert.equal(codeOf(component, followRequest(under1, set.certificate, ordered)), 'BAD_AUTH');
        for (const { secret: old, set: oldSet } of shown)
          assert.equal(codeOf(component, followRequest(old, oldSet.certificate, ordered)), 'BAD_AUTH');
        done(component, followRequest(secret, set.certificate, ordered));
        assert.equal(codeOf(component, followRequest(secret, set.certificate, ordered)), 'NOT_MONOTONIC');
      }
      shown.push({ secret, set });
    }
  });

  test(`the fallback: each f+1 of all members, no f of them, and the primary can tell a wrong share (${suite})`, () => {
    const group = makeGroup(suite, 5);
    const set = split(group.components[0]!, splitThresholdRequest(1));
    assert.equal(set.boxes.length, 5);
    const ordered = certificate(group.components[0]!, orderRequest(first));
    const opened = [0, 1, 2, 3, 4].map((member) => accept(group, member, ordered, set));
    const shares = opened.map(({ share }, member) => ({ member, share }));
    const position = positionValueOf({ view: 0, counter: 1 });
    const isSecret = (members: readonly number[]): boolean =>
      commitmentOf(sha256, position, joinThreshold(members.map((member) => shares[member]!))) === commitment(set);
    for (const members of [[0, 1, 2], [2, 3, 4], [4, 0, 2], [0, 1, 2, 3, 4]]) assert.ok(isSecret(members));
    for (const members of [[0, 1], [3, 4], [2]]) assert.ok(!isSecret(members));
    // Were two coefficients equal, they would cancel out at x = 1.
    const secret = joinThreshold(shares.slice(0, 3));
    for (const { share } of shares) assert.ok(!equalBytes(share, secret));
    const digests = shares.map(({ member, share }) => ({ member, digest: partialDigestOf(sha256, position, share) }));
    assert.deepEqual(opened[0]!.checks, digests);
    assert.deepEqual(opened[1]!.checks, []);
  });

  test(`no key stream is used twice: each box has a nonce of its own (${suite})`, () => {
    const primary = makeGroup(suite, 3).components[0]!;
    const nonces = new Set<string>();
    for (const counter of [1, 1, 2, 2, 3]) {
      for (const request of [splitRequest(counter, PAIR), splitThresholdRequest(counter)])
        for (const { box } of split(primary, request).boxes) nonces.add(bytesToHex(box.subarray(0, 16)));
    }
    assert.equal(nonces.size, 5 * (2 + 3));
  });

  test(`re-sharing gives the same secret to others, and shares of two sets do not mix (${suite})`, () => {
    const group = makeGroup(suite, 3);
    const set = split(group.components[0]!, splitRequest(1, PAIR));
    const ordered = certificate(group.components[0]!, orderRequest(first));
    const own = accept(group, 0, ordered, set);
    const other = split(group.components[0]!, splitRequest(1, [PAIR[0]!, { member: 2, parent: 0 }]));
    assert.equal(commitment(other), commitment(set));
    const again = accept(group, 0, ordered, other);
    assert.ok(!equalBytes(own.share, again.share));
    const position = positionValueOf({ view: 0, counter: 1 });
    const joined = joinPartials([again.share, accept(group, 2, ordered, other).share]);
    assert.equal(commitmentOf(sha256, position, joined), commitment(set));
    const mixed = joinPartials([own.share, accept(group, 2, ordered, other).share]);
    assert.notEqual(commitmentOf(sha256, position, mixed), commitment(set));
    assert.equal(commitmentOf(sha256, position, joinPartials([own.share, accept(group, 1, ordered, set).share])), commitment(set));
  });

  test(`attack: opening a share twice for two digests (${suite})`, () => {
    const group = makeGroup(suite, 3);
    const [primary, backup] = group.components as [TestComponent, TestComponent];
    const set = split(primary, splitRequest(1, PAIR));
    const ordered = certificate(primary, orderRequest(first));
    const later = certificate(primary, orderRequest(second));
    const nextSet = split(primary, splitRequest(2, PAIR));
    assert.equal(codeOf(backup, acceptFrom(1, later, nextSet)), 'NOT_MONOTONIC', 'a value is left out');
    const share = accept(group, 1, ordered, set);
    assert.deepEqual(accept(group, 1, ordered, set), share, 'for the same digest it may be had again');
    // The primary's component says one digest for a value. A statement with another one is forged.
    const forged = decodeStatement(ordered.statement)!;
    const other = { ...ordered, statement: encodeStatement({ ...forged, digest: second }) };
    assert.equal(codeOf(backup, acceptFrom(1, other, set)), 'BAD_AUTH');
    accept(group, 1, later, nextSet);
    assert.equal(codeOf(backup, acceptFrom(1, ordered, set)), 'NOT_MONOTONIC', 'the value is past');
    assert.equal(codeOf(backup, acceptFrom(1, later, set)), 'BAD_AUTH', 'a box of another value');
  });

  test(`attack: the primary's component is rolled back and orders another digest: no second share (${suite})`, () => {
    const group = makeGroup(suite, 3);
    const [primary, backup] = group.components as [TestComponent, TestComponent];
    const set = split(primary, splitRequest(1, PAIR));
    const records = [...primary.records];
    const ordered = certificate(primary, orderRequest(first));
    accept(group, 1, ordered, set);
    primary.records = records;
    const other = certificate(primary.restart(), orderRequest(second));
    assert.equal(decodeStatement(other.statement)!.value, decodeStatement(ordered.statement)!.value);
    assert.equal(codeOf(backup, acceptFrom(1, other, set)), 'NOT_MONOTONIC');
    assert.equal(codeOf(backup.restart(), acceptFrom(1, other, set)), 'NOT_MONOTONIC');
    accept(group, 1, ordered, set);
  });

  test(`a value is past once the next one is accepted, also for the same digest (${suite})`, () => {
    const group = makeGroup(suite, 3);
    const [primary, backup] = group.components as [TestComponent, TestComponent];
    const orders = [1, 2].map(() => certificate(primary, orderRequest(first)));
    const sets = [1, 2].map((counter) => split(primary, splitRequest(counter, PAIR)));
    orders.forEach((order, index) => accept(group, 1, order, sets[index]!));
    assert.equal(codeOf(backup, acceptFrom(1, orders[0]!, sets[0]!)), 'NOT_MONOTONIC');
  });

  test(`attack: opening with another member's envelope (${suite})`, () => {
    const group = makeGroup(suite, 3);
    const [primary, backup, third] = group.components as [TestComponent, TestComponent, TestComponent];
    const set = split(primary, splitThresholdRequest(1));
    const ordered = certificate(primary, orderRequest(first));
    for (const member of [0, 2]) {
      const request = acceptRequest(ordered, commitment(set), set.boxes[member]!.box);
      assert.equal(codeOf(backup, request), 'BAD_AUTH');
    }
    assert.equal(codeOf(third, acceptRequest(ordered, commitment(set), set.boxes[1]!.box)), 'BAD_AUTH');
    const { box } = set.boxes[1]!;
    for (let index = 0; index < box.length; index += 1) {
      const changed = box.with(index, box[index]! ^ 1);
      assert.equal(codeOf(backup, acceptRequest(ordered, commitment(set), changed)), 'BAD_AUTH', `byte ${index}`);
    }
    for (const length of [0, 1, 80, box.length - 1])
      assert.equal(codeOf(backup, acceptRequest(ordered, commitment(set), box.subarray(0, length))), 'BAD_AUTH');
    assert.equal(codeOf(backup, acceptRequest(ordered, digestOf('other'), box)), 'BAD_AUTH', 'another commitment');
    accept(group, 1, ordered, set);
  });

  test(`attack: a host makes up members, keys or an old list (${suite})`, () => {
    const group = makeGroup(suite, 3);
    const [primary, backup] = group.components as [TestComponent, TestComponent];
    const set = split(primary, splitRequest(1, PAIR));
    const ordered = certificate(primary, orderRequest(first));
    const stranger = new TestComponent({ program: 'share', suite, seed: 99, replica: 9 });
    const strange = memberOf(stranger);
    const [one, two, three] = group.members as [ShareMember, ShareMember, ShareMember];
    const lists: readonly (readonly [string, number, readonly ShareMember[]])[] = [
      ['an old version', 1, group.members],
      ['without itself', 2, [one, three]],
      ['one twice', 2, [one, two, one]],
      ['none', 2, []],
      ['too many', 2, Array.from({ length: 26 }, () => one)],
    ];
    for (const [why, version, members] of lists)
      assert.notEqual(codeOf(backup, enrolRequest(version, members)), 'done', why);
    if (suite === 'ed25519') {
      const mixed = { ...one, keys: { ...one.keys!, agreement: strange.keys!.agreement } };
      assert.equal(codeOf(backup, enrolRequest(2, [mixed, two, three])), 'BAD_AUTH', 'an agreement key of another');
      const exchanged = { ...one, keys: strange.keys! };
      assert.equal(codeOf(backup, enrolRequest(2, [exchanged, two, three])), 'BAD_AUTH', 'keys of another');
    }
    accept(group, 1, ordered, set);
    // A true component under a made-up list: it closes the view, and what it does then is of another group.
    done(primary, enrolRequest(2, [one, strange, three]));
    assert.equal(codeOf(primary, orderRequest(second)), 'CLOSED');
    done(stranger, enrolRequest(2, [one, strange, three]));
    certificate(primary, leadRequest(3, first));
    const madeUp = split(primary, splitRequest(1, PAIR));
    const moved = certificate(primary, orderRequest(first));
    assert.equal(codeOf(backup, acceptFrom(1, moved, madeUp)), 'NOT_MONOTONIC');
    assert.notEqual(decodeStatement(madeUp.certificate.statement)!.aux, groupDigestOf(sha256, 1, group.members));
    assert.equal(verifiedSecretOf(backup.ask(verifySecretRequest(new Uint8Array(32), madeUp.certificate))), false);
  });

  test(`attack: under a made-up list a component leads the view of another (${suite})`, () => {
    const group = makeGroup(suite, 3);
    const [primary, backup, third] = group.components as [TestComponent, TestComponent, TestComponent];
    const [one, , three] = group.members as [ShareMember, ShareMember, ShareMember];
    done(third, enrolRequest(2, [one, three]));
    const stolen = certificate(third, leadRequest(1, first));
    for (const component of [primary, backup])
      assert.equal(codeOf(component, enterRequest(stolen)), 'BAD_AUTH', 'view 1 is that of the second member');
    const stolenOrder = certificate(third, orderRequest(first));
    const newView = certificate(backup, leadRequest(1, second));
    done(primary, enterRequest(newView));
    const set = split(backup, splitThresholdRequest(1));
    assert.equal(codeOf(primary, acceptFrom(0, stolenOrder, set)), 'BAD_AUTH');
    accept(group, 0, certificate(backup, orderRequest(second)), set);
  });

  test(`attack: a secret that was shared with a group of one (${suite})`, () => {
    const [primary, ...others] = Array.from(
      { length: 3 },
      (_, index) => new TestComponent({ program: 'share', suite, seed: 40 + index, replica: index }),
    ) as [TestComponent, TestComponent, TestComponent];
    const members = [primary, ...others].map(memberOf);
    done(primary, enrolRequest(1, [members[0]!]));
    const newView = certificate(primary, leadRequest(0, first));
    const set = split(primary, splitRequest(1, [PAIR[0]!]));
    const ordered = certificate(primary, orderRequest(first));
    const secret = openedShareOf(primary.ask(acceptFrom(0, ordered, set)))!.share;
    assert.equal(commitmentOf(sha256, positionValueOf({ view: 0, counter: 1 }), secret), commitment(set));
    assert.equal(verifiedSecretOf(primary.ask(verifySecretRequest(secret, set.certificate))), true);
    for (const component of others) {
      done(component, enrolRequest(1, members));
      done(component, enterRequest(newView));
      assert.equal(codeOf(component, followRequest(secret, set.certificate, ordered)), 'BAD_AUTH');
      assert.equal(verifiedSecretOf(component.ask(verifySecretRequest(secret, set.certificate))), false);
    }
    assert.notEqual(decodeStatement(set.certificate.statement)!.aux, groupDigestOf(sha256, 1, members));
  });

  test(`attack: a share after the view was closed, a view led by another, an old view (${suite})`, () => {
    const group = makeGroup(suite, 3);
    const [primary, backup, third] = group.components as [TestComponent, TestComponent, TestComponent];
    const set = split(primary, splitRequest(1, PAIR));
    const ordered = certificate(primary, orderRequest(first));
    const closed = decodeStatement(certificate(backup, closeRequest(digestOf('log'))).statement)!;
    assert.equal(closed.kind, STATEMENT_KIND.closed);
    assert.deepEqual([closed.previous, closed.value, closed.digest], [0, COUNTER_SENTINEL, digestOf('log')]);
    assert.equal(codeOf(backup, acceptFrom(1, ordered, set)), 'CLOSED');
    assert.equal(codeOf(backup, closeRequest(digestOf('another log'))), 'certificates', 'it may be said again');
    assert.equal(codeOf(third, leadRequest(1, first)), 'MODE');
    assert.equal(codeOf(backup, leadRequest(0, first)), 'MODE');
    assert.equal(codeOf(backup, splitThresholdRequest(1)), 'CLOSED');
    assert.equal(codeOf(third, orderRequest(first)), 'MODE');
    const oldView = certificate(backup, leadRequest(1, first));
    assert.equal(codeOf(backup, leadRequest(1, second)), 'NOT_MONOTONIC', 'one NEW-VIEW a view');
    done(third, enterRequest(oldView));
    assert.equal(codeOf(third, enterRequest(oldView)), 'NOT_MONOTONIC');
    assert.equal(codeOf(third, enterRequest(ordered)), 'BAD_AUTH', 'an order is no view');
    const holders = [{ member: 2, parent: 0 }];
    assert.equal(codeOf(third, splitRequest(1, holders)), 'BAD_REQUEST');
    const stale = split(primary, splitThresholdRequest(1));
    assert.equal(codeOf(third, acceptFrom(2, ordered, stale)), 'BAD_AUTH', 'an order of the primary before');
  });

  test(`reset takes f+1 equal statements and goes forward only (${suite})`, () => {
    const group = makeGroup(suite, 3);
    const [primary, backup, behind] = group.components as [TestComponent, TestComponent, TestComponent];
    const statusOf = (component: TestComponent, digest: Digest): TrustedCertificate =>
      certificate(component, { op: 'status', objectId: SHARE_OBJECT_ID, nonce: ZERO_NONCE, digest });
    for (let counter = 1; counter <= 4; counter += 1) {
      const set = split(primary, splitRequest(counter, PAIR));
      accept(group, 1, certificate(primary, orderRequest(digestOf(counter))), set);
    }
    const log = digestOf('log');
    const [one, two] = [statusOf(primary, log), statusOf(backup, log)];
    for (const wrong of [[one], [one, one], [one, statusOf(backup, first)], [one, statusOf(behind, log)], [one, two, two]])
      assert.equal(codeOf(behind, resetRequest(wrong)), 'BAD_AUTH');
    done(behind, resetRequest([one, two]));
    assert.equal(codeOf(behind, resetRequest([one, two])), 'NOT_MONOTONIC');
    const value = decodeStatement(statusOf(behind, log).statement)!.value;
    assert.deepEqual(positionOfValue(value), { view: 0, counter: 4 });
    const next = [PAIR[0]!, { member: 2, parent: 0 }];
    const fifth = certificate(primary, orderRequest(first));
    accept(group, 2, fifth, split(primary, splitRequest(5, next)));
    // Inside a view a closed component stays closed; a later view opens it.
    certificate(behind, closeRequest(log));
    const sixth = certificate(primary, orderRequest(first));
    const pair = split(primary, splitRequest(6, PAIR));
    assert.equal(codeOf(backup, acceptFrom(1, sixth, pair)), 'NOT_MONOTONIC');
    accept(group, 1, fifth, split(primary, splitRequest(5, PAIR)));
    accept(group, 1, sixth, pair);
    done(behind, resetRequest([statusOf(primary, log), statusOf(backup, log)]));
    const others = split(primary, splitRequest(6, next));
    assert.equal(codeOf(behind, acceptFrom(2, sixth, others)), 'CLOSED', 'it was reported as left');
    const closed = decodeStatement(certificate(behind, closeRequest(log)).statement)!;
    assert.equal(closed.previous, 6, 'but it is where the others are');
    enterAll([primary, backup, behind], 1);
    assert.deepEqual(positionOfValue(decodeStatement(statusOf(behind, log).statement)!.value), { view: 1, counter: 0 });
  });

  test(`attack: a restart, a power cut at any record, a full disk: nothing is accepted twice (${suite})`, () => {
    for (const when of ['before', 'after'] as const) {
      const group = makeGroup(suite, 3);
      const [primary, backup] = group.components as [TestComponent, TestComponent];
      const set = split(primary, splitRequest(1, PAIR));
      primary.cut = { record: primary.kept + 1, when };
      assert.throws(() => primary.ask(orderRequest(first)), PowerCut);
      primary.restart();
      const ordered = certificate(primary, orderRequest(second));
      const { counter } = positionOfValue(decodeStatement(ordered.statement)!.value);
      assert.equal(counter, when === 'after' ? 2 : 1);
      if (when === 'after') continue;
      backup.cut = { record: backup.kept + 1, when: 'after' };
      assert.throws(() => backup.ask(acceptFrom(1, ordered, set)), PowerCut);
      backup.restart();
      const share = accept(group, 1, ordered, set);
      backup.compact();
      backup.restart();
      assert.deepEqual(accept(group, 1, ordered, set), share, 'after an image');
      const again = split(primary.restart(), splitRequest(1, PAIR));
      assert.deepEqual(accept(group, 1, ordered, again), share, 'the same secret after a restart');
      backup.disk = 'full';
      const next = certificate(primary, orderRequest(first));
      const nextSet = split(primary, splitRequest(2, PAIR));
      assert.equal(codeOf(backup, acceptFrom(1, next, nextSet)), 'STORAGE');
      assert.equal(codeOf(backup, closeRequest(first)), 'STORAGE');
      assert.equal(codeOf(backup, { op: 'renew' }), 'STORAGE');
      backup.disk = 'good';
      accept(group, 1, next, nextSet);
    }
  });
}

test('agreement keys are those of X25519, certified by the component', () => {
  const component = new TestComponent({ program: 'share', seed: 5 });
  const identity = identityOf(component);
  const announced = announcedKeyOf(component.ask(announceRequest()))!;
  const { statement, authenticator } = announced.certificate;
  assert.ok(checkSignature(identity.publicKey, statement, authenticator));
  assert.equal(decodeStatement(statement)!.kind, STATEMENT_KIND.plain);
  assert.equal(decodeStatement(statement)!.digest, bytesToHex(sha256('tc-share-key-v1', announced.key)));
  // The key of the test component is known here: another X25519 makes the same of it.
  const seed = sha256('test component/5/1/key');
  const edKey = createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
    format: 'der',
    type: 'pkcs8',
  });
  const label = ['tc-share-agreement-v1', hexToBytes(identity.tcId)!, hexToBytes(identity.tcEpoch)!] as const;
  const secret = sha256(sign(null, Buffer.concat(label.map((part) => Buffer.from(part))), edKey));
  const xKey = createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), secret]),
    format: 'der',
    type: 'pkcs8',
  });
  const { x } = createPublicKey(xKey).export({ format: 'jwk' });
  assert.equal(bytesToHex(announced.key), Buffer.from(x as string, 'base64url').toString('hex'));
  assert.equal(diffieHellman({ privateKey: xKey, publicKey: createPublicKey(xKey) }).length, 32);
});

/** A member that a host makes up, with a key pair of its own; by its right id unless another one is given. */
function madeUpMember(own: ShareMember, agreementKey: Uint8Array, otherId?: string): ShareMember {
  const key = createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), sha256('made up')]),
    format: 'der',
    type: 'pkcs8',
  });
  const { x } = createPublicKey(key).export({ format: 'jwk' });
  const publicKey = new Uint8Array(Buffer.from(x as string, 'base64url'));
  const tcId = otherId ?? bytesToHex(sha256('tc-id-v1', Uint8Array.of(2), publicKey)).slice(0, 32);
  const statement = encodeStatement({
    kind: STATEMENT_KIND.plain,
    suite: 'ed25519',
    flags: 0,
    tcId,
    tcEpoch: own.tcEpoch,
    objectId: SHARE_OBJECT_ID,
    previous: 0,
    value: 0,
    digest: bytesToHex(sha256('tc-share-key-v1', agreementKey)) as Digest,
  });
  const authenticator = new Uint8Array(sign(null, Buffer.from(statement), key));
  const agreement = { key: agreementKey, certificate: { statement, authenticator } };
  return { tcId, tcEpoch: own.tcEpoch, keys: { publicKey, agreement } };
}

test('attack: agreement keys of small order, keys under the id of another', () => {
  const component = new TestComponent({ program: 'share', seed: 1 });
  const own = memberOf(component);
  const other = memberOf(new TestComponent({ program: 'share', seed: 2 }));
  const weak = ['00'.repeat(32), `01${'00'.repeat(31)}`, `ec${'ff'.repeat(30)}7f`, `ed${'ff'.repeat(30)}7f`];
  for (const point of weak) {
    const member = madeUpMember(own, hexToBytes(point)!);
    assert.equal(codeOf(component, enrolRequest(1, [own, member])), 'BAD_AUTH', point);
  }
  const stolen = madeUpMember(own, other.keys!.agreement.key, other.tcId);
  assert.equal(codeOf(component, enrolRequest(1, [own, stolen])), 'BAD_AUTH', 'an id that is not of the key');
  assert.equal(codeOf(component, enrolRequest(1, [own, madeUpMember(own, other.keys!.agreement.key)])), 'done');
});

test('attack: cross-program and cross-epoch replay, where all members share one key', () => {
  const group = makeGroup('hmac-sha256', 3);
  const [primary, backup] = group.components as [TestComponent, TestComponent];
  const set = split(primary, splitRequest(1, PAIR));
  // The same place in the same group, even the same tcEpoch: another program.
  const counter = new TestComponent({ program: 'trinx', suite: 'hmac-sha256', seed: 0, replica: 0, group: 0 });
  assert.equal(identityOf(counter).tcId, identityOf(primary).tcId);
  assert.equal(identityOf(counter).tcEpoch, identityOf(primary).tcEpoch);
  const objectId = '0101000000000000';
  counter.ask({ op: 'create', objectId, mode: 'step' });
  const move = { op: 'advance', objectId, value: COUNTER_SENTINEL, digest: first } as const;
  const moved = certificate(counter, { ...move, independent: false });
  assert.equal(decodeStatement(moved.statement)!.value, 1);
  assert.equal(codeOf(backup, acceptFrom(1, moved, set)), 'BAD_AUTH');
  const silent = certificate(counter, { ...move, independent: true });
  assert.equal(codeOf(backup, enterRequest(silent)), 'BAD_AUTH');
  // The same component after it was renewed: its id is that of its place, its tcEpoch is another.
  assert.equal(primary.ask({ op: 'renew' }).op, 'renew');
  const renewed = memberOf(primary);
  assert.equal(renewed.tcId, group.members[0]!.tcId);
  done(primary, enrolRequest(1, [renewed, ...group.members.slice(1)]));
  const newView = certificate(primary, leadRequest(3, first));
  assert.equal(codeOf(backup, enterRequest(newView)), 'BAD_AUTH');
  certificate(primary, closeRequest(first));
  certificate(primary, leadRequest(6, first));
  assert.equal(codeOf(backup, acceptFrom(1, certificate(primary, orderRequest(first)), set)), 'BAD_AUTH');
});

test('the largest group fits: 25 members, a tree and a threshold set', () => {
  for (const suite of SUITES) {
    // With signatures an enrolment computes 25 agreements, so only two members take part.
    const places = suite === 'ed25519' ? [0, 24] : Array.from({ length: 25 }, (_, place) => place);
    const group = makeGroup(suite, 25, 200, places);
    const primary = group.components[0]!;
    const holders = [0, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13];
    const chain = holders.map((member, index) => ({ member, parent: Math.max(0, index - 1) }));
    const star = holders.map((member) => ({ member, parent: 0 }));
    const ordered = certificate(primary, orderRequest(first));
    for (const request of [splitRequest(1, chain), splitRequest(1, star), splitThresholdRequest(1)]) {
      const set = split(primary, request);
      const boxes = set.boxes.filter(({ member }) => places.includes(member));
      const shares = boxes.map(({ member }) => ({ member, share: accept(group, member, ordered, set).share }));
      if (suite === 'ed25519') continue;
      const isTree = shares.length === 13;
      const secret = isTree ? joinPartials(shares.map(({ share }) => share)) : joinThreshold(shares.slice(12));
      assert.equal(commitmentOf(sha256, positionValueOf({ view: 0, counter: 1 }), secret), commitment(set));
    }
    for (const component of [primary, group.components[24]!]) {
      component.compact();
      assert.equal(codeOf(component.restart(), closeRequest(first)), 'certificates');
    }
  }
});

test('requests of every wrong form are refused and change nothing', () => {
  const group = makeGroup('hmac-sha256', 3);
  const [primary, backup] = group.components as [TestComponent, TestComponent];
  const set = split(primary, splitRequest(1, PAIR));
  const ordered = certificate(primary, orderRequest(first));
  const records = backup.kept;
  const requests = [
    acceptFrom(1, ordered, set),
    followRequest(new Uint8Array(32), set.certificate, ordered),
    enterRequest(ordered),
    closeRequest(first),
    enrolRequest(2, group.members),
    verifySecretRequest(new Uint8Array(32), set.certificate),
  ];
  for (const request of requests) {
    assert.ok(request.op === 'extension');
    const { body } = request;
    const wrong: Uint8Array[] = [Uint8Array.from([...body, 0]), new Uint8Array(body.length)];
    for (let length = 0; length < body.length; length += 1) wrong.push(body.subarray(0, length));
    for (const bytes of wrong.filter((_, index) => request.code !== 10 || index !== 1))
      assert.match(codeOf(backup, { ...request, body: bytes }), /^(BAD_REQUEST|BAD_AUTH)$/, `${request.code}`);
  }
  for (const code of [0, 12, 255])
    assert.equal(codeOf(backup, { op: 'extension', code, body: new Uint8Array(40) }), 'BAD_REQUEST');
  const trees: readonly (readonly ShareHolder[])[] = [
    [{ member: 0, parent: 0 }],
    [PAIR[1]!, PAIR[0]!],
    [PAIR[0]!, PAIR[0]!],
    [PAIR[0]!, { member: 1, parent: 1 }],
    [PAIR[0]!, { member: 3, parent: 0 }],
    [...PAIR, { member: 2, parent: 0 }],
  ];
  for (const tree of trees) assert.equal(codeOf(primary, splitRequest(1, tree)), 'BAD_REQUEST');
  assert.equal(codeOf(primary, splitRequest(0, PAIR)), 'BAD_REQUEST');
  assert.equal(codeOf(primary, splitRequest(2 ** 40, PAIR)), 'OVERFLOW');
  assert.equal(codeOf(primary, leadRequest(2 ** 13, first)), 'OVERFLOW');
  assert.equal(backup.handle(encodeTrustedRequest({ op: 'identify' }))[0], 1);
  assert.equal(backup.kept, records);
  accept(group, 1, ordered, set);
});

test('records that do not follow each other are not continued', () => {
  const grown = (): TestComponent => makeGroup('ed25519', 3).components[0]!;
  const spoils: readonly ((records: Uint8Array[]) => void)[] = [
    (records) => void records.shift(),
    (records) => void records.splice(0, 2, records[1]!, records[0]!),
    (records) => void records.push(records.at(-1)!),
    (records) => void (records[0] = records[0]!.subarray(0, 200)),
    (records) => void (records[1] = records[1]!.with(0, 5)),
    (records) => void (records[1] = records[1]!.with(2, records[1]![2]! ^ 1)),
    (records) => void records.push(new Uint8Array(0)),
  ];
  for (const spoil of spoils) {
    const component = grown();
    component.ask(orderRequest(first));
    spoil(component.records);
    component.restart();
    assert.equal(codeOf(component, orderRequest(second)), 'NOT_READY');
    assert.equal(codeOf(component, { op: 'renew' }), 'renew');
    assert.equal(codeOf(component, orderRequest(second)), 'NOT_READY', 'no members are enrolled');
    done(component, enrolRequest(1, [memberOf(component)]));
    certificate(component, leadRequest(0, first));
  }
});

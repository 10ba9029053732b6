import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RecoverRequest } from '../core/request.ts';
import type { Digest, TcEpoch } from '../core/types.ts';
import type { RecentCertificate, TrustedIdentity } from '../trusted/contract.ts';
import { JournalImage } from './image.ts';
import { encodeRecord, recordOf } from './records.ts';
import { createSimGenesis } from '../sim/cluster-settings.ts';
import { drawScenario } from '../sim/scenario.ts';
import { applyRecover, encodeRegistry, genesisRegistry } from '../smr/registry.ts';
import { encodeRecover, otherOwnerOf } from './restore.ts';
import { COUNTER_RENEWAL, triageStart } from './triage.ts';

const EPOCH = '00000000000000aa' as TcEpoch;
const OTHER = '00000000000000bb' as TcEpoch;
const digestOf = (counter: number): Digest => counter.toString(16).padStart(64, '0') as Digest;

function identity(counter: number, tcEpoch = EPOCH): TrustedIdentity {
  return {
    program: 'usig',
    measurement: digestOf(99),
    suite: 'ed25519',
    tcId: '00'.repeat(16),
    tcEpoch,
    publicKey: '11'.repeat(32),
    persistent: true,
    counter,
  };
}

/** A log whose messages 1..certified have certificates, followed by bare intents up to `intents`. */
function log(certified: number, intents = certified): JournalImage {
  const image = new JournalImage(EPOCH);
  for (let counter = 1; counter <= intents; counter += 1) {
    const draft = new Uint8Array([counter]);
    image.apply(encodeRecord({ kind: 'intent', tcEpoch: EPOCH, counter, digest: digestOf(counter), draft }));
    if (counter > certified) continue;
    image.apply(
      encodeRecord({ kind: 'certificate', tcEpoch: EPOCH, counter, authenticator: new Uint8Array(64) }),
    );
  }
  return image;
}

const certificates = (from: number, to: number): RecentCertificate[] =>
  Array.from({ length: to - from + 1 }, (_, index) => ({
    counter: from + index,
    digest: digestOf(from + index),
    authenticator: new Uint8Array(64),
    core: new Uint8Array(0),
  }));

describe('start-up triage (rule W6, decision A3)', () => {
  it('continues when component and log agree, also with a bare intent above (scenario 23)', () => {
    assert.equal(triageStart(identity(0), log(0), undefined).kind, 'continue');
    assert.equal(triageStart(identity(3), log(3), undefined).kind, 'continue');
    assert.equal(triageStart(identity(3), log(3, 4), undefined).kind, 'continue');
  });

  it('renews a component whose counter is nearly used up (scenario T-10)', () => {
    const image = new JournalImage(EPOCH);
    const certified = (counter: number): void => {
      const draft = new Uint8Array(1);
      image.apply(
        encodeRecord({ kind: 'intent', tcEpoch: EPOCH, counter, digest: digestOf(counter), draft }),
      );
      const authenticator = new Uint8Array(64);
      image.apply(encodeRecord({ kind: 'certificate', tcEpoch: EPOCH, counter, authenticator }));
    };
    certified(COUNTER_RENEWAL - 1);
    image.trimmedBelow = COUNTER_RENEWAL - 1;
    assert.equal(triageStart(identity(COUNTER_RENEWAL - 1), image, undefined).kind, 'continue');
    certified(COUNTER_RENEWAL);
    const triage = triageStart(identity(COUNTER_RENEWAL), image, undefined);
    assert.equal(triage.kind, 'renew');
    // Put back to an older state it is refused all the same.
    assert.equal(triageStart(identity(COUNTER_RENEWAL - 1), image, undefined).kind, 'refuse');
  });

  it('refuses when the component is behind a certified message: it was rolled back', () => {
    const triage = triageStart(identity(2), log(3), undefined);
    assert.ok(triage.kind === 'refuse');
    assert.match(triage.reason, /rolled back/);
  });

  it('completes what the component certified and the log intended', () => {
    const image = log(3, 5);
    assert.deepEqual(triageStart(identity(5), image, undefined), { kind: 'askRecent', count: 2 });
    const triage = triageStart(identity(5), image, certificates(1, 5));
    assert.ok(triage.kind === 'complete');
    assert.deepEqual(
      triage.certificates.map((certificate) => certificate.counter),
      [4, 5],
    );
  });

  it('renews when a certified message is in no intent, or another message stands there', () => {
    assert.equal(triageStart(identity(5), log(3, 4), certificates(1, 5)).kind, 'renew');
    const changed = certificates(1, 4).map((certificate) => ({ ...certificate, digest: digestOf(77) }));
    assert.equal(triageStart(identity(4), log(3, 4), changed).kind, 'renew');
    assert.equal(triageStart(identity(40), log(0), certificates(1, 40)).kind, 'renew');
  });

  it('renews when the log has a hole', () => {
    const image = log(3);
    image.own.delete(2);
    assert.equal(triageStart(identity(3), image, undefined).kind, 'renew');
  });

  it('registers a fresh component under another tcEpoch, renews one that has spoken if the store was wiped', () => {
    assert.equal(triageStart(identity(0, OTHER), log(3), undefined).kind, 'register');
    assert.equal(triageStart(identity(1, OTHER), log(0), undefined).kind, 'renew');
  });

  it('refuses the component of another replica and never renews it: the folders were mixed up', () => {
    const other = { replica: 2, isExpectedHere: false };
    for (const [counter, epoch, image] of [
      [0, EPOCH, log(0)],
      [0, OTHER, log(3)],
      [7, OTHER, log(3)],
      // A wiped store is no reason to renew what another replica needs.
      [7, OTHER, log(0)],
      [COUNTER_RENEWAL, OTHER, log(0)],
    ] as const) {
      const triage = triageStart(identity(counter, epoch), image, undefined, other);
      assert.ok(triage.kind === 'refuse');
      assert.match(
        triage.reason,
        /component of replica 2: .* were mixed up\. Put each back .*nothing was changed/,
      );
    }
  });

  it('renews a component that another replica registered as its own', () => {
    const other = { replica: 2, isExpectedHere: true };
    assert.equal(triageStart(identity(0), log(0), undefined, other).kind, 'renew');
    assert.equal(triageStart(identity(0, OTHER), log(3), undefined, other).kind, 'renew');
  });

  it('refuses an old copy of the store, or of the component, from before a renewal', () => {
    const oldStore = triageStart(identity(7, OTHER), log(3), undefined);
    assert.ok(oldStore.kind === 'refuse');
    assert.match(oldStore.reason, /old copy/);
    const renewed = log(3);
    renewed.apply(encodeRecord({ kind: 'renewed', tcEpoch: OTHER, recover: new Uint8Array([7]) }));
    assert.equal(triageStart(identity(3), renewed, undefined).kind, 'refuse');
  });
});

describe('journal image', () => {
  it('means the same after compaction', () => {
    const image = log(4, 5);
    const state = new Uint8Array([9]);
    const body = new Uint8Array([1, 2, 3]);
    const key = `body/${digestOf(50)}`;
    image.apply(encodeRecord({ kind: 'store', entries: [{ key, value: body }] }));
    image.apply(encodeRecord({ kind: 'store', entries: [{ key: 'why', value: state }] }));
    image.apply(encodeRecord({ kind: 'executed', sequence: 1, batch: digestOf(50), protocolState: state }));
    image.apply(encodeRecord({ kind: 'store', entries: [{ key, value: undefined }] }));
    image.apply(encodeRecord({ kind: 'trim', below: 3 }));
    const copy = new JournalImage(EPOCH);
    for (const source of image.beginRewrite()) assert.ok(copy.apply(recordOf(source)));
    image.endRewrite();
    assert.deepEqual([...copy.own.keys()], [3, 4, 5]);
    assert.equal(copy.certifiedThrough(), 4);
    assert.deepEqual(
      copy.body(digestOf(50)),
      body,
      'an executed body outlives being dropped by the protocol',
    );
    assert.equal(copy.stored.has(key), false);
    assert.deepEqual(copy.executed, image.executed);
    copy.coverThrough(1);
    assert.equal(copy.body(digestOf(50)), undefined, 'a snapshot covers it');
    assert.equal(copy.certifiedLog(0)?.length, 2);
  });

  it('keeps bodies where it is told to, until the journal that is written from it is there', () => {
    const room = new Map<Digest, Uint8Array>();
    const image = new JournalImage(EPOCH, {
      put: (digest, bytes) => void room.set(digest, bytes),
      get: (digest) => room.get(digest),
      drop: (digest) => void room.delete(digest),
    });
    const body = new Uint8Array([1, 2, 3]);
    const key = `body/${digestOf(50)}`;
    image.put(key, body);
    image.put('why', body);
    assert.deepEqual([...room.keys()], [digestOf(50)]);
    assert.deepEqual(
      [...image.stored],
      [
        ['why', body],
        [key, body],
      ],
    );
    const sources = image.beginRewrite();
    image.put(key, undefined);
    image.coverThrough(1);
    assert.equal(image.body(digestOf(50)), undefined, 'it is dropped');
    const copy = new JournalImage(EPOCH);
    for (const source of sources) assert.ok(copy.apply(recordOf(source)));
    assert.deepEqual(copy.body(digestOf(50)), body, 'the new journal holds what held when it was begun');
    image.endRewrite();
    assert.equal(room.size, 0);
  });

  it('does not keep what it was read from', () => {
    const record = encodeRecord({ kind: 'store', entries: [{ key: 'why', value: new Uint8Array([1]) }] });
    const journal = new Uint8Array(1_000_000);
    journal.set(record, 500);
    const image = new JournalImage(EPOCH);
    assert.ok(image.apply(journal.subarray(500, 500 + record.length)));
    assert.ok(image.stored.get('why')!.buffer.byteLength < 1_000);
  });

  it('forgets the own log of a renewed component', () => {
    const image = log(4);
    image.apply(encodeRecord({ kind: 'renewed', tcEpoch: OTHER, recover: new Uint8Array([7]) }));
    assert.equal(image.certifiedThrough(), 0);
    const late = {
      kind: 'certificate',
      tcEpoch: EPOCH,
      counter: 1,
      authenticator: new Uint8Array(64),
    } as const;
    assert.ok(image.apply(encodeRecord(late)));
    assert.equal(image.own.size, 0);
  });

  it('refuses bytes that it did not write', () => {
    assert.equal(new JournalImage(EPOCH).apply(new Uint8Array([250, 1])), false);
  });
});

describe('the other owner of a component', () => {
  const { settings } = createSimGenesis(drawScenario(1, { replicas: 3 }), 'minbft');
  const nothing = { protocolState: new Uint8Array(0) };
  const identityOf = (id: number): TrustedIdentity =>
    ({ ...settings.members[id]!.trusted, persistent: true, counter: 0 }) as TrustedIdentity;
  const renewed = identity(0);
  const request: RecoverRequest = {
    replica: 1,
    expectedIncarnation: 0,
    tcEpoch: renewed.tcEpoch,
    tcId: renewed.tcId,
    tcPublicKey: renewed.publicKey,
    measurement: renewed.measurement,
    footprint: 'process',
    evidence: new Uint8Array(0),
    signature: new Uint8Array(64),
  };

  it('is found before anything was executed, too', () => {
    for (const { id } of settings.members)
      for (const self of [0, 1, 2])
        assert.deepEqual(
          otherOwnerOf(self, settings, nothing, {}, identityOf(id)),
          self === id ? undefined : { replica: id, isExpectedHere: false },
        );
  });

  it('keeps a component that was renewed, and the one before', () => {
    const executed = {
      protocolState: encodeRegistry(applyRecover(genesisRegistry(settings), request, 3, 0)),
    };
    for (const one of [renewed, identityOf(1)]) {
      assert.equal(otherOwnerOf(1, settings, executed, {}, one), undefined);
      assert.deepEqual(otherOwnerOf(0, settings, executed, {}, one), { replica: 1, isExpectedHere: false });
    }
  });

  it('is known apart from one that copied a RECOVER which is pending here', () => {
    const copied = { ...request, replica: 2 };
    const executed = {
      protocolState: encodeRegistry(applyRecover(genesisRegistry(settings), copied, 3, 0)),
    };
    const image = { recover: encodeRecover(request) };
    const other = otherOwnerOf(1, settings, executed, image, renewed);
    assert.deepEqual(other, { replica: 2, isExpectedHere: true });
    assert.equal(triageStart(renewed, log(0), undefined, other).kind, 'renew');
  });
});

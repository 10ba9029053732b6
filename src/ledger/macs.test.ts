/** Clusters with MACs: genesis, versions of keys in the replicated state, what blocks and receipts say. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  clientId,
  put,
  sha256 as hash,
  TestLedger,
  testSettings,
} from '../../test/support/ledger-fixture.ts';
import { NO_PROGRAM } from '../core/config.ts';
import { macBundle } from '../core/request.ts';
import type { Bundle } from '../core/request.ts';
import type { ClusterSettings } from '../core/config.ts';
import type { Digest } from '../core/types.ts';
import { decodeHeader, encodeHeader, headerHash } from './block.ts';
import type { BlockHeader } from './contract.ts';
import { ClientRegistry } from './clients.ts';
import { clusterIdOf, clusterSettingsToJson, membershipDigest, parseClusterSettings } from './genesis.ts';

const SETTINGS = testSettings();
const withMacs: ClusterSettings = { ...SETTINGS, authenticator: 'mac' };
const parsed = (settings: object) => parseClusterSettings(JSON.parse(JSON.stringify(settings)) as unknown);

describe('genesis', () => {
  it('holds the authenticator; signed bundles are what there was before', () => {
    for (const authenticator of ['mac', 'request'] as const) {
      const settings = { ...SETTINGS, authenticator };
      const read = parsed(clusterSettingsToJson(settings));
      assert.ok('settings' in read && read.settings.authenticator === authenticator);
      assert.notEqual(clusterIdOf(hash, settings), clusterIdOf(hash, SETTINGS));
      assert.notEqual(membershipDigest(hash, settings), membershipDigest(hash, SETTINGS));
    }
    const plain = parsed({ ...clusterSettingsToJson(SETTINGS), authenticator: 'bundle' });
    assert.ok('settings' in plain);
    assert.equal(clusterIdOf(hash, plain.settings), clusterIdOf(hash, SETTINGS));
    assert.deepEqual(plain.settings, SETTINGS);
  });

  it('refuses MACs where a component does not keep keys from its host, and says which', () => {
    const [first, ...rest] = SETTINGS.members;
    for (const [trusted, why] of [
      [{ footprint: 'wasm' }, /member 0 has usig@wasm/],
      [{ footprint: 'worker' }, /member 0 has usig@worker/],
      [{ footprint: 'tpm' }, /member 0 has usig@tpm/],
      [{ program: 'trinc' }, /member 0 has trinc@process/],
      [{ program: NO_PROGRAM, footprint: NO_PROGRAM, publicKey: '' }, /member 0 has none@none/],
    ] as const) {
      const members = [{ ...first!, trusted: { ...first!.trusted, ...trusted } }, ...rest];
      const read = parsed(clusterSettingsToJson({ ...withMacs, members }));
      assert.match('error' in read ? read.error : '', why);
    }
    const hmac = SETTINGS.members.map((member) => ({
      ...member,
      trusted: { ...member.trusted, suite: 'hmac-sha256' as const, publicKey: '' },
    }));
    const read = parsed(clusterSettingsToJson({ ...withMacs, suite: 'hmac-sha256', members: hmac }));
    assert.match('error' in read ? read.error : '', /"mac" with the suite hmac-sha256/);
    assert.match(
      JSON.stringify(parsed({ ...clusterSettingsToJson(SETTINGS), authenticator: 'none' })),
      /authenticator/,
    );
  });
});

describe('versions of keys', () => {
  const newRegistry = (): ClientRegistry => new ClientRegistry(hash, SETTINGS.clients);
  const idOf = (registry: ClientRegistry): Digest => registry.byKey(new Uint8Array(32).fill(2))!.id;

  it('are 1 at first, grow by one, and are part of the state only where they did', () => {
    const registry = newRegistry();
    const before = registry.encode();
    const id = idOf(registry);
    assert.equal(registry.byId(id)!.keyVersion, 1);
    for (const version of [2, 3]) {
      const renewed = registry.renewKey(id);
      assert.ok(typeof renewed !== 'string' && renewed.keyVersion === version);
    }
    const bytes = registry.encode();
    assert.ok(bytes.length > before.length);
    const copy = newRegistry();
    assert.ok(copy.decode(bytes));
    assert.deepEqual(copy.encode(), bytes);
    assert.equal(copy.byId(id)!.keyVersion, 3);
    assert.ok(copy.decode(before));
    assert.equal(copy.byId(id)!.keyVersion, 1);
  });

  it('no other bytes are a registry: cut, longer, of strangers, or saying what is so anyway', () => {
    const registry = newRegistry();
    registry.renewKey(idOf(registry));
    const bytes = registry.encode();
    const length = newRegistry().encode().length;
    for (let end = length + 1; end < bytes.length; end += 1)
      assert.equal(newRegistry().decode(bytes.slice(0, end)), false);
    assert.equal(newRegistry().decode(Uint8Array.from([...bytes, 0])), false);
    // Count, key and version stand last.
    const stranger = bytes.slice();
    stranger[length + 4]! ^= 1;
    assert.equal(newRegistry().decode(stranger), false);
    for (const version of [0, 1]) {
      const needless = bytes.slice();
      needless[bytes.length - 1] = version;
      assert.equal(newRegistry().decode(needless), false);
    }
    assert.equal(newRegistry().decode(Uint8Array.from([...bytes.slice(0, length), 0, 0, 0, 0])), false);
  });

  it('a revoked or unknown client has no next one', () => {
    const registry = newRegistry();
    assert.equal(registry.renewKey('ee'.repeat(32) as Digest), 'unknownClient');
    registry.revoke(idOf(registry));
    assert.equal(registry.renewKey(idOf(registry)), 'clientRevoked');
  });
});

describe('execution', () => {
  const ledgerWithMacs = (): TestLedger => new TestLedger(testSettings({}, { authenticator: 'mac' }));
  /** The tags are not looked at here: whether they hold was judged from the bytes. */
  function tagged(ledger: TestLedger, version: number, plain: Bundle): Bundle {
    return macBundle(hash, ledger.settings, plain, version, () => new Uint8Array(32));
  }
  const refusal = (ledger: TestLedger, bundle: Bundle): string => {
    const admission = ledger.executor.admit(bundle);
    return admission.kind === 'refused' ? admission.reason : admission.kind;
  };

  it('takes the version in force; a renewal counts from the request behind it', () => {
    const ledger = ledgerWithMacs();
    const session = ledger.openSession(2);
    const bundle = (version: number, number: number): Bundle =>
      tagged(ledger, version, ledger.bundle(2, session, [[number, put('k', `${number}`)]]));
    assert.equal(ledger.executor.keyVersionOf(bundle(1, 1).clientKey), 1);
    const { block } = ledger.run([bundle(1, 1)]);
    assert.equal(block?.header.authenticatedBy, 'mac');
    assert.equal(refusal(ledger, bundle(2, 2)), 'keyVersionNotYetKnown');
    assert.equal(ledger.run([bundle(2, 2)]).block, undefined);
    const renew = ledger.bundle(2, session, [[3, { kind: 'renewKey', clientId: clientId(2) }]]);
    const outcome = ledger.run([tagged(ledger, 1, renew), bundle(1, 4), bundle(2, 5)]);
    assert.deepEqual(
      outcome.block?.transactions.map(({ number }) => number),
      [3, 5],
    );
    assert.equal(refusal(ledger, bundle(1, 4)), 'keyVersionRetired');
    assert.equal(refusal(ledger, bundle(2, 4)), 'new');
    // What was executed under the older version is still answered.
    assert.equal(refusal(ledger, bundle(1, 1)), 'executed');
  });

  it('only the client itself or an administrator renews a key, and only where requests have MACs', () => {
    const ledger = ledgerWithMacs();
    const [one, other] = [ledger.openSession(1), ledger.openSession(3)];
    const renewal = { kind: 'renewKey', clientId: clientId(2) } as const;
    ledger.run([tagged(ledger, 1, ledger.bundle(3, other, [[1, renewal]]))]);
    assert.equal(ledger.executor.keyVersionOf(new Uint8Array(32).fill(2)), 1);
    ledger.run([tagged(ledger, 1, ledger.bundle(1, one, [[1, renewal]]))]);
    assert.equal(ledger.executor.keyVersionOf(new Uint8Array(32).fill(2)), 2);
    const signed = new TestLedger();
    signed.run([signed.bundle(1, signed.openSession(1), [[1, renewal]])]);
    assert.equal(signed.executor.keyVersionOf(new Uint8Array(32).fill(2)), 1);
  });

  it('a revoked client has no key, and its bundles do nothing under any version', () => {
    const ledger = ledgerWithMacs();
    const [admin, session] = [ledger.openSession(1), ledger.openSession(2)];
    const bundle = tagged(ledger, 1, ledger.bundle(2, session, [[1, put('k', 'v')]]));
    ledger.run([
      tagged(ledger, 1, ledger.bundle(1, admin, [[1, { kind: 'revoke', clientId: clientId(2) }]])),
    ]);
    assert.equal(ledger.executor.keyVersionOf(bundle.clientKey), 0);
    assert.equal(refusal(ledger, bundle), 'clientRevoked');
    assert.equal(ledger.run([bundle]).block, undefined);
  });

  it('a bundle whose tags do not hold does nothing', () => {
    const ledger = ledgerWithMacs();
    const bundle = tagged(ledger, 1, ledger.bundle(2, ledger.openSession(2), [[1, put('k', 'v')]]));
    assert.equal(ledger.run([bundle], 1000, [false]).block, undefined);
  });

  it('versions are rolled back with everything else', () => {
    const ledger = ledgerWithMacs();
    const session = ledger.openSession(2);
    const renew = ledger.bundle(2, session, [[1, { kind: 'renewKey', clientId: clientId(2) }]]);
    const batch = ledger.batch([tagged(ledger, 1, renew)]);
    ledger.feed(batch, new Uint8Array(0), { speculative: true });
    assert.equal(ledger.executor.keyVersionOf(renew.clientKey), 2);
    ledger.rollback(1);
    assert.equal(ledger.executor.keyVersionOf(renew.clientKey), 1);
  });
});

describe('a block header', () => {
  it('says that requests had MACs, under its hash', () => {
    const zero = '00'.repeat(32) as Digest;
    const plain: BlockHeader = {
      clusterId: zero,
      configurationVersion: 1,
      configurationDigest: zero,
      height: 1,
      sequence: 2,
      previous: zero,
      proposedInView: 0,
      time: 5,
      transactionsRoot: zero,
      resultsRoot: zero,
      checkpoint: { height: 0, stateDigest: zero },
    };
    const header: BlockHeader = { ...plain, authenticatedBy: 'mac' };
    assert.deepEqual(decodeHeader(encodeHeader(header)), header);
    assert.deepEqual(decodeHeader(encodeHeader(plain)), plain);
    assert.notEqual(headerHash(hash, header), headerHash(hash, plain));
    const other = encodeHeader(header);
    other[0] = 3;
    assert.equal(decodeHeader(other), undefined);
  });
});

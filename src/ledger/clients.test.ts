import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  clientId,
  clientKey,
  digestOf,
  sha256,
  testSettings,
  utf8,
} from '../../test/support/ledger-fixture.ts';
import { bytesToHex } from '../core/bytes.ts';
import { ClientRegistry } from './clients.ts';
import { OpenedSessions, OPENS_PER_CLIENT_MAX } from './opened-sessions.ts';
import { createPolicy } from './policy.ts';

const registry = () => new ClientRegistry(sha256, testSettings().clients);

test('genesis clients are known by key and by id', () => {
  const clients = registry();
  assert.equal(clients.size, 3);
  assert.equal(clients.byKey(clientKey(3))?.organisation, 'beta');
  assert.equal(clients.byId(clientId(3)), clients.byKey(clientKey(3)));
  assert.equal(clients.byKey(clientKey(4)), undefined);
});

test('registering twice alike is no error; otherwise, or after revocation, it is', () => {
  const clients = registry();
  const apply = (organisation: string) =>
    clients.register({ key: clientKey(4), organisation, role: 'client' });
  const first = apply('beta');
  assert.equal(typeof first, 'object');
  assert.equal(apply('beta'), first);
  assert.equal(apply('alpha'), 'alreadyRegistered');
  assert.equal(typeof clients.revoke(clientId(4)), 'object');
  assert.equal(apply('beta'), 'clientRevoked');
  assert.equal(clients.revoke(clientId(4)), 'clientRevoked');
  assert.equal(clients.revoke(clientId(9)), 'unknownClient');
  assert.equal(clients.byKey(clientKey(4))?.revoked, true);
});

test('the last administrator cannot be revoked', () => {
  const clients = registry();
  assert.equal(clients.revoke(clientId(1)), 'lastAdministrator');
  clients.register({ key: clientKey(5), organisation: 'alpha', role: 'admin' });
  assert.equal(typeof clients.revoke(clientId(1)), 'object');
  assert.equal(clients.revoke(clientId(5)), 'lastAdministrator');
});

test('the registry encodes alike whatever the order of registration, and reads back', () => {
  const [one, two] = [registry(), registry()];
  for (const index of [9, 4, 7]) one.register({ key: clientKey(index), organisation: 'x', role: 'client' });
  for (const index of [7, 9, 4]) two.register({ key: clientKey(index), organisation: 'x', role: 'client' });
  one.revoke(clientId(4));
  two.revoke(clientId(4));
  assert.deepEqual(one.encode(), two.encode());
  const copy = new ClientRegistry(sha256, []);
  assert.ok(copy.decode(one.encode()));
  assert.deepEqual(copy.encode(), one.encode());
  assert.equal(copy.byId(clientId(4))?.revoked, true);
  assert.ok(!copy.decode(one.encode().subarray(0, -1)));
  assert.equal(copy.size, 6, 'a refused encoding changes nothing');
});

test('policy: the longest prefix decides alone; no match is nobody; no rules is everybody', () => {
  const hex = (value: string) => bytesToHex(utf8(value));
  const policy = createPolicy([
    { prefix: hex('a/'), organisations: ['alpha'] },
    { prefix: hex('a/shared/'), organisations: ['alpha', 'beta'] },
    { prefix: hex('a/shared/locked'), organisations: [] },
    { prefix: hex('open/'), organisations: ['*'] },
  ]);
  const may = (organisation: string, key: string) => policy.writerCheck(organisation)(utf8(key));
  assert.deepEqual([may('alpha', 'a/x'), may('beta', 'a/x')], [true, false]);
  assert.deepEqual([may('alpha', 'a/shared/x'), may('beta', 'a/shared/x')], [true, true]);
  assert.deepEqual([may('alpha', 'a/shared/locked'), may('beta', 'a/shared/locked!')], [false, false]);
  assert.deepEqual([may('gamma', 'open/x'), may('gamma', 'open')], [true, false]);
  assert.deepEqual([may('alpha', ''), may('alpha', 'b')], [false, false]);
  assert.ok(createPolicy([]).writerCheck('anybody')(utf8('any key')));
  const everything = createPolicy([{ prefix: '', organisations: ['alpha'] }]);
  assert.ok(everything.writerCheck('alpha')(utf8('')) && !everything.writerCheck('beta')(utf8('x')));
});

test('executed OPENs are remembered until their time has passed, boundedly for each client', () => {
  const opens = new OpenedSessions();
  const record = (name: string, validUntil: number) => ({
    ...{ txId: digestOf(name), clientId: clientId(1), session: 1, window: 64, sequence: 1 },
    validUntil,
  });
  opens.add(record('one', 100));
  opens.add(record('two', 200));
  opens.prune(100);
  assert.ok(opens.find(digestOf('one')) !== undefined, 'valid until means up to and including');
  const copy = new OpenedSessions();
  assert.ok(copy.decode(opens.encode()));
  assert.deepEqual(copy.encode(), opens.encode());
  opens.prune(101);
  assert.equal(opens.find(digestOf('one')), undefined);
  for (let index = 1; index < OPENS_PER_CLIENT_MAX; index += 1) opens.add(record(`more ${index}`, 300));
  assert.ok(!opens.hasRoom(clientId(1)));
  assert.ok(opens.hasRoom(clientId(2)));
  opens.prune(201);
  assert.ok(opens.hasRoom(clientId(1)));
});

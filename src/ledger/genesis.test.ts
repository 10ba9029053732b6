import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf, sha256, testSettings } from '../../test/support/ledger-fixture.ts';
import {
  clusterIdOf,
  clusterIdProblem,
  clusterSettingsToJson,
  membershipDigest,
  parseClusterSettings,
} from './genesis.ts';
import type { ProtocolNeeds } from './genesis.ts';
import { noComponent } from '../core/config.ts';

type Json = Record<string, unknown>;

const fixture = testSettings({}, { policy: [{ prefix: '61', organisations: ['alpha', '*'] }] });

/** The JSON of the fixture, as a fresh value that may be changed. */
function json(): Json {
  return JSON.parse(JSON.stringify(clusterSettingsToJson(fixture))) as Json;
}

function complaintOf(value: unknown): string {
  const parsed = parseClusterSettings(value);
  return 'error' in parsed ? parsed.error : 'accepted';
}

/** All paths of leaves and lists of a JSON value. */
function pathsOf(value: unknown, path: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return [path];
  const below = Object.entries(value).flatMap(([name, item]) => pathsOf(item, [...path, name]));
  return path.length === 0 ? below : [path, ...below];
}

function replaced(path: readonly (string | number)[], change: (old: unknown) => unknown): Json {
  const value = json();
  let at = value;
  for (const name of path.slice(0, -1)) at = at[name] as Json;
  const last = path.at(-1)!;
  at[last] = change(at[last]);
  return value;
}

test('settings read back equal from their JSON', () => {
  assert.deepEqual(parseClusterSettings(json()), { settings: fixture });
  assert.equal(clusterIdProblem(sha256, fixture), undefined);
});

test('every field has a shape: null in its place is refused with a sentence that names it', () => {
  for (const path of pathsOf(json())) {
    const complaint = complaintOf(replaced(path, () => null));
    assert.match(complaint, / must be /, path.join('.'));
    assert.ok(complaint.includes(`${path.at(-1)}`), `${path.join('.')}: ${complaint}`);
  }
});

test('unknown and missing fields are refused at every level', () => {
  for (const path of [
    [],
    ['members', 0],
    ['members', 1, 'trusted'],
    ['clients', 0],
    ['limits'],
    ['timers'],
  ]) {
    const more = replaced([...path, 'surprise'], () => 1);
    assert.match(complaintOf(more), /unknown field "surprise"/);
  }
  const { f: _, ...without } = json();
  assert.match(complaintOf(without), /^the document lacks the field "f"$/);
  for (const value of [undefined, null, 7, 'x', [], [json()]])
    assert.match(complaintOf(value), /^the document must be an object$/);
});

test('any changed value that is accepted changes the cluster id', () => {
  for (const path of pathsOf(json())) {
    if (path[0] === 'clusterId') continue;
    const changed = replaced(path, (old) => {
      if (typeof old === 'number') return old + 1;
      if (typeof old !== 'string') return old;
      return old.endsWith('0') ? `${old.slice(0, -1)}1` : `${old.slice(0, -1)}0`;
    });
    const parsed = parseClusterSettings(changed);
    if ('error' in parsed || JSON.stringify(changed) === JSON.stringify(json())) continue;
    assert.notEqual(clusterIdOf(sha256, parsed.settings), fixture.clusterId, path.join('.'));
    assert.match(clusterIdProblem(sha256, parsed.settings)!, /file was changed/);
  }
});

test('relations between fields: sizes, ids, suites, keys used twice, limits', () => {
  const member = (index: number, field: string, value: unknown) =>
    replaced(['members', index, field], () => value);
  const cases: [RegExp, unknown][] = [
    [/members must be at least 5 for f = 2, not 3/, replaced(['f'], () => 2)],
    [/members\[1\]\.id must be 1/, member(1, 'id', 2)],
    [/must not have the same address twice/, member(1, 'address', fixture.members[0]!.address)],
    [/must not have the same key twice/, member(2, 'linkKey', fixture.members[2]!.hostKey)],
    [/must not have the same key twice/, replaced(['clients', 1, 'key'], () => fixture.clients[0]!.key)],
    [/members\[0\]\.trusted\.suite must be the suite/, replaced(['suite'], () => 'hmac-sha256')],
    [/limits must satisfy: logEntriesMax/, replaced(['limits', 'logEntriesMax'], () => 64)],
    [/limits must satisfy: batchBytesMax/, replaced(['limits', 'batchBytesMax'], () => 1024)],
    [/backoffCapMs must be at least/, replaced(['timers', 'backoffCapMs'], () => 10)],
    [/address must have a port/, member(0, 'address', 'localhost:70000')],
    [/address must be host:port/, member(0, 'address', 'localhost')],
    [/hostKey must be 32 bytes/, member(0, 'hostKey', 'AB'.repeat(32))],
    [/policy\[0\]\.organisations\[1\] must be/, replaced(['policy', 0, 'organisations', 1], () => 'a b')],
    [/checkpointInterval must be an integer from 1/, replaced(['limits', 'checkpointInterval'], () => 0.5)],
  ];
  for (const [expected, value] of cases) assert.match(complaintOf(value), expected);
});

test('a protocol says how many members it needs', () => {
  const known = (name: string, needs: ProtocolNeeds): ReturnType<typeof parseClusterSettings> =>
    parseClusterSettings(json(), (protocol) => (protocol === name ? needs : undefined));
  const needs = { replicas: 3, program: 'usig' };
  assert.deepEqual(known('pbft', needs), { error: 'protocol "minbft" is not known' });
  assert.deepEqual(known('minbft', needs), { settings: fixture });
  const more = known('minbft', { ...needs, replicas: 4 });
  assert.deepEqual(more, { error: 'members must be 4 for f = 1 of minbft, not 3' });
  const other = known('minbft', { ...needs, program: 'a2m' });
  assert.ok('error' in other && /trusted\.program must be "a2m" for the protocol minbft/.test(other.error));
});

test('members without trusted components: nothing is registered, and it need not differ', () => {
  const needs = { replicas: 3, program: undefined };
  const trusted = noComponent('ed25519');
  const members = fixture.members.map((member) => ({ ...member, trusted }));
  const bare = { ...fixture, members };
  const parsed = parseClusterSettings(clusterSettingsToJson(bare), () => needs);
  assert.deepEqual(parsed, { settings: bare });
  assert.notEqual(clusterIdOf(sha256, bare), fixture.clusterId);
  const keyed = {
    ...bare,
    members: members.map((one) => ({ ...one, trusted: { ...trusted, publicKey: '11' } })),
  };
  const refused = parseClusterSettings(clusterSettingsToJson(keyed), () => needs);
  assert.ok('error' in refused && /publicKey must be empty: there is no component/.test(refused.error));
  assert.ok('error' in parseClusterSettings(json(), () => needs));
});

test('the membership digest covers members and trusted measurements, not clients or limits', () => {
  const digest = membershipDigest(sha256, fixture);
  const [first, ...rest] = fixture.members;
  const trusted = { ...first!.trusted, measurement: digestOf('another program') };
  assert.notEqual(
    membershipDigest(sha256, { ...fixture, members: [{ ...first!, trusted }, ...rest] }),
    digest,
  );
  assert.equal(membershipDigest(sha256, { ...fixture, clients: [] }), digest);
});

test('settings made in code with texts that would lose bits are a bug that is told', () => {
  const organisation = 'b\u00fcro';
  const clients = [{ ...fixture.clients[0]!, organisation }];
  assert.throws(() => clusterIdOf(sha256, { ...fixture, clients }), /printable ASCII/);
});

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { sha256, testSettings } from '../../test/support/ledger-fixture.ts';
import type { ClusterSettings } from '../core/config.ts';
import { attestationPolicyToJson, parseAttestationPolicy, POLICY_FORMAT } from './attestation-policy.ts';
import { clusterIdOf, clusterSettingsToJson, parseClusterSettings } from './genesis.ts';

type Json = Record<string, unknown>;

/** The example of the page. */
function example(): Json {
  const page = readFileSync(new URL('../../docs/attestation.md', import.meta.url), 'utf8');
  return JSON.parse(/```json\n([^]*?)```/.exec(page)![1]!) as Json;
}

function complaintOf(change: (json: Json) => void): string {
  const json = example();
  change(json);
  const parsed = parseAttestationPolicy(json);
  return 'error' in parsed ? parsed.error : 'accepted';
}

const policy = (() => {
  const parsed = parseAttestationPolicy(example());
  assert.ok('policy' in parsed);
  return parsed.policy;
})();

/** Ids of settings that differ only in what is asked of trusted components. */
function idWith(changes: Partial<ClusterSettings>): string {
  return clusterIdOf(sha256, { ...testSettings(), ...changes });
}

describe('attestation policy', () => {
  it('is read from a file as the page shows it, and back', () => {
    assert.deepEqual(policy.programs[0]!.name, 'usig');
    assert.deepEqual(
      parseAttestationPolicy({ format: POLICY_FORMAT, ...(attestationPolicyToJson(policy) as Json) }),
      {
        policy,
      },
    );
  });

  it('refuses with a sentence what is not exactly that', () => {
    assert.match(
      complaintOf((json) => (json['extra'] = 1)),
      /unknown field "extra"/,
    );
    assert.match(
      complaintOf((json) => delete json['roots']),
      /lacks the field "roots"/,
    );
    assert.match(
      complaintOf((json) => (json['format'] = 'other')),
      /format must be one of/,
    );
    assert.match(
      complaintOf((json) => (json['programs'] = [])),
      /programs must be a list of 1 to/,
    );
    const part = (json: Json, name: string, index = 0): Json => (json[name] as Json[])[index]!;
    assert.match(
      complaintOf((json) => (part(json, 'programs')['measurements'] = ['ff'])),
      /measurements\[0\] must be 32 bytes/,
    );
    assert.match(
      complaintOf((json) => (part(json, 'footprints')['endorsedBy'] = ['Somebody!'])),
      /endorsedBy\[0\] must be the name of an evidence format/,
    );
    assert.match(
      complaintOf((json) => (part(json, 'roots')['key'] = '')),
      /roots\[0\].key must be 1 to/,
    );
  });

  it('refuses contradictions', () => {
    assert.match(
      complaintOf((json) => (json['roots'] = [])),
      /roots must hold a root of format "operator", which is to vouch for "vm"/,
    );
    const footprints = example()['footprints'] as Json[];
    const twice = [...footprints, footprints[0]!];
    assert.match(
      complaintOf((json) => (json['footprints'] = twice)),
      /same footprint twice: "process"/,
    );
    const carried = footprints.map((one) => ({ ...one, endorsedBy: [] }));
    assert.match(
      complaintOf((json) => (json['footprints'] = carried)),
      /must not list carriers for "vm"/,
    );
  });
});

describe('genesis with attestation', () => {
  const members = testSettings().members.map((member) => ({
    ...member,
    trusted: { ...member.trusted, evidence: '0102' },
  }));

  it('reads back equal, policy and evidence included', () => {
    const content = { ...testSettings(), members, attestation: policy };
    const settings = { ...content, clusterId: clusterIdOf(sha256, content) };
    const json = JSON.parse(JSON.stringify(clusterSettingsToJson(settings))) as unknown;
    assert.deepEqual(parseClusterSettings(json), { settings });
  });

  it('has another cluster id with each of them, and that of before without both', () => {
    const first = policy.footprints.map((one, index) => (index === 0 ? { ...one, name: 'worker' } : one));
    const ids = [
      idWith({}),
      idWith({ attestation: policy }),
      idWith({ attestation: { ...policy, footprints: first } }),
      idWith({ members }),
      idWith({ members: members.map((member, id) => (id === 1 ? testSettings().members[1]! : member)) }),
      idWith({ members, attestation: policy }),
    ];
    assert.equal(new Set(ids).size, ids.length);
  });

  it('refuses evidence that is no text of bytes', () => {
    const settings = { ...testSettings(), members };
    const json = JSON.parse(JSON.stringify(clusterSettingsToJson(settings))) as {
      members: { trusted: Json }[];
    };
    json.members[0]!.trusted['evidence'] = '0G';
    const parsed = parseClusterSettings(json);
    assert.ok('error' in parsed && /trusted.evidence must be/.test(parsed.error));
  });
});

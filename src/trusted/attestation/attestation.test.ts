import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bytesToHex, digestToBytes } from '../../core/bytes.ts';
import type { AttestationPolicy, ClusterSettings } from '../../core/config.ts';
import { Prng } from '../../core/prng.ts';
import { possessionChallenge } from '../../core/request.ts';
import type { RecoverRequest } from '../../core/request.ts';
import type { Digest, TcEpoch } from '../../core/types.ts';
import { createModelKeys, modelHash } from '../../crypto/fast-model.ts';
import { encodeEvidence } from '../evidence.ts';
import { bindDigestOf, tcIdOf } from '../statement.ts';
import { decodeBundleOfEvidence, encodeBundleOfEvidence, ENDORSEMENTS_MAX } from './bundle.ts';
import type { Endorsement } from './bundle.ts';
import { judgeEvidence } from './judge.ts';
import type { JudgeParts } from './judge.ts';
import { encodeOperatorEndorsement, OPERATOR_FORMAT, operatorStatementBytes } from './operator.ts';
import type { OperatorStatement } from './operator.ts';
import { recoverEvidenceCheck, registrationChallenge, registrationProblem } from './registration.ts';
import { refusalOf, verdictLines } from './verdict.ts';
import type { Verdict } from './verdict.ts';

const digest = (byte: number): Digest => byte.toString(16).padStart(2, '0').repeat(32) as Digest;
const keys = createModelKeys();
const crypto = {
  hash: modelHash,
  verifyEd25519: (key: Uint8Array, message: Uint8Array, seal: Uint8Array) => keys.verify(key, message, seal),
};
const PROGRAM = digest(0x51);
const CARRIER = digest(0x52);
const CHALLENGE = digest(0x53);
const operator = keys.signer('operator');
const ROOT = bytesToHex(operator.publicKey);

const POLICY: AttestationPolicy = {
  programs: [{ name: 'usig', measurements: [digest(0x50), PROGRAM] }],
  footprints: [
    { name: 'wasm', endorsedBy: [], carriers: [] },
    { name: 'vm', endorsedBy: ['operator'], carriers: [CARRIER] },
  ],
  roots: [{ format: OPERATOR_FORMAT, name: 'acme', key: ROOT, minimumVersion: 3 }],
};

/** A component with a key of its own. */
function componentOf(name: string) {
  const signer = keys.signer(name);
  const tcEpoch = bytesToHex(modelHash(signer.publicKey).subarray(0, 8)) as TcEpoch;
  const publicKey = bytesToHex(signer.publicKey);
  const tcId = tcIdOf(modelHash, { suite: 'ed25519', publicKey: signer.publicKey });
  const identity = { suite: 'ed25519' as const, tcId, tcEpoch, publicKey };
  const bindOf = (challenge: Digest): Digest => bindDigestOf(modelHash, { ...identity, challenge });
  return {
    identity,
    bindOf,
    attest: (challenge: Digest, measurement = PROGRAM): Uint8Array =>
      encodeEvidence({
        ...identity,
        platform: 'none',
        measurement,
        challenge,
        authenticator: signer.signBytes(digestToBytes(bindOf(challenge))),
      }),
  };
}

const component = componentOf('component');

function bundleOf(possession: Uint8Array, ...endorsements: Endorsement[]): Uint8Array {
  return encodeBundleOfEvidence({ possession, endorsements });
}

function statementOf(changes: Partial<OperatorStatement> = {}): OperatorStatement {
  return {
    root: ROOT,
    measurement: PROGRAM,
    carrier: CARRIER,
    footprint: 'vm',
    version: 3,
    bind: component.bindOf(CHALLENGE),
    notBefore: 1_000,
    notAfter: 2_000,
    ...changes,
  };
}

function endorsed(changes: Partial<OperatorStatement> = {}, signer = operator): Endorsement {
  const statement = statementOf(changes);
  const signature = signer.signBytes(operatorStatementBytes(statement));
  return { format: OPERATOR_FORMAT, body: encodeOperatorEndorsement(statement, signature) };
}

function judged(bytes: Uint8Array, changes: Partial<JudgeParts> = {}): Verdict {
  return judgeEvidence(bytes, {
    crypto,
    challenge: CHALLENGE,
    footprint: 'wasm',
    expected: { ...component.identity, measurement: PROGRAM },
    policy: POLICY,
    timeMs: 1_500,
    ...changes,
  });
}

/** Names of the checks that failed; each of them must say what to do. */
function failures(verdict: Verdict): string[] {
  const failed = verdict.checks.filter(({ passed }) => !passed);
  for (const { advice, found, expected } of failed)
    assert.ok(advice.length > 20 && found !== '' && expected !== '');
  assert.equal(verdict.accepted, failed.length === 0);
  return failed.map(({ check }) => check);
}

const VM = { footprint: 'vm' };

describe('evidence', () => {
  it('of the right component under an allowed program is accepted, alone or with an endorsement', () => {
    assert.deepEqual(failures(judged(bundleOf(component.attest(CHALLENGE)))), []);
    assert.deepEqual(failures(judged(bundleOf(component.attest(CHALLENGE), endorsed()), VM)), []);
    const bare = judgeEvidence(bundleOf(component.attest(CHALLENGE)), {
      crypto,
      challenge: CHALLENGE,
      footprint: 'anything',
    });
    assert.deepEqual(failures(bare), [], 'without a policy possession is all that is asked');
  });

  it('needs every format that the footprint asks for: the word of an operator is not that of a TPM', () => {
    const both = POLICY.footprints.map((one) =>
      one.name === 'vm' ? { ...one, endorsedBy: ['operator', 'tpm'] } : one,
    );
    const policy = { ...POLICY, footprints: both };
    const bundle = bundleOf(component.attest(CHALLENGE), endorsed());
    assert.deepEqual(failures(judged(bundle, { ...VM, policy })), ['endorsement']);
  });

  it('is refused with the name of what is wrong', () => {
    const possession = component.attest(CHALLENGE);
    const other = componentOf('other');
    const broken = possession.slice();
    broken[broken.length - 40]! ^= 1;
    const cases: readonly [string[], Verdict][] = [
      [['bundle'], judged(new Uint8Array(0))],
      [['bundle'], judged(possession)],
      [['challenge'], judged(bundleOf(component.attest(digest(9))))],
      [['possession'], judged(bundleOf(broken))],
      [['component'], judged(bundleOf(other.attest(CHALLENGE)))],
      [['claimed program', 'program'], judged(bundleOf(component.attest(CHALLENGE, digest(0x99))))],
      [['footprint', 'endorsement'], judged(bundleOf(possession), { footprint: 'cellar' })],
      [['endorsement'], judged(bundleOf(possession), VM)],
      [['format'], judged(bundleOf(possession, { format: 'rumour', body: new Uint8Array(3) }))],
    ];
    for (const [expected, verdict] of cases) assert.deepEqual(failures(verdict), expected);
  });

  it('cannot be put together from the name of one component and the seal of another', () => {
    const other = componentOf('other');
    const bind = component.bindOf(CHALLENGE);
    const forged = encodeEvidence({
      ...component.identity,
      platform: 'none',
      measurement: PROGRAM,
      challenge: CHALLENGE,
      authenticator: keys.signer('other').signBytes(digestToBytes(bind)),
    });
    assert.deepEqual(failures(judged(bundleOf(forged))), ['possession']);
    const renamed = encodeEvidence({
      ...other.identity,
      tcId: component.identity.tcId,
      platform: 'none',
      measurement: PROGRAM,
      challenge: CHALLENGE,
      authenticator: keys
        .signer('other')
        .signBytes(
          digestToBytes(
            bindDigestOf(modelHash, {
              ...other.identity,
              tcId: component.identity.tcId,
              challenge: CHALLENGE,
            }),
          ),
        ),
    });
    assert.deepEqual(failures(judged(bundleOf(renamed))), ['name', 'component']);
  });

  it('has one encoding, and noise is refused without an error', () => {
    const whole = bundleOf(component.attest(CHALLENGE), endorsed());
    assert.deepEqual(encodeBundleOfEvidence(decodeBundleOfEvidence(whole)!), whole);
    const many = Array.from({ length: ENDORSEMENTS_MAX + 1 }, () => ({
      format: 'operator',
      body: new Uint8Array(1),
    }));
    assert.equal(
      decodeBundleOfEvidence(
        encodeBundleOfEvidence({ possession: new Uint8Array(1), endorsements: many }),
      ),
      undefined,
    );
    const random = new Prng(7);
    for (let round = 0; round < 3_000; round += 1) {
      const spoilt = whole.slice(0, random.between(0, whole.length));
      const at = random.between(0, Math.max(0, spoilt.length - 1));
      if (spoilt.length > 0) spoilt[at]! ^= random.between(1, 255);
      judged(spoilt, VM);
    }
  });

  it('does not survive any flipped bit', () => {
    const whole = bundleOf(component.attest(CHALLENGE), endorsed());
    for (let at = 0; at < whole.length; at += 1) {
      const flipped = whole.slice();
      flipped[at]! ^= 1;
      const { accepted, checks } = judged(flipped, VM);
      // The name of the platform is a claim that nobody seals; it decides nothing.
      const isPlatform = at >= 5 && at < 5 + 8;
      assert.equal(accepted, isPlatform && accepted, `byte ${at}: ${JSON.stringify(checks.at(-1))}`);
    }
  });
});

describe("an operator's endorsement", () => {
  const verdictOn = (endorsement: Endorsement, changes: Partial<JudgeParts> = {}): string[] =>
    failures(judged(bundleOf(component.attest(CHALLENGE), endorsement), { ...VM, ...changes }));

  it('is refused with the name of what is wrong', () => {
    const stranger = keys.signer('stranger');
    assert.deepEqual(verdictOn(endorsed({ root: bytesToHex(stranger.publicKey) }, stranger)), [
      'operator root',
    ]);
    assert.deepEqual(verdictOn(endorsed({}, stranger)), ['operator signature']);
    assert.deepEqual(verdictOn(endorsed({ version: 2 })), ['version']);
    assert.deepEqual(verdictOn(endorsed({ measurement: digest(0x50) })), ['endorsed program']);
    assert.deepEqual(verdictOn(endorsed({ carrier: digest(0x55) })), ['carrier']);
    assert.deepEqual(verdictOn(endorsed({ footprint: 'wasm' })), ['endorsed footprint']);
    assert.deepEqual(verdictOn(endorsed(), { timeMs: 999 }), ['validity']);
    assert.deepEqual(verdictOn(endorsed(), { timeMs: 2_001 }), ['validity']);
    assert.deepEqual(verdictOn({ format: OPERATOR_FORMAT, body: new Uint8Array(9) }), [
      'operator endorsement',
    ]);
  });

  it('of another component, or of an earlier occasion, does not count', () => {
    assert.deepEqual(verdictOn(endorsed({ bind: componentOf('other').bindOf(CHALLENGE) })), ['endorsed key']);
    assert.deepEqual(verdictOn(endorsed({ bind: component.bindOf(digest(8)) })), ['endorsed key']);
  });

  it('is judged without time where there is none to agree on', () => {
    const verdict = judgeEvidence(bundleOf(component.attest(CHALLENGE), endorsed()), {
      crypto,
      challenge: CHALLENGE,
      footprint: 'vm',
      policy: POLICY,
    });
    assert.deepEqual(failures(verdict), []);
  });
});

// ---- Registration and RECOVER

const HOSTS = [0, 1, 2].map((id) => bytesToHex(keys.signer(`host/${id}`).publicKey));

function settingsWith(attestation: AttestationPolicy | undefined, evidence: boolean): ClusterSettings {
  const members = HOSTS.map((hostKey, id) => {
    const { identity, attest } = componentOf(`member/${id}`);
    const trusted = { ...identity, program: 'usig', footprint: 'wasm', measurement: PROGRAM };
    const bundle = bundleOf(attest(registrationChallenge(modelHash, { hostKey, trusted })));
    return {
      id,
      name: `m${id}`,
      hostKey,
      trusted: evidence ? { ...trusted, evidence: bytesToHex(bundle) } : trusted,
    };
  });
  return {
    clusterId: digest(1),
    configurationVersion: 0,
    suite: 'ed25519',
    members,
    ...(attestation === undefined ? {} : { attestation }),
  } as unknown as ClusterSettings;
}

describe('registration in genesis', () => {
  it('is accepted with evidence, and without where nothing is asked', () => {
    assert.equal(registrationProblem(settingsWith(undefined, false), crypto), undefined);
    assert.equal(registrationProblem(settingsWith(undefined, true), crypto), undefined);
    assert.equal(registrationProblem(settingsWith(POLICY, true), crypto), undefined);
  });

  it('is refused without evidence, or with that of another member, in words', () => {
    assert.match(
      registrationProblem(settingsWith(POLICY, false), crypto)!,
      /"m0" is refused: check "bundle"/,
    );
    const settings = settingsWith(undefined, true);
    const [first, second] = settings.members as [never, never];
    const copied = {
      ...(second as ClusterSettings['members'][number]),
      trusted: (first as ClusterSettings['members'][number]).trusted,
    };
    const problem = registrationProblem({ ...settings, members: [copied] }, crypto);
    assert.match(problem!, /check "challenge"/);
    assert.match(problem!, /another replica/);
  });

  it('with a program that the policy does not allow is refused', () => {
    const policy = { ...POLICY, programs: [{ name: 'usig', measurements: [digest(0x77)] }] };
    assert.match(registrationProblem(settingsWith(policy, true), crypto)!, /check "program"/);
  });
});

describe('RECOVER', () => {
  const settings = settingsWith(POLICY, true);
  const fresh = componentOf('fresh');
  const requestOf = (replica: number, changes: Partial<RecoverRequest> = {}, under = settings) => {
    const { tcEpoch, tcId, publicKey: tcPublicKey } = fresh.identity;
    const content = { replica, tcEpoch, tcId, tcPublicKey };
    const evidence = bundleOf(fresh.attest(possessionChallenge(modelHash, under, content)));
    const rest = { expectedIncarnation: 0, measurement: PROGRAM, footprint: 'wasm', evidence };
    return { ...content, ...rest, signature: new Uint8Array(64), ...changes };
  };
  const problem = recoverEvidenceCheck(settings, crypto);

  it('with the evidence of its own component holds, whatever incarnation it expects', () => {
    assert.equal(problem(requestOf(1)), undefined);
    assert.equal(problem(requestOf(1, { expectedIncarnation: 5 })), undefined);
  });

  it('copied into another name, cluster or membership does not hold', () => {
    assert.match(problem(requestOf(1, { replica: 2 }))!, /check "challenge"/);
    assert.match(problem(requestOf(1, {}, { ...settings, clusterId: digest(2) }))!, /check "challenge"/);
    assert.match(problem(requestOf(1, {}, { ...settings, configurationVersion: 1 }))!, /check "challenge"/);
    assert.match(problem(requestOf(7))!, /no such member/);
  });

  it('that claims another program, key or footprint than its evidence shows does not hold', () => {
    assert.match(problem(requestOf(1, { measurement: digest(0x50) }))!, /check "claimed program"/);
    assert.match(problem(requestOf(1, { tcEpoch: '00'.repeat(8) as TcEpoch }))!, /check "challenge"/);
    assert.match(problem(requestOf(1, { footprint: 'vm' }))!, /check "endorsement"/);
    assert.match(problem(requestOf(1, { footprint: 'cellar' }))!, /check "footprint"/);
    assert.match(problem(requestOf(1, { evidence: digestToBytes(PROGRAM) }))!, /check "bundle"/);
  });

  it('of the HMAC suite names the component that its replica has for ever', () => {
    const hmac = { ...settings, suite: 'hmac-sha256' } as ClusterSettings;
    assert.match(recoverEvidenceCheck(hmac, crypto)(requestOf(1))!, /the component of replica 1 is/);
  });
});

it('a verdict reads as lines, and its first failure as a sentence', () => {
  const verdict = judged(bundleOf(component.attest(CHALLENGE, digest(0x99))));
  const lines = verdictLines(verdict);
  assert.ok(lines.some((line) => line.startsWith('passed  possession')));
  assert.ok(lines.some((line) => line.startsWith('FAILED  program')));
  assert.match(refusalOf(verdict), /^check "claimed program" failed: found 99.*expected 51.*Register|Make both/);
});

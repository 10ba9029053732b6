/**
 * Judging evidence: is this the component that it is said to be, does it hold its key now, is its code allowed? A pure
 * function of bytes, policy and (where there is one to agree on) time, so that all replicas judge alike (decision A9).
 */
import { digestToBytes, hexToBytes } from '../../core/bytes.ts';
import type { AttestationPolicy, Suite } from '../../core/config.ts';
import type { Digest, Milliseconds, TcEpoch } from '../../core/types.ts';
import { decodeEvidence } from '../evidence.ts';
import type { Evidence } from '../evidence.ts';
import { bindDigestOf, tcIdOf } from '../statement.ts';
import { decodeBundleOfEvidence } from './bundle.ts';
import type { EvidenceBundle } from './bundle.ts';
import type { AttestationCrypto, FormatContext } from './format.ts';
import { EVIDENCE_FORMATS } from './formats.ts';
import { checkOf, verdictOf } from './verdict.ts';
import type { Check, Verdict } from './verdict.ts';

/** Who the evidence must be about. */
export interface ExpectedComponent {
  readonly suite: Suite;
  readonly tcId: string;
  readonly tcEpoch: TcEpoch;
  readonly publicKey: string;
  readonly measurement: Digest;
}

/** What evidence is judged against. */
export interface JudgeParts {
  readonly crypto: AttestationCrypto;
  /** What the component had to seal, so that the proof is about this occasion. */
  readonly challenge: Digest;
  /** Claimed footprint. */
  readonly footprint: string;
  /** Undefined: whoever holds the key may be asked what it is, as `verify-evidence` does. */
  readonly expected?: ExpectedComponent;
  /** Undefined: possession of the key is all that is asked. */
  readonly policy?: AttestationPolicy;
  readonly timeMs?: Milliseconds;
}

function possessionHolds({ crypto }: JudgeParts, evidence: Evidence, bind: Digest): boolean {
  const { suite, publicKey, authenticator } = evidence;
  const covered = digestToBytes(bind);
  if (suite === 'hmac-sha256') return crypto.verifyMac?.(covered, authenticator) ?? false;
  const key = hexToBytes(publicKey);
  return key?.length === 32 && crypto.verifyEd25519(key, covered, authenticator);
}

/** An own key names its component; with the HMAC suite the name belongs to the replica. */
function nameFollowsFromKey({ crypto }: JudgeParts, { suite, tcId, publicKey }: Evidence): boolean {
  if (suite === 'hmac-sha256') return publicKey === '';
  const key = hexToBytes(publicKey);
  return key?.length === 32 && tcIdOf(crypto.hash, { suite: 'ed25519', publicKey: key }) === tcId;
}

function possessionChecks(parts: JudgeParts, evidence: Evidence, bind: Digest): Check[] {
  const holds = possessionHolds(parts, evidence, bind);
  return [
    checkOf(
      'challenge',
      evidence.challenge === parts.challenge,
      evidence.challenge,
      parts.challenge,
      'The evidence answers another question: it is old, or it was made for another replica, cluster or nonce. Ask the ' +
        'component again with the challenge of this occasion.',
    ),
    checkOf(
      'name',
      nameFollowsFromKey(parts, evidence),
      evidence.tcId,
      'the tcId that follows from the public key',
      'Key and name of the component do not belong together: the evidence was put together by hand. Ask the component ' +
        'again.',
    ),
    checkOf(
      'possession',
      holds,
      holds ? 'the component sealed the challenge with its key' : 'a seal that does not hold',
      'the seal of the component over key and challenge',
      'Whoever made this evidence does not hold the key, or the evidence was changed on its way. Ask the component ' +
        'itself again.',
    ),
  ];
}

function componentChecks({ expected }: JudgeParts, evidence: Evidence): Check[] {
  if (expected === undefined) return [];
  const same =
    evidence.suite === expected.suite &&
    evidence.tcId === expected.tcId &&
    evidence.tcEpoch === expected.tcEpoch &&
    evidence.publicKey === expected.publicKey;
  const nameOf = (one: Omit<ExpectedComponent, 'measurement'>): string =>
    `tcId ${one.tcId}, tcEpoch ${one.tcEpoch}, key ${one.publicKey === '' ? '(none)' : one.publicKey} (${one.suite})`;
  return [
    checkOf(
      'component',
      same,
      nameOf(evidence),
      nameOf(expected),
      'The evidence is about another component than the registration. Register the component that made the evidence, or ' +
        'ask the registered one.',
    ),
    checkOf(
      'claimed program',
      evidence.measurement === expected.measurement,
      evidence.measurement,
      expected.measurement,
      'Registration and evidence name different programs. Make both again from the component that runs now.',
    ),
  ];
}

function policyChecks({ policy, footprint }: JudgeParts, evidence: Evidence): Check[] {
  if (policy === undefined) return [];
  const program = policy.programs.find(({ measurements }) => measurements.includes(evidence.measurement));
  const allowed = policy.programs.flatMap(({ name, measurements }) =>
    measurements.map((measurement) => `${measurement} (${name})`),
  );
  const place = policy.footprints.find(({ name }) => name === footprint);
  return [
    checkOf(
      'program',
      program !== undefined,
      program === undefined ? evidence.measurement : `${evidence.measurement} (${program.name})`,
      allowed.join(' or '),
      'The component runs a program that the policy does not allow: its file was changed, or it is another release. Put ' +
        'the released file back and start the component again, or add the measurement to "programs" if you meant it.',
    ),
    checkOf(
      'footprint',
      place !== undefined,
      footprint,
      policy.footprints.map(({ name }) => name).join(' or '),
      'The policy does not allow components on this footprint. Move the component, or add the footprint to the policy.',
    ),
  ];
}

function endorsementChecks(
  parts: JudgeParts,
  bundle: EvidenceBundle,
  evidence: Evidence,
  bind: Digest,
): Check[] {
  const { policy, crypto, footprint: footprintName, timeMs } = parts;
  if (policy === undefined) return [];
  const footprint = policy.footprints.find(({ name }) => name === footprintName);
  const checks = bundle.endorsements.flatMap(({ format, body }) => {
    const plugin = EVIDENCE_FORMATS.find(({ name }) => name === format);
    if (plugin === undefined)
      return [
        checkOf(
          'format',
          false,
          format,
          EVIDENCE_FORMATS.map(({ name }) => name).join(' or '),
          'This release cannot read that kind of endorsement. Leave it out, or use a release that has the format.',
        ),
      ];
    const context: FormatContext = {
      crypto,
      evidence,
      bind,
      program: policy.programs.find(({ measurements }) => measurements.includes(evidence.measurement)),
      footprint,
      footprintName,
      roots: policy.roots.filter((root) => root.format === format),
      timeMs,
    };
    return plugin.verify(body, context);
  });
  const given = new Set(bundle.endorsements.map(({ format }) => format));
  const needed = footprint?.endorsedBy ?? [];
  const shown = given.size === 0 ? 'none' : [...given].join(' and ');
  return [
    ...checks,
    checkOf(
      'endorsement',
      footprint !== undefined && needed.every((format) => given.has(format)),
      shown,
      needed.length === 0
        ? 'nothing more than possession of the key'
        : `an endorsement of ${needed.join(' and of ')}`,
      `On the footprint ${footprintName} the word of the component is not enough. Have it endorsed (for an operator: ` +
        `trusted endorse) over ${bind}.`,
    ),
  ];
}

/** Judges an evidence bundle. Never throws on any bytes. */
export function judgeEvidence(bytes: Uint8Array, parts: JudgeParts): Verdict {
  const bundle = decodeBundleOfEvidence(bytes);
  const evidence = bundle === undefined ? undefined : decodeEvidence(bundle.possession);
  if (bundle === undefined || evidence === undefined) {
    return verdictOf([
      checkOf(
        'bundle',
        false,
        `${bytes.length} bytes that are no evidence bundle`,
        'a canonical evidence bundle',
        'There is no evidence, or it was damaged. Ask the component again.',
      ),
    ]);
  }
  const bind = bindDigestOf(parts.crypto.hash, evidence);
  return verdictOf([
    ...possessionChecks(parts, evidence, bind),
    ...componentChecks(parts, evidence),
    ...policyChecks(parts, evidence),
    ...endorsementChecks(parts, bundle, evidence, bind),
  ]);
}

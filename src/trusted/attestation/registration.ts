/**
 * The two occasions at which evidence is judged: when a cluster is composed, and when a replica asks by RECOVER to speak
 * with a new component. Both challenges name whose component it is, so evidence that was copied proves nothing.
 */
import { hexToBytes } from '../../core/bytes.ts';
import type { ClusterSettings, MemberSettings } from '../../core/config.ts';
import { Writer } from '../../core/codec.ts';
import type { Domain } from '../../core/domain.ts';
import { domainTag, finishDigest } from '../../core/domain.ts';
import { possessionChallenge } from '../../core/request.ts';
import type { RecoverRequest } from '../../core/request.ts';
import type { Digest, Hash, Milliseconds } from '../../core/types.ts';
import type { EvidenceCheck } from '../../crypto/seal-verifier.ts';
import type { AttestationCrypto } from './format.ts';
import { EVIDENCE_FORMATS } from './formats.ts';
import { judgeEvidence } from './judge.ts';
import { refusalOf } from './verdict.ts';
import type { Verdict } from './verdict.ts';

/** Whose component a registration of genesis is about. There is no cluster id yet; the host key names the member. */
export type RegistrationOwner = Pick<MemberSettings, 'hostKey'> & {
  readonly trusted: Pick<MemberSettings['trusted'], 'tcId' | 'tcEpoch' | 'publicKey'>;
};

/** What a component seals so that its member may register it in a new cluster. */
export function registrationChallenge(hash: Hash, { hostKey, trusted }: RegistrationOwner): Digest {
  const writer = new Writer(256).ascii(domainTag('host', 'GENESIS-POSSESSION')).hex(hostKey);
  writer.tcEpoch(trusted.tcEpoch).hex(trusted.tcId).ascii(trusted.publicKey);
  return finishDigest(hash, writer);
}

type MemberPart = Pick<MemberSettings, 'hostKey' | 'trusted'>;

/**
 * Judges the registration of a member; undefined where nothing is asked and nothing is shown. `timeMs`: when the
 * cluster is composed; a replica that reads an old cluster.json judges without time.
 */
function judgeRegistration(
  member: MemberPart,
  policy: ClusterSettings['attestation'],
  crypto: AttestationCrypto,
  timeMs?: Milliseconds,
): Verdict | undefined {
  const { trusted } = member;
  if (policy === undefined && trusted.evidence === undefined) return undefined;
  const { suite, tcId, tcEpoch, publicKey, measurement } = trusted;
  return judgeEvidence(hexToBytes(trusted.evidence ?? '') ?? new Uint8Array(0), {
    crypto,
    challenge: registrationChallenge(crypto.hash, member),
    footprint: trusted.footprint,
    expected: { suite, tcId, tcEpoch, publicKey, measurement },
    ...(policy === undefined ? {} : { policy }),
    ...(timeMs === undefined ? {} : { timeMs }),
  });
}

/**
 * What is wrong with the evidence of the first member whose registration is refused, in words; undefined if there is
 * none. For whoever composes a cluster (with the time) and for replicas that read its settings (without).
 */
export function registrationProblem(
  settings: Pick<ClusterSettings, 'members' | 'attestation'>,
  crypto: AttestationCrypto,
  timeMs?: Milliseconds,
): string | undefined {
  for (const { format, name } of settings.attestation?.roots ?? [])
    if (!EVIDENCE_FORMATS.some((known) => known.name === format))
      return (
        `the attestation policy has the root "${name}" of the format "${format}", which this release cannot read, so it would ` +
        'judge otherwise than replicas that can. Use a release that has it, or take the root out.'
      );
  for (const member of settings.members) {
    const verdict = judgeRegistration(member, settings.attestation, crypto, timeMs);
    if (verdict !== undefined && !verdict.accepted)
      return `the trusted component of member "${member.name}" is refused: ${refusalOf(verdict)}`;
  }
  return undefined;
}

/** Judges the evidence of a RECOVER. A function of settings and bytes alone (docs/decisions/0012). */
function judgeRecover(
  request: RecoverRequest,
  settings: ClusterSettings,
  crypto: AttestationCrypto,
): Verdict {
  const domain: Domain = settings;
  const { tcId, tcEpoch, tcPublicKey: publicKey, measurement, footprint } = request;
  return judgeEvidence(request.evidence, {
    crypto,
    challenge: possessionChallenge(crypto.hash, domain, request),
    footprint,
    expected: { suite: settings.suite, tcId, tcEpoch, publicKey, measurement },
    ...(settings.attestation === undefined ? {} : { policy: settings.attestation }),
  });
}

/** The check of `SealVerifier`. With the HMAC suite the name of a component is that of its replica, for ever. */
export function recoverEvidenceCheck(settings: ClusterSettings, crypto: AttestationCrypto): EvidenceCheck {
  return (request) => {
    const registered = settings.members[request.replica]?.trusted;
    if (registered === undefined) return 'there is no such member';
    if (settings.suite === 'hmac-sha256' && registered.tcId !== request.tcId)
      return `with the suite hmac-sha256 the component of replica ${request.replica} is ${registered.tcId}`;
    const verdict = judgeRecover(request, settings, crypto);
    return verdict.accepted ? undefined : refusalOf(verdict);
  };
}
